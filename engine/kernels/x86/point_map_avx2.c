/* point_map_avx2.c - functions of one number and their gradients, eight at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

/* The second operand of max is what it returns for NaN. */
static inline __m256 at_least(__m256 u, __m256 floor)
{
    return _mm256_max_ps(floor, u);
}

/* u times a gate from 0 to 1; the bound keeps -inf * 0 from being NaN. */
static inline __m256 hard_swish(__m256 u)
{
    const __m256 from = at_least(u, v_set(-3.0f));
    const __m256 gate = _mm256_mul_ps(_mm256_add_ps(from, v_set(3.0f)), v_set(1.0f / 6.0f));

    return _mm256_mul_ps(from, _mm256_min_ps(v_set(1.0f), gate));
}

static inline __m256 hard_swish_slope(__m256 u)
{
    const __m256 middle = _mm256_mul_ps(_mm256_add_ps(u, v_set(1.5f)), v_set(1.0f / 3.0f));
    const __m256 upper = v_pick(_mm256_cmp_ps(u, v_set(3.0f), _CMP_GE_OQ), v_set(1.0f), middle);

    return _mm256_andnot_ps(_mm256_cmp_ps(u, v_set(-3.0f), _CMP_LE_OQ), upper);
}

static inline __m256 low_light(__m256 size)
{
    return _mm256_cmp_ps(size, v_set(0.04045f), _CMP_LE_OQ);
}

static inline __m256 linear_light(__m256 u)
{
    const __m256 size = v_abs(u), base = _mm256_fmadd_ps(size, v_set(1.0f / 1.055f), v_set(0.055f / 1.055f));
    /* base^2 base^0.4: the error of a power grows with its exponent. */
    const __m256 power = v_with_sign(_mm256_mul_ps(_mm256_mul_ps(base, base), v_pow(base, v_set(0.4f))), u);

    return v_pick(low_light(size), _mm256_mul_ps(u, v_set(1.0f / 12.92f)), power);
}

static inline __m256 linear_light_slope(__m256 u, __m256 v)
{
    const __m256 size = v_abs(u);
    const __m256 power = _mm256_div_ps(_mm256_mul_ps(v_set(2.4f), v_abs(v)), _mm256_add_ps(size, v_set(0.055f)));

    return v_pick(low_light(size), v_set(1.0f / 12.92f), power);
}

#define EACH(...)                                                                                                      \
    EACH_VECTOR(n, const __m256 u = LOAD(x); STORE(y, (__VA_ARGS__)););                                                \
    break

void avx2_map(PointFn fn, float a, float b, const float *x, float *y, int64_t n)
{
    const __m256 va = v_set(a), vb = v_set(b), zero = _mm256_setzero_ps();
    __m256 unused;

    switch (fn) {
    case POINT_AFFINE: EACH(_mm256_fmadd_ps(va, u, vb));
    case POINT_RELU: EACH(at_least(u, zero));
    case POINT_LEAKY_RELU: EACH(v_pick(v_greater(u, zero), u, _mm256_mul_ps(va, u)));
    case POINT_ELU: EACH(v_pick(v_greater(u, zero), u, _mm256_mul_ps(va, v_expm1(_mm256_min_ps(zero, u)))));
    case POINT_GELU: EACH(_mm256_mul_ps(at_least(u, v_set(-15.0f)), v_normal_cdf(u, &unused)));
    case POINT_HARD_SWISH: EACH(hard_swish(u));
    case POINT_TANH: EACH(v_tanh(u));
    case POINT_SIGMOID: EACH(v_sigmoid(u));
    case POINT_EXP: EACH(v_exp(u));
    case POINT_SIN: EACH(v_sin(u));
    case POINT_ABS: EACH(v_abs(u));
    case POINT_SQUARE: EACH(_mm256_mul_ps(u, u));
    case POINT_SQRT: EACH(_mm256_sqrt_ps(at_least(u, va)));
    case POINT_LOG: EACH(_mm256_mul_ps(vb, v_log(at_least(u, va))));
    case POINT_POW: EACH(v_pow(at_least(u, va), vb));
    case POINT_LINEAR_LIGHT: EACH(linear_light(u));
    case POINT_N_FNS: break;
    }
}
#undef EACH

#define EACH(...)                                                                                                      \
    EACH_VECTOR(n, const __m256 u = LOAD(x); const __m256 v = LOAD(y); (void)u; (void)v;                               \
                PUT(dx, _mm256_mul_ps(LOAD(dy), (__VA_ARGS__)), add););                                                \
    break

static inline __m256 gelu_slope(__m256 u)
{
    __m256 density;
    const __m256 cdf = v_normal_cdf(u, &density);

    return _mm256_fmadd_ps(u, density, cdf);
}

void avx2_map_grad(PointFn fn, float a, float b, const float *x, const float *y, const float *dy, float *dx, int64_t n,
                   bool add)
{
    const __m256 va = v_set(a), vb = v_set(b), zero = _mm256_setzero_ps(), one = v_set(1.0f);

    switch (fn) {
    case POINT_AFFINE: EACH(va);
    case POINT_RELU: EACH(_mm256_and_ps(v_greater(u, zero), one));
    case POINT_LEAKY_RELU: EACH(v_pick(v_greater(u, zero), one, va));
    case POINT_ELU: EACH(v_pick(v_greater(u, zero), one, _mm256_add_ps(v, va)));
    case POINT_GELU: EACH(gelu_slope(u));
    case POINT_HARD_SWISH: EACH(hard_swish_slope(u));
    case POINT_TANH: EACH(_mm256_fnmadd_ps(v, v, one));
    case POINT_SIGMOID: EACH(_mm256_fnmadd_ps(v, v, v));
    case POINT_EXP: EACH(v);
    case POINT_SIN: EACH(v_cos(u));
    case POINT_ABS: EACH(_mm256_and_ps(_mm256_cmp_ps(u, zero, _CMP_NEQ_OQ), v_with_sign(one, u)));
    case POINT_SQUARE: EACH(_mm256_add_ps(u, u));
    case POINT_SQRT: EACH(_mm256_and_ps(v_greater(u, va), _mm256_div_ps(v_set(0.5f), v)));
    case POINT_LOG: EACH(_mm256_and_ps(v_greater(u, va), _mm256_div_ps(vb, u)));
    case POINT_POW: EACH(_mm256_and_ps(v_greater(u, va), _mm256_div_ps(_mm256_mul_ps(vb, v), u)));
    case POINT_LINEAR_LIGHT: EACH(linear_light_slope(u, v));
    case POINT_N_FNS: break;
    }
}

void avx2_snake(const float *x, float alpha, float *y, int64_t n)
{
    const __m256 va = v_set(alpha), inverse = v_set(1.0f / (alpha + 1e-9f));

    EACH_VECTOR(n, const __m256 u = LOAD(x); const __m256 s = v_sin(_mm256_mul_ps(va, u));
                STORE(y, _mm256_fmadd_ps(inverse, _mm256_mul_ps(s, s), u)););
}

double avx2_snake_grad(const float *x, float alpha, const float *dy, float *dx, int64_t n, bool add)
{
    const __m256 va = v_set(alpha), inverse = v_set(1.0f / (alpha + 1e-9f)), one = v_set(1.0f);
    const __m256 slope = _mm256_mul_ps(va, inverse);
    DoubleSum dalpha = sum_start();

    EACH_VECTOR(n, const __m256 u = LOAD(x); const __m256 d = LOAD(dy); const __m256 angle = _mm256_mul_ps(va, u);
                const __m256 s = v_sin(angle); const __m256 c = v_cos(angle);
                const __m256 sin_twice = _mm256_mul_ps(_mm256_add_ps(s, s), c);
                const __m256 bend = _mm256_mul_ps(_mm256_mul_ps(s, s), inverse);
                sum_add_product(&dalpha, d, _mm256_mul_ps(_mm256_fmsub_ps(u, sin_twice, bend), inverse));
                if (dx) PUT(dx, _mm256_mul_ps(d, _mm256_fmadd_ps(sin_twice, slope, one)), add););
    return sum_total(dalpha);
}
