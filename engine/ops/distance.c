/* distance.c - mean absolute and mean squared difference.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/distance.h"

#include "engine/ops/pointwise.h"

typedef struct DistanceJob {
    const PointKernels *point;
    const float *a, *b, *w;
    float *dx;
    double *partial; /* one per block */
    int64_t count;
    float scale; /* dy / count, negated for b */
    bool squared, add;
} DistanceJob;

static void distance_block(void *ctx, int64_t i, int worker)
{
    const DistanceJob *job = ctx;
    const int64_t at = i * POINT_BLOCK, n = point_block_len(job->count, i);
    const float *w = job->w ? job->w + at : NULL;

    (void)worker;
    job->partial[i] = job->squared ? job->point->sum_sq_diff(job->a + at, job->b + at, w, n)
                                   : job->point->sum_abs_diff(job->a + at, job->b + at, w, n);
}

static void distance_grad_block(void *ctx, int64_t i, int worker)
{
    const DistanceJob *job = ctx;
    const int64_t at = i * POINT_BLOCK, n = point_block_len(job->count, i);
    const float *w = job->w ? job->w + at : NULL;

    (void)worker;
    if (job->squared)
        job->point->sq_diff_grad(job->a + at, job->b + at, w, job->scale, job->dx + at, n, job->add);
    else
        job->point->abs_diff_grad(job->a + at, job->b + at, w, job->scale, job->dx + at, n, job->add);
}

static RsdStatus distance_backward(Tape *tape, Node *node, RsdError *err)
{
    DistanceJob job = *(const DistanceJob *)node->saved;
    const float scale = (float)((double)node->out->grad[0] / (double)job.count);

    for (int side = 0; side < 2; side++) {
        RsdStatus status = tape_grad(tape, node->in[side], &job.dx, &job.add, err);

        if (status != RSD_OK)
            return status;
        job.scale = side == 0 ? scale : -scale;
        if (job.dx)
            threads_for(tape->threads, point_n_blocks(job.count), distance_grad_block, &job);
    }
    return RSD_OK;
}

static RsdStatus distance(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, bool squared, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {a, b}, *result;
    DistanceJob *job;
    const int64_t one = 1;
    char text_a[SHAPE_TEXT_SIZE], text_b[SHAPE_TEXT_SIZE];
    double total = 0.0;
    RsdStatus status = RSD_OK;

    CHECK(tensor_same_shape(a, b) && tensor_count(a) > 0, err, RSD_ERR_ARG,
          "a distance needs two tensors of one shape, not %s and %s", shape_text(text_a, a->n_dims, a->shape),
          shape_text(text_b, b->n_dims, b->shape));
    CHECK(!w || tensor_same_shape(a, w), err, RSD_ERR_ARG, "weights of a distance of %s have the shape %s",
          shape_text(text_a, a->n_dims, a->shape), shape_text(text_b, w->n_dims, w->shape));
    TRY(tape_tensor(tape, &result, 1, &one, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (DistanceJob){.point = tape->kernels->point, .a = a->data, .b = b->data, .w = w ? w->data : NULL,
                         .count = tensor_count(a), .squared = squared};
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)point_n_blocks(job->count), sizeof *job->partial, err));
    threads_for(tape->threads, point_n_blocks(job->count), distance_block, job);
    for (int64_t i = 0; i < point_n_blocks(job->count); i++)
        total += job->partial[i];
    job->point->settle(&total, 1.0 / (double)job->count, result->data, 1, false);
    TRY(tape_record(tape, distance_backward, result, 2, inputs, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_l1(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, Tensor **y, RsdError *err)
{
    return distance(tape, a, b, w, false, y, err);
}

RsdStatus op_mse(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, Tensor **y, RsdError *err)
{
    return distance(tape, a, b, w, true, y, err);
}
