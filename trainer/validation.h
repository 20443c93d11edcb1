/* validation.h - held-out clips, and how well the averaged weights reproduce them at each target rate.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_VALIDATION_H
#define RESIDUA_VALIDATION_H

#include "trainer/audio_step.h"
#include "trainer/run_log.h"

typedef struct Validation Validation;

typedef struct ValidReport {
    int n_clips;
    double distance[TRAIN_MAX_RATES];   /* mean mel distance (audio.md 8.2) per rate */
    double losses[BALANCER_MAX_LOSSES]; /* mean of each training loss over clips and rates */
    double score;                       /* mean of distance over the rates: what `best` means */
    double seconds;                     /* it took */
} ValidReport;

/* Decodes the first cfg->data.valid_clip_s of up to valid_clips files, spread evenly over the list. Clips shorter than
 * half a second and broken files are named and passed over. list NULL or nothing usable: *out is NULL, there is no validation.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus validation_create(Validation **out, const MediaList *list, const TrainConfig *cfg, RsdError *err);
void validation_destroy(Validation **validation);
int validation_count(const Validation *validation);      /* clips; 0 for NULL */
double validation_seconds(const Validation *validation); /* of audio */

/* Runs all clips with the averaged weights in place of the current ones; afterwards the state is as before, bit for
 * bit. */
RsdStatus validation_run(const Validation *validation, AudioStep *step, TrainState *state, ValidReport *report,
                         RsdError *err);
/* Writes cfg->train.samples of the clips, as they are and as the averaged weights reproduce them, to RUN/samples
 * (samples.h). Errors: RSD_ERR_IO, RSD_ERR_MEMORY, RSD_ERR_NUMERIC. */
RsdStatus validation_write_samples(const Validation *validation, AudioStep *step, TrainState *state, const char *run_dir,
                                   RsdError *err);
/* Writes the report as a line of type "valid". best: it is the lowest score so far. */
void validation_log(RunLog *log, const TrainConfig *cfg, int64_t step, const ValidReport *report, bool best);

#endif
