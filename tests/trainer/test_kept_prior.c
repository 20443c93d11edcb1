/* test_kept_prior.c - a prior that is frozen has the bytes of the file that training began from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/weights/safetensors.h"
#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "trainer/train_image.h"

#define PATH_SIZE ((size_t)2 * RECORDINGS_PATH_SIZE)

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;
static const char *prior_path; /* --prior; NULL: none */
static int n_remade; /* warnings that integers are made anew */

static void count_warning(void *ctx, LogLevel level, const char *text)
{
    (void)ctx;
    n_remade += level == LOG_WARNING && strstr(text, "made anew") != NULL;
}

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    n_remade = 0;
    log_set_sink(count_warning, NULL);
}

static void tear_down(void)
{
    log_set_sink(NULL, NULL);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(kept_prior, .init = set_up, .fini = tear_down);

static const char *in_run(const char *run, const char *name)
{
    return runs_path(runs_path(base_dir, run), name);
}

/* To step n_steps, on from a checkpoint when there is one. */
static RsdStatus train(const char *run, int n_steps, const char *init_path, RsdError *err)
{
    const char *dirs[] = {data_dir};
    char run_dir[PATH_SIZE], setting[32];
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = true, .init_path = init_path,
                            .prior_path = prior_path,
                            .export_half = true, .export_bytes = true};
    TrainSummary summary;
    RsdStatus status;

    snprintf(run_dir, sizeof run_dir, "%s", runs_path(base_dir, run));
    snprintf(setting, sizeof setting, "train.steps=%d", n_steps);
    runs_set(&cfg, setting);
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    status = train_image(&cfg, &options, &summary, err);
    rsd_threads_destroy(&options.threads);
    return status;
}

static void expect_trained(const char *run, int n_steps, const char *init_path)
{
    RsdError err = {0};

    cr_assert_eq(train(run, n_steps, init_path, &err), RSD_OK, "%s", err.text);
}

static void remove_step(const char *run, const char *name)
{
    cr_assert_eq(remove(in_run(run, name)), 0, "%s", name);
}

static uint8_t *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;

    cr_assert(file && fseek(file, 0, SEEK_END) == 0);
    *size = (size_t)ftell(file);
    rewind(file);
    cr_assert_eq(mem_alloc(&bytes, *size, 1, NULL), RSD_OK);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void write_all(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    cr_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* Integers that the float weights of the file would not give again. */
static void change_tables(const char *path)
{
    Safetensors *st;
    size_t size;
    uint8_t *bytes = read_all(path, &size), *at;
    const SafetensorsEntry *weights;

    cr_assert_eq(safetensors_open(&st, path, NULL), RSD_OK);
    weights = safetensors_find(st, "prior.z_weight");
    at = memmem(bytes, size, weights->data, weights->size);
    cr_assert(at && at[0] < 255 && weights->size > 64);
    at[0]++;
    safetensors_close(&st);
    write_all(path, bytes, size);
    mem_free(&bytes);
}

/* As a program wrote it that knew of no such arrays. */
static void drop_arrays(const char *path, const char *prefix)
{
    Safetensors *st;
    SafetensorsWriter *writer;
    char old[PATH_SIZE];

    snprintf(old, sizeof old, "%s.old", path);
    cr_assert_eq(rename(path, old), 0);
    cr_assert_eq(safetensors_open(&st, old, NULL), RSD_OK);
    cr_assert_eq(safetensors_writer_create(&writer, NULL), RSD_OK);
    for (size_t i = 0; i < safetensors_metadata_count(st); i++) {
        const char *key, *value;

        safetensors_metadata_at(st, i, &key, &value);
        cr_assert_eq(safetensors_writer_metadata(writer, key, value, NULL), RSD_OK);
    }
    for (size_t i = 0; i < safetensors_count(st); i++) {
        const SafetensorsEntry *e = safetensors_entry(st, i);

        if (strncmp(e->name, prefix, strlen(prefix)) != 0)
            cr_assert_eq(safetensors_writer_raw(writer, e->name, e->dtype, e->n_dims, e->shape, e->data, NULL), RSD_OK);
    }
    cr_assert_eq(safetensors_writer_finish(writer, path, NULL), RSD_OK);
    safetensors_writer_destroy(&writer);
    safetensors_close(&st);
}

static void expect_changed(int n_changed, const char *from, const char *run, const char *when)
{
    cr_assert_eq(state_files_count_changed(from, in_run(run, "model-i8.safetensors"), "prior."), n_changed, "%s, %s", run, when);
}

Test(kept_prior, is_that_of_the_file_through_checkpoints_and_those_of_older_programs)
{
    static const char *const runs[] = {"prior", "encoder", "trunk"};
    char first[PATH_SIZE], other[PATH_SIZE], setting[32];
    int n_changed;
    RsdError err = {0};

    runs_set(&cfg, "picture.heads=1");
    expect_trained("first", 2, NULL);
    runs_set(&cfg, "train.seed=7");
    expect_trained("other", 2, NULL);
    snprintf(first, sizeof first, "%s", in_run("first", "model-f16.safetensors"));
    snprintf(other, sizeof other, "%s", in_run("other", "model-f16.safetensors"));
    change_tables(first);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        snprintf(setting, sizeof setting, "train.freeze=%s", runs[i]);
        runs_set(&cfg, setting);
        expect_trained(runs[i], 1, first);
        expect_changed(0, first, runs[i], "begun");
        expect_trained(runs[i], 2, NULL);
        expect_changed(0, first, runs[i], "resumed");
        cr_assert_eq(n_remade, 0);

        remove_step(runs[i], "checkpoint-000000002.safetensors");
        remove_step(runs[i], "checkpoint-best.safetensors");
        drop_arrays(in_run(runs[i], "checkpoint-000000001.safetensors"), "prior.");
        cr_assert_eq(train(runs[i], 2, other, &err), RSD_ERR_MODEL, "%s", err.text);
        cr_assert(strstr(err.text, "not the model that the run began from"), "%s", err.text);
        expect_trained(runs[i], 2, first);
        expect_changed(0, first, runs[i], "resumed from an older checkpoint with the model");
        cr_assert_eq(n_remade, 0);

        remove_step(runs[i], "checkpoint-000000002.safetensors");
        remove_step(runs[i], "checkpoint-best.safetensors");
        expect_trained(runs[i], 2, NULL);
        n_changed = state_files_count_changed(first, in_run(runs[i], "model-i8.safetensors"), "prior.");
        cr_assert(n_changed == 1 || n_changed == 2, "%s: %d arrays; z_weight, and scale_weight where it counts otherwise", runs[i],
                  n_changed);
        cr_assert_eq(n_remade, 1);
        n_remade = 0;
    }
}

Test(kept_prior, may_be_that_of_another_model)
{
    char model[PATH_SIZE], twin[PATH_SIZE];
    RsdError err = {0};

    expect_trained("model", 2, NULL);
    runs_set(&cfg, "train.seed=7");
    expect_trained("twin", 2, NULL);
    snprintf(model, sizeof model, "%s", in_run("model", "model-f16.safetensors"));
    snprintf(twin, sizeof twin, "%s", in_run("twin", "model-f16.safetensors"));
    change_tables(model);
    prior_path = model;
    cr_assert_eq(train("refused", 1, twin, &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, model) && strstr(err.text, "train.freeze = prior"), "%s", err.text);

    runs_set(&cfg, "train.freeze=prior");
    runs_set(&cfg, "optim.lr=0");
    runs_set(&cfg, "optim.lr_final=0");
    expect_trained("follows", 1, twin);
    expect_changed(0, model, "follows", "begun");
    cr_assert_eq(state_files_count_changed(twin, in_run("follows", "model-f16.safetensors"), "decoder."), 0);
    prior_path = NULL;
    expect_trained("follows", 2, NULL);
    expect_changed(0, model, "follows", "resumed");

    runs_set(&cfg, "picture.entropy=24");
    expect_trained("wider", 1, NULL);
    prior_path = model;
    cr_assert_eq(train("odd", 1, in_run("wider", "model-f16.safetensors"), &err), RSD_ERR_MODEL, "%s", err.text);
    prior_path = NULL;
}
