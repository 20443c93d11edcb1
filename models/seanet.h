/* seanet.h - SEANet encoder and decoder: strided convolutions with residual units, one definition for training, whole
 * files and streams.
 *
 *   encoder: conv(ch->C0, k7); for r in reversed(ratios): ResUnit(c)... ELU conv(c->2c, k2r, s r); ELU conv(->D, k7)
 *   decoder: conv(D->c, k7); for r in ratios: ELU convT(c->c/2, k2r, s r) ResUnit(c/2)...; ELU conv(C0->ch, k7)
 *   ResUnit(c): y = S(u) + pw(c/compress -> c)(ELU(conv(c -> c/compress, k3, dilation)(ELU(u))))
 *
 * [1] Tagliasacchi et al., SEANet, 2020.   [2] Defossez et al., EnCodec, 2022.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SEANET_H
#define RESIDUA_SEANET_H

#include "engine/ops/conv1d.h"
#include "engine/tape.h"
#include "models/params.h"

#define SEANET_MAX_STAGES 8

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

/* Registers the parameters as "encoder.*" and "decoder.*" and initialises them: U(+-1/sqrt(fan_in)), g = |v|
 * (audio.md 1.5). cfg is copied. Errors: RSD_ERR_ARG naming the field and its range, RSD_ERR_MEMORY. */
RsdStatus seanet_create(Seanet **out, const SeanetConfig *cfg, ParamSet *params, uint64_t seed, RsdError *err);
void seanet_destroy(Seanet **net);

/* x [batch, channels, n] -> z [batch, D, ceil(n / hop)].  With tape->stream: n must be a multiple of hop. */
RsdStatus seanet_encode(Tape *tape, Seanet *net, Tensor *x, Tensor **z, RsdError *err);
/* z [batch, D, frames] -> y [batch, channels, frames * hop]. */
RsdStatus seanet_decode(Tape *tape, Seanet *net, Tensor *z, Tensor **y, RsdError *err);

/* Inference: computes plain weights from weight norm once; call again after weights change. Without it every call folds. */
RsdStatus seanet_freeze(Seanet *net, RsdError *err);

int seanet_hop(const SeanetConfig *cfg);
/* Multiply-accumulates per second of signal at rate_hz, of one direction. */
double seanet_macs_per_second(const SeanetConfig *cfg, int rate_hz, bool decoder);

#endif
