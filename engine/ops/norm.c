/* norm.c - layer norm over channels and group norm; the gradient's formula is in kernels/ref/point_norm.c.
 *
 * Gradients of gamma and beta are gathered in double, one row of partial sums per task, and the rows are added in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/norm.h"

#include <math.h>

#include "engine/ops/pointwise.h"

typedef struct NormJob {
    const PointKernels *point;
    const float *x, *gamma, *beta, *dy;
    float *out;         /* y forward, dx backward; NULL: not wanted */
    float *mean, *rstd; /* layer norm: [batch, len]; group norm: [batch, groups] */
    double *dgamma, *dbeta; /* partial sums [rows, channels], or NULL */
    int64_t batch, channels, len, groups, n_strips;
    float eps;
    bool add;
} NormJob;

static RsdStatus check_norm(NormJob *job, const Tape *tape, const Tensor *x, const Tensor *gamma, const Tensor *beta,
                            float eps, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims >= 2, err, RSD_ERR_ARG, "a norm needs [batch, channels, ...], not %s",
          shape_text(text, x->n_dims, x->shape));
    CHECK(!gamma == !beta && (!gamma || (tensor_count(gamma) == x->shape[1] && tensor_count(beta) == x->shape[1])), err,
          RSD_ERR_ARG, "a norm of %s needs one gamma and one beta per channel or none",
          shape_text(text, x->n_dims, x->shape));
    *job = (NormJob){.point = tape->kernels->point, .x = x->data, .gamma = gamma ? gamma->data : NULL,
                     .beta = beta ? beta->data : NULL, .batch = x->shape[0], .channels = x->shape[1], .len = 1, .eps = eps};
    for (int i = 2; i < x->n_dims; i++)
        job->len *= x->shape[i];
fail:
    return status;
}

/* Where the gradients of gamma and beta go, from `rows` rows of partial sums. */
static RsdStatus add_affine_grads(Tape *tape, Node *node, const NormJob *job, int64_t rows, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!job->gamma)
        return RSD_OK;
    for (int side = 0; side < 2; side++) {
        double *partial = side == 0 ? job->dgamma : job->dbeta;
        float *grad;
        bool add;

        TRY(tape_grad(tape, node->in[1 + side], &grad, &add, err));
        for (int64_t row = 1; row < rows; row++)
            for (int64_t c = 0; c < job->channels; c++)
                partial[c] += partial[row * job->channels + c];
        if (grad)
            job->point->settle(partial, 1.0, grad, job->channels, add);
    }
fail:
    return status;
}

static RsdStatus take_partials(Tape *tape, NormJob *job, int64_t rows, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!job->gamma)
        return RSD_OK;
    if (rows < 1)
        rows = 1; /* the sums of an empty batch are zeros too */
    TRY(arena_calloc(tape->arena, &job->dgamma, (size_t)(rows * job->channels), sizeof(double), err));
    TRY(arena_calloc(tape->arena, &job->dbeta, (size_t)(rows * job->channels), sizeof(double), err));
fail:
    return status;
}

/* --- layer norm ------------------------------------------------------------------------------------------------------ */

#define STRIP (16 * POINT_MAX_COLUMNS) /* places of one task */

static void layer_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;
    const int64_t item = i / job->n_strips, first = i % job->n_strips * STRIP;
    const int64_t end = first + STRIP < job->len ? first + STRIP : job->len;

    (void)worker;
    for (int64_t at = first; at < end; at += POINT_MAX_COLUMNS) {
        const int64_t n = end - at < POINT_MAX_COLUMNS ? end - at : POINT_MAX_COLUMNS;
        const int64_t place = item * job->channels * job->len + at;

        job->point->norm_columns(job->x + place, job->channels, n, job->len, job->gamma, job->beta, job->eps,
                                 job->out + place, job->mean + item * job->len + at, job->rstd + item * job->len + at);
    }
}

static void layer_grad_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;
    const int64_t item = i / job->n_strips, first = i % job->n_strips * STRIP;
    const int64_t end = first + STRIP < job->len ? first + STRIP : job->len;

    (void)worker;
    for (int64_t at = first; at < end; at += POINT_MAX_COLUMNS) {
        const int64_t n = end - at < POINT_MAX_COLUMNS ? end - at : POINT_MAX_COLUMNS;
        const int64_t place = item * job->channels * job->len + at;

        job->point->norm_columns_grad(job->x + place, job->channels, n, job->len, job->gamma,
                                      job->mean + item * job->len + at, job->rstd + item * job->len + at, job->dy + place,
                                      job->out ? job->out + place : NULL, job->add,
                                      job->dgamma ? job->dgamma + i * job->channels : NULL,
                                      job->dbeta ? job->dbeta + i * job->channels : NULL);
    }
}

static RsdStatus layer_backward(Tape *tape, Node *node, RsdError *err)
{
    NormJob job = *(const NormJob *)node->saved;
    const int64_t n_tasks = job.batch * job.n_strips;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(take_partials(tape, &job, n_tasks, err));
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    threads_for(tape->threads, n_tasks, layer_grad_task, &job);
    TRY(add_affine_grads(tape, node, &job, n_tasks, err));
fail:
    return status;
}

RsdStatus op_layer_norm(Tape *tape, Tensor *x, Tensor *gamma, Tensor *beta, float eps, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {x, gamma, beta}, *result;
    NormJob *job;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    TRY(check_norm(job, tape, x, gamma, beta, eps, err));
    job->n_strips = (job->len + STRIP - 1) / STRIP;
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &job->mean, (size_t)(job->batch * job->len), sizeof *job->mean, err));
    TRY(arena_alloc(tape->arena, &job->rstd, (size_t)(job->batch * job->len), sizeof *job->rstd, err));
    job->out = result->data;
    threads_for(tape->threads, job->batch * job->n_strips, layer_task, job);
    TRY(tape_record(tape, layer_backward, result, 3, inputs, job, err));
    *y = result;
fail:
    return status;
}

/* --- group norm ------------------------------------------------------------------------------------------------------ */

/* Task i is one group of one item: channels / groups rows of len elements, one after the other in memory. */
static void group_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;
    const int64_t rows = job->channels / job->groups, count = rows * job->len, channel = i % job->groups * rows;
    const float *x = job->x + i * count;
    float *y = job->out + i * count;
    double total = 0.0, deviation = 0.0;

    (void)worker;
    for (int64_t k = 0; k < point_n_blocks(count); k++)
        total += job->point->sum(x + k * POINT_BLOCK, point_block_len(count, k));
    job->mean[i] = (float)(total / (double)count);
    for (int64_t k = 0; k < point_n_blocks(count); k++)
        deviation += job->point->sum_sq_dev(x + k * POINT_BLOCK, job->mean[i], point_block_len(count, k));
    job->rstd[i] = (float)(1.0 / sqrt(deviation / (double)count + (double)job->eps));
    for (int64_t r = 0; r < rows; r++) {
        const float gain = job->gamma ? job->rstd[i] * job->gamma[channel + r] : job->rstd[i];
        const float shift = job->beta ? job->beta[channel + r] : 0.0f;

        job->point->blend(x + r * job->len, gain, NULL, 0.0f, shift - job->mean[i] * gain, y + r * job->len, job->len, false);
    }
}

static void group_grad_task(void *ctx, int64_t i, int worker)
{
    const NormJob *job = ctx;
    const int64_t rows = job->channels / job->groups, count = rows * job->len, channel = i % job->groups * rows;
    const int64_t partial = i / job->groups * job->channels + channel;
    const float *x = job->x + i * count, *dy = job->dy + i * count;
    const double mean = (double)job->mean[i], rstd = (double)job->rstd[i];
    double mean_e = 0.0, mean_e_xhat = 0.0;

    (void)worker;
    for (int64_t r = 0; r < rows; r++) {
        const double gamma = job->gamma ? (double)job->gamma[channel + r] : 1.0;
        double plain = 0.0, along = 0.0;

        for (int64_t k = 0; k < point_n_blocks(job->len); k++) {
            const int64_t at = r * job->len + k * POINT_BLOCK, n = point_block_len(job->len, k);

            plain += job->point->sum(dy + at, n);
            along += job->point->dot(dy + at, x + at, n);
        }
        along = (along - mean * plain) * rstd; /* sum of dy xhat */
        if (job->dgamma) {
            job->dgamma[partial + r] = along;
            job->dbeta[partial + r] = plain;
        }
        mean_e += gamma * plain / (double)count;
        mean_e_xhat += gamma * along / (double)count;
    }
    for (int64_t r = 0; job->out && r < rows; r++) {
        const double gamma = job->gamma ? (double)job->gamma[channel + r] : 1.0;

        job->point->blend(dy + r * job->len, (float)(rstd * gamma), x + r * job->len, (float)(-rstd * rstd * mean_e_xhat),
                          (float)(rstd * (rstd * mean * mean_e_xhat - mean_e)), job->out + i * count + r * job->len, job->len,
                          job->add);
    }
}

static RsdStatus group_backward(Tape *tape, Node *node, RsdError *err)
{
    NormJob job = *(const NormJob *)node->saved;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(take_partials(tape, &job, job.batch, err));
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    threads_for(tape->threads, job.batch * job.groups, group_grad_task, &job);
    TRY(add_affine_grads(tape, node, &job, job.batch, err));
fail:
    return status;
}

RsdStatus op_group_norm(Tape *tape, Tensor *x, int groups, Tensor *gamma, Tensor *beta, float eps, Tensor **y,
                        RsdError *err)
{
    Tensor *inputs[] = {x, gamma, beta}, *result;
    NormJob *job;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    TRY(check_norm(job, tape, x, gamma, beta, eps, err));
    CHECK(groups >= 1 && job->channels % groups == 0, err, RSD_ERR_ARG, "%lld channels cannot be split into %d groups",
          (long long)job->channels, groups);
    job->groups = groups;
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &job->mean, (size_t)(job->batch * groups), sizeof *job->mean, err));
    TRY(arena_alloc(tape->arena, &job->rstd, (size_t)(job->batch * groups), sizeof *job->rstd, err));
    job->out = result->data;
    threads_for(tape->threads, tensor_count(x) ? job->batch * groups : 0, group_task, job);
    TRY(tape_record(tape, group_backward, result, 3, inputs, job, err));
    *y = result;
fail:
    return status;
}
