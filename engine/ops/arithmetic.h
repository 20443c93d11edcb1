/* arithmetic.h - sums, products and simple functions of tensors.
 *
 * Where an op takes a and b, b is spread over a: it has the shape of a with 1 on any axis, or one number per channel ([C]
 * with a [B, C, ...]), or a single element. The result has the shape of a. Gradients flow to both; a and b may be the
 * same tensor. Errors: RSD_ERR_ARG naming both shapes, RSD_ERR_MEMORY.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_ARITHMETIC_H
#define RESIDUA_OPS_ARITHMETIC_H

#include "engine/tape.h"

RsdStatus op_add(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);
RsdStatus op_sub(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);
RsdStatus op_mul(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);
RsdStatus op_div(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);

/* y = scale x + shift. */
RsdStatus op_affine(Tape *tape, Tensor *x, float scale, float shift, Tensor **y, RsdError *err);
RsdStatus op_scale(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err);
RsdStatus op_add_scalar(Tape *tape, Tensor *x, float shift, Tensor **y, RsdError *err);

RsdStatus op_abs(Tape *tape, Tensor *x, Tensor **y, RsdError *err); /* gradient 0 at 0 */
RsdStatus op_square(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_exp(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_sin(Tape *tape, Tensor *x, Tensor **y, RsdError *err);

/* With floor: the function of max(x, floor), floor >= 0; the gradient is 0 where x <= floor. */
RsdStatus op_sqrt(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err);
RsdStatus op_log(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err);
RsdStatus op_log10(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err);
/* sRGB values to linear light, odd. */
RsdStatus op_linear_light(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_pow(Tape *tape, Tensor *x, float exponent, float floor, Tensor **y, RsdError *err);

#endif
