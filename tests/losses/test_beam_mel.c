/* test_beam_mel.c - beams hear a plane wave as loud as the sums of Legendre polynomials say, and equal sound as equal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/beam_mel.h"

#include <math.h>

#include "tests/losses/signals.h"
#include "tests/shared.h"

#define LEN 8000

static float x[BEAM_MAX_CHANNELS * LEN], y[BEAM_MAX_CHANNELS * LEN];

static MetricValue value_of(int channels)
{
    static const MetricAids none;
    MetricValue value = {0};
    RsdError err = {0};

    ASSERT_OK(metric_beam_mel(&value, &(MetricChannels){x, y, LEN, LEN, channels, LEN, 16000, &none}, &err), err);
    return value;
}

static double gain(int channels, int k, const double *wave)
{
    double weights[BEAM_MAX_CHANNELS], sum = 0.0;

    beam_weights(weights, channels, k);
    for (int i = 0; i < channels; i++)
        sum += weights[i] * wave[i];
    return sum;
}

/* max-rE weights of the third order as published, and the polynomials up to there. */
static double expected_gain(double t)
{
    static const double w[4] = {1.0, 0.861, 0.612, 0.304};
    const double p[4] = {1.0, t, 0.5 * (3.0 * t * t - 1.0), 0.5 * t * (5.0 * t * t - 3.0)};
    double sum = 0.0, total = 0.0;

    for (int n = 0; n < 4; n++) {
        sum += w[n] * (2 * n + 1) * p[n];
        total += w[n] * (2 * n + 1);
    }
    return sum / total;
}

Test(beam_mel, beams_of_the_third_order_hear_plane_waves_by_their_angle)
{
    const double from_above[16] = {[0] = 1.0, [2] = 1.0, [6] = 1.0, [12] = 1.0};
    const double from_front[16] = {[0] = 1.0, [3] = 1.0, [6] = -0.5, [8] = 0.5 * sqrt(3.0), [13] = -sqrt(0.375),
                                   [15] = sqrt(0.625)};

    for (int k = 0; k < BEAM_DIRECTIONS; k++) {
        double first[4];

        beam_weights(first, 4, k); /* its dipole points where the beam does: ACN 1, 2, 3 are y, z, x */
        {
            const double length = sqrt(first[1] * first[1] + first[2] * first[2] + first[3] * first[3]);

            ASSERT_CLOSE("from above", gain(16, k, from_above), expected_gain(first[2] / length), ((Tolerance){.abs = 1e-3}));
            ASSERT_CLOSE("from the front", gain(16, k, from_front), expected_gain(first[3] / length), ((Tolerance){.abs = 1e-3}));
            ASSERT_CLOSE("towards itself", first[0] + length, 1.0, ((Tolerance){.abs = 1e-12}));
        }
    }
}

Test(beam_mel, equal_sound_has_no_distance_and_a_turned_source_has)
{
    double last = 0.0;

    signal_noise(x, LEN, 1);
    for (int i = 0; i < LEN; i++) {
        for (int c = 1; c < 4; c++)
            x[c * LEN + i] = c == 3 ? x[i] : 0.0f; /* from the front */
    }
    memcpy(y, x, sizeof y);
    cr_assert_eq(value_of(4).value, 0.0);
    for (double turn = 0.2; turn < 1.6; turn += 0.6) {
        MetricValue value;

        for (int i = 0; i < LEN; i++) {
            y[LEN + i] = (float)(sin(turn) * (double)x[i]);
            y[3 * LEN + i] = (float)(cos(turn) * (double)x[i]);
        }
        value = value_of(4);
        cr_assert_eq(value.flags, 0u);
        cr_assert_gt(value.value, last, "turned by %g: %g, by less %g", turn, value.value, last);
        last = value.value;
    }
    cr_assert(value_of(2).flags & METRIC_NOT_APPLICABLE);
}
