/* seanet.c - the encoder and the decoder as lists of layers; seanet_run.c runs them.
 *
 * `describe` writes down which layers there are: names, sizes, padding, no memory. Everything else walks over that
 * description: counting, checking, registering, freezing. Each stage changes the rate by one ratio:
 *
 *   signal ─ in ─ [units ─ down /2] ─ [units ─ down /4] ─ [units ─ down /5] ─ [units ─ down /8] ─ LSTM ─ out ─ latent
 *            C0    C0      2 C0        ...                                     16 C0                     D
 *   latent ─ in ─ LSTM ─ [up x8 ─ units] ─ [up x5 ─ units] ─ [up x4 ─ units] ─ [up x2 ─ units] ─ out ─ signal
 *
 * [1] Tagliasacchi et al., SEANet, 2020.   [2] Defossez et al., EnCodec, 2022 (audio.md 1.2-1.5).
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/seanet_impl.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

#define MAX_CHANNELS 16
#define MAX_BASE_CHANNELS 512
#define MAX_WIDTH 8192 /* channels at the bottleneck */
#define MAX_LATENT_DIM 1024
#define MAX_RATIO 64
#define MAX_HOP 65536
#define MAX_KERNEL 63
/* Speech has an RMS of about 0.06, where an ELU is nearly a straight line. The first weights of the outer layers bring the
 * features near 1, so that the network is a non-linear one from its first step. */
#define SIGNAL_GAIN 12.0f
#define MAX_DILATION_BASE 16

/* ---- description ---- */

static ConvLayer describe_conv(const SeanetConfig *cfg, const char *prefix, const char *name, int c_in, int c_out, int kernel)
{
    ConvLayer layer = {.c_in = c_in,
                       .c_out = c_out,
                       .kernel = kernel,
                       .weight_norm = cfg->norm == SEANET_NORM_WEIGHT,
                       .group_norm = cfg->norm == SEANET_NORM_GROUP,
                       .params = {.stride = 1,
                                  .dilation = 1,
                                  .groups = 1,
                                  .rule = cfg->causal ? PAD_CAUSAL : PAD_SAME,
                                  .mode = cfg->pad,
                                  .trim_right_ratio = 1.0f}};

    snprintf(layer.name, sizeof layer.name, "%s.%s", prefix, name);
    return layer;
}

static ConvLayer describe_conv_after_elu(const SeanetConfig *cfg, const char *prefix, const char *name, int c_in, int c_out,
                                         int kernel)
{
    ConvLayer layer = describe_conv(cfg, prefix, name, c_in, c_out, kernel);

    layer.params.activation = INPUT_ELU;
    return layer;
}

static void describe_units(ResidualUnit *units, const SeanetConfig *cfg, const char *prefix, int c)
{
    int dilation = 1;

    for (int j = 0; j < cfg->n_residual; j++) {
        char name[LAYER_NAME_SIZE / 2 + 16];

        snprintf(name, sizeof name, "%s.units.%d", prefix, j);
        units[j].conv = describe_conv_after_elu(cfg, name, "conv", c, c / cfg->compress, cfg->residual_kernel);
        units[j].conv.params.dilation = dilation;
        units[j].pointwise = describe_conv_after_elu(cfg, name, "pointwise", c / cfg->compress, c, 1);
        units[j].shortcut = describe_conv(cfg, name, "shortcut", c, c, 1);
        dilation *= cfg->dilation_base;
    }
}

/* per_latent: frames on the slower side of the layer for each of the latent, in which streams are cut. */
static ConvLayer describe_resampling(const SeanetConfig *cfg, const char *prefix, const char *name, int c_in, int c_out,
                                     int ratio, int per_latent)
{
    ConvLayer layer = describe_conv_after_elu(cfg, prefix, name, c_in, c_out, 2 * ratio);

    layer.params.stride = ratio;
    layer.params.even_chunks = per_latent % 2 == 0;
    return layer;
}

static void describe_encoder(Direction *encoder, const SeanetConfig *cfg)
{
    int c = cfg->base_channels, per_latent = seanet_hop(cfg);

    encoder->in = describe_conv(cfg, "encoder", "in", cfg->channels, c, cfg->kernel);
    encoder->in.init_gain = SIGNAL_GAIN;
    for (int i = 0; i < cfg->n_ratios; i++) {
        char name[LAYER_NAME_SIZE / 2];

        snprintf(name, sizeof name, "encoder.stages.%d", i);
        describe_units(encoder->stages[i].units, cfg, name, c);
        per_latent /= cfg->ratios[cfg->n_ratios - 1 - i];
        encoder->stages[i].resample = describe_resampling(cfg, name, "down", c, 2 * c, cfg->ratios[cfg->n_ratios - 1 - i], per_latent);
        c *= 2;
    }
    encoder->lstm = (LstmLayer){.name = "encoder.lstm", .dim = c, .n_layers = cfg->n_lstm};
    encoder->out = describe_conv_after_elu(cfg, "encoder", "out", c, cfg->latent_dim, cfg->last_kernel);
}

static void describe_decoder(Direction *decoder, const SeanetConfig *cfg)
{
    int c = cfg->base_channels << cfg->n_ratios, per_latent = 1;

    decoder->in = describe_conv(cfg, "decoder", "in", cfg->latent_dim, c, cfg->kernel);
    decoder->lstm = (LstmLayer){.name = "decoder.lstm", .dim = c, .n_layers = cfg->n_lstm};
    for (int i = 0; i < cfg->n_ratios; i++) {
        char name[LAYER_NAME_SIZE / 2];

        snprintf(name, sizeof name, "decoder.stages.%d", i);
        decoder->stages[i].resample = describe_resampling(cfg, name, "up", c, c / 2, cfg->ratios[i], per_latent);
        per_latent *= cfg->ratios[i];
        decoder->stages[i].resample.transposed = true;
        describe_units(decoder->stages[i].units, cfg, name, c / 2);
        c /= 2;
    }
    decoder->out = describe_conv_after_elu(cfg, "decoder", "out", c, cfg->channels, cfg->last_kernel);
    decoder->out.init_gain = 1.0f / SIGNAL_GAIN;
}

static void describe(Seanet *net, const SeanetConfig *cfg)
{
    memset(net, 0, sizeof *net);
    net->config = *cfg;
    describe_encoder(&net->encoder, cfg);
    describe_decoder(&net->decoder, cfg);
}

/* ---- walking over the layers ---- */

/* samples_per_frame: of the signal, at the layer's rate of MACs (output frames; input frames where it is transposed). */
typedef RsdStatus (*LayerVisitor)(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err);

static RsdStatus visit_units(Stage *stage, const SeanetConfig *cfg, int samples_per_frame, LayerVisitor visit, void *ctx,
                             RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int j = 0; j < cfg->n_residual; j++) {
        TRY(visit(ctx, &stage->units[j].conv, NULL, samples_per_frame, err));
        TRY(visit(ctx, &stage->units[j].pointwise, NULL, samples_per_frame, err));
        if (!cfg->true_skip)
            TRY(visit(ctx, &stage->units[j].shortcut, NULL, samples_per_frame, err));
    }
fail:
    return status;
}

static RsdStatus visit_encoder(Seanet *net, LayerVisitor visit, void *ctx, RsdError *err)
{
    const SeanetConfig *cfg = &net->config;
    Direction *encoder = &net->encoder;
    int samples_per_frame = 1;
    RsdStatus status = RSD_OK;

    TRY(visit(ctx, &encoder->in, NULL, samples_per_frame, err));
    for (int i = 0; i < cfg->n_ratios; i++) {
        TRY(visit_units(&encoder->stages[i], cfg, samples_per_frame, visit, ctx, err));
        samples_per_frame *= cfg->ratios[cfg->n_ratios - 1 - i];
        TRY(visit(ctx, &encoder->stages[i].resample, NULL, samples_per_frame, err));
    }
    TRY(visit(ctx, NULL, &encoder->lstm, samples_per_frame, err));
    TRY(visit(ctx, &encoder->out, NULL, samples_per_frame, err));
fail:
    return status;
}

static RsdStatus visit_decoder(Seanet *net, LayerVisitor visit, void *ctx, RsdError *err)
{
    const SeanetConfig *cfg = &net->config;
    Direction *decoder = &net->decoder;
    int samples_per_frame = seanet_hop(cfg);
    RsdStatus status = RSD_OK;

    TRY(visit(ctx, &decoder->in, NULL, samples_per_frame, err));
    TRY(visit(ctx, NULL, &decoder->lstm, samples_per_frame, err));
    for (int i = 0; i < cfg->n_ratios; i++) {
        TRY(visit(ctx, &decoder->stages[i].resample, NULL, samples_per_frame, err));
        samples_per_frame /= cfg->ratios[i];
        TRY(visit_units(&decoder->stages[i], cfg, samples_per_frame, visit, ctx, err));
    }
    TRY(visit(ctx, &decoder->out, NULL, samples_per_frame, err));
fail:
    return status;
}

static RsdStatus visit_all(Seanet *net, LayerVisitor visit, void *ctx, RsdError *err)
{
    RsdStatus status = visit_encoder(net, visit, ctx, err);

    return status == RSD_OK ? visit_decoder(net, visit, ctx, err) : status;
}

static RsdStatus add_macs(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    double *macs_per_sample = ctx, macs = conv ? conv_layer_macs(conv, 1.0) : lstm_layer_macs(lstm, 1.0);

    (void)err;
    *macs_per_sample += macs / samples_per_frame;
    return RSD_OK;
}

static RsdStatus add_count(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    int64_t *count = ctx;

    (void)samples_per_frame, (void)err;
    *count += conv ? conv_layer_count(conv) : lstm_layer_count(lstm);
    return RSD_OK;
}

typedef struct Registration {
    ParamSet *params;
    uint64_t seed;
    uint32_t n_layers; /* so far; each layer draws from its own stream of random numbers */
} Registration;

static RsdStatus register_layer(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    Registration *registration = ctx;
    Rng rng = rng_at(registration->seed, RNG_INIT, 0, registration->n_layers++);

    (void)samples_per_frame;
    return conv ? conv_layer_register(conv, registration->params, &rng, err)
                : lstm_layer_register(lstm, registration->params, &rng, err);
}

static RsdStatus freeze_layer(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    (void)samples_per_frame;
    return conv ? conv_layer_freeze(conv, ctx, err) : lstm_layer_freeze(lstm, ctx, err);
}

static RsdStatus unfreeze_layer(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    (void)ctx, (void)samples_per_frame, (void)err;
    if (conv)
        conv_layer_unfreeze(conv);
    else
        lstm_layer_unfreeze(lstm);
    return RSD_OK;
}

typedef struct ConvVisit {
    RsdStatus (*visit)(void *ctx, ConvLayer *layer, RsdError *err);
    void *ctx;
} ConvVisit;

static RsdStatus visit_conv(void *ctx, ConvLayer *conv, LstmLayer *lstm, int samples_per_frame, RsdError *err)
{
    const ConvVisit *visit = ctx;

    (void)lstm, (void)samples_per_frame;
    return conv ? visit->visit(visit->ctx, conv, err) : RSD_OK;
}

RsdStatus seanet_visit_decoder(Seanet *net, RsdStatus (*visit)(void *ctx, ConvLayer *layer, RsdError *err), void *ctx, RsdError *err)
{
    ConvVisit each = {visit, ctx};

    return visit_decoder(net, visit_conv, &each, err);
}

/* ---- configuration ---- */

RsdStatus seanet_check_config(const SeanetConfig *cfg, RsdError *err)
{
    const struct {
        const char *name;
        int value, min, max;
    } fields[] = {{"channels", cfg->channels, 1, MAX_CHANNELS},
                  {"base_channels", cfg->base_channels, 1, MAX_BASE_CHANNELS},
                  {"number of ratios", cfg->n_ratios, 1, SEANET_MAX_STAGES},
                  {"latent_dim", cfg->latent_dim, 1, MAX_LATENT_DIM},
                  {"kernel", cfg->kernel, 1, MAX_KERNEL},
                  {"last_kernel", cfg->last_kernel, 1, MAX_KERNEL},
                  {"residual_kernel", cfg->residual_kernel, 1, MAX_KERNEL},
                  {"n_residual", cfg->n_residual, 1, SEANET_MAX_UNITS},
                  {"dilation_base", cfg->dilation_base, 1, MAX_DILATION_BASE},
                  {"compress", cfg->compress, 1, MAX_BASE_CHANNELS},
                  {"n_lstm", cfg->n_lstm, 0, LSTM_MAX_LAYERS},
                  {"pad", (int)cfg->pad, PAD_ZERO, PAD_REFLECT},
                  {"norm", (int)cfg->norm, SEANET_NORM_NONE, SEANET_NORM_GROUP}};
    int hop = 1;
    int64_t count;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        CHECK(fields[i].value >= fields[i].min && fields[i].value <= fields[i].max, err, RSD_ERR_ARG,
              "%s is %d, expected %d to %d", fields[i].name, fields[i].value, fields[i].min, fields[i].max);
    for (int i = 0; i < cfg->n_ratios; i++) {
        CHECK(cfg->ratios[i] >= 1 && cfg->ratios[i] <= MAX_RATIO, err, RSD_ERR_ARG,
              "ratio %d is %d, expected 1 to %d", i + 1, cfg->ratios[i], MAX_RATIO);
        hop *= cfg->ratios[i];
        CHECK(hop <= MAX_HOP, err, RSD_ERR_ARG, "the product of the ratios is larger than %d", MAX_HOP);
    }
    CHECK(cfg->base_channels << cfg->n_ratios <= MAX_WIDTH, err, RSD_ERR_ARG,
          "base_channels %d doubled %d times is %d channels, expected at most %d", cfg->base_channels, cfg->n_ratios,
          cfg->base_channels << cfg->n_ratios, MAX_WIDTH);
    CHECK(cfg->base_channels % cfg->compress == 0, err, RSD_ERR_ARG, "compress %d does not divide base_channels %d",
          cfg->compress, cfg->base_channels);
    count = seanet_count_parameters(cfg);
    CHECK(count <= SEANET_MAX_PARAMETERS, err, RSD_ERR_ARG, "the network would have %lld parameters, expected at most %lld",
          (long long)count, (long long)SEANET_MAX_PARAMETERS);
fail:
    return status;
}

int seanet_hop(const SeanetConfig *cfg)
{
    int hop = 1;

    for (int i = 0; i < cfg->n_ratios; i++)
        hop *= cfg->ratios[i];
    return hop;
}

bool seanet_can_stream(const SeanetConfig *cfg)
{
    return cfg->causal && cfg->pad != PAD_REPLICATE && cfg->norm != SEANET_NORM_GROUP;
}

int64_t seanet_count_parameters(const SeanetConfig *cfg)
{
    Seanet net;
    int64_t count = 0;

    describe(&net, cfg);
    (void)visit_all(&net, add_count, &count, NULL);
    return count;
}

double seanet_macs_per_second(const SeanetConfig *cfg, int rate_hz, bool decoder)
{
    Seanet net;
    double macs_per_sample = 0.0;

    describe(&net, cfg);
    (void)(decoder ? visit_decoder : visit_encoder)(&net, add_macs, &macs_per_sample, NULL);
    return macs_per_sample * rate_hz;
}

/* ---- life ---- */

RsdStatus seanet_create(Seanet **out, const SeanetConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err)
{
    Seanet *net = NULL;
    Registration registration = {params, seed, 0};
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(seanet_check_config(cfg, err));
    TRY(mem_alloc(&net, 1, sizeof *net, err));
    describe(net, cfg);
    TRY(visit_all(net, register_layer, &registration, err));
    *out = net;
    return RSD_OK;
fail:
    seanet_destroy(&net);
    return status;
}

void seanet_destroy(Seanet **net)
{
    if (!*net)
        return;
    tape_destroy(&(*net)->frozen);
    rsd_threads_destroy(&(*net)->threads);
    mem_free(net);
}

/* A tape whose arena has one piece of memory for all weights. */
static RsdStatus prepare_frozen_tape(Seanet *net, RsdError *err)
{
    size_t size = 2 * (size_t)seanet_count_parameters(&net->config) * sizeof(float); /* folded, and laid out for kernels */
    void *reserved;
    RsdStatus status = RSD_OK;

    if (!net->threads)
        TRY(rsd_threads_create(&net->threads, 1, err));
    if (!net->frozen)
        TRY(tape_create(&net->frozen, net->threads, 0, err));
    tape_reset(net->frozen);
    TRY(arena_alloc(net->frozen->arena, &reserved, size + size / 16 + MEM_ALIGN, 1, err));
    tape_reset(net->frozen);
fail:
    return status;
}

RsdStatus seanet_freeze(Seanet *net, RsdError *err)
{
    RsdStatus status = RSD_OK;

    (void)visit_all(net, unfreeze_layer, NULL, NULL);
    TRY(prepare_frozen_tape(net, err));
    TRY(visit_all(net, freeze_layer, net->frozen, err));
    return RSD_OK;
fail:
    (void)visit_all(net, unfreeze_layer, NULL, NULL);
    return status;
}
