/* test_resampler.c - exact lengths, no delay, low distortion, no dependence on blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/resampler.h"

#include <math.h>
#include <stdbool.h>

#include "engine/base/mem.h"
#include "tests/shared.h"

#define MAX_LEN 200000

static float x[MAX_LEN];

static const int rates[][2] = {{48000, 16000}, {44100, 16000}, {16000, 48000},  {16000, 44100},
                               {8000, 16000},  {22050, 24000}, {192000, 16000}, {384000, 8000},
                               {11025, 48000}, {44101, 16000}, {16000, 15999},  {100, 384000}};
#define N_RATES (sizeof rates / sizeof rates[0])

static void sine(double hz, int rate_hz, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.7 * sin(2 * M_PI * hz * (double)i / rate_hz));
}

Test(resampler, keeps_a_sine_in_place_with_90_db)
{
    for (size_t r = 0; r < N_RATES - 1; r++) {
        int in_hz = rates[r][0], out_hz = rates[r][1], lower = in_hz < out_hz ? in_hz : out_hz;
        int64_t n = in_hz / 2, n_out;
        double tones[] = {0.011 * lower, 0.2 * lower, 0.44 * lower};

        for (int k = 0; k < 3; k++) {
            float *y = NULL;
            double signal = 0, error = 0;
            RsdError err = {0};

            sine(tones[k], in_hz, n);
            ASSERT_OK(resample_signal(x, n, in_hz, out_hz, &y, &n_out, &err), err);
            for (int64_t i = n_out / 4; i < n_out * 3 / 4; i++) { /* away from where the sine is cut off */
                double expected = 0.7 * sin(2 * M_PI * tones[k] * (double)i / out_hz);

                signal += expected * expected;
                error += (y[i] - expected) * (y[i] - expected);
            }
            cr_assert_gt(10 * log10(signal / error), 90, "%d to %d Hz, tone of %.0f Hz: %.1f dB", in_hz, out_hz,
                         tones[k], 10 * log10(signal / error));
            mem_free(&y);
        }
    }
}

Test(resampler, removes_what_the_lower_rate_cannot_hold)
{
    float *y = NULL;
    int64_t n_out;
    double energy = 0;
    RsdError err = {0};

    sine(12000, 48000, 48000);
    ASSERT_OK(resample_signal(x, 48000, 48000, 16000, &y, &n_out, &err), err);
    for (int64_t i = 1000; i < n_out - 1000; i++)
        energy += (double)y[i] * y[i];
    cr_assert_lt(10 * log10(energy / (double)(n_out - 2000) / 0.245), -95);
    mem_free(&y);
}

Test(resampler, gives_exactly_the_stated_number_of_samples)
{
    for (size_t r = 0; r < N_RATES; r++)
        for (int64_t n = 0; n < (rates[r][1] > 100 * rates[r][0] ? 40 : 20000); n = n * 2 + n / 3 + 1) {
            float *y = NULL;
            int64_t n_out;
            RsdError err = {0};

            sine(0.1 * rates[r][0], rates[r][0], n);
            ASSERT_OK(resample_signal(x, n, rates[r][0], rates[r][1], &y, &n_out, &err), err);
            cr_assert_eq(n_out, (n * rates[r][1] + rates[r][0] - 1) / rates[r][0], "%lld samples, %d to %d Hz",
                         (long long)n, rates[r][0], rates[r][1]);
            mem_free(&y);
        }
    cr_assert_eq(resampler_out_len((int64_t)1 << 50, 100, 384000), ((int64_t)1 << 50) * 3840);
}

/* Feeds pieces of in_piece and takes pieces of out_piece. */
static void resample_in_pieces(float *y, int64_t n, int in_hz, int out_hz, size_t in_piece, size_t out_piece,
                               int64_t *n_out)
{
    Resampler *r = NULL;
    RsdError err = {0};
    size_t fed = 0, used, got;
    bool ended = false;

    *n_out = 0;
    ASSERT_OK(resampler_create(&r, in_hz, out_hz, 1, &err), err);
    while (!ended) {
        bool drain = fed == (size_t)n;
        size_t piece = (size_t)n - fed < in_piece ? (size_t)n - fed : in_piece;

        ASSERT_OK(resampler_process(r, drain ? NULL : x + fed, piece, &used, y + *n_out, out_piece, &got, &err), err);
        fed += used;
        *n_out += (int64_t)got;
        ended = drain && got == 0;
    }
    resampler_destroy(&r);
}

Test(resampler, does_not_depend_on_the_sizes_of_blocks)
{
    static const size_t pieces[] = {1, 3, 100, 1023, 1024, 1025, 5000, 30000};
    static float y[MAX_LEN];
    RsdError err = {0};

    for (int64_t i = 0; i < 30000; i++)
        x[i] = (float)((double)(i * 7919 % 20011) / 20011.0 - 0.5);
    for (size_t r = 0; r < 6; r++) {
        float *whole = NULL;
        int64_t n_whole, n;

        ASSERT_OK(resample_signal(x, 30000, rates[r][0], rates[r][1], &whole, &n_whole, &err), err);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
            for (size_t k = i % 2; k < sizeof pieces / sizeof pieces[0]; k += 3) {
                resample_in_pieces(y, 30000, rates[r][0], rates[r][1], pieces[i], pieces[k], &n);
                cr_assert_eq(n, n_whole, "pieces of %zu and %zu", pieces[i], pieces[k]);
                ASSERT_SAME_BITS("pieces", y, whole, n);
            }
        mem_free(&whole);
    }
}

Test(resampler, refuses_impossible_rates)
{
    Resampler *r = NULL;
    RsdError err = {0};

    ASSERT_FAILS(resampler_create(&r, 0, 16000, 1, &err), RSD_ERR_ARG, err, "from 0 Hz");
    ASSERT_FAILS(resampler_create(&r, 16000, 16001, 0, &err), RSD_ERR_ARG, err, "0 channels");
    cr_assert_null(r);
}
