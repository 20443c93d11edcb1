/* kmeans.c - the first codebook: Lloyd's iterations from random vectors of the batch.
 *
 * [1] Lloyd, Least squares quantization in PCM, 1982. Counts and starting means: audio.md 1.6, except that the moving sum
 *     starts as count times mean. (The public code starts it as the mean alone, which makes the first update divide every
 *     code by its count.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "models/codebook.h"

#define N_ITERATIONS 50 /* audio.md 1.6 */

static void copy_vector(Codebook *cb, int64_t code, const VectorBatch *v, int64_t i)
{
    const float *column = v->data + i / v->frames * v->dim * v->frames + i % v->frames;

    for (int64_t d = 0; d < cb->dim; d++)
        cb->embed[code * cb->dim + d] = column[d * v->frames];
}

/* The first n_codes elements of a random order of the vectors; a second order follows where there are too few. */
static RsdStatus choose_means(Codebook *cb, Arena *arena, const VectorBatch *v, Rng *rng, RsdError *err)
{
    int64_t n = v->batch * v->frames;
    uint32_t *order;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &order, (size_t)n, sizeof *order, err));
    for (int64_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (int64_t j = 0; j < cb->n_codes; j++) {
        int64_t at = j % n, other = at + rng_below(rng, (uint32_t)(n - at));
        uint32_t chosen = order[other];

        order[other] = order[at];
        order[at] = chosen;
        copy_vector(cb, j, v, chosen);
    }
fail:
    return status;
}

static void move_means(Codebook *cb, const CodeSums *sums)
{
    for (int64_t j = 0; j < cb->n_codes; j++)
        if (sums->count[j] > 0.0f)
            for (int64_t d = 0; d < cb->dim; d++)
                cb->embed[j * cb->dim + d] = sums->sum[d * cb->n_codes + j] / sums->count[j];
}

RsdStatus codebook_kmeans(Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, Arena *arena, const VectorBatch *v,
                          Rng *rng, uint16_t *codes, RsdError *err)
{
    size_t codes_size = (size_t)(v->batch * v->frames) * sizeof *codes;
    ArenaMark mark = arena_mark(arena);
    CodeSums sums;
    uint16_t *before;
    RsdStatus status = RSD_OK;

    TRY(code_sums_create(&sums, cb, arena, err));
    TRY(arena_alloc(arena, &before, codes_size, 1, err));
    TRY(choose_means(cb, arena, v, rng, err));
    for (int i = 0; i < N_ITERATIONS; i++) {
        codebook_pack(cb);
        codebook_nearest(cb, kernels, threads, v, codes);
        if (i > 0 && memcmp(codes, before, codes_size) == 0)
            break; /* the means would stay where they are */
        memcpy(before, codes, codes_size);
        code_sums_fill(&sums, threads, v, codes);
        move_means(cb, &sums);
    }
    codebook_pack(cb);
    for (int64_t j = 0; j < cb->n_codes; j++) {
        cb->count[j] = sums.count[j];
        for (int64_t d = 0; d < cb->dim; d++)
            cb->sum[j * cb->dim + d] = sums.count[j] * cb->embed[j * cb->dim + d];
    }
fail:
    arena_rewind(arena, mark);
    return status;
}
