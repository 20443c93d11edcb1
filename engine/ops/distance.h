/* distance.h - mean absolute and mean squared difference of two tensors, fused: no difference is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_DISTANCE_H
#define RESIDUA_OPS_DISTANCE_H

#include "engine/tape.h"

/* a, b of one shape with at least one element; w NULL or of that shape, without a gradient of its own. y [1]:
 *   op_l1   mean of w |a - b|      gradient 0 where a = b
 *   op_mse  mean of w (a - b)^2
 * The mean divides by the number of elements, not by the sum of w. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_l1(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, Tensor **y, RsdError *err);
RsdStatus op_mse(Tape *tape, Tensor *a, Tensor *b, const Tensor *w, Tensor **y, RsdError *err);

#endif
