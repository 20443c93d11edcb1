/* depthwise.c - a plane for each task, forward and backward; the gradient of the input is the same sum with the kernel turned
 * around.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/depthwise.h"

#include "engine/kernels/depthwise.h"
#include "engine/kernels/point.h"

typedef struct DepthwiseJob {
    const DepthwiseKernels *kernels;
    const PointKernels *point;
    RsdThreads *threads;
    DepthwiseShape shape;
    int64_t batch, channels;
    const float *x, *w, *b, *dy;
    float *y, *dx;
    bool add;
    double *dw, *db; /* [channels, k k] and [channels], zero at first; NULL: not wanted */
} DepthwiseJob;

static void forward_plane(void *ctx, int64_t i, int worker)
{
    const DepthwiseJob *job = ctx;
    const int64_t c = i % job->channels, count = job->shape.h * job->shape.n;

    job->kernels->plane(&job->shape, job->x + i * count, job->w + c * job->shape.k * job->shape.k, job->b ? job->b[c] : 0.0f,
                        job->y + i * count, false, threads_scratch(job->threads, worker));
}

static void input_gradient_plane(void *ctx, int64_t i, int worker)
{
    const DepthwiseJob *job = ctx;
    const int64_t c = i % job->channels, count = job->shape.h * job->shape.n, n_taps = job->shape.k * job->shape.k;
    float turned[DEPTHWISE_MAX_K * DEPTHWISE_MAX_K];

    for (int64_t t = 0; t < n_taps; t++)
        turned[t] = job->w[c * n_taps + n_taps - 1 - t];
    job->kernels->plane(&job->shape, job->dy + i * count, turned, 0.0f, job->dx + i * count, job->add,
                        threads_scratch(job->threads, worker));
}

static void weight_gradient_channel(void *ctx, int64_t c, int worker)
{
    const DepthwiseJob *job = ctx;
    const int64_t count = job->shape.h * job->shape.n, n_taps = job->shape.k * job->shape.k;

    for (int64_t b = 0; b < job->batch; b++) {
        const int64_t at = (b * job->channels + c) * count;

        if (job->dw)
            job->kernels->weights(&job->shape, job->x + at, job->dy + at, job->dw + c * n_taps,
                                  threads_scratch(job->threads, worker));
        if (job->db)
            job->db[c] += job->point->sum(job->dy + at, count);
    }
}

static RsdStatus depthwise_backward(Tape *tape, Node *node, RsdError *err)
{
    DepthwiseJob job = *(const DepthwiseJob *)node->saved;
    const int64_t n_weights = tensor_count(node->in[1]);
    float *dw, *db;
    bool add_w, add_b;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(threads_scratch_reserve(tape->threads, (size_t)depthwise_scratch_count(&job.shape) * sizeof(float), err));
    TRY(tape_grad(tape, node->in[1], &dw, &add_w, err));
    if (dw)
        TRY(arena_calloc(tape->arena, &job.dw, (size_t)n_weights, sizeof *job.dw, err));
    TRY(tape_grad(tape, node->in[2], &db, &add_b, err));
    if (db)
        TRY(arena_calloc(tape->arena, &job.db, (size_t)job.channels, sizeof *job.db, err));
    if (dw || db)
        threads_for(tape->threads, job.channels, weight_gradient_channel, &job);
    if (dw)
        job.point->settle(job.dw, 1.0, dw, n_weights, add_w);
    if (db)
        job.point->settle(job.db, 1.0, db, job.channels, add_b);
    TRY(tape_grad(tape, node->in[0], &job.dx, &job.add, err));
    if (job.dx)
        threads_for(tape->threads, job.batch * job.channels, input_gradient_plane, &job);
fail:
    return status;
}

RsdStatus op_depthwise(Tape *tape, Tensor *x, Tensor *w, Tensor *b, Tensor **y, RsdError *err)
{
    DepthwiseJob *job;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(tape_tensor(tape, &result, 4, x->shape, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (DepthwiseJob){.kernels = tape->kernels->depthwise,
                          .point = tape->kernels->point,
                          .threads = tape->threads,
                          .shape = {.h = x->shape[2], .n = x->shape[3], .k = w->shape[2], .lines = x->shape[2]},
                          .batch = x->shape[0],
                          .channels = x->shape[1],
                          .x = x->data,
                          .w = w->data,
                          .b = b ? b->data : NULL,
                          .y = result->data};
    TRY(threads_scratch_reserve(tape->threads, (size_t)depthwise_scratch_count(&job->shape) * sizeof(float), err));
    threads_for(tape->threads, job->batch * job->channels, forward_plane, job);
    TRY(tape_record(tape, depthwise_backward, result, 3, (Tensor *[]){x, w, b}, job, err));
    *y = result;
fail:
    return status;
}
