/* beam_mel.c - mel distance of beams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/beam_mel.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/mel_distance.h"

#define GOLDEN_ANGLE (M_PI * (3.0 - sqrt(5.0)))

static int order_of(int channels)
{
    return channels == 4 ? 1 : channels == 9 ? 2 : channels == 16 ? 3 : 0;
}

/* Real spherical harmonics in ACN order, SN3D, of the direction (x, y, z). */
static void harmonics(double h[BEAM_MAX_CHANNELS], double x, double y, double z)
{
    const double values[BEAM_MAX_CHANNELS] = {
        1.0, y, z, x,
        sqrt(3.0) * x * y, sqrt(3.0) * y * z, 0.5 * (3.0 * z * z - 1.0), sqrt(3.0) * x * z, 0.5 * sqrt(3.0) * (x * x - y * y),
        sqrt(0.625) * y * (3.0 * x * x - y * y), sqrt(15.0) * x * y * z, sqrt(0.375) * y * (5.0 * z * z - 1.0),
        0.5 * z * (5.0 * z * z - 3.0), sqrt(0.375) * x * (5.0 * z * z - 1.0), 0.5 * sqrt(15.0) * z * (x * x - y * y),
        sqrt(0.625) * x * (x * x - 3.0 * y * y)};

    for (int i = 0; i < BEAM_MAX_CHANNELS; i++)
        h[i] = values[i];
}

static double legendre(int n, double t)
{
    return n == 0 ? 1.0 : n == 1 ? t : n == 2 ? 0.5 * (3.0 * t * t - 1.0) : 0.5 * t * (5.0 * t * t - 3.0);
}

void beam_weights(double *weights, int channels, int k)
{
    const int order = order_of(channels);
    const double z = 1.0 - (2.0 * k + 1.0) / BEAM_DIRECTIONS, r = sqrt(1.0 - z * z), turn = k * GOLDEN_ANGLE;
    const double energy = cos(137.9 / (order + 1.51) * M_PI / 180.0);
    double h[BEAM_MAX_CHANNELS], total = 0.0;

    harmonics(h, r * cos(turn), r * sin(turn), z);
    for (int n = 0; n <= order; n++)
        total += (2 * n + 1) * legendre(n, energy);
    for (int n = 0; n <= order; n++)
        for (int i = n * n; i < (n + 1) * (n + 1); i++)
            weights[i] = (2 * n + 1) * legendre(n, energy) * h[i] / total;
}

static void form_beam(float *beam, const float *x, size_t stride, int channels, int64_t n, const double *weights)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;

        for (int c = 0; c < channels; c++)
            sum += weights[c] * (double)x[(size_t)c * stride + (size_t)i];
        beam[i] = (float)sum;
    }
}

RsdStatus metric_beam_mel(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    float *ref = NULL, *dist = NULL;
    double weights[BEAM_MAX_CHANNELS], sum = 0.0;
    RsdStatus status = RSD_OK;

    if (order_of(s->channels) == 0) {
        out->flags |= METRIC_NOT_APPLICABLE;
        return RSD_OK;
    }
    TRY(mem_alloc(&ref, (size_t)s->n, sizeof *ref, err));
    TRY(mem_alloc(&dist, (size_t)s->n, sizeof *dist, err));
    for (int k = 0; k < BEAM_DIRECTIONS; k++) {
        MetricValue one = {0};

        beam_weights(weights, s->channels, k);
        form_beam(ref, s->ref, s->ref_stride, s->channels, s->n, weights);
        form_beam(dist, s->dist, s->dist_stride, s->channels, s->n, weights);
        TRY(metric_mel_distance(&one, &(MetricSignals){ref, dist, s->n, s->rate_hz, s->aids}, err));
        sum += one.value;
        out->flags |= one.flags;
    }
    out->value = sum / BEAM_DIRECTIONS;
fail:
    mem_free(&ref);
    mem_free(&dist);
    return status;
}
