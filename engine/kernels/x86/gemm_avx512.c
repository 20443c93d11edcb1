/* gemm_avx512.c - matrix products for AVX-512, in tiles of 8 rows by 48 columns.
 *
 * 24 accumulators of 16 floats; each of the k terms costs three loads of B, eight broadcasts of A and 24 multiply-adds.
 * A and B are copied block by block into panels that the tile reads from end to end:
 *
 *   B  [K_BLOCK, N_BLOCK]  panels of 48 columns, [k][48]   stays in the second-level cache for all rows of A
 *   A  [M_BLOCK, K_BLOCK]  panels of 8 rows, [k][8]        each meets every panel of B
 *
 * Panels are filled up with zeros, so ends need no loops of their own. An element of C is summed over k in order, in blocks
 * of K_BLOCK, wherever it lies.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "engine/kernels/gemm.h"
#include "engine/kernels/x86/vector_avx512.h"

#define W 16
#define ROWS 8
#define COLUMNS (3 * W)
#define K_BLOCK 192
#define M_BLOCK 96  /* a multiple of ROWS */
#define N_BLOCK 480 /* a multiple of COLUMNS */

#define INLINE static inline __attribute__((always_inline))

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Lines of `width` numbers, [n][width], from a matrix whose line p is stored along p (across) or down its columns. `n_used`
 * numbers of a line exist, the rest is 0. */
static void pack_across(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    for (int64_t p = 0; p < n; p++, to += width, from += pitch)
        for (int64_t i = 0; i < width; i += W) {
            __mmask16 kept = i < n_used ? (n_used - i >= W ? (__mmask16)0xFFFF : first_lanes(n_used - i)) : 0;
            __mmask16 written = width - i >= W ? (__mmask16)0xFFFF : first_lanes(width - i);

            _mm512_mask_storeu_ps(to + i, written, _mm512_maskz_loadu_ps(kept, from + i));
        }
}

static void pack_down(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used)
{
    for (int64_t i = 0; i < n_used; i++)
        for (int64_t p = 0; p < n; p++)
            to[p * width + i] = from[i * pitch + p];
    for (int64_t p = 0; n_used < width && p < n; p++)
        for (int64_t i = n_used; i < width; i++)
            to[p * width + i] = 0.0f;
}

/* c [rows, columns] (+)= a [k][ROWS]' b [k][COLUMNS] */
static void multiply_tile(int64_t k, const float *a, const float *b, float *c, int64_t ldc, int64_t rows, int64_t columns,
                          bool add)
{
    __m512 sum[ROWS][3];
    __mmask16 lanes[3];

    UNROLL for (int j = 0; j < 3; j++) {
        int64_t left = columns - j * W;

        lanes[j] = left >= W ? (__mmask16)0xFFFF : left > 0 ? first_lanes(left) : 0;
    }
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

/* Rows i0 .. of A in terms k0 .., as panels; the same for columns of B. */
static void pack_a(float *panels, const GemmJob *job, int64_t i0, int64_t m, int64_t k0, int64_t k)
{
    for (int64_t i = 0; i < m; i += ROWS, panels += k * ROWS) {
        int64_t rows = least(ROWS, m - i);

        if (job->transpose_a)
            pack_across(panels, ROWS, job->a + k0 * job->lda + i0 + i, job->lda, k, rows);
        else
            pack_down(panels, ROWS, job->a + (i0 + i) * job->lda + k0, job->lda, k, rows);
    }
}

static void pack_b(float *panels, const GemmJob *job, int64_t j0, int64_t n, int64_t k0, int64_t k)
{
    for (int64_t j = 0; j < n; j += COLUMNS, panels += k * COLUMNS) {
        int64_t columns = least(COLUMNS, n - j);

        if (job->transpose_b)
            pack_down(panels, COLUMNS, job->b + (j0 + j) * job->ldb + k0, job->ldb, k, columns);
        else
            pack_across(panels, COLUMNS, job->b + k0 * job->ldb + j0 + j, job->ldb, k, columns);
    }
}

static void clear(const GemmJob *job)
{
    for (int64_t i = 0; i < job->m; i++)
        for (int64_t j = 0; j < job->n; j++)
            job->c[i * job->ldc + j] = 0.0f;
}

static void product(const GemmJob *job)
{
    _Alignas(64) float a[M_BLOCK * K_BLOCK], b[K_BLOCK * N_BLOCK];

    if (job->k == 0 && !job->add)
        clear(job);
    for (int64_t k0 = 0; k0 < job->k; k0 += K_BLOCK)
        for (int64_t j0 = 0; j0 < job->n; j0 += N_BLOCK) {
            int64_t k = least(K_BLOCK, job->k - k0), n = least(N_BLOCK, job->n - j0);

            pack_b(b, job, j0, n, k0, k);
            for (int64_t i0 = 0; i0 < job->m; i0 += M_BLOCK) {
                int64_t m = least(M_BLOCK, job->m - i0);

                pack_a(a, job, i0, m, k0, k);
                for (int64_t j = 0; j < n; j += COLUMNS)
                    for (int64_t i = 0; i < m; i += ROWS)
                        multiply_tile(k, a + i * k, b + j * k, job->c + (i0 + i) * job->ldc + j0 + j, job->ldc,
                                      least(ROWS, m - i), least(COLUMNS, n - j), job->add || k0 > 0);
            }
        }
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

/* n_vectors columns of vectors, the last one with the columns of `last`. */
INLINE void multiply_columns(int64_t k, const float *x, const float *a, int64_t lda, bool add, float *y, int n_vectors,
                             __mmask16 last)
{
    __m512 sum[8];

    UNROLL for (int v = 0; v < n_vectors; v++)
        sum[v] = add ? _mm512_maskz_loadu_ps(v + 1 < n_vectors ? (__mmask16)0xFFFF : last, y + v * W) : _mm512_setzero_ps();
    for (int64_t i = 0; i < k; i++, a += lda) {
        __m512 factor = _mm512_set1_ps(x[i]);

        UNROLL for (int v = 0; v < n_vectors; v++)
            sum[v] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(v + 1 < n_vectors ? (__mmask16)0xFFFF : last, a + v * W), factor, sum[v]);
    }
    UNROLL for (int v = 0; v < n_vectors; v++)
        _mm512_mask_storeu_ps(y + v * W, v + 1 < n_vectors ? (__mmask16)0xFFFF : last, sum[v]);
}

static void vector_matrix(int64_t k, int64_t n, const float *x, const float *a, int64_t lda, bool add, float *y)
{
    int64_t j = 0;

    for (; j + 8 * W <= n; j += 8 * W)
        multiply_columns(k, x, a + j, lda, add, y + j, 8, (__mmask16)0xFFFF);
    for (; j + 2 * W <= n; j += 2 * W)
        multiply_columns(k, x, a + j, lda, add, y + j, 2, (__mmask16)0xFFFF);
    for (; j < n; j += W)
        multiply_columns(k, x, a + j, lda, add, y + j, 1, first_lanes(least(W, n - j)));
}

const GemmKernels gemm_avx512 = {.product = product, .matrix_vector = matrix_vector, .vector_matrix = vector_matrix};
