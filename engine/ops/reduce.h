/* reduce.h - sums and means of tensors.
 *
 * Sums are taken in double over blocks of POINT_BLOCK elements, and the blocks' sums are added in order: the same bits for
 * any number of threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_REDUCE_H
#define RESIDUA_OPS_REDUCE_H

#include "engine/tape.h"

/* Over all elements of x: y [1]. The mean needs at least one element. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_sum(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_mean(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* Over one axis (negative counts from the last, -1): y has 1 there. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_sum_axis(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err);
RsdStatus op_mean_axis(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err);

#endif
