/* visqol.h - ViSQOL version 3: an opinion score from 1 to 5 by the similarity of spectrograms of the ear's filters.
 *
 * Audio mode works at 48 kHz with 32 bands and needs the published regression model (losses/svr.h); without it the metric
 * does not apply, and vnsim gives the similarity that the model would map. Speech mode works at 16 kHz with 21 bands and the
 * exponential fit that the published tool calls use_lattice_model=false; the tool's default, a TensorFlow lattice, gives
 * other scores.
 *
 * Channels are mixed to one by their mean. The signals must be aligned already (residua eval aligns them): the published tool's
 * first step, a delay of the whole by envelopes, is left out; the one of single patches is not. Patches are looked for within one patch
 * length (0.6 s, 0.4 s for speech) around their place; the published tool looks sixty times as far, which matters for signals whose
 * delay changes by more. For clips of 5 to 10 s, mean over 20 clips or more.
 *
 * [1] Chinen et al., ViSQOL v3: An Open Source Production Ready Objective Speech and Audio Metric, 2020.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_VISQOL_H
#define RESIDUA_VISQOL_H

#include "losses/audio_metric.h"

#define VISQOL_AUDIO_BANDS 32

typedef struct VisqolSimilarity {
    double bands[VISQOL_AUDIO_BANDS]; /* FVNSIM, low to high */
    int n_bands, n_patches;           /* 0 patches: too short, or (speech) no voice */
    double mean;                      /* VNSIM */
    bool silent_reference;            /* nothing to be alike */
} VisqolSimilarity;

/* Errors: RSD_ERR_ARG (rates whose ratio is too intricate), RSD_ERR_MEMORY. [audio.md 8.8] */
RsdStatus visqol_similarity(VisqolSimilarity *out, const MetricChannels *signals, bool speech, RsdError *err);

/* Too short for one patch (0.94 s, 0.64 s for speech), or no voice: 1 and METRIC_TOO_SHORT; METRIC_SILENT_REFERENCE. Errors as above. */
RsdStatus metric_visqol(MetricValue *out, const MetricChannels *signals, RsdError *err);
RsdStatus metric_visqol_speech(MetricValue *out, const MetricChannels *signals, RsdError *err);
/* VNSIM of the audio mode, 0 to 1. */
RsdStatus metric_vnsim(MetricValue *out, const MetricChannels *signals, RsdError *err);

#endif
