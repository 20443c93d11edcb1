/* point_move_avx2.c - filling, scaling, mixing, transposing and converting rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

void avx2_settle(const double *total, double scale, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float value = (float)(scale * total[i]);

        y[i] = add ? y[i] + value : value;
    }
}

void avx2_fill(float *y, float value, int64_t n, bool add)
{
    const __m256 v = v_set(value);

    EACH_VECTOR(n, PUT(y, v, add););
}

void avx2_scale(const float *x, float scale, float *y, int64_t n, bool add)
{
    const __m256 s = v_set(scale);

    if (add)
        EACH_VECTOR(n, STORE(y, _mm256_fmadd_ps(s, LOAD(x), LOAD(y))););
    else if (scale == 1.0f)
        memmove(y, x, (size_t)n * sizeof *y);
    else
        EACH_VECTOR(n, STORE(y, _mm256_mul_ps(s, LOAD(x))););
}

void avx2_reverse(const float *x, float *y, int64_t n, bool add)
{
    const __m256i backwards = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    int64_t i = 0;

    for (; i + 8 <= n; i += 8) {
        const __m256 v = _mm256_permutevar8x32_ps(_mm256_loadu_ps(x + n - 8 - i), backwards);

        _mm256_storeu_ps(y + i, add ? _mm256_add_ps(_mm256_loadu_ps(y + i), v) : v);
    }
    for (; i < n; i++)
        y[i] = add ? y[i] + x[n - 1 - i] : x[n - 1 - i];
}

void avx2_blend(const float *a, float p, const float *b, float q, float r, float *y, int64_t n, bool add)
{
    const __m256 vp = v_set(p), vq = v_set(q), vr = v_set(r);

    if (b)
        EACH_VECTOR(n, PUT(y, _mm256_fmadd_ps(vp, LOAD(a), _mm256_fmadd_ps(vq, LOAD(b), vr)), add););
    else
        EACH_VECTOR(n, PUT(y, _mm256_fmadd_ps(vp, LOAD(a), vr), add););
}

/* Rows r and r + 1 of an 8 x 8 block are interleaved, then pairs of pairs, then the halves are exchanged. */
static inline void transpose_8x8(const float *src, int64_t src_stride, float *dst, int64_t dst_stride, bool add)
{
    __m256 r[8], t[8];

    for (int k = 0; k < 8; k++)
        r[k] = _mm256_loadu_ps(src + k * src_stride);
    for (int k = 0; k < 8; k += 2) {
        t[k] = _mm256_unpacklo_ps(r[k], r[k + 1]);
        t[k + 1] = _mm256_unpackhi_ps(r[k], r[k + 1]);
    }
    for (int k = 0; k < 8; k += 4) {
        r[k] = _mm256_shuffle_ps(t[k], t[k + 2], 0x44);
        r[k + 1] = _mm256_shuffle_ps(t[k], t[k + 2], 0xee);
        r[k + 2] = _mm256_shuffle_ps(t[k + 1], t[k + 3], 0x44);
        r[k + 3] = _mm256_shuffle_ps(t[k + 1], t[k + 3], 0xee);
    }
    for (int k = 0; k < 4; k++) {
        t[k] = _mm256_permute2f128_ps(r[k], r[k + 4], 0x20);
        t[k + 4] = _mm256_permute2f128_ps(r[k], r[k + 4], 0x31);
    }
    for (int k = 0; k < 8; k++) {
        float *row = dst + k * dst_stride;

        _mm256_storeu_ps(row, add ? _mm256_add_ps(_mm256_loadu_ps(row), t[k]) : t[k]);
    }
}

void avx2_transpose(const float *src, int64_t rows, int64_t cols, int64_t src_stride, float *dst, int64_t dst_stride,
                    bool add)
{
    const int64_t rows_8 = rows / 8 * 8, cols_8 = cols / 8 * 8;

    for (int64_t c = 0; c < cols_8; c += 8)
        for (int64_t r = 0; r < rows_8; r += 8)
            transpose_8x8(src + r * src_stride + c, src_stride, dst + c * dst_stride + r, dst_stride, add);
    for (int64_t c = 0; c < cols; c++)
        for (int64_t r = c < cols_8 ? rows_8 : 0; r < rows; r++) {
            float *place = dst + c * dst_stride + r;

            *place = add ? *place + src[r * src_stride + c] : src[r * src_stride + c];
        }
}

void avx2_to_half(const float *x, uint16_t *y, int64_t n)
{
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    if (i < n) {
        uint16_t last[8];

        _mm_storeu_si128((__m128i *)last,
                         _mm256_cvtps_ph(_mm256_maskload_ps(x + i, first_lanes(n - i)), _MM_FROUND_TO_NEAREST_INT));
        memcpy(y + i, last, (size_t)(n - i) * sizeof *y);
    }
}

void avx2_from_half(const uint16_t *x, float *y, int64_t n)
{
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    if (i < n) {
        uint16_t last[8] = {0};

        memcpy(last, x + i, (size_t)(n - i) * sizeof *x);
        _mm256_maskstore_ps(y + i, first_lanes(n - i), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)last)));
    }
}
