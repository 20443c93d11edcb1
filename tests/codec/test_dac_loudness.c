/* test_dac_loudness.c - the loudness of .dac files: blocks and gates against the golden files, the weighting against BS.1770's
 * reference tone and libebur128.
 *
 * The Python tool that made golden/dac measured without the K-weighting (its number is reproduced to the last float with the
 * weighting left out, and by no weighting of pyloudnorm's, nor by libebur128); what residua writes has it, as the published tool.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_loudness.h"
#include "losses/loudness.h"
#include "tests/shared.h"

#include <math.h>

static RsdError err;

static double measure(const float *x, int channels, int64_t n, int rate_hz, bool weighted, int64_t block)
{
    DacLoudness *loudness;
    double db;

    ASSERT_OK(dac_loudness_create(&loudness, channels, rate_hz, weighted, &err), err);
    for (int64_t at = 0; at < n; at += block)
        ASSERT_OK(dac_loudness_add(loudness, x + at * channels, n - at < block ? n - at : block, &err), err);
    ASSERT_OK(dac_loudness_finish(loudness, &db, &err), err);
    dac_loudness_destroy(&loudness);
    return db;
}

Test(dac_loudness, blocks_and_gates_are_those_of_the_golden_files_to_float_rounding)
{
    SharedPath path;
    json_t *metadata;
    Npy x;

    NEED_SHARED("golden/dac/dac44/dacfile");
    npy_load(&x, shared_path(&path, "golden/dac/dac44/input.npy"));
    metadata = json_file_load(shared_path(&path, "golden/dac/dac44/dacfile/whole.json"));
    ASSERT_CLOSE("input_db", measure(x.f32, 1, x.count, 44100, false, 1000), json_number_at(metadata, "input_db"),
                 ((Tolerance){.abs = 1e-6}));
    json_decref(metadata);
    npy_free(&x);
}

static float *tone(int64_t n, int rate_hz, double hz, double level)
{
    float *x = malloc((size_t)n * sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(level * sin(2.0 * M_PI * hz * (double)i / rate_hz));
    return x;
}

Test(dac_loudness, the_reference_tone_has_its_level_at_every_rate)
{
    const int rates[] = {16000, 24000, 44100, 48000};

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        float *x = tone(5 * rates[i], rates[i], 997.0, 1.0);

        /* BS.1770: -3.01 with the filters of its tables. */
        ASSERT_CLOSE("tone", measure(x, 1, 4 * rates[i], rates[i], true, 4096), -3.01, ((Tolerance){.abs = 0.08}));
        free(x);
    }
}

Test(dac_loudness, is_near_libebur128_and_gates_silence)
{
    const int rate = 48000;
    const int64_t n = 10 * rate;
    float *x = tone(n, rate, 200.0, 0.1);
    Loudness reference;

    for (int64_t i = 0; i < n; i++)
        x[i] *= i / rate % 3 == 0 ? 1e-4f : 1.0f + 0.5f * sinf(0.0001f * (float)i);
    ASSERT_OK(loudness_measure(&reference, x, (size_t)n, 1, n, rate, &err), err);
    ASSERT_CLOSE("against libebur128", measure(x, 1, n, rate, true, 7), reference.lufs, ((Tolerance){.abs = 0.2}));
    free(x);
}

Test(dac_loudness, silence_short_signals_and_blocks_of_any_size)
{
    float *x = tone(44100, 44100, 997.0, 0.5), zeros[100] = {0};
    float *pair = malloc(2 * 44100 * sizeof *pair);

    cr_assert_eq(measure(zeros, 1, 100, 44100, true, 100), DAC_LEAST_LOUDNESS_DB);
    cr_assert_eq(measure(zeros, 1, 0, 44100, true, 100), DAC_LEAST_LOUDNESS_DB);
    cr_assert_eq(measure(x, 1, 44100, 44100, true, 1), measure(x, 1, 44100, 44100, true, 44100));
    /* A fifth of a second, then silence up to half a one: two blocks with it, one without. */
    ASSERT_CLOSE("short", measure(x, 1, 8820, 44100, true, 999), -3.01 - 6.02 - 3.01 - 1.25, ((Tolerance){.abs = 0.6}));
    for (int i = 0; i < 44100; i++)
        pair[2 * i] = pair[2 * i + 1] = x[i];
    ASSERT_CLOSE("two channels", measure(pair, 2, 44100, 44100, true, 512), measure(x, 1, 44100, 44100, true, 512) + 3.0103,
                 ((Tolerance){.abs = 1e-6}));
    free(pair);
    free(x);
}
