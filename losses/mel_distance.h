/* mel_distance.h - multi-scale mel distance, the figure DAC's evaluation calls mel distance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MEL_DISTANCE_H
#define RESIDUA_MEL_DISTANCE_H

#include "losses/audio_metric.h"

/* Sum over windows of 32, 64 .. 2048 samples (5, 10 .. 320 mel bands, hop a quarter) of the mean over bands and frames
 * of |log10 max(M, 1e-5) - log10 max(M', 1e-5)|, M the magnitude spectrum times Slaney mel filters from 0 Hz to half
 * the rate. Taken at the signals' own rate: values at different rates cannot be compared. Shorter than 1025 samples:
 * zeros behind, METRIC_TOO_SHORT. Errors: RSD_ERR_MEMORY. [audio.md 8.2, 2.5; Kumar et al., 2023] */
RsdStatus metric_mel_distance(MetricValue *out, const MetricSignals *signals, RsdError *err);

#endif
