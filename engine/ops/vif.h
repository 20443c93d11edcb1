/* vif.h - what a noisy observer still learns of a picture through a distortion: the formula of VIF.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_VIF_H
#define RESIDUA_OPS_VIF_H

#include "engine/tape.h"

/* Local variances vx of the reference, vy of the distorted picture and their covariance vxy, of one shape -> y of that shape,
 * log10(1 + g^2 vx / (s + 2)) with the gain g = vxy / (vx + e), the noise s = vy - g vxy and e = 1e-8; negative variances
 * count 0, and y is 0 where vx < e, vy < e or g < 0 [image.md 11.6]. Gradients flow to vy and vxy.
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_vif_information(Tape *tape, Tensor *vx, Tensor *vy, Tensor *vxy, Tensor **y, RsdError *err);

#endif
