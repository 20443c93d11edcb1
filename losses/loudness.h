/* loudness.h - how loud a recording is and how high its peaks are, by ITU-R BS.1770-4; the one door to libebur128.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOUDNESS_H
#define RESIDUA_LOUDNESS_H

#include "losses/audio_metric.h"

typedef struct Loudness {
    double lufs;         /* integrated, gated at -70 LUFS and 10 LU below the mean; minus infinity for silence */
    double true_peak_db; /* dBTP, the largest of all channels, at four times the rate (twice from 96 kHz on) */
} Loudness;

/* x planar, channel c at c * stride, [n] each. Shorter than 0.4 s: followed by silence up to 0.5 s. Channels count as
 * libebur128 orders them: left, right, centre, LFE (left out), surrounds (1.41); 4 channels are two of each.
 * Errors: RSD_ERR_ARG (1 to 64 channels, 16 Hz to 2.8 MHz), RSD_ERR_MEMORY. [audio.md 8.10] */
RsdStatus loudness_measure(Loudness *out, const float *x, size_t stride, int channels, int64_t n, int rate_hz,
                           RsdError *err);

/* That of the distorted signal less that of the reference. Two silent signals: 0; one of them: infinite. */
RsdStatus metric_loudness(MetricValue *out, const MetricChannels *signals, RsdError *err);
RsdStatus metric_true_peak(MetricValue *out, const MetricChannels *signals, RsdError *err);

#endif
