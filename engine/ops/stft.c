/* stft.c - short-time Fourier transform and its inverse as ops.
 *
 * Both directions and both gradients are one loop over blocks of frames between padded rows and spectrogram columns;
 * they differ in which of the two is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/stft.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/point.h"
#include "engine/ops/frame_tasks.h"

#define LANES SPECTRUM_LANES

typedef enum Way { ANALYSE, ANALYSE_ADJOINT, SYNTHESISE, SYNTHESISE_ADJOINT } Way;

typedef struct Job {
    const Stft *stft;
    const SpectrumKernels *kernels;
    const PointKernels *point;
    RsdThreads *threads;
    Way way;
    int64_t n, padded_len, n_frames;
    float *padded;        /* [rows, padded_len] */
    float *spectrogram;   /* [rows, 2, bins, frames] */
    float *signal;        /* [rows, n] */
    const float *envelope;
    bool add;             /* to the result */
} Job;

static size_t up_to_alignment(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

static size_t plane_size(const Stft *stft)
{
    return up_to_alignment((size_t)stft_bins(stft) * LANES * sizeof(float));
}

static void transform_range(void *ctx, FrameRange range, int worker)
{
    const Job *job = ctx;
    const int64_t bins = stft_bins(job->stft), hop = stft_config(job->stft)->hop;
    float *re = threads_scratch(job->threads, worker), *im = (float *)((char *)re + plane_size(job->stft));
    void *work = (char *)im + plane_size(job->stft);
    float *re_plane = job->spectrogram + range.row * 2 * bins * job->n_frames;
    float *im_plane = re_plane + bins * job->n_frames;

    for (int64_t f = range.first; f < range.end; f += LANES) {
        const int n_frames = range.end - f < LANES ? (int)(range.end - f) : LANES;
        float *samples = job->padded + range.row * job->padded_len + f * hop;

        if (job->way == ANALYSE_ADJOINT || job->way == SYNTHESISE) {
            stft_block_read(re_plane + f, job->n_frames, bins, n_frames, re);
            stft_block_read(im_plane + f, job->n_frames, bins, n_frames, im);
            if (job->way == SYNTHESISE)
                stft_synthesise(job->stft, job->kernels, re, im, n_frames, samples, work);
            else
                stft_analyse_adjoint(job->stft, job->kernels, re, im, n_frames, samples, work);
            continue;
        }
        if (job->way == ANALYSE)
            stft_analyse(job->stft, job->kernels, samples, n_frames, re, im, work);
        else
            stft_synthesise_adjoint(job->stft, job->kernels, samples, n_frames, re, im, work);
        stft_block_write(re, bins, n_frames, re_plane + f, job->n_frames, job->add);
        stft_block_write(im, bins, n_frames, im_plane + f, job->n_frames, job->add);
    }
}

static void clear_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;

    (void)worker;
    memset(job->padded + row * job->padded_len, 0, (size_t)job->padded_len * sizeof(float));
}

static void pad_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;

    (void)worker;
    stft_pad(job->stft, job->signal + row * job->n, job->n, job->padded + row * job->padded_len);
}

static void pad_adjoint_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    float *dx = job->signal + row * job->n;

    (void)worker;
    if (!job->add)
        memset(dx, 0, (size_t)job->n * sizeof(float));
    stft_pad_adjoint(job->stft, job->padded + row * job->padded_len, job->n, dx);
}

/* The signal is what lies behind the left padding, times the envelope; the same on the way back. */
static void cut_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    const int64_t left = stft_pad_left(job->stft), room = job->padded_len - left;
    const int64_t len = job->n < room ? job->n : room;
    float *y = job->signal + row * job->n;

    (void)worker;
    job->point->pair(PAIR_MUL, job->padded + row * job->padded_len + left, job->envelope + left, false, y, len);
    memset(y + len, 0, (size_t)(job->n - len) * sizeof(float));
}

static void cut_adjoint_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    const int64_t left = stft_pad_left(job->stft), room = job->padded_len - left;
    const int64_t len = job->n < room ? job->n : room;
    float *padded = job->padded + row * job->padded_len;

    (void)worker;
    memset(padded, 0, (size_t)job->padded_len * sizeof(float));
    job->point->pair(PAIR_MUL, job->signal + row * job->n, job->envelope + left, false, padded + left, len);
}

/* Runs `before` on every row, the transforms, and `after` on every row (either may be NULL), with padded rows from the
 * arena that are given back at the end. */
static RsdStatus run(Tape *tape, Job *job, int64_t n_rows, ThreadTask before, ThreadTask after, RsdError *err)
{
    const ArenaMark mark = arena_mark(tape->arena);
    const FrameTasks tasks = frame_tasks_of(job->stft, n_rows, job->n_frames);
    RsdStatus status = RSD_OK;

    job->kernels = tape->kernels->spectrum;
    job->point = tape->kernels->point;
    job->threads = tape->threads;
    TRY(threads_scratch_reserve(tape->threads, 2 * plane_size(job->stft) + stft_work_size(job->stft), err));
    TRY(arena_alloc(tape->arena, &job->padded, (size_t)(n_rows * job->padded_len), sizeof(float), err));
    if (before)
        threads_for(tape->threads, n_rows, before, job);
    frame_tasks_run(tape->threads, &tasks, transform_range, job);
    if (after)
        threads_for(tape->threads, n_rows, after, job);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

typedef struct Saved {
    const Stft *stft;
    const float *envelope;
} Saved;

static RsdStatus stft_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    Tensor *x = node->in[0];
    Job job = {.stft = saved->stft, .way = ANALYSE_ADJOINT, .spectrogram = node->out->grad};
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, x, &job.signal, &job.add, err));
    if (!job.signal)
        return RSD_OK;
    job.n = x->shape[x->n_dims - 1];
    job.n_frames = node->out->shape[3];
    job.padded_len = stft_padded_len(job.stft, job.n);
    TRY(run(tape, &job, node->out->shape[0], clear_row, pad_adjoint_row, err));
fail:
    return status;
}

RsdStatus op_stft(Tape *tape, const Stft *stft, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {x}, *result;
    Job job = {.stft = stft, .way = ANALYSE, .signal = x->data};
    Saved *saved;
    char text[SHAPE_TEXT_SIZE];
    int64_t n_rows;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims >= 1 && tensor_count(x) > 0, err, RSD_ERR_ARG, "a short-time transform of an empty signal %s",
          shape_text(text, x->n_dims, x->shape));
    job.n = x->shape[x->n_dims - 1];
    job.n_frames = stft_frames(stft, job.n);
    job.padded_len = stft_padded_len(stft, job.n);
    CHECK(job.n_frames > 0, err, RSD_ERR_ARG, "a signal %s is shorter than a frame of %d samples",
          shape_text(text, x->n_dims, x->shape), stft_config(stft)->n_fft);
    n_rows = tensor_count(x) / job.n;
    TRY(tape_tensor(tape, &result, 4, (const int64_t[]){n_rows, 2, stft_bins(stft), job.n_frames}, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    saved->stft = stft;
    job.spectrogram = result->data;
    TRY(run(tape, &job, n_rows, pad_row, NULL, err));
    TRY(tape_record(tape, stft_backward, result, 1, inputs, saved, err));
    *y = result;
fail:
    return status;
}

static RsdStatus istft_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    Tensor *s = node->in[0];
    Job job = {.stft = saved->stft, .way = SYNTHESISE_ADJOINT, .signal = node->out->grad, .envelope = saved->envelope};
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, s, &job.spectrogram, &job.add, err));
    if (!job.spectrogram)
        return RSD_OK;
    job.n = node->out->shape[2];
    job.n_frames = s->shape[3];
    job.padded_len = (job.n_frames - 1) * stft_config(job.stft)->hop + stft_config(job.stft)->n_fft;
    TRY(run(tape, &job, s->shape[0], cut_adjoint_row, NULL, err));
fail:
    return status;
}

static int64_t covered_len(const Stft *stft, int64_t n_frames)
{
    const StftConfig *c = stft_config(stft);

    switch (c->pad) {
    case STFT_PAD_CENTRE:
        return (n_frames - 1) * c->hop + c->n_fft % 2;
    case STFT_PAD_SAME:
        return n_frames * c->hop;
    default:
        return (n_frames - 1) * c->hop + c->n_fft;
    }
}

RsdStatus op_istft(Tape *tape, const Stft *stft, Tensor *s, int64_t n, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {s}, *result;
    Job job = {.stft = stft, .way = SYNTHESISE, .spectrogram = s->data};
    Saved *saved;
    float *envelope;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(s->n_dims == 4 && tensor_count(s) > 0 && s->shape[1] == 2 && s->shape[2] == stft_bins(stft), err, RSD_ERR_ARG,
          "an inverse short-time transform of %d bins needs [rows, 2, %d, frames], not %s", stft_bins(stft),
          stft_bins(stft), shape_text(text, s->n_dims, s->shape));
    job.n_frames = s->shape[3];
    job.n = n ? n : covered_len(stft, job.n_frames);
    CHECK(stft_frames(stft, job.n) == job.n_frames, err, RSD_ERR_ARG,
          "%lld frames cannot become %lld samples: that many samples have %lld frames", (long long)job.n_frames,
          (long long)job.n, (long long)stft_frames(stft, job.n));
    job.padded_len = stft_padded_len(stft, job.n);
    TRY(tape_tensor(tape, &result, 3, (const int64_t[]){s->shape[0], 1, job.n}, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    TRY(arena_alloc(tape->arena, &envelope, (size_t)job.padded_len, sizeof *envelope, err));
    stft_envelope(stft, job.n_frames, envelope);
    saved->stft = stft;
    saved->envelope = job.envelope = envelope;
    job.signal = result->data;
    TRY(run(tape, &job, s->shape[0], clear_row, cut_row, err));
    TRY(tape_record(tape, istft_backward, result, 1, inputs, saved, err));
    *y = result;
fail:
    return status;
}
