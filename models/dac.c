/* dac.c - the encoder and the decoder as lists of steps, and one function that runs them.
 *
 *   encoder   in k7 ─ [unit 1, unit 3, unit 9, snake, down /r] ... ─ snake ─ out k3
 *   decoder   in k7 ─ [snake, up xr, unit 1, unit 3, unit 9] ... ─ snake ─ out k7 ─ tanh
 *   unit d    x + pointwise(snake(conv k7 dilation d (snake x)))
 *
 * Each direction is written down once as an array of steps; counting, checking, registering, lengths, lags and running all
 * walk over it.
 *
 * On a stream every layer is run as a causal one, which only delays its output. Column c of a layer's chunks holds sample
 * c - lag of its signal (Course). Three things follow:
 *   - columns before sample 0 and from the signal's length on are not zero by themselves, because of the bias: they are made
 *     zero after each layer, which is what zero padding of the next layer means;
 *   - a residual connection waits as long as the layers beside it;
 *   - a stride needs a lag that it divides: the layer looks back a few samples more than it must.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/dac.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/in_place.h"
#include "engine/ops/shape.h"
#include "engine/stream.h"
#include "models/layers.h"

#define MAX_WIDTH 16384 /* channels */
#define MAX_LATENT_DIM 4096
#define MAX_RATE 64
#define MAX_HOP 65536

static const int DILATIONS[DAC_UNITS] = {1, 3, 9};

typedef enum StepKind { STEP_CONV, STEP_CONV_TRANSPOSE, STEP_SNAKE, STEP_UNIT, STEP_TANH } StepKind;

/* One step from a signal to the next. */
typedef struct Step {
    StepKind kind;
    ConvLayer conv;              /* STEP_CONV, STEP_CONV_TRANSPOSE, and the wide one of STEP_UNIT */
    SnakeLayer snake;            /* STEP_SNAKE, and the first of STEP_UNIT */
    SnakeLayer inner_snake;      /* STEP_UNIT */
    ConvLayer pointwise;         /* STEP_UNIT */
} Step;

#define MAX_STEPS (4 + DAC_MAX_STAGES * (2 + DAC_UNITS))

typedef struct Direction {
    Step steps[MAX_STEPS];
    int n_steps;
} Direction;

struct Dac {
    DacConfig config;
    Direction encoder, decoder;
    RsdThreads *threads;
    Tape *frozen; /* its arena holds the weights as kernels read them; NULL until dac_freeze */
};

/* ---- description ---- */

static Step *add_step(Direction *direction, StepKind kind)
{
    Step *step = &direction->steps[direction->n_steps++];

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

static void add_conv(Direction *direction, const char *name, int c_in, int c_out, int kernel)
{
    add_step(direction, STEP_CONV)->conv = describe_conv(name, c_in, c_out, kernel, 1);
}

static void add_snake(Direction *direction, const char *name, int channels)
{
    add_step(direction, STEP_SNAKE)->snake = describe_snake(name, channels);
}

static void add_resampling(Direction *direction, const char *name, int c_in, int c_out, int rate, bool up)
{
    ConvLayer layer = describe_conv(name, c_in, c_out, 2 * rate, 1);

    layer.transposed = up;
    layer.params.stride = rate;
    layer.params.pad_left = layer.params.pad_right = (rate + 1) / 2;
    add_step(direction, up ? STEP_CONV_TRANSPOSE : STEP_CONV)->conv = layer;
}

static void add_units(Direction *direction, const char *stage, int c)
{
    for (int j = 0; j < DAC_UNITS; j++) {
        Step *unit = add_step(direction, STEP_UNIT);
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

static void describe_encoder(Direction *encoder, const DacConfig *cfg)
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

static void describe_decoder(Direction *decoder, const DacConfig *cfg)
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
    add_step(decoder, STEP_TANH);
}

static void describe(Dac *dac, const DacConfig *cfg)
{
    memset(dac, 0, sizeof *dac);
    dac->config = *cfg;
    describe_encoder(&dac->encoder, cfg);
    describe_decoder(&dac->decoder, cfg);
}

/* ---- lengths and lags ---- */

static int64_t span_of(const ConvLayer *layer)
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
static int64_t step_len(const Step *step, int64_t n, DacPadding padding)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride;

    if (step->kind == STEP_CONV || step->kind == STEP_UNIT)
        return floor_div(n + 2 * pad_of(layer, padding) - span_of(layer), stride) + 1;
    if (step->kind == STEP_CONV_TRANSPOSE)
        return (n - 1) * stride + span_of(layer) - 2 * pad_of(layer, padding);
    return n;
}

/* The other way, without padding: samples before a step that give n after it. */
static int64_t step_needs(const Step *step, int64_t n)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride;

    if (step->kind == STEP_CONV || step->kind == STEP_UNIT)
        return (n - 1) * stride + span_of(layer);
    if (step->kind == STEP_CONV_TRANSPOSE)
        return -floor_div(span_of(layer) - n, stride) + 1;
    return n;
}

static int64_t direction_len(const Direction *direction, int64_t n, DacPadding padding)
{
    for (int i = 0; i < direction->n_steps; i++)
        if ((n = step_len(&direction->steps[i], n, padding)) < 1)
            return 0;
    return n;
}

/* Where a chunk of a signal stands: column c of all chunks holds sample c - lag. Whole signals have lag 0. */
typedef struct Course {
    int64_t first;  /* columns before this chunk */
    int64_t lag;
    int64_t length; /* samples of the signal; STREAM_UNKNOWN_LENGTH */
} Course;

/* What a strided layer looks back more than k_e - s samples, so that the lag comes out whole. */
static int64_t extra_delay(const ConvLayer *layer, int64_t lag)
{
    int64_t stride = layer->params.stride, rest = (lag + span_of(layer) - stride - layer->params.pad_left) % stride;

    return rest == 0 ? 0 : stride - rest;
}

static void advance(Course *course, const Step *step)
{
    const ConvLayer *layer = &step->conv;
    int64_t stride = layer->params.stride, pad = layer->params.pad_left;

    switch (step->kind) {
    case STEP_UNIT:
    case STEP_CONV:
        course->lag = (course->lag + span_of(layer) - stride + extra_delay(layer, course->lag) - pad) / stride;
        course->first /= stride;
        break;
    case STEP_CONV_TRANSPOSE:
        course->lag = course->lag * stride + pad;
        course->first *= stride;
        break;
    case STEP_SNAKE:
    case STEP_TANH:
        return;
    }
    if (course->length != STREAM_UNKNOWN_LENGTH)
        course->length = step_len(step, course->length, DAC_PAD_ZERO);
}

static int64_t direction_lag(const Direction *direction)
{
    Course course = {0, 0, STREAM_UNKNOWN_LENGTH};

    for (int i = 0; i < direction->n_steps; i++)
        advance(&course, &direction->steps[i]);
    return course.lag;
}

int64_t dac_encoded_len(const DacConfig *cfg, int64_t n_samples, DacPadding padding)
{
    Dac dac;

    describe(&dac, cfg);
    return direction_len(&dac.encoder, n_samples, padding);
}

int64_t dac_decoded_len(const DacConfig *cfg, int64_t n_frames, DacPadding padding)
{
    Dac dac;

    describe(&dac, cfg);
    return direction_len(&dac.decoder, n_frames, padding);
}

int64_t dac_encoder_lag(const DacConfig *cfg)
{
    Dac dac;

    describe(&dac, cfg);
    return direction_lag(&dac.encoder);
}

int64_t dac_decoder_lag(const DacConfig *cfg)
{
    Dac dac;

    describe(&dac, cfg);
    return direction_lag(&dac.decoder);
}

/* As the published code counts: from the length that an empty signal would give, which is below zero. */
int64_t dac_reach(const DacConfig *cfg)
{
    Dac dac;
    int64_t out = 0, in;
    int i;

    describe(&dac, cfg);
    for (i = 0; i < dac.encoder.n_steps; i++)
        out = step_len(&dac.encoder.steps[i], out, DAC_PAD_NONE);
    for (i = 0; i < dac.decoder.n_steps; i++)
        out = step_len(&dac.decoder.steps[i], out, DAC_PAD_NONE);
    in = out;
    for (i = dac.decoder.n_steps - 1; i >= 0; i--)
        in = step_needs(&dac.decoder.steps[i], in);
    for (i = dac.encoder.n_steps - 1; i >= 0; i--)
        in = step_needs(&dac.encoder.steps[i], in);
    return (in - out) / 2;
}

int dac_hop(const DacConfig *cfg)
{
    int hop = 1;

    for (int i = 0; i < cfg->n_encoder_rates; i++)
        hop *= cfg->encoder_rates[i];
    return hop;
}

/* ---- walking over the layers ---- */

typedef RsdStatus (*LayerVisitor)(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err);

static RsdStatus visit_step(Step *step, LayerVisitor visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (step->kind == STEP_SNAKE || step->kind == STEP_UNIT)
        TRY(visit(ctx, NULL, &step->snake, err));
    if (step->kind == STEP_CONV || step->kind == STEP_CONV_TRANSPOSE || step->kind == STEP_UNIT)
        TRY(visit(ctx, &step->conv, NULL, err));
    if (step->kind == STEP_UNIT) {
        TRY(visit(ctx, NULL, &step->inner_snake, err));
        TRY(visit(ctx, &step->pointwise, NULL, err));
    }
fail:
    return status;
}

static RsdStatus visit_all(Dac *dac, LayerVisitor visit, void *ctx, RsdError *err)
{
    Direction *directions[] = {&dac->encoder, &dac->decoder};
    RsdStatus status = RSD_OK;

    for (size_t d = 0; d < 2; d++)
        for (int i = 0; i < directions[d]->n_steps; i++)
            TRY(visit_step(&directions[d]->steps[i], visit, ctx, err));
fail:
    return status;
}

static RsdStatus add_count(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err)
{
    int64_t *count = ctx;

    (void)err;
    *count += conv ? conv_layer_count(conv) : snake_layer->channels;
    return RSD_OK;
}

typedef struct Registration {
    ParamSet *params;
    uint64_t seed;
    uint32_t n_layers; /* so far; each layer draws from its own stream of random numbers */
} Registration;

static RsdStatus register_layer(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err)
{
    Registration *registration = ctx;
    Rng rng = rng_at(registration->seed, RNG_INIT, 0, registration->n_layers++);

    return conv ? conv_layer_register(conv, registration->params, &rng, err)
                : snake_layer_register(snake_layer, registration->params, err);
}

static RsdStatus freeze_layer(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err)
{
    (void)snake_layer;
    return conv ? conv_layer_freeze(conv, ctx, err) : RSD_OK;
}

/* ---- configuration ---- */

static RsdStatus check_rates(const char *name, int n, const int *rates, int *hop, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(n >= 1 && n <= DAC_MAX_STAGES, err, RSD_ERR_ARG, "number of %s rates is %d, expected 1 to %d", name, n,
          DAC_MAX_STAGES);
    *hop = 1;
    for (int i = 0; i < n; i++) {
        CHECK(rates[i] >= 1 && rates[i] <= MAX_RATE, err, RSD_ERR_ARG, "%s rate %d is %d, expected 1 to %d", name, i + 1,
              rates[i], MAX_RATE);
        *hop *= rates[i];
        CHECK(*hop <= MAX_HOP, err, RSD_ERR_ARG, "the product of the %s rates is larger than %d", name, MAX_HOP);
    }
fail:
    return status;
}

RsdStatus dac_check_config(const DacConfig *cfg, RsdError *err)
{
    const struct {
        const char *name;
        int value, max;
    } fields[] = {{"encoder_dim", cfg->encoder_dim, MAX_WIDTH},
                  {"latent_dim", cfg->latent_dim, MAX_LATENT_DIM},
                  {"decoder_dim", cfg->decoder_dim, MAX_WIDTH}};
    int hop, decoder_hop;
    int64_t count;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        CHECK(fields[i].value >= 1 && fields[i].value <= fields[i].max, err, RSD_ERR_ARG, "%s is %d, expected 1 to %d",
              fields[i].name, fields[i].value, fields[i].max);
    TRY(check_rates("encoder", cfg->n_encoder_rates, cfg->encoder_rates, &hop, err));
    TRY(check_rates("decoder", cfg->n_decoder_rates, cfg->decoder_rates, &decoder_hop, err));
    CHECK(hop == decoder_hop, err, RSD_ERR_ARG, "the encoder takes %d samples to a frame, the decoder makes %d of it", hop,
          decoder_hop);
    CHECK(cfg->encoder_dim << cfg->n_encoder_rates <= MAX_WIDTH, err, RSD_ERR_ARG,
          "encoder_dim %d doubled %d times is more than %d channels", cfg->encoder_dim, cfg->n_encoder_rates, MAX_WIDTH);
    CHECK(cfg->decoder_dim % (1 << cfg->n_decoder_rates) == 0, err, RSD_ERR_ARG,
          "decoder_dim %d cannot be halved %d times", cfg->decoder_dim, cfg->n_decoder_rates);
    count = dac_count_parameters(cfg);
    CHECK(count <= DAC_MAX_PARAMETERS, err, RSD_ERR_ARG, "the network would have %lld parameters, expected at most %lld",
          (long long)count, (long long)DAC_MAX_PARAMETERS);
fail:
    return status;
}

int64_t dac_count_parameters(const DacConfig *cfg)
{
    Dac dac;
    int64_t count = 0;

    describe(&dac, cfg);
    (void)visit_all(&dac, add_count, &count, NULL);
    return count;
}

double dac_macs_per_second(const DacConfig *cfg, int rate_hz, bool decoder)
{
    const Direction *direction;
    double macs = 0.0, frames_per_s; /* of the layer's input */
    Dac dac;

    describe(&dac, cfg);
    direction = decoder ? &dac.decoder : &dac.encoder;
    frames_per_s = decoder ? (double)rate_hz / dac_hop(cfg) : rate_hz;
    for (int i = 0; i < direction->n_steps; i++) {
        const Step *step = &direction->steps[i];

        switch (step->kind) {
        case STEP_UNIT:
            macs += conv_layer_macs(&step->conv, frames_per_s) + conv_layer_macs(&step->pointwise, frames_per_s);
            break;
        case STEP_CONV:
            frames_per_s /= step->conv.params.stride;
            macs += conv_layer_macs(&step->conv, frames_per_s);
            break;
        case STEP_CONV_TRANSPOSE:
            macs += conv_layer_macs(&step->conv, frames_per_s);
            frames_per_s *= step->conv.params.stride;
            break;
        case STEP_SNAKE:
        case STEP_TANH:
            break;
        }
    }
    return macs;
}

/* ---- life ---- */

RsdStatus dac_create(Dac **out, const DacConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err)
{
    Registration registration = {params, seed, 0};
    Dac *dac = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(dac_check_config(cfg, err));
    TRY(mem_alloc(&dac, 1, sizeof *dac, err));
    describe(dac, cfg);
    TRY(visit_all(dac, register_layer, &registration, err));
    *out = dac;
    return RSD_OK;
fail:
    dac_destroy(&dac);
    return status;
}

void dac_destroy(Dac **dac)
{
    if (!*dac)
        return;
    tape_destroy(&(*dac)->frozen);
    rsd_threads_destroy(&(*dac)->threads);
    mem_free(dac);
}

RsdStatus dac_freeze(Dac *dac, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!dac->threads)
        TRY(rsd_threads_create(&dac->threads, 1, err));
    if (!dac->frozen)
        TRY(tape_create(&dac->frozen, dac->threads, 0, err));
    tape_reset(dac->frozen);
    TRY(visit_all(dac, freeze_layer, dac->frozen, err));
fail:
    return status;
}

/* ---- running ---- */

typedef struct Run {
    Tape *tape;
    DacPadding padding;
    Course course;
} Run;

/* On a stream, columns outside the signal become zero. */
static RsdStatus trim(const Run *run, Tensor *y, RsdError *err)
{
    const Course *course = &run->course;
    int64_t begin = course->lag - course->first; /* column of sample 0 */

    if (!run->tape->stream)
        return RSD_OK;
    return op_keep_columns_in_place(run->tape, y, begin,
                                    course->length == STREAM_UNKNOWN_LENGTH ? INT64_MAX : begin + course->length, err);
}

/* The convolution of a step as it runs here: as described, without padding, or late. */
static RsdStatus run_conv(Run *run, const Step *step, Tensor *x, Tensor **y, RsdError *err)
{
    ConvLayer layer = step->conv;
    Conv1dParams *p = &layer.params;

    if (run->padding == DAC_PAD_NONE) {
        p->rule = PAD_NONE;
    } else if (run->tape->stream) {
        int64_t extra = step->kind == STEP_CONV_TRANSPOSE ? 0 : extra_delay(&layer, run->course.lag);

        p->pad_left = step->kind == STEP_CONV_TRANSPOSE ? 0 : (int)(span_of(&layer) - p->stride + extra);
        p->pad_right = step->kind == STEP_CONV_TRANSPOSE ? (int)span_of(&layer) - p->stride : (int)-extra;
    }
    return (step->kind == STEP_CONV_TRANSPOSE ? conv_transpose1d : conv1d)(run->tape, &layer, x, y, err);
}

static RsdStatus add_skip(const Run *run, Tensor *x, Tensor *h, int64_t shift, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    if (!run->tape->recording)
        return op_add_skip_in_place(run->tape, x, h, shift, err);
    if (h->shape[2] != x->shape[2])
        TRY(op_slice(run->tape, x, 2, shift, h->shape[2], &x, err));
    TRY(op_add(run->tape, x, h, y, err));
fail:
    return status;
}

static RsdStatus run_unit(Run *run, const Step *unit, Tensor *x, Tensor **y, RsdError *err)
{
    ArenaMark mark = arena_mark(run->tape->arena);
    int64_t lag = run->course.lag, n = x->shape[2];
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(snake(run->tape, &unit->snake, x, false, &h, err));
    TRY(run_conv(run, unit, h, &h, err));
    advance(&run->course, unit);
    TRY(snake(run->tape, &unit->inner_snake, h, true, &h, err));
    TRY(conv1d(run->tape, &unit->pointwise, h, &h, err));
    TRY(add_skip(run, x, h, run->tape->stream ? lag - run->course.lag : (n - h->shape[2]) / 2, y, err));
    TRY(trim(run, *y, err));
    if (!run->tape->recording)
        arena_rewind(run->tape->arena, mark);
fail:
    return status;
}

static RsdStatus run_step(Run *run, const Step *step, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    switch (step->kind) {
    case STEP_UNIT:
        return run_unit(run, step, x, y, err);
    case STEP_CONV:
    case STEP_CONV_TRANSPOSE:
        TRY(run_conv(run, step, x, y, err));
        advance(&run->course, step);
        return trim(run, *y, err);
    case STEP_SNAKE:
        return snake(run->tape, &step->snake, x, true, y, err);
    case STEP_TANH:
        return run->tape->recording ? op_tanh(run->tape, x, y, err) : op_tanh_in_place(run->tape, x, err);
    }
fail:
    return status;
}

static RsdStatus check_input(const Tape *tape, const Direction *direction, const Tensor *x, int channels, int multiple,
                             DacPadding padding, const char *what, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 3 && x->shape[0] >= 1 && x->shape[1] == channels && x->shape[2] >= 1, err, RSD_ERR_ARG,
          "%s is %s, expected [batch, %d, 1 or more]", what, shape_text(text, x->n_dims, x->shape), channels);
    CHECK(!tape->stream || padding == DAC_PAD_ZERO, err, RSD_ERR_ARG, "%s: a stream needs zero padding", what);
    CHECK(!tape->stream || x->shape[2] % multiple == 0, err, RSD_ERR_ARG,
          "%s has %lld samples, on a stream a multiple of %d is needed", what, (long long)x->shape[2], multiple);
    CHECK(tape->stream || direction_len(direction, x->shape[2], padding) >= 1, err, RSD_ERR_ARG,
          "%s has %lld samples, too few for a network without padding", what, (long long)x->shape[2]);
fail:
    return status;
}

static RsdStatus run_steps(Tape *tape, const Direction *direction, int first, int n_steps, Tensor *x, DacPadding padding, Tensor **y,
                           RsdError *err)
{
    Run run = {.tape = tape, .padding = padding};
    RsdStatus status = RSD_OK;

    if (tape->stream) {
        run.course = (Course){stream_first(tape->stream), 0, stream_length(tape->stream)};
        TRY(trim(&run, x, err));
    }
    for (int i = first; i < first + n_steps; i++)
        TRY(run_step(&run, &direction->steps[i], x, &x, err));
    *y = x;
fail:
    return status;
}

RsdStatus dac_encode(Tape *tape, Dac *dac, Tensor *x, DacPadding padding, Tensor **z, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *z = NULL;
    TRY(check_input(tape, &dac->encoder, x, 1, dac_hop(&dac->config), padding, "encoder input", err));
    TRY(run_steps(tape, &dac->encoder, 0, dac->encoder.n_steps, x, padding, z, err));
fail:
    return status;
}

RsdStatus dac_decode(Tape *tape, Dac *dac, Tensor *z, DacPadding padding, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(check_input(tape, &dac->decoder, z, dac->config.latent_dim, 1, padding, "decoder input", err));
    TRY(run_steps(tape, &dac->decoder, 0, dac->decoder.n_steps, z, padding, y, err));
fail:
    return status;
}

RsdStatus dac_run_steps(Tape *tape, const Dac *dac, bool decoder, int first, int n_steps, Tensor *x, Tensor **y, RsdError *err)
{
    const Direction *direction = decoder ? &dac->decoder : &dac->encoder;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(first >= 0 && n_steps >= 1 && n_steps <= direction->n_steps - first && !tape->stream, err, RSD_ERR_ARG,
          "%d steps of a whole signal from %d on asked for, there are %d", n_steps, first, direction->n_steps);
    TRY(run_steps(tape, direction, first, n_steps, x, DAC_PAD_ZERO, y, err));
fail:
    return status;
}
