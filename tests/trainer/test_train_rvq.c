/* test_train_rvq.c - whole runs of a small picture codec with a residual quantiser.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/runs.h"
#include "tests/trainer/state_files.h"
#include "trainer/train_image.h"

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void ignore(void *ctx, LogLevel level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static void set_up(void)
{
    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    runs_set(&cfg, "model.name=tiny-rvq");
    runs_set(&cfg, "picture.quantizer=rvq");
    runs_set(&cfg, "picture.codebooks=3");
    runs_set(&cfg, "picture.codebook_size=16");
    runs_set(&cfg, "picture.start_batches=4");
    runs_set(&cfg, "picture.codebook_decay=0.9");
    log_set_sink(ignore, NULL);
}

static void tear_down(void)
{
    log_set_sink(NULL, NULL);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

TestSuite(train_rvq, .init = set_up, .fini = tear_down);

typedef struct Seen {
    TrainSummary summary;
    int n_steps, n_all; /* steps with all stages */
    double first_bits, last_bits; /* of a pixel and stage, means over the first and last ten steps */
    double first_mse, last_mse;
    bool integer;
} Seen;

static volatile sig_atomic_t stop_flag;
static int64_t stop_at;
static const char *init_path;

static void watch(void *ctx, const TrainProgress *progress)
{
    const ImageStepReport *report = progress->picture;
    const double bits = report->bpp / report->codes.n_q / 10.0;
    Seen *seen = ctx;

    seen->n_steps++;
    seen->n_all += report->codes.n_q == 3;
    cr_assert(report->codes.n_q >= 1 && report->codes.n_q <= 3);
    for (int q = 0; q < report->codes.n_q; q++)
        cr_assert(report->codes.perplexity[q] >= 1.0f && report->codes.perplexity[q] <= 16.001f && report->codes.usage[q] > 0.0f);
    if (progress->step <= 10) {
        seen->first_bits += bits;
        seen->first_mse += report->mse / 10.0;
    }
    if (progress->step > progress->n_steps - 10) {
        seen->last_bits += bits;
        seen->last_mse += report->mse / 10.0;
    }
    seen->integer = report->integer;
    if (stop_at && progress->step == stop_at)
        stop_flag = 1;
}

static Seen train(const char *run, bool resume, int n_threads)
{
    const char *dirs[] = {data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    Seen seen = {.n_steps = 0};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = resume, .init_path = init_path, .stop = &stop_flag,
                            .progress = watch, .progress_ctx = &seen};
    RsdError err = {0};

    snprintf(run_dir, sizeof run_dir, "%s", runs_path(base_dir, run));
    stop_flag = 0;
    cr_assert_eq(rsd_threads_create(&options.threads, n_threads, NULL), RSD_OK);
    cr_assert_eq(train_image(&cfg, &options, &seen.summary, &err), RSD_OK, "%s", err.text);
    rsd_threads_destroy(&options.threads);
    return seen;
}

/* How often a line of the log has a text. */
static int count_in_log(const char *run, const char *text)
{
    char name[64], line[4096];
    int n = 0;
    FILE *file;

    snprintf(name, sizeof name, "%s/log.jsonl", run);
    file = fopen(runs_path(base_dir, name), "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file))
        n += strstr(line, text) != NULL;
    fclose(file);
    return n;
}

Test(train_rvq, a_small_run_foretells_codes_is_logged_by_stage_and_leaves_a_model)
{
    ImageCodec *codec;
    Seen seen;
    RsdError err = {0};

    runs_set(&cfg, "train.steps=300");
    runs_set(&cfg, "train.log_every=5");
    runs_set(&cfg, "optim.method=adam"); /* the long steps of the other tests would move codes faster than they can be foretold */
    runs_set(&cfg, "optim.lr=0.002");
    runs_set(&cfg, "data.batch=4");
    runs_set(&cfg, "picture.codebook_decay=0.98");
    runs_set(&cfg, "picture.synthetic=0");
    seen = train("run", false, 2);
    cr_assert(seen.n_all > 160 && seen.n_all < 240, "%d of %d steps with all stages", seen.n_all, seen.n_steps);
    cr_assert_float_eq(seen.first_bits, 4.0 / 256.0, 0.15 * 4.0 / 256.0, "%g bits", seen.first_bits);
    cr_assert_lt(seen.last_bits, 0.93 * seen.first_bits, "%g bits, %g at first", seen.last_bits, seen.first_bits);
    cr_assert(seen.integer && isfinite(seen.summary.best_score));
    cr_assert_eq(count_in_log("run", "\"perplexity\": ["), 60);
    cr_assert_eq(count_in_log("run", "\"usage\": ["), 60);
    cr_assert_eq(count_in_log("run", "\"type\": \"valid\""), 1);
    cr_assert_eq(image_codec_load(&codec, runs_path(base_dir, "run/model.safetensors"), &err), RSD_OK, "%s", err.text);
    cr_assert_str_eq(codec->config.name, "tiny-rvq");
    cr_assert_eq(codec->stage_prior->n_stages, 3);
    image_codec_destroy(&codec);
}

Test(train_rvq, resuming_equals_never_having_stopped_for_any_number_of_threads)
{
    Seen seen;

    runs_set(&cfg, "train.steps=8");
    train("whole", false, 1);
    stop_at = 3;
    seen = train("parts", false, 2);
    cr_assert_eq(seen.summary.step, 3);
    stop_at = 0;
    seen = train("parts", true, 2);
    cr_assert_eq(seen.summary.first_step, 3);
    state_files_expect_same(runs_path(base_dir, "whole/checkpoint-000000008.safetensors"),
                            runs_path(base_dir, "parts/checkpoint-000000008.safetensors"), 40);
}

Test(train_rvq, a_run_begins_with_a_model_and_with_the_prior_frozen_leaves_its_codes)
{
    char first[2 * RECORDINGS_PATH_SIZE];
    ImageCodec *from, *to;
    RsdError err = {0};
    int n_layers = 0;

    runs_set(&cfg, "train.steps=12");
    train("first", false, 2);
    snprintf(first, sizeof first, "%s", runs_path(base_dir, "first/model.safetensors"));
    init_path = first;
    runs_set(&cfg, "train.steps=4");
    runs_set(&cfg, "train.freeze=prior");
    train("second", false, 2);
    init_path = NULL;
    cr_assert_eq(image_codec_load(&from, first, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&to, runs_path(base_dir, "second/model.safetensors"), &err), RSD_OK, "%s", err.text);
    for (int q = 0; q < 3; q++) {
        cr_assert_arr_eq(from->stage_prior->codes[q], to->stage_prior->codes[q], 16 * 8 * sizeof(int16_t), "stage %d", q);
        for (int i = 0; i < STAGE_N_LAYERS; i++, n_layers++) {
            const IntegerLayer *a = &from->stage_prior->layers[q][i], *b = &to->stage_prior->layers[q][i];

            cr_assert_arr_eq(a->weight, b->weight, (size_t)(a->n_out * a->n_in), "stage %d, layer %d", q, i);
            cr_assert_arr_eq(a->bias, b->bias, (size_t)a->n_out * sizeof *a->bias, "stage %d, layer %d", q, i);
        }
    }
    cr_assert_eq(n_layers, 15);
    image_codec_destroy(&from);
    image_codec_destroy(&to);
}

/* With the rest of the loop the same; 3 stages of 16 codes of 2 latents with 4 levels, or of 4 bits. */
Test(train_rvq, codes_of_a_lattice_stand_still_and_are_foretold)
{
    static const char *const settings[][2] = {{"picture.quantizer=fsq", "picture.latent=2"}, {"picture.quantizer=bsq", "picture.latent=4"}};
    RsdError err = {0};

    for (int i = 0; i < 2; i++) {
        char run[] = {'r', 'u', 'n', (char)('0' + i), '\0'}, model[64];
        ImageCodec *codec, *fresh;
        Seen seen;

        runs_set(&cfg, settings[i][0]);
        runs_set(&cfg, settings[i][1]);
        runs_set(&cfg, "train.steps=200");
        runs_set(&cfg, "optim.lr=0.003");
        runs_set(&cfg, "optim.method=adam");
        runs_set(&cfg, "data.batch=4");
        runs_set(&cfg, "picture.synthetic=0");
        seen = train(run, false, 2);
        cr_assert_lt(seen.last_bits, 0.95 * seen.first_bits, "%s: %g bits, %g at first", settings[i][0], seen.last_bits, seen.first_bits);
        cr_assert_lt(seen.last_mse, 0.8 * seen.first_mse, "%s: squared error %g, %g at first", settings[i][0], seen.last_mse, seen.first_mse);
        cr_assert(isfinite(seen.summary.best_score));
        snprintf(model, sizeof model, "%s/model.safetensors", run);
        cr_assert_eq(image_codec_load(&codec, runs_path(base_dir, model), &err), RSD_OK, "%s", err.text);
        cr_assert_eq(image_codec_create(&fresh, &codec->config, 1, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(image_codec_make_prior(fresh, &err), RSD_OK, "%s", err.text);
        for (int q = 0; q < 3; q++)
            cr_assert_arr_eq(codec->stage_prior->codes[q], fresh->stage_prior->codes[q], (size_t)(16 * codec->config.latent) * sizeof(int16_t));
        image_codec_destroy(&codec);
        image_codec_destroy(&fresh);
    }
    runs_set(&cfg, "picture.latent=3");
    cr_assert_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "2 to the power of latent"), "%s", err.text);
}

Test(train_rvq, configurations_are_written_and_checked)
{
    static TrainConfig back;
    char *text, key[64];
    RsdError err = {0};

    cr_assert_eq(train_config_print(&text, &cfg, true, &err), RSD_OK);
    cr_assert_not_null(strstr(text, "quantizer = rvq"));
    train_config_init(&back);
    cr_assert_eq(train_config_parse(&back, text, "text", &err), RSD_OK, "%s", err.text);
    cr_assert_null(train_config_difference(&cfg, &back, "picture", key));
    mem_free(&text);
    runs_set(&cfg, "picture.codebook_size=24");
    cr_assert_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "power of two"), "%s", err.text);
    runs_set(&cfg, "picture.codebook_size=32");
    runs_set(&cfg, "picture.start_batches=0");
    cr_assert_eq(train_config_check(&cfg, &err), RSD_ERR_ARG);
    cr_assert_not_null(strstr(err.text, "picture.start_batches"), "%s", err.text);
}
