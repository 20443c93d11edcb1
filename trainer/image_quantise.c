/* image_quantise.c - see image_quantise.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_quantise.h"

#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "models/image_prior.h"
#include "models/stage_prior.h"

#define STAGES_SAMPLE 0 /* of RNG_QUANTIZER; the quantiser's own start at RVQ_FIRST_SAMPLE */

static double share_done(const TrainConfig *cfg, int64_t step)
{
    return (double)step / (double)cfg->train.steps;
}

static double sum_of(const Tape *tape, const Tensor *x)
{
    return tape->kernels->point->sum(x->data, tensor_count(x));
}

bool image_quantise_is_fixed(const TrainConfig *cfg)
{
    return cfg->train.frozen == FROZEN_ALL_BUT_HEADS || cfg->train.frozen == FROZEN_ENCODER;
}

/* ---- scalar, training ---- */

static PriorOptions options_at(const TrainConfig *cfg, const Group *group, int64_t step)
{
    const double done = share_done(cfg, step), soft = (double)cfg->picture.soft_start;
    PriorOptions options = {.rounding = ROUND_NOISE,
                            .seed = (uint64_t)cfg->train.seed,
                            .step = (uint64_t)step,
                            .first_item = (int64_t)group_rank(group) * cfg->data.batch};

    if (image_quantise_is_fixed(cfg))
        return (PriorOptions){.as_integer = true, .rounding = ROUND_COINCIDE}; /* what a decoder gets */
    options.as_integer = done >= (double)cfg->picture.integer_start;
    if (done >= soft && soft < 1) {
        options.rounding = ROUND_SOFT;
        options.temperature = cfg->picture.soft_high +
                              (float)((done - soft) / (1 - soft)) * (cfg->picture.soft_low - cfg->picture.soft_high);
    }
    return options;
}

/* bits [batch, ...] weighted and added to the loss, which may be NULL yet. */
static RsdStatus add_bits(Tape *tape, const ImageWeights *weights, Tensor *bits, Tensor **loss, RsdError *err)
{
    Tensor *part;
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, bits, weights->of_bits, &part, err));
    TRY(op_sum(tape, part, &part, err));
    if (*loss)
        TRY(op_add(tape, *loss, part, loss, err));
    else
        *loss = part;
fail:
    return status;
}

static double bits_of(const Tape *tape, const PriorResult *prior)
{
    return sum_of(tape, prior->z_bits) + sum_of(tape, prior->y_bits[0]) + sum_of(tape, prior->y_bits[1]);
}

static RsdStatus round_latents(Tape *tape, const TrainConfig *cfg, const TrainState *state, Group *group, const ImageWeights *weights,
                               Tensor *y, Quantised *quantised, RsdError *err)
{
    const PriorOptions options = options_at(cfg, group, state->step);
    const ImageCodec *codec = state->image;
    PriorResult prior;
    Tensor *z;
    RsdStatus status = RSD_OK;

    TRY(image_codec_scale(tape, codec, weights->level, y, &y, err));
    TRY(image_codec_hyper(tape, codec, y, &z, err));
    TRY(image_prior_estimate(tape, codec, weights->level, y, z, &options, &prior, err));
    for (int i = 0; i < 2; i++)
        TRY(add_bits(tape, weights, prior.y_bits[i], &quantised->loss, err));
    TRY(add_bits(tape, weights, prior.z_bits, &quantised->loss, err));
    quantised->y_hat = prior.y_hat;
    quantised->bits = bits_of(tape, &prior);
    quantised->z_bits = sum_of(tape, prior.z_bits);
    quantised->max_activation = prior.max_activation;
    quantised->integer = options.as_integer;
fail:
    return status;
}

/* ---- rvq, training ---- */

int image_quantise_stages(const TrainConfig *cfg, int64_t step)
{
    Rng rng = rng_at((uint64_t)cfg->train.seed, RNG_QUANTIZER, (uint64_t)step, STAGES_SAMPLE);
    const bool all = rng_below(&rng, 2) == 1;

    return all ? cfg->picture.model.codebooks : 1 + (int)rng_below(&rng, (uint32_t)cfg->picture.model.codebooks);
}

/* An error of a latent counts as much as the error of pixels that it makes at the start (models/image_start.c), times
 * picture.commitment: means over places, not over numbers. */
static float commitment_weight(const TrainConfig *cfg, const ImageWeights *weights)
{
    const float pixels_of_latent = (float)(3 * IMAGE_STRIDE * IMAGE_STRIDE) * IMAGE_START_GAIN * IMAGE_START_GAIN;

    if (cfg->picture.model.quantizer == IMAGE_FSQ) /* its levels lie where they lie */
        return 0.0f;
    return cfg->picture.commitment * weights->of_square->data[0] * (float)cfg->picture.model.latent / pixels_of_latent;
}

static RsdStatus take_codes(Tape *tape, const TrainConfig *cfg, TrainState *state, Group *group, const ImageWeights *weights, Tensor *y,
                            Quantised *quantised, RsdError *err)
{
    ImageCodec *codec = state->image;
    const int64_t batch = y->shape[0], area = y->shape[2] * y->shape[3];
    const int n_q = image_quantise_stages(cfg, state->step);
    const bool frozen = cfg->train.frozen != FROZEN_NOTHING, stands = codec->config.quantizer != IMAGE_RVQ;
    Tensor *frames, *found, *commitment, *bits;
    uint16_t *codes;
    RsdStatus status = RSD_OK;

    quantised->integer = frozen || share_done(cfg, state->step) >= (double)cfg->picture.integer_start;
    TRY(image_codec_as_frames(tape, y, &frames, err));
    TRY(arena_alloc(tape->arena, &codes, (size_t)(batch * n_q * area), sizeof *codes, err));
    TRY(rvq_encode(tape, codec->rvq, frames, n_q, codes, err)); /* before the codes move */
    TRY(stage_prior_estimate(tape, codec, codes, batch, n_q, y->shape[2], y->shape[3], quantised->integer, &bits, NULL,
                             &quantised->max_activation, err));
    quantised->bits = (double)bits->data[0];
    rvq_set_group(codec->rvq, group);
    rvq_set_training(codec->rvq, &cfg->train.codes);
    TRY(rvq_train(tape, codec->rvq, frames, n_q, (uint64_t)cfg->train.seed, (uint64_t)state->step, frozen || stands, &found, &commitment,
                  &quantised->codes, err));
    TRY(op_reshape(tape, found, 4, y->shape, &quantised->y_hat, err));
    TRY(op_scale(tape, bits, weights->of_bits->data[0], &bits, err));
    TRY(op_scale(tape, commitment, commitment_weight(cfg, weights), &commitment, err));
    TRY(op_add(tape, bits, commitment, &quantised->loss, err));
fail:
    return status;
}

RsdStatus image_quantise(Tape *tape, const TrainConfig *cfg, TrainState *state, Group *group, const ImageWeights *weights, Tensor *y,
                         Quantised *quantised, RsdError *err)
{
    memset(quantised, 0, sizeof *quantised);
    return state->image->config.quantizer != IMAGE_SCALAR ? take_codes(tape, cfg, state, group, weights, y, quantised, err)
                                                       : round_latents(tape, cfg, state, group, weights, y, quantised, err);
}

/* ---- validation ---- */

int image_quantise_n_levels(const ImageCodecConfig *cfg)
{
    return image_codec_level_max(cfg) / 16 + 1;
}

/* The rate of codes is what it is: all stages are trained with the weight of the lowest level. */
double image_quantise_lambda(const ImageCodecConfig *cfg, int level)
{
    return image_codec_lambda(cfg->quantizer != IMAGE_SCALAR ? 0 : level);
}

int64_t image_quantise_n_alive(const ImageCodecConfig *cfg)
{
    return cfg->quantizer != IMAGE_SCALAR ? cfg->codebook_size : cfg->latent;
}

static void note_alive(const PriorResult *prior, int64_t channels, uint8_t *alive)
{
    for (int i = 0; i < 2; i++) {
        const Tensor *index = prior->y_index[i];
        const int64_t count = index->shape[2] * index->shape[3];

        for (int64_t k = 0; k < channels * count; k++)
            if (index->data[k] >= 0.5f)
                alive[k / count] = 1;
    }
}

static RsdStatus round_held_out(Tape *tape, const ImageCodec *codec, int level, Tensor *y, QuantisedPicture *quantised, uint8_t *alive,
                                RsdError *err)
{
    const PriorOptions as_float = {.rounding = ROUND_COINCIDE}, as_integer = {.as_integer = true, .rounding = ROUND_COINCIDE};
    PriorResult prior;
    Tensor *scaled, *z;
    RsdStatus status = RSD_OK;

    TRY(image_codec_scale(tape, codec, &level, y, &scaled, err));
    TRY(image_codec_hyper(tape, codec, scaled, &z, err));
    TRY(image_prior_estimate(tape, codec, &level, scaled, z, &as_float, &prior, err));
    quantised->float_bits = bits_of(tape, &prior);
    TRY(image_prior_estimate(tape, codec, &level, scaled, z, &as_integer, &prior, err));
    quantised->bits = bits_of(tape, &prior);
    quantised->z_bits = sum_of(tape, prior.z_bits);
    quantised->max_activation = prior.max_activation;
    quantised->y_hat = prior.y_hat;
    note_alive(&prior, codec->config.latent, alive);
fail:
    return status;
}

static RsdStatus code_held_out(Tape *tape, const ImageCodec *codec, int level, Tensor *y, QuantisedPicture *quantised, uint8_t *alive,
                               RsdError *err)
{
    const int n_q = image_codec_stages(level);
    const int64_t h = y->shape[2], w = y->shape[3];
    Tensor *frames, *bits;
    uint16_t *codes;
    RsdStatus status = RSD_OK;

    TRY(image_codec_as_frames(tape, y, &frames, err));
    TRY(arena_alloc(tape->arena, &codes, (size_t)(n_q * h * w), sizeof *codes, err));
    TRY(rvq_encode(tape, codec->rvq, frames, n_q, codes, err));
    for (int rounded = 0; rounded < 2; rounded++) {
        TRY(stage_prior_estimate(tape, codec, codes, 1, n_q, h, w, rounded, &bits, NULL, &quantised->max_activation, err));
        *(rounded ? &quantised->bits : &quantised->float_bits) = (double)bits->data[0];
    }
    for (int64_t i = 0; i < h * w; i++)
        alive[codes[(n_q - 1) * h * w + i]] = 1;
    TRY(rvq_decode(tape, codec->rvq, codes, 1, n_q, h * w, &frames, err));
    TRY(op_reshape(tape, frames, 4, y->shape, &quantised->y_hat, err));
fail:
    return status;
}

RsdStatus image_quantise_held_out(Tape *tape, const ImageCodec *codec, int level, Tensor *y, QuantisedPicture *quantised, uint8_t *alive,
                                  RsdError *err)
{
    memset(quantised, 0, sizeof *quantised);
    return codec->config.quantizer != IMAGE_SCALAR ? code_held_out(tape, codec, level, y, quantised, alive, err)
                                                : round_held_out(tape, codec, level, y, quantised, alive, err);
}
