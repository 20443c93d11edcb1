/* test_orthogonal.c - singular values brought near 1, singular vectors kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "trainer/orthogonal.h"

/* The published iteration, on the whole matrix in double: X <- a X + (b A + c A A) X with A = X X'. */
static void iterate(double *x, int64_t rows, int64_t columns)
{
    double sum = 0.0, *a, *p, *next;

    cr_assert_eq(mem_alloc(&a, (size_t)(rows * rows), sizeof *a, NULL), RSD_OK);
    cr_assert_eq(mem_alloc(&p, (size_t)(rows * rows), sizeof *p, NULL), RSD_OK);
    cr_assert_eq(mem_alloc(&next, (size_t)(rows * columns), sizeof *next, NULL), RSD_OK);
    for (int64_t i = 0; i < rows * columns; i++)
        sum += x[i] * x[i];
    for (int64_t i = 0; i < rows * columns; i++)
        x[i] /= sqrt(sum);
    for (int step = 0; step < 5; step++) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < rows; j++) {
                a[i * rows + j] = 0.0;
                for (int64_t k = 0; k < columns; k++)
                    a[i * rows + j] += x[i * columns + k] * x[j * columns + k];
            }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < rows; j++) {
                p[i * rows + j] = -4.7750 * a[i * rows + j] + (i == j ? 3.4445 : 0.0);
                for (int64_t k = 0; k < rows; k++)
                    p[i * rows + j] += 2.0315 * a[i * rows + k] * a[k * rows + j];
            }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                next[i * columns + j] = 0.0;
                for (int64_t k = 0; k < rows; k++)
                    next[i * columns + j] += p[i * rows + k] * x[k * columns + j];
            }
        memcpy(x, next, (size_t)(rows * columns) * sizeof *x);
    }
    mem_free(&a);
    mem_free(&p);
    mem_free(&next);
}

/* Products of bfloat16: the steps magnify what is rounded to 2^-9 until the whole is off by some per cent of its norm. */
static void compare_roughly(int64_t rows, int64_t columns, const float *x, const double *expected)
{
    double off = 0.0, norm = 0.0;

    for (int64_t i = 0; i < rows * columns; i++) {
        off += ((double)x[i] - expected[i]) * ((double)x[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    cr_assert(sqrt(off / norm) <= 0.05, "%lld x %lld: off by %.3g of the norm", (long long)rows, (long long)columns,
              sqrt(off / norm));
}

static void compare(const Kernels *kernels, int64_t rows, int64_t columns)
{
    float *x, *scratch;
    double *expected;
    int64_t n = rows * columns;
    Rng rng = rng_at(11, RNG_TEST, (uint64_t)rows, (uint32_t)columns);

    cr_assert_eq(mem_alloc(&x, (size_t)n, sizeof *x, NULL), RSD_OK);
    cr_assert_eq(mem_alloc(&expected, (size_t)n, sizeof *expected, NULL), RSD_OK);
    cr_assert_eq(mem_alloc(&scratch, orthogonal_scratch_count(rows, columns), sizeof *scratch, NULL), RSD_OK);
    for (int64_t i = 0; i < n; i++) {
        x[i] = 1e-3f * rng_normal(&rng);
        expected[i] = (double)x[i];
    }
    orthogonalise(kernels, rows, columns, x, scratch);
    iterate(expected, rows, columns); /* the same for tall matrices: X (X' X)^k = (X X')^k X */
    if (orthogonal_is_rounded(kernels, rows, columns))
        compare_roughly(rows, columns, x, expected);
    for (int64_t i = 0; i < n && !orthogonal_is_rounded(kernels, rows, columns); i++)
        cr_assert_float_eq(x[i], expected[i], 2e-4, "%lld x %lld, element %lld: %.7g, expected %.7g", (long long)rows,
                           (long long)columns, (long long)i, (double)x[i], expected[i]);
    mem_free(&x);
    mem_free(&expected);
    mem_free(&scratch);
}

Test(orthogonal, equals_the_iteration_on_the_whole_matrix_for_wide_tall_and_square_ones)
{
    static const char *const names[] = {"ref", "avx2", "avx512"};

    for (size_t i = 0; i < sizeof names / sizeof names[0] && kernels_named(names[i]); i++) {
        compare(kernels_named(names[i]), 8, 40);
        compare(kernels_named(names[i]), 40, 8);
        compare(kernels_named(names[i]), 24, 24);
        compare(kernels_named(names[i]), 2, 2);
        compare(kernels_named(names[i]), 64, 130);
        compare(kernels_named(names[i]), 64, 200);
    }
}

Test(orthogonal, singular_values_over_a_range_of_100_end_near_1)
{
    float x[4 * 6] = {0}, scratch[4 * 6 + 5 * 16];
    const float values[4] = {3.0f, 0.9f, 0.2f, 0.03f};

    for (int i = 0; i < 4; i++)
        x[i * 6 + i] = values[i];
    orthogonalise(kernels_pick(), 4, 6, x, scratch);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 6; j++) {
            if (i == j)
                cr_expect(x[i * 6 + j] > 0.65f && x[i * 6 + j] < 1.25f, "value %d: %g", i, (double)x[i * 6 + j]);
            else
                cr_expect_float_eq(x[i * 6 + j], 0.0f, 1e-6);
        }
}

Test(orthogonal, zeros_stay_zeros)
{
    float x[6] = {0}, scratch[6 + 20];

    orthogonalise(kernels_pick(), 2, 3, x, scratch);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(x[i], 0.0f);
}
