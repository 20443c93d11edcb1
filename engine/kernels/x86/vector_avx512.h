/* vector_avx512.h - functions of sixteen floats at once that several AVX-512 kernels share. Include from *_avx512.c only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_VECTOR_AVX512_H
#define RESIDUA_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The first n lanes, 0 <= n <= 16. */
static inline __mmask16 first_lanes(int64_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* The lanes of a row of n floats that the vector at i covers; none behind its end. */
static inline __mmask16 lanes_at(int64_t i, int64_t n)
{
    return n - i >= 16 ? (__mmask16)0xFFFF : n > i ? first_lanes(n - i) : 0;
}

/* m rows of 16 lanes become 16 columns of m, one after another in as many vectors; m is 8 or 16, a constant. Mixing vector i with
 * vector i + m / 2, one neighbour from each in turn, moves the highest bit of a place (vector, lane) to its lowest; after log2(m)
 * passes the vector is the low bits. */
static inline __attribute__((always_inline)) void turn_vectors(__m512 *v, int m)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    __m512 mixed[16];

    UNROLL for (int pass = 1; pass < m; pass *= 2) {
        UNROLL for (int i = 0; i < m / 2; i++) {
            mixed[2 * i] = _mm512_permutex2var_ps(v[i], low, v[i + m / 2]);
            mixed[2 * i + 1] = _mm512_permutex2var_ps(v[i], high, v[i + m / 2]);
        }
        UNROLL for (int i = 0; i < m; i++)
            v[i] = mixed[i];
    }
}

/* e^x = 2^n + 2^n p for x <= 0, as in vector_avx2.h: the same polynomial, the same bits. */
static inline void exp_parts_ps(__m512 x, __m512 *power, __m512 *rest)
{
    __m512 n, r, p;

    x = _mm512_max_ps(_mm512_set1_ps(-87.0f), x); /* in this order NaN passes */
    n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147181f), x);
    p = _mm512_set1_ps(0.0083739096f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.0418985337f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.16666466f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.499991447f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    *power = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
    *rest = _mm512_mul_ps(p, r);
}

/* ELU with alpha 1: x for x > 0, e^x - 1 otherwise. What the polynomial makes of positive x is not looked at. */
static inline __m512 elu_ps(__m512 x)
{
    __m512 power, rest, below;

    exp_parts_ps(x, &power, &rest);
    below = _mm512_fmadd_ps(power, rest, _mm512_sub_ps(power, _mm512_set1_ps(1.0f)));
    return _mm512_mask_mov_ps(below, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}

/* Its derivative: 1 for x > 0, e^x otherwise. */
static inline __m512 elu_slope_ps(__m512 x)
{
    __m512 power, rest;

    exp_parts_ps(_mm512_min_ps(_mm512_setzero_ps(), x), &power, &rest);
    return _mm512_fmadd_ps(power, rest, power);
}

#endif
