/* tone_runs.h - whole runs on a folder of tones, for the tests of training.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_TONE_RUNS_H
#define RESIDUA_TESTS_TONE_RUNS_H

#include "tests/trainer/recordings.h"
#include "trainer/train_audio.h"

#define TONES_STOP_BEFORE_FIRST (-1)

/* What the next run does; tones_open sets it to a tiny model, eight tones and nothing else. */
typedef struct ToneRuns {
    TrainConfig cfg;
    char data_dir[RECORDINGS_PATH_SIZE]; /* the tones */
    char base_dir[RECORDINGS_PATH_SIZE]; /* where runs get their folders */
    int64_t stop_at, fill_disk_at;       /* steps after which it is asked to stop, or no file can grow; 0: never */
    const char *init_path, *valid_dir;   /* as TrainOptions has them; NULL: none */
} ToneRuns;

typedef struct ToneOutcome {
    RsdStatus status;
    RsdError err;
    TrainSummary summary;
    double first_loss, last_loss; /* the first loss of the first and the last step */
} ToneOutcome;

extern ToneRuns tones;

/* The .init and .fini of a suite: folders that do not last, and warnings kept (tests/trainer/warnings.h). */
void tones_open(void);
void tones_close(void);

/* One run in the folder of that name below base_dir. The outcome is valid until the next. */
ToneOutcome *tones_train(const char *run, bool resume, int n_threads);
void tones_expect_ok(const ToneOutcome *outcome);
/* Whether a run has left a file of that name. */
bool tones_exists(const char *run, const char *name);
/* Path of a run's checkpoint of a step; the last two results are valid. */
const char *tones_checkpoint(const char *run, int step);

#endif
