/* test_image_codec.c - the picture codec's network: shapes, gradients, levels, files, and the integer form beside the float one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/pool2d.h"
#include "engine/ops/reduce.h"
#include "engine/ops/resize2d.h"
#include "models/image_prior.h"
#include "tests/models/image_rig.h"

static Tensor *random_picture(Rig *rig, int64_t batch, int64_t h, int64_t w, uint32_t sample)
{
    Rng rng = rng_at(3, RNG_TEST, 0, sample);
    Tensor *x;

    ASSERT_OK(tape_tensor(rig->tape, &x, 4, (int64_t[]){batch, 3, h, w}, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = rng_uniform(&rng);
    return x;
}

/* ---- configuration ---- */

Test(image_codec, the_default_network_has_the_size_and_cost_of_configuration_f)
{
    ImageCodecConfig cfg;
    ImageCodecMacs macs;
    RsdError err;

    image_codec_default_config(&cfg);
    ASSERT_OK(image_codec_check_config(&cfg, &err), err);
    macs = image_codec_macs(&cfg);
    /* image.md 12.5-F: 9678; 8554 + 128; 1955 */
    cr_assert_float_eq(macs.synthesis, 9678, 1, "%g", macs.synthesis);
    cr_assert_float_eq(macs.analysis, 8554 + 128, 2, "%g", macs.analysis);
    cr_assert_float_eq(macs.prior, 1955, 2, "%g", macs.prior);
}

Test(image_codec, a_width_out_of_range_is_named)
{
    ImageCodecConfig cfg = image_rig_config();
    RsdError err;

    cfg.widths[1] = 0;
    ASSERT_FAILS(image_codec_check_config(&cfg, &err), RSD_ERR_ARG, err, "widths is 0");
}

/* ---- shapes ---- */

Test(image_codec, pictures_of_many_sizes_go_through_and_back)
{
    static const int sides[][2] = {{16, 16}, {16, 48}, {80, 64}, {112, 16}, {64, 144}};
    const int level[] = {40};
    Rig rig;

    image_rig_open_small(&rig);
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int64_t h = sides[i][0], w = sides[i][1];
        const PriorOptions options = {.as_integer = true, .rounding = ROUND_COINCIDE};
        PriorResult result;
        Tensor *y, *z, *x;

        tape_reset(rig.tape);
        ASSERT_OK(image_codec_analyse(rig.tape, rig.codec, random_picture(&rig, 1, h, w, 0), &y, &rig.err), rig.err);
        cr_assert(y->shape[1] == 8 && y->shape[2] == h / 16 && y->shape[3] == w / 16);
        ASSERT_OK(image_codec_scale(rig.tape, rig.codec, level, y, &y, &rig.err), rig.err);
        ASSERT_OK(image_codec_hyper(rig.tape, rig.codec, y, &z, &rig.err), rig.err);
        cr_assert(z->shape[1] == 6 && z->shape[2] == (h + 63) / 64 && z->shape[3] == (w + 63) / 64);
        ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &result, &rig.err), rig.err);
        cr_assert(tensor_same_shape(result.y_hat, y));
        ASSERT_OK(image_codec_synthesise(rig.tape, rig.codec, level, result.y_hat, &x, &rig.err), rig.err);
        cr_assert(x->shape[1] == 3 && x->shape[2] == h && x->shape[3] == w);
    }
    image_rig_close(&rig);
}

Test(image_codec, pixels_come_from_channels_in_the_documented_order)
{
    Tensor *x, *y;
    Rig rig;

    image_rig_open_small(&rig);
    for (int impulse = 0; impulse < 32; impulse++) {
        const int c = impulse / 16, i = impulse / 4 % 4, j = impulse % 4;

        tape_reset(rig.tape);
        ASSERT_OK(tape_tensor(rig.tape, &x, 4, (int64_t[]){1, 32, 2, 3}, &rig.err), rig.err);
        memset(x->data, 0, 32 * 6 * sizeof *x->data);
        x->data[impulse * 6 + 1 * 3 + 2] = 1; /* line 1, column 2 */
        ASSERT_OK(op_pixel_shuffle(rig.tape, x, 4, &y, &rig.err), rig.err);
        cr_assert_float_eq(y->data[(c * 8 + 4 * 1 + i) * 12 + 4 * 2 + j], 1, 0);
    }
    image_rig_close(&rig);
}

/* ---- gradients ---- */

/* ---- the start ---- */

/* Grey slopes of random height and direction: of three dimensions, fewer than any width of the small network. */
static Tensor *slopes(Rig *rig, int64_t batch, int64_t side, uint32_t sample)
{
    Tensor *x;

    ASSERT_OK(tape_tensor(rig->tape, &x, 4, (int64_t[]){batch, 3, side, side}, &rig->err), rig->err);
    for (int64_t b = 0; b < batch; b++) {
        Rng rng = rng_at(6, RNG_TEST, sample, (uint32_t)b);
        const float middle = rng_between(&rng, 0.3f, 0.7f);
        const float down = rng_between(&rng, -0.3f, 0.3f), right = rng_between(&rng, -0.3f, 0.3f);

        for (int64_t i = 0; i < 3 * side * side; i++) {
            const float row = (float)(i / side % side) / (float)side - 0.5f, col = (float)(i % side) / (float)side - 0.5f;

            x->data[b * 3 * side * side + i] = middle + down * row + right * col;
        }
    }
    return x;
}

static double square_error_there_and_back(Rig *rig, Tensor *x)
{
    const int level[] = {64, 64, 64, 64};
    Tensor *y, *back;

    ASSERT_OK(image_codec_analyse(rig->tape, rig->codec, x, &y, &rig->err), rig->err);
    ASSERT_OK(image_codec_scale(rig->tape, rig->codec, level, y, &y, &rig->err), rig->err);
    ASSERT_OK(image_codec_synthesise(rig->tape, rig->codec, level, y, &back, &rig->err), rig->err);
    return kernels_pick()->point->sum_sq_diff(x->data, back->data, NULL, tensor_count(x)) / (double)tensor_count(x);
}

Test(image_codec, at_its_start_pictures_like_the_first_ones_come_back)
{
    double before, after;
    Rig rig;

    image_rig_open_small(&rig);
    before = square_error_there_and_back(&rig, slopes(&rig, 4, 64, 1));
    ASSERT_OK(image_codec_init_transforms(rig.codec, slopes(&rig, 16, 64, 0)->data, 16, 64, &rig.err), rig.err);
    after = square_error_there_and_back(&rig, slopes(&rig, 4, 64, 1));
    cr_assert(after < 2e-4 && after < 0.02 * before, "mean square error %g, before %g", after, before);
    image_rig_close(&rig);
}

Test(image_codec, at_its_start_latents_have_the_scale_that_the_prior_begins_with)
{
    const int64_t m = image_rig_config().latent;
    const int level[] = {64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64};
    Tensor *x, *y;
    Rig rig;

    image_rig_open_small(&rig);
    x = slopes(&rig, 16, 64, 0);
    ASSERT_OK(image_codec_init_transforms(rig.codec, x->data, 16, 64, &rig.err), rig.err);
    ASSERT_OK(image_codec_analyse(rig.tape, rig.codec, x, &y, &rig.err), rig.err);
    ASSERT_OK(image_codec_scale(rig.tape, rig.codec, level, y, &y, &rig.err), rig.err);
    for (int64_t c = 0; c < 3; c++) {
        const Tensor *bias = params_find(rig.codec->params, "prior.out.bias");
        double power = 0.0, scale = 0.11 * pow(20.0 / 0.11, (double)bias->data[m + c] / 63.0);

        for (int64_t b = 0; b < 16; b++)
            for (int64_t i = 0; i < 16; i++)
                power += pow((double)y->data[(b * m + c) * 16 + i], 2.0) / 256.0;
        cr_assert(fabs(log(sqrt(power) / scale)) < 0.1 || scale > 19.9, "latent %d: deviation %g, scale %g", (int)c, sqrt(power),
                  scale);
    }
    image_rig_close(&rig);
}

/* Heads and the whole, averaged, say the same of slopes. */
Test(image_codec, at_its_start_heads_make_the_averaged_picture)
{
    const int level[] = {100, 100, 100, 100};
    ImageCodecConfig cfg = image_rig_config();
    Tensor *x, *y, *back, *features[IMAGE_HEADS];
    Rig rig;

    image_rig_open_small(&rig);
    cfg.heads = 1;
    image_codec_destroy(&rig.codec);
    ASSERT_OK(image_codec_create(&rig.codec, &cfg, 5, &rig.err), rig.err);
    ASSERT_OK(image_codec_init_transforms(rig.codec, slopes(&rig, 16, 64, 0)->data, 16, 64, &rig.err), rig.err);
    x = slopes(&rig, 4, 64, 1);
    ASSERT_OK(image_codec_analyse(rig.tape, rig.codec, x, &y, &rig.err), rig.err);
    ASSERT_OK(image_codec_scale(rig.tape, rig.codec, level, y, &y, &rig.err), rig.err);
    ASSERT_OK(image_codec_synthesise_with_features(rig.tape, rig.codec, level, y, features, &back, &rig.err), rig.err);
    for (int head = 0; head < IMAGE_HEADS; head++) {
        const int n = 2 << head;
        Tensor *small, *mean;
        double error;

        ASSERT_OK(image_codec_run_head(rig.tape, rig.codec, head, features[head], &small, &rig.err), rig.err);
        ASSERT_OK(op_mean_pool2d(rig.tape, x, &(Pool2dParams){.size = {n, n}}, &mean, &rig.err), rig.err);
        error = kernels_pick()->point->sum_sq_diff(small->data, mean->data, NULL, tensor_count(mean)) / (double)tensor_count(mean);
        cr_assert_lt(error, 5e-4, "head %d: mean square error %g", head, error);
    }
    image_rig_close(&rig);
}

Test(image_codec, a_start_from_pictures_of_another_size_is_refused)
{
    Rig rig;

    image_rig_open_small(&rig);
    cr_assert_eq(image_codec_init_transforms(rig.codec, slopes(&rig, 1, 24, 0)->data, 1, 24, &rig.err), RSD_ERR_ARG);
    cr_assert(strstr(rig.err.text, "24 pixels"));
    image_rig_close(&rig);
}

/* Bits of a pixel and error of one picture, with latents rounded softly: smooth in all weights but for what rounds straight
 * through, which the estimate here does not use (psi of z that is given). */
static double smooth_loss(Rig *rig, const float *picture, bool backward)
{
    const int level[] = {72};
    const PriorOptions options = {.rounding = ROUND_SOFT, .temperature = 1.0f};
    Tensor *x, *y, *z, *psi, *mean, *index, *back, *loss, *part;

    tape_reset(rig->tape);
    rig->tape->recording = backward;
    ASSERT_OK(tape_input(rig->tape, &x, 4, (int64_t[]){1, 3, 32, 32}, picture, &rig->err), rig->err);
    ASSERT_OK(image_codec_analyse(rig->tape, rig->codec, x, &y, &rig->err), rig->err);
    ASSERT_OK(image_codec_scale(rig->tape, rig->codec, level, y, &y, &rig->err), rig->err);
    ASSERT_OK(image_codec_hyper(rig->tape, rig->codec, y, &z, &rig->err), rig->err);
    ASSERT_OK(image_prior_psi(rig->tape, rig->codec, level, z, &options, &psi, &rig->err), rig->err);
    ASSERT_OK(image_prior_params(rig->tape, rig->codec, psi, NULL, &options, &mean, &index, &rig->err), rig->err);
    ASSERT_OK(image_codec_synthesise(rig->tape, rig->codec, level, y, &back, &rig->err), rig->err);
    ASSERT_OK(op_sub(rig->tape, back, x, &back, &rig->err), rig->err);
    ASSERT_OK(op_square(rig->tape, back, &back, &rig->err), rig->err);
    ASSERT_OK(op_sum(rig->tape, back, &loss, &rig->err), rig->err);
    ASSERT_OK(op_square(rig->tape, mean, &mean, &rig->err), rig->err);
    ASSERT_OK(op_sum(rig->tape, mean, &part, &rig->err), rig->err);
    ASSERT_OK(op_add(rig->tape, loss, part, &loss, &rig->err), rig->err);
    ASSERT_OK(op_sum(rig->tape, index, &part, &rig->err), rig->err);
    ASSERT_OK(op_add(rig->tape, loss, part, &loss, &rig->err), rig->err);
    if (backward)
        ASSERT_OK(tape_backward(rig->tape, loss, &rig->err), rig->err);
    return (double)loss->data[0];
}

Test(image_codec, every_weight_has_the_gradient_of_a_difference_quotient)
{
    float picture[3 * 32 * 32];
    Rng rng = rng_at(9, RNG_TEST, 0, 0);
    Rig rig;

    image_rig_open_small(&rig);
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++)
        picture[i] = rng_uniform(&rng);
    params_zero_grad(rig.codec->params);
    smooth_loss(&rig, picture, true);
    for (size_t p = 0; p < rig.codec->params->n_items; p++) {
        const Param *param = &rig.codec->params->items[p];
        const int64_t n = tensor_count(param->tensor);
        float *data = param->tensor->data, *kept, *direction;
        double slope = 0, norm = 0, up, down;
        const double step = 2e-3;

        /* along the gradient itself, where the quotient is largest against rounding */
        ASSERT_OK(mem_alloc(&kept, (size_t)n, sizeof *kept, &rig.err), rig.err);
        ASSERT_OK(mem_alloc(&direction, (size_t)n, sizeof *direction, &rig.err), rig.err);
        memcpy(kept, data, (size_t)n * sizeof *kept);
        for (int64_t i = 0; i < n; i++)
            norm += (double)param->tensor->grad[i] * (double)param->tensor->grad[i];
        norm = sqrt(norm);
        for (int64_t i = 0; i < n; i++) {
            direction[i] = norm > 0 ? (float)((double)param->tensor->grad[i] / norm) : 0;
            slope += (double)direction[i] * (double)param->tensor->grad[i];
            data[i] = kept[i] + (float)step * direction[i];
        }
        up = smooth_loss(&rig, picture, false);
        for (int64_t i = 0; i < n; i++)
            data[i] = kept[i] - (float)step * direction[i];
        down = smooth_loss(&rig, picture, false);
        memcpy(data, kept, (size_t)n * sizeof *kept);
        cr_assert_float_eq((up - down) / (2 * step), slope, 0.02 * slope + 2.0, "%s: %g by differences, %g by the tape",
                           param->name, (up - down) / (2 * step), slope);
        mem_free(&kept);
        mem_free(&direction);
    }
    image_rig_close(&rig);
}

/* ---- the prior ---- */

Test(image_codec, what_is_added_to_a_mean_comes_back)
{
    const int level[] = {64};
    const PriorOptions options = {.rounding = ROUND_COINCIDE};
    PriorResult result;
    Tensor *y, *z;
    Rig rig;

    image_rig_open_small(&rig);
    y = image_rig_latents(&rig, 8, 5, 7, 8.0f, 0);
    z = image_rig_latents(&rig, 6, 2, 2, 3.0f, 1);
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &result, &rig.err), rig.err);
    for (int64_t i = 0; i < tensor_count(y); i++)
        cr_assert_leq(fabsf(result.y_hat->data[i] - y->data[i]), 0.5001f); /* forgetting the mean would show */
    image_rig_close(&rig);
}

Test(image_codec, others_depend_on_anchors_and_anchors_on_nobody)
{
    const int level[] = {64};
    const PriorOptions options = {.as_integer = true, .rounding = ROUND_COINCIDE};
    PriorResult before, after;
    Tensor *y, *z;
    Rig rig;
    int n_moved = 0;

    image_rig_open_small(&rig);
    /* larger weights, so that a context can be felt at all */
    for (size_t p = 0; p < rig.codec->params->n_items; p++)
        if (strstr(rig.codec->params->items[p].name, "prior.") && strstr(rig.codec->params->items[p].name, ".weight"))
            for (int64_t i = 0; i < tensor_count(rig.codec->params->items[p].tensor); i++)
                rig.codec->params->items[p].tensor->data[i] *= 2;
    y = image_rig_latents(&rig, 8, 6, 7, 8.0f, 0);
    z = image_rig_latents(&rig, 6, 2, 2, 3.0f, 1);
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &before, &rig.err), rig.err);
    y->data[2 * 7 + 2] += 40; /* an anchor */
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &after, &rig.err), rig.err);
    ASSERT_SAME_BITS("indices of anchors", after.y_index[0]->data, before.y_index[0]->data, tensor_count(before.y_index[0]));
    for (int64_t i = 0; i < tensor_count(before.y_index[1]); i++)
        n_moved += after.y_index[1]->data[i] != before.y_index[1]->data[i];
    cr_assert_gt(n_moved, 0);
    y->data[2 * 7 + 3] += 40; /* another: nobody hears of it */
    ASSERT_OK(image_prior_estimate(rig.tape, rig.codec, level, y, z, &options, &before, &rig.err), rig.err);
    ASSERT_SAME_BITS("indices of others", after.y_index[1]->data, before.y_index[1]->data, tensor_count(before.y_index[1]));
    image_rig_close(&rig);
}

/* ---- files ---- */

Test(image_codec, a_saved_codec_loads_with_the_same_integers_and_runs_alike)
{
    char path[] = "/tmp/residua-image-XXXXXX";
    const int level[] = {33};
    ImageCodec *loaded;
    Tensor *y, *a, *b;
    Rig rig;

    close(mkstemp(path));
    image_rig_open_small(&rig);
    ASSERT_OK(image_codec_save(rig.codec, path, DTYPE_F32, NULL, &rig.err), rig.err);
    ASSERT_OK(image_codec_load(&loaded, path, &rig.err), rig.err);
    unlink(path);
    for (int i = 0; i < PRIOR_N_LAYERS; i++) {
        const IntegerLayer *was = &rig.codec->prior->layers[i], *is = &loaded->prior->layers[i];

        cr_assert(was->n_out == is->n_out && was->n_in == is->n_in && was->shift == is->shift && was->low == is->low);
        cr_assert_arr_eq(was->weight, is->weight, (size_t)(was->n_out * was->n_in));
        cr_assert_arr_eq(was->bias, is->bias, (size_t)was->n_out * sizeof *was->bias);
        cr_assert_arr_eq(was->mult, is->mult, (size_t)was->n_out * sizeof *was->mult);
    }
    cr_assert_arr_eq(rig.codec->prior->tables.weight, loaded->prior->tables.weight, 6 * (IMAGE_Z_SYMBOLS + 1) * 4);
    y = image_rig_latents(&rig, 8, 3, 4, 5.0f, 0);
    ASSERT_OK(image_codec_synthesise(rig.tape, rig.codec, level, y, &a, &rig.err), rig.err);
    ASSERT_OK(image_codec_synthesise(rig.tape, loaded, level, y, &b, &rig.err), rig.err);
    ASSERT_SAME_BITS("pictures", a->data, b->data, tensor_count(a));
    image_codec_destroy(&loaded);
    image_rig_close(&rig);
}

/* Sums of the integer form beside the rounded float form: a layer after the other on the same input. */
Test(image_codec, the_float_form_rounds_as_the_integer_form)
{
    const int level[] = {0};
    const PriorOptions options = {.as_integer = true};
    enum { H = 3, W = 2, C = 6 };
    int16_t x[C * H * W], expected[4 * C * H * W];
    Tensor *z, *psi;
    Rig rig;

    image_rig_open_small(&rig);
    ASSERT_OK(image_codec_make_prior(rig.codec, &rig.err), rig.err);
    z = image_rig_latents(&rig, C, H, W, 4.0f, 0);
    for (int i = 0; i < C * H * W; i++) {
        z->data[i] = roundf(z->data[i]);
        x[i] = (int16_t)(PRIOR_UNIT * z->data[i]);
    }
    integer_ref.dense(&rig.codec->prior->layers[PRIOR_UP1], x, H * W, expected);
    ASSERT_OK(image_prior_psi(rig.tape, rig.codec, level, z, &options, &psi, &rig.err), rig.err);
    for (int64_t i = 0; i < tensor_count(psi); i++) {
        const double unit = (double)psi->data[i] * PRIOR_UNIT;

        cr_assert_float_eq(unit, round(unit), 1e-3);
    }
    for (int i = 0; i < 4 * C * H * W; i++)
        cr_assert(expected[i] >= 0 && expected[i] <= INTEGER_MAX);
    image_rig_close(&rig);
}

/* Of the sum of psi with respect to the first layer. */
static void gradient_of_psi(Rig *rig, bool as_integer, double *gradient)
{
    const PriorOptions options = {.as_integer = as_integer, .rounding = ROUND_COINCIDE};
    const int level[] = {50};
    const Tensor *weight = params_find(rig->codec->params, "prior.up1.weight");
    Tensor *psi, *sum;

    tape_reset(rig->tape);
    rig->tape->recording = true;
    params_zero_grad(rig->codec->params);
    ASSERT_OK(image_prior_psi(rig->tape, rig->codec, level, image_rig_latents(rig, 6, 3, 3, 3.0f, 7), &options, &psi, &rig->err),
              rig->err);
    ASSERT_OK(op_sum(rig->tape, psi, &sum, &rig->err), rig->err);
    ASSERT_OK(tape_backward(rig->tape, sum, &rig->err), rig->err);
    rig->tape->recording = false;
    for (int64_t i = 0; i < tensor_count(weight); i++)
        gradient[i] = (double)weight->grad[i];
}

Test(image_codec, rounding_as_integers_hardly_turns_the_gradient)
{
    double as_float[4 * 6 * 6], as_integer[4 * 6 * 6], both = 0.0, of_float = 0.0, of_integer = 0.0;
    Rig rig;

    image_rig_open_small(&rig);
    cr_assert_eq(tensor_count(params_find(rig.codec->params, "prior.up1.weight")), 4 * 6 * 6);
    gradient_of_psi(&rig, false, as_float);
    gradient_of_psi(&rig, true, as_integer);
    for (int i = 0; i < 4 * 6 * 6; i++) {
        both += as_float[i] * as_integer[i];
        of_float += as_float[i] * as_float[i];
        of_integer += as_integer[i] * as_integer[i];
    }
    cr_assert(of_float > 0.0);
    cr_assert_gt(both / sqrt(of_float * of_integer), 0.99);
    cr_assert(fabs(log(of_integer / of_float)) < 0.05, "squared norm %g, as integers %g", of_float, of_integer);
    image_rig_close(&rig);
}

/* Training in float must not grow what the integer form will cut off. */
Test(image_codec, activations_of_the_float_form_stay_within_those_of_the_integer_form)
{
    const PriorOptions options = {.rounding = ROUND_COINCIDE};
    const int level[] = {50};
    Tensor *weight, *psi;
    float most = 0.0f;
    Rig rig;

    image_rig_open_small(&rig);
    weight = params_find(rig.codec->params, "prior.psi.weight");
    for (int64_t i = 0; i < tensor_count(weight); i++)
        weight->data[i] *= 1e5f;
    ASSERT_OK(image_prior_psi(rig.tape, rig.codec, level, image_rig_latents(&rig, 6, 3, 3, 3.0f, 7), &options, &psi, &rig.err),
              rig.err);
    for (int64_t i = 0; i < tensor_count(psi); i++)
        most = fmaxf(most, psi->data[i]);
    cr_assert_eq(most, PRIOR_LIMIT);
    image_rig_close(&rig);
}
