/* stft_loss.h - distances of spectrograms without filter banks: magnitudes, and complex values with less contrast.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STFT_LOSS_H
#define RESIDUA_STFT_LOSS_H

#include "engine/ops/spectral_distance.h"
#include "losses/audio_loss.h"

#define STFT_LOSS_MAX_SCALES 12

/* Centred frames with reflected edges. Forms that take logarithms of single bins compute their transforms in double. */
typedef struct StftLossScale {
    int n_fft, hop, win_len; /* win_len 0: n_fft */
} StftLossScale;

typedef struct StftLossParams {
    int n_scales;
    StftLossScale scales[STFT_LOSS_MAX_SCALES];
    StftNorm norm;
    bool in_double;           /* see StftConfig */
    SpectralFeature feature;
    float floor;              /* SPECTRAL_MAGNITUDE: of |X|^2 */
    float exponent, eps;      /* SPECTRAL_COMPRESSED */
    DistanceTerms terms;      /* of each scale's mean */
    float convergence;        /* spectral convergence, audio.md 4.1 */
    bool means_over_scales;   /* else the sum */
} StftLossParams;

/* Transforms 1024, 2048, 512: spectral convergence and mean |d ln |X||, each times `factor`, mean over scales
 * (audio.md 4.1, 8.4). */
StftLossParams stft_loss_multi(float factor);
/* One such scale. */
StftLossParams stft_loss_single(int n_fft, int hop, int win_len, float factor);
/* Windows [n]: mean |d log10 max(|X|, 1e-5)^log_power| + mean |d |X||, hop a quarter, summed (audio.md 8.3). */
StftLossParams stft_loss_dac(int n_windows, const int *windows, float log_power);
/* Windows [n]: mean absolute difference of the real and imaginary parts of X |X|^-0.7, hop a quarter, summed
 * (audio.md 7.5). Windows have unit energy, so |X| is about the level of the signal; (|X|^2 + 1e-8) keeps the gradient
 * finite and lets what lies below -80 dB of full scale count less. */
StftLossParams stft_loss_compressed(int n_windows, const int *windows);

void stft_loss_limit(StftLossParams *p, int max_window);

/* Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus stft_loss_create(AudioLoss **out, const StftLossParams *p, RsdError *err);

#endif
