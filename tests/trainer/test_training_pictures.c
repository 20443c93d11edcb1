/* test_training_pictures.c - pictures for training: found, cut, turned, and passed over when they are of no use.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/warnings.h"
#include "trainer/pictures.h"

static char data_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;

static void set_up(void)
{
    recordings_make_folder(data_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    warnings_keep();
}

static void tear_down(void)
{
    warnings_drop();
    recordings_remove(data_dir);
}

TestSuite(training_pictures, .init = set_up, .fini = tear_down);

static Pictures *open_pictures(PictureList **list)
{
    const char *dirs[] = {data_dir};
    Pictures *pictures;
    RsdError err = {0};

    cr_assert_eq(picture_list_scan(list, dirs, 1, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(pictures_create(&pictures, *list, &cfg, &err), RSD_OK, "%s", err.text);
    return pictures;
}

Test(training_pictures, pictures_are_told_by_their_bytes_and_split_for_validation)
{
    PictureList *list, *held_out;
    char report[PICTURE_REPORT_SIZE];
    uint32_t before;
    Pictures *pictures;

    recordings_write_bytes(data_dir, "notes.png", "no picture", 10);
    pictures = open_pictures(&list);
    cr_assert_eq(list->n_files, 4);
    cr_assert_eq(list->n_other, 1);
    cr_assert(strstr(picture_list_report(report, list), "4 pictures (png 4)"), "%s", report);
    before = picture_list_fingerprint(list);
    pictures_destroy(&pictures);
    cr_assert_eq(picture_list_split(list, 4, &held_out, NULL), RSD_OK);
    cr_assert_eq(list->n_files, 3);
    cr_assert_eq(held_out->n_files, 1);
    cr_assert_neq(picture_list_fingerprint(list), before);
    picture_list_destroy(&list);
    picture_list_destroy(&held_out);
}

Test(training_pictures, a_crop_is_that_of_its_step_and_sample_whatever_was_read_before)
{
    enum { N = 3 * 64 * 64 };
    static float a[N], b[N];
    PictureList *list;
    Pictures *pictures = open_pictures(&list);
    RsdError err = {0};

    cr_assert_eq(pictures_crop(pictures, 9, 1, a, &err), RSD_OK, "%s", err.text);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
    pictures = open_pictures(&list);
    for (uint32_t i = 0; i < 5; i++)
        cr_assert_eq(pictures_crop(pictures, i, i, b, &err), RSD_OK);
    cr_assert_eq(pictures_crop(pictures, 9, 1, b, &err), RSD_OK);
    cr_assert_arr_eq(a, b, sizeof a);
    for (int i = 0; i < N; i++)
        cr_assert(a[i] >= 0.0f && a[i] <= 1.0f);
    cr_assert_eq(pictures_crop(pictures, 10, 1, b, &err), RSD_OK);
    cr_assert(memcmp(a, b, sizeof a) != 0);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}

Test(training_pictures, a_crop_at_full_size_without_changes_is_a_piece_of_the_picture)
{
    static float crop[3 * 64 * 64];
    PictureList *list;
    Pictures *pictures;
    RsdError err = {0};

    cfg.picture.scale_low = 1;
    cfg.picture.gain = 0;
    cfg.picture.synthetic = 0;
    pictures = open_pictures(&list);
    cr_assert_eq(pictures_crop(pictures, 0, 0, crop, &err), RSD_OK, "%s", err.text);
    for (int i = 0; i < 3 * 64 * 64; i++) {
        const double level = (double)crop[i] * 255.0;

        cr_assert_float_eq(level, round(level), 1e-3, "%g is no level of 8 bits", level);
    }
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}

Test(training_pictures, broken_pictures_are_named_once_and_left_out)
{
    static float crop[3 * 64 * 64];
    PictureList *list;
    Pictures *pictures;
    RsdError err = {0};

    recordings_write_bytes(data_dir, "broken.png", "\x89PNG\r\n\x1a\n rest", 13);
    cfg.picture.synthetic = 0;
    pictures = open_pictures(&list);
    cr_assert_eq(list->n_files, 5);
    for (uint32_t i = 0; i < 40; i++)
        cr_assert_eq(pictures_crop(pictures, i, 0, crop, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(warnings.n, 1);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}

Test(training_pictures, pictures_that_are_all_too_small_are_refused)
{
    static float crop[3 * 128 * 128];
    PictureList *list;
    Pictures *pictures;
    RsdError err = {0};

    cfg.picture.crop = 128;
    cfg.picture.synthetic = 0;
    pictures = open_pictures(&list);
    cr_assert_eq(pictures_crop(pictures, 0, 0, crop, &err), RSD_ERR_CORRUPT);
    cr_assert(strstr(err.text, "smaller than a crop of 128 pixels"), "%s", err.text);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}

Test(training_pictures, the_one_picture_that_is_large_enough_is_found_and_the_others_are_told_once)
{
    enum { N = 3 * 128 * 128 };
    static float first[N], other[N];
    PictureList *list;
    Pictures *pictures;
    RsdError err = {0};

    for (uint32_t i = 0; i < 60; i++) {
        char name[16];

        snprintf(name, sizeof name, "small%u.png", i);
        painted_write(data_dir, name, 40, 40, i);
    }
    painted_write(data_dir, "large.png", 150, 140, 0);
    cfg.picture.crop = 128;
    cfg.picture.synthetic = 0;
    pictures = open_pictures(&list);
    cr_assert_eq(pictures_crop(pictures, 99, 0, first, &err), RSD_OK, "%s", err.text);
    for (uint32_t i = 0; i < 40; i++)
        cr_assert_eq(pictures_crop(pictures, i, 0, other, &err), RSD_OK, "step %u: %s", i, err.text);
    cr_expect_eq(warnings.n, 1);
    cr_expect(strstr(warnings.last, "64 of 65 pictures are smaller than a crop of 128 pixels"), "%s", warnings.last);
    cfg.data.cache_size = 0;
    cr_assert_eq(pictures_crop(pictures, 99, 0, other, &err), RSD_OK, "%s", err.text);
    cr_expect_arr_eq(first, other, sizeof first, "a crop is that of its step and sample");
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}

Test(training_pictures, a_folder_of_broken_pictures_names_each_once_and_ends_at_its_bound)
{
    static float crop[3 * 64 * 64];
    PictureList *list;
    Pictures *pictures;
    RsdStatus status = RSD_OK;
    RsdError err = {0};

    for (int i = 0; i < 6; i++) {
        char name[16];

        snprintf(name, sizeof name, "broken%d.png", i);
        recordings_write_bytes(data_dir, name, "\x89PNG\r\n\x1a\n rest", 13);
    }
    cfg.picture.synthetic = 0;
    cfg.data.max_broken = 3;
    pictures = open_pictures(&list);
    for (uint32_t i = 0; i < 200 && status == RSD_OK; i++)
        status = pictures_crop(pictures, i, 0, crop, &err);
    cr_assert_eq(status, RSD_ERR_CORRUPT);
    cr_expect(strstr(err.text, "data.max_broken = 3"), "%s", err.text);
    cr_expect_eq(warnings.n, 4, "%d warnings", warnings.n);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
}
