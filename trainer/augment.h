/* augment.h - what is done to a training crop so that the model meets more than the recordings hold.
 *
 * All functions work in place on mono float samples and draw their numbers from the given generator, so that a crop
 * depends only on (seed, step, sample).
 *
 * [1] audio.md 7.5, data rules.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUGMENT_H
#define RESIDUA_AUGMENT_H

#include <stddef.h>

#include "engine/base/rng.h"

typedef struct AugmentConfig {
    float level_low_db,
        level_high_db;     /* the crop's active level is moved to a random place in this range (dB of full scale) */
    float max_gain_db;     /* but never amplified by more, so that room noise stays room noise */
    float mix_probability; /* a second crop is added, mix_low_db to 0 dB below the first */
    float mix_low_db;
    float polarity_probability; /* sign flipped */
    float phase_probability;    /* two first-order all-pass filters with random corners */
    float tilt_db;              /* treble against bass, +- this much about 1 kHz; 0 is off */
    float dither_db;            /* white noise of this level, so that silence is never all zeros; below -140 is off */
} AugmentConfig;

/* Root mean square in dB over the 20 ms frames that are within 40 dB of the loudest one; -200 for silence. */
float augment_active_level_db(const float *x, size_t n, int rate_hz);

/* Adds `other` [n] to x [n] at a random level below it. */
void augment_mix(float *x, const float *other, size_t n, int rate_hz, const AugmentConfig *cfg, Rng *rng);
/* Tilt, phase, polarity, level, dither, in this order; the peak stays below 1. */
void augment_crop(float *x, size_t n, int rate_hz, const AugmentConfig *cfg, Rng *rng);

#endif
