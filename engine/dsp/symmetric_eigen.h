/* symmetric_eigen.h - eigenvalues of small and middling symmetric matrices, with or without vectors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SYMMETRIC_EIGEN_H
#define RESIDUA_SYMMETRIC_EIGEN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

/* a [n, n], symmetric, finite; destroyed: with `vectors`, row k becomes the unit eigenvector of values[k], otherwise its content
 * is undefined. values [n] in rising order. Householder reduction to a tridiagonal matrix, then implicit QL with shifts: about
 * 4/3 n^3 products for the values, twice that and more for the vectors. Errors: RSD_ERR_MEMORY, RSD_ERR_NUMERIC (NaN or
 * infinity inside).
 * [Golub, Van Loan, Matrix computations, 4th edition, 8.3; Wilkinson, Reinsch, Handbook, 1971, tred2 and tql2] */
RsdStatus symmetric_eigen(double *a, int64_t n, double *values, bool vectors, RsdError *err);

#endif
