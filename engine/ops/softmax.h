/* softmax.h - softmax and its logarithm along one axis.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SOFTMAX_H
#define RESIDUA_OPS_SOFTMAX_H

#include "engine/tape.h"

/* y [shape of x]: e^x / sum e^x along `axis` (negative counts from the last), or x - ln sum e^x. The largest element is
 * taken off first, so large values do no harm. Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_softmax(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err);
RsdStatus op_log_softmax(Tape *tape, Tensor *x, int axis, Tensor **y, RsdError *err);

#endif
