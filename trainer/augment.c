/* augment.c - level, mixing, phase and tilt of training crops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/augment.h"

#include <math.h>
#include <string.h>

#define FRAME_S 0.02
#define ACTIVE_RANGE_DB 40.0
#define SILENCE_DB (-200.0f)
#define TILT_HZ 1000.0    /* pivot: bass below, treble above */
#define PHASE_LOW_HZ 80.0 /* corners of the all-pass filters are drawn between these */
#define PHASE_HIGH_HZ 3000.0
#define PEAK_MAX 0.99f
#define DITHER_OFF_DB (-140.0f)
#define PI 3.14159265358979323846

static double db_to_factor(double db)
{
    return pow(10.0, db / 20.0);
}

static double frame_energy(const float *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

float augment_active_level_db(const float *x, size_t n, int rate_hz)
{
    size_t frame_len = (size_t)(FRAME_S * rate_hz);
    double loudest = 0.0, sum = 0.0;
    size_t count = 0;

    if (frame_len < 1)
        frame_len = 1;
    if (frame_len > n)
        frame_len = n;
    for (size_t i = 0; i + frame_len <= n && n; i += frame_len)
        loudest = fmax(loudest, frame_energy(x + i, frame_len));
    if (loudest <= 0.0)
        return SILENCE_DB;
    for (size_t i = 0; i + frame_len <= n; i += frame_len) {
        double energy = frame_energy(x + i, frame_len);

        if (energy >= loudest * pow(10.0, -ACTIVE_RANGE_DB / 10.0)) {
            sum += energy;
            count += frame_len;
        }
    }
    return (float)fmax(10.0 * log10(sum / (double)count), (double)SILENCE_DB);
}

void augment_mix(float *x, const float *other, size_t n, int rate_hz, const AugmentConfig *cfg, Rng *rng)
{
    float below_db = rng_between(rng, cfg->mix_low_db, 0.0f);
    float gap_db = augment_active_level_db(x, n, rate_hz) - augment_active_level_db(other, n, rate_hz);
    float gain;

    if (gap_db > cfg->max_gain_db)
        gap_db = cfg->max_gain_db;
    gain = (float)db_to_factor((double)(gap_db + below_db));
    for (size_t i = 0; i < n; i++)
        x[i] += gain * other[i];
}

/* Splits at the pivot with a one-pole low-pass and weighs the halves: +t/2 dB above, -t/2 dB below. */
static void tilt(float *x, size_t n, int rate_hz, double tilt_db)
{
    float a = (float)(1.0 - exp(-2.0 * PI * TILT_HZ / rate_hz)), low = 0.0f;
    float treble = (float)db_to_factor(tilt_db / 2.0), bass = (float)db_to_factor(-tilt_db / 2.0);

    for (size_t i = 0; i < n; i++) {
        low += a * (x[i] - low);
        x[i] = treble * (x[i] - low) + bass * low;
    }
}

/* H(z) = (c + z^-1) / (1 + c z^-1): magnitude one everywhere, phase -90 degrees at the corner. */
static void all_pass(float *x, size_t n, int rate_hz, double corner_hz)
{
    double t = tan(PI * fmin(corner_hz / rate_hz, 0.49));
    float c = (float)((t - 1.0) / (t + 1.0)), x1 = 0.0f, y1 = 0.0f;

    for (size_t i = 0; i < n; i++) {
        float y = c * (x[i] - y1) + x1;

        x1 = x[i];
        y1 = y;
        x[i] = y;
    }
}

static void set_level(float *x, size_t n, int rate_hz, float target_db, float max_gain_db)
{
    float level_db = augment_active_level_db(x, n, rate_hz), peak = 0.0f, gain;

    if (level_db <= SILENCE_DB)
        return;
    gain = (float)db_to_factor((double)fminf(target_db - level_db, max_gain_db));
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    if (gain * peak > PEAK_MAX)
        gain = PEAK_MAX / peak;
    for (size_t i = 0; i < n; i++)
        x[i] *= gain;
}

void augment_crop(float *x, size_t n, int rate_hz, const AugmentConfig *cfg, Rng *rng)
{
    /* Every draw happens in every crop, so that switching one treatment off leaves the others as they were. */
    float tilt_db = rng_between(rng, -cfg->tilt_db, cfg->tilt_db);
    float phase = rng_uniform(rng), polarity = rng_uniform(rng);
    float corner1 = rng_uniform(rng), corner2 = rng_uniform(rng);
    float level_db = rng_between(rng, cfg->level_low_db, cfg->level_high_db);

    if (cfg->tilt_db > 0.0f)
        tilt(x, n, rate_hz, (double)tilt_db);
    if (phase < cfg->phase_probability) {
        all_pass(x, n, rate_hz, PHASE_LOW_HZ * pow(PHASE_HIGH_HZ / PHASE_LOW_HZ, (double)corner1));
        all_pass(x, n, rate_hz, PHASE_LOW_HZ * pow(PHASE_HIGH_HZ / PHASE_LOW_HZ, (double)corner2));
    }
    if (polarity < cfg->polarity_probability)
        for (size_t i = 0; i < n; i++)
            x[i] = -x[i];
    set_level(x, n, rate_hz, level_db, cfg->max_gain_db);
    if (cfg->dither_db >= DITHER_OFF_DB) {
        float amplitude = (float)(db_to_factor((double)cfg->dither_db) * sqrt(3.0)); /* of a uniform of variance 1 */

        for (size_t i = 0; i < n; i++)
            x[i] += amplitude * (2.0f * rng_uniform(rng) - 1.0f);
    }
}
