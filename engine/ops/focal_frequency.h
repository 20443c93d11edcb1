/* focal_frequency.h - the focal frequency loss: errors of the spectrum, weighted by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_FOCAL_FREQUENCY_H
#define RESIDUA_OPS_FOCAL_FREQUENCY_H

#include "engine/tape.h"

typedef struct FocalFrequencyParams {
    float alpha;      /* exponent of the weight */
    int patches;      /* the picture is cut into patches x patches; what is left over at the ends is not looked at */
    bool logarithmic; /* weight ln(1 + weight) before it is scaled */
} FocalFrequencyParams;

/* x, y [B, C, H, W] of one shape -> value [B]: mean over all frequencies, patches and channels of w |D|^2, D the orthonormal
 * Fourier transform of y - x, w = |D|^alpha over the largest of its patch and channel, taken as a constant by the gradient;
 * 0 for equal pictures. The transforms are in double. Gradients flow to y. Errors: RSD_ERR_ARG naming the shapes,
 * RSD_ERR_MEMORY. [Jiang et al., Focal frequency loss for image reconstruction and synthesis, 2021; image.md 3.10] */
RsdStatus op_focal_frequency(Tape *tape, const FocalFrequencyParams *params, Tensor *x, Tensor *y, Tensor **value,
                             RsdError *err);

#endif
