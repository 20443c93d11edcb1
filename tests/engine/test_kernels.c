/* test_kernels.c - the table of kernel sets, and matrix products against their definition.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/kernels.h"
#include "engine/weights/half.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

Test(kernels, the_reference_is_always_there_and_complete)
{
    const Kernels *ref = kernels_named("ref");

    cr_assert_not_null(ref);
    cr_assert(ref->gemm && ref->conv && ref->point && ref->search);
    cr_assert_null(kernels_named("abacus"));
}

/* Each test runs in a process of its own, so the pick has not happened yet. */
Test(kernels, the_environment_picks_a_set)
{
    setenv("RESIDUA_CPU", "ref", 1);
    cr_assert_str_eq(kernels_pick()->name, "ref");
    setenv("RESIDUA_CPU", "avx2", 1);
    cr_assert_str_eq(kernels_pick()->name, "ref", "the pick must not change once it is made");
}

Test(kernels, an_impossible_wish_falls_back_to_the_best_set)
{
    setenv("RESIDUA_CPU", "abacus", 1);
    cr_assert_str_eq(kernels_pick()->name, kernels_named("avx512") ? "avx512" : kernels_named("avx2") ? "avx2" : "ref");
}

static float *random_floats(Rng *rng, int64_t n)
{
    float *x = malloc((size_t)(n > 0 ? n : 1) * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = rng_normal(rng);
    return x;
}

/* To the upper half of the bits, as the reference of bfloat16 rounds. */
static float rounded(float x)
{
    return bfloat_to_float(bfloat_from_float(x));
}

static void check_product(const char *set, Rng *rng, bool bfloat)
{
    GemmJob job = {.transpose_a = rng_below(rng, 2), .transpose_b = rng_below(rng, 2), .add = rng_below(rng, 2),
                   .m = 1 + rng_below(rng, 40), .n = 1 + rng_below(rng, 40), .k = 1 + rng_below(rng, 60)};
    float *a, *b, *c, *before;

    job.lda = (job.transpose_a ? job.m : job.k) + rng_below(rng, 3);
    job.ldb = (job.transpose_b ? job.k : job.n) + rng_below(rng, 3);
    job.ldc = job.n + rng_below(rng, 3);
    a = random_floats(rng, job.lda * (job.transpose_a ? job.k : job.m));
    b = random_floats(rng, job.ldb * (job.transpose_b ? job.n : job.k));
    c = random_floats(rng, job.ldc * job.m);
    before = malloc((size_t)(job.ldc * job.m) * sizeof *before);
    memcpy(before, c, (size_t)(job.ldc * job.m) * sizeof *c);
    job.a = a;
    job.b = b;
    job.c = c;
    if (bfloat)
        kernels_named(set)->gemm->product_bfloat(&job);
    else
        kernels_named(set)->gemm->product(&job);
    for (int64_t i = 0; i < job.m; i++)
        for (int64_t j = 0; j < job.ldc; j++) {
            double sum = job.add ? (double)before[i * job.ldc + j] : 0.0, size = 1.0;

            if (j >= job.n) {
                cr_assert_eq(c[i * job.ldc + j], before[i * job.ldc + j], "%s wrote between the rows", set);
                continue;
            }
            for (int64_t l = 0; l < job.k; l++) {
                float x = a[job.transpose_a ? l * job.lda + i : i * job.lda + l];
                float y = b[job.transpose_b ? j * job.ldb + l : l * job.ldb + j];
                double term = bfloat ? (double)rounded(x) * (double)rounded(y) : (double)x * (double)y;

                sum += term;
                size += fabs(term);
            }
            cr_assert(fabs((double)c[i * job.ldc + j] - sum) <= 1e-6 * size, "%s %dx%dx%d [%d, %d]: %.9g, expected %.9g", set,
                      (int)job.m, (int)job.n, (int)job.k, (int)i, (int)j, (double)c[i * job.ldc + j], sum);
        }
    free(a);
    free(b);
    free(c);
    free(before);
}

Test(gemm, products_match_the_definition_for_every_layout)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 200; i++) {
            Rng rng = rng_at(13, RNG_TEST, 30, i);

            check_product(set_names[s], &rng, false);
        }
}

Test(gemm, products_of_bfloat16_match_the_definition_for_every_layout)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 200; i++) {
            Rng rng = rng_at(13, RNG_TEST, 31, i);

            check_product(set_names[s], &rng, true);
        }
}

/* c [n, n] (+)= X X' or X' X, half of it and all of it. */
static void check_symmetric(const char *set, Rng *rng, bool bfloat)
{
    const GemmKernels *gemm = kernels_named(set)->gemm;
    const int64_t n = 1 + rng_below(rng, 150), k = 1 + rng_below(rng, 450), ldc = n + rng_below(rng, 3);
    const bool wide = rng_below(rng, 2), add = rng_below(rng, 2);
    float *x = random_floats(rng, n * k), *half = random_floats(rng, n * ldc), *whole = malloc((size_t)(n * ldc) * sizeof *whole);
    GemmJob job = {.transpose_a = !wide, .transpose_b = wide, .add = add, .m = n, .n = n, .k = k,
                   .a = x, .lda = wide ? k : n, .b = x, .ldb = wide ? k : n, .c = whole, .ldc = ldc};

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            half[i * ldc + j] = half[j * ldc + i];
    memcpy(whole, half, (size_t)(n * ldc) * sizeof *whole);
    (bfloat ? gemm->product_bfloat : gemm->product)(&job);
    job.c = half;
    job.symmetric = true;
    (bfloat ? gemm->product_bfloat : gemm->product)(&job);
    for (int64_t i = 0; i < n * ldc; i++)
        cr_assert_float_eq(half[i], whole[i], 1e-6 * (double)k, "%s n %d k %d [%d, %d]: %.9g, expected %.9g", set, (int)n, (int)k,
                           (int)(i / ldc), (int)(i % ldc), (double)half[i], (double)whole[i]);
    free(x);
    free(half);
    free(whole);
}

Test(gemm, half_of_a_symmetric_product_is_the_whole_of_it)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 16; i++) {
            Rng rng = rng_at(13, RNG_TEST, 32, i);

            check_symmetric(set_names[s], &rng, i % 2);
        }
}

static void run_panel(const GemmKernels *gemm, int64_t k, int64_t n, const float *x, const float *a, int64_t lda, bool add, float *y)
{
    char *panel;

    cr_assert_eq(mem_alloc(&panel, gemm->panel_size(k, n) + 1, 1, NULL), RSD_OK);
    gemm->fill_panel(k, n, a, lda, panel);
    gemm->vector_panel(k, n, x, panel, add, y);
    mem_free(&panel);
}

Test(gemm, vector_times_panel_matches_the_definition_and_each_column_stands_alone)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(13, RNG_TEST, 32, i);
            int64_t k = rng_below(&rng, 40), n = 1 + rng_below(&rng, 300), lda = n + rng_below(&rng, 3);
            float *a = random_floats(&rng, (k + 1) * lda), *x = random_floats(&rng, k + 1), *y = random_floats(&rng, n + 1), alone;
            float *before = malloc((size_t)(n + 1) * sizeof *before);
            bool add = i % 2;
            const GemmKernels *gemm = kernels_named(set_names[s])->gemm;

            memcpy(before, y, (size_t)(n + 1) * sizeof *y);
            run_panel(gemm, k, n, x, a, lda, add, y);
            cr_assert_eq(y[n], before[n], "%s wrote behind the %d columns", set_names[s], (int)n);
            for (int64_t j = 0; j < n; j++) {
                double sum = add ? (double)before[j] : 0.0, size = 1.0;

                for (int64_t r = 0; r < k; r++) {
                    sum += (double)a[r * lda + j] * (double)x[r];
                    size += fabs((double)a[r * lda + j] * (double)x[r]);
                }
                cr_assert(fabs((double)y[j] - sum) <= 1e-6 * size, "%s column %d: %.9g, expected %.9g", set_names[s], (int)j,
                          (double)y[j], sum);
                alone = before[j];
                run_panel(gemm, k, 1, x, a + j, lda, add, &alone);
                cr_assert_eq(alone, y[j], "%s column %d of %d: %.9g alone, %.9g among others", set_names[s], (int)j, (int)n,
                             (double)alone, (double)y[j]);
            }
            free(a);
            free(x);
            free(y);
            free(before);
        }
}

Test(gemm, a_panel_keeps_what_is_not_finite)
{
    enum { K = 6, N = 130 };
    float x[K], a[K * N], y[N];

    for (int i = 0; i < K; i++)
        x[i] = 1.0f;
    for (int i = 0; i < K * N; i++)
        a[i] = (float)(i % 7) - 3.0f;
    a[2 * N + 5] = NAN;
    a[3 * N + 129] = INFINITY;
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        run_panel(kernels_named(set_names[s])->gemm, K, N, x, a, N, false, y);
        for (int j = 0; j < N; j++)
            cr_expect_eq(!isfinite(y[j]), j == 5 || j == 129, "%s column %d: %g", set_names[s], j, (double)y[j]);
    }
}

Test(gemm, matrix_times_vector_matches_the_definition_and_each_row_stands_alone)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (uint32_t i = 0; i < 60; i++) {
            Rng rng = rng_at(13, RNG_TEST, 31, i);
            int64_t m = 1 + rng_below(&rng, 20), n = 1 + rng_below(&rng, 70), lda = n + rng_below(&rng, 3);
            float *a = random_floats(&rng, m * lda), *x = random_floats(&rng, n), *y = random_floats(&rng, m), alone;
            float *before = malloc((size_t)m * sizeof *before);
            bool add = i % 2;
            const GemmKernels *gemm = kernels_named(set_names[s])->gemm;

            memcpy(before, y, (size_t)m * sizeof *y);
            gemm->matrix_vector(m, n, a, lda, x, add, y);
            for (int64_t r = 0; r < m; r++) {
                double sum = add ? (double)before[r] : 0.0, size = 1.0;

                for (int64_t j = 0; j < n; j++) {
                    sum += (double)a[r * lda + j] * (double)x[j];
                    size += fabs((double)a[r * lda + j] * (double)x[j]);
                }
                cr_assert(fabs((double)y[r] - sum) <= 1e-6 * size, "%s row %d: %.9g, expected %.9g", set_names[s], (int)r,
                          (double)y[r], sum);
                alone = before[r];
                gemm->matrix_vector(1, n, a + r * lda, lda, x, add, &alone);
                cr_assert_eq(alone, y[r], "%s row %d of %d: %.9g alone, %.9g among others", set_names[s], (int)r, (int)m,
                             (double)alone, (double)y[r]);
            }
            free(a);
            free(x);
            free(y);
            free(before);
        }
}
