/* stoi.h - short-time objective intelligibility, plain and extended.
 *
 * Both signals are brought to 10 kHz, frames without speech in the reference are cut out, and envelopes of 15
 * third-octave bands are correlated in windows of 384 ms. For speech; 1 is perfect.
 *
 * [1] Taal et al., An algorithm for intelligibility prediction of time-frequency weighted noisy speech, 2011.
 * [2] Jensen, Taal, An algorithm for predicting the intelligibility of speech masked by modulated noise maskers, 2016.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STOI_H
#define RESIDUA_STOI_H

#include "losses/audio_metric.h"

/* Less than 30 frames (0.4 s) of speech: 1e-5 and METRIC_TOO_SHORT; a silent reference has no speech: METRIC_SILENT_REFERENCE.
 * Same values as tests/losses/stoi_reference.py to
 * 1e-6. Errors: RSD_ERR_MEMORY. [audio.md 8.6] */
RsdStatus metric_stoi(MetricValue *out, const MetricSignals *signals, RsdError *err);
RsdStatus metric_estoi(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* STOI of each band alone; their mean is metric_stoi. Flags and errors as there. */
#define STOI_N_BANDS 15
RsdStatus metric_stoi_bands(MetricValue bands[STOI_N_BANDS], const MetricSignals *signals, RsdError *err);
/* Centre of band k: 150 Hz times 2^(k / 3). */
double stoi_band_hz(int k);

#endif
