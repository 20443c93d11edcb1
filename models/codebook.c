/* codebook.c - searching one codebook, its moving averages and its dead codes.
 *
 * [1] audio.md 1.6: the public code overwrote only the code itself when it replaced a dead one, and its next line computed
 *     the code anew from the average, so the replacement was lost. Here the average is replaced with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/codebook.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SMOOTHING 1e-5 /* epsilon of the smoothed counts, audio.md 1.6 */
#define CODES_PER_TASK 64
#define CODEBOOK_STEP 16 /* a vector of columns */

/* ---- tasks ---- */

int64_t codebook_n_tasks(const VectorBatch *v)
{
    return v->batch * ((v->frames + CODEBOOK_COLUMNS - 1) / CODEBOOK_COLUMNS);
}

void codebook_task(const VectorBatch *v, int64_t i, int64_t *item, int64_t *first, int64_t *n)
{
    int64_t n_blocks = (v->frames + CODEBOOK_COLUMNS - 1) / CODEBOOK_COLUMNS;
    int64_t n_each = ((v->frames + n_blocks - 1) / n_blocks + CODEBOOK_STEP - 1) / CODEBOOK_STEP * CODEBOOK_STEP;

    *item = i / n_blocks;
    *first = i % n_blocks * n_each;
    *n = v->frames - *first < n_each ? v->frames - *first : n_each;
}

/* ---- search ---- */

void codebook_init(Codebook *cb, int64_t n_codes, int64_t dim, float *embed, float *count, float *sum, float *packed)
{
    *cb = (Codebook){.n_codes = n_codes, .dim = dim, .embed = embed, .count = count, .sum = sum};
    cb->book = (SearchBook){.n_codes = n_codes, .dim = dim, .packed = packed};
}

void codebook_pack(Codebook *cb)
{
    search_pack(&cb->book, cb->embed);
}

typedef struct SearchJob {
    const Codebook *cb;
    const SearchKernels *kernels;
    const VectorBatch *v;
    uint16_t *codes;
} SearchJob;

static void search_columns(void *ctx, int64_t i, int worker)
{
    const SearchJob *job = ctx;
    const VectorBatch *v = job->v;
    int64_t item, first, n;

    (void)worker;
    codebook_task(v, i, &item, &first, &n);
    job->kernels->nearest(&job->cb->book, v->data + item * v->dim * v->frames + first, v->frames, n,
                          job->codes + item * v->frames + first);
}

static void take_out_columns(void *ctx, int64_t i, int worker)
{
    const SearchJob *job = ctx;
    const VectorBatch *v = job->v;
    int64_t item, first, n;

    (void)worker;
    codebook_task(v, i, &item, &first, &n);
    job->kernels->take_out(job->cb->embed, v->dim, job->codes + item * v->frames + first, n,
                           v->data + item * v->dim * v->frames + first, NULL, v->frames);
}

void codebook_nearest(const Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, const VectorBatch *v,
                      uint16_t *codes)
{
    SearchJob job = {cb, kernels, v, codes};

    threads_for(threads, codebook_n_tasks(v), search_columns, &job);
}

void codebook_take_out(const Codebook *cb, const SearchKernels *kernels, RsdThreads *threads, VectorBatch *v,
                       const uint16_t *codes)
{
    SearchJob job = {cb, kernels, v, (uint16_t *)codes};

    threads_for(threads, codebook_n_tasks(v), take_out_columns, &job);
}

/* ---- sums of the vectors that chose a code ---- */

RsdStatus code_sums_create(CodeSums *sums, const Codebook *cb, Arena *arena, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *sums = (CodeSums){.n_codes = cb->n_codes, .dim = cb->dim};
    TRY(arena_alloc(arena, &sums->count, (size_t)(cb->n_codes * (1 + cb->dim)), sizeof(float), err));
    sums->sum = sums->count + cb->n_codes;
fail:
    return status;
}

void code_sums_share(CodeSums *sums, Group *group, bool counts_alone)
{
    group_sum_f32(group, sums->count, (size_t)(sums->n_codes * (counts_alone ? 1 : 1 + sums->dim)));
}

typedef struct SumJob {
    CodeSums *sums;
    const VectorBatch *v;
    const uint16_t *codes;
} SumJob;

static void sum_one_dimension(void *ctx, int64_t d, int worker)
{
    const SumJob *job = ctx;
    const VectorBatch *v = job->v;
    float *sum = job->sums->sum + d * job->sums->n_codes;

    (void)worker;
    memset(sum, 0, (size_t)job->sums->n_codes * sizeof(float));
    for (int64_t item = 0; item < v->batch; item++) {
        const float *row = v->data + (item * v->dim + d) * v->frames;
        const uint16_t *codes = job->codes + item * v->frames;

        for (int64_t t = 0; t < v->frames; t++)
            sum[codes[t]] += row[t];
    }
}

void code_sums_fill(CodeSums *sums, RsdThreads *threads, const VectorBatch *v, const uint16_t *codes)
{
    SumJob job = {sums, v, codes};

    memset(sums->count, 0, (size_t)sums->n_codes * sizeof(float));
    for (int64_t i = 0; i < v->batch * v->frames; i++)
        sums->count[codes[i]] += 1.0f;
    threads_for(threads, sums->dim, sum_one_dimension, &job);
}

float codes_perplexity(const float *count, int64_t n_codes, int64_t *n_used)
{
    double total = 0.0, entropy = 0.0;
    int64_t n = 0;

    for (int64_t j = 0; j < n_codes; j++)
        total += (double)count[j];
    for (int64_t j = 0; j < n_codes; j++)
        if (count[j] > 0.0f) {
            entropy -= (double)count[j] / total * log((double)count[j] / total);
            n++;
        }
    if (n_used)
        *n_used = n;
    return (float)exp(entropy);
}

/* ---- moving averages ---- */

typedef struct UpdateJob {
    Codebook *cb;
    const CodeSums *sums;
    float decay;
    double total; /* of all average counts after this update */
} UpdateJob;

static void update_codes(void *ctx, int64_t i, int worker)
{
    const UpdateJob *job = ctx;
    Codebook *cb = job->cb;
    int64_t end = (i + 1) * CODES_PER_TASK < cb->n_codes ? (i + 1) * CODES_PER_TASK : cb->n_codes;

    (void)worker;
    for (int64_t j = i * CODES_PER_TASK; j < end; j++) {
        double smoothed = (cb->count[j] + SMOOTHING) / (job->total + (double)cb->n_codes * SMOOTHING) * job->total;
        float scale = (float)(1.0 / smoothed);

        for (int64_t d = 0; d < cb->dim; d++) {
            float sum = job->decay * cb->sum[j * cb->dim + d] +
                        (1.0f - job->decay) * job->sums->sum[d * cb->n_codes + j];

            cb->sum[j * cb->dim + d] = sum;
            cb->embed[j * cb->dim + d] = sum * scale;
        }
    }
}

void codebook_update(Codebook *cb, RsdThreads *threads, const CodeSums *sums, float decay)
{
    UpdateJob job = {cb, sums, decay, 0.0};

    for (int64_t j = 0; j < cb->n_codes; j++) {
        cb->count[j] = decay * cb->count[j] + (1.0f - decay) * sums->count[j];
        job.total += cb->count[j];
    }
    if (job.total > 0.0)
        threads_for(threads, (cb->n_codes + CODES_PER_TASK - 1) / CODES_PER_TASK, update_codes, &job);
}

/* Vector number i of the whole batch; zeros where another member has it. */
static void draw_vector(float *dst, const VectorBatch *v, int64_t i, const Group *group)
{
    const int64_t here = i - group_rank(group) * v->batch * v->frames;
    const bool mine = here >= 0 && here < v->batch * v->frames;
    const float *column = v->data + (mine ? here / v->frames * v->dim * v->frames + here % v->frames : 0);

    for (int64_t d = 0; d < v->dim; d++)
        dst[d] = mine ? column[d * v->frames] : 0.0f;
}

int codebook_reseed(Codebook *cb, const VectorBatch *v, float threshold, Rng *rng, float *room, Group *group)
{
    const int64_t n_vectors = v->batch * v->frames * group_size(group), dim = cb->dim;
    int n_dead = 0;

    for (int64_t j = 0; j < cb->n_codes; j++)
        if (cb->count[j] < threshold)
            draw_vector(room + n_dead++ * dim, v, rng_below(rng, (uint32_t)n_vectors), group);
    if (n_dead)
        group_sum_f32(group, room, (size_t)(n_dead * dim)); /* all at once: each has come from one member */
    for (int64_t j = 0; j < cb->n_codes; j++) {
        if (cb->count[j] >= threshold)
            continue;
        for (int64_t d = 0; d < dim; d++) {
            cb->embed[j * dim + d] = room[d];
            cb->sum[j * dim + d] = threshold * room[d];
        }
        cb->count[j] = threshold;
        room += dim;
    }
    return n_dead;
}

/* ---- codes that move together ---- */

void codebook_follow(Codebook *cb, const VectorBatch *v, float rate, double *moments, Group *group)
{
    const double n = (double)(v->batch * v->frames) * group_size(group);
    const int64_t dim = cb->dim;

    for (int64_t d = 0; d < dim; d++) {
        moments[2 * d] = moments[2 * d + 1] = 0.0;
        for (int64_t i = 0; i < v->batch * v->frames; i++) {
            double x = v->data[(i / v->frames * dim + d) * v->frames + i % v->frames];

            moments[2 * d] += x;
            moments[2 * d + 1] += x * x;
        }
    }
    group_sum_f64(group, moments, (size_t)(2 * dim));
    for (int64_t d = 0; d < dim; d++) {
        double mean = moments[2 * d] / n, variance = moments[2 * d + 1] / n - mean * mean, mean_code = 0.0, variance_code = 0.0;
        double scale;

        for (int64_t j = 0; j < cb->n_codes; j++)
            mean_code += cb->embed[j * dim + d] / (double)cb->n_codes;
        for (int64_t j = 0; j < cb->n_codes; j++)
            variance_code += (cb->embed[j * dim + d] - mean_code) * (cb->embed[j * dim + d] - mean_code) / (double)cb->n_codes;
        scale = variance_code > 0.0 && variance > 0.0 ? sqrt(variance / variance_code) : 1.0;
        for (int64_t j = 0; j < cb->n_codes; j++) {
            float *code = &cb->embed[j * dim + d];

            *code += rate * (float)(scale * (*code - mean_code) + mean - *code);
            if (cb->sum)
                cb->sum[j * dim + d] = cb->count[j] * *code;
        }
    }
}
