/* image_codec.c - configuration and life of a picture codec. Network: image_net.c; prior: image_prior.c; files:
 * image_codec_file.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_codec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/shape.h"
#include "models/image_lattice.h"
#include "models/image_net.h"
#include "models/image_prior.h"
#include "models/image_steps.h"
#include "models/stage_prior.h"

#define MAX_WIDTH 1024
#define MAX_PRIOR_INPUTS 2064 /* of an output: sums of 32 bits cannot overflow [image.md 10.6] */

void image_codec_default_config(ImageCodecConfig *cfg)
{
    *cfg = (ImageCodecConfig){.name = "photo",
                              .latent = 192,
                              .hyper = 96,
                              .widths = {64, 112, 160},
                              .encoder_blocks = {2, 3, 3},
                              .decoder_blocks = {3, 3, 3},
                              .context = 128,
                              .entropy = 384,
                              .codebooks = 4,
                              .codebook_size = 256,
                              .codebook_decay = 0.99f,
                              .dead_below = 0.1f};
}

static RsdStatus check_range(const char *field, int value, int low, int high, RsdError *err)
{
    if (value < low || value > high)
        return error_set(err, RSD_ERR_ARG, "%s is %d, expected %d to %d", field, value, low, high);
    return RSD_OK;
}

static RvqConfig rvq_config_of(const ImageCodecConfig *cfg)
{
    return (RvqConfig){.n_q = cfg->codebooks,
                       .codebook_size = cfg->codebook_size,
                       .dim = cfg->latent,
                       .ema_decay = cfg->codebook_decay,
                       .dead_below = cfg->dead_below};
}

static RsdStatus check_quantizer(const ImageCodecConfig *cfg, RsdError *err)
{
    const RvqConfig rvq = rvq_config_of(cfg);
    RsdStatus status = RSD_OK;

    TRY(check_range("quantizer", cfg->quantizer, IMAGE_SCALAR, IMAGE_BSQ, err));
    if (cfg->quantizer != IMAGE_SCALAR) {
        TRY(check_range("codebooks", cfg->codebooks, 1, IMAGE_MAX_STAGES, err));
        TRY(check_range("codebook_size", cfg->codebook_size, 2, IMAGE_MAX_CODES, err));
        TRY(rvq_check_config(&rvq, err));
        return image_lattice_check(cfg, err);
    }
    TRY(check_range("hyper", cfg->hyper, 1, MAX_WIDTH, err));
    TRY(check_range("entropy", cfg->entropy, 1, MAX_WIDTH, err));
    TRY(check_range("steps", cfg->steps, 0, 1, err));
fail:
    return status;
}

RsdStatus image_codec_check_config(const ImageCodecConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(model_name_is_valid(cfg->name), err, RSD_ERR_ARG,
          "the model's name must have 1 to %d letters, digits, dots, dashes or underscores", MODEL_NAME_SIZE - 1);
    TRY(check_range("latent", cfg->latent, 1, MAX_WIDTH, err));
    TRY(check_quantizer(cfg, err));
    for (int i = 0; i < IMAGE_SCALES; i++) {
        TRY(check_range("widths", cfg->widths[i], 1, MAX_WIDTH, err));
        TRY(check_range("encoder_blocks", cfg->encoder_blocks[i], 0, IMAGE_MAX_BLOCKS, err));
        TRY(check_range("decoder_blocks", cfg->decoder_blocks[i], 0, IMAGE_MAX_BLOCKS, err));
    }
    TRY(check_range("context", cfg->context, 1, MAX_WIDTH, err));
    TRY(check_range("heads", cfg->heads, 0, 1, err));
    TRY(check_range("latent + context", cfg->latent + cfg->context, 1, MAX_PRIOR_INPUTS, err));
fail:
    return status;
}

/* What the other quantiser alone uses has no meaning. */
static void clear_unused(ImageCodecConfig *cfg)
{
    if (cfg->quantizer != IMAGE_SCALAR) {
        cfg->hyper = cfg->entropy = cfg->steps = 0;
    } else {
        cfg->codebooks = cfg->codebook_size = 0;
        cfg->codebook_decay = cfg->dead_below = 0.0f;
    }
}

RsdStatus image_codec_add_params(ImageCodec *codec, uint64_t seed, RsdError *err)
{
    const RvqConfig rvq = rvq_config_of(&codec->config);
    RsdStatus status = RSD_OK;

    if (codec->config.quantizer != IMAGE_SCALAR && !codec->params->left_out) /* decoders need the prior alone, which has the codes */
        TRY(rvq_create(&codec->rvq, &rvq, codec->params, err));
    TRY(image_net_create(&codec->net, &codec->config, codec->params, seed, err));
fail:
    return status;
}

RsdStatus image_codec_create(ImageCodec **out, const ImageCodecConfig *cfg, uint64_t seed, RsdError *err)
{
    ImageCodec *codec = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(image_codec_check_config(cfg, err));
    TRY(mem_calloc(&codec, 1, sizeof *codec, err));
    codec->config = *cfg;
    clear_unused(&codec->config);
    TRY(params_create(&codec->params, err));
    TRY(image_codec_add_params(codec, seed, err));
    image_lattice_set_codes(codec);
    *out = codec;
    return RSD_OK;
fail:
    image_codec_destroy(&codec);
    return status;
}

void image_codec_destroy(ImageCodec **codec)
{
    if (!*codec)
        return;
    image_net_destroy(&(*codec)->net);
    integer_prior_destroy(&(*codec)->prior);
    integer_steps_destroy(&(*codec)->steps);
    stage_prior_destroy(&(*codec)->stage_prior);
    rvq_destroy(&(*codec)->rvq);
    mem_free(&(*codec)->scale_weights);
    params_destroy(&(*codec)->params);
    mem_free(codec);
}

static RsdStatus make_stage_prior(ImageCodec *codec, RsdError *err)
{
    StagePrior *prior;
    RsdStatus status = stage_prior_create(&prior, codec, err);

    if (status != RSD_OK)
        return status;
    stage_prior_destroy(&codec->stage_prior);
    codec->stage_prior = prior;
    return RSD_OK;
}

/* Steps may change around a prior that is kept. */
static RsdStatus make_steps(ImageCodec *codec, RsdError *err)
{
    IntegerSteps *steps;
    RsdStatus status = integer_steps_create(&steps, codec, err);

    if (status != RSD_OK)
        return status;
    integer_steps_destroy(&codec->steps);
    codec->prior->steps = codec->steps = steps;
    return RSD_OK;
}

RsdStatus image_codec_make_prior(ImageCodec *codec, RsdError *err)
{
    IntegerPrior *prior;
    RsdStatus status;

    if (codec->keeps_prior)
        return codec->config.steps ? make_steps(codec, err) : RSD_OK;
    if (codec->config.quantizer != IMAGE_SCALAR)
        return make_stage_prior(codec, err);
    status = integer_prior_create(&prior, codec, err);
    if (status != RSD_OK)
        return status;
    integer_prior_destroy(&codec->prior);
    codec->prior = prior;
    return codec->config.steps ? make_steps(codec, err) : RSD_OK;
}

RsdStatus image_codec_freeze(ImageCodec *codec, RsdError *err)
{
    return image_net_freeze(codec->net, err);
}

int64_t image_codec_count_parameters(const ImageCodecConfig *cfg)
{
    return image_net_count(cfg);
}

ImageCodecMacs image_codec_macs(const ImageCodecConfig *cfg)
{
    return image_net_macs(cfg);
}

/* ---- codes ---- */

RsdStatus image_codec_as_frames(Tape *tape, Tensor *y, Tensor **frames, RsdError *err)
{
    return op_reshape(tape, y, 3, (int64_t[]){y->shape[0], y->shape[1], y->shape[2] * y->shape[3]}, frames, err);
}

RsdStatus image_codec_init_codes(Tape *tape, ImageCodec *codec, const Tensor *y, uint64_t seed, RsdError *err)
{
    const int64_t n_codes = codec->config.codebook_size, dim = codec->config.latent;
    const int64_t shape[] = {y->shape[0], y->shape[1], y->shape[2] * y->shape[3]};
    Tensor *frames;
    RsdStatus status = RSD_OK;

    TRY(tape_input(tape, &frames, 3, shape, y->data, err));
    TRY(rvq_init_codebooks(tape, codec->rvq, frames, seed, err));
    for (int q = 0; q < codec->config.codebooks; q++) {
        char name[32];
        Tensor *count, *sum;

        snprintf(name, sizeof name, "rvq.%d.count", q);
        count = params_find(codec->params, name);
        snprintf(name, sizeof name, "rvq.%d.sum", q);
        sum = params_find(codec->params, name);
        TRY(stage_prior_sort(codec->net->embed[q]->data, count->data, sum->data, n_codes, dim, err));
    }
    rvq_refresh(codec->rvq);
fail:
    return status;
}

double image_codec_lambda(int level)
{
    static const double lambdas[IMAGE_LEVELS] = {.0018, .0035, .0067, .0130, .0250, .0483, .0932, .1800}; /* image.md 12.3 */
    const int at = level / 16;

    return at >= IMAGE_LEVELS - 1 ? lambdas[IMAGE_LEVELS - 1]
                                  : lambdas[at] * pow(lambdas[at + 1] / lambdas[at], (level % 16) / 16.0);
}
