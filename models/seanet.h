/* seanet.h - SEANet encoder and decoder: strided convolutions with residual units, one definition for training, whole
 * files and streams.
 *
 *   encoder: conv(ch->C0, k7); for r in reversed(ratios): ResUnit(c)... ELU conv(c->2c, k2r, s r); LSTM; ELU conv(->D, k7)
 *   decoder: conv(D->c, k7); LSTM; for r in ratios: ELU convT(c->c/2, k2r, s r) ResUnit(c/2)...; ELU conv(C0->ch, k7)
 *   ResUnit(c): y = S(u) + pw(c/compress -> c)(ELU(conv(c -> c/compress, k3, dilation)(ELU(u)))),  S = identity or pw(c->c)
 *
 * Parameters are named after the place of their layer (suffixes: models/layers.h); stage 0 runs first on either side:
 *
 *   {encoder,decoder}.in  .lstm  .out  .stages.I.{down,up}  .stages.I.units.J.{conv,pointwise,shortcut}
 *
 * [1] Tagliasacchi et al., SEANet, 2020.   [2] Defossez et al., EnCodec, 2022 (audio.md 1.2-1.5).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SEANET_H
#define RESIDUA_SEANET_H

#include "engine/ops/conv1d.h"
#include "engine/tape.h"
#include "models/params.h"

#define SEANET_MAX_STAGES 8
#define SEANET_MAX_UNITS 4

typedef enum SeanetNorm { SEANET_NORM_NONE, SEANET_NORM_WEIGHT, SEANET_NORM_GROUP } SeanetNorm;

typedef struct SeanetConfig {
    int channels;                  /* of the signal */
    int base_channels;             /* C0 */
    int n_ratios;
    int ratios[SEANET_MAX_STAGES]; /* decoder order; hop = product */
    int latent_dim;                /* D */
    int kernel, last_kernel;       /* 7, 7 */
    int residual_kernel;           /* 3 */
    int n_residual;                /* units per stage, unit j has dilation dilation_base^j */
    int dilation_base;             /* 2 */
    int compress;                  /* 2 */
    int n_lstm;                    /* layers at the bottleneck, 0 for none */
    bool causal, true_skip;
    PadMode pad;                   /* PAD_ZERO or PAD_REFLECT */
    SeanetNorm norm;
} SeanetConfig;

typedef struct Seanet Seanet; /* an encoder and a decoder; weights live in a ParamSet */

/* Every field in its range, and the network not larger than SEANET_MAX_PARAMETERS. Nothing is allocated, so this may be
 * asked about a configuration from a hostile file. Errors: RSD_ERR_ARG naming the field, its value and its range. */
#define SEANET_MAX_PARAMETERS ((int64_t)1 << 28)
RsdStatus seanet_check_config(const SeanetConfig *cfg, RsdError *err);

/* Registers the parameters as "encoder.*" and "decoder.*" and draws their first values, see
 * conv_layer_register in models/layers.h. cfg is copied, params must outlive the network. In a set for inference the
 * weights are undefined until they are loaded.
 * Errors: RSD_ERR_ARG naming the field and its range, RSD_ERR_MEMORY. */
RsdStatus seanet_create(Seanet **out, const SeanetConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err);
void seanet_destroy(Seanet **net);

/* x [batch, channels, n] -> z [batch, D, ceil(n / hop)].  With tape->stream: n must be a multiple of hop except in the last
 * chunk (stream_set_last), and the frames are those of the whole signal bit for bit; under reflect padding the first chunk must
 * have more than `last_kernel` frames for that, and shorter ones begin as if zeros came before. Where n is not a multiple of
 * hop, each strided layer completes its last window by itself (audio.md 1.2).
 * Errors: RSD_ERR_ARG (shape), RSD_ERR_UNSUPPORTED (stream of a network that is not causal or has group norm),
 * RSD_ERR_MEMORY. */
RsdStatus seanet_encode(Tape *tape, Seanet *net, Tensor *x, Tensor **z, RsdError *err);
/* z [batch, D, frames] -> y [batch, channels, frames * hop]; any number of frames per chunk. Errors: as seanet_encode. */
RsdStatus seanet_decode(Tape *tape, Seanet *net, Tensor *z, Tensor **y, RsdError *err);

/* Inference: computes plain weights from weight norm once; call again after weights change. Without it every call folds.
 * A tape that records goes on using v and g. After it, encode and decode of one network may run on many tapes at once. */
RsdStatus seanet_freeze(Seanet *net, RsdError *err);

/* Calls visit for each convolution of the decoder, in the order of the signal; ends at the first error. */
struct ConvLayer; /* models/layers.h */
RsdStatus seanet_visit_decoder(Seanet *net, RsdStatus (*visit)(void *ctx, struct ConvLayer *layer, RsdError *err), void *ctx,
                               RsdError *err);

int seanet_hop(const SeanetConfig *cfg);
/* True when the network can run on chunks: causal, no group norm. */
bool seanet_can_stream(const SeanetConfig *cfg);
/* Trainable numbers of both directions. */
int64_t seanet_count_parameters(const SeanetConfig *cfg);
/* Multiply-accumulates per second of signal at rate_hz, of one direction. */
double seanet_macs_per_second(const SeanetConfig *cfg, int rate_hz, bool decoder);

#endif
