/* audio_loss_impl.h - what every audio loss is made of; for the files of the families only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_LOSS_IMPL_H
#define RESIDUA_AUDIO_LOSS_IMPL_H

#include "engine/ops/signal_ratio.h"
#include "engine/ops/spectral_distance.h"
#include "losses/audio_loss.h"

#define LOSS_MAX_SCALES 16

typedef RsdStatus (*AudioLossApply)(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                                    RsdError *err);

struct AudioLoss {
    AudioLossApply apply;
    int n_scales; /* spectral losses; each scale owns its transform and filter bank */
    SpectralScale scales[LOSS_MAX_SCALES];
    Stft *stfts[LOSS_MAX_SCALES];
    MelBank *mels[LOSS_MAX_SCALES];
    SisnrParams sisnr;
    SisdrParams sisdr;
};

RsdStatus audio_loss_alloc(AudioLoss **out, AudioLossApply apply, RsdError *err);

/* Adds a scale with its own plans; mel may be NULL. scale->stft and scale->mel are set here. */
RsdStatus audio_loss_add_scale(AudioLoss *loss, const StftConfig *stft, const MelConfig *mel,
                               const SpectralScale *scale, RsdError *err);

/* The apply of every loss that consists of scales. */
RsdStatus audio_loss_apply_scales(Tape *tape, const AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                                  RsdError *err);

#endif
