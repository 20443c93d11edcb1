/* orthogonal.c - Newton-Schulz steps on the small side of a matrix.
 *
 * All steps are polynomials of A = X X', or of X' X where that is smaller. So the large matrix is used twice, for A and for
 * the result P X, and the steps themselves are products of small symmetric matrices that commute:
 *
 *   Q = a I + b A + c A A;   P <- Q P;   A <- Q A Q
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/orthogonal.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/gemm.h"
#include "engine/kernels/point.h"

#define N_STEPS 5
static const float STEP_A = 3.4445f, STEP_B = -4.7750f, STEP_C = 2.0315f; /* [1] */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

size_t orthogonal_scratch_count(int64_t rows, int64_t columns)
{
    int64_t n = smaller(rows, columns);

    return (size_t)(rows * columns + 5 * n * n);
}

static void multiply_square(const Kernels *kernels, int64_t n, const float *a, const float *b, float *c)
{
    GemmJob job = {.m = n, .n = n, .k = n, .a = a, .lda = n, .b = b, .ldb = n, .c = c, .ldc = n};

    kernels->gemm->product(&job);
}

void orthogonalise(const Kernels *kernels, int64_t rows, int64_t columns, float *x, float *scratch)
{
    const int64_t n = smaller(rows, columns), n_sq = n * n, count = rows * columns;
    const bool wide = rows <= columns;
    float *copy = scratch, *a = copy + count, *q = a + n_sq, *p = q + n_sq, *t = p + n_sq, *u = t + n_sq, *swap;
    float sum = 0.0f;
    GemmJob gram = {.transpose_a = !wide,
                    .transpose_b = wide,
                    .m = n,
                    .n = n,
                    .k = wide ? columns : rows,
                    .a = x,
                    .lda = columns,
                    .b = x,
                    .ldb = columns,
                    .c = a,
                    .ldc = n};
    GemmJob apply = {.m = rows, .n = columns, .k = n, .a = copy, .lda = columns, .b = copy, .ldb = columns, .c = x, .ldc = columns};

    kernels->gemm->product(&gram);
    for (int64_t i = 0; i < n; i++)
        sum += a[i * n + i];
    if (!(sum > 0.0f))
        return;
    kernels->point->scale(a, 1.0f / sum, a, n_sq, false);
    memset(p, 0, (size_t)n_sq * sizeof *p);
    for (int64_t i = 0; i < n; i++)
        p[i * n + i] = 1.0f / sqrtf(sum);
    for (int step = 0; step < N_STEPS; step++) {
        multiply_square(kernels, n, a, a, q);
        kernels->point->scale(q, STEP_C, q, n_sq, false);
        kernels->point->scale(a, STEP_B, q, n_sq, true);
        for (int64_t i = 0; i < n; i++)
            q[i * n + i] += STEP_A;
        multiply_square(kernels, n, q, p, t);
        swap = p;
        p = t;
        t = swap;
        if (step == N_STEPS - 1)
            break;
        multiply_square(kernels, n, q, a, t);
        multiply_square(kernels, n, t, q, u);
        swap = a;
        a = u;
        u = swap;
    }
    memcpy(copy, x, (size_t)count * sizeof *x);
    if (wide) {
        apply.a = p;
        apply.lda = n;
    } else {
        apply.b = p;
        apply.ldb = n;
    }
    kernels->gemm->product(&apply);
}
