/* test_rd_trials.c - trials that are kept in a file: taken from there, passed over, refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
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
