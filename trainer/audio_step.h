/* audio_step.h - one training step of an audio codec, and the evaluation of held-out clips.
 *
 *   x --encode--> z --quantise (n stages, random)--> zq --decode--> y        recorded on the tape
 *                 |                                                |
 *             commitment                               leaf of y --loss 1--> dL1/dy   each loss is a small graph of
 *                                                      leaf of y --loss 2--> dL2/dy   its own
 *                                                      leaf of y --critics--> dL3/dy, dL4/dy   (adversary.h)
 *
 * The balancer makes G of the dLi/dy; one replay carries G and the commitment's gradient back to all weights. Then the
 * critics learn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_STEP_H
#define RESIDUA_AUDIO_STEP_H

#include "losses/audio_loss.h"
#include "trainer/checkpoint.h"
#include "trainer/layer_norms.h"
#include "trainer/step_clock.h"

typedef enum StepPhase {
    PHASE_DATA,
    PHASE_ENCODE,
    PHASE_QUANTIZE,
    PHASE_DECODE,
    PHASE_LOSS,
    PHASE_CRITIC,
    PHASE_BACKWARD,
    PHASE_UPDATE,
    N_PHASES
} StepPhase;
extern const char *const STEP_PHASE_NAMES[N_PHASES];

typedef struct StepReport {
    int n_q;
    double losses[BALANCER_MAX_LOSSES]; /* values, before weights, of the terms (train_config_term_name) */
    double commitment;
    BalancerReport balance;
    double grad_norm;                  /* before clipping */
    float lr;
    bool spike;                        /* the norm stood out: weights are as they were */
    bool skipped; /* the gradient was not finite; weights are as they were */
    bool overflow; /* the same, because the loss was scaled too far (trainer/loss_scale.h) */
    float loss_scale; /* of this step */
    ExchangeReport exchange; /* with train.exchange, of several processes */
    RvqStats rvq;
    AdversaryReport adversary;
    double phase_s[N_PHASES]; /* wall time; PHASE_DATA is the caller's */
} StepReport;

/* What a step needs beside the state: the tape, the losses, buffers. */
typedef struct AudioStep {
    const TrainConfig *config; /* borrowed */
    RsdThreads *threads;       /* borrowed */
    Group *group;              /* with which batches are shared; borrowed, NULL: this process alone */
    Tape *tape;
    int64_t segment_len;
    AudioLoss *losses[BALANCER_MAX_LOSSES];
    AudioLoss *distance; /* mel_dac, for validation */
    LayerNorms *layers;  /* of the last step with measure_layers; NULL before the first */
    bool measure_layers; /* for the next step; the caller's */
} AudioStep;

/* config, threads and group are borrowed until destroy. Errors: RSD_ERR_ARG (a loss cannot be made), RSD_ERR_MEMORY. */
RsdStatus audio_step_create(AudioStep **out, const TrainConfig *config, RsdThreads *threads, Group *group, RsdError *err);
void audio_step_destroy(AudioStep **step);

/* Stages used by step number `step`: a pure function of the configuration. */
int audio_step_stages(const TrainConfig *cfg, int64_t step);

/* Call before each step: when the quantiser's turn has come (train.quantizer_start) and it has no codebooks yet, makes
 * them by k-means over kmeans_batches batches. */
RsdStatus audio_step_init_codebooks(AudioStep *step, TrainState *state, Dataset *data, RsdError *err);

/* One step on batch [config->data.batch, segment_len], of a group: this member's part; raises state->step. All members take
 * the same step, to the bit. Errors: RSD_ERR_NUMERIC naming the step and
 * the loss that is not finite (weights are as they were), RSD_ERR_MEMORY. */
RsdStatus audio_step_run(AudioStep *step, TrainState *state, const float *batch, StepReport *report, RsdError *err);

/* Codes of one clip [n], n a multiple of the hop, at each of the target rates: mel distance per rate, and the mean over
 * the rates of each training loss. decoded [n_rates, n] gets what was heard at each rate; may be NULL. No state changes. Errors:
 * RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
typedef struct ClipReport {
    double distance[TRAIN_MAX_RATES];
    double losses[BALANCER_MAX_LOSSES];
} ClipReport;
RsdStatus audio_step_evaluate(AudioStep *step, const TrainState *state, const float *clip, int64_t n,
                              float *decoded, ClipReport *report, RsdError *err);

#endif
