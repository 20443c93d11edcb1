/* test_group.c - several members train what one does with a batch as large as theirs together.
 *
 * Members are threads here (thread_group.h); tests/cli/mpi.sh does the same with processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/weights/safetensors.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/thread_group.h"
#include "trainer/train_audio.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
}

static void tear_down(void)
{
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(group, .init = set_up, .fini = tear_down);

typedef struct Job {
    TrainConfig cfg;
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    const char *data[4]; /* of each member; NULL: data_dir */
    bool resume;
    int stopped_member; /* asks to stop after the second step; -1: none */
    RsdStatus statuses[4];
    RsdError errors[4];
    TrainSummary summaries[4];
    volatile sig_atomic_t stop[4];
} Job;

typedef struct Member {
    Job *job;
    int rank;
} Member;

static void ask_to_stop(void *ctx, const TrainProgress *progress)
{
    const Member *member = ctx;

    if (member->rank == member->job->stopped_member && progress->step == 2)
        member->job->stop[member->rank] = 1;
}

static void train_member(void *ctx, Group *group)
{
    Job *job = ctx;
    int rank = group_rank(group);
    Member member = {job, rank};
    const char *dirs[] = {job->data[rank] ? job->data[rank] : data_dir};
    TrainOptions options = {.dirs = dirs,
                            .n_dirs = 1,
                            .run_dir = job->run_dir,
                            .resume = job->resume,
                            .group = group,
                            .stop = &job->stop[rank],
                            .progress = ask_to_stop,
                            .progress_ctx = &member};

    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    job->statuses[rank] = train_audio(&job->cfg, &options, &job->summaries[rank], &job->errors[rank]);
    rsd_threads_destroy(&options.threads);
}

static Job *start(const char *run, int batch)
{
    static Job jobs[4];
    static int i;
    Job *job = &jobs[i++ % 4];

    memset(job, 0, sizeof *job);
    job->cfg = cfg;
    job->cfg.data.batch = batch;
    job->stopped_member = -1;
    snprintf(job->run_dir, sizeof job->run_dir, "%s/%s", base_dir, run);
    return job;
}

static void finish(Job *job, int n_members)
{
    if (n_members == 1)
        train_member(job, NULL);
    else
        thread_group_run(n_members, train_member, job);
    for (int r = 0; r < n_members; r++)
        cr_assert_eq(job->statuses[r], RSD_OK, "member %d: %s", r, job->errors[r].text);
}

/* The largest difference between the float arrays of two checkpoints, over the largest number of each array. */
static double difference_of(const Job *a, const Job *b)
{
    Safetensors *x, *y;
    double most = 0.0;
    char where[128] = "";

    cr_assert_eq(safetensors_open(&x, a->summaries[0].checkpoint, NULL), RSD_OK);
    cr_assert_eq(safetensors_open(&y, b->summaries[0].checkpoint, NULL), RSD_OK);
    cr_assert_eq(safetensors_count(x), safetensors_count(y));
    for (size_t i = 0; i < safetensors_count(x); i++) {
        const SafetensorsEntry *p = safetensors_entry(x, i), *q = safetensors_find(y, p->name);
        const float *u = (const void *)p->data, *v = (const void *)q->data;
        double scale = 1e-9, distance = 0.0;

        cr_assert_eq(p->size, q->size);
        if (p->dtype != DTYPE_F32)
            continue;
        for (size_t j = 0; j < p->size / sizeof *u; j++) {
            scale = fmax(scale, fabs((double)u[j]));
            distance = fmax(distance, fabs((double)u[j] - (double)v[j]));
        }
        if (!strstr(p->name, "optim")) /* a bias that has hardly left 0 is nothing but rounding */
            distance = fmax(distance - 2e-7, 0.0);
        if (distance / scale > most) {
            most = distance / scale;
            snprintf(where, sizeof where, "%s: %g of %g", p->name, distance, scale);
        }
    }
    safetensors_close(&x);
    safetensors_close(&y);
    if (most > 1e-3)
        fprintf(stderr, "the largest difference is in %s\n", where);
    return most;
}

static const char *const ADVERSARY[] = {"adversary.periods=2,3", "adversary.period_channels=4,8", "adversary.warmup=1",
                                        "adversary.r1=0.5", "train.steps=4"};

/* Adam divides by the root of a squared gradient: where a gradient is nearly 0, rounding decides its sign. A larger epsilon
 * keeps that from growing, so that what is compared is the sums. */
static void keep_rounding_small(void)
{
    cr_assert_eq(train_config_set(&cfg, "optim.epsilon=0.001", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "adversary.epsilon=0.001", NULL), RSD_OK);
}

static void expect_same_as_one(int n_members, int batch)
{
    Job *one = start("one", n_members * batch), *many = start("many", batch);

    keep_rounding_small();
    one->cfg.optimizer.epsilon = many->cfg.optimizer.epsilon = cfg.optimizer.epsilon;
    one->cfg.adversary.optimizer.epsilon = many->cfg.adversary.optimizer.epsilon = cfg.adversary.optimizer.epsilon;
    finish(one, 1);
    finish(many, n_members);
    cr_expect_lt(difference_of(one, many), 1e-4, "%g", difference_of(one, many));
    recordings_remove(one->run_dir);
    recordings_remove(many->run_dir);
}

Test(group, two_members_with_half_the_batch_do_what_one_does)
{
    expect_same_as_one(2, 2);
    expect_same_as_one(4, 1);
}

Test(group, every_balance_knows_the_whole_batch)
{
    static const char *const kinds[] = {"fixed", "uncertainty", "gap", "config"};
    char setting[64];

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(setting, sizeof setting, "loss.balance=%s", kinds[i]);
        cr_assert_eq(train_config_set(&cfg, setting, NULL), RSD_OK);
        expect_same_as_one(2, 2);
    }
    cr_assert_eq(train_config_set(&cfg, "loss.balance=encodec", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "loss.balance_per_item=no", NULL), RSD_OK);
    expect_same_as_one(2, 2);
}

Test(group, critics_learn_from_the_whole_batch)
{
    static const char *const kinds[] = {"encodec", "adaptive"};
    char setting[64];

    for (size_t i = 0; i < sizeof ADVERSARY / sizeof *ADVERSARY; i++)
        cr_assert_eq(train_config_set(&cfg, ADVERSARY[i], NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "adversary.feature_form=mean", NULL), RSD_OK);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(setting, sizeof setting, "loss.balance=%s", kinds[i]);
        cr_assert_eq(train_config_set(&cfg, setting, NULL), RSD_OK);
        expect_same_as_one(2, 2);
    }
}

/* BSQ's regulariser looks at how often each bit is set in the whole batch. */
Test(group, lattices_see_the_whole_batch)
{
    cr_assert_eq(train_config_set(&cfg, "model.code_dim=5", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "model.quantizer=bsq", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "train.rates=3k,6k", NULL), RSD_OK);
    expect_same_as_one(2, 2);
    cr_assert_eq(train_config_set(&cfg, "model.levels=5,5", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "model.quantizer=fsq", NULL), RSD_OK);
    expect_same_as_one(2, 2);
}

/* Codes die and are drawn anew in most of these steps. */
Test(group, dead_codes_are_replaced_from_the_whole_batch)
{
    cr_assert_eq(train_config_set(&cfg, "model.codebook_size=64", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "model.dead_below=0.9", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "model.codebook_decay=0.5", NULL), RSD_OK);
    expect_same_as_one(2, 2);
}

Test(group, one_that_stops_stops_all_and_all_resume)
{
    Job *whole = start("whole", 2), *broken = start("broken", 2);

    finish(whole, 2);
    broken->stopped_member = 1;
    finish(broken, 2);
    for (int r = 0; r < 2; r++) {
        cr_expect_eq((int)broken->summaries[r].end, (int)TRAIN_STOPPED);
        cr_expect_eq(broken->summaries[r].step, 2);
    }
    broken = start("broken", 2);
    broken->resume = true;
    finish(broken, 2);
    cr_expect_eq(broken->summaries[1].first_step, 2);
    cr_expect_eq(difference_of(whole, broken), 0.0, "the same bits");
}

Test(group, members_that_see_other_data_or_cannot_start_are_refused_together)
{
    char other[RECORDINGS_PATH_SIZE];
    Job *job = start("other", 2);

    recordings_make_folder(other);
    recordings_write_tones(other, 3);
    job->data[1] = other;
    thread_group_run(2, train_member, job);
    for (int r = 0; r < 2; r++)
        cr_expect(job->statuses[r] == RSD_ERR_ARG && strstr(job->errors[r].text, "other recordings"), "%s", job->errors[r].text);
    job = start("broken", 2);
    job->data[1] = "/nowhere";
    thread_group_run(2, train_member, job);
    cr_expect_neq(job->statuses[1], RSD_OK);
    cr_expect(strstr(job->errors[0].text, "another process"), "%s", job->errors[0].text);
    recordings_remove(other);
}

Test(group, a_loss_that_is_not_finite_ends_all)
{
    static const char *const wild[] = {"optim.lr=10", "optim.lr_final=10", "optim.warmup=0", "optim.clip=0", "train.steps=200",
                                       "model.norm=none"};
    Job *job;

    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++)
        cr_assert_eq(train_config_set(&cfg, wild[i], NULL), RSD_OK);
    job = start("wild", 2);
    thread_group_run(2, train_member, job);
    for (int r = 0; r < 2; r++)
        cr_expect_eq(job->statuses[r], RSD_ERR_NUMERIC, "%s", job->errors[r].text);
    cr_expect_eq(job->summaries[0].step, job->summaries[1].step);
}

/* The last number of this name in a run's log. */
static double last_number(const Job *job, const char *name)
{
    char path[2 * RECORDINGS_PATH_SIZE + 32], line[8192], key[64];
    double value = NAN;
    FILE *log;

    snprintf(path, sizeof path, "%s/log.jsonl", job->run_dir);
    snprintf(key, sizeof key, "\"%s\": ", name);
    log = fopen(path, "r");
    cr_assert_not_null(log);
    while (fgets(line, sizeof line, log))
        if (strstr(line, key))
            value = strtod(strstr(line, key) + strlen(key), NULL);
    fclose(log);
    return value;
}

Test(group, gradients_of_which_less_is_sent_train_about_as_well)
{
    static const char *const kinds[] = {"all", "top", "low_rank", "bytes"};
    double whole_loss = 0.0;

    train_config_set(&cfg, "train.steps=60", NULL);
    train_config_set(&cfg, "train.stages=all", NULL);
    train_config_set(&cfg, "train.log_every=20", NULL);
    train_config_set(&cfg, "train.exchange_keep=0.05", NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char setting[64];
        double loss, sent, whole;
        Job *job;

        snprintf(setting, sizeof setting, "train.exchange=%s", kinds[i]);
        cr_assert_eq(train_config_set(&cfg, setting, NULL), RSD_OK);
        job = start(kinds[i], 2);
        finish(job, 2);
        loss = last_number(job, cfg.loss.names[0]);
        sent = last_number(job, "sent"), whole = last_number(job, "whole");
        whole_loss = i ? whole_loss : loss;
        cr_expect_lt(loss, 1.25 * whole_loss, "%s: loss %g, of whole gradients %g", kinds[i], loss, whole_loss);
        cr_expect(i ? sent < 0.7 * whole : isnan(sent), "%s: %g of %g bytes", kinds[i], sent, whole);
        printf("%s: loss %.4f", kinds[i], loss);
        if (i) /* `all` tells no bytes */
            printf(", %.0f of %.0f bytes a step", sent, whole);
        printf("\n");
    }
    cr_assert_eq(train_config_set(&cfg, "optim.sam=0.05", NULL), RSD_OK);
    cr_expect_eq(train_config_check(&cfg, NULL), RSD_ERR_ARG, "two gradients a step are not exchanged in part");
}
