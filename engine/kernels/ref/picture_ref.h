/* picture_ref.h - plain functions that every set of picture kernels uses; contracts in engine/kernels/picture.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_REF_H
#define RESIDUA_PICTURE_REF_H

#include "engine/kernels/picture.h"

void ref_dct8(const float *x, int64_t stride, int64_t n_blocks, float *y, int64_t y_stride);
void ref_dct8_inverse(const float *y, int64_t y_stride, int64_t n_blocks, float *x, int64_t stride);
void ref_spread_row(const float *x, float *y, int64_t n);
float ref_mean_lowest(const float *x, int64_t n, int64_t k, float *work, float *limit);
void ref_mean_lowest_grad(const float *x, int64_t n, int64_t k, float limit, float dy, float *dx, bool add);
void ref_vif(const float *vx, const float *vy, const float *vxy, float *y, int64_t n);
void ref_vif_grad(const float *vx, const float *vy, const float *vxy, const float *dy, float *dvy, bool add_y, float
                  *dvxy, bool add_xy, int64_t n);
void ref_ssimulacra(const float *x, const float *y, const SsimRows *rows, double sums[6], int64_t n);
void ref_ssimulacra_grad(const float *x, const float *y, const SsimRows *rows, const float slopes[6], float *dmean, float *dsum,
                         float *dsq, float *ddirect, int64_t n);
void ref_widen_difference(const float *a, const float *b, double *y, int64_t n);
void ref_narrow(const double *x, double scale, float *y, int64_t n);
double ref_focal(double *spectrum, int h, int w, const FocalTerms *t);
double ref_unit_distance(const float *x, const float *y, const float *w, int64_t channels, int64_t stride, int64_t n,
                         float scale, float *dy, bool add);
void ref_surrogate(const Surrogate *what, const float *x, float *y, int64_t n);
void ref_surrogate_grad(const Surrogate *what, const float *x, const float *dy, float *dx, int64_t n, bool add);

#endif
