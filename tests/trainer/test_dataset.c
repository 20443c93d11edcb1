/* test_dataset.c - finding recordings, crops that depend on (seed, step, sample) alone, broken files, augmentation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/trainer/recordings.h"
#include "tests/trainer/warnings.h"
#include "trainer/loader.h"

#define RATE_HZ 8000
#define CROP 800
#define BATCH 3

static const DataConfig PLAIN = {.batch = BATCH,
                                 .min_level_db = -60.0f,
                                 .cache_size = 1 << 24,
                                 .max_broken = 3,
                                 .prefetch = 2,
                                 .augment = {.level_low_db = -30.0f,
                                             .level_high_db = -16.0f,
                                             .max_gain_db = 40.0f,
                                             .mix_probability = 0.5f,
                                             .mix_low_db = -12.0f,
                                             .polarity_probability = 0.5f,
                                             .phase_probability = 0.5f,
                                             .tilt_db = 3.0f,
                                             .dither_db = -90.0f}};

static char folder[RECORDINGS_PATH_SIZE];

static void make_folder(void)
{
    recordings_make_folder(folder);
    warnings_keep();
}

static void remove_folder(void)
{
    warnings_drop();
    recordings_remove(folder);
}

TestSuite(dataset, .init = make_folder, .fini = remove_folder);

static MediaList *scan(void)
{
    const char *dirs[] = {folder};
    MediaList *list;
    RsdError err = {0};

    cr_assert_eq(media_list_scan(&list, dirs, 1, RATE_HZ, NULL, &err), RSD_OK, "%s", err.text);
    return list;
}

Test(dataset, scan_goes_in_depth_and_passes_over_other_files)
{
    char deep[RECORDINGS_PATH_SIZE + 16], report[MEDIA_REPORT_SIZE];
    MediaList *list;

    recordings_write_tones(folder, 3);
    recordings_write_bytes(folder, "README.md", "text", 4);
    recordings_write_bytes(folder, ".hidden.wav", "x", 1);
    snprintf(deep, sizeof deep, "%s/sub", folder);
    mkdir(deep, 0777);
    recordings_write_tone(deep, "b.wav", 1.0, 300, 0.2);
    cr_expect_eq(symlink(folder, strcat(deep, "/loop")), 0);
    list = scan();
    cr_expect_eq(list->n_files, 4);
    cr_expect_eq(list->n_broken, 0);
    cr_expect_eq(list->files[0].n_samples, 8000, "sorted: sub/b.wav comes first");
    cr_expect_eq(warnings.n, 0);
    media_list_report(report, list);
    cr_expect(!strncmp(report, "4 files, 0.00 h (8 kHz 4; ", 26), "%s", report);
    media_list_destroy(&list);
}

Test(dataset, broken_files_are_named_once_and_left_out)
{
    MediaList *list;

    recordings_write_tones(folder, 2);
    recordings_write_bytes(folder, "empty.wav", "", 0);
    recordings_write_bytes(folder, "noise.flac", "this is not a flac file", 23);
    list = scan();
    cr_expect_eq(list->n_files, 2);
    cr_expect_eq(list->n_broken, 2);
    cr_expect_eq(warnings.n, 2);
    media_list_destroy(&list);
}

Test(dataset, nothing_usable_is_an_error)
{
    const char *dirs[] = {folder}, *missing[] = {"/nonexistent/folder"};
    MediaList *list;
    RsdError err = {0};

    recordings_write_bytes(folder, "a.txt", "x", 1);
    cr_expect_eq(media_list_scan(&list, dirs, 1, RATE_HZ, NULL, &err), RSD_ERR_CORRUPT);
    cr_expect_not_null(strstr(err.text, "no usable recording"), "%s", err.text);
    cr_expect_eq(media_list_scan(&list, missing, 1, RATE_HZ, NULL, &err), RSD_ERR_IO);
    cr_expect_null(list);
}

Test(dataset, split_holds_out_every_kth_file)
{
    MediaList *list, *held_out;
    uint32_t before;

    recordings_write_tones(folder, 10);
    list = scan();
    before = media_list_fingerprint(list);
    cr_assert_eq(media_list_split(list, 4, &held_out, NULL), RSD_OK);
    cr_expect_eq(list->n_files, 8);
    cr_expect_eq(held_out->n_files, 2);
    cr_expect_not_null(strstr(held_out->files[0].path, "tone-03"));
    cr_expect_neq(media_list_fingerprint(list), before);
    media_list_destroy(&list);
    media_list_destroy(&held_out);
}

static RsdStatus make_crop(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    return dataset_crop(ctx, 7, step, sample, CROP, dst, err);
}

/* All crops of the first steps through a loader. */
static float *load(const DataConfig *cfg, uint64_t first_step, int n_steps)
{
    float *all = malloc((size_t)n_steps * BATCH * CROP * sizeof *all);
    MediaList *list = scan();
    Dataset *data;
    Loader *loader;
    RsdError err = {0};

    cr_assert_eq(dataset_create(&data, list, cfg, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(loader_create(&loader, &(CropSource){.ctx = data, .make = make_crop, .len = CROP}, cfg, first_step, &err), RSD_OK, "%s", err.text);
    for (int i = 0; i < n_steps; i++) {
        const float *batch;

        cr_assert_eq(loader_next(loader, &batch, &err), RSD_OK, "%s", err.text);
        memcpy(all + (size_t)i * BATCH * CROP, batch, BATCH * CROP * sizeof *all);
    }
    loader_destroy(&loader);
    dataset_destroy(&data);
    media_list_destroy(&list);
    return all;
}

Test(dataset, crops_depend_on_seed_step_and_sample_alone)
{
    enum { N = 12, LATE = 5 };
    DataConfig variants[4] = {PLAIN, PLAIN, PLAIN, PLAIN};
    float *first, *late;

    recordings_write_tones(folder, 12);
    variants[1].workers = 1;
    variants[2].workers = 3;
    variants[3].workers = 2;
    variants[3].cache_size = 20000; /* room for one or two files only */
    first = load(&variants[0], 0, N);
    for (int i = 1; i < 4; i++) {
        float *other = load(&variants[i], 0, N);

        cr_expect_eq(memcmp(first, other, N * BATCH * CROP * sizeof *first), 0, "variant %d", i);
        free(other);
    }
    late = load(&variants[2], LATE, N - LATE);
    cr_expect_eq(memcmp(first + LATE * BATCH * CROP, late, (N - LATE) * BATCH * CROP * sizeof *late), 0,
                 "starting later gives the same crops");
    cr_expect_neq(memcmp(first, first + CROP, CROP * sizeof *first), 0);
    free(first);
    free(late);
}

Test(dataset, crops_are_loud_enough_finite_and_below_full_scale)
{
    enum { N = 40 };
    float *crops;

    recordings_write_tones(folder, 6);
    recordings_write_tone(folder, "silence.wav", 20.0, 100, 0.0);
    crops = load(&PLAIN, 0, N);
    int n_quiet = 0;
    for (int i = 0; i < N * BATCH; i++) {
        float level_db = augment_active_level_db(crops + i * CROP, CROP, RATE_HZ);

        n_quiet += level_db < -35.0f;
        for (int j = 0; j < CROP; j++)
            cr_assert(fabsf(crops[i * CROP + j]) <= 1.0f, "crop %d, sample %d: %g", i, j, (double)crops[i * CROP + j]);
    }
    /* 20 s of silence against 4 s of tones: 0.83^8 = 0.23 of the crops exhaust their draws. */
    cr_expect_lt(n_quiet, N * BATCH / 2, "%d of %d", n_quiet, N * BATCH);
    cr_expect_gt(n_quiet, 0, "digital silence stays in the mix");
    free(crops);
}

Test(dataset, a_file_that_breaks_later_is_left_out_and_too_many_end_the_run)
{
    DataConfig cfg = PLAIN;
    MediaList *list;
    Dataset *data;
    float crop[CROP];
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    recordings_write_tones(folder, 6);
    list = scan();
    for (int i = 0; i < 4; i++) {
        char name[16];

        snprintf(name, sizeof name, "tone-%02d.wav", i);
        recordings_write_bytes(folder, name, "gone", 4);
    }
    cfg.max_broken = 4;
    cr_assert_eq(dataset_create(&data, list, &cfg, &err), RSD_OK);
    for (uint64_t step = 0; step < 60; step++)
        cr_assert_eq(dataset_crop(data, 1, step, 0, CROP, crop, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(warnings.n, 4, "each one is named once; %d warnings", warnings.n);
    dataset_destroy(&data);
    cfg.max_broken = 2;
    cr_assert_eq(dataset_create(&data, list, &cfg, &err), RSD_OK);
    for (uint64_t step = 0; step < 60 && status == RSD_OK; step++)
        status = dataset_crop(data, 1, step, 0, CROP, crop, &err);
    cr_expect_eq(status, RSD_ERR_CORRUPT);
    cr_expect_not_null(strstr(err.text, "data.max_broken = 2"), "%s", err.text);
    dataset_destroy(&data);
    media_list_destroy(&list);
}

Test(dataset, the_one_sound_file_among_broken_ones_is_found)
{
    DataConfig cfg = PLAIN;
    MediaList *list;
    Dataset *data;
    float first[CROP], crop[CROP];
    RsdError err = {0};

    recordings_write_tones(folder, 60);
    list = scan();
    for (int i = 0; i < 60; i++) {
        char name[16];

        snprintf(name, sizeof name, "tone-%02d.wav", i);
        if (i != 20)
            recordings_write_bytes(folder, name, "gone", 4);
    }
    cfg.max_broken = 100;
    cr_assert_eq(dataset_create(&data, list, &cfg, &err), RSD_OK);
    cr_assert_eq(dataset_crop(data, 1, 99, 0, CROP, first, &err), RSD_OK, "%s", err.text);
    for (uint64_t step = 0; step < 40; step++)
        cr_assert_eq(dataset_crop(data, 1, step, 0, CROP, crop, &err), RSD_OK, "step %d: %s", (int)step, err.text);
    cr_assert_eq(dataset_crop(data, 1, 99, 0, CROP, crop, &err), RSD_OK, "%s", err.text);
    cr_expect_eq(memcmp(first, crop, sizeof crop), 0, "a crop is that of its step");
    dataset_destroy(&data);
    media_list_destroy(&list);
}

Test(dataset, a_loader_passes_on_the_failure_of_a_worker)
{
    DataConfig cfg = PLAIN;
    MediaList *list;
    Dataset *data;
    Loader *loader;
    const float *batch;
    RsdError err = {0};

    recordings_write_tones(folder, 1);
    list = scan();
    recordings_write_bytes(folder, "tone-00.wav", "gone", 4);
    cfg.workers = 2;
    cr_assert_eq(dataset_create(&data, list, &cfg, &err), RSD_OK);
    cr_assert_eq(loader_create(&loader, &(CropSource){.ctx = data, .make = make_crop, .len = CROP}, &cfg, 0, &err), RSD_OK);
    cr_expect_eq(loader_next(loader, &batch, &err), RSD_ERR_CORRUPT);
    cr_expect_str_eq(err.text, "none of 1 recordings can be read");
    loader_destroy(&loader);
    dataset_destroy(&data);
    media_list_destroy(&list);
}

Test(dataset, reading_returns_the_recording_itself)
{
    MediaList *list;
    Dataset *data;
    float x[CROP], y[CROP];
    size_t n_present;
    DataConfig uncached = PLAIN;

    recordings_write_tone(folder, "a.wav", 0.5, 440, 0.5);
    list = scan();
    uncached.cache_size = 0;
    for (int pass = 0; pass < 2; pass++) {
        cr_assert_eq(dataset_create(&data, list, pass ? &uncached : &PLAIN, NULL), RSD_OK);
        cr_assert_eq(dataset_read(data, 0, 3700, CROP, pass ? y : x, &n_present, NULL), RSD_OK);
        cr_expect_eq(n_present, 300);
        dataset_destroy(&data);
    }
    cr_expect_eq(memcmp(x, y, sizeof x), 0);
    for (int i = 0; i < 300; i++) {
        double t = (3700 + i) / 8000.0, expected = 0.5 * sin(6.283185307179586 * 440 * t + 3.0 * sin(30.0 * t));

        cr_assert_float_eq((double)x[i], expected, 1e-4, "sample %d", i);
    }
    cr_expect_eq(x[300], 0.0f);
    media_list_destroy(&list);
}

/* The same samples whether files are kept or not; *n_present of them exist. */
static void read_both_ways(const MediaList *list, float *x, size_t *n_present)
{
    DataConfig uncached = PLAIN;
    float y[2 * CROP];
    size_t n;
    Dataset *data;
    RsdError err = {0};

    uncached.cache_size = 0;
    for (int pass = 0; pass < 2; pass++) {
        cr_assert_eq(dataset_create(&data, list, pass ? &uncached : &PLAIN, NULL), RSD_OK);
        cr_assert_eq(dataset_read(data, 0, 2600, 2 * CROP, pass ? y : x, pass ? &n : n_present, &err), RSD_OK, "%s", err.text);
        cr_expect(pass || dataset_cached_size(data) > 0);
        dataset_destroy(&data);
    }
    cr_expect_eq(n, *n_present);
    cr_expect_eq(memcmp(x, y, sizeof y), 0);
}

Test(dataset, a_recording_ends_where_its_length_was_stated)
{
    float x[2 * CROP];
    size_t n_present;
    MediaList *list;

    recordings_write_tone(folder, "a.wav", 0.5, 440, 0.5);
    list = scan();
    list->files[0].n_samples = 3000; /* as of a format that has to guess */
    read_both_ways(list, x, &n_present);
    cr_expect_eq(n_present, 400);
    cr_expect_eq(x[400], 0.0f);
    media_list_destroy(&list);
}

Test(dataset, what_comes_before_damage_is_used_to_the_last_sample)
{
    char path[RECORDINGS_PATH_SIZE + 16];
    float x[2 * CROP];
    size_t n_present;
    MediaList *list;

    recordings_write_tone(folder, "a.wav", 0.5, 440, 0.5);
    list = scan();
    snprintf(path, sizeof path, "%s/a.wav", folder);
    cr_assert_eq(truncate(path, 44 + 2 * 3000), 0);
    read_both_ways(list, x, &n_present);
    cr_expect_eq(n_present, 400);
    cr_expect(strstr(warnings.last, "the part before it is used"), "%s", warnings.last);
    media_list_destroy(&list);
}

Test(augment, level_is_set_and_treatments_keep_it_sound)
{
    static float x[RATE_HZ], y[RATE_HZ];
    AugmentConfig cfg = {.level_low_db = -20.0f, .level_high_db = -20.0f, .max_gain_db = 60.0f, .dither_db = -200.0f};
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    double before = 0.0, after = 0.0;

    for (int i = 0; i < RATE_HZ; i++)
        x[i] = y[i] = 0.01f * sinf(0.3f * (float)i);
    augment_crop(x, RATE_HZ, RATE_HZ, &cfg, &rng);
    cr_expect_float_eq(augment_active_level_db(x, RATE_HZ, RATE_HZ), -20.0f, 0.01f);
    cfg.max_gain_db = 6.0f;
    augment_crop(y, RATE_HZ, RATE_HZ, &cfg, &rng);
    cr_expect_float_eq(augment_active_level_db(y, RATE_HZ, RATE_HZ), -43.0f + 6.0f, 0.1f);
    /* An all-pass keeps the energy, a flipped sign the magnitude. */
    cfg = (AugmentConfig){.level_low_db = -20.0f,
                          .level_high_db = -20.0f,
                          .max_gain_db = 60.0f,
                          .phase_probability = 1.0f,
                          .polarity_probability = 1.0f,
                          .dither_db = -200.0f};
    memcpy(y, x, sizeof x);
    augment_crop(y, RATE_HZ, RATE_HZ, &cfg, &rng);
    for (int i = 0; i < RATE_HZ; i++) {
        before += (double)x[i] * (double)x[i];
        after += (double)y[i] * (double)y[i];
    }
    cr_expect_float_eq(after / before, 1.0, 0.01);
    cr_expect_neq(memcmp(x, y, sizeof x), 0);
    memset(x, 0, sizeof x);
    cr_expect_eq(augment_active_level_db(x, RATE_HZ, RATE_HZ), -200.0f);
    augment_crop(x, RATE_HZ, RATE_HZ, &cfg, &rng);
    for (int i = 0; i < RATE_HZ; i++)
        cr_assert_eq(x[i], 0.0f, "silence stays silence without dither");
}
