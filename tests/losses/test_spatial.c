/* test_spatial.c - panned, delayed and rotated sound: what is known of it comes out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/spatial.h"

#include <math.h>

#include "tests/losses/signals.h"
#include "tests/shared.h"

#define LEN 16000

static float x[16 * LEN], y[16 * LEN], source[2 * LEN];

static SpatialDistance distance(int channels)
{
    static const MetricAids none;
    MetricChannels both = {x, y, LEN, LEN, channels, LEN, 16000, &none};
    SpatialDistance out;
    RsdError err = {0};

    ASSERT_OK(spatial_distance(&out, &both, &err), err);
    return out;
}

/* Two sources, each with its share for each channel. */
static void pan(float *out, int channels, const double *first, const double *second)
{
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < LEN; i++)
            out[c * LEN + i] = (float)(first[c] * source[i] + second[c] * source[LEN + i]);
}

static void assert_all(SpatialDistance d, double level, double coherence, double phase, double tolerance)
{
    ASSERT_CLOSE("level", d.level, level, ((Tolerance){.abs = tolerance}));
    ASSERT_CLOSE("coherence", d.coherence, coherence, ((Tolerance){.abs = tolerance}));
    ASSERT_CLOSE("phase", d.phase, phase, ((Tolerance){.abs = tolerance}));
}

static void make_sources(void)
{
    signal_noise(source, LEN, 1);
    signal_noise(source + LEN, LEN, 2);
}

Test(spatial, equal_and_merely_quieter_signals_have_no_distance)
{
    make_sources();
    pan(x, 2, (const double[]){0.9, 0.3}, (const double[]){0.1, 0.4});
    memcpy(y, x, sizeof x);
    assert_all(distance(2), 0, 0, 0, 1e-9);
    for (int i = 0; i < 2 * LEN; i++)
        y[i] = 0.125f * x[i];
    assert_all(distance(2), 0, 0, 0, 1e-6);
}

Test(spatial, a_panned_source_that_moves_changes_levels_only)
{
    const double none[2] = {0, 0};

    make_sources();
    pan(x, 2, (const double[]){0.8, 0.6}, none);
    pan(y, 2, (const double[]){0.6, 0.8}, none);
    assert_all(distance(2), 0.28, 0, 0, 1e-4); /* 0.64 against 0.36 */
}

Test(spatial, a_flipped_channel_is_out_of_phase_and_independent_ones_are_incoherent)
{
    const double none[2] = {0, 0};

    make_sources();
    pan(x, 2, (const double[]){0.5, 0.5}, none);
    pan(y, 2, (const double[]){0.5, -0.5}, none);
    assert_all(distance(2), 0, 0, 2, 1e-4);
    pan(y, 2, (const double[]){0.5, 0}, (const double[]){0, 0.5});
    cr_assert_gt(distance(2).coherence, 0.5);
    cr_assert_lt(distance(2).coherence, 1);
}

Test(spatial, a_plane_wave_that_turns_has_that_angle)
{
    const double none[4] = {0}, turn = 40 * M_PI / 180;

    make_sources();
    pan(x, 4, (const double[]){1, sin(0.3), 0, cos(0.3)}, none); /* W Y Z X */
    pan(y, 4, (const double[]){1, sin(0.3 + turn), 0, cos(0.3 + turn)}, none);
    ASSERT_CLOSE("angle", distance(4).angle_deg, 40, ((Tolerance){.abs = 1e-3}));
    cr_assert(isnan(distance(2).angle_deg));
}

Test(spatial, silence_and_other_numbers_of_channels)
{
    static const MetricAids none;
    MetricChannels both = {x, y, LEN, LEN, 1, LEN, 16000, &none};
    SpatialDistance d;
    MetricValue value;
    RsdError err = {0};

    memset(x, 0, sizeof x);
    signal_noise(y, 4 * LEN, 3);
    d = distance(4);
    cr_assert(d.silent && d.level == 0 && d.angle_deg == 0);
    ASSERT_OK(metric_spatial_level(&value, &both, &err), err);
    cr_assert_eq(value.flags, (unsigned)METRIC_NOT_APPLICABLE);
    both.channels = 17;
    ASSERT_OK(metric_spatial_phase(&value, &both, &err), err);
    cr_assert_eq(value.flags, (unsigned)METRIC_NOT_APPLICABLE);
    ASSERT_FAILS(spatial_distance(&d, &both, &err), RSD_ERR_ARG, err, "17 channels");
    both.channels = 2;
    both.n = 1;
    ASSERT_OK(metric_spatial_level(&value, &both, &err), err);
    ASSERT_OK(metric_spatial_angle(&value, &both, &err), err);
    cr_assert_eq(value.flags, (unsigned)METRIC_NOT_APPLICABLE);
}
