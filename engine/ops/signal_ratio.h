/* signal_ratio.h - ratio of signal to noise after the best scaling (SI-SNR, SI-SDR), as a differentiable op.
 *
 * Everything follows from five sums over a segment, so a segment of any length costs two passes over its samples and no
 * memory; the gradient with respect to the estimate is p x + q y + r with numbers p, q, r per segment.
 *
 * [1] audio.md 8.1.   [2] Le Roux et al., SDR - half-baked or well done?, ICASSP 2019.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SIGNAL_RATIO_H
#define RESIDUA_OPS_SIGNAL_RATIO_H

#include "engine/tape.h"

/* Negative SI-SNR in dB, mean over rows and segments. Segments of segment_len samples start every `step` samples,
 * ceil(n / step) of them, and zeros fill the last ones (before means are removed). With e and g the centred estimate
 * and target, E = epsilon segment_len, a = <g, e> / (E + |g|^2):
 *   -10 log10(E + |a g|^2) + 10 log10(E + |e - a g|^2). */
typedef struct SisnrParams {
    int64_t segment_len, step; /* 1 <= step; segment_len 0: the whole signal */
    double epsilon;
} SisnrParams;

/* Negative SI-SDR in dB, mean over the items of the batch (all channels of an item are one vector). With reference r
 * and the other signal e: a = (<e, r> + 1e-8) / (|r|^2 + 1e-8) or 1,
 *   -10 log10(|a r|^2 / |e - a r|^2 + 1e-8), not below clip_db if it clips. */
typedef struct SisdrParams {
    bool scales;                /* false: a = 1 */
    bool removes_mean;
    bool estimate_is_reference; /* the order of arguments that DAC's training code uses; else the target is r */
    bool clips;
    double clip_db;
} SisdrParams;

/* estimate, target [batch, .., n] of one shape -> value [1]; gradients flow to the estimate only. Silence gives a
 * finite value and gradient. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_negative_sisnr(Tape *tape, const SisnrParams *p, Tensor *estimate, Tensor *target, Tensor **value,
                            RsdError *err);
RsdStatus op_negative_sisdr(Tape *tape, const SisdrParams *p, Tensor *estimate, Tensor *target, Tensor **value,
                            RsdError *err);

#endif
