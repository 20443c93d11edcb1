/* test_symmetric_eigen.c - eigenvalues and vectors give the matrix back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/symmetric_eigen.h"

#include <math.h>

#include "engine/base/mem.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define MOST 40

static double a[MOST * MOST], v[MOST * MOST], values[MOST], alone[MOST];

static void check(const char *what, int64_t n)
{
    double largest = 0.0;
    RsdError err = {0};

    memcpy(v, a, sizeof a);
    ASSERT_OK(symmetric_eigen(v, n, alone, false, &err), err);
    memcpy(v, a, sizeof a);
    ASSERT_OK(symmetric_eigen(v, n, values, true, &err), err);
    for (int64_t k = 0; k < n; k++)
        largest = fmax(largest, fabs(values[k]));
    ASSERT_CLOSE_F64(what, alone, values, n, ((Tolerance){.abs = 1e-13 * largest}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            double back = 0.0, product = 0.0;

            for (int64_t j = 0; j < n; j++) {
                back += values[j] * v[j * n + i] * v[j * n + k];
                product += v[i * n + j] * v[k * n + j];
            }
            cr_assert(fabs(back - a[i * n + k]) <= 1e-12 * largest, "%s, n %d: element %d, %d is %g, was %g", what, (int)n, (int)i,
                      (int)k, back, a[i * n + k]);
            cr_assert(fabs(product - (i == k)) <= 1e-12, "%s, n %d: vectors %d and %d: %g", what, (int)n, (int)i, (int)k, product);
        }
    for (int64_t k = 1; k < n; k++)
        cr_assert_leq(values[k - 1], values[k]);
}

Test(symmetric_eigen, random_matrices_come_back)
{
    static float noise[MOST * MOST];

    for (int64_t n = 1; n <= MOST; n += n < 6 ? 1 : 17) {
        signal_noise(noise, n * n, (uint32_t)n);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k <= i; k++)
                a[i * n + k] = a[k * n + i] = (double)noise[i * n + k];
        check("random", n);
    }
}

Test(symmetric_eigen, special_matrices_come_back)
{
    memset(a, 0, sizeof a);
    check("zero", 12);
    for (int64_t i = 0; i < 12; i++)
        a[i * 13] = (double)(i % 3);
    check("diagonal with equal elements", 12);
    for (int64_t i = 0; i < 12; i++)
        for (int64_t k = 0; k < 12; k++)
            a[i * 12 + k] = (double)((i + 1) * (k + 1));
    check("rank one", 12);
    for (int64_t i = 0; i < 12; i++)
        for (int64_t k = 0; k < 12; k++)
            a[i * 12 + k] *= 1e-200;
    check("tiny", 12);
}

Test(symmetric_eigen, nan_is_refused_and_a_failed_allocation_is_a_clean_error)
{
    RsdError err = {0};

    memset(a, 0, sizeof a);
    a[7] = NAN;
    ASSERT_FAILS(symmetric_eigen(a, 5, values, true, &err), RSD_ERR_NUMERIC, err, "element 1, 2");
    a[7] = 0.0;
    for (int n = 0; n < 3; n++) {
        mem_fail_after(n);
        ASSERT_FAILS(symmetric_eigen(a, 5, values, true, &err), RSD_ERR_MEMORY, err, "allocate");
    }
    mem_fail_after(-1);
}
