/* latent_ref.h - plain functions that every set of latent kernels uses; contracts in engine/kernels/latent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LATENT_REF_H
#define RESIDUA_LATENT_REF_H

#include "engine/kernels/latent.h"

void ref_table_bits(const BitsTable *table, const float *x, const float *row, float *y, int64_t n);
void ref_table_bits_grad(const BitsTable *table, const float *x, const float *row, const float *dy, float *dx, bool add_x,
                         float *drow, bool add_row, int64_t n);
void ref_factorised_bits(const float *weights, const float *x, float floor, float *y, int64_t n);
void ref_factorised_bits_grad(const float *weights, const float *x, float floor, const float *dy, float *dx, bool add,
                              double *dweights, int64_t n);

#endif
