/* beam_mel.h - mel distance of beams over the sphere: how Ambisonics of any order sounds in every direction.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BEAM_MEL_H
#define RESIDUA_BEAM_MEL_H

#include "losses/audio_metric.h"

#define BEAM_DIRECTIONS 24
#define BEAM_MAX_CHANNELS 16 /* third order */

/* weights [channels] of the beam in direction k of 24 on a spherical Fibonacci grid, for channels in ACN order with SN3D: orders n
 * weigh P_n(cos(137.9 deg / (N + 1.51))) (2 n + 1) (max-rE), scaled so that a plane wave from there comes out as it is.
 * channels: 4, 9 or 16. */
void beam_weights(double *weights, int channels, int k);

/* Mean over the beams of the distance of losses/mel_distance.h. METRIC_NOT_APPLICABLE for other numbers of channels.
 * Errors: RSD_ERR_MEMORY. [audio.md 3.3, 3] */
RsdStatus metric_beam_mel(MetricValue *out, const MetricChannels *signals, RsdError *err);

#endif
