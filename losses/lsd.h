/* lsd.h - log-spectral distance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LSD_H
#define RESIDUA_LSD_H

#include "losses/audio_metric.h"

/* P = log10(max(|X|^2, 1e-8)) of 2048-sample frames every 512; mean over frames of sqrt(mean over bins (P - P')^2).
 * The unit is the decade of power; times 10 for dB. Shorter than 1025 samples: zeros behind, METRIC_TOO_SHORT.
 * Errors: RSD_ERR_MEMORY. [audio.md 8.5; Mandel et al., AERO, 2023] */
RsdStatus metric_lsd(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* The same over the bins above a quarter of the sampling rate: the half of the spectrum that an input at half the rate, which a
 * network of bandwidth extension starts from, does not have. [audio.md 8.5] */
RsdStatus metric_lsd_hf(MetricValue *out, const MetricSignals *signals, RsdError *err);

#endif
