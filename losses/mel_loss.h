/* mel_loss.h - distances of mel spectrograms at one or several window lengths.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MEL_LOSS_H
#define RESIDUA_MEL_LOSS_H

#include "engine/dsp/mel.h"
#include "engine/dsp/stft.h"
#include "losses/audio_loss.h"

#define MEL_LOSS_MAX_SCALES 12

/* Window = transform length. Weights of the mean absolute difference of the mel values, of their log10, and of the mean
 * squared difference of their log10. */
typedef struct MelLossScale {
    int window, hop, n_mels;
    float linear, log, log_square;
} MelLossScale;

typedef struct MelLossParams {
    int n_scales;
    MelLossScale scales[MEL_LOSS_MAX_SCALES];
    bool of_power;    /* filters take |X|^2, else |X| */
    StftPad pad;      /* edges are reflected */
    StftNorm norm;
    MelScale mel_scale;
    bool unit_area;
    double f_min_hz, f_max_hz; /* f_max_hz 0: half the rate */
    float log_floor;
    bool log_clamps;         /* log10(max(M, floor)), else log10(M + floor) */
    float log_power;         /* the logarithm is of M^log_power */
    bool divides_by_weights; /* by the sum of all scales' weights */
} MelLossParams;

/* Windows 32 to 2048 with 5 to 320 mels, log10 of the magnitude, summed (audio.md 2.5). */
MelLossParams mel_loss_dac(void);
/* Windows 2^first_log2 .. 2^last_log2, 64 mels from f_min_hz, |dM| + a (d log10 M)^2 of the power (audio.md 1.7): a is
 * 1, or sqrt(2^i - 1) with alphas; normalised: windows of unit energy and division by the sum of 1 + a. */
MelLossParams mel_loss_msspec(int first_log2, int last_log2, double f_min_hz, bool alphas, bool normalised);
/* Window 1024, hop 256, 64 mels from 64 Hz: mean |d log10 M| or |d M|. */
MelLossParams mel_loss_l1(bool of_log, bool normalised);

/* Leaves out scales whose window is longer than max_window samples (0: keep all). */
void mel_loss_limit(MelLossParams *p, int max_window);

/* Errors: RSD_ERR_ARG (no scale, impossible window or filters), RSD_ERR_MEMORY. */
RsdStatus mel_loss_create(AudioLoss **out, const MelLossParams *p, int rate_hz, RsdError *err);

#endif
