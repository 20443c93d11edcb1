/* test_rd_trials.c - trials that are kept in a file: taken from there, passed over, refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "cli/rd_trials.h"
#include "tests/cli/rd_rig.h"
#include "tests/media/fixture.h"
#include "tests/shared.h"

static size_t count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t n = 0;

    cr_assert(file);
    for (int c; (c = fgetc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* A run with kept trials; how many were known. */
static size_t run_with_trials(RdRig *b, const char *path)
{
    size_t n;
    RsdError err = {0};

    b->run.n_points = 0;
    b->run.points = NULL;
    ASSERT_OK(rd_trials_open(&b->run.trials, path, &err), err);
    n = rd_trials_count(b->run.trials);
    ASSERT_OK(rd_run(&b->run, NULL, &err), err);
    rd_trials_close(&b->run.trials);
    return n;
}

Test(rd_trials, trials_that_were_kept_are_not_run_again, .fini = fixture_close)
{
    static RdRig b;
    const EvalOptions options = {0};
    EvalLimits limits;
    char path[512];
    RsdError err = {0};
    double rate, seconds;
    size_t n;

    rd_rig_open(&b);
    b.run.n_files = 1;
    snprintf(path, sizeof path, "%s", fixture_path("trials.jsonl"));
    cr_assert_eq(run_with_trials(&b, path), 0);
    n = b.run.n_points;
    cr_assert_eq(count_lines(path), n);
    rate = b.run.points[n - 1].rate;
    seconds = b.run.points[n - 1].encode_s;
    rd_run_clear(&b.run);
    append(path, "{\"trial\": \"killed in the mid"); /* and is passed over */
    cr_assert_eq(run_with_trials(&b, path), n);
    cr_expect(b.run.points[n - 1].usable && b.run.points[n - 1].rate == rate);
    cr_expect_float_eq(b.run.points[n - 1].encode_s, seconds, 1e-8 * seconds, "it was coded again");
    cr_assert_eq(count_lines(path), n + 1);
    rd_run_clear(&b.run);
    ASSERT_OK(eval_set_choose(&b.set, &limits, &eval_kind_image, &(EvalWishes){.metrics = "psnr,gmsd,ssim"}, &options, &err), err);
    cr_assert_eq(run_with_trials(&b, path), n);
    cr_assert_eq(count_lines(path), 2 * n + 1, "with a metric more they are new");
    rd_run_clear(&b.run);
}

static size_t n_tried;

static RsdStatus try_without_values(RdTrial *t, const RdRun *run, const RdCodec *codec, const RdSetting *setting, const RdThing *thing,
                                    Tape *tape, RsdError *err)
{
    (void)run, (void)codec, (void)setting, (void)thing, (void)tape, (void)err;
    n_tried++;
    t->n_bytes = 1000;
    t->values[0].value = -INFINITY;
    t->values[1].flags = METRIC_IDENTICAL;
    return RSD_OK;
}

Test(rd_trials, a_value_that_is_a_convention_or_infinite_is_known, .fini = fixture_close)
{
    static RdRig b;
    RdKind kind = rd_kind_picture;
    char path[512];
    size_t n;

    rd_rig_open(&b);
    kind.try = try_without_values;
    b.run.kind = &kind;
    b.run.n_files = 1;
    snprintf(path, sizeof path, "%s", fixture_path("trials.jsonl"));
    cr_assert_eq(run_with_trials(&b, path), 0);
    n = n_tried;
    cr_assert_eq(n, b.run.n_points);
    rd_run_clear(&b.run);
    cr_assert_eq(run_with_trials(&b, path), n);
    cr_expect_eq(n_tried, n, "%zu of them were tried again", n_tried - n);
    for (size_t p = 0; p < b.run.n_points; p++)
        cr_expect(b.run.points[p].usable && b.run.points[p].values[0].n == 0 && b.run.points[p].values[1].n == 0, "point %zu", p);
    rd_run_clear(&b.run);
}

#define N_LINES 7000 /* of 10 kB: more than 64 MiB, which was once a limit */

static void write_many(const char *path)
{
    FILE *file = fopen(path, "w");

    cr_assert(file);
    for (int i = 0; i < N_LINES; i++)
        fprintf(file,
                "{\"trial\": \"key %d\", \"file\": \"%010000d\", \"bytes\": %d, \"encode_s\": 1, \"decode_s\": 1, \"values\": {\"psnr\": 1%s}}\n",
                i % 7, i, i + 1, i % 10 ? ", \"gmsd\": 0" : ", \"gmsd\": null");
    cr_assert(ftell(file) > 64 << 20 && fclose(file) == 0);
}

Test(rd_trials, the_latest_line_that_knows_all_metrics_counts, .fini = fixture_close)
{
    static RdRig b;
    MetricValue values[2];
    RdTrial trial = {.values = values};
    char path[512];
    RsdError err = {0};

    rd_rig_open(&b);
    snprintf(path, sizeof path, "%s", fixture_path("many.jsonl"));
    write_many(path);
    ASSERT_OK(rd_trials_open(&b.run.trials, path, &err), err);
    cr_assert_eq(rd_trials_count(b.run.trials), N_LINES);
    for (int k = 0; k < 7; k++) {
        char key[32];
        int last = N_LINES - 1;

        while (last % 7 != k || last % 10 == 0)
            last--;
        snprintf(key, sizeof key, "key %d", k);
        cr_assert(rd_trials_find(b.run.trials, key, &b.set, &trial), "%s", key);
        cr_expect_eq(trial.n_bytes, last + 1, "%s: %lld", key, (long long)trial.n_bytes);
    }
    cr_expect_not(rd_trials_find(b.run.trials, "key 7", &b.set, &trial));
    rd_trials_close(&b.run.trials);
}

Test(rd_trials, what_is_no_file_of_trials_is_left_alone, .fini = fixture_close)
{
    char path[512];
    RdTrials *trials;
    RsdError err = {0};

    fixture_open();
    snprintf(path, sizeof path, "%s", fixture_path("letter.txt"));
    append(path, "Dear reader,\nthis is no trial.\n");
    ASSERT_FAILS(rd_trials_open(&trials, path, &err), RSD_ERR_CORRUPT, err, "no line of it is a trial");
    cr_assert_eq(count_lines(path), 2);
    ASSERT_FAILS(rd_trials_open(&trials, "/nonexistent/trials", &err), RSD_ERR_IO, err, "No such file");
    ASSERT_FAILS(rd_trials_open(&trials, "/dev/null", &err), RSD_ERR_IO, err, "is no file");
}
