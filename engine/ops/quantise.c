/* quantise.c - rounding that can be trained through.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/quantise.h"

#include <math.h>

#include "engine/base/rng.h"
#include "engine/kernels/integer.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/pointwise.h"

#define HALF_UNIT (1.0f / (1 << 25)) /* of rng_uniform's numbers, which begin at 0 */

/* ---- snapping ---- */

typedef struct SnapJob {
    const LatentKernels *latent;
    Snap snap;
    const float *x, *dy;
    float *out;
    int64_t count;
    bool add;
} SnapJob;

static void snap_block(void *ctx, int64_t i, int worker)
{
    const SnapJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->latent->snap(&job->snap, job->x + at, job->out + at, point_block_len(job->count, i));
}

static void snap_grad_block(void *ctx, int64_t i, int worker)
{
    const SnapJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->latent->snap_grad(&job->snap, job->x + at, job->dy + at, job->out + at, point_block_len(job->count, i), job->add);
}

static RsdStatus snap_backward(Tape *tape, Node *node, RsdError *err)
{
    SnapJob job = *(const SnapJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, point_n_blocks(job.count), snap_grad_block, &job);
    return RSD_OK;
}

static RsdStatus run_snap(Tape *tape, Snap snap, Tensor *x, Tensor **y, RsdError *err)
{
    SnapJob *job;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (SnapJob){.latent = tape->kernels->latent, .snap = snap, .x = x->data, .out = result->data,
                     .count = tensor_count(x)};
    threads_for(tape->threads, point_n_blocks(job->count), snap_block, job);
    TRY(tape_record(tape, snap_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_round(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return run_snap(tape, (Snap){SNAP_ROUND, 1.0f, -INFINITY, INFINITY}, x, y, err);
}

RsdStatus op_snap(Tape *tape, Tensor *x, float per_unit, float low, float high, Tensor **y, RsdError *err)
{
    return run_snap(tape, (Snap){SNAP_ROUND, per_unit, low, high}, x, y, err);
}

RsdStatus op_bound(Tape *tape, Tensor *x, float low, float high, Tensor **y, RsdError *err)
{
    return run_snap(tape, (Snap){SNAP_BOUND, 1.0f, low, high}, x, y, err);
}

RsdStatus op_soft_round(Tape *tape, Tensor *x, float temperature, Tensor **y, RsdError *err)
{
    return run_snap(tape, (Snap){SNAP_SOFT, temperature, 0.0f, 0.0f}, x, y, err);
}

/* ---- noise ---- */

typedef struct NoiseJob {
    uint64_t seed, step;
    uint32_t sample;
    float shift;
    float *out;
    int64_t first, end; /* elements of the larger tensor */
} NoiseJob;

static void noise_block(void *ctx, int64_t i, int worker)
{
    const NoiseJob *job = ctx;
    const int64_t block = job->first / POINT_BLOCK + i, from = block * POINT_BLOCK;
    const int64_t end = from + POINT_BLOCK < job->end ? from + POINT_BLOCK : job->end;
    Rng rng = rng_at(job->seed, RNG_MODEL, job->step, job->sample + (uint32_t)block);

    (void)worker;
    for (int64_t k = from; k < end; k++) {
        const float u = rng_uniform(&rng) + job->shift;

        if (k >= job->first)
            job->out[k - job->first] = u;
    }
}

/* rng_uniform + shift, as elements first .. of a larger tensor. */
static RsdStatus draw(Tape *tape, const Tensor *like, NoiseJob job, Tensor **out, RsdError *err)
{
    const int64_t count = tensor_count(like);
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, out, like->n_dims, like->shape, err));
    job.out = (*out)->data;
    job.end = job.first + count;
    if (count > 0)
        threads_for(tape->threads, (job.end - 1) / POINT_BLOCK - job.first / POINT_BLOCK + 1, noise_block, &job);
fail:
    return status;
}

RsdStatus op_uniform(Tape *tape, const Tensor *like, uint64_t seed, uint64_t step, uint32_t sample, Tensor **u, RsdError *err)
{
    return draw(tape, like, (NoiseJob){.seed = seed, .step = step, .sample = sample, .shift = HALF_UNIT}, u, err);
}

RsdStatus op_uniform_noise(Tape *tape, Tensor *x, uint64_t seed, uint64_t step, uint32_t sample, int64_t first, Tensor **y, RsdError *err)
{
    Tensor *noise;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(draw(tape, x, (NoiseJob){.seed = seed, .step = step, .sample = sample, .shift = -0.5f, .first = first}, &noise, err));
    TRY(op_add(tape, x, noise, y, err));
fail:
    return status;
}

/* ---- stochastic rounding ---- */

typedef struct StochasticJob {
    const LatentKernels *latent;
    float t;
    const float *x, *u, *dy;
    float *out;
    int64_t count;
    bool add;
} StochasticJob;

static void stochastic_block(void *ctx, int64_t i, int worker)
{
    const StochasticJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->latent->stochastic(job->t, job->x + at, job->u + at, job->out + at, point_block_len(job->count, i));
}

static void stochastic_grad_block(void *ctx, int64_t i, int worker)
{
    const StochasticJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->latent->stochastic_grad(job->t, job->x + at, job->u + at, job->dy + at, job->out + at, job->add,
                                 point_block_len(job->count, i));
}

static RsdStatus stochastic_backward(Tape *tape, Node *node, RsdError *err)
{
    StochasticJob job = *(const StochasticJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, point_n_blocks(job.count), stochastic_grad_block, &job);
    return RSD_OK;
}

RsdStatus op_stochastic_round(Tape *tape, Tensor *x, const Tensor *u, float t, Tensor **y, RsdError *err)
{
    char text[2][SHAPE_TEXT_SIZE];
    StochasticJob *job;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(tensor_same_shape(x, u), err, RSD_ERR_ARG, "stochastic rounding of %s with %s; the shapes must be the same",
          shape_text(text[0], x->n_dims, x->shape), shape_text(text[1], u->n_dims, u->shape));
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (StochasticJob){.latent = tape->kernels->latent, .t = t, .x = x->data, .u = u->data, .out = result->data,
                           .count = tensor_count(x)};
    threads_for(tape->threads, point_n_blocks(job->count), stochastic_block, job);
    TRY(tape_record(tape, stochastic_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

/* ---- weights ---- */

static RsdStatus pass_backward(Tape *tape, Node *node, RsdError *err)
{
    return tape_grad_pass(tape, node, node->in[0], err);
}

RsdStatus op_quantise_weights(Tape *tape, Tensor *w, Tensor **y, RsdError *err)
{
    const int64_t n_out = w->shape[0], n_in = n_out ? tensor_count(w) / n_out : 0;
    Tensor *result;
    int16_t *mult;
    int shift;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(tape_tensor(tape, &result, w->n_dims, w->shape, err));
    TRY(arena_alloc(tape->arena, &mult, (size_t)n_out, sizeof *mult, err));
    CHECK(integer_scales(w->data, n_out, n_in, mult, &shift), err, RSD_ERR_NUMERIC,
          "weights are not finite, or too large for 8 bits");
    for (int64_t o = 0; o < n_out; o++) {
        const float scale = ldexpf((float)mult[o], -shift);

        for (int64_t i = o * n_in; i < (o + 1) * n_in; i++)
            result->data[i] = (float)integer_weight(w->data[i], mult[o], shift) * scale;
    }
    TRY(tape_record(tape, pass_backward, result, 1, &w, NULL, err));
    *y = result;
fail:
    return status;
}
