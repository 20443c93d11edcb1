/* conv2d.h - two-dimensional convolution and transposed convolution as differentiable ops.
 *
 * Pictures are [batch, channels, lines, n]: "down" goes from line to line, "across" along a line. Depthwise convolutions are
 * those with as many groups as channels.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CONV2D_H
#define RESIDUA_OPS_CONV2D_H

#include "engine/ops/pad.h"
#include "engine/tape.h"

typedef struct Axes2d {
    int down, across;
} Axes2d;

typedef struct Sides2d {
    int top, bottom, left, right;
} Sides2d;

/* Taps that see what comes earlier in a coding order; the others count as zero weights and get no gradient [image.md 10.4]. */
typedef enum ConvMask {
    CONV_MASK_NONE,
    CONV_MASK_CHECKERBOARD, /* taps an odd number of steps from the middle: from one colour of a checkerboard to the other */
    CONV_MASK_RASTER        /* taps before the middle one in reading order */
} ConvMask;

typedef struct Conv2dParams {
    Axes2d stride, dilation; /* 0 counts as 1 */
    int groups;              /* 0 counts as 1 */
    Sides2d pad;             /* negative: cut; for the transposed convolution: cut from the full output */
    PadMode mode;            /* plain convolution only */
    Axes2d output_pad;       /* transposed only: added at the bottom and on the right */
    ConvMask mask;
} Conv2dParams;

/* Initialiser, the same padding on all sides: SIDES((k - 1) / 2) keeps the size under an odd kernel. */
#define SIDES(p) {(p), (p), (p), (p)}

/* x [batch, c_in, h, n], w [c_out, c_in / groups, k_y, k_x], b [c_out] or NULL -> y [batch, c_out, h', n'] with
 * h' = floor((h + top + bottom - span) / stride) + 1, span = (k - 1) dilation + 1, and n' likewise: torch's conv2d.
 * Reflection needs more samples than padding. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_conv2d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv2dParams *p, Tensor **y, RsdError *err);
/* Rectifiers behind n convolutions of one input, their channels one after the other: op_concat of op_relu of op_conv2d. Neither
 * the values before the rectifiers nor, for a batch of one, those before the concatenation take memory or a pass of their own.
 * Errors: as op_conv2d, and RSD_ERR_ARG where branches make pictures of different sizes. */
#define CONV2D_MAX_BRANCHES 4
typedef struct Conv2dBranch {
    Tensor *w, *b; /* b may be NULL */
    Conv2dParams p;
} Conv2dBranch;
RsdStatus op_conv2d_relu(Tape *tape, Tensor *x, const Conv2dBranch *branches, int n, Tensor **y, RsdError *err);
/* x [batch, c_in, h, n], w [c_in, c_out / groups, k_y, k_x] -> y [batch, c_out, h', n'] with
 * h' = (h - 1) stride + span - top - bottom + output_pad, and n' likewise: torch's conv_transpose2d. */
RsdStatus op_conv_transpose2d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv2dParams *p, Tensor **y, RsdError *err);

/* For inference, as conv1d_prepare. A masked weight cannot be prepared: RSD_ERR_ARG. */
RsdStatus conv2d_prepare(Tape *tape, Tensor *w, const Conv2dParams *p, RsdError *err);
RsdStatus conv_transpose2d_prepare(Tape *tape, Tensor *w, const Conv2dParams *p, RsdError *err);

/* x [batch, channels, h, n] where (line + column) is even (keep_odd false) or odd, zeros elsewhere. [image.md 10.4] */
RsdStatus op_checkerboard(Tape *tape, Tensor *x, bool keep_odd, Tensor **y, RsdError *err);

#endif
