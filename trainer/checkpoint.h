/* checkpoint.h - everything a run needs to go on as if it had never stopped, in one safetensors file.
 *
 *   model.*                          weights and codebooks with their averages, float32
 *   optim.m, optim.v, optim.average  Adam's moments and the averaged weights, laid end to end
 *   balancer.*                       float64, one array for each of its averages
 *   prior.*, rvq.*.embed_q           integers of a frozen prior, as in the model file that the run began from
 *   critic.*                         the adversary's weights; critic.optim.* as above
 *   metadata                         step, updates, best score, configuration as INI text, fingerprint of the data
 *
 * Nothing in it depends on the time or the machine: two runs that took the same steps write the same bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TRAINER_CHECKPOINT_H
#define RESIDUA_TRAINER_CHECKPOINT_H

#include "trainer/train_state.h"

#define CHECKPOINT_PATH_SIZE 4096

/* Writes beside the name and renames, so that an older file of that name survives a full disk or a kill. Errors:
 * RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus checkpoint_save(const TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err);

/* Fills a state made from cfg. Critics that the file has not, or has in another form, start anew. *was gets the configuration the file
 * was written with, so that the caller can tell what has changed. Errors: RSD_ERR_MODEL (another architecture: names the key and both
 * values), RSD_ERR_CORRUPT, RSD_ERR_IO, ... */
RsdStatus checkpoint_load(TrainState *state, const TrainConfig *cfg, const char *path, TrainConfig *was, RsdError *err);

/* RUN/checkpoint-000012000.safetensors */
RsdStatus checkpoint_path(char path[CHECKPOINT_PATH_SIZE], const char *run_dir, int64_t step, RsdError *err);
/* Steps of the checkpoints in run_dir, newest first; *steps is the caller's (mem_free). A folder that does not exist
 * has none. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus checkpoint_list(int64_t **steps, size_t *n_steps, const char *run_dir, RsdError *err);
/* Loads the newest sound one; damaged ones are named as warnings and passed over. *path: the one taken, empty if there
 * is none. */
RsdStatus checkpoint_load_newest(TrainState *state, const TrainConfig *cfg, const char *run_dir,
                                 char path[CHECKPOINT_PATH_SIZE], TrainConfig *was, RsdError *err);
/* Removes all but the newest `keep` numbered checkpoints. */
RsdStatus checkpoint_prune(const char *run_dir, int keep, RsdError *err);

#endif
