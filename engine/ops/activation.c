/* activation.c - activations over the driver of pointwise.h; Snake has a parameter per channel and its own loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/activation.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/pointwise.h"

RsdStatus op_relu(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_RELU, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_leaky_relu(Tape *tape, Tensor *x, float slope, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_LEAKY_RELU, slope, 0.0f, x, y, err);
}

RsdStatus op_elu(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_ELU, 1.0f, 0.0f, x, y, err);
}

RsdStatus op_gelu(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_GELU, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_hard_swish(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_HARD_SWISH, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_tanh(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_TANH, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_sigmoid(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_SIGMOID, 0.0f, 0.0f, x, y, err);
}

/* ln(1 + e^x) = x / 2 + |x| / 2 + ln(1 + e^-|x|): no overflow anywhere, and the gradient at 0 is 1/2. */
RsdStatus op_softplus(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *size, *h, *half;
    RsdStatus status = RSD_OK;

    TRY(op_abs(tape, x, &size, err));
    TRY(op_scale(tape, size, -1.0f, &h, err));
    TRY(op_exp(tape, h, &h, err));
    TRY(op_add_scalar(tape, h, 1.0f, &h, err));
    TRY(op_log(tape, h, 0.0f, &h, err));
    TRY(op_add(tape, size, x, &half, err));
    TRY(op_scale(tape, half, 0.5f, &half, err));
    TRY(op_add(tape, h, half, y, err));
fail:
    return status;
}

typedef struct SnakeJob {
    const PointKernels *point;
    const float *x, *alpha, *dy;
    float *out;
    double *partial; /* [rows, n_blocks] */
    int64_t channels, len, n_blocks;
    bool add;
} SnakeJob;

/* Task i is block i % n_blocks of row i / n_blocks; rows are [batch, channel]. */
static void snake_task(void *ctx, int64_t i, int worker)
{
    const SnakeJob *job = ctx;
    const int64_t row = i / job->n_blocks, block = i % job->n_blocks, at = row * job->len + block * POINT_BLOCK;

    (void)worker;
    job->point->snake(job->x + at, job->alpha[row % job->channels], job->out + at, point_block_len(job->len, block));
}

static void snake_grad_task(void *ctx, int64_t i, int worker)
{
    const SnakeJob *job = ctx;
    const int64_t row = i / job->n_blocks, block = i % job->n_blocks, at = row * job->len + block * POINT_BLOCK;

    (void)worker;
    job->partial[i] = job->point->snake_grad(job->x + at, job->alpha[row % job->channels], job->dy + at,
                                             job->out ? job->out + at : NULL, point_block_len(job->len, block), job->add);
}

static RsdStatus snake_backward(Tape *tape, Node *node, RsdError *err)
{
    SnakeJob job = *(const SnakeJob *)node->saved;
    const int64_t batch = node->in[0]->shape[0], n_tasks = batch * job.channels * job.n_blocks;
    double *total;
    float *dalpha;
    bool add_alpha;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    TRY(arena_alloc(tape->arena, &job.partial, (size_t)n_tasks, sizeof *job.partial, err));
    TRY(arena_calloc(tape->arena, &total, (size_t)job.channels, sizeof *total, err));
    threads_for(tape->threads, n_tasks, snake_grad_task, &job);
    TRY(tape_grad(tape, node->in[1], &dalpha, &add_alpha, err));
    if (dalpha) {
        for (int64_t i = 0; i < n_tasks; i++)
            total[i / job.n_blocks % job.channels] += job.partial[i];
        job.point->settle(total, 1.0, dalpha, job.channels, add_alpha);
    }
fail:
    return status;
}

RsdStatus op_snake(Tape *tape, Tensor *x, Tensor *alpha, Tensor **y, RsdError *err)
{
    SnakeJob job = {.point = tape->kernels->point, .x = x->data, .alpha = alpha->data}, *saved = NULL;
    Tensor *inputs[] = {x, alpha}, *result;
    char text_x[SHAPE_TEXT_SIZE], text_alpha[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims >= 2 && tensor_count(alpha) == x->shape[1], err, RSD_ERR_ARG,
          "snake of %s needs one alpha per channel (second axis), not %s", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_alpha, alpha->n_dims, alpha->shape));
    job.channels = x->shape[1];
    job.len = 1;
    for (int i = 2; i < x->n_dims; i++)
        job.len *= x->shape[i];
    job.n_blocks = point_n_blocks(job.len);
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    job.out = result->data;
    threads_for(tape->threads, x->shape[0] * job.channels * job.n_blocks, snake_task, &job);
    if (tape_will_record(tape, 2, inputs)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, snake_backward, result, 2, inputs, saved, err));
    *y = result;
fail:
    return status;
}
