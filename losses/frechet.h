/* frechet.h - distances of two sets of embeddings: Frechet (FID, FAD) and kernel (KID, KAD).
 *
 * An embedding is a row of numbers that a network made of one picture or one stretch of sound; residua comes without such
 * networks, so the rows are the user's. Values of different networks, or of sets cut up differently, cannot be compared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FRECHET_H
#define RESIDUA_FRECHET_H

#include <stdint.h>

#include "engine/base/error.h"

/* n rows of dim numbers. */
typedef struct Embeddings {
    const double *rows; /* borrowed */
    int64_t n, dim;
} Embeddings;

/* |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) with means m and covariances S (divided by n - 1). At least 0; 0 for equal sets.
 * Biased upwards by few rows: below some thousands prefer the kernel distance. The root's trace is the sum of the roots of the
 * eigenvalues of L^T S2 L, S1 = L L^T, so that no root of a matrix is taken; directions in which a set has no variance (n <= dim)
 * are left out.
 * [Heusel et al., GANs trained by a two time-scale update rule, 2017; Kilgour et al., Frechet audio distance, 2019; audio.md 8.11,
 * image.md 11.13] Errors: RSD_ERR_ARG (fewer than 2 rows, different dim, dim above 8192), RSD_ERR_NUMERIC (NaN or infinity, with
 * its place), RSD_ERR_MEMORY. */
RsdStatus frechet_distance(double *value, const Embeddings *a, const Embeddings *b, RsdError *err);

/* Unbiased squared maximum mean discrepancy under the kernel (x . y / dim + 1)^3; near 0, of either sign, for sets of one
 * distribution. [Binkowski et al., Demystifying MMD GANs, 2018] Errors as above. */
RsdStatus kernel_distance(double *value, const Embeddings *a, const Embeddings *b, RsdError *err);

#endif
