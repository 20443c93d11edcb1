/* likelihood.c - bits of latents: normal, Laplace and learned distributions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/likelihood.h"

#include <string.h>

#include "engine/ops/pointwise.h"

/* ---- a mean and a scale for each element ---- */

typedef struct BitsTask {
    const LatentKernels *latent;
    BitsJob job;
    int64_t count;
    float *y;
    const float *dy;
    BitsGrad grad;
} BitsTask;

static BitsJob job_at(const BitsTask *task, int64_t at)
{
    BitsJob job = task->job;

    job.x += at;
    job.mean += at;
    job.scale += at;
    return job;
}

static void bits_block(void *ctx, int64_t i, int worker)
{
    const BitsTask *task = ctx;
    const BitsJob job = job_at(task, i * POINT_BLOCK);

    (void)worker;
    task->latent->bits(&job, task->y + i * POINT_BLOCK, point_block_len(task->count, i));
}

static float *place_at(float *gradient, int64_t at)
{
    return gradient ? gradient + at : NULL;
}

static void bits_grad_block(void *ctx, int64_t i, int worker)
{
    const BitsTask *task = ctx;
    const int64_t at = i * POINT_BLOCK;
    const BitsJob job = job_at(task, at);
    BitsGrad grad = task->grad;

    (void)worker;
    grad.dx = place_at(grad.dx, at);
    grad.dmean = place_at(grad.dmean, at);
    grad.dscale = place_at(grad.dscale, at);
    task->latent->bits_grad(&job, task->dy + at, &grad, point_block_len(task->count, i));
}

static void run_gradients(Tape *tape, BitsTask *task)
{
    threads_for(tape->threads, point_n_blocks(task->count), bits_grad_block, task);
}

static RsdStatus bits_backward(Tape *tape, Node *node, RsdError *err)
{
    BitsTask task = *(const BitsTask *)node->saved;
    float *other;
    bool add;
    RsdStatus status = RSD_OK;

    task.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &task.grad.dx, &task.grad.add_x, err));
    /* One tensor may stand in two places: each gradient is written before the next is asked for. */
    if (node->in[0] == node->in[1] || node->in[0] == node->in[2] || node->in[1] == node->in[2]) {
        run_gradients(tape, &task);
        task.grad = (BitsGrad){0};
        TRY(tape_grad(tape, node->in[1], &other, &add, err));
        task.grad.dmean = other;
        task.grad.add_mean = add;
        run_gradients(tape, &task);
        task.grad = (BitsGrad){0};
        TRY(tape_grad(tape, node->in[2], &other, &add, err));
        task.grad.dscale = other;
        task.grad.add_scale = add;
        run_gradients(tape, &task);
        return RSD_OK;
    }
    TRY(tape_grad(tape, node->in[1], &task.grad.dmean, &task.grad.add_mean, err));
    TRY(tape_grad(tape, node->in[2], &task.grad.dscale, &task.grad.add_scale, err));
    run_gradients(tape, &task);
fail:
    return status;
}

RsdStatus op_bits(Tape *tape, Density density, Tensor *x, Tensor *mean, Tensor *scale, float floor, Tensor **bits,
                  RsdError *err)
{
    char text[3][SHAPE_TEXT_SIZE];
    BitsTask *task;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *bits = NULL;
    CHECK(tensor_same_shape(x, mean) && tensor_same_shape(x, scale), err, RSD_ERR_ARG,
          "bits of %s with mean %s and scale %s; the shapes must be the same", shape_text(text[0], x->n_dims, x->shape),
          shape_text(text[1], mean->n_dims, mean->shape), shape_text(text[2], scale->n_dims, scale->shape));
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &task, 1, sizeof *task, err));
    *task = (BitsTask){.latent = tape->kernels->latent,
                       .job = {density, floor, x->data, mean->data, scale->data},
                       .count = tensor_count(x),
                       .y = result->data};
    threads_for(tape->threads, point_n_blocks(task->count), bits_block, task);
    TRY(tape_record(tape, bits_backward, result, 3, (Tensor *[]){x, mean, scale}, task, err));
    *bits = result;
fail:
    return status;
}

/* ---- tables of a coder ---- */

typedef struct TableTask {
    const LatentKernels *latent;
    BitsTable table;
    const float *x, *row, *dy;
    float *y, *dx, *drow;
    bool add_x, add_row;
    int64_t count;
} TableTask;

static void table_block(void *ctx, int64_t i, int worker)
{
    const TableTask *task = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    task->latent->table_bits(&task->table, task->x + at, task->row + at, task->y + at, point_block_len(task->count, i));
}

static void table_grad_block(void *ctx, int64_t i, int worker)
{
    const TableTask *task = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    task->latent->table_bits_grad(&task->table, task->x + at, task->row + at, task->dy + at, place_at(task->dx, at), task->add_x,
                                  place_at(task->drow, at), task->add_row, point_block_len(task->count, i));
}

static RsdStatus table_backward(Tape *tape, Node *node, RsdError *err)
{
    TableTask task = *(const TableTask *)node->saved;
    RsdStatus status = RSD_OK;

    task.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &task.dx, &task.add_x, err));
    TRY(tape_grad(tape, node->in[1], &task.drow, &task.add_row, err));
    threads_for(tape->threads, point_n_blocks(task.count), table_grad_block, &task);
fail:
    return status;
}

RsdStatus op_table_bits(Tape *tape, const BitsTable *table, Tensor *x, Tensor *row, Tensor **bits, RsdError *err)
{
    char text[2][SHAPE_TEXT_SIZE];
    TableTask *task;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *bits = NULL;
    CHECK(tensor_same_shape(x, row) && x != row, err, RSD_ERR_ARG, "bits of %s with rows %s; the shapes must be the same",
          shape_text(text[0], x->n_dims, x->shape), shape_text(text[1], row->n_dims, row->shape));
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &task, 1, sizeof *task, err));
    *task = (TableTask){.latent = tape->kernels->latent, .table = *table, .x = x->data, .row = row->data, .y = result->data,
                        .count = tensor_count(x)};
    threads_for(tape->threads, point_n_blocks(task->count), table_block, task);
    TRY(tape_record(tape, table_backward, result, 2, (Tensor *[]){x, row}, task, err));
    *bits = result;
fail:
    return status;
}

/* ---- a learned distribution for each channel ---- */

typedef struct FactorisedTask {
    const LatentKernels *latent;
    int64_t batch, channels, inner;
    float floor;
    const float *x, *weights, *dy;
    float *y, *dx;
    bool add;
    double *dweights; /* [channels, FACTORISED_WEIGHTS] */
} FactorisedTask;

static void factorised_channel(void *ctx, int64_t c, int worker)
{
    const FactorisedTask *task = ctx;

    (void)worker;
    for (int64_t b = 0; b < task->batch; b++) {
        const int64_t at = (b * task->channels + c) * task->inner;

        task->latent->factorised_bits(task->weights + c * FACTORISED_WEIGHTS, task->x + at, task->floor, task->y + at,
                                      task->inner);
    }
}

static void factorised_grad_channel(void *ctx, int64_t c, int worker)
{
    const FactorisedTask *task = ctx;

    (void)worker;
    for (int64_t b = 0; b < task->batch; b++) {
        const int64_t at = (b * task->channels + c) * task->inner;

        task->latent->factorised_bits_grad(task->weights + c * FACTORISED_WEIGHTS, task->x + at, task->floor, task->dy + at,
                                           task->dx ? task->dx + at : NULL, task->add,
                                           task->dweights ? task->dweights + c * FACTORISED_WEIGHTS : NULL, task->inner);
    }
}

static RsdStatus factorised_backward(Tape *tape, Node *node, RsdError *err)
{
    FactorisedTask task = *(const FactorisedTask *)node->saved;
    const int64_t n_weights = task.channels * FACTORISED_WEIGHTS;
    float *dweights;
    bool add;
    RsdStatus status = RSD_OK;

    task.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &task.dx, &task.add, err));
    TRY(tape_grad(tape, node->in[1], &dweights, &add, err));
    if (dweights)
        TRY(arena_calloc(tape->arena, &task.dweights, (size_t)n_weights, sizeof *task.dweights, err));
    threads_for(tape->threads, task.channels, factorised_grad_channel, &task);
    if (dweights)
        tape->kernels->point->settle(task.dweights, 1.0, dweights, n_weights, add);
fail:
    return status;
}

RsdStatus op_factorised_bits(Tape *tape, Tensor *x, Tensor *weights, float floor, Tensor **bits, RsdError *err)
{
    char text[2][SHAPE_TEXT_SIZE];
    FactorisedTask *task;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *bits = NULL;
    CHECK(x->n_dims >= 2 && weights->n_dims == 2 && weights->shape[0] == x->shape[1] &&
              weights->shape[1] == FACTORISED_WEIGHTS, err, RSD_ERR_ARG,
          "factorised bits of %s with weights %s; expected [channels, %d]", shape_text(text[0], x->n_dims, x->shape),
          shape_text(text[1], weights->n_dims, weights->shape), FACTORISED_WEIGHTS);
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_calloc(tape->arena, &task, 1, sizeof *task, err));
    *task = (FactorisedTask){.latent = tape->kernels->latent, .batch = x->shape[0], .channels = x->shape[1], .inner = 1,
                             .floor = floor, .x = x->data, .weights = weights->data, .y = result->data};
    for (int i = 2; i < x->n_dims; i++)
        task->inner *= x->shape[i];
    threads_for(tape->threads, task->channels, factorised_channel, task);
    TRY(tape_record(tape, factorised_backward, result, 2, (Tensor *[]){x, weights}, task, err));
    *bits = result;
fail:
    return status;
}
