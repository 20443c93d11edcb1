/* resize2d.h - pictures to another size, and pixels to channels and back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_RESIZE2D_H
#define RESIDUA_OPS_RESIZE2D_H

#include "engine/tape.h"

typedef enum ResizeMode {
    RESIZE_NEAREST, /* output i is input floor(i n / m) */
    RESIZE_BILINEAR /* centres of pixels: output i lies at (i + 1/2) n / m - 1/2, between two inputs, held at the edges */
} ResizeMode;

/* x [batch, channels, h, n] -> y [batch, channels, lines, columns]: torch's interpolate(size=(lines, columns)), for bilinear
 * with align_corners=False and without antialiasing (pool first to shrink by more than 2).
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_resize2d(Tape *tape, Tensor *x, int64_t lines, int64_t columns, ResizeMode mode, Tensor **y, RsdError *err);

/* x [batch, c r^2, h, n] -> y [batch, c, r h, r n]; channel (c, i, j) becomes pixel (i, j) of each r x r cell. And back.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_pixel_shuffle(Tape *tape, Tensor *x, int r, Tensor **y, RsdError *err);
RsdStatus op_pixel_unshuffle(Tape *tape, Tensor *x, int r, Tensor **y, RsdError *err);

#endif
