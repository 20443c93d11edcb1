/* focal_frequency.c - the focal frequency loss, one patch of one channel at a time.
 *
 * With the weights constant the gradient is the inverse transform of 2 w D, so when the tape records it is computed at once,
 * while the spectrum is at hand; backward only scales it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/focal_frequency.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft2d.h"
#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

typedef struct FocalJob {
    const PictureKernels *picture;
    RsdThreads *threads;
    const FocalFrequencyParams *p;
    const Fft2d *plan;
    const float *x, *y;
    float *dy;       /* NULL when nothing is recorded */
    double *partial; /* one per patch */
    int64_t h, w;    /* of the picture */
    int ph, pw;      /* of a patch */
    double per_frequency; /* share of one frequency in the mean */
} FocalJob;

static size_t patch_size(const FocalJob *job)
{
    return (size_t)job->ph * (size_t)job->pw * sizeof(double);
}

static size_t spectrum_size(const FocalJob *job)
{
    return (size_t)job->ph * (size_t)fft2d_bins(job->plan) * 2 * sizeof(double);
}

static size_t aligned(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

static void patch_task(void *ctx, int64_t i, int worker)
{
    const FocalJob *job = ctx;
    const int n = job->p->patches;
    const int64_t plane = i / (n * n), row = i % (n * n) / n * job->ph, column = i % n * job->pw;
    const int64_t first = plane * job->h * job->w + row * job->w + column;
    double *patch = threads_scratch(job->threads, worker);
    double *spectrum = (double *)(void *)((char *)patch + aligned(patch_size(job)));
    void *work = (char *)spectrum + aligned(spectrum_size(job));
    const FocalTerms terms = {.alpha = (double)job->p->alpha, .logarithmic = job->p->logarithmic,
                              .scale = 1.0 / sqrt((double)job->ph * (double)job->pw)};

    for (int r = 0; r < job->ph; r++)
        job->picture->widen_difference(job->y + first + r * job->w, job->x + first + r * job->w,
                                     patch + (size_t)r * (size_t)job->pw, job->pw);
    fft2d_forward(job->plan, patch, spectrum, work);
    job->partial[i] = job->picture->focal(spectrum, job->ph, job->pw, &terms);
    if (!job->dy)
        return;
    fft2d_inverse(job->plan, spectrum, patch, work);
    for (int r = 0; r < job->ph; r++)
        job->picture->narrow(patch + (size_t)r * (size_t)job->pw,
                           2.0 * job->per_frequency * sqrt((double)job->ph * (double)job->pw),
                           job->dy + first + r * job->w, job->pw);
}

typedef struct Saved {
    float *dy;
    const PointKernels *point;
    RsdThreads *threads;
} Saved;

static RsdStatus focal_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    const int64_t batch = tensor_count(node->out), each = tensor_count(node->in[0]) / batch;
    float *dy;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dy, &add, err);

    for (int64_t i = 0; status == RSD_OK && dy && i < batch; i++)
        saved->point->scale(saved->dy + i * each, node->out->grad[i], dy + i * each, each, add);
    return status;
}

RsdStatus op_focal_frequency(Tape *tape, const FocalFrequencyParams *params, Tensor *x, Tensor *y, Tensor **value,
                             RsdError *err)
{
    FocalJob job = {.picture = tape->kernels->picture, .threads = tape->threads, .p = params, .x = x->data, .y = y->data};
    const int n = params->patches;
    Fft2d *plan = NULL;
    Saved *saved;
    Tensor *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    int64_t n_patches;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_same_shape(x, y) && n >= 1 && x->shape[2] >= n && x->shape[3] >= n &&
              tensor_count(x) > 0, err, RSD_ERR_ARG,
          "a frequency loss of %d x %d patches needs two pictures of one shape, not %s and %s", n, n,
          shape_text(text_x, x->n_dims, x->shape), shape_text(text_y, y->n_dims, y->shape));
    job.h = x->shape[2];
    job.w = x->shape[3];
    job.ph = (int)(job.h / n);
    job.pw = (int)(job.w / n);
    n_patches = x->shape[0] * x->shape[1] * n * n;
    job.per_frequency = 1.0 / ((double)(x->shape[1] * n * n) * (double)job.ph * (double)job.pw);
    TRY(tape_tensor(tape, &result, 1, x->shape, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    saved->point = tape->kernels->point;
    if (tape_will_record(tape, 1, &y))
        TRY(arena_calloc(tape->arena, &saved->dy, (size_t)tensor_count(y), sizeof(float), err));
    job.dy = saved->dy;
    TRY(arena_alloc(tape->arena, &job.partial, (size_t)n_patches, sizeof(double), err));
    TRY(fft2d_create(&plan, job.ph, job.pw, err));
    job.plan = plan;
    TRY(threads_scratch_reserve(tape->threads,
                                aligned(patch_size(&job)) + aligned(spectrum_size(&job)) + fft2d_work_size(plan), err));
    threads_for(tape->threads, n_patches, patch_task, &job);
    for (int64_t i = 0; i < x->shape[0]; i++) {
        double total = 0.0;

        for (int64_t k = 0; k < n_patches / x->shape[0]; k++)
            total += job.partial[i * (n_patches / x->shape[0]) + k];
        tape->kernels->point->settle(&total, job.per_frequency, result->data + i, 1, false);
    }
    TRY(tape_record(tape, focal_backward, result, 1, &y, saved, err));
    *value = result;
fail:
    fft2d_destroy(&plan);
    return status;
}
