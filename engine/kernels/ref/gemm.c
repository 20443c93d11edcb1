/* gemm.c - matrix products in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/gemm.h"

#include <math.h>
#include <string.h>

static float unrounded(float x)
{
    return x;
}

/* The upper half of the bits, rounded to nearest, ties to even. */
static float rounded(float x)
{
    uint32_t bits;

    if (isnan(x))
        return x;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void multiply(const GemmJob *job, float (*operand)(float x))
{
    int64_t a_row = job->transpose_a ? 1 : job->lda, a_col = job->transpose_a ? job->lda : 1;
    int64_t b_row = job->transpose_b ? 1 : job->ldb, b_col = job->transpose_b ? job->ldb : 1;

    for (int64_t i = 0; i < job->m; i++) {
        float *c = job->c + i * job->ldc;

        for (int64_t j = 0; j < job->n && !job->add; j++)
            c[j] = 0.0f;
        for (int64_t l = 0; l < job->k; l++) {
            float a = operand(job->a[i * a_row + l * a_col]);

            for (int64_t j = 0; j < job->n; j++)
                c[j] += a * operand(job->b[l * b_row + j * b_col]);
        }
    }
}

static void product(const GemmJob *job)
{
    multiply(job, unrounded);
}

static void product_bfloat(const GemmJob *job)
{
    multiply(job, rounded);
}

static bool bfloat_is_fast(void)
{
    return false;
}

static void matrix_vector(int64_t m, int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y)
{
    for (int64_t i = 0; i < m; i++) {
        float sum = 0.0f;

        for (int64_t j = 0; j < n; j++)
            sum += a[i * lda + j] * x[j];
        y[i] = add ? y[i] + sum : sum;
    }
}

size_t gemm_float_panel_size(int64_t k, int64_t n)
{
    return (size_t)(k * n) * sizeof(float);
}

void gemm_fill_float_panel(int64_t k, int64_t n, const float *a, int64_t lda, void *panel)
{
    float *to = panel;

    for (int64_t i = 0; i < k; i++)
        memcpy(to + i * n, a + i * lda, (size_t)n * sizeof *to);
}

static void vector_panel(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y)
{
    const float *a = panel;

    for (int64_t j = 0; j < n && !add; j++)
        y[j] = 0.0f;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++)
            y[j] += x[i] * a[i * n + j];
}

const GemmKernels gemm_ref = {.product = product,
                              .product_bfloat = product_bfloat,
                              .bfloat_is_fast = bfloat_is_fast,
                              .matrix_vector = matrix_vector,
                              .panel_columns = 64,
                              .panel_size = gemm_float_panel_size,
                              .fill_panel = gemm_fill_float_panel,
                              .vector_panel = vector_panel};
