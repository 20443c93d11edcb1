/* image_net.c - description and weights of network F, and its levels; what it computes: image_transforms.c.
 *
 * `image_net_describe` writes down which layers there are; counting, registering and freezing walk over that description.
 *
 *   picture ─ unshuffle 4 ─ conv3 ─ SB ─ unshuffle 2 ─ pw ─ SB ─ unshuffle 2 ─ pw ─ SB ─ pw ─ y        w0 /4, w1 /8, w2 /16
 *   y^ ─ pw ─ SB ─ pw, shuffle 2 ─ SB ─ pw, shuffle 2 ─ SB ─ conv3, shuffle 4 ─ picture
 *
 * The layer scale of a block, which begins at a tenth, is in the weights of its last layer. models/image_start.c makes a better
 * beginning than these random weights.
 *
 * [1] image.md 12.1, 12.5-F.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/latent.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/linear.h"
#include "engine/ops/quantise.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"
#include "models/stage_prior.h"

#define PICTURE_CHANNELS 48   /* of 4 x 4 pixels */
#define HEAD_CHANNELS 12      /* of 2 x 2 pixels */
#define BLOCK_KERNEL 5
#define BLOCK_GAIN 0.1f       /* layer scale at the start */
#define LATENT_GAIN 4.0f      /* latents begin with a deviation of some steps, so that rounding does not silence them */
#define PICTURE_GAIN 4.0f     /* pixels have a deviation of a quarter around 1/2 */
#define LOG_GAIN_LIMIT 3.0f   /* [image.md 12.7] */
#define FIRST_INDEX 30.0f     /* of the scale grid: a deviation of 1.3 */
#define Z_SPREAD 10.0         /* of the learned distributions at the start [image.md 10.7] */

const char *const PRIOR_LAYER_NAMES[PRIOR_N_LAYERS] = {
    "prior.up1", "prior.block.taps", "prior.block.in", "prior.block.out", "prior.up2", "prior.smooth",
    "prior.psi", "prior.context_in", "prior.context",  "prior.join",      "prior.mix", "prior.out"};

bool image_prior_layer_has_relu(PriorLayer layer)
{
    return layer == PRIOR_UP1 || layer == PRIOR_BLOCK_IN || layer == PRIOR_UP2 || layer == PRIOR_JOIN || layer == PRIOR_MIX;
}

/* ---- description ---- */

static Conv2dLayer dense(const char *name, int c_in, int c_out, int kernel)
{
    Conv2dLayer layer = {.c_in = c_in, .c_out = c_out, .kernel = kernel};

    snprintf(layer.name, sizeof layer.name, "%s", name);
    return layer;
}

static Conv2dLayer depthwise(const char *name, int c, int kernel)
{
    Conv2dLayer layer = dense(name, c, c, kernel);

    layer.depthwise = true;
    return layer;
}

static void describe_scale(ImageScale *scale, const char *side, int i, int c, int n_blocks)
{
    char name[LAYER_NAME_SIZE];

    scale->n_blocks = n_blocks;
    for (int j = 0; j < n_blocks; j++) {
        ImageBlock *block = &scale->blocks[j];

        snprintf(name, sizeof name, "%s.scales.%d.blocks.%d.taps", side, i, j);
        block->taps = depthwise(name, c, BLOCK_KERNEL);
        snprintf(name, sizeof name, "%s.scales.%d.blocks.%d.in", side, i, j);
        block->in = dense(name, c, 2 * c, 1);
        snprintf(name, sizeof name, "%s.scales.%d.blocks.%d.out", side, i, j);
        block->out = dense(name, 2 * c, c, 1);
        block->out.init_gain = BLOCK_GAIN;
    }
}

static void describe_transforms(ImageNet *net, const ImageCodecConfig *cfg)
{
    char name[LAYER_NAME_SIZE];

    for (int i = 0; i < IMAGE_SCALES; i++) {
        const int finer = i ? cfg->widths[i - 1] : 0, c = cfg->widths[i];

        describe_scale(&net->encoder[i], "encoder", i, c, cfg->encoder_blocks[i]);
        describe_scale(&net->decoder[i], "decoder", i, c, cfg->decoder_blocks[i]);
        snprintf(name, sizeof name, "encoder.scales.%d.down", i);
        net->encoder[i].resample = i ? dense(name, 4 * finer, c, 1) : dense(name, PICTURE_CHANNELS, c, 3);
        snprintf(name, sizeof name, "decoder.scales.%d.up", i);
        net->decoder[i].resample = i ? dense(name, c, 4 * finer, 1) : dense(name, c, PICTURE_CHANNELS, 3);
    }
    net->encoder[0].resample.init_gain = PICTURE_GAIN;
    net->decoder[0].resample.init_gain = 1.0f / PICTURE_GAIN;
    net->encoder_out = dense("encoder.out", cfg->widths[IMAGE_SCALES - 1], cfg->latent, 1);
    net->encoder_out.init_gain = LATENT_GAIN;
    net->decoder_in = dense("decoder.in", cfg->latent, cfg->widths[IMAGE_SCALES - 1], 1);
    net->decoder_in.init_gain = 1.0f / LATENT_GAIN;
    /* All that a picture is goes through these once, while blocks add to what is there. */
    net->encoder_out.fine = net->decoder_in.fine = net->decoder[IMAGE_SCALES - 1].resample.fine = true;
    net->n_heads = cfg->heads ? IMAGE_HEADS : 0;
    for (int i = 0; i < net->n_heads; i++) {
        snprintf(name, sizeof name, "heads.%d", i);
        net->heads[i] = dense(name, cfg->widths[i], HEAD_CHANNELS, 1);
        net->heads[i].init_gain = 1.0f / PICTURE_GAIN;
    }
}

static void describe_hyper(ImageNet *net, const ImageCodecConfig *cfg)
{
    char name[LAYER_NAME_SIZE];

    net->hyper_in = dense("hyper.in", cfg->latent, cfg->hyper, 1);
    for (int i = 0; i < IMAGE_HYPER_STAGES; i++) {
        snprintf(name, sizeof name, "hyper.stages.%d.taps", i);
        net->hyper_taps[i] = depthwise(name, cfg->hyper, 5);
        snprintf(name, sizeof name, "hyper.stages.%d.down", i);
        net->hyper_down[i] = dense(name, 4 * cfg->hyper, cfg->hyper, 1);
    }
}

static void describe_prior(ImageNet *net, const ImageCodecConfig *cfg)
{
    const int h = cfg->hyper, m = cfg->latent, c = cfg->context, e = cfg->entropy;
    const struct {
        int c_in, c_out, taps; /* taps 0: dense */
    } sizes[PRIOR_N_LAYERS] = {[PRIOR_UP1] = {h, 4 * h, 0},        [PRIOR_BLOCK_TAPS] = {h, h, 3},
                               [PRIOR_BLOCK_IN] = {h, 2 * h, 0},   [PRIOR_BLOCK_OUT] = {2 * h, h, 0},
                               [PRIOR_UP2] = {h, 4 * m, 0},        [PRIOR_SMOOTH] = {m, m, 3},
                               [PRIOR_PSI] = {m, m, 0},            [PRIOR_CONTEXT_IN] = {m, c, 0},
                               [PRIOR_CONTEXT] = {c, c, 5},        [PRIOR_JOIN] = {m + c, e, 0},
                               [PRIOR_MIX] = {e, e, 0},            [PRIOR_OUT] = {e, 2 * m, 0}};

    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        net->prior[i] = sizes[i].taps ? depthwise(PRIOR_LAYER_NAMES[i], sizes[i].c_in, sizes[i].taps)
                                      : dense(PRIOR_LAYER_NAMES[i], sizes[i].c_in, sizes[i].c_out, 1);
    net->prior[PRIOR_BLOCK_OUT].init_gain = BLOCK_GAIN;
    net->prior[PRIOR_MIX].init_gain = BLOCK_GAIN;
    net->prior[PRIOR_OUT].init_gain = BLOCK_GAIN;
}

void image_net_stage_name(char name[LAYER_NAME_SIZE], int stage, StageLayer layer)
{
    snprintf(name, LAYER_NAME_SIZE, "prior.%d.%s", stage, STAGE_LAYER_NAMES[layer]);
}

static void describe_stages(ImageNet *net, const ImageCodecConfig *cfg)
{
    const int c = cfg->context;
    const struct {
        int c_in, c_out;
    } sizes[STAGE_N_LAYERS] = {[STAGE_IN] = {2 * cfg->latent, c},
                               [STAGE_CONTEXT] = {c, c},
                               [STAGE_MIX_1] = {c, c},
                               [STAGE_MIX_2] = {c, c},
                               [STAGE_OUT] = {c, cfg->codebook_size - 1}};

    net->n_stages = cfg->codebooks;
    for (int q = 0; q < net->n_stages; q++)
        for (int i = 0; i < STAGE_N_LAYERS; i++) {
            char name[LAYER_NAME_SIZE];

            image_net_stage_name(name, q, (StageLayer)i);
            net->stages[q][i] = i == STAGE_CONTEXT ? depthwise(name, c, STAGE_CONTEXT_SIZE)
                                                   : dense(name, sizes[i].c_in, sizes[i].c_out, 1);
            net->stages[q][i].init_gain = i >= STAGE_MIX_1 ? BLOCK_GAIN : 0.0f;
        }
}

void image_net_describe(ImageNet *net, const ImageCodecConfig *cfg)
{
    memset(net, 0, sizeof *net);
    describe_transforms(net, cfg);
    if (cfg->quantizer != IMAGE_SCALAR) {
        describe_stages(net, cfg);
        return;
    }
    describe_hyper(net, cfg);
    describe_prior(net, cfg);
    if (cfg->steps)
        net->steps_local = dense("steps.local", cfg->latent, 1, 1);
}

/* ---- walks ---- */

typedef RsdStatus (*LayerVisit)(Conv2dLayer *layer, void *ctx, RsdError *err);

static RsdStatus visit_scale(ImageScale *scale, LayerVisit visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(visit(&scale->resample, ctx, err));
    for (int j = 0; j < scale->n_blocks; j++) {
        TRY(visit(&scale->blocks[j].taps, ctx, err));
        TRY(visit(&scale->blocks[j].in, ctx, err));
        TRY(visit(&scale->blocks[j].out, ctx, err));
    }
fail:
    return status;
}

static RsdStatus visit_transforms(ImageNet *net, LayerVisit visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < IMAGE_SCALES; i++) {
        TRY(visit_scale(&net->encoder[i], visit, ctx, err));
        TRY(visit_scale(&net->decoder[i], visit, ctx, err));
    }
    TRY(visit(&net->encoder_out, ctx, err));
    TRY(visit(&net->decoder_in, ctx, err));
fail:
    return status;
}

static RsdStatus visit_hyper(ImageNet *net, LayerVisit visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(visit(&net->hyper_in, ctx, err));
    for (int i = 0; i < IMAGE_HYPER_STAGES; i++) {
        TRY(visit(&net->hyper_taps[i], ctx, err));
        TRY(visit(&net->hyper_down[i], ctx, err));
    }
fail:
    return status;
}

static RsdStatus visit_all(ImageNet *net, LayerVisit visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(visit_transforms(net, visit, ctx, err));
    if (net->n_stages == 0)
        TRY(visit_hyper(net, visit, ctx, err));
    for (int i = 0; i < PRIOR_N_LAYERS && net->n_stages == 0; i++)
        TRY(visit(&net->prior[i], ctx, err));
    for (int q = 0; q < net->n_stages; q++)
        for (int i = 0; i < STAGE_N_LAYERS; i++)
            TRY(visit(&net->stages[q][i], ctx, err));
    for (int i = 0; i < net->n_heads; i++) /* last, so that the others are drawn alike with and without them */
        TRY(visit(&net->heads[i], ctx, err));
    if (net->steps_local.c_out > 0)
        TRY(visit(&net->steps_local, ctx, err));
fail:
    return status;
}

static RsdStatus add_count(Conv2dLayer *layer, void *ctx, RsdError *err)
{
    (void)err;
    *(int64_t *)ctx += conv2d_layer_count(layer);
    return RSD_OK;
}

int64_t image_net_count(const ImageCodecConfig *cfg)
{
    ImageNet net;
    int64_t count = cfg->quantizer != IMAGE_SCALAR ? (int64_t)cfg->codebooks * cfg->codebook_size * cfg->latent
                                                : (int64_t)cfg->hyper * FACTORISED_WEIGHTS + (cfg->steps ? 4 : 3) * (int64_t)IMAGE_LEVELS * cfg->latent;

    image_net_describe(&net, cfg);
    (void)visit_all(&net, add_count, &count, NULL);
    return count;
}

static double macs_of_scale(const ImageScale *scale)
{
    double macs = 0;

    for (int j = 0; j < scale->n_blocks; j++)
        macs += conv2d_layer_macs(&scale->blocks[j].taps) + conv2d_layer_macs(&scale->blocks[j].in) +
                conv2d_layer_macs(&scale->blocks[j].out);
    return macs;
}

ImageCodecMacs image_net_macs(const ImageCodecConfig *cfg)
{
    static const double places[PRIOR_N_LAYERS] = {/* of a latent, for each */
                                                  [PRIOR_UP1] = 1 / 16.0,      [PRIOR_BLOCK_TAPS] = 1 / 4.0,
                                                  [PRIOR_BLOCK_IN] = 1 / 4.0,  [PRIOR_BLOCK_OUT] = 1 / 4.0,
                                                  [PRIOR_UP2] = 1 / 4.0,       [PRIOR_SMOOTH] = 1,
                                                  [PRIOR_PSI] = 1,             [PRIOR_CONTEXT_IN] = 0.5,
                                                  [PRIOR_CONTEXT] = 0.5,       [PRIOR_JOIN] = 1,
                                                  [PRIOR_MIX] = 1,             [PRIOR_OUT] = 1};
    ImageCodecMacs macs = {0};
    double pixels = 16; /* of a place of this scale */
    ImageNet net;

    image_net_describe(&net, cfg);
    for (int i = 0; i < IMAGE_SCALES; i++, pixels *= 4) {
        macs.analysis += (macs_of_scale(&net.encoder[i]) + conv2d_layer_macs(&net.encoder[i].resample)) / pixels;
        macs.synthesis += (macs_of_scale(&net.decoder[i]) + conv2d_layer_macs(&net.decoder[i].resample)) / pixels;
    }
    macs.analysis += conv2d_layer_macs(&net.encoder_out) / 256;
    macs.synthesis += conv2d_layer_macs(&net.decoder_in) / 256;
    for (int q = 0; q < net.n_stages; q++)
        for (int i = 0; i < STAGE_N_LAYERS; i++) /* the first two at all places in both passes */
            macs.prior += conv2d_layer_macs(&net.stages[q][i]) * (i <= STAGE_CONTEXT ? 2 : 1) / 256;
    if (net.n_stages > 0)
        return macs;
    macs.analysis += conv2d_layer_macs(&net.hyper_in) / 256;
    pixels = 256;
    for (int i = 0; i < IMAGE_HYPER_STAGES; i++, pixels *= 4)
        macs.analysis += conv2d_layer_macs(&net.hyper_taps[i]) / pixels + conv2d_layer_macs(&net.hyper_down[i]) / (4 * pixels);
    if (net.steps_local.c_out > 0)
        macs.prior += conv2d_layer_macs(&net.steps_local) / 256;
    for (int i = 0; i < PRIOR_N_LAYERS; i++)
        macs.prior += conv2d_layer_macs(&net.prior[i]) * places[i] / 256;
    return macs;
}

/* ---- life ---- */

typedef struct Registration {
    ParamSet *params;
    uint64_t seed;
    uint32_t n_layers;
} Registration;

static RsdStatus register_layer(Conv2dLayer *layer, void *ctx, RsdError *err)
{
    Registration *to = ctx;
    Rng rng = rng_at(to->seed, RNG_INIT, 0, to->n_layers++);

    return conv2d_layer_register(layer, to->params, &rng, err);
}

static RsdStatus add_table(ParamSet *params, const char *name, int64_t rows, int64_t columns, Tensor **out, RsdError *err)
{
    RsdStatus status = params_add(params, name, 2, (int64_t[]){rows, columns}, true, out, err);

    if (status == RSD_OK)
        params->items[params->n_items - 1].elementwise = true;
    return status;
}

/* A wide bell with its middle drawn at random [image.md 10.7]. */
static void draw_z_weights(Tensor *z_weights, Rng *rng)
{
    static const int widths[] = {1, 3, 3, 3, 3, 1};
    const double spread = pow(Z_SPREAD, 1.0 / 5);

    for (int64_t c = 0; c < z_weights->shape[0]; c++) {
        float *w = z_weights->data + c * FACTORISED_WEIGHTS;

        for (int k = 0; k < 5; k++) {
            const double h = log(expm1(1.0 / (spread * widths[k + 1])));

            for (int i = 0; i < widths[k] * widths[k + 1]; i++)
                *w++ = (float)h;
            for (int i = 0; i < widths[k + 1]; i++)
                *w++ = rng_between(rng, -0.5f, 0.5f);
            for (int i = 0; i < widths[k + 1] && k < 4; i++)
                *w++ = 0.0f;
        }
    }
}

static void draw_tables(ImageNet *net, const ImageCodecConfig *cfg, uint64_t seed)
{
    Rng rng = rng_at(seed, RNG_INIT, 0, UINT32_MAX);

    draw_z_weights(net->z_weights, &rng);
    params_fill_constant(net->level_bias, 0.0f);
    for (int64_t l = 0; l < IMAGE_LEVELS; l++)
        for (int64_t c = 0; c < cfg->latent; c++) {
            const double log_gain = 0.5 * log(image_codec_lambda((int)(16 * l)) / image_codec_lambda(64));

            net->log_gain->data[l * cfg->latent + c] = net->log_inverse_gain->data[l * cfg->latent + c] = (float)log_gain;
        }
    for (int64_t c = 0; c < cfg->latent; c++)
        net->prior[PRIOR_OUT].bias->data[cfg->latent + c] = FIRST_INDEX;
    if (!cfg->steps)
        return;
    params_fill_constant(net->steps_local.weight, 0.0f); /* all steps are 1 at first */
    params_fill_constant(net->steps_levels, 0.0f);
}

/* A model file has the prior and the codes as integers; their float forms are for checkpoints of training alone. */
static void keep_prior_for_training(ParamSet *params)
{
    for (size_t i = 0; i < params->n_items; i++)
        if ((strncmp(params->items[i].name, "prior.", 6) == 0 && strcmp(params->items[i].name, "prior.z") != 0) ||
            strncmp(params->items[i].name, "steps.", 6) == 0 || strncmp(params->items[i].name, "rvq.", 4) == 0)
            params->items[i].training_only = true;
}

static RsdStatus add_tables(ImageNet *net, const ImageCodecConfig *cfg, ParamSet *params, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(add_table(params, "gain.log", IMAGE_LEVELS, cfg->latent, &net->log_gain, err));
    TRY(add_table(params, "gain.log_inverse", IMAGE_LEVELS, cfg->latent, &net->log_inverse_gain, err));
    TRY(add_table(params, "prior.level_bias", IMAGE_LEVELS, cfg->latent, &net->level_bias, err));
    TRY(add_table(params, "prior.z", cfg->hyper, FACTORISED_WEIGHTS, &net->z_weights, err));
    if (cfg->steps)
        TRY(add_table(params, "steps.levels", IMAGE_LEVELS, cfg->latent, &net->steps_levels, err));
fail:
    return status;
}

RsdStatus image_net_create(ImageNet **out, const ImageCodecConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err)
{
    Registration registration = {params, seed, 0};
    ImageNet *net = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_alloc(&net, 1, sizeof *net, err));
    image_net_describe(net, cfg);
    TRY(visit_all(net, register_layer, &registration, err));
    for (int q = 0; q < net->n_stages; q++) {
        char name[32];

        snprintf(name, sizeof name, "rvq.%d.embed", q);
        net->embed[q] = params_find(params, name);
    }
    if (net->n_stages == 0)
        TRY(add_tables(net, cfg, params, err));
    keep_prior_for_training(params);
    if (!params->for_inference && net->n_stages == 0)
        draw_tables(net, cfg, seed);
    *out = net;
    return RSD_OK;
fail:
    image_net_destroy(&net);
    return status;
}

void image_net_destroy(ImageNet **net)
{
    if (!*net)
        return;
    tape_destroy(&(*net)->frozen);
    rsd_threads_destroy(&(*net)->threads);
    mem_free(net);
}

static RsdStatus freeze_layer(Conv2dLayer *layer, void *ctx, RsdError *err)
{
    return conv2d_layer_freeze(layer, ctx, err);
}

static RsdStatus unfreeze_layer(Conv2dLayer *layer, void *ctx, RsdError *err)
{
    (void)ctx;
    (void)err;
    layer->weight->prepared = NULL;
    return RSD_OK;
}

static RsdStatus open_frozen(ImageNet *net, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!net->threads)
        TRY(rsd_threads_create(&net->threads, 1, err));
    if (!net->frozen)
        TRY(tape_create(&net->frozen, net->threads, 0, err));
fail:
    return status;
}

typedef struct Taking {
    const Tensor *weight;
    Conv2dLayer *layer; /* whose it is */
} Taking;

static RsdStatus find_layer(Conv2dLayer *layer, void *ctx, RsdError *err)
{
    Taking *taking = ctx;

    (void)err;
    if (layer->weight == taking->weight)
        taking->layer = layer;
    return RSD_OK;
}

RsdStatus image_net_take(ImageNet *net, Tensor *weight, RsdError *err)
{
    Taking taking = {.weight = weight};
    RsdStatus status = RSD_OK;

    TRY(open_frozen(net, err));
    (void)visit_all(net, find_layer, &taking, NULL);
    TRY(conv2d_layer_take(taking.layer, net->frozen, err));
fail:
    return status;
}

RsdStatus image_net_freeze(ImageNet *net, RsdError *err)
{
    RsdStatus status = RSD_OK;

    (void)visit_all(net, unfreeze_layer, NULL, NULL);
    TRY(open_frozen(net, err));
    tape_reset(net->frozen);
    TRY(visit_all(net, freeze_layer, net->frozen, err));
    return RSD_OK;
fail:
    (void)visit_all(net, unfreeze_layer, NULL, NULL);
    return status;
}

/* ---- levels ---- */

RsdStatus image_net_at_levels(Tape *tape, Tensor *table, const int *level, int64_t batch, Tensor **rows, RsdError *err)
{
    Tensor *mix;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &mix, 2, (int64_t[]){batch, IMAGE_LEVELS}, err));
    memset(mix->data, 0, (size_t)(batch * IMAGE_LEVELS) * sizeof *mix->data);
    for (int64_t b = 0; b < batch; b++) {
        float *row = mix->data + b * IMAGE_LEVELS;

        CHECK(level[b] >= 0 && level[b] <= IMAGE_LEVEL_MAX, err, RSD_ERR_ARG, "level %d of 0 to %d", level[b],
              IMAGE_LEVEL_MAX);
        row[level[b] / 16] = (float)(16 - level[b] % 16) / 16.0f;
        if (level[b] % 16)
            row[level[b] / 16 + 1] = (float)(level[b] % 16) / 16.0f;
    }
    TRY(op_matmul(tape, mix, table, rows, err));
fail:
    return status;
}

static RsdStatus scale_by(Tape *tape, Tensor *log_gain, bool inverse, const int *level, Tensor *y, Tensor **out, RsdError *err)
{
    const int64_t batch = y->shape[0];
    Tensor *g;
    RsdStatus status = RSD_OK;

    TRY(image_net_at_levels(tape, log_gain, level, batch, &g, err));
    TRY(op_bound(tape, g, -LOG_GAIN_LIMIT, LOG_GAIN_LIMIT, &g, err));
    if (inverse)
        TRY(op_scale(tape, g, -1.0f, &g, err));
    TRY(op_exp(tape, g, &g, err));
    TRY(op_reshape(tape, g, 4, (int64_t[]){batch, -1, 1, 1}, &g, err));
    TRY(op_mul(tape, y, g, out, err));
fail:
    return status;
}

RsdStatus image_codec_scale(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **scaled, RsdError *err)
{
    *scaled = y;
    return codec->config.quantizer != IMAGE_SCALAR ? RSD_OK
                                                : scale_by(tape, codec->net->log_gain, false, level, y, scaled, err);
}

RsdStatus image_codec_unscale(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **unscaled,
                              RsdError *err)
{
    *unscaled = y;
    return codec->config.quantizer != IMAGE_SCALAR ? RSD_OK
                                                : scale_by(tape, codec->net->log_inverse_gain, true, level, y, unscaled, err);
}
