/* test_image_steps.c - latents in steps of their own: the integer form beside the float one, gradients, files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <unistd.h>

#include "codec/tile_coder.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/reduce.h"
#include "models/image_prior.h"
#include "models/image_steps.h"
#include "models/prior_run.h"
#include "tests/models/image_rig.h"

/* Rows from about -10 to 14. */
static void open_rig_with_steps(Rig *rig)
{
    ImageCodecConfig cfg = image_rig_config();
    Rng rng = rng_at(6, RNG_TEST, 0, 0);

    cfg.steps = 1;
    image_rig_open(rig, &cfg);
    params_fill_uniform(params_find(rig->codec->params, "steps.local.weight"), &rng, 0.05f);
    params_fill_uniform(params_find(rig->codec->params, "steps.levels"), &rng, 0.15f);
}

Test(image_steps, the_integer_form_finds_the_steps_and_bits_of_the_float_form)
{
    enum { M = 8, H = 5, W = 7 };
    const int level[] = {40};
    const PriorOptions options = {.as_integer = true, .is_integer = true, .rounding = ROUND_COINCIDE};
    int32_t given[M * H * W], coded[M * H * W], step[M * H * W];
    int16_t hyper[6 * 2 * 2];
    int n_other = 0, n_steps = 0;
    PriorResult result;
    TileModel *model;
    TileCoder *coder;
    TileCode code;
    Tensor *y, *z;
    Rig rig;

    open_rig_with_steps(&rig);
    ASSERT_OK(image_codec_make_prior(rig.codec, &rig.err), rig.err);
    integer_prior_to_float(rig.codec->prior, rig.codec); /* as a model from a file has them */
    integer_steps_to_float(rig.codec->steps, rig.codec);
    ASSERT_OK(tile_model_create(&model, rig.codec->prior, &rig.err), rig.err);
    ASSERT_OK(tile_coder_create(&coder, model, H, W, kernels_pick(), &rig.err), rig.err);
    y = image_rig_latents(&rig, M, H, W, 8.0f, 0);
    z = image_rig_latents(&rig, 6, 2, 2, 3.0f, 1);
    for (int i = 0; i < M * H * W; i++) {
        given[i] = (int32_t)lrintf(y->data[i] * TILE_FRACTION);
        y->data[i] = (float)given[i] / TILE_FRACTION;
    }
    for (int i = 0; i < 6 * 2 * 2; i++)
        hyper[i] = (int16_t)lrintf(z->data[i]);
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &result, &rig.err), rig.err);
    ASSERT_OK(tile_encode(coder, level[0], &(TileRounding){.strength = 0}, hyper, given, H, W, &code, &rig.err), rig.err);
    tile_encoded(coder, H, W, coded);
    tile_steps(coder, H, W, step);
    for (int i = 0; i < M * H * W; i++) {
        n_other += fabsf(result.y_hat->data[i] - (float)coded[i] / PRIOR_UNIT) > 0.02f; /* where a float sum fell on the edge of two */
        n_steps += step[i] != step[0];
        cr_assert_leq(fabsf(result.y_hat->data[i] - y->data[i]), 0.5f * (float)step[i] / PRIOR_STEP_UNIT + 0.02f);
    }
    cr_assert_leq(n_other, M * H * W / 50, "%d of %d latents differ", n_other, M * H * W);
    cr_assert_gt(n_steps, M * H * W / 2, "%d steps differ from the first", n_steps);
    tile_coder_destroy(&coder);
    tile_model_destroy(&model);
    image_rig_close(&rig);
}

Test(image_steps, steps_of_a_row_grow_as_scales_do)
{
    for (int row = PRIOR_LOWEST_STEP; row <= PRIOR_HIGHEST_STEP; row++)
        cr_assert_eq(prior_step(row), (int)lrint(PRIOR_STEP_UNIT * exp(PRIOR_LOG_SCALE_STEP * row)), "row %d: %d", row, (int)prior_step(row));
    cr_assert_eq(prior_latent(-3, 7, 0), -3 * PRIOR_FRACTION + 7);
}

Test(image_steps, new_steps_are_1)
{
    ImageCodecConfig cfg = image_rig_config();
    const int level[] = {90};
    const PriorOptions options = {.rounding = ROUND_COINCIDE};
    PriorResult with, without;
    Tensor *y, *z;
    Rig plain, rig;

    cfg.steps = 1;
    image_rig_open_small(&plain);
    image_rig_open(&rig, &cfg);
    y = image_rig_latents(&rig, 8, 5, 7, 8.0f, 0);
    z = image_rig_latents(&rig, 6, 2, 2, 3.0f, 1);
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &with, &rig.err), rig.err);
    ASSERT_OK(image_prior_estimate(plain.tape, plain.codec, level, y, z, &options, &without, &plain.err), plain.err);
    ASSERT_SAME_BITS("latents", with.y_hat->data, without.y_hat->data, tensor_count(y));
    ASSERT_SAME_BITS("bits", with.y_bits[1]->data, without.y_bits[1]->data, tensor_count(with.y_bits[1]));
    image_rig_close(&plain);
    image_rig_close(&rig);
}

/* Bits of soft-rounded anchors, smooth in the steps; others have a context that is rounded. */
static double bits_of_steps(Rig *rig, bool backward)
{
    const int level[] = {72};
    const PriorOptions options = {.rounding = ROUND_SOFT, .temperature = 1.0f};
    PriorResult result;
    Tensor *y, *z, *sum;

    tape_reset(rig->tape);
    rig->tape->recording = backward;
    y = image_rig_latents(rig, 8, 4, 4, 8.0f, 2);
    z = image_rig_latents(rig, 6, 1, 1, 3.0f, 3);
    ASSERT_OK(image_prior_estimate(rig->tape, rig->codec, level, y, z, &options, &result, &rig->err), rig->err);
    ASSERT_OK(op_sum(rig->tape, result.y_bits[0], &sum, &rig->err), rig->err);
    if (backward)
        ASSERT_OK(tape_backward(rig->tape, sum, &rig->err), rig->err);
    return (double)sum->data[0];
}

Test(image_steps, steps_have_the_gradient_of_a_difference_quotient)
{
    static const char *const names[] = {"steps.local.weight", "steps.local.bias", "steps.levels"};
    Rig rig;

    open_rig_with_steps(&rig);
    for (int which = 0; which < 3; which++) {
        Tensor *table = params_find(rig.codec->params, names[which]);
        const int64_t at = which == 0 ? 3 : which == 1 ? 0 : 4 * 8 + 5; /* of level 64, which 72 has half of */
        const float kept = table->data[at], step = 1e-3f;
        double up, down, slope;

        params_zero_grad(rig.codec->params);
        bits_of_steps(&rig, true);
        slope = (double)table->grad[at];
        table->data[at] = kept + step;
        up = bits_of_steps(&rig, false);
        table->data[at] = kept - step;
        down = bits_of_steps(&rig, false);
        table->data[at] = kept;
        cr_assert(slope != 0.0);
        cr_assert_float_eq((up - down) / (2 * (double)step), slope, 0.02 * fabs(slope) + 0.5, "%s: %g by differences, %g by the tape",
                           names[which], (up - down) / (2 * (double)step), slope);
    }
    image_rig_close(&rig);
}

Test(image_steps, steps_are_in_the_file_of_a_model)
{
    char path[] = "/tmp/residua-steps-XXXXXX";
    ImageCodec *loaded;
    Rig rig;

    close(mkstemp(path));
    open_rig_with_steps(&rig);
    ASSERT_OK(image_codec_save(rig.codec, path, DTYPE_F32, NULL, &rig.err), rig.err);
    ASSERT_OK(image_codec_load_for(&loaded, path, IMAGE_USE_DECODE, &rig.err), rig.err);
    cr_assert_eq(loaded->config.steps, 1);
    cr_assert_arr_eq(loaded->prior->steps->levels, rig.codec->steps->levels, IMAGE_LEVELS * 8 * sizeof *loaded->steps->levels);
    cr_assert_arr_eq(loaded->prior->steps->local.weight, rig.codec->steps->local.weight, 8);
    image_codec_destroy(&loaded);
    ASSERT_OK(image_codec_load(&loaded, path, &rig.err), rig.err);
    cr_assert_float_eq(params_find(loaded->params, "steps.levels")->data[11], params_find(rig.codec->params, "steps.levels")->data[11],
                       0.5f / PRIOR_UNIT);
    image_codec_destroy(&loaded);
    unlink(path);
    image_rig_close(&rig);
}
