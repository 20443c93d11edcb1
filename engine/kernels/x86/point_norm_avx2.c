/* point_norm_avx2.c - normalisation over columns, softmax of rows; the formulas are in ref/point_norm.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

static inline __m256 narrow(__m256d low, __m256d high)
{
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}

static inline __m256d inverse_root(__m256d deviation, double rows, double eps)
{
    const __m256d variance = _mm256_div_pd(deviation, _mm256_set1_pd(rows));

    return _mm256_div_pd(_mm256_set1_pd(1.0), _mm256_sqrt_pd(_mm256_add_pd(variance, _mm256_set1_pd(eps))));
}

void avx2_norm_columns(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *beta,
                       float eps, float *y, float *mean, float *rstd)
{
    const __m256d count = _mm256_set1_pd((double)rows);

    EACH_VECTOR(
        n, DoubleSum total = sum_start(); DoubleSum deviation = sum_start();
        for (int64_t r = 0; r < rows; r++) sum_add(&total, LOAD(x + r * stride));
        total.low = _mm256_div_pd(total.low, count); total.high = _mm256_div_pd(total.high, count);
        for (int64_t r = 0; r < rows; r++) {
            const __m256 v = LOAD(x + r * stride);
            const __m256d low = _mm256_sub_pd(low_half(v), total.low), high = _mm256_sub_pd(high_half(v), total.high);

            deviation.low = _mm256_fmadd_pd(low, low, deviation.low);
            deviation.high = _mm256_fmadd_pd(high, high, deviation.high);
        }
        const __m256 centre = narrow(total.low, total.high);
        const __m256 scale = narrow(inverse_root(deviation.low, (double)rows, (double)eps),
                                    inverse_root(deviation.high, (double)rows, (double)eps));
        STORE(mean, centre); STORE(rstd, scale);
        for (int64_t r = 0; r < rows; r++) {
            const __m256 xhat = _mm256_mul_ps(_mm256_sub_ps(LOAD(x + r * stride), centre), scale);

            STORE(y + r * stride, gamma ? _mm256_fmadd_ps(xhat, v_set(gamma[r]), v_set(beta[r])) : xhat);
        });
}

void avx2_norm_columns_grad(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *mean,
                            const float *rstd, const float *dy, float *dx, bool add, double *dgamma, double *dbeta)
{
    const __m256d count = _mm256_set1_pd((double)rows);

    EACH_VECTOR(
        n, DoubleSum sum_e = sum_start(); DoubleSum sum_e_xhat = sum_start();
        const __m256 centre = LOAD(mean); const __m256 scale = LOAD(rstd);
        for (int64_t r = 0; r < rows; r++) {
            const __m256 xhat = _mm256_mul_ps(_mm256_sub_ps(LOAD(x + r * stride), centre), scale);
            const __m256 d = LOAD(dy + r * stride);
            const __m256 e = gamma ? _mm256_mul_ps(d, v_set(gamma[r])) : d;

            sum_add(&sum_e, e);
            sum_add_product(&sum_e_xhat, e, xhat);
            if (dgamma) {
                DoubleSum along = sum_start(), plain = sum_start();

                sum_add_product(&along, d, xhat);
                sum_add(&plain, d);
                dgamma[r] += sum_total(along);
                dbeta[r] += sum_total(plain);
            }
        }
        const __m256 mean_e = narrow(_mm256_div_pd(sum_e.low, count), _mm256_div_pd(sum_e.high, count));
        const __m256 mean_e_xhat = narrow(_mm256_div_pd(sum_e_xhat.low, count), _mm256_div_pd(sum_e_xhat.high, count));
        for (int64_t r = 0; dx && r < rows; r++) {
            const __m256 xhat = _mm256_mul_ps(_mm256_sub_ps(LOAD(x + r * stride), centre), scale);
            const __m256 d = LOAD(dy + r * stride);
            const __m256 e = gamma ? _mm256_mul_ps(d, v_set(gamma[r])) : d;
            const __m256 rest = _mm256_fnmadd_ps(xhat, mean_e_xhat, _mm256_sub_ps(e, mean_e));

            PUT(dx + r * stride, _mm256_mul_ps(scale, rest), add);
        });
}

/* Sum over n of e^(x - most), lanes beyond the end left out; y receives the terms unless it is NULL. */
static double sum_exp(const float *x, __m256 most, float *y, int64_t n)
{
    DoubleSum total = sum_start();

    EACH_VECTOR(n, __m256 e = v_exp(_mm256_sub_ps(LOAD(x), most)); if (y) STORE(y, e);
                if (!whole) e = _mm256_and_ps(e, _mm256_castsi256_ps(mask)); sum_add(&total, e););
    return sum_total(total);
}

/* The largest of n elements, -infinity for none. A NaN may be passed over: it makes the sum of exponentials NaN anyway. */
static float largest(const float *x, int64_t n)
{
    __m256 most = v_set(-INFINITY);
    float lanes[8], result = -INFINITY;

    EACH_VECTOR(n, __m256 v = LOAD(x); if (!whole) v = v_pick(_mm256_castsi256_ps(mask), v, most);
                most = _mm256_max_ps(v, most););
    _mm256_storeu_ps(lanes, most);
    for (int k = 0; k < 8; k++)
        if (lanes[k] > result)
            result = lanes[k];
    return result;
}

void avx2_softmax(const float *x, float *y, int64_t n, bool as_log)
{
    const float most = largest(x, n);

    if (as_log) {
        const __m256 shift = v_set(most), log_total = v_set((float)log(sum_exp(x, shift, NULL, n)));

        EACH_VECTOR(n, STORE(y, _mm256_sub_ps(_mm256_sub_ps(LOAD(x), shift), log_total)););
    } else {
        const __m256 inverse = v_set((float)(1.0 / sum_exp(x, v_set(most), y, n)));

        EACH_VECTOR(n, STORE(y, _mm256_mul_ps(LOAD(y), inverse)););
    }
}

void avx2_softmax_grad(const float *y, const float *dy, float *dx, int64_t n, bool as_log, bool add)
{
    const __m256 total = v_set((float)(as_log ? avx2_sum(dy, n) : avx2_dot(y, dy, n)));

    if (as_log)
        EACH_VECTOR(n, PUT(dx, _mm256_fnmadd_ps(v_exp(LOAD(y)), total, LOAD(dy)), add););
    else
        EACH_VECTOR(n, PUT(dx, _mm256_mul_ps(LOAD(y), _mm256_sub_ps(LOAD(dy), total)), add););
}
