/* gemm_avx512.h - the blocks of a matrix product for AVX-512, in tiles of 8 rows by 48 columns. Include from *_avx512.c only.
 *
 * A and B are copied block by block into panels that a tile reads from end to end, line after line of the sum. An element of a
 * panel is 32 bits: one float, or two bfloat16 that belong to neighbouring terms of the sum (`terms` = 2).
 *
 *   B  [K_LINES, N_BLOCK]  panels of 48 columns, [line][48]   stays in the second-level cache for all rows of A
 *   A  [M_BLOCK, K_LINES]  panels of 8 rows, [line][8]        each meets every panel of B
 *
 * Panels are filled up with zeros, so ends need no loops of their own. An element of C is summed over k in order, in blocks
 * of K_LINES lines, wherever it lies. Of a symmetric C the tiles below the diagonal are left out and copied from above it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_GEMM_AVX512_H
#define RESIDUA_KERNELS_GEMM_AVX512_H

#include "engine/kernels/gemm.h"
#include "engine/kernels/x86/vector_avx512.h"

#define GEMM_ROWS 8
#define GEMM_COLUMNS 48
#define K_LINES 192
#define M_BLOCK 96  /* a multiple of GEMM_ROWS */
#define N_BLOCK 480 /* a multiple of GEMM_COLUMNS */

/* What floats and pairs of bfloat16 do each in their way. */
typedef struct GemmSteps {
    int64_t terms; /* in an element of a panel */
    /* Lines of `width` elements from a matrix of n terms whose line p is stored along p (across) or down its columns. `n_used`
     * elements of a line exist, the rest is 0. */
    void (*pack_across)(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used);
    void (*pack_down)(float *to, int width, const float *from, int64_t pitch, int64_t n, int64_t n_used);
    /* c [rows, columns] (+)= a [line][GEMM_ROWS]' b [line][GEMM_COLUMNS] */
    void (*multiply)(int64_t n_lines, const float *a, const float *b, float *c, int64_t ldc, int64_t rows, int64_t columns,
                     bool add);
} GemmSteps;

void gemm_product_bfloat_avx512(const GemmJob *job); /* gemm_bfloat_avx512.c */
bool gemm_bfloat_is_fast_avx512(void);

/* gemm_panel_avx512.c */
size_t gemm_panel_size_avx512(int64_t k, int64_t n);
void gemm_fill_panel_avx512(int64_t k, int64_t n, const float *a, int64_t lda, void *panel);
void gemm_vector_panel_avx512(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y);

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Lines of a panel of which turn_vectors made v: m columns of `width`, as many lines as are left of it. */
static inline __attribute__((always_inline)) void store_lines(float *to, int width, const __m512 *v, int64_t n_lines, int m)
{
    UNROLL for (int q = 0; q < m; q++) {
        if (m == 16) {
            if (q < n_lines)
                _mm512_storeu_ps(to + q * width, v[q]);
        } else { /* a vector holds whole lines */
            _mm512_mask_storeu_ps(to + q * 16, lanes_at(q * 16, n_lines * m), v[q]);
        }
    }
}

/* Rows i0 .. of A in terms k0 .., as panels; the same for columns of B. */
static inline void pack_a(const GemmSteps *steps, float *panels, const GemmJob *job, int64_t i0, int64_t m, int64_t k0,
                          int64_t k, int64_t n_lines)
{
    for (int64_t i = 0; i < m; i += GEMM_ROWS, panels += n_lines * GEMM_ROWS) {
        int64_t rows = least(GEMM_ROWS, m - i);

        if (job->transpose_a)
            steps->pack_across(panels, GEMM_ROWS, job->a + k0 * job->lda + i0 + i, job->lda, k, rows);
        else
            steps->pack_down(panels, GEMM_ROWS, job->a + (i0 + i) * job->lda + k0, job->lda, k, rows);
    }
}

static inline void pack_b(const GemmSteps *steps, float *panels, const GemmJob *job, int64_t j0, int64_t n, int64_t k0,
                          int64_t k, int64_t n_lines)
{
    for (int64_t j = 0; j < n; j += GEMM_COLUMNS, panels += n_lines * GEMM_COLUMNS) {
        int64_t columns = least(GEMM_COLUMNS, n - j);

        if (job->transpose_b)
            steps->pack_down(panels, GEMM_COLUMNS, job->b + (j0 + j) * job->ldb + k0, job->ldb, k, columns);
        else
            steps->pack_across(panels, GEMM_COLUMNS, job->b + k0 * job->ldb + j0 + j, job->ldb, k, columns);
    }
}

/* All tiles of a block of C, or those that reach its diagonal or lie above it. */
static inline void multiply_block(const GemmSteps *steps, const float *a, const float *b, const GemmJob *job, int64_t i0,
                                  int64_t m, int64_t j0, int64_t n, int64_t n_lines, bool add)
{
    for (int64_t j = 0; j < n; j += GEMM_COLUMNS)
        for (int64_t i = 0; i < m && !(job->symmetric && i0 + i >= j0 + j + GEMM_COLUMNS); i += GEMM_ROWS)
            steps->multiply(n_lines, a + i * n_lines, b + j * n_lines, job->c + (i0 + i) * job->ldc + j0 + j, job->ldc,
                            least(GEMM_ROWS, m - i), least(GEMM_COLUMNS, n - j), add);
}

/* What is above the diagonal is copied to below it, in squares of 16. */
static inline void mirror(float *c, int64_t ldc, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16)
        for (int64_t j = i; j < n; j += 16) {
            __m512 v[16];

            UNROLL for (int r = 0; r < 16; r++)
                v[r] = i + r < n ? _mm512_maskz_loadu_ps(lanes_at(j, n), c + (i + r) * ldc + j) : _mm512_setzero_ps();
            turn_vectors(v, 16);
            UNROLL for (int r = 0; r < 16; r++)
                if (j + r < n)
                    _mm512_mask_storeu_ps(c + (j + r) * ldc + i, j == i ? first_lanes(r) : lanes_at(i, n), v[r]);
        }
}

static inline void clear(const GemmJob *job)
{
    for (int64_t i = 0; i < job->m; i++)
        for (int64_t j = 0; j < job->n; j++)
            job->c[i * job->ldc + j] = 0.0f;
}

static inline __attribute__((always_inline)) void multiply_blocks(const GemmSteps *steps, const GemmJob *job)
{
    _Alignas(64) float a[M_BLOCK * K_LINES], b[K_LINES * N_BLOCK];
    int64_t k_block = K_LINES * steps->terms;

    if (job->k == 0 && !job->add)
        clear(job);
    for (int64_t k0 = 0; k0 < job->k; k0 += k_block)
        for (int64_t j0 = 0; j0 < job->n; j0 += N_BLOCK) {
            int64_t k = least(k_block, job->k - k0), n = least(N_BLOCK, job->n - j0);
            int64_t n_lines = (k + steps->terms - 1) / steps->terms;

            pack_b(steps, b, job, j0, n, k0, k, n_lines);
            for (int64_t i0 = 0; i0 < job->m && !(job->symmetric && i0 >= j0 + n); i0 += M_BLOCK) {
                int64_t m = least(M_BLOCK, job->m - i0);

                pack_a(steps, a, job, i0, m, k0, k, n_lines);
                multiply_block(steps, a, b, job, i0, m, j0, n, n_lines, job->add || k0 > 0);
            }
        }
    if (job->symmetric)
        mirror(job->c, job->ldc, job->n);
}

#endif
