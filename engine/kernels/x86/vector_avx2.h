/* vector_avx2.h - functions of eight floats at once that several AVX2 kernels share. Include from *_avx2.c only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_VECTOR_AVX2_H
#define RESIDUA_KERNELS_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* All bits set in the first n lanes, 0 <= n <= 8. */
static inline __m256i tail_mask(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* e^x = 2^n + 2^n p for x <= 0: n = round(x / ln 2), and p = e^r - 1 for the rest r, |r| <= ln 2 / 2, as a polynomial fitted
 * for the smallest greatest error, 9.7e-8 (weighted least squares, repeated). Keeping p apart from 1 gives e^x - 1 its
 * accuracy near 0. ln 2 in one float is enough: its error times n is only large where e^x is tiny. */
static inline void exp_parts_ps(__m256 x, __m256 *power, __m256 *rest)
{
    __m256 n, r, p;

    x = _mm256_max_ps(_mm256_set1_ps(-87.0f), x); /* in this order NaN passes */
    n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693147181f), x);
    p = _mm256_set1_ps(0.0083739096f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.0418985337f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.16666466f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.499991447f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    *power = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
    *rest = _mm256_mul_ps(p, r);
}

/* ELU with alpha 1: x for x > 0, e^x - 1 otherwise. What the polynomial makes of positive x is not looked at. */
static inline __m256 elu_ps(__m256 x)
{
    __m256 power, rest, below;

    exp_parts_ps(x, &power, &rest);
    below = _mm256_fmadd_ps(power, rest, _mm256_sub_ps(power, _mm256_set1_ps(1.0f)));
    return _mm256_blendv_ps(below, x, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
}

/* Its derivative: 1 for x > 0, e^x otherwise. */
static inline __m256 elu_slope_ps(__m256 x)
{
    __m256 power, rest;

    exp_parts_ps(_mm256_min_ps(_mm256_setzero_ps(), x), &power, &rest);
    return _mm256_fmadd_ps(power, rest, power);
}

/* Sums of the lanes of four vectors. */
static inline __m128 sum_lanes_x4(__m256 a, __m256 b, __m256 c, __m256 d)
{
    __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));

    return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

static inline float sum_lanes(__m256 a)
{
    return _mm_cvtss_f32(sum_lanes_x4(a, a, a, a));
}

#endif
