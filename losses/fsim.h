/* fsim.h - feature similarity: phase congruency and gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FSIM_H
#define RESIDUA_FSIM_H

#include "losses/image_metric.h"

#define FSIM_MIN_SIDE 16

/* Mean of S_PC S_G, and for FSIMc times |S_I S_Q|^0.03, weighted by the larger phase congruency. Pictures are first reduced to
 * means over n x n, n = round(smaller side / 256). Phase congruency: log-Gabor filters at 4 scales (wavelengths 6, 12, 24, 48,
 * bandwidth 0.55) and 4 orientations, less the noise expected from the median response of the finest scale. Scharr gradients;
 * constants 0.85, 160, 200, 200 on 0..255. Equal: 1. Where neither picture has any structure the weights are equal (piq divides
 * rounding errors). In double.
 * [Zhang, Zhang, Mou, Zhang, FSIM: a feature similarity index, 2011; Kovesi, Image features from phase congruency, 1999;
 * image.md 11.7; numbers as piq.fsim] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_fsim(double *value, const ImagePair *pair, RsdError *err);
RsdStatus metric_fsimc(double *value, const ImagePair *pair, RsdError *err);

/* 1 - FSIM or 1 - FSIMc (params: FsimForm) as a loss. The gradient is that of the formula, weights and noise threshold included; where
 * it has none (no edge, no response, chroma that is opposite or nothing alike) that part is 0. */
typedef struct FsimForm {
    bool chromatic;
} FsimForm;
RsdStatus measure_fsim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err);

#endif
