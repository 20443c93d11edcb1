/* dac_loudness.h - the loudness that the DAC tool writes into its files and restores.
 *
 * It is BS.1770's, as Python's pyloudnorm and audiotools compute it, which differs in three things from libebur128
 * (losses/loudness.h) and in some tenths of a decibel from its result: the K-weighting is made of a shelf of 4 dB at 1500 Hz
 * (Q 1/sqrt 2) and a high pass at 38 Hz (Q 1/2) by the Audio EQ Cookbook; the last block of 0.4 s is filled up with silence and
 * counts; signals under 0.5 s get silence up to there first. What is softer than -70 counts as -70.
 *
 * Fed block by block; keeps 80 bytes per second of signal.
 *
 * [1] ITU-R BS.1770-4.   [2] Bristow-Johnson, Audio EQ Cookbook.   [3] audio.md 2.10, 8.10.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_LOUDNESS_H
#define RESIDUA_DAC_LOUDNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

#define DAC_LEAST_LOUDNESS_DB (-70.0)

typedef struct DacLoudness DacLoudness;

/* channels: left, right, centre weigh 1, all further ones 1.41. weighted false leaves the K-weighting out, for tests.
 * Errors: RSD_ERR_ARG (no channel, a rate under 1 kHz), RSD_ERR_MEMORY. One thread at a time. */
RsdStatus dac_loudness_create(DacLoudness **out, int channels, int rate_hz, bool weighted, RsdError *err);
void dac_loudness_destroy(DacLoudness **loudness);
/* x [n, channels], interleaved. Errors: RSD_ERR_MEMORY. */
RsdStatus dac_loudness_add(DacLoudness *loudness, const float *x, int64_t n, RsdError *err);
/* Ends the signal. Errors: RSD_ERR_MEMORY. */
RsdStatus dac_loudness_finish(DacLoudness *loudness, double *db, RsdError *err);

#endif
