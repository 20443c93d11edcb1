/* test_rng.c - the counter-based generator against published vectors, and its statistics.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdint.h>

#include <criterion/criterion.h>

#include "engine/base/rng.h"

/* kat_vectors of Random123 1.09, philox4x32 with 10 rounds: counter, key, result. */
Test(rng, philox_gives_the_published_words)
{
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) {
        Rng rng = {.n_left = 0};

        for (int i = 0; i < 4; i++)
            rng.counter[i] = vectors[v].counter[i];
        rng.key[0] = vectors[v].key[0];
        rng.key[1] = vectors[v].key[1];
        for (int i = 0; i < 4; i++) {
            uint32_t word = rng_u32(&rng);

            cr_assert_eq(word, vectors[v].expected[i], "vector %zu, word %d is %08x, expected %08x", v, i, word,
                         vectors[v].expected[i]);
        }
    }
}

Test(rng, same_place_gives_the_same_numbers_and_every_other_place_others)
{
    Rng places[] = {
        rng_at(1, RNG_TEST, 2, 3), rng_at(2, RNG_TEST, 2, 3),          rng_at((uint64_t)1 << 32 | 1, RNG_TEST, 2, 3),
        rng_at(1, RNG_DATA, 2, 3), rng_at(1, RNG_TEST, 3, 3),          rng_at(1, RNG_TEST, 2, 4),
        rng_at(1, RNG_TEST, 3, 2), rng_at(1, RNG_TEST, 1ull << 32, 3), rng_at(1, RNG_TEST, 1ull << 47, 3)};
    Rng again = rng_at(1, RNG_TEST, 2, 3), first = places[0];
    enum { N = sizeof places / sizeof *places };
    uint64_t seen[N];

    for (int i = 0; i < 100; i++)
        cr_assert_eq(rng_u32(&first), rng_u32(&again));
    for (size_t i = 0; i < N; i++) {
        seen[i] = rng_u32(&places[i]);
        seen[i] |= (uint64_t)rng_u32(&places[i]) << 32;
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(seen[i], seen[j], "places %zu and %zu", i, j);
    }
}

/* Pearson's chi-square over equal bins; with 99 degrees of freedom 170 is passed with probability 1e-5. */
static double chi_square(const int *counts, int n_bins, double n)
{
    double sum = 0, expected = n / n_bins;

    for (int i = 0; i < n_bins; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

Test(rng, uniform_numbers_fill_the_interval_evenly)
{
    enum { BINS = 100, N = 1000000 };
    int counts[BINS] = {0}, below[BINS] = {0}, across[BINS] = {0};
    Rng rng = rng_at(42, RNG_TEST, 0, 0);

    for (int i = 0; i < N; i++) {
        float value = rng_uniform(&rng);
        Rng other = rng_at(42, RNG_TEST, 7, (uint32_t)i); /* the first number of many streams must be as good */

        cr_assert(value >= 0 && value < 1);
        counts[(int)(value * BINS)]++;
        below[rng_below(&rng, BINS)]++;
        across[(int)(rng_uniform(&other) * BINS)]++;
    }
    cr_assert_lt(chi_square(counts, BINS, N), 170, "uniform: %g", chi_square(counts, BINS, N));
    cr_assert_lt(chi_square(below, BINS, N), 170, "below: %g", chi_square(below, BINS, N));
    cr_assert_lt(chi_square(across, BINS, N), 170, "across streams: %g", chi_square(across, BINS, N));
}

Test(rng, below_has_no_bias_where_the_remainder_is_large)
{
    enum { N = 300000 };
    const uint32_t n = 0xc0000000; /* a plain multiplication or remainder would favour a third of the values */
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    int low = 0;

    for (int i = 0; i < N; i++) {
        uint32_t value = rng_below(&rng, n);

        cr_assert_lt(value, n);
        low += value < n / 2;
        cr_assert_eq(rng_below(&rng, 1), 0);
    }
    cr_assert_float_eq(low, N / 2, 5 * sqrt(N) / 2, "%d of %d are in the lower half", low, N);
}

Test(rng, streams_are_not_correlated)
{
    enum { N = 200000 };
    Rng a = rng_at(5, RNG_INIT, 0, 0), b = rng_at(5, RNG_DATA, 0, 0), c = rng_at(5, RNG_INIT, 0, 1),
        d = rng_at(5, RNG_INIT, 1, 0);
    double with_b = 0, with_c = 0, with_d = 0;

    for (int i = 0; i < N; i++) {
        double x = (double)rng_normal(&a);

        with_b += x * (double)rng_normal(&b);
        with_c += x * (double)rng_normal(&c);
        with_d += x * (double)rng_normal(&d);
    }
    cr_assert_float_eq(with_b, 0, 5 * sqrt(N));
    cr_assert_float_eq(with_c, 0, 5 * sqrt(N));
    cr_assert_float_eq(with_d, 0, 5 * sqrt(N));
}

Test(rng, normal_numbers_have_the_moments_of_a_normal_distribution)
{
    enum { N = 1000000 };
    Rng rng = rng_at(9, RNG_TEST, 0, 0);
    double sum[5] = {0};
    int outside = 0;

    for (int i = 0; i < N; i++) {
        double x = (double)rng_normal(&rng);

        for (int k = 1; k <= 4; k++)
            sum[k] += pow(x, k);
        outside += fabs(x) > 1.96;
    }
    cr_assert_float_eq(sum[1] / N, 0, 0.005);
    cr_assert_float_eq(sum[2] / N, 1, 0.007);
    cr_assert_float_eq(sum[3] / N, 0, 0.02);
    cr_assert_float_eq(sum[4] / N, 3, 0.05);
    cr_assert_float_eq((double)outside / N, 0.05, 0.0012);
}

Test(rng, between_stays_below_its_upper_bound)
{
    Rng rng = rng_at(3, RNG_TEST, 0, 0);
    const float high = nextafterf(1, 2); /* one step above low: half of the sums round to it */

    for (int i = 0; i < 1000; i++) {
        float narrow = rng_between(&rng, 1, high), wide = rng_between(&rng, -5, 3);

        cr_assert(narrow >= 1 && narrow < high);
        cr_assert(wide >= -5 && wide < 3);
    }
}
