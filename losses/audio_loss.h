/* audio_loss.h - every audio loss behind one interface: by name, from a config, with the gradient through the tape.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_LOSS_H
#define RESIDUA_AUDIO_LOSS_H

#include "engine/tape.h"

typedef struct AudioLoss AudioLoss; /* windows, filter banks and FFT plans of one loss */

/* name: "l1", "mse", "mel_dac" (audio.md 2.5), "msspec" (1.7), "mrstft" (4.1), "stft_dac" (8.3), "cstft" (7.5, complex
 * compressed STFT), "sisdr", ... Scales whose window is longer than max_window_samples are left out (0: keep all).
 * Errors: RSD_ERR_ARG listing the known names, RSD_ERR_MEMORY. */
RsdStatus audio_loss_create(AudioLoss **out, const char *name, int rate_hz, int max_window_samples, RsdError *err);
void audio_loss_destroy(AudioLoss **loss);

/* estimate and target [batch, channels, n] -> value, one element; gradients flow to the estimate only. */
RsdStatus audio_loss_apply(Tape *tape, AudioLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                           RsdError *err);

/* i-th known name, NULL past the end; a sentence that explains it. */
const char *audio_loss_name(size_t i);
const char *audio_loss_summary(const char *name);

#endif
