/* spectrum_avx2.h - what the files of the AVX2 spectrum set share: transforms, logarithm and power of eight numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SPECTRUM_AVX2_H
#define RESIDUA_SPECTRUM_AVX2_H

#include <immintrin.h>

#include "engine/kernels/spectrum.h"

void spectrum_load_frames_avx2(const float *x, int64_t hop, const float *window, int n, int n_frames, float *block);
void spectrum_add_frames_avx2(const float *block, const float *window, int n, int64_t hop, int n_frames, float *x);
void spectrum_forward_avx2(const BlockFft *fft, float *block, float *work, float *re, float *im);
void spectrum_adjoint_avx2(const BlockFft *fft, const float *re, const float *im, float *work, float *block);

void spectrum_power_avx2(const float *re, const float *im, float *s, int64_t n);
void spectrum_power_grad_avx2(const float *re, const float *im, const float *ds, float *dre, float *dim, int64_t n,
                              bool add);
void spectrum_magnitude_avx2(const float *re, const float *im, float floor, float *s, int64_t n);
void spectrum_magnitude_grad_avx2(const float *re, const float *im, const float *s, float floor, const float *ds,
                                  float *dre, float *dim, int64_t n, bool add);
void spectrum_compress_avx2(const float *re, const float *im, float exponent, float eps, float *cre, float *cim,
                            float *gain, int64_t n);
void spectrum_compress_grad_avx2(const float *re, const float *im, const float *gain, float exponent, float eps,
                                 const float *dcre, const float *dcim, float *dre, float *dim, int64_t n, bool add);
void spectrum_band_avx2(const BandMatrix *m, const float *x, int64_t x_stride, float *y, int64_t y_stride,
                        int64_t columns, bool add);
void spectrum_distance_avx2(const float *a, const float *b, int64_t rows, const DistanceTerms *t, float *da,
                            double sums[SPECTRUM_LANES]);
void spectrum_energy_avx2(const float *a, int64_t rows, double sums[SPECTRUM_LANES]);

/* What is computed in float is the same in the AVX-512 set. */
#define SPECTRUM_IN_FLOAT_AVX2 \
    .load_frames = spectrum_load_frames_avx2, .add_frames = spectrum_add_frames_avx2, .forward = spectrum_forward_avx2, \
    .adjoint = spectrum_adjoint_avx2, .power = spectrum_power_avx2, .power_grad = spectrum_power_grad_avx2, \
    .magnitude = spectrum_magnitude_avx2, .magnitude_grad = spectrum_magnitude_grad_avx2, .compress = spectrum_compress_avx2, \
    .compress_grad = spectrum_compress_grad_avx2, .band = spectrum_band_avx2, .distance = spectrum_distance_avx2, \
    .energy = spectrum_energy_avx2

static inline void transpose8(__m256 r[8])
{
    const __m256 a0 = _mm256_unpacklo_ps(r[0], r[1]), a1 = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 a2 = _mm256_unpacklo_ps(r[2], r[3]), a3 = _mm256_unpackhi_ps(r[2], r[3]);
    const __m256 a4 = _mm256_unpacklo_ps(r[4], r[5]), a5 = _mm256_unpackhi_ps(r[4], r[5]);
    const __m256 a6 = _mm256_unpacklo_ps(r[6], r[7]), a7 = _mm256_unpackhi_ps(r[6], r[7]);
    const __m256 b0 = _mm256_shuffle_ps(a0, a2, 0x44), b1 = _mm256_shuffle_ps(a0, a2, 0xee);
    const __m256 b2 = _mm256_shuffle_ps(a1, a3, 0x44), b3 = _mm256_shuffle_ps(a1, a3, 0xee);
    const __m256 b4 = _mm256_shuffle_ps(a4, a6, 0x44), b5 = _mm256_shuffle_ps(a4, a6, 0xee);
    const __m256 b6 = _mm256_shuffle_ps(a5, a7, 0x44), b7 = _mm256_shuffle_ps(a5, a7, 0xee);

    r[0] = _mm256_permute2f128_ps(b0, b4, 0x20);
    r[1] = _mm256_permute2f128_ps(b1, b5, 0x20);
    r[2] = _mm256_permute2f128_ps(b2, b6, 0x20);
    r[3] = _mm256_permute2f128_ps(b3, b7, 0x20);
    r[4] = _mm256_permute2f128_ps(b0, b4, 0x31);
    r[5] = _mm256_permute2f128_ps(b1, b5, 0x31);
    r[6] = _mm256_permute2f128_ps(b2, b6, 0x31);
    r[7] = _mm256_permute2f128_ps(b3, b7, 0x31);
}

/* Splits normal positive x = 2^e m with m in [sqrt(1/2), sqrt(2)) and returns ln(m) by the series
 * ln m = 2 (s + s^3/3 + s^5/5 + ..), s = (m - 1) / (m + 1), |s| <= 0.1716; the first term left out is below 1e-8 s. */
static inline __m256 split_log(__m256 x, __m256 *exponent)
{
    const __m256i bits = _mm256_castps_si256(x);
    /* adding the distance from sqrt(1/2) to 1 makes the exponent step at sqrt(2) instead of 2 */
    const __m256i shifted = _mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000 - 0x3f3504f3));
    const __m256i e = _mm256_sub_epi32(_mm256_srli_epi32(shifted, 23), _mm256_set1_epi32(127));
    const __m256 m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(e, 23)));
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 s = _mm256_div_ps(_mm256_sub_ps(m, one), _mm256_add_ps(m, one));
    const __m256 s2 = _mm256_mul_ps(s, s);
    __m256 sum = _mm256_set1_ps(2.0f / 9.0f);

    sum = _mm256_fmadd_ps(sum, s2, _mm256_set1_ps(2.0f / 7.0f));
    sum = _mm256_fmadd_ps(sum, s2, _mm256_set1_ps(2.0f / 5.0f));
    sum = _mm256_fmadd_ps(sum, s2, _mm256_set1_ps(2.0f / 3.0f));
    sum = _mm256_mul_ps(sum, s2);
    *exponent = _mm256_cvtepi32_ps(e);
    return _mm256_fmadd_ps(sum, s, _mm256_add_ps(s, s));
}

/* ln(x) for x >= 2^-126; infinity and NaN stay. */
static inline __m256 log_ps(__m256 x)
{
    __m256 e, ln_m = split_log(x, &e);
    /* ln 2 in two parts: e times the first is exact */
    const __m256 y = _mm256_fmadd_ps(e, _mm256_set1_ps(0.693359375f),
                                     _mm256_fmadd_ps(e, _mm256_set1_ps(-2.12194440e-4f), ln_m));
    const __m256 finite = _mm256_cmp_ps(x, _mm256_set1_ps(__builtin_inff()), _CMP_LT_OQ);

    return _mm256_blendv_ps(x, y, finite);
}

/* x^exponent for x >= 2^-126, |exponent| <= 1 and results that are normal numbers; NaN stays. */
static inline __m256 pow_ps(__m256 x, float exponent)
{
    __m256 e, ln_m = split_log(x, &e);
    const __m256 factor = _mm256_set1_ps(exponent);
    /* 2^(e exponent) = 2^k 2^rest with whole k; the rest joins ln_m in one power of e */
    const __m256 whole = _mm256_mul_ps(e, factor);
    const __m256 k = _mm256_round_ps(whole, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 rest = _mm256_fmsub_ps(e, factor, k);
    const __m256 t = _mm256_fmadd_ps(rest, _mm256_set1_ps(0.693147181f), _mm256_mul_ps(ln_m, factor));
    const __m256 ordered = _mm256_cmp_ps(x, x, _CMP_ORD_Q);
    __m256 y = _mm256_set1_ps(1.0f / 40320.0f); /* e^t by its series; |t| <= 0.7 leaves 5e-8 */

    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f / 5040.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f / 720.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f / 120.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f / 24.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f / 6.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(0.5f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f));
    y = _mm256_fmadd_ps(y, t, _mm256_set1_ps(1.0f));
    y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), _mm256_slli_epi32(_mm256_cvtps_epi32(k), 23)));
    return _mm256_blendv_ps(x, y, ordered);
}

#endif
