/* conv_layout.h - what the parameters of a convolution mean for tensors of given shapes: checks, padding, output length.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CONV_LAYOUT_H
#define RESIDUA_OPS_CONV_LAYOUT_H

#include "engine/kernels/conv.h"
#include "engine/ops/conv1d.h"

typedef struct ConvLayout {
    ConvShape shape;     /* zero padding is in shape.left and shape.n_coarse */
    int64_t left, right; /* padding of the input (negative: samples cut), or cut from the full transposed output */
} ConvLayout;

/* Errors: RSD_ERR_ARG naming the shapes or the parameter. */
RsdStatus conv_layout(ConvLayout *out, const Tensor *x, const Tensor *w, const Tensor *b, const Conv1dParams *p,
                      RsdError *err);
RsdStatus conv_layout_transposed(ConvLayout *out, const Tensor *x, const Tensor *w, const Tensor *b,
                                 const Conv1dParams *p, RsdError *err);

/* The channels of `s`, whose groups are set, for a convolution of one or two axes, `name` in errors.
 * Errors: RSD_ERR_ARG when the channels of input, weight and bias do not fit. */
RsdStatus conv_channels(ConvShape *s, const char *name, const Tensor *x, const Tensor *w, const Tensor *b, bool transposed,
                        RsdError *err);

#endif
