/* test_audio_metric.c - SNR, SI-SDR, segmental SNR, mel distance, LSD and the table: closed forms, published numbers,
 * edges.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/audio_metric.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/tape.h"
#include "losses/audio_loss.h"
#include "losses/lsd.h"
#include "losses/mel_distance.h"
#include "losses/snr.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define MAX_LEN 50000

static float x[MAX_LEN], y[MAX_LEN];

static MetricValue value_of(const char *name, int64_t n, int rate_hz)
{
    const AudioMetric *metric = audio_metric_find(name);
    MetricValue value;
    RsdError err = {0};

    cr_assert_not_null(metric, "no metric '%s'", name);
    ASSERT_OK(audio_metric_apply(&value, metric, x, MAX_LEN, y, MAX_LEN, 1, n, rate_hz, &err), err);
    return value;
}

Test(audio_metric, snr_of_a_scaled_copy_has_a_closed_form)
{
    signal_noise(x, 10000, 1);
    for (int i = 0; i < 10000; i++)
        y[i] = 0.75f * x[i]; /* exact: x has 16 bits */
    ASSERT_CLOSE("SNR", value_of("snr", 10000, 16000).value, 20 * log10(4), ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("segmental SNR", value_of("segsnr", 10000, 16000).value, 20 * log10(4), ((Tolerance){.abs = 1e-9}));
}

Test(audio_metric, si_sdr_ignores_level_and_offset)
{
    double plain;

    signal_noise(x, 10000, 1);
    signal_disturb(y, x, 10000, 2, 0.125f);
    plain = value_of("sisdr", 10000, 16000).value;
    cr_assert(plain > 17.9 && plain < 18.2, "SI-SDR %f, expected about 20 log10(8) = 18.06", plain);
    for (int i = 0; i < 10000; i++)
        y[i] = 0.5f * y[i] + 0.25f;
    ASSERT_CLOSE("scaled", value_of("sisdr", 10000, 16000).value, plain, ((Tolerance){.abs = 1e-4}));
}

Test(audio_metric, si_sdr_of_an_orthogonal_error_has_a_closed_form)
{
    /* four-sample patterns without a mean: (1 1 -1 -1) and (1 -1 -1 1) are orthogonal */
    for (int i = 0; i < 1000; i++) {
        x[i] = i % 4 < 2 ? 1 : -1;
        y[i] = x[i] + 0.1f * (i % 4 == 0 || i % 4 == 3 ? 1.0f : -1.0f);
    }
    ASSERT_CLOSE("SI-SDR", value_of("sisdr", 1000, 16000).value, 20, ((Tolerance){.abs = 1e-5}));
}

Test(audio_metric, segmental_snr_is_limited_and_skips_silence)
{
    /* 1 s of noise without error, 1 s of silence with an error that would count -10 dB */
    memset(x, 0, sizeof x);
    signal_noise(x, 16000, 3);
    memcpy(y, x, sizeof x);
    for (int i = 16480; i < 32000; i++)
        y[i] = 0.5f;
    ASSERT_CLOSE("segmental SNR", value_of("segsnr", 32000, 16000).value, 35, ((Tolerance){.abs = 1e-12}));
    for (int i = 0; i < 16000; i++)
        y[i] = 20 * x[i];
    ASSERT_CLOSE("segmental SNR", value_of("segsnr", 16000, 16000).value, -10, ((Tolerance){.abs = 1e-12}));
}

Test(audio_metric, all_are_best_for_equal_signals_and_fall_with_noise)
{
    const AudioMetric *metric;

    signal_speech_like(x, 32000, 16000, 4);
    for (size_t i = 0; (metric = audio_metric_at(i)) != NULL; i++) {
        double sign = metric->better == METRIC_HIGHER ? 1 : -1, last;
        MetricValue value;

        memcpy(y, x, sizeof x);
        value = value_of(metric->name, 32000, 16000);
        last = value.value;
        if (value.flags & METRIC_NOT_APPLICABLE)
            continue;
        if (metric->better != METRIC_HIGHER)
            cr_assert_eq(last, 0, "%s of equal signals is %g", metric->name, last);
        for (float level = 0.001f; level < 1; level *= 4) {
            signal_disturb(y, x, 32000, 5, level);
            value = value_of(metric->name, 32000, 16000);
            if (metric->better == METRIC_NEAR_ZERO)
                value.value = fabs(value.value);
            cr_assert_gt(sign * last, sign * value.value, "%s: %g at noise %g, %g with less", metric->name, value.value,
                         (double)level, last);
            cr_assert_eq(value.flags, 0u, "%s: flags %u", metric->name, value.flags);
            last = value.value;
        }
    }
}

Test(audio_metric, all_give_numbers_for_silence_and_single_samples)
{
    static const int lengths[] = {1, 2, 3, 17, 1024, 1025, 5000};
    const AudioMetric *metric;

    for (size_t i = 0; (metric = audio_metric_at(i)) != NULL; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++)
            for (int filled = 0; filled < 4; filled++) {
                double value;

                memset(x, 0, sizeof x);
                memset(y, 0, sizeof y);
                if (filled & 1)
                    signal_noise(x, lengths[k], 6);
                if (filled & 2)
                    signal_noise(y, lengths[k], 7);
                value = value_of(metric->name, lengths[k], 16000).value;
                cr_assert(!isnan(value), "%s of %d samples, case %d, is not a number", metric->name, lengths[k],
                          filled);
                if (metric->better == METRIC_LOWER)
                    cr_assert(isfinite(value) && value >= 0, "%s of %d samples, case %d: %g", metric->name, lengths[k],
                              filled, value);
            }
}

Test(audio_metric, flags_say_why_a_value_is_special)
{
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    cr_assert_eq(value_of("snr", 100, 16000).flags, (unsigned)(METRIC_SILENT_REFERENCE | METRIC_IDENTICAL));
    y[5] = 1;
    cr_assert_eq(value_of("snr", 100, 16000).flags, (unsigned)METRIC_SILENT_REFERENCE);
    cr_assert_eq(value_of("snr", 100, 16000).value, (double)-INFINITY);
    x[5] = 1;
    cr_assert_eq(value_of("snr", 100, 16000).flags, (unsigned)METRIC_IDENTICAL);
    cr_assert_eq(value_of("snr", 100, 16000).value, (double)INFINITY);
    cr_assert_eq(value_of("mel", 1024, 16000).flags, (unsigned)METRIC_TOO_SHORT);
    cr_assert_eq(value_of("mel", 1025, 16000).flags, 0u);
    cr_assert_eq(value_of("lsd", 1024, 16000).flags, (unsigned)METRIC_TOO_SHORT);
    cr_assert_eq(value_of("segsnr", 479, 16000).flags, (unsigned)METRIC_TOO_SHORT);
    cr_assert_eq(value_of("segsnr", 480, 16000).flags, 0u);
}

Test(audio_metric, mean_over_channels_and_bad_input)
{
    const AudioMetric *snr = audio_metric_find("snr");
    MetricValue value;
    RsdError err = {0};

    for (int i = 0; i < 100; i++) {
        x[i] = x[100 + i] = 1;
        y[i] = 0.9f;       /* 20 dB */
        y[200 + i] = 0.5f; /* 6.02 dB; y has another stride */
    }
    ASSERT_OK(audio_metric_apply(&value, snr, x, 100, y, 200, 2, 100, 16000, &err), err);
    ASSERT_CLOSE("mean", value.value, (20 + 20 * log10(2)) / 2, ((Tolerance){.abs = 1e-5}));
    y[205] = NAN;
    ASSERT_FAILS(audio_metric_apply(&value, snr, x, 100, y, 200, 2, 100, 16000, &err), RSD_ERR_NUMERIC, err,
                 "sample 5 of channel 2 of the distorted signal is not a number");
    ASSERT_FAILS(audio_metric_apply(&value, snr, x, 100, y, 200, 2, 0, 16000, &err), RSD_ERR_ARG, err, "0 samples");
    cr_assert_null(audio_metric_find("pesq"));
}

Test(audio_metric, a_silent_channel_takes_none_of_the_others_out_of_the_mean)
{
    const AudioMetric *snr = audio_metric_find("snr");
    MetricValue value;
    RsdError err = {0};

    for (int i = 0; i < 100; i++) {
        x[i] = 1;
        y[i] = 0.9f; /* 20 dB; the second channel is silent in both */
        x[100 + i] = y[100 + i] = 0;
    }
    ASSERT_OK(audio_metric_apply(&value, snr, x, 100, y, 100, 2, 100, 16000, &err), err);
    ASSERT_CLOSE("the loud one", value.value, 20, ((Tolerance){.abs = 1e-5}));
    cr_assert_eq(value.flags, 0u);
    ASSERT_OK(audio_metric_apply(&value, snr, x + 100, 50, y + 100, 50, 2, 50, 16000, &err), err);
    cr_assert_eq(value.flags, (unsigned)(METRIC_SILENT_REFERENCE | METRIC_IDENTICAL), "both silent: %u", value.flags);
}

Test(audio_metric, mel_distance_is_the_published_dac_mel_loss)
{
    SharedPath path;
    Npy estimate, target;
    json_t *values;
    double sum = 0, expected;
    RsdError err = {0};

    NEED_SHARED("golden/losses_audio/plain");
    npy_load(&estimate, shared_path(&path, "golden/losses_audio/plain/x.npy"));
    npy_load(&target, shared_path(&path, "golden/losses_audio/plain/y.npy"));
    values = json_file_load(shared_path(&path, "golden/losses_audio/plain/values.json"));
    expected = json_number_at(values, "dac_mel/value");
    for (int b = 0; b < 2; b++) {
        int64_t n = estimate.shape[2];
        MetricSignals signals = {target.f32 + b * n, estimate.f32 + b * n, n, 24000};
        MetricValue value;

        ASSERT_OK(metric_mel_distance(&value, &signals, &err), err);
        sum += value.value / 2;
    }
    ASSERT_CLOSE("mel distance", sum, expected, ((Tolerance){.rel = 2e-4}));
    json_decref(values);
    npy_free(&estimate);
    npy_free(&target);
}

Test(audio_metric, lsd_of_a_scaled_copy_is_the_scale)
{
    /* power falls by 10^-0.5 in every bin, as long as no bin meets the floor */
    signal_noise(x, 20000, 8);
    for (int i = 0; i < 20000; i++)
        y[i] = (float)(x[i] * pow(10, -0.25));
    ASSERT_CLOSE("LSD", value_of("lsd", 20000, 16000).value, 0.5, ((Tolerance){.abs = 1e-5}));
}

Test(audio_metric, a_failed_allocation_is_a_clean_error)
{
    const AudioMetric *metric;
    RsdError err = {0};

    signal_speech_like(x, 8000, 16000, 4);
    signal_disturb(y, x, 8000, 5, 0.1f);
    for (size_t i = 0; (metric = audio_metric_at(i)) != NULL; i++)
        for (int k = 0; k < 200; k++) {
            MetricValue value;
            RsdStatus status;

            mem_fail_after(k);
            status = audio_metric_apply(&value, metric, x, 0, y, 0, 1, 8000, 16000, &err);
            mem_fail_after(-1);
            if (status == RSD_OK)
                break;
            cr_assert_eq(status, RSD_ERR_MEMORY, "%s, allocation %d: %s", metric->name, k, err.text);
        }
}

/* The metric and the loss of the same definition, in double and in float. */
static void assert_same_as_loss(const char *metric, const char *loss_name)
{
    const int64_t n = 9001;
    RsdThreads *threads = NULL;
    Tape *tape = NULL;
    AudioLoss *loss = NULL;
    Tensor *estimate, *target, *value;
    RsdError err = {0};

    signal_speech_like(x, n, 16000, 21);
    signal_disturb(y, x, n, 22, 0.02f);
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(audio_loss_create(&loss, loss_name, 16000, 0, &err), err);
    ASSERT_OK(tape_input(tape, &estimate, 3, (int64_t[]){1, 1, n}, y, &err), err);
    ASSERT_OK(tape_input(tape, &target, 3, (int64_t[]){1, 1, n}, x, &err), err);
    ASSERT_OK(audio_loss_apply(tape, loss, estimate, target, &value, &err), err);
    ASSERT_CLOSE(metric, value_of(metric, n, 16000).value, value->data[0], ((Tolerance){.rel = 2e-5}));
    audio_loss_destroy(&loss);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

Test(audio_metric, those_that_are_losses_too_have_the_same_value)
{
    assert_same_as_loss("l1", "l1");
    assert_same_as_loss("mel", "mel_dac");
    assert_same_as_loss("stft", "stft_dac");
    assert_same_as_loss("mrstft", "mrstft");
}

Test(audio_metric, single_channels_are_told_beside_the_mean)
{
    static const MetricAids none;
    MetricChannels both = {x, y, 1000, 1000, 2, 1000, 16000, &none};
    MetricValue mean, each[2];
    RsdError err = {0};

    signal_noise(x, 2000, 23);
    for (int i = 0; i < 2000; i++)
        y[i] = i < 1000 ? 0.75f * x[i] : 0.5f * x[i];
    ASSERT_OK(audio_metric_measure(&mean, each, audio_metric_find("level"), &both, &err), err);
    ASSERT_CLOSE("left", each[0].value, 20 * log10(0.75), ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("right", each[1].value, 20 * log10(0.5), ((Tolerance){.abs = 1e-9}));
    ASSERT_CLOSE("mean", mean.value, (each[0].value + each[1].value) / 2, ((Tolerance){.abs = 1e-12}));
    ASSERT_OK(audio_metric_measure(&mean, each, audio_metric_find("loudness"), &both, &err), err);
    cr_assert_eq(each[1].flags, (unsigned)METRIC_NOT_APPLICABLE);
}
