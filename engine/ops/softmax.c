/* softmax.c - softmax along any axis: rows as they lie, other axes turned into rows in a worker's scratch memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/softmax.h"

#include "engine/ops/axis.h"
#include "engine/ops/pointwise.h"

#define TILE 16 /* columns turned at a time: one cache line of the array */

typedef struct SoftmaxJob {
    const PointKernels *point;
    RsdThreads *threads;
    AxisView view;
    const float *x, *y, *dy;
    float *out; /* y forward, dx backward */
    int64_t n_tiles;
    bool as_log, add;
} SoftmaxJob;

/* Where tile i starts and how many columns it has. */
static int64_t tile_at(const SoftmaxJob *job, int64_t i, int64_t *n)
{
    const int64_t column = i % job->n_tiles * TILE, left = job->view.inner - column;

    *n = left < TILE ? left : TILE;
    return i / job->n_tiles * job->view.len * job->view.inner + column;
}

static void forward_task(void *ctx, int64_t i, int worker)
{
    const SoftmaxJob *job = ctx;
    const int64_t len = job->view.len, inner = job->view.inner;

    if (inner == 1) {
        job->point->softmax(job->x + i * len, job->out + i * len, len, job->as_log);
    } else {
        float *rows = threads_scratch(job->threads, worker);
        int64_t n, at = tile_at(job, i, &n);

        job->point->transpose(job->x + at, len, n, inner, rows, len, false);
        for (int64_t k = 0; k < n; k++)
            job->point->softmax(rows + k * len, rows + k * len, len, job->as_log);
        job->point->transpose(rows, n, len, len, job->out + at, inner, false);
    }
}

static void backward_task(void *ctx, int64_t i, int worker)
{
    const SoftmaxJob *job = ctx;
    const int64_t len = job->view.len, inner = job->view.inner;

    if (inner == 1) {
        job->point->softmax_grad(job->y + i * len, job->dy + i * len, job->out + i * len, len, job->as_log, job->add);
    } else {
        float *y = threads_scratch(job->threads, worker), *dy = y + TILE * len;
        int64_t n, at = tile_at(job, i, &n);

        job->point->transpose(job->y + at, len, n, inner, y, len, false);
        job->point->transpose(job->dy + at, len, n, inner, dy, len, false);
        for (int64_t k = 0; k < n; k++)
            job->point->softmax_grad(y + k * len, dy + k * len, dy + k * len, len, job->as_log, false);
        job->point->transpose(dy, n, len, len, job->out + at, inner, job->add);
    }
}

static RsdStatus reserve(const SoftmaxJob *job, RsdError *err)
{
    if (job->view.inner == 1)
        return RSD_OK;
    return threads_scratch_reserve(job->threads, (size_t)(2 * TILE * job->view.len) * sizeof(float), err);
}

static RsdStatus softmax_backward(Tape *tape, Node *node, RsdError *err)
{
    SoftmaxJob job = *(const SoftmaxJob *)node->saved;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(reserve(&job, err));
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    if (job.out)
        threads_for(tape->threads, job.view.outer * job.n_tiles, backward_task, &job);
fail:
    return status;
}

static RsdStatus softmax(Tape *tape, Tensor *x, int axis, bool as_log, Tensor **y, RsdError *err)
{
    SoftmaxJob *job;
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (SoftmaxJob){.point = tape->kernels->point, .threads = tape->threads, .x = x->data, .as_log = as_log};
    TRY(axis_view(&job->view, x, axis, err));
    job->n_tiles = job->view.inner == 1 ? 1 : (job->view.inner + TILE - 1) / TILE;
    TRY(reserve(job, err));
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    job->out = result->data;
    threads_for(tape->threads, job->view.outer * job->n_tiles, forward_task, job);
    job->y = result->data;
    TRY(tape_record(tape, softmax_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_softmax(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err)
{
    return softmax(tape, x, axis, false, y, err);
}

RsdStatus op_log_softmax(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err)
{
    return softmax(tape, x, axis, true, y, err);
}
