/* point_reduce_avx2.c - sums, distances and extremes of rows; eight double lanes, added in a fixed order at the end.
 *
 * Lanes beyond the end are loaded as zeros, which add nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

double avx2_sum(const float *x, int64_t n)
{
    DoubleSum total = sum_start();

    EACH_VECTOR(n, sum_add(&total, LOAD(x)););
    return sum_total(total);
}

double avx2_dot(const float *a, const float *b, int64_t n)
{
    DoubleSum total = sum_start();

    EACH_VECTOR(n, sum_add_product(&total, LOAD(a), LOAD(b)););
    return sum_total(total);
}

double avx2_sum_sq_dev(const float *x, float centre, int64_t n)
{
    const __m256d c = _mm256_set1_pd((double)centre);
    DoubleSum total = sum_start();
    int64_t i = 0;

    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_loadu_ps(x + i);
        const __m256d low = _mm256_sub_pd(low_half(v), c), high = _mm256_sub_pd(high_half(v), c);

        total.low = _mm256_fmadd_pd(low, low, total.low);
        total.high = _mm256_fmadd_pd(high, high, total.high);
    }
    if (i < n) { /* a missing element must not count as (0 - centre)^2 */
        const __m256i mask = first_lanes(n - i);
        const __m256 v = v_pick(_mm256_castsi256_ps(mask), _mm256_maskload_ps(x + i, mask), v_set(centre));
        const __m256d low = _mm256_sub_pd(low_half(v), c), high = _mm256_sub_pd(high_half(v), c);

        total.low = _mm256_fmadd_pd(low, low, total.low);
        total.high = _mm256_fmadd_pd(high, high, total.high);
    }
    return sum_total(total);
}

double avx2_sum_abs_diff(const float *a, const float *b, const float *w, int64_t n)
{
    DoubleSum total = sum_start();

    if (w)
        EACH_VECTOR(n, sum_add_product(&total, v_abs(_mm256_sub_ps(LOAD(a), LOAD(b))), LOAD(w)););
    else
        EACH_VECTOR(n, sum_add(&total, v_abs(_mm256_sub_ps(LOAD(a), LOAD(b)))););
    return sum_total(total);
}

double avx2_sum_sq_diff(const float *a, const float *b, const float *w, int64_t n)
{
    DoubleSum total = sum_start();

    if (w)
        EACH_VECTOR(n, const __m256 d = _mm256_sub_ps(LOAD(a), LOAD(b)); sum_add_product(&total, _mm256_mul_ps(d, d), LOAD(w)););
    else
        EACH_VECTOR(n, const __m256 d = _mm256_sub_ps(LOAD(a), LOAD(b)); sum_add_product(&total, d, d););
    return sum_total(total);
}

void avx2_sum_columns(const float *x, int64_t rows, int64_t n, int64_t stride, double scale, float *y)
{
    const __m256d factor = _mm256_set1_pd(scale);

    EACH_VECTOR(n, DoubleSum total = sum_start();
                for (int64_t r = 0; r < rows; r++) sum_add(&total, LOAD(x + r * stride));
                STORE(y, _mm256_set_m128(_mm256_cvtpd_ps(_mm256_mul_pd(total.high, factor)),
                                         _mm256_cvtpd_ps(_mm256_mul_pd(total.low, factor)))););
}

float avx2_max_abs(const float *x, int64_t n)
{
    __m256 most = _mm256_setzero_ps(), is_nan = _mm256_setzero_ps();
    float lanes[8], largest = 0.0f;

    EACH_VECTOR(n, const __m256 v = LOAD(x); most = _mm256_max_ps(most, v_abs(v));
                is_nan = _mm256_or_ps(is_nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q)););
    if (_mm256_movemask_ps(is_nan))
        return NAN;
    _mm256_storeu_ps(lanes, most);
    for (int k = 0; k < 8; k++)
        if (lanes[k] > largest)
            largest = lanes[k];
    return largest;
}

bool avx2_all_finite(const float *x, int64_t n)
{
    const __m256 infinity = v_set(INFINITY);
    __m256 bad = _mm256_setzero_ps();

    EACH_VECTOR(n, bad = _mm256_or_ps(bad, _mm256_cmp_ps(v_abs(LOAD(x)), infinity, _CMP_NLT_UQ)););
    return _mm256_movemask_ps(bad) == 0;
}

static inline __m256 sign_of(__m256 d)
{
    return _mm256_and_ps(_mm256_cmp_ps(d, _mm256_setzero_ps(), _CMP_NEQ_OQ), v_with_sign(v_set(1.0f), d));
}

void avx2_abs_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add)
{
    const __m256 s = v_set(scale);

    if (w)
        EACH_VECTOR(n, const __m256 sign = sign_of(_mm256_sub_ps(LOAD(a), LOAD(b)));
                    PUT(dx, _mm256_mul_ps(_mm256_mul_ps(s, sign), LOAD(w)), add););
    else
        EACH_VECTOR(n, PUT(dx, _mm256_mul_ps(s, sign_of(_mm256_sub_ps(LOAD(a), LOAD(b)))), add););
}

void avx2_sq_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add)
{
    const __m256 s = v_set(2.0f * scale);

    if (w)
        EACH_VECTOR(n, const __m256 d = _mm256_mul_ps(s, _mm256_sub_ps(LOAD(a), LOAD(b)));
                    PUT(dx, _mm256_mul_ps(d, LOAD(w)), add););
    else
        EACH_VECTOR(n, PUT(dx, _mm256_mul_ps(s, _mm256_sub_ps(LOAD(a), LOAD(b))), add););
}
