/* train_audio.h - a whole training run: data, steps, validation, checkpoints, log, and a clean end.
 *
 *   RUN/log.jsonl                           what happened, one JSON object per line (run_log.h)
 *   RUN/config.ini                          the effective configuration
 *   RUN/checkpoint-000012000.safetensors    the newest few; `resume` goes on from the newest sound one
 *   RUN/checkpoint-best.safetensors         the state with the lowest validation score
 *   RUN/model.safetensors                   its averaged weights, ready to use (the last ones when there is no
 *                                           validation, or with train.export = last)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAIN_AUDIO_H
#define RESIDUA_TRAIN_AUDIO_H

#include <signal.h>

#include "trainer/audio_step.h"
#include "trainer/validation.h"

struct ImageStepReport;

typedef struct TrainProgress {
    int64_t step, n_steps;
    const TrainConfig *config;
    const StepReport *report;              /* of the last step; NULL in a run of pictures */
    const struct ImageStepReport *picture; /* the same there (image_step.h) */
    char losses[256];          /* means since the last line of the log, as text */
    double mean_grad_norm;
    double speed;              /* trained on per second ... */
    const char *speed_unit;    /* ... of "audio-s/s", "crops/s" */
    double left_s;      /* until the last step or the time limit */
    double score;       /* best validation so far, infinite before the first */
    const char *const *phase_names; /* [n_phases], and how long they took in the last step */
    const double *phase_s;
    int n_phases;
    bool logged;        /* this step also wrote a line to the log */
} TrainProgress;

typedef struct TrainOptions {
    const char *const *dirs, *const *valid_dirs; /* valid_dirs may be empty: then every k-th file is held out */
    size_t n_dirs, n_valid_dirs;
    const char *run_dir;
    bool resume;      /* go on from the newest checkpoint; without one, start */
    const char *init_path; /* a model file to start from instead of random weights; NULL: none. Ignored when resuming */
    bool export_half;  /* also RUN/model-f16.safetensors */
    bool export_bytes; /* also RUN/model-i8.safetensors */
    RsdThreads *threads;
    Group *group; /* the processes that train together, of which the first writes; NULL: this one alone */
    const volatile sig_atomic_t *stop; /* set: save and end after the step at work; may be NULL */
    void (*progress)(void *ctx, const TrainProgress *progress); /* after each step; may be NULL */
    void *progress_ctx;
} TrainOptions;

typedef enum TrainEnd { TRAIN_FINISHED, TRAIN_STOPPED, TRAIN_TIME_LIMIT } TrainEnd;

typedef struct TrainSummary {
    TrainEnd end;
    int64_t step, first_step;
    double seconds, best_score;
    int64_t best_step;
    char checkpoint[CHECKPOINT_PATH_SIZE]; /* the newest */
} TrainSummary;

/* Trains until cfg->train.steps, the time limit or a stop. Errors: RSD_ERR_EXISTS (run_dir holds a run and resume was
 * not asked for; another process trains there), RSD_ERR_NUMERIC (step, loss and last checkpoint are named),
 * RSD_ERR_MODEL (the checkpoint belongs to another architecture), RSD_ERR_CORRUPT (no or too much broken data),
 * RSD_ERR_ARG, RSD_ERR_IO, RSD_ERR_MEMORY.
 * All members of a group call it with the same configuration and folders; each takes cfg->data.batch crops of its own per
 * step, so N members do what one does with an N times larger batch, but for rounding. They stop together. A member that fails
 * alone (its memory, its data) returns while the others wait for it: end them with comm_abort. */
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
