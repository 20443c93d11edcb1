/* test_rvq_paths.c - search along several paths: against every sum there is, against greedy search, and in pieces.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "models/rvq_paths.h"
#include "tests/shared.h"

enum { CODES = 16, DIM = 5, STAGES = 4, FRAMES = 120 };

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Rvq *rvq;
    float *books[STAGES]; /* [CODES, DIM], the quantiser's own */
    RsdError err;
} Rig;

static void rig_open(Rig *rig, int n_threads)
{
    const RvqConfig config = {.n_q = STAGES, .codebook_size = CODES, .dim = DIM, .ema_decay = 0.9f};
    Rng rng = rng_at(3, RNG_TEST, 0, 1);

    memset(rig, 0, sizeof *rig);
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(params_create(&rig->params, &rig->err), rig->err);
    ASSERT_OK(rvq_create(&rig->rvq, &config, rig->params, &rig->err), rig->err);
    for (int q = 0; q < STAGES; q++) {
        char name[32];

        snprintf(name, sizeof name, "rvq.%d.embed", q);
        rig->books[q] = params_find(rig->params, name)->data;
        for (int i = 0; i < CODES * DIM; i++)
            rig->books[q][i] = rng_normal(&rng) / (float)(1 + q);
    }
    rvq_refresh(rig->rvq);
}

static void rig_close(Rig *rig)
{
    rvq_destroy(&rig->rvq);
    params_destroy(&rig->params);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static Tensor *input(Rig *rig, int64_t batch, int64_t frames)
{
    int64_t shape[3] = {batch, DIM, frames};
    Rng rng = rng_at(3, RNG_TEST, 0, 2);
    Tensor *z;

    ASSERT_OK(tape_tensor(rig->tape, &z, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = rng_normal(&rng);
    return z;
}

/* |z - sum of codes|^2 of frame t. codes: of stage q at q step. */
static double error_of(const Rig *rig, const Tensor *z, int64_t t, const uint16_t *codes, int n_q, int64_t step)
{
    double error = 0.0;

    for (int d = 0; d < DIM; d++) {
        double rest = (double)z->data[d * z->shape[2] + t];

        for (int q = 0; q < n_q; q++)
            rest -= (double)rig->books[q][codes[q * step] * DIM + d];
        error += rest * rest;
    }
    return error;
}

Test(rvq_paths, as_many_paths_as_codes_find_the_best_sum_of_two_stages)
{
    uint16_t codes[2 * FRAMES];
    Tensor *z;
    Rig rig;

    rig_open(&rig, 1);
    z = input(&rig, 1, FRAMES);
    ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, z, 2, CODES, codes, &rig.err), rig.err);
    for (int t = 0; t < FRAMES; t++) {
        double best = INFINITY;

        for (uint16_t i = 0; i < CODES * CODES; i++)
            best = fmin(best, error_of(&rig, z, t, (uint16_t[2]){i / CODES, i % CODES}, 2, 1));
        cr_assert_float_eq(error_of(&rig, z, t, codes + t, 2, FRAMES), best, 1e-5, "frame %d", t);
    }
    rig_close(&rig);
}

Test(rvq_paths, one_path_is_greedy_search_and_more_leave_less)
{
    const int widths[] = {1, 2, 4, 8, 16, 33, RVQ_MAX_PATHS};
    uint16_t greedy[STAGES * FRAMES], codes[STAGES * FRAMES];
    double before = INFINITY;
    Tensor *z;
    Rig rig;

    rig_open(&rig, 1);
    z = input(&rig, 1, FRAMES);
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, STAGES, greedy, &rig.err), rig.err);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        double error = 0.0;

        ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, widths[i], codes, &rig.err), rig.err);
        if (widths[i] == 1)
            cr_assert_arr_eq(codes, greedy, sizeof codes);
        for (int t = 0; t < FRAMES; t++)
            error += error_of(&rig, z, t, codes + t, STAGES, FRAMES);
        cr_assert_leq(error, before * (widths[i] <= 4 ? 0.95 : 1.001), "%d paths: %g after %g", widths[i], error, before);
        before = error;
    }
    rig_close(&rig);
}

Test(rvq_paths, chunks_equal_the_whole_for_one_and_two_threads)
{
    enum { B = 2, CHUNK = 37 };
    uint16_t whole[B * STAGES * FRAMES], again[B * STAGES * FRAMES], part[STAGES * CHUNK];
    Tensor *z;
    Rig rig, other;

    rig_open(&rig, 1);
    rig_open(&other, 2);
    z = input(&rig, B, FRAMES);
    ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, 5, whole, &rig.err), rig.err);
    ASSERT_OK(rvq_encode_paths(other.tape, other.rvq, z, STAGES, 5, again, &other.err), other.err);
    cr_assert_arr_eq(whole, again, sizeof whole);
    for (int first = 0; first < FRAMES; first += CHUNK) {
        int n = FRAMES - first < CHUNK ? FRAMES - first : CHUNK;
        int64_t shape[3] = {1, DIM, n};
        Tensor *chunk;

        ASSERT_OK(tape_tensor(rig.tape, &chunk, 3, shape, &rig.err), rig.err);
        for (int d = 0; d < DIM; d++)
            memcpy(chunk->data + d * n, z->data + (DIM + d) * FRAMES + first, (size_t)n * sizeof(float));
        ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, chunk, STAGES, 5, part, &rig.err), rig.err);
        for (int q = 0; q < STAGES; q++)
            cr_assert_arr_eq(part + q * n, whole + (STAGES + q) * FRAMES + first, (size_t)n * sizeof *part);
    }
    rig_close(&other);
    rig_close(&rig);
}

Test(rvq_paths, numbers_that_are_none_get_codes_that_exist_and_wrong_calls_are_named)
{
    uint16_t codes[STAGES * FRAMES];
    Tensor *z;
    Rig rig;

    rig_open(&rig, 1);
    z = input(&rig, 1, FRAMES);
    z->data[7] = NAN;
    z->data[FRAMES + 9] = INFINITY;
    ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, 4, codes, &rig.err), rig.err);
    for (int i = 0; i < STAGES * FRAMES; i++)
        cr_assert_lt(codes[i], CODES, "code %d", i);
    for (int q = 0; q < STAGES; q++)
        cr_assert_eq(codes[q * FRAMES + 7], 0);
    ASSERT_FAILS(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, 0, codes, &rig.err), RSD_ERR_ARG, rig.err, "0 paths");
    ASSERT_FAILS(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, RVQ_MAX_PATHS + 1, codes, &rig.err), RSD_ERR_ARG, rig.err, "65 paths");
    ASSERT_FAILS(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES + 1, 4, codes, &rig.err), RSD_ERR_ARG, rig.err, "5 stages");
    rig_close(&rig);
}

Test(rvq_paths, training_learns_from_the_codes_of_the_search)
{
    const CodeTraining paths = {.paths = 8};
    RvqStats greedy, searched;
    Tensor *z, *zq, *commitment;
    uint16_t codes[STAGES * FRAMES];
    double error = 0.0;
    Rig rig;

    rig_open(&rig, 1);
    z = input(&rig, 1, FRAMES);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, STAGES, 1, 0, true, &zq, &commitment, &greedy, &rig.err), rig.err);
    rvq_set_training(rig.rvq, &paths);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, STAGES, 1, 0, true, &zq, &commitment, &searched, &rig.err), rig.err);
    cr_assert_lt(searched.relative_error, 0.95f * greedy.relative_error);
    ASSERT_OK(rvq_encode_paths(rig.tape, rig.rvq, z, STAGES, 8, codes, &rig.err), rig.err);
    for (int t = 0; t < FRAMES; t++) /* what a decoder will make of these codes */
        for (int d = 0; d < DIM; d++) {
            double sum = 0.0;

            for (int q = 0; q < STAGES; q++)
                sum += (double)rig.books[q][codes[q * FRAMES + t] * DIM + d];
            error = fmax(error, fabs(sum - (double)zq->data[d * FRAMES + t]));
        }
    cr_assert_lt(error, 1e-5);
    rig_close(&rig);
}
