/* point_ref.h - the functions of the reference set point_ref, one file per concern; contracts in engine/kernels/point.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_POINT_REF_H
#define RESIDUA_POINT_REF_H

#include "engine/kernels/point.h"

/* Adds to or overwrites one gradient element. */
static inline void put(float *dx, float value, bool add)
{
    *dx = add ? *dx + value : value;
}

/* point_map.c */
void ref_map(PointFn fn, float a, float b, const float *x, float *y, int64_t n);
void ref_map_grad(PointFn fn, float a, float b, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                  bool add);
void ref_snake(const float *x, float alpha, float *y, int64_t n);
double ref_snake_grad(const float *x, float alpha, const float *dy, float *dx, int64_t n, bool add);

/* point_pair.c */
void ref_pair(PairFn fn, const float *a, const float *b, bool b_is_one, float *y, int64_t n);
void ref_pair_grad_a(PairFn fn, const float *a, const float *b, bool b_is_one, const float *dy, float *da, int64_t n,
                     bool add);
void ref_pair_grad_b(PairFn fn, const float *a, const float *b, const float *dy, float *db, int64_t n, bool add);
double ref_pair_grad_one(PairFn fn, const float *a, float b, const float *dy, int64_t n);

/* point_reduce.c */
double ref_sum(const float *x, int64_t n);
double ref_dot(const float *a, const float *b, int64_t n);
double ref_sum_sq_dev(const float *x, float centre, int64_t n);
double ref_sum_abs_diff(const float *a, const float *b, const float *w, int64_t n);
double ref_sum_sq_diff(const float *a, const float *b, const float *w, int64_t n);
void ref_sum_columns(const float *x, int64_t rows, int64_t n, int64_t stride, double scale, float *y);
float ref_max_abs(const float *x, int64_t n);
bool ref_all_finite(const float *x, int64_t n);
void ref_abs_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);
void ref_sq_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);

/* point_move.c */
void ref_settle(const double *total, double scale, float *y, int64_t n, bool add);
void ref_fill(float *y, float value, int64_t n, bool add);
void ref_scale(const float *x, float scale, float *y, int64_t n, bool add);
void ref_reverse(const float *x, float *y, int64_t n, bool add);
void ref_blend(const float *a, float p, const float *b, float q, float r, float *y, int64_t n, bool add);
void ref_transpose(const float *src, int64_t rows, int64_t cols, int64_t src_stride, float *dst, int64_t dst_stride,
                   bool add);
void ref_to_half(const float *x, uint16_t *y, int64_t n);
void ref_from_half(const uint16_t *x, float *y, int64_t n);

/* point_norm.c */
void ref_norm_columns(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *beta,
                      float eps, float *y, float *mean, float *rstd);
void ref_norm_columns_grad(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *mean,
                           const float *rstd, const float *dy, float *dx, bool add, double *dgamma, double *dbeta);
void ref_softmax(const float *x, float *y, int64_t n, bool as_log);
void ref_softmax_grad(const float *y, const float *dy, float *dx, int64_t n, bool as_log, bool add);

/* point_step.c */
void ref_lstm_cell(float *gates, int64_t stride, const float *c_prev, float *c, float *h, int64_t n);
void ref_lstm_cell_grad(float *gates, int64_t stride, const float *c_prev, const float *c, const float *dh, float *dc,
                        int64_t n);
void ref_adam(float *p, float *m, float *v, const float *g, int64_t n, const AdamStep *step);
void ref_track(float *average, const float *p, float decay, int64_t n);

#endif
