/* surrogate.h - rounding and clipping that let a gradient through, as a differentiable coder needs them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SURROGATE_H
#define RESIDUA_OPS_SURROGATE_H

#include "engine/kernels/picture.h"
#include "engine/tape.h"

/* Element by element; with r(u) the nearest whole number, halves to even [image.md 4.2]:
 *
 *                   straight false                      straight true    gradient of both
 *   SURROGATE_ROUND r(u) + (u - r(u))^3                 r(u)             3 (u - r(u))^2
 *   SURROGATE_FLOOR the same of u - 1/2                 floor(u)         the same of u - 1/2
 *   SURROGATE_CLIP  inside u, beyond an end 1/1000 of   the end          1 inside, 1/1000 beyond
 *                   the way further
 * low and high are the ends of SURROGATE_CLIP. Errors: RSD_ERR_MEMORY. */
RsdStatus op_surrogate(Tape *tape, const Surrogate *what, Tensor *x, Tensor **y, RsdError *err);

#endif
