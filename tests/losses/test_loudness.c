/* test_loudness.c - loudness and true peak of signals whose values EBU Tech 3341 states.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/loudness.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "tests/shared.h"

#define RATE_HZ 48000
#define LU 0.1 /* tolerance of the standard */

static void add_tone(float *x, int64_t from, int64_t to, double hz, double db, double phase)
{
    for (int64_t i = from; i < to; i++)
        x[i] = (float)(pow(10, db / 20) * sin(2 * M_PI * hz * (double)i / RATE_HZ + phase));
}

/* Stereo, both channels alike. */
static Loudness loudness_of(const float *x, int64_t n)
{
    Loudness out;
    RsdError err = {0};
    float *both = NULL;

    ASSERT_OK(mem_alloc(&both, 2 * (size_t)n, sizeof *both, &err), err);
    memcpy(both, x, (size_t)n * sizeof *x);
    memcpy(both + n, x, (size_t)n * sizeof *x);
    ASSERT_OK(loudness_measure(&out, both, (size_t)n, 2, n, RATE_HZ, &err), err);
    mem_free(&both);
    return out;
}

Test(loudness, tones_have_the_loudness_that_ebu_3341_states)
{
    const int64_t n = 80 * RATE_HZ;
    float *x = NULL;
    RsdError err = {0};

    ASSERT_OK(mem_calloc(&x, (size_t)n, sizeof *x, &err), err);
    add_tone(x, 0, 20 * RATE_HZ, 1000, -23, 0);
    ASSERT_CLOSE("case 1", loudness_of(x, 20 * RATE_HZ).lufs, -23, ((Tolerance){.abs = LU}));
    add_tone(x, 0, 20 * RATE_HZ, 1000, -33, 0);
    ASSERT_CLOSE("case 2", loudness_of(x, 20 * RATE_HZ).lufs, -33, ((Tolerance){.abs = LU}));
    add_tone(x, 0, 10 * RATE_HZ, 1000, -36, 0);
    add_tone(x, 10 * RATE_HZ, 70 * RATE_HZ, 1000, -23, 0);
    add_tone(x, 70 * RATE_HZ, n, 1000, -36, 0);
    ASSERT_CLOSE("case 3", loudness_of(x, n).lufs, -23, ((Tolerance){.abs = LU}));
    mem_free(&x);
}

Test(loudness, true_peak_lies_between_samples)
{
    float x[RATE_HZ];

    add_tone(x, 0, RATE_HZ, RATE_HZ / 4.0, 20 * log10(0.5), M_PI / 4); /* case 16: samples reach -9 dBFS */
    ASSERT_CLOSE("true peak", loudness_of(x, RATE_HZ).true_peak_db, -6, ((Tolerance){.abs = 0.4}));
}

Test(loudness, silence_and_short_signals_have_a_value)
{
    static float x[RATE_HZ];
    Loudness quiet = loudness_of(x, RATE_HZ), tone, brief;

    cr_assert_eq(quiet.lufs, (double)-INFINITY);
    cr_assert_eq(quiet.true_peak_db, (double)-INFINITY);
    add_tone(x, 0, RATE_HZ, 1000, -20, 0);
    tone = loudness_of(x, RATE_HZ);
    brief = loudness_of(x, RATE_HZ / 10);
    cr_assert(isfinite(brief.lufs) && brief.lufs < tone.lufs, "%g of 0.1 s, %g of 1 s", brief.lufs, tone.lufs);
    cr_assert(isfinite(loudness_of(x, 1).true_peak_db) || loudness_of(x, 1).true_peak_db == -INFINITY);
}

Test(loudness, more_channels_than_there_can_be_are_refused)
{
    float x = 0;
    Loudness out;
    RsdError err = {0};

    ASSERT_FAILS(loudness_measure(&out, &x, 0, 65, 1, RATE_HZ, &err), RSD_ERR_ARG, err, "65 channels");
}
