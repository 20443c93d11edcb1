/* conv_point.h - convolutions of one tap as products of matrices in bfloat16: what a tape with TAPE_BF16 trains with.
 *
 *   y = W x + b     W [c_out, c_in], x [c_in, samples] of each item
 *   dx = W' dy      dW = the sum over items of dy x'
 *
 * Operands are rounded to bfloat16 on the way in, sums are float32. Tasks follow from the shape alone, and each sum has one order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CONV_POINT_H
#define RESIDUA_OPS_CONV_POINT_H

#include "engine/kernels/conv.h"
#include "engine/tape.h"

/* Whether this gather, or its gradients (backward), go this way on this tape: one tap, no padding, channels enough to fill a tile, a
 * processor that multiplies bfloat16 faster than floats, and a tape that records and allows it. */
bool conv_point_takes(const Tape *tape, const ConvShape *s, bool backward);

/* y of a job without context, ELU and addition. */
void conv_point_run(Tape *tape, const ConvJob *job);
/* Gradients of a gather without ELU. Errors: RSD_ERR_MEMORY. */
RsdStatus conv_point_back(Tape *tape, const ConvBackJob *job, RsdError *err);

#endif
