/* test_train_image.c - whole runs of a small picture codec.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "models/image_prior.h"
#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "tests/trainer/warnings.h"
#include "trainer/train_image.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    warnings_keep();
}

static void tear_down(void)
{
    warnings_drop();
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(train_image, .init = set_up, .fini = tear_down);

typedef struct Outcome {
    RsdStatus status;
    RsdError err;
    TrainSummary summary;
    double first_loss, last_loss;
    bool saw_float, saw_integer;
} Outcome;

#define BEFORE_FIRST (-1)

static volatile sig_atomic_t stop_flag;
static int64_t stop_at, fill_disk_at; /* 0: never */

static void watch(void *ctx, const TrainProgress *progress)
{
    Outcome *outcome = ctx;

    if (progress->step == 1)
        outcome->first_loss = progress->picture->loss;
    outcome->last_loss = progress->picture->loss;
    outcome->saw_float |= !progress->picture->integer;
    outcome->saw_integer |= progress->picture->integer;
    if (stop_at && progress->step == stop_at)
        stop_flag = 1;
    if (fill_disk_at && progress->step == fill_disk_at)
        runs_limit_files(2048);
}

static const char *init_path;

static const char *valid_dir;

static Outcome *train(const char *run, bool resume, int n_threads)
{
    static Outcome outcome;
    const char *dirs[] = {data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = resume, .init_path = init_path, .stop = &stop_flag,
                            .export_half = true, .progress = watch, .progress_ctx = &outcome};

    memset(&outcome, 0, sizeof outcome);
    snprintf(run_dir, sizeof run_dir, "%s", runs_path(base_dir, run));
    options.valid_dirs = &valid_dir;
    options.n_valid_dirs = valid_dir != NULL;
    stop_flag = stop_at == BEFORE_FIRST;
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    outcome.status = train_image(&cfg, &options, &outcome.summary, &outcome.err);
    rsd_threads_destroy(&options.threads);
    return &outcome;
}

static void expect_ok(const Outcome *outcome)
{
    cr_assert_eq(outcome->status, RSD_OK, "%s", outcome->err.text);
}

/* The integers of the prior, the tables of z, and how much of the rest moved. */
static void expect_twins(const ImageCodec *one, const ImageCodec *other)
{
    const IntegerPrior *a = one->prior, *b = other->prior;
    int n_moved = 0;

    for (int i = 0; i < PRIOR_N_LAYERS; i++) {
        cr_assert_eq(a->layers[i].shift, b->layers[i].shift);
        cr_assert_arr_eq(a->layers[i].weight, b->layers[i].weight, (size_t)(a->layers[i].n_out * a->layers[i].n_in));
        cr_assert_arr_eq(a->layers[i].bias, b->layers[i].bias, (size_t)a->layers[i].n_out * sizeof *a->layers[i].bias);
        cr_assert_arr_eq(a->layers[i].mult, b->layers[i].mult, (size_t)a->layers[i].n_out * sizeof *a->layers[i].mult);
    }
    cr_assert_arr_eq(a->level_bias, b->level_bias, (size_t)(IMAGE_LEVELS * one->config.latent) * sizeof *a->level_bias);
    cr_assert_arr_eq(a->tables.weight, b->tables.weight, (size_t)(one->config.hyper * (IMAGE_Z_SYMBOLS + 1)) * sizeof(int32_t));
    for (size_t i = 0; i < one->params->n_items; i++)
        n_moved += strncmp(one->params->items[i].name, "prior.", 6) != 0 &&
                   memcmp(one->params->items[i].tensor->data, other->params->items[i].tensor->data,
                          (size_t)tensor_count(one->params->items[i].tensor) * sizeof(float)) != 0;
    cr_assert_gt(n_moved, 20);
}

Test(train_image, a_twin_for_another_loss_keeps_the_prior_to_the_bit)
{
    char first[2 * RECORDINGS_PATH_SIZE];
    ImageCodec *from, *twin;
    RsdError err = {0};

    train_config_set(&cfg, "train.steps=20", NULL);
    expect_ok(train("first", false, 2));
    snprintf(first, sizeof first, "%s", runs_path(base_dir, "first/model.safetensors"));
    train_config_set(&cfg, "train.steps=8", NULL);
    train_config_set(&cfg, "train.freeze=prior", NULL);
    train_config_set(&cfg, "picture.integer_start=0", NULL);
    train_config_set(&cfg, "picture.early_share=0", NULL);
    train_config_set(&cfg, "loss.ms_ssim_3=0.02", NULL);
    train_config_set(&cfg, "loss.mse=0.02", NULL);
    cr_assert_eq(train_config_set(&cfg, "model.name=tiny-msssim3", &err), RSD_OK, "%s", err.text);
    init_path = first;
    expect_ok(train("twin", false, 2));
    init_path = NULL;
    cr_assert_eq(image_codec_load(&from, first, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&twin, runs_path(base_dir, "twin/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_str_eq(twin->config.name, "tiny-msssim3");
    expect_twins(from, twin);
    image_codec_destroy(&from);
    image_codec_destroy(&twin);
}

Test(train_image, losses_and_frozen_parts_are_those_of_pictures)
{
    RsdError err = {0};

    cr_assert_eq(train_config_set(&cfg, "loss.mel_dac=1", NULL), RSD_OK);
    cr_assert_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, "loss.mel_dac is no loss of pictures"), "%s", err.text);
    train_config_set(&cfg, "loss.mel_dac=0", NULL);
    train_config_set(&cfg, "train.freeze=codes", NULL);
    cr_assert_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, "keep its encoder, its prior"), "%s", err.text);
}

Test(train_image, a_small_run_learns_goes_through_its_phases_and_leaves_a_model)
{
    Outcome *outcome;
    ImageCodec *codec;
    RsdError err = {0};

    train_config_set(&cfg, "train.steps=60", NULL);
    outcome = train("run", false, 2);
    expect_ok(outcome);
    cr_assert_eq((int)outcome->summary.end, (int)TRAIN_FINISHED);
    cr_assert_lt(outcome->last_loss, 0.5 * outcome->first_loss, "loss %g at first, %g at last", outcome->first_loss,
                 outcome->last_loss);
    cr_assert(outcome->saw_float && outcome->saw_integer);
    cr_assert(isfinite(outcome->summary.best_score));
    cr_assert_eq(access(runs_path(base_dir, "run/checkpoint-best.safetensors"), F_OK), 0);
    cr_assert_eq(access(runs_path(base_dir, "run/config.ini"), F_OK), 0);
    cr_assert_eq(image_codec_load(&codec, runs_path(base_dir, "run/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_str_eq(codec->config.name, "tiny");
    image_codec_destroy(&codec);
    cr_assert_eq(image_codec_load(&codec, runs_path(base_dir, "run/model-f16.safetensors"), &err), RSD_OK, "%s", err.text);
    image_codec_destroy(&codec);
}

Test(train_image, held_out_pictures_that_cannot_be_used_are_named_and_without_any_there_is_no_run)
{
    Outcome *outcome;

    valid_dir = base_dir;
    painted_write(base_dir, "small.png", 100, 40, 0);
    outcome = train("run", false, 1);
    cr_expect_eq(outcome->status, RSD_ERR_CORRUPT);
    cr_expect(strstr(outcome->err.text, "none of the pictures of --valid"), "%s", outcome->err.text);
    cr_expect(strstr(warnings.last, "small.png: smaller than 64 pixels"), "%s", warnings.last);
    painted_write(base_dir, "large.png", 100, 80, 0);
    cfg.data.valid_clips = 2;
    warnings.n = 0;
    outcome = train("run", false, 1);
    valid_dir = NULL;
    expect_ok(outcome);
    cr_expect(warnings.n == 1 && isfinite(outcome->summary.best_score));
}

Test(train_image, a_start_from_principal_components_is_a_good_one_and_resumes_alike)
{
    double at_random;
    Outcome *outcome;

    outcome = train("random", false, 1);
    expect_ok(outcome);
    at_random = outcome->first_loss;
    train_config_set(&cfg, "picture.start_batches=3", NULL);
    outcome = train("whole", false, 1);
    expect_ok(outcome);
    cr_assert_lt(outcome->first_loss, 0.5 * at_random, "loss %g, at random %g", outcome->first_loss, at_random);
    stop_at = 3;
    expect_ok(train("parts", false, 2));
    stop_at = 0;
    expect_ok(train("parts", true, 2));
    state_files_expect_same(runs_path(base_dir, "whole/checkpoint-000000006.safetensors"),
                            runs_path(base_dir, "parts/checkpoint-000000006.safetensors"), 40);
}

/* A model's own weights, or the start from principal components, which is no function of weights that have had it already. */
Test(train_image, a_run_that_stopped_before_its_first_step_resumes_alike)
{
    char model[2 * RECORDINGS_PATH_SIZE];

    train_config_set(&cfg, "picture.start_batches=3", NULL);
    for (int i = 0; i < 2; i++) {
        const char *whole = i ? "with-model" : "whole", *parts = i ? "with-model-parts" : "parts";
        char path[2][4 * RECORDINGS_PATH_SIZE];

        expect_ok(train(whole, false, 1));
        stop_at = BEFORE_FIRST;
        expect_ok(train(parts, false, 1));
        stop_at = 0;
        init_path = NULL;
        expect_ok(train(parts, true, 1));
        for (int k = 0; k < 2; k++)
            snprintf(path[k], sizeof path[k], "%s/checkpoint-000000006.safetensors", runs_path(base_dir, k ? parts : whole));
        state_files_expect_same(path[0], path[1], 40);
        snprintf(model, sizeof model, "%s", runs_path(base_dir, "whole/model.safetensors"));
        init_path = model;
    }
    init_path = NULL;
}

static uint32_t weights_crc(const TrainState *state)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < state->params->n_items; i++) {
        const Tensor *tensor = state->params->items[i].tensor;

        crc = crc32_update(crc, tensor->data, (size_t)tensor_count(tensor) * sizeof *tensor->data);
    }
    return crc;
}

Test(train_image, averages_begin_as_the_start_from_principal_components)
{
    static TrainConfig was;
    uint32_t crc;
    TrainState *state;
    RsdError err = {0};

    train_config_set(&cfg, "picture.start_batches=3", NULL);
    stop_at = BEFORE_FIRST;
    expect_ok(train("run", false, 1));
    stop_at = 0;
    cr_assert_eq(train_state_create(&state, &cfg, kernels_pick(), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(checkpoint_load(state, &cfg, runs_path(base_dir, "run/checkpoint-000000000.safetensors"), &was, &err), RSD_OK, "%s", err.text);
    crc = weights_crc(state);
    optimizer_swap_average(state->optimizer);
    cr_assert_eq(weights_crc(state), crc);
    train_state_destroy(&state);
}

Test(train_image, resuming_equals_never_having_stopped_for_any_number_of_threads)
{
    Outcome *outcome;

    expect_ok(train("whole", false, 1));
    stop_at = 3;
    outcome = train("parts", false, 2);
    expect_ok(outcome);
    cr_assert_eq((int)outcome->summary.end, (int)TRAIN_STOPPED);
    cr_assert_eq(outcome->summary.step, 3);
    stop_at = 0;
    outcome = train("parts", true, 2);
    expect_ok(outcome);
    cr_assert_eq(outcome->summary.first_step, 3);
    state_files_expect_same(runs_path(base_dir, "whole/checkpoint-000000006.safetensors"),
                            runs_path(base_dir, "parts/checkpoint-000000006.safetensors"), 40);
}

Test(train_image, a_written_configuration_reads_back_the_same)
{
    TrainConfig back;
    char key[64], *text;
    RsdError err = {0};

    cr_assert_eq(train_config_print(&text, &cfg, true, &err), RSD_OK);
    cr_assert(!strstr(text, "period_channels") && strstr(text, "patch_context"), "critics are those of pictures");
    train_config_init(&back);
    cr_assert_eq(train_config_parse(&back, text, "text", &err), RSD_OK, "%s", err.text);
    cr_assert_null(train_config_difference(&cfg, &back, "picture", key));
    cr_assert_null(train_config_difference(&cfg, &back, "model", key));
    mem_free(&text);
}

Test(train_image, settings_of_sound_do_not_stand_in_the_way_of_going_on)
{
    train_config_set(&cfg, "model.base_channels=24", NULL);
    train_config_set(&cfg, "adversary.period_channels=8", NULL);
    stop_at = 2;
    expect_ok(train("run", false, 1));
    stop_at = 0;
    warnings.n = 0;
    expect_ok(train("run", true, 1));
    cr_assert_eq(warnings.n, 0);
}

/* A checkpoint of one kind, read into a state of the other. */
static void expect_other_kind(TrainConfig *of_state, const char *path, const char *found)
{
    static TrainConfig was;
    TrainState *state;
    RsdError err = {0};

    cr_assert_eq(train_state_create(&state, of_state, kernels_pick(), &err), RSD_OK, "%s", err.text);
    cr_expect_eq(checkpoint_load(state, of_state, path, &was, &err), RSD_ERR_MODEL);
    cr_expect(strstr(err.text, path) && strstr(err.text, found), "%s", err.text);
    train_state_destroy(&state);
}

Test(train_image, a_checkpoint_of_sound_is_none_of_pictures_and_the_other_way_round)
{
    static TrainConfig sound;
    char of_sound[2 * RECORDINGS_PATH_SIZE];
    TrainState *state;
    RsdError err = {0};

    expect_ok(train("run", false, 1));
    recordings_tiny_config(&sound);
    snprintf(of_sound, sizeof of_sound, "%s/sound.safetensors", base_dir);
    cr_assert_eq(train_state_create(&state, &sound, kernels_pick(), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(checkpoint_save(state, &sound, of_sound, &err), RSD_OK, "%s", err.text);
    train_state_destroy(&state);
    expect_other_kind(&cfg, of_sound, "is of kind audio-codec-checkpoint");
    expect_other_kind(&sound, runs_path(base_dir, "run/checkpoint-000000006.safetensors"), "is of kind image-codec-checkpoint");
}

Test(train_image, a_run_of_another_network_is_not_resumed)
{
    Outcome *outcome;

    expect_ok(train("run", false, 1));
    train_config_set(&cfg, "picture.entropy=16", NULL);
    outcome = train("run", true, 1);
    cr_assert_eq(outcome->status, RSD_ERR_MODEL);
    cr_assert(strstr(outcome->err.text, "picture.entropy"), "%s", outcome->err.text);
}

Test(train_image, a_full_disk_costs_no_older_checkpoint)
{
    Outcome *outcome;

    train_config_set(&cfg, "train.checkpoint_steps=1", NULL);
    fill_disk_at = 3;
    outcome = train("run", false, 1);
    runs_limit_files(RLIM_INFINITY);
    fill_disk_at = 0;
    cr_expect_eq(outcome->status, RSD_ERR_IO, "%s", outcome->err.text);
    cr_expect_neq(access(runs_path(base_dir, "run/checkpoint-000000003.safetensors"), F_OK), 0);
    outcome = train("run", true, 1);
    expect_ok(outcome);
    cr_expect_eq(outcome->summary.first_step, 2);
    cr_expect_eq(outcome->summary.step, 6);
}

Test(train_image, levels_of_a_step_are_those_of_its_number)
{
    int low = 112, high = 0;

    train_config_set(&cfg, "train.steps=1000", NULL);
    for (int64_t step = 0; step < 1000; step++) {
        const int level = image_step_level(&cfg, step, 0);

        cr_assert_eq(level, image_step_level(&cfg, step, 0));
        cr_assert(level >= 0 && level <= IMAGE_LEVEL_MAX);
        if (step < 300)
            cr_assert(level >= 32 && level <= 80);
        low = level < low ? level : low;
        high = level > high ? level : high;
    }
    cr_assert(low < 5 && high > 107);
}

/* Whether all arrays of a but those of heads are in b, bit for bit; b must have heads. */
static bool has_same_trunk(const char *path_a, const char *path_b)
{
    Safetensors *a, *b;
    RsdError err = {0};
    int n_heads = 0;
    bool same = true;

    cr_assert_eq(safetensors_open(&a, path_a, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(safetensors_open(&b, path_b, &err), RSD_OK, "%s", err.text);
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const SafetensorsEntry *x = safetensors_entry(a, i), *y = safetensors_find(b, x->name);

        cr_assert(y && x->size == y->size, "%s", x->name);
        same &= memcmp(x->data, y->data, x->size) == 0;
    }
    for (size_t i = 0; i < safetensors_count(b); i++)
        n_heads += strncmp(safetensors_entry(b, i)->name, "heads.", 6) == 0;
    cr_assert_eq(n_heads, 4);
    safetensors_close(&a);
    safetensors_close(&b);
    return same;
}

Test(train_image, heads_learn_beside_the_others_and_move_them_or_alone)
{
    char model[2 * RECORDINGS_PATH_SIZE];
    Outcome *outcome;
    double first;

    expect_ok(train("base", false, 1));
    train_config_set(&cfg, "picture.heads=1", NULL);
    expect_ok(train("beside", false, 1));
    cr_assert(!has_same_trunk(runs_path(base_dir, "base/model.safetensors"), runs_path(base_dir, "beside/model.safetensors")));

    snprintf(model, sizeof model, "%s", runs_path(base_dir, "base/model.safetensors"));
    init_path = model;
    train_config_set(&cfg, "train.freeze=trunk", NULL);
    train_config_set(&cfg, "train.steps=1", NULL);
    outcome = train("begun", false, 2);
    expect_ok(outcome);
    first = outcome->summary.best_score;
    train_config_set(&cfg, "train.steps=40", NULL);
    outcome = train("alone", false, 2);
    expect_ok(outcome);
    cr_assert_lt(outcome->summary.best_score, first - 0.5, "the heads lose %.2f dB, %.2f at first", outcome->summary.best_score,
                 first);
    cr_assert(has_same_trunk(model, runs_path(base_dir, "alone/model.safetensors")));

    train_config_set(&cfg, "picture.heads=0", NULL);
    outcome = train("none", false, 1);
    cr_assert_eq(outcome->status, RSD_ERR_ARG);
    cr_assert(strstr(outcome->err.text, "picture.heads"), "%s", outcome->err.text);
    init_path = NULL;
}

/* Steps too long after a start from a trained model: each makes it worse. */
Test(train_image, the_model_is_the_best_or_the_last_as_the_configuration_says)
{
    static const char *const settings[] = {"optim.lr=0.03", "optim.ema=0", "train.valid_steps=1"};
    static const char *const exported[] = {"best", "last"};
    char base[2 * RECORDINGS_PATH_SIZE];

    train_config_set(&cfg, "train.steps=30", NULL);
    expect_ok(train("base", false, 2));
    snprintf(base, sizeof base, "%s", runs_path(base_dir, "base/model.safetensors"));
    init_path = base;
    train_config_set(&cfg, "train.steps=3", NULL);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        runs_set(&cfg, settings[i]);
    for (int i = 0; i < 2; i++) {
        char setting[32], step[32];
        Safetensors *model;
        Outcome *outcome;

        snprintf(setting, sizeof setting, "train.export=%s", exported[i]);
        runs_set(&cfg, setting);
        outcome = train(exported[i], false, 1);
        expect_ok(outcome);
        cr_assert_lt(outcome->summary.best_step, 3, "the last validation must not be the best");
        snprintf(step, sizeof step, "%d", i ? 3 : (int)outcome->summary.best_step);
        cr_assert_eq(safetensors_open(&model, runs_path(runs_path(base_dir, exported[i]), "model.safetensors"), NULL), RSD_OK);
        cr_expect_str_eq(safetensors_metadata(model, "train.step"), step);
        cr_expect_eq(strtod(safetensors_metadata(model, "train.score"), NULL) > outcome->summary.best_score * 1.0001, i == 1,
                     "%s: score %s, the best is %g", exported[i], safetensors_metadata(model, "train.score"), outcome->summary.best_score);
        safetensors_close(&model);
    }
    init_path = NULL;
}
