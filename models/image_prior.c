/* image_prior.c - means, scales and bits of latents in float.
 *
 *   z^ ─ hyper decoder ─ psi ──┬─ anchors' psi ─ parameters ─ mean, index ─ y^ of anchors ─ context ─┐
 *                              └─ others' psi ─ parameters <─────────────────────────────────────────┘
 *                                               └─ mean, index ─ y^ of the others
 *
 * Each pass works on one colour of the checkerboard, packed, so that nothing is computed twice.
 *
 * [1] image.md 10.4, 10.6.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_prior.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/checkerboard.h"
#include "engine/ops/likelihood.h"
#include "engine/ops/quantise.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"
#include "models/image_net.h"
#include "models/image_steps.h"
#include "models/integer_net.h"

#define NOISE_SAMPLE_Y 0u /* samples of RNG_MODEL; a colour has fewer than 2^28 blocks */
#define NOISE_SAMPLE_ODD (1u << 28)
#define NOISE_SAMPLE_Z (2u << 28)

/* ---- layers ---- */

static IntegerForm form_of(PriorLayer which, const PriorOptions *options)
{
    return (IntegerForm){.relu = image_prior_layer_has_relu(which), .rounded = options->as_integer, .exact = options->is_integer};
}

static RsdStatus run_layer(Tape *tape, const ImageCodec *codec, PriorLayer which, const PriorOptions *options, Tensor *x,
                           Tensor **y, RsdError *err)
{
    return integer_net_run(tape, &codec->net->prior[which], form_of(which, options), x, y, err);
}

/* ---- psi ---- */

static RsdStatus run_hyper_block(Tape *tape, const ImageCodec *codec, const PriorOptions *options, Tensor *x, Tensor **y,
                                 RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(run_layer(tape, codec, PRIOR_BLOCK_TAPS, options, x, &h, err));
    TRY(run_layer(tape, codec, PRIOR_BLOCK_IN, options, h, &h, err));
    TRY(run_layer(tape, codec, PRIOR_BLOCK_OUT, options, h, &h, err));
    TRY(integer_net_add(tape, x, h, y, err));
fail:
    return status;
}

RsdStatus image_prior_psi(Tape *tape, const ImageCodec *codec, const int *level, Tensor *z, const PriorOptions *options,
                          Tensor **psi, RsdError *err)
{
    const int64_t batch = z->shape[0];
    Tensor *h, *bias;
    RsdStatus status = RSD_OK;

    *psi = NULL;
    TRY(run_layer(tape, codec, PRIOR_UP1, options, z, &h, err));
    TRY(op_pixel_shuffle(tape, h, 2, &h, err));
    TRY(run_hyper_block(tape, codec, options, h, &h, err));
    TRY(run_layer(tape, codec, PRIOR_UP2, options, h, &h, err));
    TRY(op_pixel_shuffle(tape, h, 2, &h, err));
    TRY(run_layer(tape, codec, PRIOR_SMOOTH, options, h, &h, err));
    TRY(run_layer(tape, codec, PRIOR_PSI, options, h, &h, err));
    TRY(image_net_at_levels(tape, codec->net->level_bias, level, batch, &bias, err));
    TRY(op_reshape(tape, bias, 4, (int64_t[]){batch, -1, 1, 1}, &bias, err));
    TRY(op_add(tape, h, bias, &h, err));
    TRY(integer_net_settle(tape, (IntegerForm){.relu = true, .rounded = options->as_integer}, h, psi, err));
fail:
    return status;
}

/* ---- parameters ---- */

/* The first layer on psi alone: the weights of the context meet zeros. */
static RsdStatus run_join(Tape *tape, const ImageCodec *codec, Tensor *psi, Tensor *context, const PriorOptions *options,
                          Tensor **h, RsdError *err)
{
    const Conv2dLayer *layer = &codec->net->prior[PRIOR_JOIN];
    Tensor *w, *x = psi;
    RsdStatus status = RSD_OK;

    TRY(integer_net_weight(tape, layer, form_of(PRIOR_JOIN, options), &w, err));
    if (context)
        TRY(op_concat(tape, 2, (Tensor *[]){psi, context}, 1, &x, err));
    else
        TRY(op_slice(tape, w, 1, 0, psi->shape[1], &w, err));
    TRY(conv2d_with(tape, layer, w, x, h, err));
    TRY(integer_net_settle(tape, form_of(PRIOR_JOIN, options), *h, h, err));
fail:
    return status;
}

RsdStatus image_prior_params(Tape *tape, const ImageCodec *codec, Tensor *psi, Tensor *context, const PriorOptions *options,
                             Tensor **mean, Tensor **index, RsdError *err)
{
    const int64_t m = codec->config.latent;
    Tensor *h, *mixed;
    RsdStatus status = RSD_OK;

    TRY(run_join(tape, codec, psi, context, options, &h, err));
    TRY(run_layer(tape, codec, PRIOR_MIX, options, h, &mixed, err));
    TRY(integer_net_add(tape, h, mixed, &h, err));
    TRY(run_layer(tape, codec, PRIOR_OUT, options, h, &h, err));
    TRY(op_slice(tape, h, 1, 0, m, mean, err));
    TRY(op_slice(tape, h, 1, m, m, index, err));
    if (options->as_integer)
        TRY(op_snap(tape, *index, 1.0f, 0.0f, PRIOR_INDEX_MAX, index, err));
    else
        TRY(op_bound(tape, *index, 0.0f, PRIOR_INDEX_MAX, index, err));
fail:
    return status;
}

/* ---- one colour ---- */

/* Zeros where the index is 0: such latents are not coded. */
static RsdStatus skip_where_sure(Tape *tape, Tensor *k, const Tensor *index, Tensor **out, RsdError *err)
{
    const int64_t n = tensor_count(k);
    Tensor *coded;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &coded, k->n_dims, k->shape, err));
    for (int64_t i = 0; i < n; i++)
        coded->data[i] = index->data[i] > 0.0f ? 1.0f : 0.0f;
    TRY(op_mul(tape, k, coded, out, err));
fail:
    return status;
}

static RsdStatus add_noise(Tape *tape, Tensor *x, const PriorOptions *options, uint32_t sample, Tensor **y, RsdError *err)
{
    return op_uniform_noise(tape, x, options->seed, options->step, sample, options->first_item * (tensor_count(x) / x->shape[0]), y, err);
}

static bool is_relaxed(const PriorOptions *options)
{
    return options->rounding == ROUND_ALL_SOFT || options->rounding == ROUND_STOCHASTIC;
}

static RsdStatus relax(Tape *tape, Tensor *x, const PriorOptions *options, uint32_t sample, Tensor **y, RsdError *err)
{
    Tensor *u;
    RsdStatus status = RSD_OK;

    if (options->rounding == ROUND_ALL_SOFT)
        return op_soft_round(tape, x, options->temperature, y, err);
    TRY(op_uniform(tape, x, options->seed, options->step, sample, &u, err));
    TRY(op_stochastic_round(tape, x, u, options->temperature, y, err));
fail:
    return status;
}

/* y^ = k + mean, as if the mean stood still: it gets gradients of the bits alone. */
static RsdStatus relax_latents(Tape *tape, Tensor *y, Tensor *mean, const Tensor *index, const PriorOptions *options,
                               uint32_t sample, Tensor **y_hat, RsdError *err)
{
    Tensor *still, *k;
    RsdStatus status = RSD_OK;

    TRY(tape_leaf(tape, mean, false, &still, err));
    TRY(op_sub(tape, y, still, &k, err));
    TRY(relax(tape, k, options, sample, &k, err));
    TRY(skip_where_sure(tape, k, index, &k, err));
    TRY(op_add(tape, k, still, y_hat, err));
fail:
    return status;
}

/* y^ = round(y - mean) + mean, and what stands in the estimate of the bits. */
static RsdStatus round_latents(Tape *tape, Tensor *y, Tensor *mean, const Tensor *index, const PriorOptions *options,
                               uint32_t sample, Tensor **y_hat, Tensor **estimated, RsdError *err)
{
    Tensor *from_mean, *k;
    RsdStatus status = RSD_OK;

    if (is_relaxed(options)) {
        TRY(relax_latents(tape, y, mean, index, options, sample, y_hat, err));
        *estimated = *y_hat;
        return RSD_OK;
    }
    TRY(op_sub(tape, y, mean, &from_mean, err));
    TRY(op_round(tape, from_mean, &k, err));
    if (options->rounding == ROUND_COINCIDE)
        TRY(skip_where_sure(tape, k, index, &k, err));
    TRY(op_add(tape, k, mean, y_hat, err));
    switch (options->rounding) {
    case ROUND_NOISE:
        TRY(add_noise(tape, y, options, sample, estimated, err));
        break;
    case ROUND_SOFT:
        TRY(op_soft_round(tape, from_mean, options->temperature, &k, err));
        TRY(op_add(tape, k, mean, estimated, err));
        break;
    default:
        *estimated = *y_hat;
    }
fail:
    return status;
}

/* The cells beyond the last column that packing filled up cost nothing. */
static RsdStatus clear_filling(Tape *tape, Tensor *bits, bool odd, int64_t n, Tensor **out, RsdError *err)
{
    const int64_t h = bits->shape[2], columns = bits->shape[3];
    float *values;
    Tensor *real;
    RsdStatus status = RSD_OK;

    *out = bits;
    if (n % 2 == 0)
        return RSD_OK;
    TRY(arena_alloc(tape->arena, &values, (size_t)(h * columns), sizeof *values, err));
    for (int64_t i = 0; i < h * columns; i++)
        values[i] = 2 * (i % columns) + (i / columns + odd) % 2 < n ? 1.0f : 0.0f;
    TRY(tape_input(tape, &real, 4, (int64_t[]){1, 1, h, columns}, values, err));
    TRY(op_mul(tape, bits, real, out, err));
fail:
    return status;
}

/* What the distribution of an index, or the coder's table for it, makes of latents. */
static RsdStatus count_bits(Tape *tape, Tensor *estimated, Tensor *mean, Tensor *index, const PriorOptions *options,
                            Tensor **bits, RsdError *err)
{
    Tensor *scale, *k;
    RsdStatus status = RSD_OK;

    if (options->table) {
        TRY(op_sub(tape, estimated, mean, &k, err));
        return op_table_bits(tape, options->table, k, index, bits, err);
    }
    TRY(op_affine(tape, index, (float)PRIOR_LOG_SCALE_STEP, (float)PRIOR_LOG_SCALE_FIRST, &scale, err));
    TRY(op_exp(tape, scale, &scale, err));
    TRY(op_bits(tape, DENSITY_NORMAL, estimated, mean, scale, PRIOR_FLOOR, bits, err));
fail:
    return status;
}

/* One pass: parameters, y^ and bits of a colour. y is whole, psi and context are packed. */
static RsdStatus run_pass(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, bool odd, Tensor *psi, Tensor *context,
                          const PriorOptions *options, Tensor **y_hat, PriorResult *result, RsdError *err)
{
    Tensor *packed, *mean, *index, *estimated, *local, *levels, *step = NULL;
    RsdStatus status = RSD_OK;

    TRY(op_checkerboard_pack(tape, y, odd, &packed, err));
    TRY(image_prior_params(tape, codec, psi, context, options, &mean, &index, err));
    if (codec->config.steps) {
        TRY(image_steps_rows(tape, codec, level, psi, options, &local, &levels, err));
        TRY(image_steps_apply(tape, local, levels, &packed, &mean, &index, &step, err));
    }
    TRY(round_latents(tape, packed, mean, index, options, odd ? NOISE_SAMPLE_ODD : NOISE_SAMPLE_Y, y_hat, &estimated, err));
    if (options->by_context)
        TRY(tape_leaf(tape, estimated, false, &estimated, err));
    TRY(count_bits(tape, estimated, mean, index, options, &result->y_bits[odd], err));
    if (step)
        TRY(op_mul(tape, *y_hat, step, y_hat, err));
    TRY(clear_filling(tape, result->y_bits[odd], odd, y->shape[3], &result->y_bits[odd], err));
    result->y_index[odd] = index;
fail:
    return status;
}

/* What the others may know of the decoded anchors [batch, M, h, ceil(n / 2)]. */
static RsdStatus make_context(Tape *tape, const ImageCodec *codec, Tensor *anchors, int64_t n, const PriorOptions *options,
                              Tensor **context, RsdError *err)
{
    Tensor *h = anchors;
    RsdStatus status = RSD_OK;

    TRY(op_bound(tape, h, -PRIOR_LIMIT, PRIOR_LIMIT, &h, err));
    TRY(run_layer(tape, codec, PRIOR_CONTEXT_IN, options, h, &h, err));
    TRY(op_checkerboard_spread(tape, h, false, n, &h, err));
    TRY(run_layer(tape, codec, PRIOR_CONTEXT, options, h, &h, err));
    TRY(op_checkerboard_pack(tape, h, true, context, err));
fail:
    return status;
}

/* ---- the whole ---- */

/* The row of each channel in a coder's table. */
static RsdStatus count_z_bits(Tape *tape, const ImageCodec *codec, Tensor *z, const PriorOptions *options, Tensor **bits,
                              RsdError *err)
{
    const int64_t channels = z->shape[1], n = z->shape[2] * z->shape[3];
    Tensor *row;
    RsdStatus status = RSD_OK;

    if (!options->table)
        return op_factorised_bits(tape, z, codec->net->z_weights, PRIOR_FLOOR, bits, err);
    TRY(tape_tensor(tape, &row, 4, z->shape, err));
    for (int64_t i = 0; i < tensor_count(z); i++)
        row->data[i] = (float)(PRIOR_INDEX_MAX + 1 + i / n % channels);
    TRY(op_table_bits(tape, options->table, z, row, bits, err));
fail:
    return status;
}

static RsdStatus round_z(Tape *tape, const ImageCodec *codec, Tensor *z, const PriorOptions *options, PriorResult *result,
                         RsdError *err)
{
    Tensor *estimated;
    RsdStatus status = RSD_OK;

    if (is_relaxed(options))
        TRY(relax(tape, z, options, NOISE_SAMPLE_Z, &result->z_hat, err));
    else
        TRY(op_snap(tape, z, 1.0f, -IMAGE_Z_LIMIT, IMAGE_Z_LIMIT, &result->z_hat, err));
    estimated = result->z_hat;
    if (options->rounding == ROUND_NOISE)
        TRY(add_noise(tape, z, options, NOISE_SAMPLE_Z, &estimated, err));
    if (options->rounding == ROUND_SOFT)
        TRY(op_soft_round(tape, z, options->temperature, &estimated, err));
    TRY(count_z_bits(tape, codec, estimated, options, &result->z_bits, err));
fail:
    return status;
}

RsdStatus image_prior_estimate(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor *z,
                               const PriorOptions *options, PriorResult *result, RsdError *err)
{
    const int64_t h = y->shape[2], n = y->shape[3];
    Tensor *psi, *half, *context, *y_hat[2], *whole[2];
    RsdStatus status = RSD_OK;

    *result = (PriorResult){0};
    TRY(round_z(tape, codec, z, options, result, err));
    TRY(image_prior_psi(tape, codec, level, result->z_hat, options, &psi, err));
    CHECK(psi->shape[2] >= h && psi->shape[3] >= n, err, RSD_ERR_ARG, "z of %lld x %lld is too small for y of %lld x %lld",
          (long long)z->shape[2], (long long)z->shape[3], (long long)h, (long long)n);
    if (psi->shape[2] != h)
        TRY(op_slice(tape, psi, 2, 0, h, &psi, err));
    if (psi->shape[3] != n)
        TRY(op_slice(tape, psi, 3, 0, n, &psi, err));
    result->max_activation = tape->kernels->point->max_abs(psi->data, tensor_count(psi));

    TRY(op_checkerboard_pack(tape, psi, false, &half, err));
    TRY(run_pass(tape, codec, level, y, false, half, NULL, options, &y_hat[0], result, err));
    TRY(make_context(tape, codec, y_hat[0], n, options, &context, err));
    TRY(op_checkerboard_pack(tape, psi, true, &half, err));
    TRY(run_pass(tape, codec, level, y, true, half, context, options, &y_hat[1], result, err));
    for (int i = 0; i < 2; i++)
        TRY(op_checkerboard_spread(tape, y_hat[i], i == 1, n, &whole[i], err));
    TRY(op_add(tape, whole[0], whole[1], &result->y_hat, err));
fail:
    return status;
}
