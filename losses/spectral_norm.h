/* spectral_norm.h - the largest singular value of the error: how strong its strongest single pattern is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SPECTRAL_NORM_H
#define RESIDUA_SPECTRAL_NORM_H

#include "losses/image_metric.h"

/* Mean over R, G and B of |D|_2 / sqrt(h w), D [h, w] the difference of the pictures: 0 for equal pictures, at most the root
 * mean square of the error, and equal to it when the error is one pattern of rows times columns (a stripe, a step of
 * brightness); an error like white noise gives far less. By at most 64 steps of Golub and Kahan's bidiagonalisation with
 * orthogonalisation, stopped when a step changes the value by less than 1e-9 of it. In double.
 * [Golub, Van Loan, Matrix computations, 4th edition, 10.4] Errors: RSD_ERR_MEMORY. */
RsdStatus metric_spectral_norm(double *value, const ImagePair *pair, RsdError *err);

#endif
