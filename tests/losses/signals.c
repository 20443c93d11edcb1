/* signals.c - a linear congruential generator and an envelope.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/losses/signals.h"

#include <math.h>

static double next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 16) / 32768.0 - 1.0;
}

void signal_noise(float *x, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)next(&seed);
}

void signal_speech_like(float *x, int64_t n, int rate_hz, uint32_t seed)
{
    int64_t period = rate_hz / 4;
    double before = next(&seed);

    for (int64_t i = 0; i < n; i++) {
        double phase = (double)(i % period) / (double)period, now = next(&seed);
        double envelope = i / period % 5 == 4 ? 0.0005 : 1 - fabs(2 * phase - 1);

        x[i] = (float)(0.3 * envelope * (now + before));
        before = now;
    }
}

void signal_disturb(float *y, const float *x, int64_t n, uint32_t seed, float level)
{
    for (int64_t i = 0; i < n; i++) {
        float scaled = level * (float)next(&seed);

        y[i] = x[i] + scaled;
    }
}
