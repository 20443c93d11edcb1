/* test_samples.c - the clips that validations write: their names, what is in them, which are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/mem.h"
#include "media/audio_reader.h"
#include "tests/trainer/recordings.h"
#include "trainer/samples.h"
#include "trainer/train_audio.h"

static char dir[RECORDINGS_PATH_SIZE];

static void set_up(void)
{
    recordings_make_folder(dir);
}

static void tear_down(void)
{
    recordings_remove(dir);
}

TestSuite(samples, .init = set_up, .fini = tear_down);

Test(samples, of_a_long_run_early_and_late_steps_stay)
{
    static const float x[400] = {0};
    SampleName *names;
    size_t n, n_early = 0, n_half = 0;
    RsdError err = {0};

    for (int64_t step = 500; step <= 40000; step += 500) {
        cr_assert_eq(samples_write(dir, step, 1, 6000, x, 400, 8000, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(samples_prune(dir, &err), RSD_OK);
    }
    cr_assert_eq(samples_write(dir, SAMPLES_ORIGINAL, 1, 0, x, 400, 8000, &err), RSD_OK);
    recordings_write_bytes(dir, "samples/notes.txt", "mine", 4);
    recordings_write_bytes(dir, "samples/1-1-6000.flac", "mine", 4);
    cr_assert_eq(samples_prune(dir, &err), RSD_OK);
    cr_assert_eq(samples_list(&names, &n, dir, &err), RSD_OK);
    cr_assert_eq(n, SAMPLES_MAX_STEPS + 1);
    cr_expect_eq(names[0].step, SAMPLES_ORIGINAL);
    cr_expect_eq(names[1].step, 500);
    cr_expect_eq(names[n - 1].step, 40000);
    for (size_t i = 1; i < n; i++) {
        n_early += names[i].step <= 4000;
        n_half += names[i].step > 20000;
    }
    cr_expect_geq(n_early, 3);
    cr_expect_geq(n_half, 1);
    cr_expect_leq(n_half, 4);
    mem_free(&names);
}

/* Samples of a mono file; the caller's (free). */
static float *read_flac(const char *name, size_t *n)
{
    AudioReader *reader;
    char path[3 * RECORDINGS_PATH_SIZE];
    float *x = calloc(8000, sizeof *x);
    RsdError err = {0};

    snprintf(path, sizeof path, "%s/run/samples/%s", dir, name);
    cr_assert_eq(audio_reader_open(&reader, path, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(audio_reader_read(reader, x, 8000, n, &err), RSD_OK, "%s", err.text);
    audio_reader_close(&reader);
    return x;
}

Test(samples, a_run_writes_what_its_model_makes_of_held_out_clips)
{
    char data[RECORDINGS_PATH_SIZE], run_dir[2 * RECORDINGS_PATH_SIZE];
    const char *dirs[] = {data};
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir};
    TrainConfig cfg;
    TrainSummary summary;
    SampleName *names;
    size_t n, n_original, n_decoded;
    float *original, *decoded;
    double energy = 0.0, error = 0.0;
    RsdError err = {0};

    recordings_make_folder(data);
    recordings_write_tones(data, 8);
    recordings_tiny_config(&cfg);
    cr_assert_eq(train_config_set(&cfg, "data.valid_every=4", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "train.rates=3k,6k,6k", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "train.valid_steps=100", NULL), RSD_OK);
    cr_assert_eq(train_config_set(&cfg, "train.steps=200", NULL), RSD_OK);
    snprintf(run_dir, sizeof run_dir, "%s/run", dir);
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_assert_eq(train_audio(&cfg, &options, &summary, &err), RSD_OK, "%s", err.text);
    rsd_threads_destroy(&options.threads);
    cr_assert_eq(samples_list(&names, &n, run_dir, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(n, 2 * (1 + 2 * 2), "%zu files for 2 clips as they are and at 2 rates after 2 validations", n);
    cr_expect_str_eq(names[n - 1].name, "000000200-2-6000.flac");
    original = read_flac("original-1.flac", &n_original);
    decoded = read_flac("000000200-1-6000.flac", &n_decoded);
    cr_assert_eq(n_original, n_decoded);
    for (size_t i = 0; i < n_original; i++) {
        energy += (double)original[i] * (double)original[i];
        error += (double)(original[i] - decoded[i]) * (double)(original[i] - decoded[i]);
    }
    cr_expect_gt(energy, 1.0);
    cr_expect_lt(error, 0.5 * energy, "the model has learnt tones: error %g of %g", error, energy);
    free(original);
    free(decoded);
    mem_free(&names);
    recordings_remove(data);
}
