/* stft.h - short-time Fourier transform and its inverse as differentiable ops.
 *
 * A complex spectrogram is a tensor [rows, 2, bins, frames]: real plane, imaginary plane, frames fastest. Seen as
 * [rows, 2 bins, frames] it is what a convolution over time takes. rows = batch x channels.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_STFT_H
#define RESIDUA_OPS_STFT_H

#include "engine/dsp/stft.h"
#include "engine/tape.h"

/* x [.., n] -> y [rows, 2, bins, stft_frames(n)]. The plan is borrowed until the tape is reset.
 * Errors: RSD_ERR_ARG naming the shape (also when n is too short for one frame), RSD_ERR_MEMORY. */
RsdStatus op_stft(Tape *tape, const Stft *stft, Tensor *x, Tensor **y, RsdError *err);

/* s [rows, 2, bins, frames] -> y [rows, 1, n]: windowed inverse transforms added up and divided by the sum of the
 * squared windows (audio.md 6.3). n must be a length whose transform has that many frames; 0 picks the longest for
 * which all samples are covered: frames hop (STFT_PAD_SAME), (frames - 1) hop (STFT_PAD_CENTRE, at least one sample is
 * needed), (frames - 1) hop + n_fft (STFT_PAD_NONE). Samples that no window reaches are 0.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_istft(Tape *tape, const Stft *stft, Tensor *s, int64_t n, Tensor **y, RsdError *err);

#endif
