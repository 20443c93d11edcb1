/* dac.c - weights for the steps of dac_steps.h, and one function that runs them.
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
#include "models/dac_steps.h"

#define MAX_WIDTH 16384 /* channels */
#define MAX_LATENT_DIM 4096
#define MAX_RATE 64
#define MAX_HOP 65536
/* From this size on a weight waits in a file: at the published width the first two convolutions of the decoder, 120 of its 216 MB.
 * They run at the rate of frames, 4 of 100 multiplications, so that it hardly matters how they come. */
#define ASIDE_SIZE ((size_t)32 << 20)

struct Dac {
    DacConfig config;
    DacDirection encoder, decoder;
    RsdThreads *threads;
    Tape *frozen; /* its arena holds the weights as kernels read them; NULL until dac_freeze or dac_take */
    bool has_taken; /* and nothing else holds them */
    ScratchFile *aside; /* but the largest, which wait here; NULL until there is one */
};

/* ---- walking over the layers ---- */

typedef RsdStatus (*LayerVisitor)(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err);

static RsdStatus visit_step(DacStep *step, LayerVisitor visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (step->kind == DAC_SNAKE || step->kind == DAC_UNIT)
        TRY(visit(ctx, NULL, &step->snake, err));
    if (step->kind == DAC_CONV || step->kind == DAC_CONV_TRANSPOSE || step->kind == DAC_UNIT)
        TRY(visit(ctx, &step->conv, NULL, err));
    if (step->kind == DAC_UNIT) {
        TRY(visit(ctx, NULL, &step->inner_snake, err));
        TRY(visit(ctx, &step->pointwise, NULL, err));
    }
fail:
    return status;
}

static RsdStatus visit_all(Dac *dac, LayerVisitor visit, void *ctx, RsdError *err)
{
    DacDirection *directions[] = {&dac->encoder, &dac->decoder};
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

    dac_describe(&dac.encoder, &dac.decoder, cfg);
    (void)visit_all(&dac, add_count, &count, NULL);
    return count;
}

double dac_macs_per_second(const DacConfig *cfg, int rate_hz, bool decoder)
{
    const DacDirection *direction;
    double macs = 0.0, frames_per_s; /* of the layer's input */
    Dac dac;

    dac_describe(&dac.encoder, &dac.decoder, cfg);
    direction = decoder ? &dac.decoder : &dac.encoder;
    frames_per_s = decoder ? (double)rate_hz / dac_hop(cfg) : rate_hz;
    for (int i = 0; i < direction->n_steps; i++) {
        const DacStep *step = &direction->steps[i];

        switch (step->kind) {
        case DAC_UNIT:
            macs += conv_layer_macs(&step->conv, frames_per_s) + conv_layer_macs(&step->pointwise, frames_per_s);
            break;
        case DAC_CONV:
            frames_per_s /= step->conv.params.stride;
            macs += conv_layer_macs(&step->conv, frames_per_s);
            break;
        case DAC_CONV_TRANSPOSE:
            macs += conv_layer_macs(&step->conv, frames_per_s);
            frames_per_s *= step->conv.params.stride;
            break;
        case DAC_SNAKE:
        case DAC_TANH:
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
    TRY(mem_calloc(&dac, 1, sizeof *dac, err));
    dac->config = *cfg;
    dac_describe(&dac->encoder, &dac->decoder, cfg);
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
    scratch_file_destroy(&(*dac)->aside);
    rsd_threads_destroy(&(*dac)->threads);
    mem_free(dac);
}

static RsdStatus open_frozen(Dac *dac, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!dac->threads)
        TRY(rsd_threads_create(&dac->threads, 1, err));
    if (!dac->frozen)
        TRY(tape_create(&dac->frozen, dac->threads, 0, err));
fail:
    return status;
}

typedef struct Taking {
    const Tensor *weight;
    ConvLayer *layer; /* whose it is */
} Taking;

static RsdStatus find_layer(void *ctx, ConvLayer *conv, SnakeLayer *snake_layer, RsdError *err)
{
    Taking *taking = ctx;

    (void)snake_layer, (void)err;
    if (conv && conv->weight == taking->weight)
        taking->layer = conv;
    return RSD_OK;
}

/* Where no file can be made or it finds no room, the weight stays in memory. */
static RsdStatus set_aside(Dac *dac, ConvLayer *layer, bool *done, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *done = false;
    if ((size_t)tensor_count(layer->weight) * sizeof(float) < ASIDE_SIZE)
        return RSD_OK;
    if (!dac->aside)
        status = scratch_file_create(&dac->aside, err);
    if (status == RSD_OK)
        status = conv_layer_set_aside(layer, dac->frozen, dac->aside, done, err);
    return status == RSD_ERR_IO ? RSD_OK : status;
}

RsdStatus dac_take(Dac *dac, Tensor *weight, RsdError *err)
{
    Taking taking = {.weight = weight};
    bool done;
    RsdStatus status = RSD_OK;

    TRY(open_frozen(dac, err));
    (void)visit_all(dac, find_layer, &taking, NULL);
    dac->has_taken = true;
    TRY(set_aside(dac, taking.layer, &done, err));
    if (!done)
        TRY(conv_layer_take(taking.layer, dac->frozen, err));
fail:
    return status;
}

RsdStatus dac_freeze(Dac *dac, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(open_frozen(dac, err));
    if (!dac->has_taken)
        tape_reset(dac->frozen);
    TRY(visit_all(dac, freeze_layer, dac->frozen, err));
fail:
    return status;
}

/* ---- running ---- */

typedef struct Run {
    Tape *tape;
    DacPadding padding;
    DacCourse course;
} Run;

/* On a stream, columns outside the signal become zero. */
static RsdStatus trim(const Run *run, Tensor *y, RsdError *err)
{
    const DacCourse *course = &run->course;
    int64_t begin = course->lag - course->first; /* column of sample 0 */

    if (!run->tape->stream)
        return RSD_OK;
    return op_keep_columns_in_place(run->tape, y, begin,
                                    course->length == STREAM_UNKNOWN_LENGTH ? INT64_MAX : begin + course->length, err);
}

/* The convolution of a step as it runs here: as described, without padding, or late. */
static RsdStatus run_conv(Run *run, const DacStep *step, Tensor *x, Tensor **y, RsdError *err)
{
    ConvLayer layer = step->conv;
    Conv1dParams *p = &layer.params;

    if (run->tape->stream) {
        int64_t extra = step->kind == DAC_CONV_TRANSPOSE ? 0 : dac_extra_delay(&layer, run->course.lag, run->padding);

        p->pad_left = step->kind == DAC_CONV_TRANSPOSE ? 0 : (int)(dac_span(&layer) - p->stride + extra);
        p->pad_right = step->kind == DAC_CONV_TRANSPOSE ? (int)dac_span(&layer) - p->stride : (int)-extra;
    } else if (run->padding == DAC_PAD_NONE) {
        p->rule = PAD_NONE;
    }
    return (step->kind == DAC_CONV_TRANSPOSE ? conv_transpose1d : conv1d)(run->tape, &layer, x, y, err);
}

/* x + pointwise(h), in the place of x where nothing records. h may have lost samples at both ends, or come later on a stream. */
static RsdStatus add_pointwise(const Run *run, const ConvLayer *pointwise, Tensor *x, Tensor *h, int64_t delay, Tensor **y,
                               RsdError *err)
{
    int64_t cut = (x->shape[2] - h->shape[2]) / 2;
    RsdStatus status = RSD_OK;

    *y = x;
    if (!run->tape->recording && h->shape[2] == x->shape[2]) {
        if (run->tape->stream)
            TRY(op_delay_in_place(run->tape, x, delay, err));
        return conv1d_onto(run->tape, pointwise, h, x, err);
    }
    TRY(conv1d(run->tape, pointwise, h, &h, err));
    if (!run->tape->recording)
        return op_add_skip_in_place(run->tape, x, h, cut, err);
    if (h->shape[2] != x->shape[2])
        TRY(op_slice(run->tape, x, 2, cut, h->shape[2], &x, err));
    TRY(op_add(run->tape, x, h, y, err));
fail:
    return status;
}

static RsdStatus run_unit(Run *run, const DacStep *unit, Tensor *x, Tensor **y, RsdError *err)
{
    ArenaMark mark = arena_mark(run->tape->arena);
    int64_t lag = run->course.lag, cut = run->padding == DAC_PAD_NONE ? dac_span(&unit->conv) / 2 : 0;
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(snake(run->tape, &unit->snake, x, false, &h, err));
    TRY(run_conv(run, unit, h, &h, err));
    dac_advance(&run->course, unit, run->padding);
    TRY(snake(run->tape, &unit->inner_snake, h, true, &h, err));
    TRY(add_pointwise(run, &unit->pointwise, x, h, run->course.lag - lag - cut, y, err));
    TRY(trim(run, *y, err));
    if (!run->tape->recording)
        arena_rewind(run->tape->arena, mark);
fail:
    return status;
}

static RsdStatus run_step(Run *run, const DacStep *step, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    switch (step->kind) {
    case DAC_UNIT:
        return run_unit(run, step, x, y, err);
    case DAC_CONV:
    case DAC_CONV_TRANSPOSE:
        TRY(run_conv(run, step, x, y, err));
        dac_advance(&run->course, step, run->padding);
        return trim(run, *y, err);
    case DAC_SNAKE:
        return snake(run->tape, &step->snake, x, true, y, err);
    case DAC_TANH:
        return run->tape->recording ? op_tanh(run->tape, x, y, err) : op_tanh_in_place(run->tape, x, err);
    }
fail:
    return status;
}

static RsdStatus check_input(const Tape *tape, const DacDirection *direction, const Tensor *x, int channels, int multiple,
                             DacPadding padding, const char *what, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(conv_layer_is_filled(&direction->steps[0].conv), err, RSD_ERR_ARG, "%s: the model was opened for the other direction",
          what);
    CHECK(x->n_dims == 3 && x->shape[0] >= 1 && x->shape[1] == channels && x->shape[2] >= 1, err, RSD_ERR_ARG,
          "%s is %s, expected [batch, %d, 1 or more]", what, shape_text(text, x->n_dims, x->shape), channels);
    CHECK(!tape->stream || x->shape[2] % multiple == 0, err, RSD_ERR_ARG,
          "%s has %lld samples, on a stream a multiple of %d is needed", what, (long long)x->shape[2], multiple);
    CHECK(tape->stream || dac_direction_len(direction, x->shape[2], padding) >= 1, err, RSD_ERR_ARG,
          "%s has %lld samples, too few for a network without padding", what, (long long)x->shape[2]);
fail:
    return status;
}

static RsdStatus run_steps(Tape *tape, const DacDirection *direction, int first, int n_steps, Tensor *x, DacPadding padding, Tensor **y,
                           RsdError *err)
{
    Run run = {.tape = tape, .padding = padding};
    RsdStatus status = RSD_OK;

    if (tape->stream) {
        run.course = (DacCourse){stream_first(tape->stream), 0, stream_length(tape->stream)};
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
    const DacDirection *direction = decoder ? &dac->decoder : &dac->encoder;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(first >= 0 && n_steps >= 1 && n_steps <= direction->n_steps - first && !tape->stream, err, RSD_ERR_ARG,
          "%d steps of a whole signal from %d on asked for, there are %d", n_steps, first, direction->n_steps);
    TRY(run_steps(tape, direction, first, n_steps, x, DAC_PAD_ZERO, y, err));
fail:
    return status;
}
