/* vmath_avx2.h - exp, log, tanh, sin and their kin on eight floats at once, with AVX2 and FMA.
 *
 * Each reduces its argument to a short interval and evaluates a polynomial there. The coefficients come from least squares
 * on 4000 Chebyshev points, reweighted until the error is level (200 rounds), with the relative error of the result as
 * weight; the interval and the largest relative error before rounding to float stand beside each. Tests hold the results
 * within the stated units in the last place (ulp) of libm in double (tests/engine/test_point.c).
 *
 * NaN gives NaN: where a bound is applied, x is the second operand of min and max, which is what these instructions return
 * when either is NaN.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_VMATH_AVX2_H
#define RESIDUA_VMATH_AVX2_H

#include <immintrin.h>
#include <math.h>

static inline __m256 v_set(float value)
{
    return _mm256_set1_ps(value);
}

static inline __m256 v_abs(__m256 x)
{
    return _mm256_andnot_ps(v_set(-0.0f), x);
}

/* Value of |magnitude| with the sign of x. */
static inline __m256 v_with_sign(__m256 magnitude, __m256 x)
{
    return _mm256_or_ps(magnitude, _mm256_and_ps(v_set(-0.0f), x));
}

/* mask ? a : b; a mask lane is all ones or all zeros. */
static inline __m256 v_pick(__m256 mask, __m256 a, __m256 b)
{
    return _mm256_blendv_ps(b, a, mask);
}

static inline __m256 v_greater(__m256 a, __m256 b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

/* 2^n for whole n in [-126, 127]. */
static inline __m256 v_power_of_two(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* x = n ln 2 + r with |r| <= ln(2) / 2: returns e^r - 1, which is accurate near 0 too. Error 2.2e-9 before rounding. */
static inline __m256 v_expm1_reduced(__m256 x, __m256 *n)
{
    __m256 r, q;

    *n = _mm256_round_ps(_mm256_mul_ps(x, v_set(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    r = _mm256_fnmadd_ps(*n, v_set(0.693359375f), x); /* 10 bits of ln 2: n times it is exact */
    r = _mm256_fnmadd_ps(*n, v_set(-2.12194440054690583e-4f), r);
    q = v_set(1.991417084e-04f);
    q = _mm256_fmadd_ps(q, r, v_set(1.394100836e-03f));
    q = _mm256_fmadd_ps(q, r, v_set(8.333273232e-03f));
    q = _mm256_fmadd_ps(q, r, v_set(4.166635498e-02f));
    q = _mm256_fmadd_ps(q, r, v_set(1.666666716e-01f));
    q = _mm256_fmadd_ps(q, r, v_set(0.5f));
    return _mm256_fmadd_ps(_mm256_mul_ps(r, r), q, r);
}

/* e^x; 0 below -104, infinity above 88.73, subnormal in between. */
static inline __m256 v_exp(__m256 x)
{
    __m256 n, p;
    __m256i whole, half;

    x = _mm256_max_ps(v_set(-104.5f), _mm256_min_ps(v_set(89.0f), x));
    p = _mm256_add_ps(v_expm1_reduced(x, &n), v_set(1.0f));
    whole = _mm256_cvtps_epi32(n);
    half = _mm256_srai_epi32(whole, 1); /* in two steps: 2^n alone may be out of range where the result is not */
    return _mm256_mul_ps(_mm256_mul_ps(p, v_power_of_two(half)), v_power_of_two(_mm256_sub_epi32(whole, half)));
}

/* e^x - 1 for x <= 88. */
static inline __m256 v_expm1(__m256 x)
{
    __m256 n, p, scale;

    x = _mm256_max_ps(v_set(-87.0f), x);
    p = v_expm1_reduced(x, &n);
    scale = v_power_of_two(_mm256_cvtps_epi32(n));
    return _mm256_fmadd_ps(scale, p, _mm256_sub_ps(scale, v_set(1.0f)));
}

/* (e^2|x| - 1) / (e^2|x| + 1) with the sign of x; 1 in float from 9.02 on. */
static inline __m256 v_tanh(__m256 x)
{
    const __m256 e = v_expm1(_mm256_mul_ps(v_set(2.0f), _mm256_min_ps(v_set(10.0f), v_abs(x))));

    return v_with_sign(_mm256_div_ps(e, _mm256_add_ps(e, v_set(2.0f))), x);
}

static inline __m256 v_sigmoid(__m256 x)
{
    const __m256 one = v_set(1.0f);

    return _mm256_div_ps(one, _mm256_add_ps(one, v_exp(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

/* ln x: x = 2^e m, m in [sqrt(1/2), sqrt(2)), f = m - 1, ln m = f - f^2 / 2 + f^3 P(f). Error 7.7e-10 before rounding.
 * -infinity for 0, NaN below. */
static inline __m256 v_log(__m256 x)
{
    const __m256 least_normal = v_set(0x1p-126f), infinity = v_set(INFINITY), given = x;
    const __m256 is_small = _mm256_cmp_ps(x, least_normal, _CMP_LT_OQ);
    __m256i bits, exponent;
    __m256 f, square, e, p, y;

    x = v_pick(is_small, _mm256_mul_ps(x, v_set(0x1p23f)), x); /* subnormal numbers become normal */
    bits = _mm256_castps_si256(x);
    /* Subtracting the bits of sqrt(1/2) makes the exponent step there instead of at a power of two. */
    exponent = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
    f = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(exponent, 23))), v_set(1.0f));
    e = _mm256_sub_ps(_mm256_cvtepi32_ps(exponent), _mm256_and_ps(is_small, v_set(23.0f)));
    p = v_set(6.915424764e-02f);
    p = _mm256_fmadd_ps(p, f, v_set(-1.178983524e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(1.187296584e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(-1.238434315e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(1.421865821e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(-1.666925102e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(2.000222653e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(-2.499998659e-01f));
    p = _mm256_fmadd_ps(p, f, v_set(3.333331048e-01f));
    square = _mm256_mul_ps(f, f);
    y = _mm256_mul_ps(_mm256_mul_ps(square, f), p);
    y = _mm256_fmadd_ps(e, v_set(-2.12194440054690583e-4f), y);
    y = _mm256_fnmadd_ps(v_set(0.5f), square, y);
    y = _mm256_add_ps(y, f);
    y = _mm256_fmadd_ps(e, v_set(0.693359375f), y);
    y = v_pick(_mm256_cmp_ps(given, _mm256_setzero_ps(), _CMP_EQ_OQ), v_set(-INFINITY), y);
    y = v_pick(_mm256_cmp_ps(given, infinity, _CMP_EQ_OQ), infinity, y);
    return v_pick(_mm256_cmp_ps(given, _mm256_setzero_ps(), _CMP_NGE_UQ), v_set(NAN), y); /* negative or NaN */
}

/* max(x, 0)^exponent. */
static inline __m256 v_pow(__m256 x, __m256 exponent)
{
    return v_exp(_mm256_mul_ps(exponent, v_log(x)));
}

/* x = n pi + r, |r| <= pi / 2, n whole plus `offset`: returns sin r and the sign (-1)^(n - offset) in the sign bit. Three
 * parts of pi keep the error of r below 1e-7 up to V_SIN_RANGE. */
#define V_SIN_RANGE 30000.0f
static inline __m256 v_sin_reduced(__m256 x, float offset, __m256 *sign)
{
    __m256 n, r, z, s;

    n = _mm256_fmsub_ps(x, v_set(0.31830988618379067f), v_set(offset));
    n = _mm256_round_ps(n, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    *sign = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtps_epi32(n), 31));
    n = _mm256_add_ps(n, v_set(offset));
    r = _mm256_fnmadd_ps(n, v_set(0x1.921fb6p+1f), x);
    r = _mm256_fnmadd_ps(n, v_set(-0x1.777a5cp-24f), r);
    r = _mm256_fnmadd_ps(n, v_set(-0x1.ee59dap-49f), r);
    z = _mm256_mul_ps(r, r);
    s = v_set(-2.390848053e-08f);
    s = _mm256_fmadd_ps(s, z, v_set(2.752657792e-06f));
    s = _mm256_fmadd_ps(s, z, v_set(-1.984089322e-04f));
    s = _mm256_fmadd_ps(s, z, v_set(8.333330974e-03f));
    s = _mm256_fmadd_ps(s, z, v_set(-1.666666716e-01f)); /* error 1.5e-8 before rounding */
    return _mm256_fmadd_ps(_mm256_mul_ps(z, r), s, r);
}

/* Lanes beyond V_SIN_RANGE go through libm one by one: rare, and each lane's result depends on that lane alone. */
static inline __m256 v_beyond_range(__m256 x, __m256 y, float (*function)(float))
{
    float xs[8], ys[8];

    _mm256_storeu_ps(xs, x);
    _mm256_storeu_ps(ys, y);
    for (int i = 0; i < 8; i++)
        if (!(fabsf(xs[i]) <= V_SIN_RANGE))
            ys[i] = function(xs[i]);
    return _mm256_loadu_ps(ys);
}

static inline int v_all_in_range(__m256 x)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(v_abs(x), v_set(V_SIN_RANGE), _CMP_NLE_UQ)) == 0;
}

static inline __m256 v_sin(__m256 x)
{
    __m256 sign, y = v_sin_reduced(x, 0.0f, &sign);

    y = _mm256_xor_ps(y, sign);
    return v_all_in_range(x) ? y : v_beyond_range(x, y, sinf);
}

/* cos(r + n pi) with n = k + 1/2 is -sin(r) (-1)^k. */
static inline __m256 v_cos(__m256 x)
{
    __m256 sign, y = v_sin_reduced(x, 0.5f, &sign);

    y = _mm256_xor_ps(_mm256_xor_ps(y, sign), v_set(-0.0f));
    return v_all_in_range(x) ? y : v_beyond_range(x, y, cosf);
}

/* Phi(x), the normal distribution function, and *density = e^(-x^2 / 2) / sqrt(2 pi).
 * Phi(-|x|) = e^(-z^2) erfcx(z) / 2, z = |x| / sqrt(2); erfcx(z) is t times a polynomial in t = 1 / (1 + 0.4 z), fitted for
 * z in [0, 10.2], error 2.3e-8 before rounding. What is left out where x^2 is rounded is put back to first order. */
static inline __m256 v_normal_cdf(__m256 x, __m256 *density)
{
    const __m256 one = v_set(1.0f), u = _mm256_min_ps(v_set(14.4f), v_abs(x));
    const __m256 t = _mm256_div_ps(one, _mm256_fmadd_ps(u, v_set(0.4f * 0.70710678118654752f), one));
    const __m256 square = _mm256_mul_ps(u, u), rest = _mm256_fmsub_ps(u, u, square);
    __m256 e = v_exp(_mm256_mul_ps(v_set(-0.5f), square)), p;

    e = _mm256_fnmadd_ps(_mm256_mul_ps(v_set(0.5f), rest), e, e);
    *density = _mm256_mul_ps(e, v_set(0.39894228040143267794f));
    p = v_set(-2.920581773e-02f);
    p = _mm256_fmadd_ps(p, t, v_set(1.959030181e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(-4.938492179e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(5.408180356e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(-2.788636088e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(2.691130638e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(1.307001263e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(2.147005349e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(2.249782979e-01f));
    p = _mm256_fmadd_ps(p, t, v_set(2.257055640e-01f));
    p = _mm256_mul_ps(_mm256_mul_ps(v_set(0.5f), e), _mm256_mul_ps(p, t));
    return v_pick(v_greater(x, _mm256_setzero_ps()), _mm256_sub_ps(one, p), p);
}

#endif
