/* map.c - the driver of functions of one number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/pointwise.h"

typedef struct MapJob {
    const PointKernels *point;
    PointFn fn;
    float a, b;
    const float *x, *y, *dy;
    float *out; /* y of the forward pass, dx of the backward pass */
    int64_t count;
    bool add;
} MapJob;

static void map_block(void *ctx, int64_t i, int worker)
{
    const MapJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->point->map(job->fn, job->a, job->b, job->x + at, job->out + at, point_block_len(job->count, i));
}

static void map_grad_block(void *ctx, int64_t i, int worker)
{
    const MapJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->point->map_grad(job->fn, job->a, job->b, job->x + at, job->y + at, job->dy + at, job->out + at,
                         point_block_len(job->count, i), job->add);
}

static RsdStatus map_backward(Tape *tape, Node *node, RsdError *err)
{
    MapJob job = *(const MapJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, point_n_blocks(job.count), map_grad_block, &job);
    return RSD_OK;
}

RsdStatus op_map(Tape *tape, PointFn fn, float a, float b, Tensor *x, Tensor **y, RsdError *err)
{
    MapJob job = {.point = tape->kernels->point, .fn = fn, .a = a, .b = b, .x = x->data, .count = tensor_count(x)};
    MapJob *saved = NULL;
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    job.out = result->data;
    threads_for(tape->threads, point_n_blocks(job.count), map_block, &job);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
        saved->y = result->data;
    }
    TRY(tape_record(tape, map_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
