/* gemm.h - matrix products in row-major order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_GEMM_H
#define RESIDUA_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

/* c [m, n] = (add ? c : 0) + A B, on the calling thread.
 *   A [m, k]: a with rows lda apart, or its transpose stored as [k, m] when transpose_a
 *   B [k, n]: b with rows ldb apart, or its transpose stored as [n, k] when transpose_b
 *   c rows ldc apart; must not overlap a or b
 *   symmetric: A B is known to be symmetric, as X X' is, and so is c; a kernel may compute one half and copy it to the other
 * The same shapes give the same bits; another m or n may round another way (BLAS picks its blocks by size), so streams
 * that must equal whole signals use conv.h instead. */
typedef struct GemmJob {
    bool transpose_a, transpose_b, add, symmetric;
    int64_t m, n, k;
    const float *a, *b;
    int64_t lda, ldb;
    float *c;
    int64_t ldc;
} GemmJob;

#define GEMM_PANEL_COLUMNS_MAX 128

struct GemmKernels {
    void (*product)(const GemmJob *job);
    /* The same of A and B rounded to bfloat16 (to nearest, ties to even; numbers below 2^-126 may count as 0), summed in
     * float32. */
    void (*product_bfloat)(const GemmJob *job);
    /* Whether this processor multiplies bfloat16 faster than float32. */
    bool (*bfloat_is_fast)(void);
    /* y [m] = (add ? y : 0) + A x for A [m, n] with rows lda apart; each y[i] is summed in the same order for any m. */
    void (*matrix_vector)(int64_t m, int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y);
    /* y [n] = (add ? y : 0) + x A for A [k, n] that was laid out ahead in a panel of panel_size bytes, aligned to MEM_ALIGN; summed over
     * k in order, each column as if it were alone. This is the faster of the two where A can be laid out. A number may lose up to
     * 2^-24 of the largest of its column, or more in a column that has none above 1e-28. panel_columns are summed at once: a panel of so many is read from end to end. */
    int64_t panel_columns; /* at most GEMM_PANEL_COLUMNS_MAX */
    size_t (*panel_size)(int64_t k, int64_t n);
    void (*fill_panel)(int64_t k, int64_t n, const float *a, int64_t lda, void *panel); /* rows of a lda apart */
    void (*vector_panel)(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y);
};

/* Panels of floats [k, n], for kernels that have no layout of their own. */
size_t gemm_float_panel_size(int64_t k, int64_t n);
void gemm_fill_float_panel(int64_t k, int64_t n, const float *a, int64_t lda, void *panel);

extern const GemmKernels gemm_ref, gemm_avx2, gemm_avx512;

#endif
