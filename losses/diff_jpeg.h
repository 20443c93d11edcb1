/* diff_jpeg.h - a JPEG encoder and decoder that is differentiable in the picture, the quality and the tables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DIFF_JPEG_H
#define RESIDUA_DIFF_JPEG_H

#include "engine/tape.h"

typedef struct DiffJpegParams {
    bool straight_through;  /* whole coefficients forward, as a real coder has; else soft ones, see engine/ops/surrogate.h */
    Tensor *luma, *chroma;  /* [64] tables before they are scaled, in the order 8 u + v; NULL: those of the standard */
} DiffJpegParams;

/* x [B, 3, H, W] RGB in [0, 1], quality [1] between 1 and 99 -> y of the shape of x: JPEG with 4:2:0 chroma, every step of the
 * standard included (scaling, rounding and clipping of the tables too). Sides that are not multiples of 16 are extended by
 * their edge and cut again. Soft output may leave [0, 1] by a thousandth of the excess. Errors: RSD_ERR_ARG naming the shape or
 * the quality, RSD_ERR_MEMORY. [Reich et al., Differentiable JPEG: the devil is in the details, 2024; image.md 4] */
RsdStatus diff_jpeg(Tape *tape, const DiffJpegParams *params, Tensor *x, Tensor *quality, Tensor **y, RsdError *err);

#endif
