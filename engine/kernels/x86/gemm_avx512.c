/* gemm_avx512.c - matrix products for AVX-512.
 *
 * 24 accumulators of 16 floats; each of the k terms costs three loads of B, eight broadcasts of A and 24 multiply-adds
 * (gemm_avx512.h has the blocks; gemm_bfloat_avx512.c does the same with pairs of bfloat16).
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/gemm_avx512.h"

#define W 16
#define ROWS GEMM_ROWS
#define COLUMNS GEMM_COLUMNS

#define INLINE static inline __attribute__((always_inline))

static void pack_across(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    for (int64_t p = 0; p < n; p++, to += width, from += pitch)
        for (int64_t i = 0; i < width; i += W)
            _mm512_mask_storeu_ps(to + i, lanes_at(i, width), _mm512_maskz_loadu_ps(lanes_at(i, n_used), from + i));
}

/* The next m columns of a panel, m a constant. */
INLINE void pack_rows(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used, int m)
{
    for (int64_t p = 0; p < n; p += W) {
        __m512 v[W];

        UNROLL for (int r = 0; r < m; r++)
            v[r] = r < n_used ? _mm512_maskz_loadu_ps(lanes_at(p, n), from + r * pitch + p) : _mm512_setzero_ps();
        turn_vectors(v, m);
        store_lines(to + p * width, width, v, n - p, m);
    }
}

static void pack_down(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    if (width == ROWS)
        pack_rows(to, width, from, pitch, n, n_used, ROWS);
    else
        for (int64_t i = 0; i < width; i += W)
            pack_rows(to + i, width, from + i * pitch, pitch, n, n_used - i, W);
}

/* c [rows, columns] (+)= a [k][ROWS]' b [k][COLUMNS] */
static void multiply(int64_t k, const float *a, const float *b, float *c, int64_t ldc, int64_t rows, int64_t columns,
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
    for (int64_t p = 0; p < k; p++, a += ROWS, b += COLUMNS) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + W), b2 = _mm512_loadu_ps(b + 2 * W);

        UNROLL for (int r = 0; r < ROWS; r++) {
            __m512 factor = _mm512_set1_ps(a[r]);

            sum[r][0] = _mm512_fmadd_ps(factor, b0, sum[r][0]);
            sum[r][1] = _mm512_fmadd_ps(factor, b1, sum[r][1]);
            sum[r][2] = _mm512_fmadd_ps(factor, b2, sum[r][2]);
        }
    }
    UNROLL for (int r = 0; r < ROWS; r++) {
        if (r < rows) {
            UNROLL for (int j = 0; j < 3; j++)
                _mm512_mask_storeu_ps(c + r * ldc + j * W, lanes[j], sum[r][j]);
        }
    }
}

static void product(const GemmJob *job)
{
    static const GemmSteps steps = {1, pack_across, pack_down, multiply};

    multiply_blocks(&steps, job);
}

/* y: eight rows at a time share the loads of x and keep as many lines of memory on their way; a row alone is summed in the
 * same order. */
INLINE void multiply_rows(int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y, int n_rows)
{
    __m512 sum[8];

    UNROLL for (int r = 0; r < n_rows; r++)
        sum[r] = _mm512_setzero_ps();
    for (int64_t j = 0; j < n; j += W) {
        __mmask16 lanes = n - j >= W ? (__mmask16)0xFFFF : first_lanes(n - j);
        __m512 in = _mm512_maskz_loadu_ps(lanes, x + j);

        UNROLL for (int r = 0; r < n_rows; r++)
            sum[r] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, a + r * lda + j), in, sum[r]);
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        float total = _mm512_reduce_add_ps(sum[r]);

        y[r] = add ? y[r] + total : total;
    }
}

static void matrix_vector(int64_t m, int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y)
{
    int64_t i = 0;

    for (; i + 8 <= m; i += 8)
        multiply_rows(n, a + i * lda, lda, x, add, y + i, 8);
    for (; i < m; i++)
        multiply_rows(n, a + i * lda, lda, x, add, y + i, 1);
}

const GemmKernels gemm_avx512 = {.product = product,
                                 .product_bfloat = gemm_product_bfloat_avx512,
                                 .bfloat_is_fast = gemm_bfloat_is_fast_avx512,
                                 .matrix_vector = matrix_vector,
                                 .panel_columns = 8 * W,
                                 .panel_size = gemm_panel_size_avx512,
                                 .fill_panel = gemm_fill_panel_avx512,
                                 .vector_panel = gemm_vector_panel_avx512};
