/* power_frames.h - power spectra of a signal's frames in double precision, for metrics.
 *
 * Frame k is centred on sample k * hop; the signal is reflected at both ends without repeating the end samples and
 * weighted with a periodic Hann window, as torch.stft(center=True, pad_mode="reflect") does. A signal too short to be
 * reflected is followed by zeros first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_POWER_FRAMES_H
#define RESIDUA_POWER_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/kernels/spectrum.h"

typedef struct PowerFrames PowerFrames;

/* Frames of win_len samples (even), all of them transformed. One thread at a time. Errors:
 * RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus power_frames_create(PowerFrames **out, int win_len, int hop_len, RsdError *err);
/* The window in the middle of transforms of fft_len >= win_len samples (even), zeros around it; edges are reflected by
 * half of fft_len. */
RsdStatus power_frames_create_padded(PowerFrames **out, int fft_len, int win_len, int hop_len, RsdError *err);
void power_frames_destroy(PowerFrames **frames);

int64_t power_frames_count(const PowerFrames *frames, int64_t n); /* for a signal of n >= 1 samples */
int power_frames_bins(const PowerFrames *frames);                 /* fft_len / 2 + 1 */
/* |X|^2, or with roots |X|, of frames k .. k + n_frames - 1 of x [n], n_frames <= SPECTRUM_LANES, which are columns of power
 * [bins, SPECTRUM_LANES]; the others are zero. power starts on 64 bytes. */
void power_frames_block(PowerFrames *frames, const float *x, int64_t n, int64_t k, int n_frames, bool roots, double *power);
/* power [bins] = |X|^2 of frame k of x [n]. */
void power_frames_get(PowerFrames *frames, const float *x, int64_t n, int64_t k, double *power);

#endif
