/* feature_distance.h - comparisons of the features of networks: direction at every place, and correlation of channels.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_FEATURE_DISTANCE_H
#define RESIDUA_OPS_FEATURE_DISTANCE_H

#include "engine/tape.h"

/* x, y [B, C, H, W] of one shape, w [C] -> value [B]: mean over places of the sum over channels of w (x / |x| - y / |y|)^2,
 * |.| the length over the channels plus 1e-10; fused, nothing of the size of x is stored. Gradients flow to y only; that of
 * |y| at 0 is 0. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. [image.md 11.8] */
RsdStatus op_unit_distance(Tape *tape, Tensor *x, Tensor *y, const Tensor *w, Tensor **value, RsdError *err);

/* x [B, C, H, W] -> g [B, C, C] = F F^T / (C H W), F = x as [C, H W]. Errors: as above. */
RsdStatus op_gram(Tape *tape, Tensor *x, Tensor **g, RsdError *err);

#endif
