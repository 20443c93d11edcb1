/* test_stoi.c - against an independent implementation, and at the edges.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/stoi.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/octave_resample.h"
#include "tests/losses/signals.h"
#include "tests/losses/stoi_expected.h"
#include "tests/shared.h"

#define MAX_LEN 100000

static float x[MAX_LEN], y[MAX_LEN];

static double value_of(MetricFunction metric, int64_t n, int rate_hz, unsigned *flags)
{
    MetricSignals signals = {x, y, n, rate_hz};
    MetricValue value;
    RsdError err = {0};

    ASSERT_OK(metric(&value, &signals, &err), err);
    if (flags)
        *flags = value.flags;
    return value.value;
}

Test(stoi, agrees_with_the_numpy_reference_at_six_rates)
{
    for (size_t i = 0; i < sizeof stoi_cases / sizeof stoi_cases[0]; i++) {
        const struct StoiCase *c = &stoi_cases[i];
        char what[64];

        signal_speech_like(x, c->n, c->rate_hz, c->seed);
        signal_disturb(y, x, c->n, c->seed + 100, (float)c->level);
        snprintf(what, sizeof what, "STOI of case %zu (%d Hz)", i, c->rate_hz);
        ASSERT_CLOSE(what, value_of(metric_stoi, c->n, c->rate_hz, NULL), c->stoi, ((Tolerance){.abs = 1e-6}));
        snprintf(what, sizeof what, "ESTOI of case %zu (%d Hz)", i, c->rate_hz);
        ASSERT_CLOSE(what, value_of(metric_estoi, c->n, c->rate_hz, NULL), c->estoi, ((Tolerance){.abs = 1e-6}));
    }
}

Test(stoi, of_a_signal_with_itself_is_one_whatever_its_level)
{
    signal_speech_like(x, 20000, 10000, 9);
    for (int i = 0; i < 20000; i++)
        y[i] = 0.25f * x[i];
    ASSERT_CLOSE("STOI", value_of(metric_stoi, 20000, 10000, NULL), 1, ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("ESTOI", value_of(metric_estoi, 20000, 10000, NULL), 1, ((Tolerance){.abs = 1e-9}));
}

Test(stoi, of_bands_has_the_mean_of_all_and_falls_where_the_noise_is)
{
    static const MetricAids none;
    const MetricSignals both = {x, y, 32000, 16000, &none};
    MetricValue bands[STOI_N_BANDS], all;
    double mean = 0;
    RsdError err = {0};

    signal_speech_like(x, 32000, 16000, 5);
    for (int i = 0; i < 32000; i++)
        y[i] = x[i] + 0.3f * sinf(2.0f * (float)M_PI * 300.0f * (float)i / 16000.0f);
    ASSERT_OK(metric_stoi_bands(bands, &both, &err), err);
    ASSERT_OK(metric_stoi(&all, &both, &err), err);
    for (int k = 0; k < STOI_N_BANDS; k++)
        mean += bands[k].value / STOI_N_BANDS;
    ASSERT_CLOSE("mean of the bands", mean, all.value, ((Tolerance){.abs = 1e-12}));
    ASSERT_CLOSE("centre of band 3", stoi_band_hz(3), 300, ((Tolerance){.abs = 1e-9}));
    for (int k = 0; k < STOI_N_BANDS; k++)
        cr_expect(k == 3 || bands[k].value > bands[3].value, "band %d: %g, band 3: %g", k, bands[k].value, bands[3].value);
}

Test(stoi, falls_as_noise_rises)
{
    double last[2] = {1.01, 1.01};

    signal_speech_like(x, 32000, 16000, 10);
    for (float level = 0.01f; level < 2; level *= 2) {
        double now[2];

        signal_disturb(y, x, 32000, 11, level);
        now[0] = value_of(metric_stoi, 32000, 16000, NULL);
        now[1] = value_of(metric_estoi, 32000, 16000, NULL);
        for (int i = 0; i < 2; i++) {
            cr_assert_lt(now[i], last[i], "%s at noise %g: %.6f, before %.6f", i ? "ESTOI" : "STOI", (double)level,
                         now[i], last[i]);
            last[i] = now[i];
        }
    }
}

Test(stoi, of_too_little_speech_is_a_convention_with_a_flag)
{
    static const int lengths[] = {1, 2, 255, 256, 257, 384, 385, 3000, 4096};
    unsigned flags;

    signal_noise(x, MAX_LEN, 12);
    signal_noise(y, MAX_LEN, 13);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        cr_assert_eq(value_of(metric_estoi, lengths[i], 10000, &flags), 1e-5, "%d samples", lengths[i]);
        cr_assert_eq(flags, METRIC_TOO_SHORT, "%d samples", lengths[i]);
    }
    /* 30 frames after the silent-frame step need 256 + 29 * 128 + 1 samples kept, so one frame more before it */
    cr_assert_neq(value_of(metric_estoi, 256 + 30 * 128 + 1, 10000, &flags), 1e-5);
    cr_assert_eq(flags, 0u);
}

Test(stoi, of_silence_is_finite)
{
    unsigned flags;

    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    ASSERT_CLOSE("silent both", value_of(metric_stoi, 20000, 10000, &flags), 0, ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("silent both", value_of(metric_estoi, 20000, 10000, &flags), 0, ((Tolerance){.abs = 1e-9}));
    signal_noise(y, 20000, 14);
    ASSERT_CLOSE("silent reference", value_of(metric_estoi, 20000, 10000, &flags), 0, ((Tolerance){.abs = 1e-9}));
    memset(y, 0, sizeof y);
    signal_speech_like(x, 20000, 10000, 15);
    ASSERT_CLOSE("silent output", value_of(metric_stoi, 20000, 10000, &flags), 0, ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("silent output", value_of(metric_estoi, 20000, 10000, &flags), 0, ((Tolerance){.abs = 1e-9}));
}

Test(octave_resample, gives_the_stated_length_and_keeps_a_constant)
{
    static const int rates[][2] = {{16000, 10000}, {8000, 10000}, {44100, 10000}, {48000, 10000}, {10000, 10000}};
    RsdError err = {0};

    for (int i = 0; i < 20000; i++)
        x[i] = 0.5f;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++)
        for (int64_t n = 1; n < 20000; n = n * 3 + 1) {
            int64_t n_out, expected = (n * rates[r][1] + rates[r][0] - 1) / rates[r][0];
            double *out = NULL;

            ASSERT_OK(octave_resample(x, n, rates[r][0], rates[r][1], &out, &n_out, &err), err);
            cr_assert_eq(n_out, expected, "%lld samples from %d Hz", (long long)n, rates[r][0]);
            if (n > 5000)
                ASSERT_CLOSE("middle", out[n_out / 2], 0.5,
                             ((Tolerance){.abs = 1e-3})); /* the filter's ripple, 60 dB */
            mem_free(&out);
        }
    {
        int64_t n_out;
        double *out = NULL;

        ASSERT_FAILS(octave_resample(x, 10, 99999989, 10000, &out, &n_out, &err), RSD_ERR_ARG, err, "too intricate");
        cr_assert_null(out);
    }
}
