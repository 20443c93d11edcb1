/* snr.h - ratios of signal and error energy in dB: SNR, scale-invariant SDR, segmental SNR.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SNR_H
#define RESIDUA_SNR_H

#include "losses/audio_metric.h"

/* 10 log10(sum x^2 / sum (x - y)^2), x the reference. Equal signals: infinity and METRIC_IDENTICAL; a silent reference
 * beside something else: minus infinity and METRIC_SILENT_REFERENCE. Errors: none. [audio.md 8.1] */
RsdStatus metric_snr(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* Means removed, a = <y, x> / (|x|^2 + e), 10 log10(|a x|^2 / (|y - a x|^2 + e)), e = 1e-8: finite for equal signals.
 * Silent reference, or nothing in common: minus infinity. Errors: none. [audio.md 8.1; Le Roux et al., SDR - half-baked
 * or well done?, 2019] */
RsdStatus metric_si_sdr(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* Mean over frames of 30 ms every 7.5 ms (periodic Hann window) of the frame's SNR, limited to -10..35 dB; frames
 * whose reference lies 60 dB under the loudest are left out. Shorter than a frame: one frame, METRIC_TOO_SHORT. Silent
 * reference: -10 dB. Errors: RSD_ERR_MEMORY. [audio.md 8.1] */
RsdStatus metric_segmental_snr(MetricValue *out, const MetricSignals *signals, RsdError *err);

#endif
