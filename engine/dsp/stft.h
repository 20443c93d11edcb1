/* stft.h - short-time Fourier transforms of one signal: padding, frames, spectra in blocks of eight frames, and back.
 *
 *   x [n] --stft_pad--> padded --stft_analyse--> re, im --(loss, network)--> re, im --stft_synthesise--> padded --> y
 *                              <-stft_analyse_adjoint--                  gradients take the transposed way
 *
 * A block holds SPECTRUM_LANES frames, [bins, 8] per plane: see engine/kernels/spectrum.h. Plans are const to these
 * functions and may be shared by threads; work memory belongs to one call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_STFT_H
#define RESIDUA_DSP_STFT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/kernels/spectrum.h"

typedef enum StftPad {
    STFT_PAD_NONE,   /* frames lie inside the signal: 1 + floor((n - n_fft) / hop) of them, none when n < n_fft */
    STFT_PAD_CENTRE, /* floor(n_fft / 2) on both sides, frame f is centred on sample f hop: 1 + floor(n / hop) */
    STFT_PAD_SAME    /* floor((n_fft - hop) / 2) on both sides, then zeros on the right until ceil(n / hop) frames are
                        full (audio.md 1.7 and, with zero edges, 6.3) */
} StftPad;

typedef enum StftEdge {
    STFT_EDGE_ZERO,
    STFT_EDGE_REFLECT /* mirror without repeating the end; signals shorter than the padding are mirrored repeatedly */
} StftEdge;

typedef enum StftNorm {
    STFT_NORM_NONE,
    STFT_NORM_WINDOW, /* times 1 / sqrt(sum of window^2) (audio.md 1.7) */
    STFT_NORM_LENGTH  /* times 1 / sqrt(n_fft) (audio.md 4.1) */
} StftNorm;

typedef struct StftConfig {
    int n_fft, hop;
    int win_len; /* periodic Hann window, centred in the frame; 0 means n_fft */
    StftPad pad;
    StftEdge edge;
    StftNorm norm;
    bool in_double; /* stft_analyse computes in double, several times slower: where a logarithm of single bins follows,
                       the rounding of a float transform shows in bins that are almost silent beside loud ones */
} StftConfig;

typedef struct Stft Stft;

/* Errors: RSD_ERR_ARG (1 <= hop <= n_fft, 1 <= win_len <= n_fft), RSD_ERR_MEMORY. */
RsdStatus stft_create(Stft **out, const StftConfig *config, RsdError *err);
void stft_destroy(Stft **stft);

const StftConfig *stft_config(const Stft *stft);
int stft_bins(const Stft *stft);                      /* floor(n_fft / 2) + 1 */
int64_t stft_frames(const Stft *stft, int64_t n);     /* of a signal of n samples; 0 for n = 0 */
int64_t stft_padded_len(const Stft *stft, int64_t n); /* (frames - 1) hop + n_fft */

/* Writes padded [stft_padded_len(n)] from x [n]; the adjoint adds to dx [n]. What follows the last frame is cut. */
void stft_pad(const Stft *stft, const float *x, int64_t n, float *padded);
void stft_pad_adjoint(const Stft *stft, const float *dpadded, int64_t n, float *dx);

/* Size in bytes of the work memory of the functions below; starts on MEM_ALIGN. */
size_t stft_work_size(const Stft *stft);

/* Spectra of n_frames <= 8 frames that start at `padded`: re, im [bins, 8]; unused lanes are zero. */
void stft_analyse(const Stft *stft, const SpectrumKernels *kernels, const float *padded, int n_frames, float *re,
                  float *im, void *work);
/* Adds to dpadded what the gradients dre, dim [bins, 8] of stft_analyse give. */
void stft_analyse_adjoint(const Stft *stft, const SpectrumKernels *kernels, const float *dre, const float *dim,
                          int n_frames, float *dpadded, void *work);

/* Inverse: adds window times inverse transform of n_frames spectra to `padded`, the normalisation undone. re and im are
 * used up. The sum over frames divided by stft_envelope is the signal. */
void stft_synthesise(const Stft *stft, const SpectrumKernels *kernels, float *re, float *im, int n_frames,
                     float *padded, void *work);
/* Gradients of the spectra, dre, dim [bins, 8], from that of `padded`. */
void stft_synthesise_adjoint(const Stft *stft, const SpectrumKernels *kernels, const float *dpadded, int n_frames,
                             float *dre, float *dim, void *work);
/* envelope[i] [stft_padded_len(n)] = 1 / sum over frames of window^2, 0 where no frame reaches. */
void stft_envelope(const Stft *stft, int64_t n_frames, float *envelope);
/* Between a block [rows, 8] and n_frames <= 8 columns of a spectrogram whose rows are `stride` apart. Reading fills
 * unused lanes with zeros; writing adds when `add` is true. */
void stft_block_read(const float *columns, int64_t stride, int64_t rows, int n_frames, float *block);
void stft_block_write(const float *block, int64_t rows, int n_frames, float *columns, int64_t stride, bool add);
/* Samples of `padded` before the first sample of the signal. */
int64_t stft_pad_left(const Stft *stft);

#endif
