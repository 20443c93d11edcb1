/* run_folder.h - the folder of a run, whatever is trained: its lock, its log, its checkpoints, and going on from them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RUN_FOLDER_H
#define RESIDUA_RUN_FOLDER_H

#include "trainer/checkpoint.h"
#include "trainer/run_log.h"

typedef struct RunFolder {
    const char *dir;           /* borrowed */
    const TrainConfig *config; /* borrowed */
    RunLog log;
    bool writes;               /* false: of a process in a group that leaves files to the first */
    int lock;                  /* file descriptor, -1: none */
    char last_checkpoint[CHECKPOINT_PATH_SIZE];
    int64_t first_step, last_saved_step; /* -1: nothing is saved, the run is new */
    double last_saved; /* step_clock */
    int n_bad_steps;   /* in a row */
} RunFolder;

/* Makes the folder and takes its lock, so that two processes never write the same run; nothing is read or written yet.
 * Errors: RSD_ERR_IO, RSD_ERR_EXISTS (another process trains there). */
RsdStatus run_folder_open(RunFolder *folder, const char *dir, const TrainConfig *config, bool writes, RsdError *err);
/* Accepts one that was never opened, lock -1. */
void run_folder_close(RunFolder *folder);
/* DIR/name. Errors: RSD_ERR_ARG (too long). */
RsdStatus run_folder_path(char path[CHECKPOINT_PATH_SIZE], const RunFolder *folder, const char *name, RsdError *err);

/* Puts the newest checkpoint into state, if there is one; else, with init_path, the weights of a model (beside a checkpoint that lacks the
 * integers of a frozen prior: these alone). What has changed
 * since, settings and data (of this fingerprint, called `data_name` in the warning), is told. Errors: RSD_ERR_EXISTS (there is a run and
 * resume was not asked for), those of checkpoint_load and train_state_load_model. */
RsdStatus run_folder_resume(RunFolder *folder, TrainState *state, bool resume, const char *init_path, uint32_t fingerprint,
                            const char *data_name, RsdError *err);
/* Opens log.jsonl and writes config.ini. */
RsdStatus run_folder_begin(RunFolder *folder, RsdError *err);

/* Writes a checkpoint of this step, unless there is one, and removes the oldest. */
RsdStatus run_folder_save(RunFolder *folder, const TrainState *state, RsdError *err);
/* In the middle of a run a full disk is not the end: the older checkpoint is whole, and space may come back. */
void run_folder_save_or_warn(RunFolder *folder, const TrainState *state);

/* After each step: tells of spikes and of gradients that were not finite. Errors: RSD_ERR_NUMERIC when there were more of
 * these in a row than train.max_bad_steps. */
RsdStatus run_folder_check_step(RunFolder *folder, const TrainState *state, bool spike, bool skipped, double grad_norm,
                                RsdError *err);
/* A line of type "error"; tells in err how to go on after RSD_ERR_NUMERIC. */
void run_folder_log_failure(RunFolder *folder, int64_t step, RsdStatus status, RsdError *err);

#endif
