/* frequency_loss.h - losses on spectra, wavelet bands and edges: what blurs most.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FREQUENCY_LOSS_H
#define RESIDUA_FREQUENCY_LOSS_H

#include "engine/ops/focal_frequency.h"
#include "losses/image_measure.h"

/* Focal frequency loss, see engine/ops/focal_frequency.h, plus l1_share times the mean absolute difference: with 1 the joint
 * spatial and frequency loss. [image.md 3.10] */
typedef struct FrequencyLossParams {
    FocalFrequencyParams focal;
    float l1_share;
} FrequencyLossParams;
RsdStatus measure_focal_frequency(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                  Tensor **value, RsdError *err);

/* Sobel gradients g over 8 of luma (BT.601 as in YIQ), edges repeated, m = sqrt(g_x^2 + g_y^2 + 1e-6), primes for dist:
 * mean |m' - m| + mean m (1 - g . g' / (m m')). The direction is weighted by the true magnitude, so that flat places say
 * nothing; since m > |g| a small rest of at most 1e-3 stays where pictures are equal and flat: it is subtracted, computed
 * from the reference alone. [image.md 3.11] */
RsdStatus measure_edge_direction(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                 Tensor **value, RsdError *err);

/* Haar wavelet packet of two levels, 16 bands (u, v), u, v = 0..3 by frequency; weight 0 for (0, 0), 1 where u or v is 0, 1/2
 * elsewhere; sum over bands of weight times mean |X' - X| plus the same of local energies sqrt(mean over 5 x 5 of X^2 + 1e-6),
 * zeros beyond the edges. Pictures are extended to multiples of 4 by their mirror image. [image.md 3.9, its form without a
 * network] */
RsdStatus measure_wavelet(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err);

#endif
