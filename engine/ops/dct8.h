/* dct8.h - the cosine transform of 8 x 8 blocks, as JPEG and block-based measures use it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_DCT8_H
#define RESIDUA_OPS_DCT8_H

#include "engine/tape.h"

/* x [B, C, H, W] with H and W multiples of 8 -> y [B C, 64, H / 8, W / 8]: channel 8 u + v holds coefficient (u down, v
 * across) of every block, orthonormal, so its plane is a picture of that frequency. Errors: RSD_ERR_ARG naming the shape,
 * RSD_ERR_MEMORY. */
RsdStatus op_dct8(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* The inverse: y [N, 64, h, w] -> x [N, 1, 8 h, 8 w]. Errors as above. */
RsdStatus op_dct8_inverse(Tape *tape, Tensor *y, Tensor **x, RsdError *err);

#endif
