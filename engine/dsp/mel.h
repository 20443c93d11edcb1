/* mel.h - mel filter banks: two scales, with and without normalisation of the area.
 *
 * [1] audio.md 1.7 (HTK scale, as in EnCodec) and 2.5 (Slaney scale and area, as in DAC).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DSP_MEL_H
#define RESIDUA_DSP_MEL_H

#include "engine/base/error.h"
#include "engine/kernels/spectrum.h"

typedef enum MelScale {
    MEL_HTK,   /* 2595 log10(1 + f / 700) */
    MEL_SLANEY /* f / (200 / 3) below 1000 Hz, 15 + 27 ln(f / 1000) / ln 6.4 above */
} MelScale;

typedef struct MelConfig {
    int rate_hz, n_fft, n_mels;
    double f_min_hz, f_max_hz; /* f_max_hz 0 means rate_hz / 2 */
    MelScale scale;
    bool unit_area; /* each triangle times 2 / (upper edge - lower edge) */
} MelConfig;

/* Triangles between n_mels + 2 points equally far apart on the scale, sampled at the bins of a transform of n_fft
 * samples. Where bins are sparse, filters between two bins have no weights. */
typedef struct MelBank {
    MelConfig config;
    int bins;
    BandMatrix filters;    /* [n_mels, bins] */
    BandMatrix transposed; /* [bins, n_mels] */
} MelBank;

/* Errors: RSD_ERR_ARG (rate, n_fft and n_mels at least 1, 0 <= f_min < f_max), RSD_ERR_MEMORY. */
RsdStatus mel_create(MelBank **out, const MelConfig *config, RsdError *err);
void mel_destroy(MelBank **mel);

#endif
