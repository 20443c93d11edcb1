/* ssim_loss.h - structural similarity at one scale and at several.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SSIM_LOSS_H
#define RESIDUA_SSIM_LOSS_H

#include "losses/image_measure.h"

#define SSIM_MIN_SIDE 11

/* 1 - SSIM: Gaussian window of 11 taps, sigma 1.5, whole windows only, C1 0.01^2, C2 0.03^2, population variances, no
 * downsampling first; mean over positions, then channels. 0 for equal pictures, at most 2.
 * [Wang et al., Image quality assessment: from error visibility to structural similarity, 2004; image.md 11.2; numbers as
 * VainF/pytorch-msssim] */
RsdStatus measure_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

/* 1 - MS-SSIM: product over scales of the mean contrast and structure to the power of the scale's weight, with luminance at
 * the last; mean over channels. Between scales 2 x 2 means; an odd side gets a zero at both ends, which count.
 * As a metric a negative mean counts 0, as in the reference, and the product is 0. As a loss a mean below 1e-4 counts 1e-4
 * but passes its gradient on, because the power has an infinite slope at 0.
 * [Wang et al., Multi-scale structural similarity, 2003; image.md 11.3] */
typedef struct MsSsimParams {
    int n_scales; /* 5; fewer for small pictures, with the weights of the first n scaled to the sum 1: never to be compared */
    bool as_loss;
    float l1_share; /* of (1 - share) (1 - MS-SSIM) + share L1. The paper weights |d| with the Gaussian of the coarsest
                       scale; over whole pictures that weight is the same for every pixel, so it is left out.
                       [Zhao et al., Loss functions for image restoration with neural networks, 2017: 0.16] */
} MsSsimParams;
/* The smallest side: 10 2^(n - 1) + 1. */
#define MS_SSIM_MIN_SIDE(n_scales) ((10 << ((n_scales) - 1)) + 1)
RsdStatus measure_ms_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err);

#endif
