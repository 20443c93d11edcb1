/* seanet_run.c - the two functions that run the layers of a Seanet, in training, on a whole signal and on a stream.
 *
 * Near the signal there are many samples and few channels, and a long chunk of a stream goes through these layers in strips
 * (engine/strips.h), each a few latent frames long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/chain.h"
#include "engine/ops/arithmetic.h"
#include "engine/stream.h"
#include "engine/strips.h"
#include "models/seanet_impl.h"

#define STRIP_FLOATS 131072 /* of a signal of the outermost layers: 512 KiB */
#define STRIP_CHANNELS 64   /* the weights of wider layers are larger than what strips would keep in the cache */

/* Nothing else reads x. */
static RsdStatus residual_unit(Tape *t, const SeanetConfig *cfg, const ResidualUnit *unit, Tensor *x, Tensor **y,
                               RsdError *err)
{
    Tensor *h, *skip = x;
    ArenaMark mark;
    RsdStatus status = RSD_OK;

    if (!cfg->true_skip)
        TRY(conv1d(t, &unit->shortcut, x, &skip, err));
    mark = arena_mark(t->arena);
    TRY(conv1d(t, &unit->conv, x, &h, err));
    if (t->recording) {
        TRY(conv1d(t, &unit->pointwise, h, &h, err));
        return op_add(t, skip, h, y, err);
    }
    TRY(conv1d_onto(t, &unit->pointwise, h, skip, err));
    arena_rewind(t->arena, mark);
    *y = skip;
fail:
    return status;
}

static RsdStatus check_input(const Tape *t, const Seanet *net, const ConvLayer *first, const Tensor *x, int channels, int multiple,
                             const char *what, RsdError *err)
{
    const SeanetConfig *cfg = &net->config;
    char text[SHAPE_TEXT_SIZE];

    if (!conv_layer_is_filled(first))
        return error_set(err, RSD_ERR_ARG, "%s: the model was opened for the other direction", what);
    if (x->n_dims != 3 || x->shape[1] != channels || x->shape[0] < 1 || x->shape[2] < 1)
        return error_set(err, RSD_ERR_ARG, "%s is %s, expected [batch, %d, 1 or more]", what,
                         shape_text(text, x->n_dims, x->shape), channels);
    if (!t->stream)
        return RSD_OK;
    if (!seanet_can_stream(cfg))
        return error_set(err, RSD_ERR_UNSUPPORTED, "this network cannot run on a stream: it needs %s",
                         !cfg->causal ? "the future of the signal (it is not causal)" : "the whole signal for its group norm");
    if (x->shape[2] % multiple != 0 && !stream_is_last(t->stream))
        return error_set(err, RSD_ERR_ARG, "%s has %lld samples, on a stream a multiple of %d is needed", what,
                         (long long)x->shape[2], multiple);
    return RSD_OK;
}

/* A stage of one direction as a block of a chain. */
typedef struct StageRun {
    const SeanetConfig *config;
    const Stage *stage;
} StageRun;

static RsdStatus run_units(Tape *t, const StageRun *run, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    for (int j = 0; j < run->config->n_residual; j++)
        TRY(residual_unit(t, run->config, &run->stage->units[j], *y, y, err));
fail:
    return status;
}

static RsdStatus run_down(Tape *t, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    const StageRun *run = ctx;
    RsdStatus status = RSD_OK;

    TRY(run_units(t, run, x, y, err));
    TRY(conv1d(t, &run->stage->resample, *y, y, err));
fail:
    return status;
}

static RsdStatus run_up(Tape *t, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    const StageRun *run = ctx;
    RsdStatus status = RSD_OK;

    TRY(conv_transpose1d(t, &run->stage->resample, x, y, err));
    TRY(run_units(t, run, *y, y, err));
fail:
    return status;
}

/* All stages as a chain, which keeps less of them than a plain record. */
static RsdStatus run_chain(Tape *t, const SeanetConfig *cfg, const Direction *direction, ChainRun run, Tensor *x, Tensor **y,
                           RsdError *err)
{
    ChainBlock blocks[SEANET_MAX_STAGES];
    StageRun *stages;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(t->arena, &stages, (size_t)cfg->n_ratios, sizeof *stages, err));
    for (int i = 0; i < cfg->n_ratios; i++) {
        stages[i] = (StageRun){cfg, &direction->stages[i]};
        blocks[i] = (ChainBlock){run, &stages[i]};
    }
    TRY(chain_run(t, blocks, cfg->n_ratios, x, y, err));
fail:
    return status;
}

/* ---- the outer layers of a stream, in strips ---- */

static int n_outer_stages(const SeanetConfig *cfg)
{
    int n = 0;

    while (n < cfg->n_ratios && cfg->base_channels << n <= STRIP_CHANNELS)
        n++;
    return n;
}

/* Samples of the signal for each frame of the `n` outermost stages' slower side. */
static int outer_hop(const SeanetConfig *cfg, int n)
{
    int hop = 1;

    for (int i = 0; i < n; i++)
        hop *= cfg->ratios[cfg->n_ratios - 1 - i];
    return hop;
}

/* Samples of the signal in a strip: whole frames of the latent. */
static int64_t strip_samples(const SeanetConfig *cfg)
{
    const int64_t hop = seanet_hop(cfg), frames = STRIP_FLOATS / (hop * cfg->base_channels);

    return hop * (frames < 1 ? 1 : frames);
}

static RsdStatus encode_outer(Tape *t, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    const Seanet *net = ctx;
    ArenaMark mark = arena_mark(t->arena);
    RsdStatus status = RSD_OK;

    TRY(conv1d(t, &net->encoder.in, x, y, err));
    for (int i = 0; i < n_outer_stages(&net->config); i++) {
        TRY(run_down(t, &(StageRun){&net->config, &net->encoder.stages[i]}, *y, y, err));
        TRY(tape_keep(t, mark, y, err));
    }
fail:
    return status;
}

/* run_up, without what the result does not need. */
static RsdStatus run_up_and_keep(Tape *t, const Seanet *net, int i, ArenaMark mark, Tensor *x, Tensor **y, RsdError *err)
{
    const Stage *stage = &net->decoder.stages[i];
    RsdStatus status = RSD_OK;

    TRY(conv_transpose1d(t, &stage->resample, x, y, err));
    TRY(tape_keep(t, mark, y, err));
    TRY(run_units(t, &(StageRun){&net->config, stage}, *y, y, err));
fail:
    return status;
}

static RsdStatus decode_outer(Tape *t, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    const Seanet *net = ctx;
    const SeanetConfig *cfg = &net->config;
    ArenaMark mark = arena_mark(t->arena);
    RsdStatus status = RSD_OK;

    *y = x;
    for (int i = cfg->n_ratios - n_outer_stages(cfg); i < cfg->n_ratios; i++)
        TRY(run_up_and_keep(t, net, i, mark, *y, y, err));
    TRY(conv1d(t, &net->decoder.out, *y, y, err));
fail:
    return status;
}

RsdStatus seanet_encode(Tape *t, Seanet *net, Tensor *x, Tensor **z, RsdError *err)
{
    const SeanetConfig *cfg = &net->config;
    const Direction *encoder = &net->encoder;
    const int n_outer = n_outer_stages(cfg);
    const Strips outer = {.run = encode_outer, .ctx = net, .len = strip_samples(cfg),
                          .channels = cfg->base_channels << n_outer, .up = 1, .down = outer_hop(cfg, n_outer)};
    ArenaMark mark = arena_mark(t->arena);
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(check_input(t, net, &encoder->in, x, cfg->channels, seanet_hop(cfg), "encoder input", err));
    if (t->recording) {
        TRY(conv1d(t, &encoder->in, x, &h, err));
        TRY(run_chain(t, cfg, encoder, run_down, h, &h, err));
    } else {
        TRY(strips_run(t, &outer, x, &h, err));
    }
    for (int i = n_outer; i < cfg->n_ratios && !t->recording; i++) {
        TRY(run_down(t, &(StageRun){cfg, &encoder->stages[i]}, h, &h, err));
        TRY(tape_keep(t, mark, &h, err));
    }
    TRY(lstm_with_skip(t, &encoder->lstm, h, &h, err));
    TRY(conv1d(t, &encoder->out, h, z, err));
fail:
    return status;
}

RsdStatus seanet_decode(Tape *t, Seanet *net, Tensor *z, Tensor **y, RsdError *err)
{
    const SeanetConfig *cfg = &net->config;
    const Direction *decoder = &net->decoder;
    const int n_outer = n_outer_stages(cfg), hop = outer_hop(cfg, n_outer);
    const Strips outer = {.run = decode_outer, .ctx = net, .len = strip_samples(cfg) / hop, .channels = cfg->channels,
                          .up = hop, .down = 1};
    ArenaMark mark = arena_mark(t->arena);
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(check_input(t, net, &decoder->in, z, cfg->latent_dim, 1, "decoder input", err));
    TRY(conv1d(t, &decoder->in, z, &h, err));
    TRY(lstm_with_skip(t, &decoder->lstm, h, &h, err));
    if (t->recording) {
        TRY(run_chain(t, cfg, decoder, run_up, h, &h, err));
        TRY(conv1d(t, &decoder->out, h, y, err));
    } else {
        for (int i = 0; i < cfg->n_ratios - n_outer; i++)
            TRY(run_up_and_keep(t, net, i, mark, h, &h, err));
        TRY(strips_run(t, &outer, h, y, err));
    }
fail:
    return status;
}
