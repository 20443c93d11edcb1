/* stft_distance.h - distances of magnitude spectrograms as published evaluations report them.
 *
 * The values of the losses stft_dac and mrstft (losses/stft_loss.h), in double precision.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STFT_DISTANCE_H
#define RESIDUA_STFT_DISTANCE_H

#include "losses/audio_metric.h"

/* Windows of 2048 and 512 samples, hop a quarter; sum of the means of |d log10 max(|X|, 1e-5)^2| and of |d |X||.
 * Shorter than 1025 samples: zeros behind, METRIC_TOO_SHORT. Errors: RSD_ERR_MEMORY. [audio.md 8.3; Kumar et al., 2023] */
RsdStatus metric_stft(MetricValue *out, const MetricSignals *signals, RsdError *err);

/* Transforms of 1024, 2048, 512 samples, windows of 600, 1200, 240, hops of 120, 240, 50; mean over the three of
 * (|| |X| - |Y| || / || |X| || + mean |d ln |X||) / 2 with |X| = sqrt(max(|X|^2, 1e-7)). Shorter than 1025 samples: zeros
 * behind, METRIC_TOO_SHORT. Errors: RSD_ERR_MEMORY. [audio.md 8.4; Yamamoto et al., Parallel WaveGAN, 2020] */
RsdStatus metric_mrstft(MetricValue *out, const MetricSignals *signals, RsdError *err);

#endif
