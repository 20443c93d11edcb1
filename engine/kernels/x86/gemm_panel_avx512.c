/* gemm_panel_avx512.c - the product of a vector and a panel of weights, for AVX-512.
 *
 * A recurrence reads all of its weights to do little with them, so what counts is how far away they are. Numbers of 24 bits with a
 * scale for each column take three quarters of the bytes of floats, and more of them stay in the second-level cache; what they lose,
 * 2^-24 of the largest number of their column, is about what rounding a float loses. Where the processor has AVX512_VBMI one
 * instruction spreads 16 of them over the upper bytes of 32-bit integers. Elsewhere it is the floats of AVX2.
 *
 *   panel   scales [columns in whole vectors], then [k][vectors][16 numbers of 3 bytes], then what the last load may touch
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/kernels/x86/gemm_avx512.h"

#define W 16
#define VECTORS 8   /* of columns at once */
#define BYTES 3     /* of a number */
#define LARGEST 8388607
#define BEYOND (64 - BYTES * W) /* bytes that a load takes and does not use */

#define VBMI __attribute__((target("avx512vbmi")))
#define INLINE static inline __attribute__((always_inline))

static bool packs(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vbmi");
}

static int64_t n_vectors(int64_t n)
{
    return (n + W - 1) / W;
}

size_t gemm_panel_size_avx512(int64_t k, int64_t n)
{
    if (!packs())
        return gemm_avx2.panel_size(k, n);
    return (size_t)(n_vectors(n) * W) * sizeof(float) + (size_t)(k * n_vectors(n) * W * BYTES + BEYOND);
}

/* --- filling --------------------------------------------------------------------------------------------------------------- */

/* NaN when a number of the column is not finite, so that the product is not, either. */
static double scale_of(int64_t k, const float *column, int64_t lda)
{
    double largest = 0.0;

    for (int64_t i = 0; i < k; i++) {
        const double size = fabs((double)column[i * lda]);

        if (!isfinite(size))
            return (double)NAN;
        largest = size > largest ? size : largest;
    }
    return largest / LARGEST;
}

/* Numbers stay 0 where the scale is 0 or NaN. */
static void fill_column(int64_t k, const float *column, int64_t lda, double scale, uint8_t *to, int64_t pitch)
{
    for (int64_t i = 0; i < k && scale > 0.0; i++, to += pitch) {
        const double number = (double)column[i * lda] / scale;
        const uint32_t bits = (uint32_t)(int32_t)lrint(fmin(fmax(number, -LARGEST), LARGEST));

        for (int byte = 0; byte < BYTES; byte++)
            to[byte] = (uint8_t)(bits >> (8 * byte));
    }
}

void gemm_fill_panel_avx512(int64_t k, int64_t n, const float *a, int64_t lda, void *panel)
{
    const int64_t columns = n_vectors(n) * W;
    float *scales = panel;
    uint8_t *numbers = (uint8_t *)(scales + columns);

    if (!packs()) {
        gemm_avx2.fill_panel(k, n, a, lda, panel);
        return;
    }
    memset(panel, 0, gemm_panel_size_avx512(k, n));
    for (int64_t j = 0; j < n; j++) {
        const double scale = scale_of(k, a + j, lda);

        scales[j] = (float)(scale / 256.0); /* of integers whose lowest byte is 0 */
        fill_column(k, a + j, lda, scale, numbers + j * BYTES, columns * BYTES);
    }
}

/* --- the product ----------------------------------------------------------------------------------------------------------- */

/* n vectors of columns, a constant where this is inlined; the last one with the columns of `last`. */
INLINE VBMI void multiply_packed(int64_t k, const float *x, const uint8_t *numbers, int64_t pitch, const float *scales, bool add,
                                 float *y, int n, __mmask16 last)
{
    const __m512i spread = _mm512_setr_epi32(0x02010000, 0x05040300, 0x08070600, 0x0b0a0900, 0x0e0d0c00, 0x11100f00, 0x14131200,
                                             0x17161500, 0x1a191800, 0x1d1c1b00, 0x201f1e00, 0x23222100, 0x26252400, 0x29282700,
                                             0x2c2b2a00, 0x2f2e2d00);
    const __mmask64 upper = 0xEEEEEEEEEEEEEEEEull;
    __m512 sum[VECTORS];

    UNROLL for (int v = 0; v < n; v++)
        sum[v] = _mm512_setzero_ps();
    for (int64_t i = 0; i < k; i++, numbers += pitch) {
        const __m512 factor = _mm512_set1_ps(x[i]);

        UNROLL for (int v = 0; v < n; v++) {
            const __m512i in = _mm512_maskz_permutexvar_epi8(upper, spread, _mm512_loadu_si512(numbers + v * W * BYTES));

            sum[v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(in), factor, sum[v]);
        }
    }
    UNROLL for (int v = 0; v < n; v++) {
        const __mmask16 lanes = v + 1 < n ? (__mmask16)0xFFFF : last;
        const __m512 before = _mm512_maskz_loadu_ps(add ? lanes : 0, y + v * W);

        _mm512_mask_storeu_ps(y + v * W, lanes, _mm512_fmadd_ps(sum[v], _mm512_loadu_ps(scales + v * W), before));
    }
}

VBMI static void vector_packed(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y)
{
    const int64_t columns = n_vectors(n) * W, pitch = columns * BYTES;
    const float *scales = panel;
    const uint8_t *numbers = (const uint8_t *)(scales + columns);
    int64_t j = 0;

    for (; j + VECTORS * W <= n; j += VECTORS * W)
        multiply_packed(k, x, numbers + j * BYTES, pitch, scales + j, add, y + j, VECTORS, (__mmask16)0xFFFF);
    for (; j < n; j += W)
        multiply_packed(k, x, numbers + j * BYTES, pitch, scales + j, add, y + j, 1, first_lanes(least(W, n - j)));
}

void gemm_vector_panel_avx512(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y)
{
    if (packs())
        vector_packed(k, n, x, panel, add, y);
    else
        gemm_avx2.vector_panel(k, n, x, panel, add, y);
}
