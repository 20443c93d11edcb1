/* test_image_scales.c - a picture codec's file has tables of what its encoder chooses, and they hold where the prior is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/trainer/painted.h"
#include "tests/trainer/recordings.h"
#include "trainer/image_scales.h"
#include "trainer/train_state.h"

#define N_WEIGHTS (IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS)

static char data_dir[RECORDINGS_PATH_SIZE];
static TrainConfig cfg;
static PictureList *list;
static Pictures *pictures;
static RsdThreads *threads;
static ImageStep *step;
static TrainState *state;
static RsdError err;

static void set_up(void)
{
    const char *dirs[] = {data_dir};

    recordings_make_folder(data_dir);
    painted_write_all(data_dir, 4);
    painted_tiny_config(&cfg);
    cr_assert_eq(picture_list_scan(&list, dirs, 1, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(pictures_create(&pictures, list, &cfg, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rsd_threads_create(&threads, 2, &err), RSD_OK);
    cr_assert_eq(image_step_create(&step, &cfg, threads, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(train_state_create(&state, &cfg, kernels_pick(), &err), RSD_OK, "%s", err.text);
}

static void tear_down(void)
{
    train_state_destroy(&state);
    image_step_destroy(&step);
    rsd_threads_destroy(&threads);
    pictures_destroy(&pictures);
    picture_list_destroy(&list);
    recordings_remove(data_dir);
}

TestSuite(image_scales, .init = set_up, .fini = tear_down);

Test(image_scales, a_file_has_what_was_counted)
{
    char path[] = "/tmp/residua-scales-XXXXXX";
    int16_t counted[N_WEIGHTS];
    ImageCodec *loaded;

    cr_assert_null(state->image->scale_weights);
    cr_assert_eq(image_scales_count(step, pictures, state, &err), RSD_OK, "%s", err.text);
    memcpy(counted, state->image->scale_weights, sizeof counted);
    cr_assert_eq(image_scales_count(step, pictures, state, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(counted, state->image->scale_weights, sizeof counted, "the second count differs");
    close(mkstemp(path));
    cr_assert_eq(image_codec_save(state->image, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&loaded, path, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(counted, loaded->prior->tables.scale, sizeof counted);
    image_codec_destroy(&loaded);
    unlink(path);
}

Test(image_scales, a_prior_that_is_kept_keeps_its_tables)
{
    int16_t *before;

    cr_assert_eq(image_scales_count(step, pictures, state, &err), RSD_OK, "%s", err.text);
    before = state->image->scale_weights;
    state->image->keeps_prior = true;
    cr_assert_eq(image_scales_count(step, pictures, state, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(state->image->scale_weights, before);
}

Test(image_scales, damaged_tables_are_refused)
{
    static const struct {
        int row, column;
        int16_t value;
        const char *told;
    } cases[] = {{0, 0, 1, "1 in row 0, column 0"},
                 {1, 0, 0, "0 in row 1, column 0"},
                 {5, 3, -1, "-1 in row 5, column 3"},
                 {63, IMAGE_SCALE_WEIGHTS - 1, 0, "0 in row 63, column 128"}};
    char path[] = "/tmp/residua-scales-XXXXXX";
    ImageCodec *loaded;

    close(mkstemp(path));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(image_scales_count(step, pictures, state, &err), RSD_OK, "%s", err.text);
        state->image->scale_weights[cases[i].row * IMAGE_SCALE_WEIGHTS + cases[i].column] = cases[i].value;
        cr_assert_eq(image_codec_save(state->image, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(image_codec_load(&loaded, path, &err), RSD_ERR_CORRUPT);
        cr_assert(strstr(err.text, path) && strstr(err.text, cases[i].told), "%s", err.text);
    }
    unlink(path);
}
