/* test_group_image.c - several members train a picture codec as one does with a batch as large as theirs together.
 *
 * Members are threads here (thread_group.h); tests/mpi/mpi.sh does the same with processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "tests/trainer/thread_group.h"
#include "trainer/train_image.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    runs_set(&cfg, "optim.method=adam");
    runs_set(&cfg, "optim.epsilon=0.001"); /* where a gradient is nearly 0, rounding must not decide the step */
}

static void tear_down(void)
{
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(group_image, .init = set_up, .fini = tear_down);

typedef struct Job {
    TrainConfig cfg;
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    bool resume;
    int stopped_member; /* asks to stop after the second step; -1: none */
    RsdStatus statuses[2];
    RsdError errors[2];
    TrainSummary summaries[2];
    ImageStepReport reports[2]; /* of the last step */
    volatile sig_atomic_t stop[2];
} Job;

typedef struct Member {
    Job *job;
    int rank;
} Member;

static void watch(void *ctx, const TrainProgress *progress)
{
    const Member *member = ctx;

    member->job->reports[member->rank] = *progress->picture;
    if (member->rank == member->job->stopped_member && progress->step == 2)
        member->job->stop[member->rank] = 1;
}

static void train_member(void *ctx, Group *group)
{
    Job *job = ctx;
    const int rank = group_rank(group);
    Member member = {job, rank};
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = job->run_dir, .resume = job->resume, .group = group,
                            .stop = &job->stop[rank], .progress = watch, .progress_ctx = &member};

    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    job->statuses[rank] = train_image(&job->cfg, &options, &job->summaries[rank], &job->errors[rank]);
    rsd_threads_destroy(&options.threads);
}

/* A run of n_members with batches of their own, in a folder of its own. */
static const Job *train(Job *job, const char *run, int n_members, int batch)
{
    job->cfg = cfg;
    job->cfg.data.batch = batch;
    snprintf(job->run_dir, sizeof job->run_dir, "%s/%s", base_dir, run);
    memset((void *)job->stop, 0, sizeof job->stop);
    if (n_members == 1)
        train_member(job, NULL);
    else
        thread_group_run(n_members, train_member, job);
    for (int r = 0; r < n_members; r++)
        cr_assert_eq(job->statuses[r], RSD_OK, "member %d: %s", r, job->errors[r].text);
    return job;
}

static void expect_same_as_one(void)
{
    static Job one, two;
    double apart;

    one.stopped_member = two.stopped_member = -1;
    train(&one, "one", 1, 4);
    train(&two, "two", 2, 2);
    apart = state_files_apart(one.summaries[0].checkpoint, two.summaries[0].checkpoint);
    cr_expect_lt(apart, 1e-4, "%g", apart);
    for (int r = 0; r < 2; r++) {
        cr_expect_float_eq(two.reports[r].loss, one.reports[0].loss, 1e-4 * one.reports[0].loss);
        cr_expect_float_eq(two.reports[r].bpp, one.reports[0].bpp, 1e-4 * one.reports[0].bpp);
        cr_expect_float_eq(two.reports[r].mse, one.reports[0].mse, 1e-4 * one.reports[0].mse);
    }
    recordings_remove(one.run_dir);
    recordings_remove(two.run_dir);
}

Test(group_image, two_members_with_half_the_batch_do_what_one_does_in_each_phase)
{
    expect_same_as_one();
    runs_set(&cfg, "picture.soft_start=1"); /* noise to the end */
    runs_set(&cfg, "picture.integer_start=1");
    runs_set(&cfg, "picture.start_batches=2");
    expect_same_as_one();
    runs_set(&cfg, "loss.ms_ssim_3=0.02");
    runs_set(&cfg, "loss.mse=0.02");
    runs_set(&cfg, "picture.heads=1");
    expect_same_as_one();
}

Test(group_image, critics_learn_from_the_whole_batch)
{
    runs_set(&cfg, "adversary.patch=4");
    runs_set(&cfg, "adversary.patch_layers=2");
    runs_set(&cfg, "adversary.r3_widths=8,8");
    runs_set(&cfg, "adversary.r3_group=8");
    runs_set(&cfg, "adversary.warmup=1");
    runs_set(&cfg, "adversary.r1=0.1");
    runs_set(&cfg, "adversary.feature_form=mean");
    runs_set(&cfg, "adversary.epsilon=0.001");
    runs_set(&cfg, "loss.balance=fixed");
    expect_same_as_one();
    runs_set(&cfg, "loss.balance=adaptive");
    expect_same_as_one();
}

Test(group_image, one_that_stops_stops_all_and_all_resume_to_the_bit)
{
    static Job whole = {.stopped_member = -1}, parts = {.stopped_member = 1};

    train(&whole, "whole", 2, 2);
    train(&parts, "parts", 2, 2);
    for (int r = 0; r < 2; r++) {
        cr_expect_eq((int)parts.summaries[r].end, (int)TRAIN_STOPPED);
        cr_expect_eq(parts.summaries[r].step, 2);
    }
    parts.stopped_member = -1;
    parts.resume = true;
    train(&parts, "parts", 2, 2);
    cr_expect_eq(parts.summaries[1].first_step, 2);
    state_files_expect_same(whole.summaries[0].checkpoint, parts.summaries[0].checkpoint, 40);
}

Test(group_image, less_of_a_gradient_can_be_sent_and_still_trains)
{
    static Job all = {.stopped_member = -1}, bytes = {.stopped_member = -1};

    runs_set(&cfg, "train.steps=15");
    train(&all, "all", 2, 2);
    runs_set(&cfg, "train.exchange=bytes");
    train(&bytes, "bytes", 2, 2);
    cr_expect_eq(all.reports[0].exchange.whole, 0.0);
    cr_expect(bytes.reports[0].exchange.sent > 0.0 && bytes.reports[0].exchange.sent < 0.7 * bytes.reports[0].exchange.whole);
    cr_expect_lt(bytes.reports[0].mse, 1.1 * all.reports[0].mse, "%g, of whole gradients %g", bytes.reports[0].mse,
                 all.reports[0].mse);
}

Test(group_image, a_start_that_would_not_fit_into_memory_is_refused_before_anything_is_read)
{
    static Job job = {.stopped_member = -1};
    const char *dirs[] = {data_dir};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = job.run_dir};

    runs_set(&cfg, "data.batch=4096");
    runs_set(&cfg, "picture.start_batches=1000");
    snprintf(job.run_dir, sizeof job.run_dir, "%s/never", base_dir);
    cr_assert_eq(train_image(&cfg, &options, &job.summaries[0], &job.errors[0]), RSD_ERR_ARG);
    cr_expect(strstr(job.errors[0].text, "picture.start_batches = 1000"), "%s", job.errors[0].text);
}
