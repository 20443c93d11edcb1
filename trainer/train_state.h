/* train_state.h - all that changes in the course of a run, and how it begins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAINER_TRAIN_STATE_H
#define RESIDUA_TRAINER_TRAIN_STATE_H

#include "trainer/config.h"
#include "trainer/loss_scale.h"

typedef struct TrainState {
    AudioCodec *codec; /* one of the two, by cfg->kind; the other is NULL */
    ImageCodec *image;
    ParamSet *params;  /* of it */
    Optimizer *optimizer;
    Adversary *adversary; /* NULL when none is switched on */
    Exchange *exchange;   /* NULL without train.exchange or with one process: train_state_join */
    Balancer balancer;
    LossScale loss_scale;
    double norm_total, norm_count; /* moving average of the gradient's norm */
    int64_t step;      /* steps done */
    double best_score; /* lowest validation score so far; infinite before the first */
    int64_t best_step;
    uint32_t data_fingerprint;
} TrainState;

/* Step 0: random weights from cfg->train.seed. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus train_state_create(TrainState **out, const TrainConfig *cfg, const struct Kernels *kernels, RsdError *err);
void train_state_destroy(TrainState **state);
/* Gradients of this process's part of a batch become those of the whole batch. report: set with train.exchange only. */
void train_state_sum_grads(TrainState *state, ExchangeReport *report);
/* The state of one member of a group: what it keeps of gradients that were not sent. group is borrowed; NULL: of none.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus train_state_join(TrainState *state, const TrainConfig *cfg, Group *group, RsdError *err);
/* Whether a step whose gradient has this norm should be skipped (train.spike); follows the usual norm. */
bool train_state_is_spike(TrainState *state, const TrainConfig *cfg, double norm);
/* Whether all that decides what is coded is frozen: streams of the model that the run begins from stay valid. */
bool train_state_keeps_coding(const TrainState *state, const TrainConfig *cfg);
/* Whether a picture codec's prior is frozen: its integers, too, stay those of the model that the run begins from. */
bool train_state_keeps_prior(const TrainState *state, const TrainConfig *cfg);
/* Below, path names a built-in model or a model file. */
/* These integers, of that model's file: for a state whose checkpoint has none. Errors: RSD_ERR_MODEL (another prior), those of
 * image_codec_load. */
RsdStatus train_state_load_prior(TrainState *state, const char *path, RsdError *err);
/* The prior of another model's file in place of the state's, weights and integers. Errors: RSD_ERR_ARG (it is not frozen), RSD_ERR_MODEL (of
 * other sizes), those of image_codec_load. */
RsdStatus train_state_take_prior(TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err);
/* Weights and codebooks of a model file in place of the random ones; the optimiser and moving averages that the file has
 * not start anew. Errors: RSD_ERR_MODEL (another architecture: names the key), those of audio_codec_load. */
RsdStatus train_state_load_model(TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err);

#endif
