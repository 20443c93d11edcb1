/* point_avx2.h - the functions of the set point_avx2, one file per concern; contracts in engine/kernels/point.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_POINT_AVX2_H
#define RESIDUA_POINT_AVX2_H

#include <immintrin.h>

#include "engine/kernels/point.h"

/* Runs its body for eight elements at a time, i = 0, 8, ..., and once more for what is left over with a mask of lanes, so
 * that an element goes through the same instructions wherever it stands. Inside, LOAD(p) reads p[i..i + 7] (zeros in lanes
 * left out), STORE(p, v) writes them and PUT(p, v, add) adds to or overwrites them. */
#define EACH_VECTOR(n, ...)                                                                                            \
    do {                                                                                                               \
        int64_t i = 0;                                                                                                 \
        for (; i + 8 <= (n); i += 8) {                                                                                 \
            enum { whole = 1 };                                                                                        \
            const __m256i mask = _mm256_setzero_si256();                                                               \
            (void)mask;                                                                                                \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
        if (i < (n)) {                                                                                                 \
            enum { whole = 0 };                                                                                        \
            const __m256i mask = first_lanes((n) - i);                                                                 \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    } while (0)
#define LOAD(p) (whole ? _mm256_loadu_ps((p) + i) : _mm256_maskload_ps((p) + i, mask))
#define STORE(p, v) (whole ? _mm256_storeu_ps((p) + i, (v)) : _mm256_maskstore_ps((p) + i, mask, (v)))
#define PUT(p, v, add) STORE(p, (add) ? _mm256_add_ps(LOAD(p), (v)) : (v))

/* Mask of the first n of eight lanes, 0 <= n <= 8. */
static inline __m256i first_lanes(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* A sum of floats in eight double lanes; the lanes are added in a fixed order at the end. */
typedef struct DoubleSum {
    __m256d low, high;
} DoubleSum;

static inline DoubleSum sum_start(void)
{
    return (DoubleSum){_mm256_setzero_pd(), _mm256_setzero_pd()};
}

static inline __m256d low_half(__m256 v)
{
    return _mm256_cvtps_pd(_mm256_castps256_ps128(v));
}

static inline __m256d high_half(__m256 v)
{
    return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
}

static inline void sum_add(DoubleSum *sum, __m256 v)
{
    sum->low = _mm256_add_pd(sum->low, low_half(v));
    sum->high = _mm256_add_pd(sum->high, high_half(v));
}

/* sum + u v, the products exact in double. */
static inline void sum_add_product(DoubleSum *sum, __m256 u, __m256 v)
{
    sum->low = _mm256_fmadd_pd(low_half(u), low_half(v), sum->low);
    sum->high = _mm256_fmadd_pd(high_half(u), high_half(v), sum->high);
}

static inline double sum_total(DoubleSum sum)
{
    const __m256d four = _mm256_add_pd(sum.low, sum.high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));

    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* point_map_avx2.c */
void avx2_map(PointFn fn, float a, float b, const float *x, float *y, int64_t n);
void avx2_map_grad(PointFn fn, float a, float b, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                  bool add);
void avx2_snake(const float *x, float alpha, float *y, int64_t n);
double avx2_snake_grad(const float *x, float alpha, const float *dy, float *dx, int64_t n, bool add);

/* point_pair_avx2.c */
void avx2_pair(PairFn fn, const float *a, const float *b, bool b_is_one, float *y, int64_t n);
void avx2_pair_grad_a(PairFn fn, const float *a, const float *b, bool b_is_one, const float *dy, float *da, int64_t n,
                     bool add);
void avx2_pair_grad_b(PairFn fn, const float *a, const float *b, const float *dy, float *db, int64_t n, bool add);
double avx2_pair_grad_one(PairFn fn, const float *a, float b, const float *dy, int64_t n);

/* point_reduce_avx2.c */
double avx2_sum(const float *x, int64_t n);
double avx2_dot(const float *a, const float *b, int64_t n);
double avx2_sum_sq_dev(const float *x, float centre, int64_t n);
double avx2_sum_abs_diff(const float *a, const float *b, const float *w, int64_t n);
double avx2_sum_sq_diff(const float *a, const float *b, const float *w, int64_t n);
void avx2_sum_columns(const float *x, int64_t rows, int64_t n, int64_t stride, double scale, float *y);
float avx2_max_abs(const float *x, int64_t n);
bool avx2_all_finite(const float *x, int64_t n);
void avx2_abs_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);
void avx2_sq_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add);

/* point_move_avx2.c */
void avx2_settle(const double *total, double scale, float *y, int64_t n, bool add);
void avx2_fill(float *y, float value, int64_t n, bool add);
void avx2_scale(const float *x, float scale, float *y, int64_t n, bool add);
void avx2_reverse(const float *x, float *y, int64_t n, bool add);
void avx2_blend(const float *a, float p, const float *b, float q, float r, float *y, int64_t n, bool add);
void avx2_transpose(const float *src, int64_t rows, int64_t cols, int64_t src_stride, float *dst, int64_t dst_stride,
                   bool add);
void avx2_to_half(const float *x, uint16_t *y, int64_t n);
void avx2_from_half(const uint16_t *x, float *y, int64_t n);

/* point_norm_avx2.c */
void avx2_norm_columns(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *beta,
                      float eps, float *y, float *mean, float *rstd);
void avx2_norm_columns_grad(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *mean,
                           const float *rstd, const float *dy, float *dx, bool add, double *dgamma, double *dbeta);
void avx2_softmax(const float *x, float *y, int64_t n, bool as_log);
void avx2_softmax_grad(const float *y, const float *dy, float *dx, int64_t n, bool as_log, bool add);

/* point_step_avx2.c */
void avx2_lstm_cell(float *gates, int64_t stride, const float *c_prev, float *c, float *h, int64_t n);
void avx2_lstm_cell_grad(float *gates, int64_t stride, const float *c_prev, const float *c, const float *dh, float *dc,
                         int64_t n);
void avx2_adam(float *p, float *m, float *v, const float *g, int64_t n, const AdamStep *step);
void avx2_track(float *average, const float *p, float decay, int64_t n);

#endif
