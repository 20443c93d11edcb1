/* dac_steps.c - the lists of steps, and what follows from them alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/dac_steps.h"

#include <stdio.h>
#include <string.h>

#include "engine/stream.h"

static const int DILATIONS[DAC_UNITS] = {1, 3, 9};

/* ---- description ---- */

static DacStep *add_step(DacDirection *direction, DacStepKind kind)
{
    DacStep *step = &direction->steps[direction->n_steps++];

    memset(step, 0, sizeof *step);
    step->kind = kind;
    return step;
}

static ConvLayer describe_conv(const char *name, int c_in, int c_out, int kernel, int dilation)
{
    int pad = (kernel - 1) * dilation / 2;
    ConvLayer layer = {.c_in = c_in,
                       .c_out = c_out,
                       .kernel = kernel,
                       .params = {.stride = 1,
                                  .dilation = dilation,
                                  .groups = 1,
                                  .rule = PAD_EXPLICIT,
                                  .mode = PAD_ZERO,
                                  .pad_left = pad,
                                  .pad_right = pad}};

    snprintf(layer.name, sizeof layer.name, "%s", name);
    return layer;
}

static SnakeLayer describe_snake(const char *name, int channels)
{
    SnakeLayer layer = {.channels = channels};

    snprintf(layer.name, sizeof layer.name, "%s", name);
    return layer;
}

static void add_conv(DacDirection *direction, const char *name, int c_in, int c_out, int kernel)
{
    add_step(direction, DAC_CONV)->conv = describe_conv(name, c_in, c_out, kernel, 1);
}

static void add_snake(DacDirection *direction, const char *name, int channels)
{
    add_step(direction, DAC_SNAKE)->snake = describe_snake(name, channels);
}

static void add_resampling(DacDirection *direction, const char *name, int c_in, int c_out, int rate, bool up)
{
    ConvLayer layer = describe_conv(name, c_in, c_out, 2 * rate, 1);

    layer.transposed = up;
    layer.params.stride = rate;
    layer.params.pad_left = layer.params.pad_right = (rate + 1) / 2;
    add_step(direction, up ? DAC_CONV_TRANSPOSE : DAC_CONV)->conv = layer;
}

static void add_units(DacDirection *direction, const char *stage, int c)
{
    for (int j = 0; j < DAC_UNITS; j++) {
        DacStep *unit = add_step(direction, DAC_UNIT);
        char name[LAYER_NAME_SIZE];

        snprintf(name, sizeof name, "%s.units.%d.snake1", stage, j);
        unit->snake = describe_snake(name, c);
        snprintf(name, sizeof name, "%s.units.%d.conv", stage, j);
        unit->conv = describe_conv(name, c, c, 7, DILATIONS[j]);
        snprintf(name, sizeof name, "%s.units.%d.snake2", stage, j);
        unit->inner_snake = describe_snake(name, c);
        snprintf(name, sizeof name, "%s.units.%d.pointwise", stage, j);
        unit->pointwise = describe_conv(name, c, c, 1, 1);
    }
}

static void describe_encoder(DacDirection *encoder, const DacConfig *cfg)
{
    int c = cfg->encoder_dim;

    add_conv(encoder, "encoder.in", 1, c, 7);
    for (int i = 0; i < cfg->n_encoder_rates; i++) {
        char stage[LAYER_NAME_SIZE / 2], name[LAYER_NAME_SIZE];

        snprintf(stage, sizeof stage, "encoder.stages.%d", i);
        add_units(encoder, stage, c);
        snprintf(name, sizeof name, "%s.snake", stage);
        add_snake(encoder, name, c);
        snprintf(name, sizeof name, "%s.down", stage);
        add_resampling(encoder, name, c, 2 * c, cfg->encoder_rates[i], false);
        c *= 2;
    }
    add_snake(encoder, "encoder.snake", c);
    add_conv(encoder, "encoder.out", c, cfg->latent_dim, 3);
}

static void describe_decoder(DacDirection *decoder, const DacConfig *cfg)
{
    int c = cfg->decoder_dim;

    add_conv(decoder, "decoder.in", cfg->latent_dim, c, 7);
    for (int i = 0; i < cfg->n_decoder_rates; i++) {
        char stage[LAYER_NAME_SIZE / 2], name[LAYER_NAME_SIZE];

        snprintf(stage, sizeof stage, "decoder.stages.%d", i);
        snprintf(name, sizeof name, "%s.snake", stage);
        add_snake(decoder, name, c);
        snprintf(name, sizeof name, "%s.up", stage);
        add_resampling(decoder, name, c, c / 2, cfg->decoder_rates[i], true);
        add_units(decoder, stage, c / 2);
        c /= 2;
    }
    add_snake(decoder, "decoder.snake", c);
    add_conv(decoder, "decoder.out", c, 1, 7);
    add_step(decoder, DAC_TANH);
}

void dac_describe(DacDirection *encoder, DacDirection *decoder, const DacConfig *cfg)
{
    encoder->n_steps = decoder->n_steps = 0;
    describe_encoder(encoder, cfg);
    describe_decoder(decoder, cfg);
}

/* ---- lengths and lags ---- */

int64_t dac_span(const ConvLayer *layer)
{
    return (int64_t)(layer->kernel - 1) * layer->params.dilation + 1;
}

static int64_t pad_of(const ConvLayer *layer, DacPadding padding)
{
    return padding == DAC_PAD_ZERO ? layer->params.pad_left : 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Samples after a step, of n before it; not above 0 when n is too short. */
static int64_t step_len(const DacStep *step, int64_t n, DacPadding padding)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride;

    if (step->kind == DAC_CONV || step->kind == DAC_UNIT)
        return floor_div(n + 2 * pad_of(layer, padding) - dac_span(layer), stride) + 1;
    if (step->kind == DAC_CONV_TRANSPOSE)
        return (n - 1) * stride + dac_span(layer) - 2 * pad_of(layer, padding);
    return n;
}

/* The other way, without padding: samples before a step that give n after it. */
static int64_t step_needs(const DacStep *step, int64_t n)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride;

    if (step->kind == DAC_CONV || step->kind == DAC_UNIT)
        return (n - 1) * stride + dac_span(layer);
    if (step->kind == DAC_CONV_TRANSPOSE)
        return -floor_div(dac_span(layer) - n, stride) + 1;
    return n;
}

int64_t dac_direction_len(const DacDirection *direction, int64_t n, DacPadding padding)
{
    for (int i = 0; i < direction->n_steps; i++)
        if ((n = step_len(&direction->steps[i], n, padding)) < 1)
            return 0;
    return n;
}

int64_t dac_extra_delay(const ConvLayer *layer, int64_t lag, DacPadding padding)
{
    int64_t stride = layer->params.stride, rest = (lag + dac_span(layer) - stride - pad_of(layer, padding)) % stride;

    return rest == 0 ? 0 : stride - rest;
}

void dac_advance(DacCourse *course, const DacStep *step, DacPadding padding)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride, pad = pad_of(layer, padding);

    switch (step->kind) {
    case DAC_UNIT:
    case DAC_CONV:
        course->lag = (course->lag + dac_span(layer) - stride + dac_extra_delay(layer, course->lag, padding) - pad) / stride;
        course->first /= stride;
        break;
    case DAC_CONV_TRANSPOSE:
        course->lag = course->lag * stride + pad;
        course->first *= stride;
        break;
    case DAC_SNAKE:
    case DAC_TANH:
        return;
    }
    if (course->length != STREAM_UNKNOWN_LENGTH)
        course->length = step_len(step, course->length, padding);
}

static int64_t direction_lag(const DacDirection *direction, DacPadding padding)
{
    DacCourse course = {0, 0, STREAM_UNKNOWN_LENGTH};

    for (int i = 0; i < direction->n_steps; i++)
        dac_advance(&course, &direction->steps[i], padding);
    return course.lag;
}

int64_t dac_encoded_len(const DacConfig *cfg, int64_t n_samples, DacPadding padding)
{
    DacDirection encoder, decoder;

    dac_describe(&encoder, &decoder, cfg);
    return dac_direction_len(&encoder, n_samples, padding);
}

int64_t dac_decoded_len(const DacConfig *cfg, int64_t n_frames, DacPadding padding)
{
    DacDirection encoder, decoder;

    dac_describe(&encoder, &decoder, cfg);
    return dac_direction_len(&decoder, n_frames, padding);
}

int64_t dac_encoder_lag(const DacConfig *cfg)
{
    DacDirection encoder, decoder;

    dac_describe(&encoder, &decoder, cfg);
    return direction_lag(&encoder, DAC_PAD_ZERO);
}

int64_t dac_decoder_lag(const DacConfig *cfg, DacPadding padding)
{
    DacDirection encoder, decoder;

    dac_describe(&encoder, &decoder, cfg);
    return direction_lag(&decoder, padding);
}

/* As the published code counts: from the length that an empty signal would give, which is below zero. */
int64_t dac_reach(const DacConfig *cfg)
{
    DacDirection encoder, decoder;
    int64_t out = 0, in;
    int i;

    dac_describe(&encoder, &decoder, cfg);
    for (i = 0; i < encoder.n_steps; i++)
        out = step_len(&encoder.steps[i], out, DAC_PAD_NONE);
    for (i = 0; i < decoder.n_steps; i++)
        out = step_len(&decoder.steps[i], out, DAC_PAD_NONE);
    in = out;
    for (i = decoder.n_steps - 1; i >= 0; i--)
        in = step_needs(&decoder.steps[i], in);
    for (i = encoder.n_steps - 1; i >= 0; i--)
        in = step_needs(&encoder.steps[i], in);
    return (in - out) / 2;
}

int dac_hop(const DacConfig *cfg)
{
    int hop = 1;

    for (int i = 0; i < cfg->n_encoder_rates; i++)
        hop *= cfg->encoder_rates[i];
    return hop;
}
