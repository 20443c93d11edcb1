/* resize2d.c - weights of resizing, and one task for each plane.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/resize2d.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/plane.h"

#define SIDE_MAX ((int64_t)1 << 30) /* longest side of a picture */

typedef struct ResizeJob {
    const PlaneKernels *plane;
    RsdThreads *threads;
    ResizeAxis down, across;
    int64_t n_planes;
    const float *src;
    float *dst;
    bool add;
} ResizeJob;

static void resize_task(void *ctx, int64_t i, int worker)
{
    const ResizeJob *job = ctx;
    const ResizeAxis *down = &job->down, *across = &job->across;

    job->plane->resize(down, across, job->src + i * down->n * across->n, threads_scratch(job->threads, worker),
                       job->dst + i * down->m * across->m);
}

static void resize_grad_task(void *ctx, int64_t i, int worker)
{
    const ResizeJob *job = ctx;
    const ResizeAxis *down = &job->down, *across = &job->across;

    job->plane->resize_grad(down, across, job->src + i * down->m * across->m, threads_scratch(job->threads, worker),
                            job->dst + i * down->n * across->n, job->add);
}

static RsdStatus run(const ResizeJob *job, ThreadTask task, RsdError *err)
{
    ResizeJob local = *job;
    RsdStatus status = RSD_OK;

    TRY(threads_scratch_reserve(job->threads, (size_t)(job->down.m * job->across.n) * sizeof(float), err));
    threads_for(job->threads, job->n_planes, task, &local);
fail:
    return status;
}

static RsdStatus resize_backward(Tape *tape, Node *node, RsdError *err)
{
    ResizeJob job = *(const ResizeJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dst, &job.add, err);

    if (status != RSD_OK || !job.dst)
        return status;
    job.src = node->out->grad;
    return run(&job, resize_grad_task, err);
}

static RsdStatus weigh_axis(Tape *tape, ResizeAxis *axis, int64_t n, int64_t m, ResizeMode mode, RsdError *err)
{
    int32_t *first;
    float *weight;
    RsdStatus status = RSD_OK;

    *axis = (ResizeAxis){.n = n, .m = m, .n_taps = mode == RESIZE_NEAREST || n == 1 ? 1 : 2};
    TRY(arena_alloc(tape->arena, &first, (size_t)m, sizeof *first, err));
    TRY(arena_alloc(tape->arena, &weight, (size_t)(m * axis->n_taps), sizeof *weight, err));
    for (int64_t i = 0; i < m; i++) {
        if (axis->n_taps == 1) {
            first[i] = (int32_t)(i * n / m);
            weight[i] = 1.0f;
        } else {
            double at = fmax(((double)i + 0.5) * (double)n / (double)m - 0.5, 0.0);

            first[i] = (int32_t)fmin(floor(at), (double)(n - 2));
            at = fmin(at - (double)first[i], 1.0);
            weight[2 * i] = (float)(1.0 - at);
            weight[2 * i + 1] = (float)at;
        }
    }
    axis->first = first;
    axis->weight = weight;
fail:
    return status;
}

RsdStatus op_resize2d(Tape *tape, Tensor *x, int64_t lines, int64_t columns, ResizeMode mode, Tensor **y, RsdError *err)
{
    ResizeJob *job;
    Tensor *result;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4 && x->shape[2] >= 1 && x->shape[3] >= 1 && x->shape[2] <= SIDE_MAX && x->shape[3] <= SIDE_MAX &&
              lines >= 1 && columns >= 1 && lines <= SIDE_MAX && columns <= SIDE_MAX,
          err, RSD_ERR_ARG, "cannot resize %s to %lld x %lld", shape_text(text, x->n_dims, x->shape), (long long)lines,
          (long long)columns);
    TRY(tape_tensor(tape, &result, 4, (int64_t[]){x->shape[0], x->shape[1], lines, columns}, err));
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (ResizeJob){.plane = tape->kernels->plane, .threads = tape->threads, .n_planes = x->shape[0] * x->shape[1],
                       .src = x->data, .dst = result->data};
    TRY(weigh_axis(tape, &job->down, x->shape[2], lines, mode, err));
    TRY(weigh_axis(tape, &job->across, x->shape[3], columns, mode, err));
    TRY(run(job, resize_task, err));
    TRY(tape_record(tape, resize_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}
