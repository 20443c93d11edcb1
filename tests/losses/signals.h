/* signals.h - test signals made by integer arithmetic, the same as in stoi_reference.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_LOSSES_SIGNALS_H
#define RESIDUA_TESTS_LOSSES_SIGNALS_H

#include <stdint.h>

/* x [n] in [-1, 1): white noise. */
void signal_noise(float *x, int64_t n, uint32_t seed);
/* x [n]: noise with syllables and pauses. */
void signal_speech_like(float *x, int64_t n, int rate_hz, uint32_t seed);
/* y [n] = x + level * noise. */
void signal_disturb(float *y, const float *x, int64_t n, uint32_t seed, float level);

#endif
