/* test_train.c - whole runs on a folder of tones: learning, exact resume, clean ends, what goes wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "tests/trainer/warnings.h"
#include "trainer/run_history.h"
#include "trainer/train_audio.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
    warnings_keep();
}

static void tear_down(void)
{
    warnings_drop();
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(train, .init = set_up, .fini = tear_down);

typedef struct Outcome {
    RsdStatus status;
    RsdError err;
    TrainSummary summary;
    double first_loss, last_loss; /* the first loss of the first and the last step */
} Outcome;

#define BEFORE_FIRST (-1)

static volatile sig_atomic_t stop_flag;
static int64_t stop_at, fill_disk_at; /* 0: never */

static void watch(void *ctx, const TrainProgress *progress)
{
    Outcome *outcome = ctx;

    if (progress->step == 1)
        outcome->first_loss = progress->report->losses[0];
    outcome->last_loss = progress->report->losses[0];
    if (stop_at && progress->step == stop_at)
        stop_flag = 1;
    if (fill_disk_at && progress->step == fill_disk_at)
        runs_limit_files(2048);
}

static const char *init_path; /* of the next runs */

static const char *valid_dir;

static Outcome *train(const char *run, bool resume, int n_threads)
{
    static Outcome outcome;
    const char *dirs[] = {data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    TrainOptions options = {.dirs = dirs,
                            .n_dirs = 1,
                            .run_dir = run_dir,
                            .resume = resume,
                            .init_path = init_path,
                            .stop = &stop_flag,
                            .progress = watch,
                            .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    snprintf(run_dir, sizeof run_dir, "%s", runs_path(base_dir, run));
    options.valid_dirs = &valid_dir;
    options.n_valid_dirs = valid_dir != NULL;
    stop_flag = stop_at == BEFORE_FIRST;
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_audio(&cfg, &options, &outcome.summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

static void expect_ok(const Outcome *outcome)
{
    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
}

static bool exists(const char *run, const char *name)
{
    char path[3 * RECORDINGS_PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", runs_path(base_dir, run), name);
    return access(path, F_OK) == 0;
}

static const char *checkpoint(const char *run, int step)
{
    static char paths[2][3 * RECORDINGS_PATH_SIZE];
    static int i;
    char *path = paths[i++ % 2];

    snprintf(path, sizeof paths[0], "%s/checkpoint-%09d.safetensors", runs_path(base_dir, run), step);
    return path;
}

Test(train, a_small_run_reduces_the_loss_and_leaves_a_model)
{
    AudioCodec *codec;
    RsdError err = {0};
    Outcome *outcome;

    train_config_set(&cfg, "train.steps=150", NULL);
    train_config_set(&cfg, "train.stages=all", NULL);
    train_config_set(&cfg, "data.valid_every=4", NULL);
    train_config_set(&cfg, "train.valid_steps=50", NULL);
    outcome = train("run", false, 2);
    expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_FINISHED);
    cr_expect_lt(outcome->last_loss, 0.75 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss,
                 outcome->last_loss);
    cr_expect(isfinite(outcome->summary.best_score));
    cr_expect(exists("run", "log.jsonl") && exists("run", "config.ini") &&
              exists("run", "checkpoint-best.safetensors"));
    cr_expect(exists("run", "checkpoint-000000150.safetensors"));
    cr_assert_eq(audio_codec_load(&codec, runs_path(base_dir, "run/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_expect_eq(codec->config.rvq.n_q, 3);
    audio_codec_destroy(&codec);
}

Test(train, a_projected_quantiser_learns_and_resumes_to_the_bit)
{
    static const char *const settings[] = {"model.quantizer=projected", "model.code_dim=3", "model.strides=2,1", "train.rates=5000",
                                           "train.codes_ahead=1", "train.codes_follow=0.1", "train.codes_sync=0.5", "train.steps=60", "train.stages=all", "train.checkpoint_steps=30",
                                           "data.valid_every=4", "train.valid_steps=30", "train.quantizer_start=5", "train.keep=9"};
    AudioCodec *codec;
    RsdError err = {0};
    Outcome *outcome;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(train_config_set(&cfg, settings[i], &err), RSD_OK, "%s", err.text);
    outcome = train("whole", false, 2);
    expect_ok(outcome);
    cr_expect_lt(outcome->last_loss, 0.9 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss,
                 outcome->last_loss);
    stop_at = 30;
    expect_ok(train("parts", false, 1));
    stop_at = 0;
    expect_ok(train("parts", true, 1));
    state_files_expect_same(checkpoint("whole", 60), checkpoint("parts", 60), 20);
    cr_assert_eq(audio_codec_load(&codec, runs_path(base_dir, "whole/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_expect(audio_codec_is_projected(&codec->config) && codec->config.projected_rvq.code_dim == 3);
    cr_expect(audio_codec_stride(&codec->config, 0) == 2 && audio_codec_stride(&codec->config, 2) == 1);
    audio_codec_destroy(&codec);
    init_path = runs_path(base_dir, "whole/model.safetensors");
    cr_assert_eq(train_config_set(&cfg, "train.freeze=codes", &err), RSD_OK);
    expect_ok(train("next", false, 2));
    {
        char first[3 * RECORDINGS_PATH_SIZE], next[3 * RECORDINGS_PATH_SIZE];

        snprintf(first, sizeof first, "%s", runs_path(base_dir, "whole/model.safetensors"));
        snprintf(next, sizeof next, "%s", runs_path(base_dir, "next/model.safetensors"));
        cr_expect_eq(state_files_count_changed(first, next, "encoder."), 0);
        cr_expect_eq(state_files_count_changed(first, next, "embed"), 0);
        cr_expect_gt(state_files_count_changed(first, next, "decoder."), 4);
    }
    cr_assert_eq(train_config_set(&cfg, "model.strides=1", &err), RSD_OK);
    init_path = runs_path(base_dir, "whole/model.safetensors");
    cr_expect_eq(train("other", false, 1)->status, RSD_ERR_MODEL, "codes of two frames are another architecture");
    init_path = NULL;
    cr_assert_eq(train_config_set(&cfg, "model.quantizer=rvq", &err), RSD_OK);
    cr_expect_eq(train("refused", false, 1)->status, RSD_ERR_ARG, "codes of moving averages have no gradient to share");
}

Test(train, an_adapter_learns_beside_a_model_that_stays_as_it_is)
{
    AudioCodec *plain, *adapted;
    RsdError err = {0};
    Outcome *outcome;
    int n_same = 0;

    train_config_set(&cfg, "train.steps=20", NULL);
    expect_ok(train("base", false, 2));
    init_path = runs_path(base_dir, "base/model.safetensors");
    train_config_set(&cfg, "train.adapter_rank=2", NULL);
    train_config_set(&cfg, "train.steps=40", NULL);
    train_config_set(&cfg, "train.stages=all", NULL);
    outcome = train("whole", false, 2);
    expect_ok(outcome);
    cr_expect_lt(outcome->last_loss, outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss, outcome->last_loss);
    stop_at = 25;
    expect_ok(train("parts", false, 1));
    stop_at = 0;
    init_path = NULL;
    expect_ok(train("parts", true, 1));
    state_files_expect_same(checkpoint("whole", 40), checkpoint("parts", 40), 20);
    stop_at = BEFORE_FIRST;
    init_path = runs_path(base_dir, "base/model.safetensors");
    expect_ok(train("late", false, 1));
    stop_at = 0;
    init_path = NULL;
    expect_ok(train("late", true, 1));
    state_files_expect_same(checkpoint("whole", 40), checkpoint("late", 40), 20);
    cr_expect(exists("whole", "adapter.safetensors") && !exists("whole", "model.safetensors"));
    outcome = train("nothing", false, 1);
    cr_expect(outcome->status == RSD_ERR_ARG && strstr(outcome->err.text, "name it with --init"), "%s", outcome->err.text);

    cr_assert_eq(audio_codec_load(&plain, runs_path(base_dir, "base/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_load(&adapted, runs_path(base_dir, "base/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(adapter_apply(adapted, runs_path(base_dir, "whole/adapter.safetensors"), &err), RSD_OK, "%s", err.text);
    for (size_t i = 0; i < plain->params->n_items; i++) {
        const Param *a = &plain->params->items[i], *b = &adapted->params->items[i];
        bool same = !memcmp(a->tensor->data, b->tensor->data, (size_t)tensor_count(a->tensor) * sizeof(float));

        cr_expect(same || !strncmp(a->name, "decoder.", 8), "%s has changed", a->name);
        n_same += same;
    }
    cr_expect_lt(n_same, (int)plain->params->n_items - 8, "hardly anything was added");
    audio_codec_destroy(&plain);
    audio_codec_destroy(&adapted);
}

Test(train, resuming_equals_never_having_stopped)
{
    expect_ok(train("whole", false, 1));
    stop_at = 3;
    train_config_set(&cfg, "data.workers=2", NULL);
    Outcome *outcome = train("parts", false, 2);
    expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_STOPPED);
    cr_expect_eq(outcome->summary.step, 3);
    cr_expect_not(exists("parts", "checkpoint-000000006.safetensors"));
    stop_at = 0;
    train_config_set(&cfg, "data.workers=1", NULL);
    outcome = train("parts", true, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 3);
    cr_expect_eq(outcome->summary.step, 6);
    state_files_expect_same(checkpoint("whole", 6), checkpoint("parts", 6), 20);
}

Test(train, a_quantiser_that_joins_later_resumes_exactly_too)
{
    train_config_set(&cfg, "train.quantizer_start=3", NULL);
    train_config_set(&cfg, "data.valid_every=4", NULL);
    train_config_set(&cfg, "train.valid_steps=2", NULL);
    expect_ok(train("whole", false, 1));
    stop_at = 2;
    expect_ok(train("parts", false, 1));
    stop_at = 0;
    expect_ok(train("parts", true, 2));
    state_files_expect_same(checkpoint("whole", 6), checkpoint("parts", 6), 20);
}

Test(train, validation_and_checkpoints_change_no_bit)
{
    train_config_set(&cfg, "data.valid_every=4", NULL);
    expect_ok(train("plain", false, 2));
    train_config_set(&cfg, "train.valid_steps=2", NULL);
    train_config_set(&cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&cfg, "train.keep=2", NULL);
    expect_ok(train("busy", false, 2));
    state_files_expect_same(checkpoint("plain", 6), checkpoint("busy", 6), 20);
    cr_expect(exists("busy", "checkpoint-000000005.safetensors"));
    cr_expect_not(exists("busy", "checkpoint-000000004.safetensors"), "only the newest two are kept");
}

Test(train, a_finished_run_is_not_started_again_by_mistake)
{
    expect_ok(train("run", false, 1));
    Outcome *outcome = train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_EXISTS);
    cr_expect_not_null(strstr(outcome->err.text, "--resume"), "%s", outcome->err.text);
    outcome = train("run", true, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.step, 6, "nothing was left to do");
}

Test(train, another_architecture_is_refused)
{
    expect_ok(train("run", false, 1));
    train_config_set(&cfg, "model.base_channels=8", NULL);
    Outcome *outcome = train("run", true, 1);
    cr_expect_eq(outcome->status, RSD_ERR_MODEL);
    cr_expect_not_null(strstr(outcome->err.text, "model.base_channels"), "%s", outcome->err.text);
}

Test(train, a_run_can_start_from_the_weights_of_a_model)
{
    char model[3 * RECORDINGS_PATH_SIZE];
    double random_loss, trained_loss;
    Outcome *outcome = train("random", false, 1);

    expect_ok(outcome);
    random_loss = outcome->first_loss;
    trained_loss = outcome->last_loss;
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(base_dir, "random"));
    init_path = model;
    outcome = train("trained", false, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 0);
    cr_expect_lt(outcome->first_loss, random_loss, "%g from the model of a loss of %g, %g from random weights",
                 outcome->first_loss, trained_loss, random_loss);
    init_path = NULL;
}

/* Whether streams of the model `base` are decoded with `tuned`. */
static bool stands_in(const char *tuned, const char *base)
{
    AudioCodec *one, *other;
    RsdError err = {0};
    bool stands;

    cr_assert_eq(audio_codec_load(&one, base, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_codec_load(&other, tuned, &err), RSD_OK, "%s", err.text);
    stands = audio_codec_knows_hash(other, one->hash);
    audio_codec_destroy(&one);
    audio_codec_destroy(&other);
    return stands;
}

Test(train, a_frozen_part_keeps_every_bit_while_the_rest_learns)
{
    static const char *const freeze[] = {"train.freeze=encoder", "train.freeze=codes"};
    char model[3 * RECORDINGS_PATH_SIZE], tuned[3 * RECORDINGS_PATH_SIZE];

    expect_ok(train("run", false, 1));
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(base_dir, "run"));
    init_path = model;
    for (int i = 0; i < 2; i++) {
        const char *run = i ? "codes" : "encoder";

        cr_assert_eq(train_config_set(&cfg, freeze[i], NULL), RSD_OK);
        expect_ok(train(run, false, 1));
        snprintf(tuned, sizeof tuned, "%s/model.safetensors", runs_path(base_dir, run));
        cr_expect_eq(state_files_count_changed(model, tuned, "encoder."), 0, "%s", freeze[i]);
        cr_expect_gt(state_files_count_changed(model, tuned, "decoder."), 4, "%s", freeze[i]);
        cr_expect_eq(state_files_count_changed(model, tuned, "embed") == 0, i == 1, "%s", freeze[i]);
        cr_expect_eq(stands_in(tuned, model), i == 1, "%s", freeze[i]);
    }
    init_path = NULL;
}

Test(train, a_model_of_another_architecture_is_no_start)
{
    char model[3 * RECORDINGS_PATH_SIZE];
    Outcome *outcome;

    expect_ok(train("run", false, 1));
    snprintf(model, sizeof model, "%s/model.safetensors", runs_path(base_dir, "run"));
    init_path = model;
    train_config_set(&cfg, "model.true_skip=no", NULL);
    outcome = train("other", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_MODEL);
    cr_expect_not_null(strstr(outcome->err.text, "model.true_skip"), "%s", outcome->err.text);
    train_config_set(&cfg, "model.true_skip=yes", NULL);
    cr_assert_eq(truncate(model, 1000), 0);
    cr_expect_eq(train("cut", false, 1)->status, RSD_ERR_CORRUPT);
    init_path = NULL;
}

Test(train, a_damaged_checkpoint_is_passed_over)
{
    train_config_set(&cfg, "train.checkpoint_steps=2", NULL);
    expect_ok(train("run", false, 1));
    cr_assert_eq(truncate(checkpoint("run", 6), 1000), 0);
    warnings.n = 0;
    Outcome *outcome = train("run", true, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 4);
    cr_expect_gt(warnings.n, 0);
}

Test(train, a_full_disk_costs_no_older_checkpoint)
{
    Outcome *outcome;

    train_config_set(&cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&cfg, "data.valid_every=4", NULL);
    train_config_set(&cfg, "train.valid_steps=1", NULL);
    train_config_set(&cfg, "train.samples=0", NULL);
    fill_disk_at = 3;
    outcome = train("run", false, 1);
    runs_limit_files(RLIM_INFINITY);
    fill_disk_at = 0;
    cr_expect_eq(outcome->status, RSD_ERR_IO, "%s", outcome->err.text);
    cr_expect_eq(outcome->summary.step, 6, "training itself went on");
    cr_expect_geq(warnings.n, 6, "%d warnings: of checkpoints and of what validations would have left", warnings.n);
    cr_expect_not(exists("run", "checkpoint-000000003.safetensors"));
    cr_expect_leq(outcome->summary.best_step, 2, "the best is one that has a file");
    cr_expect(exists("run", "checkpoint-best.safetensors") && exists("run", "model.safetensors"));
    outcome = train("run", true, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 2);
    cr_expect_eq(outcome->summary.step, 6);
}

Test(train, a_full_disk_at_the_start_leaves_the_configuration_and_the_log_can_be_read_on)
{
    char log[2 * RECORDINGS_PATH_SIZE], config[2 * RECORDINGS_PATH_SIZE];
    struct stat before, after;
    RunHistory history;
    RsdError err = {0};

    train_config_set(&cfg, "train.tensorboard=no", NULL);
    stop_at = 2;
    expect_ok(train("run", false, 1));
    stop_at = 0;
    snprintf(log, sizeof log, "%s", runs_path(base_dir, "run/log.jsonl"));
    snprintf(config, sizeof config, "%s", runs_path(base_dir, "run/config.ini"));
    cr_assert_eq(stat(config, &before), 0);
    runs_limit_files(2048);
    cr_expect_eq(train("run", true, 1)->status, RSD_ERR_IO);
    runs_limit_files(RLIM_INFINITY);
    cr_assert_eq(stat(config, &after), 0);
    cr_expect_eq(before.st_size, after.st_size);
    cr_assert(stat(log, &before) == 0 && truncate(log, before.st_size - 10) == 0);
    expect_ok(train("run", true, 1));
    cr_assert_eq(run_history_read(&history, runs_path(base_dir, "run"), &err), RSD_OK, "%s", err.text);
    cr_expect_eq(history.n_damaged, 1);
    cr_expect_str_eq(history.events[history.n_events - 2].type, "resume");
    run_history_clear(&history);
}

Test(train, changed_settings_are_told_on_resume)
{
    stop_at = 2;
    expect_ok(train("run", false, 1));
    stop_at = 0;
    train_config_set(&cfg, "optim.lr=0.002", NULL);
    warnings.n = 0;
    expect_ok(train("run", true, 1));
    cr_expect_not_null(strstr(warnings.last, "optim.lr"), "%s", warnings.last);
}

Test(train, held_out_recordings_that_cannot_be_used_are_named_and_without_any_there_is_no_run)
{
    Outcome *outcome;

    valid_dir = base_dir;
    recordings_write_tone(base_dir, "short.wav", 0.4, 440, 0.5);
    outcome = train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_CORRUPT);
    cr_expect(strstr(outcome->err.text, "none of the recordings of --valid"), "%s", outcome->err.text);
    cr_expect(strstr(warnings.last, "short.wav: shorter than 0.5 s"), "%s", warnings.last);
    recordings_write_tone(base_dir, "long.wav", 0.6, 440, 0.5);
    warnings.n = 0;
    outcome = train("run", false, 1);
    valid_dir = NULL;
    expect_ok(outcome);
    cr_expect(warnings.n == 1 && isfinite(outcome->summary.best_score));
    cr_expect_eq(train_config_set(&cfg, "data.valid_clip=0.4s", NULL), RSD_ERR_ARG, "no recording would be long enough");
}

Test(train, settings_of_pictures_are_no_change)
{
    stop_at = 2;
    train_config_set(&cfg, "picture.crop=64", NULL);
    train_config_set(&cfg, "adversary.patch_kinds=64", NULL);
    expect_ok(train("run", false, 1));
    stop_at = 0;
    warnings.n = 0;
    expect_ok(train("run", true, 1));
    cr_expect_eq(warnings.n, 0, "%s", warnings.last);
}

Test(train, a_gradient_that_stands_out_is_skipped_and_told)
{
    char text[65536];
    size_t size;
    FILE *log;

    train_config_set(&cfg, "train.steps=36", NULL);
    train_config_set(&cfg, "train.spike=1000", NULL);
    expect_ok(train("calm", false, 1));
    cr_expect_eq(warnings.n, 0, "%s", warnings.last);
    train_config_set(&cfg, "train.spike=0.01", NULL); /* everything stands out, once there is an average */
    expect_ok(train("spikes", false, 1));
    cr_expect(warnings.n >= 5 && warnings.n <= 16, "%d warnings", warnings.n);
    cr_expect_neq(strstr(warnings.last, "usually"), NULL, "%s", warnings.last);
    log = fopen(runs_path(base_dir, "spikes/log.jsonl"), "r");
    cr_assert_not_null(log);
    size = fread(text, 1, sizeof text - 1, log);
    fclose(log);
    text[size] = '\0';
    cr_expect_neq(strstr(text, "\"type\": \"spike\""), NULL);
    cr_expect_neq(strstr(text, "\"usage\": ["), NULL);
}

Test(train, a_loss_that_is_not_finite_stops_the_run_with_a_reason)
{
    train_config_set(&cfg, "optim.lr=10", NULL);
    train_config_set(&cfg, "optim.lr_final=10", NULL);
    train_config_set(&cfg, "optim.warmup=0", NULL);
    train_config_set(&cfg, "optim.clip=0", NULL);
    train_config_set(&cfg, "train.steps=200", NULL);
    train_config_set(&cfg, "train.checkpoint_steps=1", NULL);
    train_config_set(&cfg, "model.norm=none", NULL);
    Outcome *outcome = train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_NUMERIC, "%s", outcome->err.text);
    cr_expect_not_null(strstr(outcome->err.text, "step "), "%s", outcome->err.text);
    cr_expect_not_null(strstr(outcome->err.text, "the last checkpoint is "), "%s", outcome->err.text);
}

Test(train, parts_of_a_batch_add_up_to_the_whole)
{
    static const char *const settings[] = {"loss.balance=fixed", "train.quantizer_start=100", "optim.epsilon=0.001"};
    char whole[3 * RECORDINGS_PATH_SIZE];

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(train_config_set(&cfg, settings[i], NULL), RSD_OK);
    expect_ok(train("whole", false, 1));
    snprintf(whole, sizeof whole, "%s", checkpoint("whole", 6));
    cr_assert_eq(train_config_set(&cfg, "train.accumulate=2", NULL), RSD_OK);
    expect_ok(train("halves", false, 1));
    cr_expect_lt(state_files_apart(whole, checkpoint("halves", 6)), 1e-5);
    cr_assert_eq(train_config_set(&cfg, "train.accumulate=4", NULL), RSD_OK);
    expect_ok(train("quarters", false, 2));
    cr_expect_lt(state_files_apart(whole, checkpoint("quarters", 6)), 1e-5);
    cr_assert_eq(train_config_set(&cfg, "train.quantizer_start=0", NULL), RSD_OK);
    expect_ok(train("quantised", false, 1));
    cr_assert_eq(train_config_set(&cfg, "train.accumulate=3", NULL), RSD_OK);
    cr_expect_eq(train("thirds", false, 1)->status, RSD_ERR_ARG);
}

Test(train, a_gradient_from_uphill_is_another_one_and_resumes_exactly)
{
    char plain[3 * RECORDINGS_PATH_SIZE], near[3 * RECORDINGS_PATH_SIZE], far[3 * RECORDINGS_PATH_SIZE];

    cr_assert_eq(train_config_set(&cfg, "optim.epsilon=0.001", NULL), RSD_OK);
    expect_ok(train("plain", false, 1));
    snprintf(plain, sizeof plain, "%s", checkpoint("plain", 6));
    cr_assert_eq(train_config_set(&cfg, "optim.sam=1e-7", NULL), RSD_OK);
    expect_ok(train("near", false, 1));
    snprintf(near, sizeof near, "%s", checkpoint("near", 6));
    cr_expect_lt(state_files_apart(plain, near), 1e-3, "%g", state_files_apart(plain, near));
    cr_assert_eq(train_config_set(&cfg, "optim.sam=0.2", NULL), RSD_OK);
    expect_ok(train("far", false, 1));
    snprintf(far, sizeof far, "%s", checkpoint("far", 6));
    cr_expect_gt(state_files_apart(plain, far), 1e-3, "%g", state_files_apart(plain, far));
    stop_at = 3;
    expect_ok(train("broken", false, 2));
    stop_at = 0;
    expect_ok(train("broken", true, 1));
    state_files_expect_same(far, checkpoint("broken", 6), 20);
}

Test(train, a_time_limit_ends_the_run_with_a_checkpoint)
{
    train_config_set(&cfg, "train.steps=1000000", NULL);
    train_config_set(&cfg, "train.time_limit=2.5s", NULL);
    Outcome *outcome = train("run", false, 1);
    expect_ok(outcome);
    cr_expect_eq((int)outcome->summary.end, (int)TRAIN_TIME_LIMIT);
    cr_expect_gt(outcome->summary.step, 0);
    cr_expect_eq(access(outcome->summary.checkpoint, F_OK), 0);
    cr_expect_lt(outcome->summary.seconds, 5.0);
}

Test(train, too_little_data_is_refused)
{
    train_config_set(&cfg, "data.segment=30s", NULL);
    Outcome *outcome = train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_ARG);
    cr_expect_not_null(strstr(outcome->err.text, "data.segment"), "%s", outcome->err.text);
    cr_expect_not(exists("run", "log.jsonl"));
}

Test(train, a_folder_in_use_or_out_of_reach_is_refused)
{
    int fd;

    cr_assert_eq(mkdir(runs_path(base_dir, "busy"), 0777), 0);
    fd = open(runs_path(base_dir, "busy"), O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    cr_expect_eq(train("busy", false, 1)->status, RSD_ERR_EXISTS);
    close(fd);
    recordings_write_bytes(base_dir, "file", "no folder", 9);
    cr_expect_eq(train("file/run", false, 1)->status, RSD_ERR_IO);
    expect_ok(train("new/run", false, 1)); /* folders above are made */
}

Test(train, a_broken_file_among_the_data_does_not_stop_the_run)
{
    recordings_write_bytes(data_dir, "broken.wav", "RIFF....", 8);
    expect_ok(train("run", false, 1));
    cr_expect_eq(warnings.n, 1);
}

Test(train, the_number_of_stages_follows_the_configuration)
{
    int counts[RVQ_MAX_STAGES + 1] = {0};

    train_config_init(&cfg);
    for (int64_t step = 0; step < 6000; step++)
        counts[audio_step_stages(&cfg, step)]++;
    for (int n = 1; n <= 12; n++) {
        double expected = 6000 * (0.5 / 12 + (n == 3 || n == 6 || n == 12 ? 0.5 / 3 : 0.0));

        cr_expect(fabs(counts[n] - expected) < 5 * sqrt(expected), "%d stages: %d times, expected about %g", n,
                  counts[n], expected);
    }
    cfg.train.stages = STAGES_ALL;
    cr_expect_eq(audio_step_stages(&cfg, 17), 12);
}

Test(train, the_plan_writes_nothing_and_knows_the_model)
{
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = runs_path(base_dir, "plan")};
    TrainPlan plan;
    RsdError err = {0};

    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_assert_eq(train_audio_plan(&cfg, &options, 2, &plan, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(plan.n_parameters, seanet_count_parameters(&cfg.model.seanet));
    cr_expect_eq(plan.n_codebook_numbers, 3 * 16 * 8);
    cr_expect_gt(plan.step_s, 0.0);
    cr_expect_gt(plan.step_size, 1000);
    cr_expect_neq(access(runs_path(base_dir, "plan"), F_OK), 0);
    rsd_threads_destroy(&options.threads);
}
