/* orthogonal.h - brings all singular values of a matrix near 1.
 *
 * X = U S V' becomes about U V' by five steps of X <- a X + b (X X') X + c (X X')^2 X with Jordan's coefficients: values from
 * 0.01 to 1 of the greatest end between 0.7 and 1.2.   [1] Jordan et al., Muon, 2024.   [2] Higham, Functions of Matrices,
 * 2008, chapter 8.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ORTHOGONAL_H
#define RESIDUA_ORTHOGONAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct Kernels;

/* x [rows, columns], row after row, in place, on the calling thread. scratch: room for orthogonal_scratch_count floats.
 * A matrix of zeros stays as it is. */
void orthogonalise(const struct Kernels *kernels, int64_t rows, int64_t columns, float *x, float *scratch);
size_t orthogonal_scratch_count(int64_t rows, int64_t columns);
/* Whether products of such a matrix are in bfloat16, which leaves some per cent of error, rather than in float32. */
bool orthogonal_is_rounded(const struct Kernels *kernels, int64_t rows, int64_t columns);

#endif
