/* shape.h - ops that move elements or only rename axes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SHAPE_H
#define RESIDUA_OPS_SHAPE_H

#include "engine/tape.h"

/* The same elements under another shape; one dimension may be -1 and is worked out. y shares the data of x (no copy).
 * Errors: RSD_ERR_ARG naming both shapes, RSD_ERR_MEMORY. */
RsdStatus op_reshape(Tape *tape, Tensor *x, int n_dims, const int64_t *shape, Tensor **y, RsdError *err);

/* Exchanges the last two axes: [..., rows, cols] -> [..., cols, rows]. Errors: RSD_ERR_ARG for fewer than two axes,
 * RSD_ERR_MEMORY. */
RsdStatus op_transpose(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* Puts n_inputs >= 1 tensors one after the other along an axis (negative counts from the last); the other axes agree.
 * Errors: RSD_ERR_ARG naming the shapes that disagree, RSD_ERR_MEMORY. */
RsdStatus op_concat(Tape *tape, int n_inputs, Tensor *const *x, int axis, Tensor **y, RsdError *err);

/* Elements start .. start + len - 1 of an axis (negative counts from the last). Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_slice(Tape *tape, Tensor *x, int axis, int64_t start, int64_t len, Tensor **y, RsdError *err);

#endif
