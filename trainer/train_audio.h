/* train_audio.h - a whole training run of a sound codec: train_loop.h with recordings.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAIN_AUDIO_H
#define RESIDUA_TRAIN_AUDIO_H

#include "trainer/audio_step.h"
#include "trainer/train_loop.h"
#include "trainer/validation.h"

/* Errors: as train_loop_run. */
RsdStatus train_audio(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err);

/* What train_audio would do; nothing is written. Runs n_measured steps to know memory and time. */
typedef struct TrainPlan {
    char data_report[MEDIA_REPORT_SIZE], valid_report[MEDIA_REPORT_SIZE];
    double data_hours, valid_seconds;
    int n_valid_clips;
    int64_t n_parameters, n_codebook_numbers, resume_step; /* resume_step: 0 for a new run */
    double encoder_macs_per_s, decoder_macs_per_s;
    int n_critics;
    int64_t n_critic_parameters;
    double critic_macs_per_s; /* of one judgement */
    double step_s, phase_s[N_PHASES], total_s;
    size_t step_size, state_size, cache_size; /* bytes: temporaries of a step, weights with moments, decoded audio */
} TrainPlan;
RsdStatus train_audio_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, TrainPlan *plan,
                           RsdError *err);

#endif
