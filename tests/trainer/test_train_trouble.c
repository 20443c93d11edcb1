/* test_train_trouble.c - what goes wrong with runs on a folder of tones: data, disks, gradients, folders and models that do not fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/base/log.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/tone_runs.h"
#include "tests/trainer/warnings.h"
#include "trainer/run_history.h"

TestSuite(train_trouble, .init = tones_open, .fini = tones_close);

Test(train_trouble, a_finished_run_is_not_started_again_by_mistake)
{
    tones_expect_ok(tones_train("run", false, 1));
    ToneOutcome *outcome = tones_train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_EXISTS);
    cr_expect_not_null(strstr(outcome->err.text, "--resume"), "%s", outcome->err.text);
    outcome = tones_train("run", true, 1);
    tones_expect_ok(outcome);
    cr_expect_eq(outcome->summary.step, 6, "nothing was left to do");
}

Test(train_trouble, another_architecture_is_refused)
{
    tones_expect_ok(tones_train("run", false, 1));
    train_config_set(&tones.cfg, "model.base_channels=8", NULL);
    ToneOutcome *outcome = tones_train("run", true, 1);
    cr_expect_eq(outcome->status, RSD_ERR_MODEL);
    cr_expect_not_null(strstr(outcome->err.text, "model.base_channels"), "%s", outcome->err.text);
}

Test(train_trouble, a_model_of_another_architecture_is_no_start)
{
    char model[3 * RECORDINGS_PATH_SIZE];
    ToneOutcome *outcome;

    tones_expect_ok(tones_train("run", false, 1));
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(tones.base_dir, "run"));
    tones.init_path = model;
    train_config_set(&tones.cfg, "model.true_skip=no", NULL);
    outcome = tones_train("other", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_MODEL);
    cr_expect_not_null(strstr(outcome->err.text, "model.true_skip"), "%s", outcome->err.text);
    train_config_set(&tones.cfg, "model.true_skip=yes", NULL);
    cr_assert_eq(truncate(model, 1000), 0);
    cr_expect_eq(tones_train("cut", false, 1)->status, RSD_ERR_CORRUPT);
    tones.init_path = NULL;
}

Test(train_trouble, a_damaged_checkpoint_is_passed_over)
{
    train_config_set(&tones.cfg, "train.checkpoint_steps=2", NULL);
    tones_expect_ok(tones_train("run", false, 1));
    cr_assert_eq(truncate(tones_checkpoint("run", 6), 1000), 0);
    warnings.n = 0;
    ToneOutcome *outcome = tones_train("run", true, 1);
    tones_expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 4);
    cr_expect_gt(warnings.n, 0);
}

Test(train_trouble, a_full_disk_costs_no_older_checkpoint)
{
    ToneOutcome *outcome;

    train_config_set(&tones.cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&tones.cfg, "data.valid_every=4", NULL);
    train_config_set(&tones.cfg, "train.valid_steps=1", NULL);
    train_config_set(&tones.cfg, "train.samples=0", NULL);
    tones.fill_disk_at = 3;
    outcome = tones_train("run", false, 1);
    runs_limit_files(RLIM_INFINITY);
    tones.fill_disk_at = 0;
    cr_expect_eq(outcome->status, RSD_ERR_IO, "%s", outcome->err.text);
    cr_expect_eq(outcome->summary.step, 6, "training itself went on");
    cr_expect_geq(warnings.n, 6, "%d warnings: of checkpoints and of what validations would have left", warnings.n);
    cr_expect_not(tones_exists("run", "checkpoint-000000003.safetensors"));
    cr_expect_leq(outcome->summary.best_step, 2, "the best is one that has a file");
    cr_expect(tones_exists("run", "checkpoint-best.safetensors") && tones_exists("run", "model.safetensors"));
    outcome = tones_train("run", true, 1);
    tones_expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 2);
    cr_expect_eq(outcome->summary.step, 6);
}

Test(train_trouble, a_full_disk_at_the_start_leaves_the_configuration_and_the_log_can_be_read_on)
{
    char log[2 * RECORDINGS_PATH_SIZE], config[2 * RECORDINGS_PATH_SIZE];
    struct stat before, after;
    RunHistory history;
    RsdError err = {0};

    train_config_set(&tones.cfg, "train.tensorboard=no", NULL);
    tones.stop_at = 2;
    tones_expect_ok(tones_train("run", false, 1));
    tones.stop_at = 0;
    snprintf(log, sizeof log, "%s", runs_path(tones.base_dir, "run/log.jsonl"));
    snprintf(config, sizeof config, "%s", runs_path(tones.base_dir, "run/config.ini"));
    cr_assert_eq(stat(config, &before), 0);
    runs_limit_files(2048);
    cr_expect_eq(tones_train("run", true, 1)->status, RSD_ERR_IO);
    runs_limit_files(RLIM_INFINITY);
    cr_assert_eq(stat(config, &after), 0);
    cr_expect_eq(before.st_size, after.st_size);
    cr_assert(stat(log, &before) == 0 && truncate(log, before.st_size - 10) == 0);
    tones_expect_ok(tones_train("run", true, 1));
    cr_assert_eq(run_history_read(&history, runs_path(tones.base_dir, "run"), &err), RSD_OK, "%s", err.text);
    cr_expect_eq(history.n_damaged, 1);
    cr_expect_str_eq(history.events[history.n_events - 2].type, "resume");
    run_history_clear(&history);
}

Test(train_trouble, held_out_recordings_that_cannot_be_used_are_named_and_without_any_there_is_no_run)
{
    ToneOutcome *outcome;

    tones.valid_dir = tones.base_dir;
    recordings_write_tone(tones.base_dir, "short.wav", 0.4, 440, 0.5);
    outcome = tones_train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_CORRUPT);
    cr_expect(strstr(outcome->err.text, "none of the recordings of --valid"), "%s", outcome->err.text);
    cr_expect(strstr(warnings.last, "short.wav: shorter than 0.5 s"), "%s", warnings.last);
    recordings_write_tone(tones.base_dir, "long.wav", 0.6, 440, 0.5);
    warnings.n = 0;
    outcome = tones_train("run", false, 1);
    tones.valid_dir = NULL;
    tones_expect_ok(outcome);
    cr_expect(warnings.n == 1 && isfinite(outcome->summary.best_score));
    cr_expect_eq(train_config_set(&tones.cfg, "data.valid_clip=0.4s", NULL), RSD_ERR_ARG, "no recording would be long enough");
}

Test(train_trouble, a_gradient_that_stands_out_is_skipped_and_told)
{
    char text[65536];
    size_t size;
    FILE *log;

    train_config_set(&tones.cfg, "train.steps=36", NULL);
    train_config_set(&tones.cfg, "train.spike=1000", NULL);
    tones_expect_ok(tones_train("calm", false, 1));
    cr_expect_eq(warnings.n, 0, "%s", warnings.last);
    train_config_set(&tones.cfg, "train.spike=0.01", NULL); /* everything stands out, once there is an average */
    tones_expect_ok(tones_train("spikes", false, 1));
    cr_expect(warnings.n >= 5 && warnings.n <= 16, "%d warnings", warnings.n);
    cr_expect_neq(strstr(warnings.last, "usually"), NULL, "%s", warnings.last);
    log = fopen(runs_path(tones.base_dir, "spikes/log.jsonl"), "r");
    cr_assert_not_null(log);
    size = fread(text, 1, sizeof text - 1, log);
    fclose(log);
    text[size] = '\0';
    cr_expect_neq(strstr(text, "\"type\": \"spike\""), NULL);
    cr_expect_neq(strstr(text, "\"usage\": ["), NULL);
}

Test(train_trouble, a_loss_that_is_not_finite_stops_the_run_with_a_reason)
{
    train_config_set(&tones.cfg, "optim.lr=10", NULL);
    train_config_set(&tones.cfg, "optim.lr_final=10", NULL);
    train_config_set(&tones.cfg, "optim.warmup=0", NULL);
    train_config_set(&tones.cfg, "optim.clip=0", NULL);
    train_config_set(&tones.cfg, "train.steps=200", NULL);
    train_config_set(&tones.cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&tones.cfg, "model.norm=none", NULL);
    ToneOutcome *outcome = tones_train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_NUMERIC, "%s", outcome->err.text);
    cr_expect_not_null(strstr(outcome->err.text, "step "), "%s", outcome->err.text);
    cr_expect_not_null(strstr(outcome->err.text, "the last checkpoint is "), "%s", outcome->err.text);
}

Test(train_trouble, too_little_data_is_refused)
{
    train_config_set(&tones.cfg, "data.segment=30s", NULL);
    ToneOutcome *outcome = tones_train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_ARG);
    cr_expect_not_null(strstr(outcome->err.text, "data.segment"), "%s", outcome->err.text);
    cr_expect_not(tones_exists("run", "log.jsonl"));
}

Test(train_trouble, a_folder_in_use_or_out_of_reach_is_refused)
{
    int fd;

    cr_assert_eq(mkdir(runs_path(tones.base_dir, "busy"), 0777), 0);
    fd = open(runs_path(tones.base_dir, "busy"), O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_expect_eq(tones_train("busy", false, 1)->status, RSD_ERR_EXISTS);
    close(fd);
    recordings_write_bytes(tones.base_dir, "file", "no folder", 9);
    cr_expect_eq(tones_train("file/run", false, 1)->status, RSD_ERR_IO);
    tones_expect_ok(tones_train("new/run", false, 1)); /* folders above are made */
}

Test(train_trouble, a_broken_file_among_the_data_does_not_stop_the_run)
{
    recordings_write_bytes(tones.data_dir, "broken.wav", "RIFF....", 8);
    tones_expect_ok(tones_train("run", false, 1));
    cr_expect_eq(warnings.n, 1);
}
