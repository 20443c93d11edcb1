/* train_loop.h - the loop around a training step, whatever is trained: data, steps, validation, checkpoints, log, and a clean end.
 *
 *   open -> go on from a checkpoint -> begin -> [crops -> step -> log, validate, save]... -> end
 *
 * What differs between kinds of runs stands behind LoopKind: train_audio.c has the one of sound, train_image.c that of pictures. All
 * processes of a group run the same loop; the first one writes, validates and tells.
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
#ifndef RESIDUA_TRAIN_LOOP_H
#define RESIDUA_TRAIN_LOOP_H

#include <signal.h>

#include "trainer/loader.h"
#include "trainer/run_folder.h"

struct StepReport;
struct ImageStepReport;

typedef struct TrainProgress {
    int64_t step, n_steps;
    const TrainConfig *config;
    const struct StepReport *report;       /* of the last step (audio_step.h); NULL in a run of pictures */
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
    const char *init_path; /* a built-in model's name or a model file to start from instead of random weights; NULL: none. Of use when
                            * resuming only as run_folder.h says */
    const char *prior_path; /* a picture model whose prior, which must be frozen, takes the place of init_path's; NULL: none. Not looked at when resuming */
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

#define LOOP_MAX_PHASES 12

/* What the loop has to know of a step. */
typedef struct StepOutcome {
    bool spike, skipped; /* the weights are as they were: the norm stood out, the gradient was not finite */
    double grad_norm;
    double *phase_s; /* [n_phases], valid until the next step; the first is the loop's: waiting for crops */
} StepOutcome;

typedef struct TrainLoop TrainLoop;

typedef struct LoopKind {
    const char *data_name, *speed_unit; /* "recordings", "audio-s/s" */
    const char *const *phase_names;
    int n_phases;
    /* Data and model: sets state, crops, fingerprint and crop_worth. */
    RsdStatus (*open)(TrainLoop *loop, RsdError *err);
    void (*close)(TrainLoop *loop); /* also after an open that failed */
    /* After the state has been found: what does not fit it, or has to be made before the first step. */
    RsdStatus (*begin)(TrainLoop *loop, RsdError *err);
    void (*log_data)(TrainLoop *loop); /* keys of the log's first line */
    /* One step on a batch of crops; keeps what the log wants. */
    RsdStatus (*step)(TrainLoop *loop, const float *batch, StepOutcome *outcome, RsdError *err);
    void (*show)(TrainLoop *loop, TrainProgress *progress); /* sets losses and the report */
    void (*log_step)(TrainLoop *loop); /* keys of a line, whose sums begin anew */
    bool (*can_validate)(const TrainLoop *loop);
    RsdStatus (*validate)(TrainLoop *loop, double *score, RsdError *err);
    void (*tell_validation)(TrainLoop *loop, bool best); /* log, message, samples */
    /* notes: step and score, as audio_codec_save. */
    RsdStatus (*save_model)(TrainLoop *loop, const char *path, Dtype stored_as, const char *const *notes, RsdError *err);
} LoopKind;

struct TrainLoop {
    const LoopKind *kind;
    void *own; /* of the kind */
    const TrainConfig *config;
    const TrainOptions *options;
    TrainState *state;
    CropSource crops;     /* first_sample is the loop's */
    uint32_t fingerprint; /* of the data */
    double crop_worth;    /* of a crop in units of the speed */
    Loader *loader;
    RunFolder folder;
    double started, last_valid;
    int64_t last_valid_step; /* -1: none yet */
    double valid_s;          /* of the longest validation, with its files */
    /* since the last line of the log */
    int n_logged;
    double sum_grad_norm, sum_phase_s[LOOP_MAX_PHASES];
    double log_started, step_ended, speed, step_s;
    bool stalled; /* the last step took beyond all measure */
};

/* Trains until train.steps, the time limit or a stop. Errors: RSD_ERR_EXISTS (run_dir holds a run and resume was
 * not asked for; another process trains there), RSD_ERR_NUMERIC (step, loss and last checkpoint are named),
 * RSD_ERR_MODEL (the checkpoint belongs to another architecture), RSD_ERR_CORRUPT (no or too much broken data),
 * RSD_ERR_ARG, RSD_ERR_IO, RSD_ERR_MEMORY.
 * All members of a group call it with the same configuration and folders; each takes cfg->data.batch crops of its own per
 * step, so N members do what one does with an N times larger batch, but for rounding. They stop together. A member that fails
 * alone (its memory, its data) returns while the others wait for it: end them with comm_abort. */
RsdStatus train_loop_run(const LoopKind *kind, void *own, const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary,
                         RsdError *err);

/* ---- for kinds ---- */

/* The one that writes, validates and tells. */
bool train_loop_is_first(const TrainLoop *loop);
/* Whether this many steps make a line of the log. */
bool train_loop_is_logged(const TrainConfig *cfg, int64_t step);
/* With train.exchange what processes sent, as an object of the log. */
void train_loop_log_exchange(TrainLoop *loop, const ExchangeReport *report);
/* Batches from the state's step on. Errors: RSD_ERR_MEMORY. */
RsdStatus train_loop_open_loader(TrainLoop *loop, RsdError *err);
/* After open, for a plan: runs steps; *step_s and phase_s [n_phases] are those of the fastest, without waiting for crops. */
RsdStatus train_loop_measure(TrainLoop *loop, int n_steps, double *step_s, double *phase_s, RsdError *err);

#endif
