/* test_align.c - known delays come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/align.h"

#include <math.h>

#include "tests/losses/signals.h"
#include "tests/shared.h"

#define MAX_LEN 60000

static float x[MAX_LEN], y[MAX_LEN];

static Alignment find(int64_t n_ref, int64_t n_dist, int rate_hz, int64_t max_lag)
{
    Alignment found;
    RsdError err = {0};

    ASSERT_OK(align_find(&found, x, n_ref, y, n_dist, 1, rate_hz, max_lag, &err), err);
    return found;
}

/* y[i] = x[i - lag], zeros outside */
static void delay(int64_t n, int64_t lag)
{
    for (int64_t i = 0; i < MAX_LEN; i++)
        y[i] = i - lag >= 0 && i - lag < n ? x[i - lag] : 0;
}

Test(align, finds_delays_both_ways_in_one_block_and_in_many)
{
    static const int64_t lags[] = {0, 1, -1, 37, -320, 1600, -1600};

    for (size_t i = 0; i < sizeof lags / sizeof lags[0]; i++)
        for (int64_t n = 10000; n < MAX_LEN - 2000; n *= 5) {
            Alignment found;

            signal_speech_like(x, n, 16000, 1);
            delay(n, lags[i]);
            found = find(n, n, 16000, 1600);
            cr_assert_eq(found.lag_samples, lags[i], "lag %lld found as %lld of %lld samples", (long long)lags[i],
                         (long long)found.lag_samples, (long long)n);
        }
}

Test(align, tells_a_fraction_of_a_sample)
{
    /* a 500 Hz tone under a slow envelope, 0.3 samples late */
    for (int i = 0; i < 16000; i++) {
        double t = i, late = i - 0.3;

        x[i] = (float)(sin(M_PI * t / 16000) * sin(2 * M_PI * 500 * t / 16000));
        y[i] = (float)(sin(M_PI * late / 16000) * sin(2 * M_PI * 500 * late / 16000));
    }
    ASSERT_CLOSE("lag", find(16000, 16000, 16000, 10).exact_lag, 0.3, ((Tolerance){.abs = 0.01}));
}

/* Its period is 44.1 samples, so that four periods early falls on a whole lag and fits best, by chance. */
Test(align, a_tone_a_fraction_late_is_not_taken_for_periods_early)
{
    for (int i = 0; i < MAX_LEN; i++) {
        x[i] = (float)sin(2 * M_PI * i / 44.1);
        y[i] = 0.9f * (float)sin(2 * M_PI * (i - 0.4) / 44.1);
    }
    cr_assert_eq(find(MAX_LEN, MAX_LEN, 44100, 2000).lag_samples, 0);
}

Test(align, correlation_is_one_for_a_copy_and_small_for_strangers)
{
    signal_noise(x, 16000, 2);
    delay(16000, 0);
    ASSERT_CLOSE("copy", find(16000, 16000, 16000, 100).correlation, 1, ((Tolerance){.abs = 1e-9}));
    signal_noise(y, 16000, 3);
    cr_assert_lt(find(16000, 16000, 16000, 100).correlation, 0.05);
}

Test(align, works_with_noise_unequal_lengths_and_what_lies_above_8_khz)
{
    signal_speech_like(x, 48000, 48000, 4);
    delay(48000, 1000);
    for (int i = 0; i < MAX_LEN; i++)
        y[i] += (float)(0.4 * sin(2 * M_PI * 15000 * i / 48000.0)); /* loud and not speech */
    cr_assert_eq(find(48000, 30000, 48000, 4800).lag_samples, 1000);
}

Test(align, of_silence_and_single_samples_is_zero)
{
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    cr_assert_eq(find(100, 100, 16000, 50).lag_samples, 0);
    x[0] = y[0] = 1;
    cr_assert_eq(find(1, 1, 16000, 1000).lag_samples, 0);
    cr_assert_eq(find(1, 1, 16000, 0).lag_samples, 0);
}

/* Planar, 8000 samples a channel: silence or dither first, and then what is late. */
Test(align, hears_all_channels)
{
    const int64_t n = 8000, late = 700;
    Alignment found;
    RsdError err = {0};

    for (int dither = 0; dither < 2; dither++) {
        memset(x, 0, sizeof x);
        memset(y, 0, sizeof y);
        for (int64_t i = 0; dither && i < n; i++)
            x[i] = (i * 7919 % 13 < 6 ? 1 : -1) / 32768.0f;
        signal_speech_like(x + n, n, 16000, 5);
        memcpy(y, x, (size_t)n * sizeof *x);
        memcpy(y + n + late, x + n, (size_t)(n - late) * sizeof *x);
        ASSERT_OK(align_find(&found, x, n, y, n, 2, 16000, 1600, &err), err);
        cr_assert_eq(found.lag_samples, late, "dither %d: lag %lld", dither, (long long)found.lag_samples);
        cr_assert_gt(found.correlation, 0.9);
    }
}

Test(align, refuses_what_it_cannot_do)
{
    Alignment found;
    RsdError err = {0};

    ASSERT_FAILS(align_find(&found, x, 0, y, 5, 1, 16000, 5, &err), RSD_ERR_ARG, err, "0 and 5 samples");
    ASSERT_FAILS(align_find(&found, x, 5, y, 5, 0, 16000, 5, &err), RSD_ERR_ARG, err, "0 channels");
    ASSERT_FAILS(align_find(&found, x, 5, y, 5, 1, 16000, -1, &err), RSD_ERR_ARG, err, "-1");
    ASSERT_FAILS(align_find(&found, x, 5, y, 5, 1, 16000, (int64_t)1 << 40, &err), RSD_ERR_ARG, err, "possible");
}

Test(align, overlap_is_what_both_have)
{
    int64_t a, b, n;

    align_overlap(3, 10, 10, &a, &b, &n);
    cr_assert(a == 0 && b == 3 && n == 7, "%lld %lld %lld", (long long)a, (long long)b, (long long)n);
    align_overlap(-3, 10, 6, &a, &b, &n);
    cr_assert(a == 3 && b == 0 && n == 6, "%lld %lld %lld", (long long)a, (long long)b, (long long)n);
    align_overlap(20, 10, 10, &a, &b, &n);
    cr_assert_eq(n, 0);
}
