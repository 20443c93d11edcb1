/* test_cdf.c - probabilities against libm, the shipped grid against the rule, weights, and tables from damaged files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "engine/base/rng.h"
#include "tests/codec/rans_cases.h"
#include "tests/codec/rans_vectors.h"

Test(cdf, tails_and_exponentials_are_those_of_libm)
{
    for (int i = 0; i < 8000; i++) {
        double a = (double)i / 1000.0, found = cdf_normal_tail(a), expected = 0.5 * erfc(a / sqrt(2.0));

        cr_assert(fabs(found - expected) <= 5e-16 && fabs(found - expected) <= 5e-13 * expected,
                  "Q(%g) = %.17g, expected %.17g", a, found, expected);
        found = cdf_exp(-a * 80.0);
        expected = exp(-a * 80.0);
        cr_assert(fabs(found - expected) <= 1e-15 * expected, "exp(%g) = %.17g, expected %.17g", -a * 80.0, found,
                  expected);
    }
    cr_assert_eq(cdf_exp(-1e9), 0.0);
}

Test(cdf, the_rule_gives_the_same_bits_as_ever)
{
    cr_assert_eq(rans_hash_rule(), RANS_RULE_HASH);
    cr_assert_eq(rans_hash_normal_tail(), RANS_NORMAL_TAIL_HASH);
}

Test(cdf, shipped_tables_are_what_the_rule_makes)
{
    for (int shape = CDF_NORMAL; shape <= CDF_LAPLACE; shape++)
        for (int i = 1; i < CDF_SCALES; i++) {
            CdfTable made, shipped;

            cdf_make(&made, (CdfShape)shape, cdf_grid_scale(i));
            cdf_grid(&shipped, (CdfShape)shape, i);
            cr_assert_eq(made.n_values, shipped.n_values, "shape %d, scale %d", shape, i);
            cr_assert_eq(made.lowest, shipped.lowest);
            cr_assert_arr_eq(made.freq, shipped.freq, (size_t)(made.n_values + 1) * sizeof made.freq[0]);
            cr_assert_eq(cdf_check(&shipped, NULL), RSD_OK);
        }
}

Test(cdf, scales_are_the_geometric_grid)
{
    for (int i = 0; i < CDF_SCALES; i++)
        cr_assert_float_eq(cdf_grid_scale(i) / 65536.0, 0.11 * pow(20.0 / 0.11, i / 63.0), 1.0 / 65536.0);
}

Test(cdf, frequencies_follow_the_probabilities)
{
    for (int i = 1; i < CDF_SCALES; i++) {
        double sigma = cdf_grid_scale(i) / 65536.0;
        CdfTable t;

        cdf_grid(&t, CDF_NORMAL, i);
        for (int s = 0; s < t.n_values; s++) {
            double k = abs(t.lowest + s),
                   p = 0.5 * (erfc((k - 0.5) / sigma / sqrt(2.0)) - erfc((k + 0.5) / sigma / sqrt(2.0)));
            double expected = 1.0 + p * (CDF_TOTAL - t.n_values - 1);

            /* rounding down leaves at most one for each symbol to the largest */
            cr_assert(t.freq[s] > expected - 1.001 && t.freq[s] < expected + t.n_values + 1,
                      "scale %d, value %g: %d, expected %g", i, k, t.freq[s], expected);
        }
    }
}

Test(cdf, weights_give_every_symbol_a_frequency)
{
    Rng rng = rng_at(3, RNG_TEST, 1, 0);

    for (int n = 1; n <= CDF_MAX_VALUES; n += 1 + n / 9) {
        uint32_t weight[CDF_MAX_VALUES + 1];
        CdfTable t;

        for (int i = 0; i <= n; i++)
            weight[i] = rng_u32(&rng) >> rng_below(&rng, 32);
        weight[n / 2] = UINT32_MAX;
        cdf_from_weights(&t, -3, n, weight);
        cr_assert_eq(cdf_check(&t, NULL), RSD_OK, "%d values", n);
    }
}

Test(cdf, damaged_tables_are_refused_in_words)
{
    CdfTable t;
    RsdError err;

    cdf_grid(&t, CDF_NORMAL, 20);
    t.freq[-t.lowest]--;
    cr_assert_eq(cdf_check(&t, &err), RSD_ERR_CORRUPT);
    cr_assert_str_eq(err.text, "frequencies of a table sum to 16383, expected 16384");
    t.freq[1] = 0;
    cr_assert_eq(cdf_check(&t, &err), RSD_ERR_CORRUPT);
    cr_assert_str_eq(err.text, "frequency 1 of a table is 0");
    t.n_values = CDF_MAX_VALUES + 1;
    cr_assert_eq(cdf_check(&t, &err), RSD_ERR_CORRUPT);
    t.n_values = -1;
    cr_assert_eq(cdf_check(&t, &err), RSD_ERR_CORRUPT);
    cdf_grid(&t, CDF_NORMAL, 20);
    t.lowest = INT16_MAX - 1;
    cr_assert_eq(cdf_check(&t, &err), RSD_ERR_CORRUPT);
}
