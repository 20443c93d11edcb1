/* vsi.h - visual saliency-induced index.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_VSI_H
#define RESIDUA_VSI_H

#include "losses/image_metric.h"

#define VSI_MIN_SIDE 2

/* Similarity of saliency, gradients (to the 0.4) and colours (to the 0.02), weighted by the larger saliency. Saliency (SDSP) is
 * made at 256 x 256: band-passed L*a*b* times nearness to the centre times strength of colour. Gradients and colours in LMN, of
 * means over n x n, n = round(smaller side / 256). Equal: 1. Where neither picture has a salient place the weights are equal.
 * In double. [Zhang, Shen, Li, VSI: a visual saliency-induced index, 2014; Zhang, Gu, Li, SDSP, 2013; image.md 11.7; numbers
 * as piq.vsi] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_vsi(double *value, const ImagePair *pair, RsdError *err);
/* 1 - VSI as a loss. The gradient is that of the formula, weights included, the scaling of saliency and colours too: through their
 * least and greatest places. A picture of one colour, or colours that are nothing alike, have none there. */
RsdStatus measure_vsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err);

#endif
