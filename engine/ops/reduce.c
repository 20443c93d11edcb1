/* reduce.c - sums and means over everything or over one axis.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/reduce.h"

#include <string.h>

#include "engine/ops/axis.h"
#include "engine/ops/pointwise.h"

typedef struct SumJob {
    const PointKernels *point;
    const float *x;
    float *dx;
    double *partial; /* one per block */
    double scale;    /* 1, or 1 / count for a mean */
    int64_t count;
    float value; /* what every element of dx receives */
    bool add;
} SumJob;

static void sum_block(void *ctx, int64_t i, int worker)
{
    const SumJob *job = ctx;

    (void)worker;
    job->partial[i] = job->point->sum(job->x + i * POINT_BLOCK, point_block_len(job->count, i));
}

static void sum_grad_block(void *ctx, int64_t i, int worker)
{
    const SumJob *job = ctx;

    (void)worker;
    job->point->fill(job->dx + i * POINT_BLOCK, job->value, point_block_len(job->count, i), job->add);
}

static RsdStatus sum_backward(Tape *tape, Node *node, RsdError *err)
{
    SumJob job = *(const SumJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dx, &job.add, err);

    if (status != RSD_OK || !job.dx)
        return status;
    job.value = (float)(job.scale * (double)node->out->grad[0]);
    threads_for(tape->threads, point_n_blocks(job.count), sum_grad_block, &job);
    return RSD_OK;
}

static RsdStatus sum_all(Tape *tape, Tensor *x, bool mean, Tensor **y, RsdError *err)
{
    SumJob *job;
    Tensor *result;
    const int64_t one = 1;
    double total = 0.0;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, 1, &one, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    job->point = tape->kernels->point;
    job->x = x->data;
    job->count = tensor_count(x);
    CHECK(!mean || job->count > 0, err, RSD_ERR_ARG, "the mean of no elements was asked for");
    job->scale = mean ? 1.0 / (double)job->count : 1.0;
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)point_n_blocks(job->count), sizeof *job->partial, err));
    threads_for(tape->threads, point_n_blocks(job->count), sum_block, job);
    for (int64_t i = 0; i < point_n_blocks(job->count); i++)
        total += job->partial[i];
    job->point->settle(&total, job->scale, result->data, 1, false);
    TRY(tape_record(tape, sum_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_sum(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return sum_all(tape, x, false, y, err);
}

RsdStatus op_mean(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return sum_all(tape, x, true, y, err);
}

typedef struct AxisJob {
    const PointKernels *point;
    AxisView view;
    const float *x, *dy;
    float *out; /* y forward, dx backward */
    double scale;
    int64_t n_tiles; /* of POINT_MAX_COLUMNS columns each, when inner > 1 */
    bool add;
} AxisJob;

static void axis_task(void *ctx, int64_t i, int worker)
{
    const AxisJob *job = ctx;
    const AxisView *v = &job->view;

    (void)worker;
    if (v->inner == 1) {
        const double total = job->point->sum(job->x + i * v->len, v->len);

        job->point->settle(&total, job->scale, job->out + i, 1, false);
    } else {
        const int64_t outer = i / job->n_tiles, at = i % job->n_tiles * POINT_MAX_COLUMNS, left = v->inner - at;

        job->point->sum_columns(job->x + outer * v->len * v->inner + at, v->len,
                                left < POINT_MAX_COLUMNS ? left : POINT_MAX_COLUMNS, v->inner, job->scale,
                                job->out + outer * v->inner + at);
    }
}

/* Task i is one row of the outer axes, or one of the rows of the axis itself. */
static void axis_grad_task(void *ctx, int64_t i, int worker)
{
    const AxisJob *job = ctx;
    const AxisView *v = &job->view;

    (void)worker;
    if (v->inner == 1)
        job->point->fill(job->out + i * v->len, (float)job->scale * job->dy[i], v->len, job->add);
    else
        job->point->scale(job->dy + i / v->len * v->inner, (float)job->scale, job->out + i * v->inner, v->inner, job->add);
}

static RsdStatus axis_backward(Tape *tape, Node *node, RsdError *err)
{
    AxisJob job = *(const AxisJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, job.view.inner == 1 ? job.view.outer : job.view.outer * job.view.len, axis_grad_task, &job);
    return RSD_OK;
}

static RsdStatus sum_axis(Tape *tape, Tensor *x, int axis, bool mean, Tensor **y, RsdError *err)
{
    AxisJob job = {.point = tape->kernels->point, .x = x->data}, *saved = NULL;
    int64_t shape[TENSOR_MAX_DIMS];
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(axis_view(&job.view, x, axis, err));
    CHECK(!mean || job.view.len > 0, err, RSD_ERR_ARG, "the mean over an axis of no elements was asked for");
    job.scale = mean ? 1.0 / (double)job.view.len : 1.0;
    job.n_tiles = (job.view.inner + POINT_MAX_COLUMNS - 1) / POINT_MAX_COLUMNS;
    memcpy(shape, x->shape, sizeof shape);
    shape[job.view.axis] = 1;
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    job.out = result->data;
    threads_for(tape->threads, job.view.outer * job.n_tiles, axis_task, &job);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, axis_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_sum_axis(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err)
{
    return sum_axis(tape, x, axis, false, y, err);
}

RsdStatus op_mean_axis(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err)
{
    return sum_axis(tape, x, axis, true, y, err);
}
