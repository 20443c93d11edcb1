/* waveform_loss.h - distances of signals as they are: absolute, squared, and ratios of signal to noise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_WAVEFORM_LOSS_H
#define RESIDUA_WAVEFORM_LOSS_H

#include "engine/ops/signal_ratio.h"
#include "losses/audio_loss.h"

/* Mean |x - y| and mean (x - y)^2. Errors: RSD_ERR_MEMORY. */
RsdStatus l1_loss_create(AudioLoss **out, RsdError *err);
RsdStatus mse_loss_create(AudioLoss **out, RsdError *err);

/* EnCodec's training form: segments of segment_s seconds, every (1 - overlap) of one; audio.md 8.1.
 * Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus sisnr_loss_create(AudioLoss **out, double segment_s, double overlap, int rate_hz, RsdError *err);
RsdStatus sisdr_loss_create(AudioLoss **out, const SisdrParams *p, RsdError *err);

#endif
