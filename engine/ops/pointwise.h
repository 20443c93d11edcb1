/* pointwise.h - what elementwise ops share: one driver for functions of one number and one for functions of two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_POINTWISE_H
#define RESIDUA_OPS_POINTWISE_H

#include "engine/kernels/point.h"
#include "engine/tape.h"

/* y [shape of x] = fn(x), attributes a and b as in point.h. Errors: RSD_ERR_MEMORY. */
RsdStatus op_map(Tape *tape, PointFn fn, float a, float b, Tensor *x, Tensor **y, RsdError *err);

/* y [shape of a] = fn(a, b); b is spread over a: see arithmetic.h. Errors: RSD_ERR_ARG naming both shapes,
 * RSD_ERR_MEMORY. */
RsdStatus op_pair(Tape *tape, PairFn fn, Tensor *a, Tensor *b, Tensor **y, RsdError *err);

/* Number of tasks that cover n elements in blocks of POINT_BLOCK, and the length of block i. */
static inline int64_t point_n_blocks(int64_t n)
{
    return (n + POINT_BLOCK - 1) / POINT_BLOCK;
}

static inline int64_t point_block_len(int64_t n, int64_t i)
{
    const int64_t left = n - i * POINT_BLOCK;

    return left < POINT_BLOCK ? left : POINT_BLOCK;
}

#endif
