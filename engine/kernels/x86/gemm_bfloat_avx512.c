/* gemm_bfloat_avx512.c - products of bfloat16 with sums in float32, where the processor has AVX512_BF16.
 *
 * vdpbf16ps multiplies pairs: a 32-bit element of a panel holds terms 2 p and 2 p + 1 of the sum, so a line costs what a line of
 * floats does and is worth two. Rounding happens while panels are filled.
 *
 * The functions here are compiled for AVX512_BF16 one by one; the rest of the AVX-512 set does without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/gemm_avx512.h"

#define W 16
#define ROWS GEMM_ROWS
#define COLUMNS GEMM_COLUMNS

#define BFLOAT __attribute__((target("avx512bf16")))
#define INLINE static inline __attribute__((always_inline)) BFLOAT

/* 16 pairs of neighbours in a row of n terms, from term p on. */
INLINE __m512 load_pairs(const float *row, int64_t p, int64_t n)
{
    __m512 first = _mm512_maskz_loadu_ps(lanes_at(p, n), row + p), second = _mm512_maskz_loadu_ps(lanes_at(p + W, n), row + p + W);

    return (__m512)_mm512_cvtne2ps_pbh(second, first);
}

INLINE __m512i round_to_low_halves(__m512 x)
{
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
}

BFLOAT static void pack_across(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    for (int64_t p = 0; p < n; p += 2, to += width, from += 2 * pitch)
        for (int64_t i = 0; i < width; i += W) {
            __mmask16 kept = lanes_at(i, n_used);
            __m512i first = round_to_low_halves(_mm512_maskz_loadu_ps(kept, from + i));
            __m512i second = round_to_low_halves(_mm512_maskz_loadu_ps(p + 1 < n ? kept : 0, from + pitch + i));

            _mm512_mask_storeu_epi32(to + i, lanes_at(i, width), _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
        }
}

/* The next m columns of a panel, m a constant. */
INLINE void pack_rows(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used, int m)
{
    for (int64_t p = 0; p < n; p += 2 * W) {
        __m512 v[W];

        UNROLL for (int r = 0; r < m; r++)
            v[r] = r < n_used ? load_pairs(from + r * pitch, p, n) : _mm512_setzero_ps();
        turn_vectors(v, m);
        store_lines(to + p / 2 * width, width, v, (n - p + 1) / 2, m);
    }
}

BFLOAT static void pack_down(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    if (width == ROWS)
        pack_rows(to, width, from, pitch, n, n_used, ROWS);
    else
        for (int64_t i = 0; i < width; i += W)
            pack_rows(to + i, width, from + i * pitch, pitch, n, n_used - i, W);
}

BFLOAT static void multiply(int64_t n_lines, const float *a, const float *b, float *c, int64_t ldc, int64_t rows, int64_t columns,
                            bool add)
{
    __m512 sum[ROWS][3];
    __mmask16 lanes[3];

    UNROLL for (int j = 0; j < 3; j++)
        lanes[j] = lanes_at(j * W, columns);
    UNROLL for (int r = 0; r < ROWS; r++) {
        UNROLL for (int j = 0; j < 3; j++)
            sum[r][j] = add && r < rows ? _mm512_maskz_loadu_ps(lanes[j], c + r * ldc + j * W) : _mm512_setzero_ps();
    }
    for (int64_t p = 0; p < n_lines; p++, a += ROWS, b += COLUMNS) {
        __m512bh b0 = (__m512bh)_mm512_loadu_ps(b), b1 = (__m512bh)_mm512_loadu_ps(b + W);
        __m512bh b2 = (__m512bh)_mm512_loadu_ps(b + 2 * W);

        UNROLL for (int r = 0; r < ROWS; r++) {
            __m512bh factor = (__m512bh)_mm512_set1_ps(a[r]);

            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], factor, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], factor, b1);
            sum[r][2] = _mm512_dpbf16_ps(sum[r][2], factor, b2);
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) {
        if (r < rows) {
            UNROLL for (int j = 0; j < 3; j++)
                _mm512_mask_storeu_ps(c + r * ldc + j * W, lanes[j], sum[r][j]);
        }
    }
}

bool gemm_bfloat_is_fast_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
}

void gemm_product_bfloat_avx512(const GemmJob *job)
{
    static const GemmSteps steps = {2, pack_across, pack_down, multiply};

    if (gemm_bfloat_is_fast_avx512())
        multiply_blocks(&steps, job);
    else
        gemm_ref.product_bfloat(job);
}
