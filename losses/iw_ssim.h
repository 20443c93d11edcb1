/* iw_ssim.h - structural similarity weighted by information content.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IW_SSIM_H
#define RESIDUA_IW_SSIM_H

#include "losses/image_metric.h"

#define IW_SSIM_MIN_SIDE 161

/* Luma in 0..255 in a Laplacian pyramid of five levels; at each the contrast-structure map of SSIM (at the last, SSIM), averaged
 * with the information that a Gaussian scale mixture model (3 x 3 neighbours and, but for the two coarsest, the parent) says the
 * two pictures share with what is seen; product with the exponents of MS-SSIM. Equal: 1. A level where the model finds no
 * information (flat pictures: the reference fails) counts with equal weights. In double.
 * [Wang, Li, Information content weighting for perceptual image quality assessment, 2011; image.md 11.7; numbers as
 * piq.information_weighted_ssim] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_iw_ssim(double *value, const ImagePair *pair, RsdError *err);
/* 1 - IW-SSIM as a loss. The gradient is that of the formula, weights included; a level whose structure is opposite or nothing alike has
 * none. */
RsdStatus measure_iw_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err);

#endif
