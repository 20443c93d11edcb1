/* tone_runs.c - see tone_runs.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/tone_runs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/trainer/runs.h"
#include "tests/trainer/warnings.h"

ToneRuns tones;

void tones_open(void)
{
    tones = (ToneRuns){0};
    recordings_make_folder(tones.data_dir);
    recordings_make_folder(tones.base_dir);
    recordings_write_tones(tones.data_dir, 8);
    recordings_tiny_config(&tones.cfg);
    warnings_keep();
}

void tones_close(void)
{
    warnings_drop();
    recordings_remove(tones.data_dir);
    recordings_remove(tones.base_dir);
}

static volatile sig_atomic_t stop_flag;

static void watch(void *ctx, const TrainProgress *progress)
{
    ToneOutcome *outcome = ctx;

    if (progress->step == 1)
        outcome->first_loss = progress->report->losses[0];
    outcome->last_loss = progress->report->losses[0];
    if (tones.stop_at && progress->step == tones.stop_at)
        stop_flag = 1;
    if (tones.fill_disk_at && progress->step == tones.fill_disk_at)
        runs_limit_files(2048);
}

ToneOutcome *tones_train(const char *run, bool resume, int n_threads)
{
    static ToneOutcome outcome;
    const char *dirs[] = {tones.data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    TrainOptions options = {.dirs = dirs,
                            .n_dirs = 1,
                            .run_dir = run_dir,
                            .resume = resume,
                            .init_path = tones.init_path,
                            .stop = &stop_flag,
                            .progress = watch,
                            .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    snprintf(run_dir, sizeof run_dir, "%s", runs_path(tones.base_dir, run));
    options.valid_dirs = &tones.valid_dir;
    options.n_valid_dirs = tones.valid_dir != NULL;
    stop_flag = tones.stop_at == TONES_STOP_BEFORE_FIRST;
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_audio(&tones.cfg, &options, &outcome.summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

void tones_expect_ok(const ToneOutcome *outcome)
{
    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
}

bool tones_exists(const char *run, const char *name)
{
    char path[3 * RECORDINGS_PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", runs_path(tones.base_dir, run), name);
    return access(path, F_OK) == 0;
}

const char *tones_checkpoint(const char *run, int step)
{
    static char paths[2][3 * RECORDINGS_PATH_SIZE];
    static int i;
    char *path = paths[i++ % 2];

    snprintf(path, sizeof paths[0], "%s/checkpoint-%09d.safetensors", runs_path(tones.base_dir, run), step);
    return path;
}
