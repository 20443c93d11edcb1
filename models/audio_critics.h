/* audio_critics.h - the critics of adversarial audio training: a set of small networks that judge a signal each in its
 * own view.
 *
 *   periods   the signal folded to rows of p samples; convolutions along time in each of the p columns (DAC, HiFi-GAN)
 *   scales    the waveform at full, half, quarter rate; grouped strided convolutions (MelGAN, AERO)
 *   stft      real and imaginary part of a spectrogram; 2-D convolutions (EnCodec's MS-STFT critic)
 *   bands     the same with bands of frequency in stacks of their own, joined by the last layer (DAC)
 *
 * Spectrograms are laid out [batch, 2 channels, bins, frames] as in engine/ops/stft.h, and kernels accordingly
 * [c_out, c_in, frequency, time]: the transpose of the published layout.
 *
 * [1] audio.md 1.8, 2.5, 2.6, 4.1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_CRITICS_H
#define RESIDUA_AUDIO_CRITICS_H

#include "engine/tape.h"
#include "models/critic.h"
#include "models/params.h"

#define CRITICS_MAX_SCALES 8 /* of one family */
#define CRITICS_MAX_LAYERS 8
#define CRITICS_MAX (4 * CRITICS_MAX_SCALES)

typedef struct AudioCriticsConfig {
    int channels; /* of the signal */
    int n_periods, periods[CRITICS_MAX_SCALES];
    int n_period_layers, period_channels[CRITICS_MAX_LAYERS]; /* stride 3 in all layers but the last */
    bool pads_whole_period; /* DAC's form: also a period when the signal has a whole number of them */
    int n_scales;           /* waveform critics at rates 1, 1/2, ... */
    int scale_channels, scale_max_channels; /* of the first and the widest layer */
    int n_stft, stft_windows[CRITICS_MAX_SCALES];
    int stft_channels;
    int n_bands, band_windows[CRITICS_MAX_SCALES];
    int band_channels;
    float slope; /* of the leaky ReLUs */
    bool level;  /* every signal is brought to mean 0 and peak 0.8 first, inside the graph (audio.md 2.5) */
} AudioCriticsConfig;

typedef struct AudioCritics AudioCritics;

/* Errors: RSD_ERR_ARG naming what is out of range, or that there is no critic at all. */
RsdStatus audio_critics_check_config(const AudioCriticsConfig *config, RsdError *err);
/* Registers the weights in params (borrowed until destroy), drawn from seed. Errors: as above, RSD_ERR_MEMORY. */
RsdStatus audio_critics_create(AudioCritics **out, const AudioCriticsConfig *config, ParamSet *params, uint64_t seed,
                               RsdError *err);
void audio_critics_destroy(AudioCritics **critics);
int audio_critics_count(const AudioCritics *critics);
/* "period3", "scale0", "stft512", "bands256": also the start of the names of its weights. */
const char *audio_critics_name(const AudioCritics *critics, int i);
/* Shortest signal that all of them can judge. */
int64_t audio_critics_min_len(const AudioCriticsConfig *config);
/* Multiply-accumulates of one judgement per second of audio. */
double audio_critics_macs_per_second(const AudioCritics *critics, int rate_hz);

/* A step: begin (plain weights, recorded), then judge as often as needed, until the tape is reset. Frozen critics pass
 * gradients on to the signal and collect none themselves; freezing holds for backward passes, whenever the judgement was
 * recorded. */
RsdStatus audio_critics_begin(AudioCritics *critics, Tape *tape, RsdError *err);
void audio_critics_freeze(AudioCritics *critics, bool frozen);
/* x [batch, channels, n] -> maps [audio_critics_count]. Errors: RSD_ERR_ARG (too short), RSD_ERR_MEMORY. */
RsdStatus audio_critics_judge(const AudioCritics *critics, Tape *tape, Tensor *x, CriticMaps *maps, RsdError *err);

#endif
