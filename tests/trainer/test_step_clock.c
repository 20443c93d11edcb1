/* test_step_clock.c - a clock that jumps: the one of steps never goes back, and a run keeps its periods and knows what is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/log.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "trainer/step_clock.h"
#include "trainer/train_audio.h"

static double jumping_now;

static double jumping_clock(void)
{
    return jumping_now;
}

static void tear_down(void)
{
    step_clock_follow(NULL);
}

TestSuite(step_clock, .fini = tear_down);

Test(step_clock, never_goes_back_and_goes_on_from_where_it_stands)
{
    double before;

    jumping_now = 1000.0;
    step_clock_follow(jumping_clock);
    before = step_clock();
    jumping_now = 1003.0;
    cr_expect_eq(step_clock() - before, 3.0);
    jumping_now = -5e6;
    cr_expect_eq(step_clock() - before, 3.0);
    jumping_now += 2.0;
    cr_expect_eq(step_clock() - before, 5.0);
    jumping_now = 1000.0;
    cr_expect_eq(step_clock() - before, 5e6 + 1003.0, "forward it is followed: that time may have passed");
    jumping_now = NAN;
    step_clock_follow(NULL);
    before = step_clock();
    cr_expect(isfinite(before) && step_clock() >= before);
}

#define N_STEPS 30
#define BACK_AT 11
#define FORWARD_AT 20

static double left_s[N_STEPS + 1];

/* Each step takes a second, but for the jumps. */
static void pass_time(void *ctx, const TrainProgress *progress)
{
    (void)ctx;
    left_s[progress->step] = progress->left_s;
    jumping_now += progress->step == BACK_AT ? -1e6 : progress->step == FORWARD_AT ? 1e5 : 1.0;
}

/* Steps of the lines of this type, as text. */
static void steps_of(char *text, size_t size, const char *run_dir, const char *type)
{
    char path[2 * RECORDINGS_PATH_SIZE + 32], key[32];
    static char line[16384];
    size_t used = 0;
    FILE *log;

    snprintf(path, sizeof path, "%s/log.jsonl", run_dir);
    snprintf(key, sizeof key, "\"type\": \"%s\"", type);
    log = fopen(path, "r");
    cr_assert_not_null(log);
    text[0] = '\0';
    while (fgets(line, sizeof line, log)) {
        const char *step = strstr(line, "\"step\": ");

        cr_expect(!strstr(line, "inf") && !strstr(line, "nan"), "%s", line);
        if (strstr(line, key) && step)
            used += (size_t)snprintf(text + used, size - used, "%d ", atoi(step + 8));
    }
    fclose(log);
}

Test(step_clock, a_run_keeps_its_periods_and_knows_what_is_left)
{
    char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE], run_dir[2 * RECORDINGS_PATH_SIZE], text[256];
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .progress = pass_time};
    TrainSummary summary;
    TrainConfig cfg;
    RsdError err = {0};

    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
    runs_set(&cfg, "train.steps=30");
    runs_set(&cfg, "train.checkpoint_period=3s");
    runs_set(&cfg, "train.valid_period=4s");
    runs_set(&cfg, "data.valid_every=4");
    runs_set(&cfg, "train.time_limit=48h");
    snprintf(run_dir, sizeof run_dir, "%s/run", base_dir);
    jumping_now = 500.0;
    step_clock_follow(jumping_clock);
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_expect_eq(train_audio(&cfg, &options, &summary, &err), RSD_OK, "%s", err.text);
    rsd_threads_destroy(&options.threads);
    cr_expect_eq((int)summary.end, (int)TRAIN_FINISHED);

    /* The step in which it went back counts as no time; that in which it went forward ends each period. */
    steps_of(text, sizeof text, run_dir, "checkpoint");
    cr_expect_str_eq(text, "3 6 9 13 16 19 20 23 26 29 30 ");
    steps_of(text, sizeof text, run_dir, "valid");
    cr_expect_str_eq(text, "4 8 13 17 20 24 28 30 ");
    for (int step = 1; step <= N_STEPS; step++)
        cr_expect(left_s[step] >= 0.0 && left_s[step] <= 48.0 * 3600.0, "%g s left at step %d", left_s[step], step);
    for (int step = 2; step <= N_STEPS; step++) /* what is told after a step knows the steps before it */
        if (step != BACK_AT + 1)
            cr_expect_float_eq(left_s[step], N_STEPS - step, 1e-6, "%g s left at step %d", left_s[step], step);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

/* Each step takes a second, each validation 50. */
static void pass_second(void *ctx, const TrainProgress *progress)
{
    (void)ctx;
    (void)progress;
    jumping_now += 1.0;
}

static void pass_validation(void *ctx, LogLevel level, const char *text)
{
    (void)ctx;
    (void)level;
    jumping_now += strstr(text, "mel distance") ? 50.0 : 0.0;
}

Test(step_clock, a_time_limit_leaves_room_for_a_validation_or_goes_without)
{
    static const struct {
        const char *setting, *validated;
        int64_t step;
    } cases[] = {{"train.valid_steps=10", "10 20 30 ", 30}, {"train.valid_steps=60", "60 98 ", 98}, {"train.valid_steps=0", "", 198}};
    char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE], run_dir[2 * RECORDINGS_PATH_SIZE], text[256];
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .progress = pass_second};
    TrainSummary summary;
    TrainConfig cfg;
    RsdError err = {0};

    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
    runs_set(&cfg, "train.steps=1000");
    runs_set(&cfg, "data.valid_every=4");
    runs_set(&cfg, "train.samples=0");
    runs_set(&cfg, "train.time_limit=200s");
    log_set_sink(pass_validation, NULL);
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        runs_set(&cfg, cases[i].setting);
        snprintf(run_dir, sizeof run_dir, "%s/run%zu", base_dir, i);
        jumping_now = 0.0;
        step_clock_follow(jumping_clock);
        cr_assert_eq(train_audio(&cfg, &options, &summary, &err), RSD_OK, "%s", err.text);
        cr_expect_eq((int)summary.end, (int)TRAIN_TIME_LIMIT);
        cr_expect_eq(summary.step, cases[i].step, "%s: %d steps", cases[i].setting, (int)summary.step);
        cr_expect_leq(summary.seconds, 200.0, "%s: %g s", cases[i].setting, summary.seconds);
        steps_of(text, sizeof text, run_dir, "valid");
        cr_expect_str_eq(text, cases[i].validated, "%s: %s", cases[i].setting, text);
    }
    options.resume = true;
    cfg.train.steps = summary.step;
    cr_assert_eq(train_audio(&cfg, &options, &summary, &err), RSD_OK, "%s", err.text);
    steps_of(text, sizeof text, run_dir, "valid");
    cr_expect_str_eq(text, "198 ", "what was left is validated on resume: %s", text);
    rsd_threads_destroy(&options.threads);
    log_set_sink(NULL, NULL);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}
