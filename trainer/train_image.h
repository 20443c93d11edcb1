/* train_image.h - a whole training run of a picture codec: train_loop.h with pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAIN_IMAGE_H
#define RESIDUA_TRAIN_IMAGE_H

#include "trainer/image_validation.h"
#include "trainer/train_loop.h"

/* Errors: as train_loop_run. */
RsdStatus train_image(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err);

/* What train_image would do; nothing is written. Runs n_measured steps to know memory and time. */
typedef struct ImagePlan {
    char data_report[PICTURE_REPORT_SIZE], valid_report[PICTURE_REPORT_SIZE];
    int n_valid;
    int n_critics;
    int64_t n_parameters, n_critic_parameters, resume_step;
    ImageCodecMacs macs;
    double step_s, phase_s[IMAGE_N_PHASES], total_s;
    size_t step_size, state_size; /* bytes */
} ImagePlan;
RsdStatus train_image_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, ImagePlan *plan,
                           RsdError *err);

#endif
