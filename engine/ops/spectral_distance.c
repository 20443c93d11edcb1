/* spectral_distance.c - fused distances of spectrograms.
 *
 * For each scale and each block of eight frames, with everything in the scratch memory of one worker:
 *
 *   x -> re, im -> feature a -> filters ma -\                          y goes the same way to mb
 *                                            distance -> value, dma
 *   dx <- dre, dim <- da <- filters' transpose <-/
 *
 * Spectral convergence divides by a norm over the whole batch, so its scales are visited twice: once for the two norms,
 * then with a square term that has the gradient of the quotient.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/spectral_distance.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/point.h"
#include "engine/ops/frame_tasks.h"

#define LANES SPECTRUM_LANES

typedef struct Job {
    const SpectrumKernels *kernels;
    RsdThreads *threads;
    const SpectralScale *scale;
    FrameTasks tasks;
    int64_t n, padded_len;
    const float *x, *y;     /* [rows, n] */
    float *px, *py;         /* padded [rows, padded_len] */
    float *dpx, *dx;        /* gradients, NULL when not wanted */
    DistanceTerms terms;    /* divided by the number of elements */
    bool wants_norms;       /* first visit of spectral convergence */
    double *values, *norms; /* one per task */
} Job;

/* The blocks of one worker. */
typedef struct Blocks {
    float *re, *im, *re_y, *im_y, *a, *b, *mel_a, *mel_b;
    void *work;
} Blocks;

static size_t up_to_alignment(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

static size_t blocks_size(const SpectralScale *scale)
{
    const size_t bins = (size_t)stft_bins(scale->stft), mels = scale->mel ? (size_t)scale->mel->filters.n_rows : bins;

    return 6 * up_to_alignment(bins * LANES * sizeof(float)) + 2 * up_to_alignment(mels * LANES * sizeof(float)) +
           stft_work_size(scale->stft);
}

static float *take(char **at, size_t count)
{
    float *block = (float *)*at;

    *at += up_to_alignment(count * LANES * sizeof(float));
    return block;
}

static Blocks blocks_of(const Job *job, int worker)
{
    const size_t bins = (size_t)stft_bins(job->scale->stft);
    const size_t mels = job->scale->mel ? (size_t)job->scale->mel->filters.n_rows : bins;
    char *at = threads_scratch(job->threads, worker);
    Blocks b;

    b.re = take(&at, bins);
    b.im = take(&at, bins);
    b.re_y = take(&at, bins);
    b.im_y = take(&at, bins);
    b.a = take(&at, bins);
    b.b = take(&at, bins);
    b.mel_a = take(&at, mels);
    b.mel_b = take(&at, mels);
    b.work = at;
    return b;
}

static void feature(const Job *job, const float *re, const float *im, float *s, int64_t count)
{
    if (job->scale->feature == SPECTRAL_POWER)
        job->kernels->power(re, im, s, count);
    else
        job->kernels->magnitude(re, im, job->scale->floor, s, count);
}

/* Value of one block; re, im become the gradient of the spectrum of x when it is wanted. */
static void compare_features(const Job *job, const Blocks *b, double values[LANES], double norms[LANES])
{
    const SpectrumKernels *k = job->kernels;
    const MelBank *mel = job->scale->mel;
    const int64_t bins = stft_bins(job->scale->stft), rows = mel ? mel->filters.n_rows : bins;
    float *a = mel ? b->mel_a : b->a, *ab = mel ? b->mel_b : b->b;
    float *da = b->mel_b; /* the target's features are not needed afterwards */

    feature(job, b->re, b->im, b->a, bins * LANES);
    feature(job, b->re_y, b->im_y, b->b, bins * LANES);
    if (mel) {
        k->band(&mel->filters, b->a, LANES, b->mel_a, LANES, LANES, false);
        k->band(&mel->filters, b->b, LANES, b->mel_b, LANES, LANES, false);
    }
    if (job->wants_norms) {
        k->distance(a, ab, rows, &(DistanceTerms){.square = 1.0f}, NULL, values);
        k->energy(ab, rows, norms);
        return;
    }
    k->distance(a, ab, rows, &job->terms, job->dpx ? da : NULL, values);
    if (!job->dpx)
        return;
    if (mel) {
        k->band(&mel->transposed, b->mel_b, LANES, b->b, LANES, LANES, false);
        da = b->b;
    }
    if (job->scale->feature == SPECTRAL_POWER)
        k->power_grad(b->re, b->im, da, b->re, b->im, bins * LANES, false);
    else
        k->magnitude_grad(b->re, b->im, b->a, job->scale->floor, da, b->re, b->im, bins * LANES, false);
}

static void compare_compressed(const Job *job, const Blocks *b, double values[LANES])
{
    const SpectrumKernels *k = job->kernels;
    const SpectralScale *s = job->scale;
    const int64_t bins = stft_bins(s->stft), count = bins * LANES;
    float *gain = b->mel_a;

    k->compress(b->re, b->im, s->exponent, s->eps, b->a, b->b, gain, count);
    k->compress(b->re_y, b->im_y, s->exponent, s->eps, b->re_y, b->im_y, NULL, count);
    k->distance(b->a, b->re_y, bins, &job->terms, job->dpx ? b->a : NULL, values);
    k->distance(b->b, b->im_y, bins, &job->terms, job->dpx ? b->b : NULL, values);
    if (job->dpx)
        k->compress_grad(b->re, b->im, gain, s->exponent, s->eps, b->a, b->b, b->re, b->im, count, false);
}

static void compare_range(void *ctx, FrameRange range, int worker)
{
    const Job *job = ctx;
    const Stft *stft = job->scale->stft;
    const int64_t hop = stft_config(stft)->hop;
    const Blocks b = blocks_of(job, worker);
    double value = 0.0, norm = 0.0;

    for (int64_t f = range.first; f < range.end; f += LANES) {
        const int64_t at = range.row * job->padded_len + f * hop;
        const int n_frames = range.end - f < LANES ? (int)(range.end - f) : LANES;
        double values[LANES] = {0}, norms[LANES] = {0};

        stft_analyse(stft, job->kernels, job->px + at, n_frames, b.re, b.im, b.work);
        stft_analyse(stft, job->kernels, job->py + at, n_frames, b.re_y, b.im_y, b.work);
        if (job->scale->feature == SPECTRAL_COMPRESSED)
            compare_compressed(job, &b, values);
        else
            compare_features(job, &b, values, norms);
        for (int l = 0; l < n_frames; l++) {
            value += values[l];
            norm += norms[l];
        }
        if (job->dpx && !job->wants_norms)
            stft_analyse_adjoint(stft, job->kernels, b.re, b.im, n_frames, job->dpx + at, b.work);
    }
    job->values[range.i] = value;
    job->norms[range.i] = norm;
}

static void pad_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;

    (void)worker;
    stft_pad(job->scale->stft, job->x + row * job->n, job->n, job->px + row * job->padded_len);
    stft_pad(job->scale->stft, job->y + row * job->n, job->n, job->py + row * job->padded_len);
    if (job->dpx)
        memset(job->dpx + row * job->padded_len, 0, (size_t)job->padded_len * sizeof(float));
}

static void unpad_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;

    (void)worker;
    stft_pad_adjoint(job->scale->stft, job->dpx + row * job->padded_len, job->n, job->dx + row * job->n);
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0.0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* Temporaries come from the arena and are given back by the caller. */
static RsdStatus run_scale(Tape *tape, Job *job, const SpectralScale *scale, int64_t n_rows, double *value,
                           RsdError *err)
{
    const int64_t n_frames = stft_frames(scale->stft, job->n), bins = stft_bins(scale->stft);
    const int64_t planes = scale->feature == SPECTRAL_COMPRESSED ? 2 : 1;
    const int64_t rows = scale->mel ? scale->mel->filters.n_rows : planes * bins;
    const float per_element = (float)(1.0 / ((double)n_rows * (double)n_frames * (double)rows));
    double quotient = 0.0;
    int64_t n_tasks;
    RsdStatus status = RSD_OK;

    assert(!scale->mel || (scale->feature != SPECTRAL_COMPRESSED && scale->mel->bins == bins));
    CHECK(n_frames > 0, err, RSD_ERR_ARG, "a signal of %lld samples is shorter than a frame of %d", (long long)job->n,
          stft_config(scale->stft)->n_fft);
    job->scale = scale;
    job->padded_len = stft_padded_len(scale->stft, job->n);
    job->tasks = frame_tasks_of(scale->stft, n_rows, n_frames);
    n_tasks = n_rows * job->tasks.n_chunks;
    job->terms = scale->terms;
    job->terms.linear *= per_element;
    job->terms.square *= per_element;
    job->terms.log *= per_element;
    job->terms.log_square *= per_element;
    TRY(arena_alloc(tape->arena, &job->px, (size_t)(n_rows * job->padded_len), sizeof(float), err));
    TRY(arena_alloc(tape->arena, &job->py, (size_t)(n_rows * job->padded_len), sizeof(float), err));
    job->dpx = NULL;
    if (job->dx)
        TRY(arena_alloc(tape->arena, &job->dpx, (size_t)(n_rows * job->padded_len), sizeof(float), err));
    TRY(arena_calloc(tape->arena, &job->values, (size_t)n_tasks, sizeof(double), err));
    TRY(arena_calloc(tape->arena, &job->norms, (size_t)n_tasks, sizeof(double), err));
    threads_for(tape->threads, n_rows, pad_row, job);
    if (scale->convergence != 0.0f) {
        double difference, norm;

        job->wants_norms = true;
        frame_tasks_run(tape->threads, &job->tasks, compare_range, job);
        job->wants_norms = false;
        difference = sqrt(sum_of(job->values, n_tasks));
        norm = sqrt(sum_of(job->norms, n_tasks)) + DBL_MIN;
        quotient = scale->convergence * difference / norm;
        /* d (D / N) = sum of (a - b) da / (D N): half of what square = 1 / (D N) gives. NaN must stay. */
        if (difference != 0.0)
            job->terms.square += (float)(scale->convergence / (2.0 * difference * norm));
    }
    frame_tasks_run(tape->threads, &job->tasks, compare_range, job);
    if (job->dx)
        threads_for(tape->threads, n_rows, unpad_row, job);
    /* the square term added half the quotient already */
    *value += sum_of(job->values, n_tasks) + 0.5 * quotient;
fail:
    return status;
}

typedef struct Saved {
    float *dx; /* gradient of the value */
} Saved;

static RsdStatus distance_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status == RSD_OK && dx)
        tape->kernels->point->scale(saved->dx, node->out->grad[0], dx, tensor_count(node->in[0]), add);
    return status;
}

RsdStatus op_spectral_distance(Tape *tape, const SpectralScale *scales, int n_scales, Tensor *x, Tensor *y,
                               Tensor **value, RsdError *err)
{
    Tensor *inputs[] = {x}, *result = NULL;
    const bool records = tape_will_record(tape, 1, inputs);
    const int64_t one = 1, count = tensor_count(x);
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    Job job = {.kernels = tape->kernels->spectrum, .threads = tape->threads, .x = x->data, .y = y->data};
    Saved *saved;
    double total = 0.0;
    size_t scratch_size = 0;
    ArenaMark mark;
    RsdStatus status = RSD_OK;

    *value = NULL;
    CHECK(tensor_same_shape(x, y) && x->n_dims >= 1 && count > 0, err, RSD_ERR_ARG,
          "a spectral distance needs two signals of one shape, not %s and %s", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_y, y->n_dims, y->shape));
    job.n = x->shape[x->n_dims - 1];
    TRY(tape_tensor(tape, &result, 1, &one, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    if (records)
        TRY(arena_calloc(tape->arena, &saved->dx, (size_t)count, sizeof(float), err));
    job.dx = saved->dx;
    for (int i = 0; i < n_scales; i++)
        scratch_size = blocks_size(&scales[i]) > scratch_size ? blocks_size(&scales[i]) : scratch_size;
    TRY(threads_scratch_reserve(tape->threads, scratch_size, err));
    mark = arena_mark(tape->arena);
    for (int i = 0; i < n_scales; i++) {
        status = run_scale(tape, &job, &scales[i], count / job.n, &total, err);
        arena_rewind(tape->arena, mark);
        if (status != RSD_OK)
            return status;
    }
    result->data[0] = (float)total;
    TRY(tape_record(tape, distance_backward, result, 1, inputs, saved, err));
    *value = result;
fail:
    return status;
}
