/* image_codec.c - configuration and life of a picture codec. Network: image_net.c; prior: image_prior.c; files:
 * image_codec_file.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_codec.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "models/image_net.h"
#include "models/image_prior.h"

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
                              .entropy = 384};
}

static RsdStatus check_range(const char *field, int value, int low, int high, RsdError *err)
{
    if (value < low || value > high)
        return error_set(err, RSD_ERR_ARG, "%s is %d, expected %d to %d", field, value, low, high);
    return RSD_OK;
}

RsdStatus image_codec_check_config(const ImageCodecConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(model_name_is_valid(cfg->name), err, RSD_ERR_ARG,
          "the model's name must have 1 to %d letters, digits, dots, dashes or underscores", MODEL_NAME_SIZE - 1);
    TRY(check_range("latent", cfg->latent, 1, MAX_WIDTH, err));
    TRY(check_range("hyper", cfg->hyper, 1, MAX_WIDTH, err));
    for (int i = 0; i < IMAGE_SCALES; i++) {
        TRY(check_range("widths", cfg->widths[i], 1, MAX_WIDTH, err));
        TRY(check_range("encoder_blocks", cfg->encoder_blocks[i], 0, IMAGE_MAX_BLOCKS, err));
        TRY(check_range("decoder_blocks", cfg->decoder_blocks[i], 0, IMAGE_MAX_BLOCKS, err));
    }
    TRY(check_range("context", cfg->context, 1, MAX_WIDTH, err));
    TRY(check_range("entropy", cfg->entropy, 1, MAX_WIDTH, err));
    TRY(check_range("heads", cfg->heads, 0, 1, err));
    TRY(check_range("latent + context", cfg->latent + cfg->context, 1, MAX_PRIOR_INPUTS, err));
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
    TRY(params_create(&codec->params, err));
    TRY(image_net_create(&codec->net, cfg, codec->params, seed, err));
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
    params_destroy(&(*codec)->params);
    mem_free(codec);
}

RsdStatus image_codec_make_prior(ImageCodec *codec, RsdError *err)
{
    IntegerPrior *prior;
    RsdStatus status = integer_prior_create(&prior, codec, err);

    if (status != RSD_OK)
        return status;
    integer_prior_destroy(&codec->prior);
    codec->prior = prior;
    return RSD_OK;
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

double image_codec_lambda(int level)
{
    static const double lambdas[IMAGE_LEVELS] = {.0018, .0035, .0067, .0130, .0250, .0483, .0932, .1800}; /* image.md 12.3 */
    const int at = level / 16;

    return at >= IMAGE_LEVELS - 1 ? lambdas[IMAGE_LEVELS - 1]
                                  : lambdas[at] * pow(lambdas[at + 1] / lambdas[at], (level % 16) / 16.0);
}
