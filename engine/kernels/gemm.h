/* gemm.h - matrix products in row-major order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_GEMM_H
#define RESIDUA_KERNELS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

/* c [m, n] = (add ? c : 0) + A B, on the calling thread.
 *   A [m, k]: a with rows lda apart, or its transpose stored as [k, m] when transpose_a
 *   B [k, n]: b with rows ldb apart, or its transpose stored as [n, k] when transpose_b
 *   c rows ldc apart; must not overlap a or b
 * The same shapes give the same bits; another m or n may round another way (BLAS picks its blocks by size), so streams
 * that must equal whole signals use conv.h instead. */
typedef struct GemmJob {
    bool transpose_a, transpose_b, add;
    int64_t m, n, k;
    const float *a, *b;
    int64_t lda, ldb;
    float *c;
    int64_t ldc;
} GemmJob;

struct GemmKernels {
    void (*product)(const GemmJob *job);
    /* y [m] = (add ? y : 0) + A x for A [m, n] with rows lda apart; each y[i] is summed in the same order for any m. */
    void (*matrix_vector)(int64_t m, int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y);
    /* y [n] = (add ? y : 0) + x A for A [k, n] with rows lda apart, summed over k in order: the faster of the two where A can be
     * laid out for it. */
    void (*vector_matrix)(int64_t k, int64_t n, const float *x, const float *a, int64_t lda, bool add, float *y);
};

extern const GemmKernels gemm_ref, gemm_avx2, gemm_avx512;

#endif
