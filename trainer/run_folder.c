/* run_folder.c - lock, log, checkpoints.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/atomic_file.h"
#include "engine/base/log.h"
#include "engine/base/make_folders.h"
#include "engine/base/mem.h"
#include "trainer/step_clock.h"

RsdStatus run_folder_open(RunFolder *folder, const char *dir, const TrainConfig *config, bool writes, RsdError *err)
{
    RsdStatus status = RSD_OK;

    folder->dir = dir;
    folder->config = config;
    folder->writes = writes;
    folder->last_saved = step_clock();
    if (!writes)
        return RSD_OK;
    TRY(make_folders_above(dir, err));
    CHECK(mkdir(dir, 0777) == 0 || errno == EEXIST, err, RSD_ERR_IO, "%s: cannot make the folder: %s", dir,
          strerror(errno));
    folder->lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(folder->lock >= 0, err, RSD_ERR_IO, "%s: cannot open the folder: %s", dir, strerror(errno));
    CHECK(access(dir, W_OK) == 0, err, RSD_ERR_IO, "%s: cannot write into the folder: %s", dir, strerror(errno));
    CHECK(flock(folder->lock, LOCK_EX | LOCK_NB) == 0, err, RSD_ERR_EXISTS,
          "%s: another process is training in this folder", dir);
fail:
    return status;
}

void run_folder_close(RunFolder *folder)
{
    run_log_close(&folder->log);
    if (folder->lock >= 0)
        close(folder->lock);
    folder->lock = -1;
}

RsdStatus run_folder_path(char path[CHECKPOINT_PATH_SIZE], const RunFolder *folder, const char *name, RsdError *err)
{
    if (snprintf(path, CHECKPOINT_PATH_SIZE, "%s/%s", folder->dir, name) >= CHECKPOINT_PATH_SIZE)
        return error_set(err, RSD_ERR_ARG, "%.80s...: the path is too long", folder->dir);
    return RSD_OK;
}

/* ---- going on ---- */

/* A resumed run is exact only when nothing that matters has changed; what did change is told. */
static void note_changes(const RunFolder *folder, const TrainConfig *was)
{
    static const char *const sections[] = {"picture", "data", "train", "loss", "optim", "adversary"};
    char key[64];

    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (train_config_difference(folder->config, was, sections[i], key))
            log_note(LOG_WARNING, "%s differs from the run so far (%s at least); it goes on with the new values",
                     sections[i], key);
}

/* Of a checkpoint from before there were integers of a frozen prior in it. */
static RsdStatus find_prior(TrainState *state, const RunFolder *folder, const char *init_path, RsdError *err)
{
    if (!train_state_keeps_prior(state, folder->config) || state->image->keeps_prior)
        return RSD_OK;
    if (init_path)
        return train_state_load_prior(state, init_path, err);
    log_note(LOG_WARNING, "%s: has no integers of its frozen prior; they are made anew of its weights, which may move a few: --init MODEL, "
                          "the model that the run began from, keeps them", folder->last_checkpoint);
    return RSD_OK;
}

RsdStatus run_folder_resume(RunFolder *folder, TrainState *state, bool resume, const char *init_path, uint32_t fingerprint,
                            const char *data_name, RsdError *err)
{
    int64_t *steps = NULL;
    size_t n_steps;
    TrainConfig *was = NULL;
    RsdStatus status = RSD_OK;

    TRY(checkpoint_list(&steps, &n_steps, folder->dir, err));
    CHECK(resume || !n_steps, err, RSD_ERR_EXISTS, "%s: holds a run at step %lld; go on with --resume or choose another --out",
          folder->dir, (long long)steps[0]);
    if (!n_steps && init_path) {
        TRY(train_state_load_model(state, folder->config, init_path, err));
        optimizer_restart_average(state->optimizer);
    }
    if (n_steps) {
        TRY(mem_alloc(&was, 1, sizeof *was, err));
        TRY(checkpoint_load_newest(state, folder->config, folder->dir, folder->last_checkpoint, was, err));
        TRY(find_prior(state, folder, init_path, err));
        note_changes(folder, was);
        if (state->data_fingerprint != fingerprint)
            log_note(LOG_WARNING, "the %s are not those of the run so far; it goes on with the new ones", data_name);
    }
    state->data_fingerprint = fingerprint;
    folder->first_step = state->step;
    folder->last_saved_step = n_steps ? state->step : -1;
fail:
    mem_free(&steps);
    mem_free(&was);
    return status;
}

static RsdStatus write_config(const RunFolder *folder, RsdError *err)
{
    char path[CHECKPOINT_PATH_SIZE], *text = NULL;
    RsdStatus status = RSD_OK;

    TRY(run_folder_path(path, folder, "config.ini", err));
    TRY(train_config_print(&text, folder->config, true, err));
    TRY(atomic_file_write_whole(path, true, text, strlen(text), err));
fail:
    mem_free(&text);
    return status;
}

RsdStatus run_folder_begin(RunFolder *folder, RsdError *err)
{
    char path[CHECKPOINT_PATH_SIZE];
    RsdStatus status = RSD_OK;

    TRY(run_folder_path(path, folder, "log.jsonl", err));
    TRY(run_log_open(&folder->log, path, err));
    if (folder->config->train.tensorboard)
        TRY(run_log_open_events(&folder->log, folder->dir, err));
    TRY(write_config(folder, err));
fail:
    return status;
}

/* ---- checkpoints ---- */

RsdStatus run_folder_save(RunFolder *folder, const TrainState *state, RsdError *err)
{
    char path[CHECKPOINT_PATH_SIZE];
    double since = step_clock();
    RsdStatus status = RSD_OK;

    if (folder->last_saved_step == state->step || !folder->writes)
        return RSD_OK;
    TRY(checkpoint_path(path, folder->dir, state->step, err));
    TRY(checkpoint_save(state, folder->config, path, err));
    memcpy(folder->last_checkpoint, path, sizeof path);
    folder->last_saved_step = state->step;
    folder->last_saved = step_clock();
    run_log_begin(&folder->log, "checkpoint");
    run_log_int(&folder->log, "step", state->step);
    run_log_text(&folder->log, "path", path);
    run_log_number(&folder->log, "seconds", folder->last_saved - since);
    run_log_end(&folder->log);
    TRY(checkpoint_prune(folder->dir, folder->config->train.keep, err));
fail:
    return status;
}

void run_folder_save_or_warn(RunFolder *folder, const TrainState *state)
{
    RsdError err = {0};

    if (run_folder_save(folder, state, &err) != RSD_OK)
        log_note(LOG_WARNING, "step %lld: no checkpoint was written: %s", (long long)state->step, err.text);
    folder->last_saved = step_clock();
}

/* ---- steps that went wrong ---- */

static void tell_spike(RunFolder *folder, const TrainState *state, double grad_norm)
{
    double usual = state->norm_total / state->norm_count;

    run_log_begin(&folder->log, "spike");
    run_log_int(&folder->log, "step", state->step - 1);
    run_log_number(&folder->log, "grad_norm", grad_norm);
    run_log_number(&folder->log, "usual", usual);
    run_log_end(&folder->log);
    log_note(LOG_WARNING, "step %lld: the gradient's norm is %.3g, usually %.3g; the step is skipped",
             (long long)state->step - 1, grad_norm, usual);
}

RsdStatus run_folder_check_step(RunFolder *folder, const TrainState *state, bool spike, bool skipped, double grad_norm,
                                RsdError *err)
{
    if (spike)
        tell_spike(folder, state, grad_norm);
    if (!skipped) {
        folder->n_bad_steps = 0;
        return RSD_OK;
    }
    folder->n_bad_steps++;
    if (folder->n_bad_steps > folder->config->train.max_bad_steps)
        return error_set(err, RSD_ERR_NUMERIC, "step %lld: the gradient is not finite, for the %d. time in a row",
                         (long long)state->step - 1, folder->n_bad_steps);
    log_note(LOG_WARNING, "step %lld: the gradient is not finite; the step is skipped", (long long)state->step - 1);
    return RSD_OK;
}

void run_folder_log_failure(RunFolder *folder, int64_t step, RsdStatus status, RsdError *err)
{
    run_log_begin(&folder->log, "error");
    run_log_int(&folder->log, "step", step);
    run_log_text(&folder->log, "status", rsd_status_name(status));
    run_log_text(&folder->log, "text", err && err->text[0] ? err->text : "");
    run_log_end(&folder->log);
    if (status == RSD_ERR_NUMERIC && err) {
        size_t len = strlen(err->text);

        snprintf(err->text + len, sizeof err->text - len,
                 "; the last checkpoint is %s; go on from it with --resume and a lower optim.lr",
                 folder->last_checkpoint[0] ? folder->last_checkpoint : "(none yet)");
    }
}
