/* in_place.h - ops for inference that change a tensor instead of making one: no memory, one pass less.
 *
 * What they change must be a result that nothing else reads. They refuse a tape that records.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_IN_PLACE_H
#define RESIDUA_OPS_IN_PLACE_H

#include "engine/tape.h"

/* x [B, C, T...] = snake(x), see op_snake. Errors: RSD_ERR_ARG. */
RsdStatus op_snake_in_place(Tape *tape, Tensor *x, Tensor *alpha, RsdError *err);
RsdStatus op_tanh_in_place(Tape *tape, Tensor *x, RsdError *err);
RsdStatus op_relu_in_place(Tape *tape, Tensor *x, RsdError *err);
RsdStatus op_pow_in_place(Tape *tape, Tensor *x, float exponent, float floor, RsdError *err); /* max(x, floor)^exponent */

/* x [B, C, n] becomes h [B, C, m] + x[.., shift ..]: a residual connection around layers that shorten the signal by
 * n - m >= shift >= 0 samples. h is used up. Errors: RSD_ERR_ARG naming the shapes. */
RsdStatus op_add_skip_in_place(Tape *tape, Tensor *x, Tensor *h, int64_t shift, RsdError *err);
/* x [B, C, n] of a stream comes `delay` >= 0 samples later; zeros come first. Those that wait are in the stream's next slot.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_delay_in_place(Tape *tape, Tensor *x, int64_t delay, RsdError *err);

/* Columns of x [B, C, n] before `first` and from `end` on become zero; both may lie outside 0..n. Errors: RSD_ERR_ARG. */
RsdStatus op_keep_columns_in_place(Tape *tape, Tensor *x, int64_t first, int64_t end, RsdError *err);

#endif
