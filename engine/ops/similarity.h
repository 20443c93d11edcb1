/* similarity.h - comparisons of two arrays, element by element, as image quality measures use them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SIMILARITY_H
#define RESIDUA_OPS_SIMILARITY_H

#include "engine/tape.h"

/* y = 1 - S(a, b), S = ((2 - alpha) a b + c) / (a^2 + b^2 - alpha a b + c), c > 0, alpha < 2 [image.md 11]. Computed as
 * (a - b)^2 / (a^2 + b^2 - alpha a b + c): exactly 0, with gradient 0, where a = b. a and b of one shape; gradients flow to
 * both. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_dissimilarity(Tape *tape, Tensor *a, Tensor *b, float c, float alpha, Tensor **y, RsdError *err);

/* y = sqrt(a^2 + b^2), gradient 0 where both are 0. Shapes, gradients and errors as above. */
RsdStatus op_length(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);

/* The larger of two; where they are equal the gradient goes to b. Errors as above. */
RsdStatus op_max(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);

#endif
