/* orthogonal.c - Newton-Schulz steps on a matrix, or on the small side of it.
 *
 * All steps are polynomials of A = X X', or of X' X where that is smaller; A is symmetric, and so is every polynomial of it:
 * half of such a product is the whole of it. Two ways lead to the same result:
 *
 *   on X itself   Q = b A + c A A;   X <- a X + Q X;   A from X again
 *                 Each step starts from what X has become, so that rounding is not carried on and bfloat16 is good enough for
 *                 the products, as in [1].
 *   on A alone    Q = a I + b A + c A A;   P <- Q P;   A <- Q A Q;   at the end P X
 *                 The large matrix is used twice. Rounding in A is carried on (a small eigenvalue may become negative, and
 *                 grow): products in float32.
 *
 * The first is faster where the processor multiplies bfloat16 faster than float32 and the matrix is not much longer than wide.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/orthogonal.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/gemm.h"
#include "engine/kernels/point.h"

#define N_STEPS 5
#define LONG 3 /* times the small side; from here on fewer products of the long one are worth more than bfloat16 */
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

/* C = A B for matrices [n, n] whose product is symmetric. */
static GemmJob square_job(int64_t n, const float *a, const float *b, float *c)
{
    return (GemmJob){.m = n, .n = n, .k = n, .a = a, .lda = n, .b = b, .ldb = n, .c = c, .ldc = n, .symmetric = true};
}

/* A [n, n] = X X' or X' X. */
static GemmJob gram_job(int64_t rows, int64_t columns, const float *x, float *a)
{
    const bool wide = rows <= columns;
    const int64_t n = smaller(rows, columns);

    return (GemmJob){.transpose_a = !wide, .transpose_b = wide, .symmetric = true,
                     .m = n, .n = n, .k = wide ? columns : rows,
                     .a = x, .lda = columns, .b = x, .ldb = columns, .c = a, .ldc = n};
}

/* Y = P X or X P for P [n, n]. */
static GemmJob apply_job(int64_t rows, int64_t columns, const float *p, const float *x, float *y)
{
    const bool wide = rows <= columns;
    const int64_t n = smaller(rows, columns);

    return (GemmJob){.m = rows, .n = columns, .k = n,
                     .a = wide ? p : x, .lda = wide ? n : columns,
                     .b = wide ? x : p, .ldb = columns,
                     .c = y, .ldc = columns};
}

static void iterate_on_matrix(const Kernels *kernels, int64_t rows, int64_t columns, float *x, float *scratch)
{
    const int64_t n = smaller(rows, columns), n_sq = n * n, count = rows * columns;
    const PointKernels *point = kernels->point;
    float *y = scratch, *a = y + count, *q = a + n_sq, *from = x, *to = y, *swap;
    double sum = point->dot(x, x, count);
    GemmJob job;

    if (!(sum > 0.0))
        return;
    point->scale(x, (float)(1.0 / sqrt(sum)), x, count, false);
    for (int step = 0; step < N_STEPS; step++) {
        job = gram_job(rows, columns, from, a);
        kernels->gemm->product_bfloat(&job);
        point->scale(a, STEP_B / STEP_C, q, n_sq, false);
        job = square_job(n, a, a, q);
        job.add = true;
        kernels->gemm->product_bfloat(&job);
        point->scale(q, STEP_C, q, n_sq, false);
        point->scale(from, STEP_A, to, count, false);
        job = apply_job(rows, columns, q, from, to);
        job.add = true;
        kernels->gemm->product_bfloat(&job);
        swap = from;
        from = to;
        to = swap;
    }
    if (from != x)
        memcpy(x, from, (size_t)count * sizeof *x);
}

static void iterate_on_gram(const Kernels *kernels, int64_t rows, int64_t columns, float *x, float *scratch)
{
    const int64_t n = smaller(rows, columns), n_sq = n * n, count = rows * columns;
    float *copy = scratch, *a = copy + count, *q = a + n_sq, *p = q + n_sq, *t = p + n_sq, *u = t + n_sq, *swap;
    float sum = 0.0f;
    GemmJob job = gram_job(rows, columns, x, a);

    kernels->gemm->product(&job);
    for (int64_t i = 0; i < n; i++)
        sum += a[i * n + i];
    if (!(sum > 0.0f))
        return;
    kernels->point->scale(a, 1.0f / sum, a, n_sq, false);
    memset(p, 0, (size_t)n_sq * sizeof *p);
    for (int64_t i = 0; i < n; i++)
        p[i * n + i] = 1.0f / sqrtf(sum);
    for (int step = 0; step < N_STEPS; step++) {
        job = square_job(n, a, a, q);
        kernels->gemm->product(&job);
        kernels->point->scale(q, STEP_C, q, n_sq, false);
        kernels->point->scale(a, STEP_B, q, n_sq, true);
        for (int64_t i = 0; i < n; i++)
            q[i * n + i] += STEP_A;
        job = square_job(n, q, p, t);
        kernels->gemm->product(&job);
        swap = p;
        p = t;
        t = swap;
        if (step == N_STEPS - 1)
            break;
        job = square_job(n, q, a, t);
        kernels->gemm->product(&job);
        job = square_job(n, t, q, u);
        kernels->gemm->product(&job);
        swap = a;
        a = u;
        u = swap;
    }
    memcpy(copy, x, (size_t)count * sizeof *x);
    job = apply_job(rows, columns, p, copy, x);
    kernels->gemm->product(&job);
}

bool orthogonal_is_rounded(const Kernels *kernels, int64_t rows, int64_t columns)
{
    const int64_t n = smaller(rows, columns);

    return kernels->gemm->bfloat_is_fast() && rows < LONG * n && columns < LONG * n;
}

void orthogonalise(const Kernels *kernels, int64_t rows, int64_t columns, float *x, float *scratch)
{
    if (orthogonal_is_rounded(kernels, rows, columns))
        iterate_on_matrix(kernels, rows, columns, x, scratch);
    else
        iterate_on_gram(kernels, rows, columns, x, scratch);
}
