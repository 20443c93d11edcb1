/* arithmetic.c - sums, products and simple functions, each a line over the drivers of pointwise.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/arithmetic.h"

#include "engine/ops/pointwise.h"

#define INV_LN_10 0.43429448190325182765f

RsdStatus op_add(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    return op_pair(tape, PAIR_ADD, a, b, y, err);
}

RsdStatus op_sub(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    return op_pair(tape, PAIR_SUB, a, b, y, err);
}

RsdStatus op_mul(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    return op_pair(tape, PAIR_MUL, a, b, y, err);
}

RsdStatus op_div(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    return op_pair(tape, PAIR_DIV, a, b, y, err);
}

RsdStatus op_affine(Tape *tape, Tensor *x, float scale, float shift, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_AFFINE, scale, shift, x, y, err);
}

RsdStatus op_scale(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_AFFINE, scale, 0.0f, x, y, err);
}

RsdStatus op_add_scalar(Tape *tape, Tensor *x, float shift, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_AFFINE, 1.0f, shift, x, y, err);
}

RsdStatus op_abs(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_ABS, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_square(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_SQUARE, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_exp(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_EXP, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_sin(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_SIN, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_sqrt(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_SQRT, floor, 0.0f, x, y, err);
}

RsdStatus op_log(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_LOG, floor, 1.0f, x, y, err);
}

RsdStatus op_log10(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_LOG, floor, INV_LN_10, x, y, err);
}

RsdStatus op_linear_light(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_LINEAR_LIGHT, 0.0f, 0.0f, x, y, err);
}

RsdStatus op_pow(Tape *tape, Tensor *x, float exponent, float floor, Tensor **y, RsdError *err)
{
    return op_map(tape, POINT_POW, floor, exponent, x, y, err);
}
