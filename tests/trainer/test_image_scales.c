/* test_image_scales.c - a picture codec's file has tables of what its encoder chooses, and they hold where the prior is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/trainer/painted.h"
#include "trainer/image_scales.h"

#define N_WEIGHTS (IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS)

static PaintedRun run;
static RsdError err;

static void set_up(void)
{
    painted_open_run(&run, 2);
}

static void tear_down(void)
{
    painted_close_run(&run);
}

TestSuite(image_scales, .init = set_up, .fini = tear_down);

Test(image_scales, a_file_has_what_was_counted)
{
    char path[] = "/tmp/residua-scales-XXXXXX";
    int16_t counted[N_WEIGHTS];
    ImageCodec *loaded;

    cr_assert_null(run.state->image->scale_weights);
    cr_assert_eq(image_scales_count(run.step, run.pictures, run.state, &err), RSD_OK, "%s", err.text);
    memcpy(counted, run.state->image->scale_weights, sizeof counted);
    cr_assert_eq(image_scales_count(run.step, run.pictures, run.state, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(counted, run.state->image->scale_weights, sizeof counted, "the second count differs");
    close(mkstemp(path));
    cr_assert_eq(image_codec_save(run.state->image, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_codec_load(&loaded, path, &err), RSD_OK, "%s", err.text);
    cr_assert_arr_eq(counted, loaded->prior->tables.scale, sizeof counted);
    image_codec_destroy(&loaded);
    unlink(path);
}

Test(image_scales, a_prior_that_is_kept_keeps_its_tables)
{
    int16_t *before;

    cr_assert_eq(image_scales_count(run.step, run.pictures, run.state, &err), RSD_OK, "%s", err.text);
    before = run.state->image->scale_weights;
    run.state->image->keeps_prior = true;
    cr_assert_eq(image_scales_count(run.step, run.pictures, run.state, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(run.state->image->scale_weights, before);
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
        cr_assert_eq(image_scales_count(run.step, run.pictures, run.state, &err), RSD_OK, "%s", err.text);
        run.state->image->scale_weights[cases[i].row * IMAGE_SCALE_WEIGHTS + cases[i].column] = cases[i].value;
        cr_assert_eq(image_codec_save(run.state->image, path, DTYPE_F32, NULL, &err), RSD_OK, "%s", err.text);
        cr_assert_eq(image_codec_load(&loaded, path, &err), RSD_ERR_CORRUPT);
        cr_assert(strstr(err.text, path) && strstr(err.text, cases[i].told), "%s", err.text);
    }
    unlink(path);
}
