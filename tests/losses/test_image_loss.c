/* test_image_loss.c - what must hold for every named image loss: odd pictures, threads, memory, finite differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "tests/losses/pictures.h"
#include "tests/losses/signals.h"

static bool is_ready(const ImageLossInfo *info)
{
    return info->needs[0] == '\0';
}

static bool is_variation(const char *name)
{
    return strncmp(name, "tv_", 3) == 0;
}

static bool is_extreme_when_equal(const char *name)
{
    return strcmp(name, "vif") != 0 && strcmp(name, "edge_direction") != 0;
}

/* Weights that depend on the picture are constants to the gradient: golden data checks these. */
static bool has_constant_weights(const char *name)
{
    return strncmp(name, "ffl", 3) == 0 || strcmp(name, "spatial_frequency") == 0;
}

static bool is_long(const ImageLossInfo *info)
{
    return strncmp(info->name, "fsim", 4) == 0 || strcmp(info->name, "vsi") == 0 || strcmp(info->name, "iw_ssim") == 0;
}

static void expect_finite(const PictureRun *run, const char *name, const char *what)
{
    cr_assert(isfinite(run->value->data[0]), "%s of %s: value %g", name, what, (double)run->value->data[0]);
    for (int64_t i = 0; i < tensor_count(run->estimate); i++)
        cr_assert(isfinite(run->estimate->grad[i]), "%s of %s: gradient %lld is %g", name, what, (long long)i,
                  (double)run->estimate->grad[i]);
}

Test(image_loss, every_name_is_described_and_unknown_names_list_them)
{
    const ImageLossInfo *info;
    ImageLoss *loss;
    RsdError err = {0};

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        cr_assert(info->summary[0] && info->formula[0] && info->range[0] && info->cost[0] && info->min_side >= 1, "%s",
                  info->name);
        cr_assert_eq(image_loss_find(info->name), info);
        ASSERT_FAILS(image_loss_create(&loss, "nonsense", NULL, &err), RSD_ERR_ARG, err, info->name);
    }
    cr_assert_null(loss);
    cr_assert_null(image_loss_find("nonsense"));
}

Test(image_loss, pictures_of_any_size_have_finite_values_and_gradients)
{
    static const int64_t sizes[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 5}, {17, 16}, {23, 65}};
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++)
        for (size_t k = 0; is_ready(info) && k < sizeof sizes / sizeof sizes[0]; k++) {
            PictureRun run;
            char what[32];

            picture_run_open(&run, 1, 2, sizes[k][0], sizes[k][1]);
            picture_run_loss(&run, info->name, NULL);
            snprintf(what, sizeof what, "%lld x %lld", (long long)sizes[k][1], (long long)sizes[k][0]);
            expect_finite(&run, info->name, what);
            picture_run_close(&run);
        }
}

static void set_all(Tensor *x, float value)
{
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = value;
}

Test(image_loss, flat_black_and_white_pictures_have_finite_values_and_gradients)
{
    static const float levels[][2] = {{0, 0}, {1, 1}, {0, 1}, {1, 0}, {0.5f, 0.5f}, {0.25f, 0.75f}};
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++)
        for (size_t k = 0; is_ready(info) && k < 2 + sizeof levels / sizeof levels[0]; k++) {
            PictureRun run;
            const size_t n_levels = sizeof levels / sizeof levels[0];

            picture_run_open(&run, 1, 1, 33, 47);
            if (k < n_levels || k == n_levels)
                set_all(run.target, k < n_levels ? levels[k][0] : 0.0f);
            if (k < n_levels || k == n_levels + 1)
                set_all(run.estimate, k < n_levels ? levels[k][1] : 0.0f);
            picture_run_loss(&run, info->name, NULL);
            expect_finite(&run, info->name, "flat pictures");
            picture_run_close(&run);
        }
}

Test(image_loss, equal_pictures_are_perfect_and_have_no_gradient)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        const char *name = info->name;
        const double best = !strcmp(name, "psnr") ? -80.0 : !strcmp(name, "psnr_hvs_m") ? -100.0 : !strcmp(name, "charbonnier") ? 1e-3 : 0.0;
        PictureRun run;

        if (!is_ready(info) || is_variation(info->name))
            continue;
        picture_run_open(&run, 1, 2, 70, 90);
        memcpy(run.estimate->data, run.target->data, (size_t)tensor_count(run.target) * sizeof(float));
        picture_run_loss(&run, info->name, NULL);
        ASSERT_CLOSE(info->name, run.value->data[0], best, ((Tolerance){.abs = 1e-6, .rel = 1e-5}));
        /* more contrast than the reference raises VIF further, and m > |g| in edge_direction: no extremum here */
        for (int64_t k = 0; is_extreme_when_equal(info->name) && k < tensor_count(run.estimate); k++)
            cr_assert(fabsf(run.estimate->grad[k]) <= 1e-9f, "%s of equal pictures: gradient %g", info->name,
                      (double)run.estimate->grad[k]);
        picture_run_close(&run);
    }
}

Test(image_loss, more_noise_is_a_larger_loss)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        float last = 0.0f;

        if (!is_ready(info) || is_variation(info->name))
            continue;
        for (int k = 0; k < 4; k++) {
            PictureRun run;

            picture_run_open(&run, 1, 1, 64, 80);
            picture_disturb(run.estimate->data, run.target->data, 64, 80, 5, 0.01f * (float)(1 << 2 * k));
            picture_run_loss(&run, info->name, NULL);
            cr_assert(k == 0 || run.value->data[0] > last, "%s: %g at noise %g, %g with less", info->name,
                      (double)run.value->data[0], 0.01 * (1 << 2 * k), (double)last);
            last = run.value->data[0];
            picture_run_close(&run);
        }
    }
}

Test(image_loss, a_batch_is_the_mean_of_its_pictures)
{
    const ImageLossInfo *info;
    const int64_t h = 20, w = 28, count = 3 * h * w;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        PictureRun both, one;
        double sum = 0.0;

        if (!is_ready(info))
            continue;
        picture_run_open(&both, 1, 2, h, w);
        picture_run_loss(&both, info->name, NULL);
        for (int k = 0; k < 2; k++) {
            picture_run_open(&one, 1, 1, h, w);
            memcpy(one.estimate->data, both.estimate->data + k * count, (size_t)count * sizeof(float));
            memcpy(one.target->data, both.target->data + k * count, (size_t)count * sizeof(float));
            picture_run_loss(&one, info->name, NULL);
            sum += 0.5 * (double)one.value->data[0];
            for (int64_t j = 0; j < count; j++)
                one.estimate->grad[j] *= 0.5f;
            ASSERT_CLOSE_F32(info->name, both.estimate->grad + k * count, one.estimate->grad, count,
                             ((Tolerance){.of_max = 1e-5}));
            picture_run_close(&one);
        }
        ASSERT_CLOSE(info->name, both.value->data[0], sum, ((Tolerance){.rel = 2e-6, .abs = 1e-9}));
        picture_run_close(&both);
    }
}

/* The loss along its own gradient, against the length of the gradient. */
static double along_gradient(const char *name, double step, PictureRun *at)
{
    double values[2], norm = 0.0;
    const int64_t count = tensor_count(at->estimate);

    for (int64_t i = 0; i < count; i++)
        norm += (double)at->estimate->grad[i] * (double)at->estimate->grad[i];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        PictureRun moved;

        picture_run_open(&moved, 1, at->estimate->shape[0], at->estimate->shape[2], at->estimate->shape[3]);
        memcpy(moved.target->data, at->target->data, (size_t)count * sizeof(float));
        for (int64_t i = 0; i < count; i++)
            moved.estimate->data[i] = (float)((double)at->estimate->data[i] + (side ? step : -step) *
                                                                                  (double)at->estimate->grad[i] / norm);
        picture_run_loss(&moved, name, NULL);
        values[side] = (double)moved.value->data[0];
        picture_run_close(&moved);
    }
    return (values[1] - values[0]) / (2.0 * step * norm);
}

Test(image_loss, gradients_match_finite_differences)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        PictureRun run;
        double best = 1e9, ratio = 0.0;

        if (!is_ready(info) || has_constant_weights(info->name))
            continue;
        picture_run_open(&run, 1, 1, 40, 45);
        picture_run_loss(&run, info->name, NULL);
        /* float32 values ask for a long step, kinks for a short one: one of them must fit */
        for (double step = 0.001 / 81; step < 0.2 && best > 0.01; step *= 3) {
            const double got = along_gradient(info->name, step, &run);

            if (fabs(got - 1.0) < best) {
                best = fabs(got - 1.0);
                ratio = got;
            }
        }
        cr_expect(best <= 0.01, "%s: the loss rises by %g of its gradient", info->name, ratio);
        picture_run_close(&run);
    }
}

Test(image_loss, nan_shows_in_the_value)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++)
        for (int side = 0; is_ready(info) && side < (is_variation(info->name) ? 1 : 2); side++) {
            PictureRun run;

            picture_run_open(&run, 1, 1, 30, 40);
            (side ? run.target : run.estimate)->data[1234] = NAN;
            picture_run_loss(&run, info->name, NULL);
            cr_assert(isnan(run.value->data[0]), "%s lost a NaN: %g", info->name, (double)run.value->data[0]);
            picture_run_close(&run);
        }
}

Test(image_loss, threads_and_recording_do_not_change_a_bit)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        PictureRun one, three;
        ImageLoss *loss;
        Tensor *plain;
        RsdError err = {0};

        if (!is_ready(info))
            continue;
        picture_run_open(&one, 1, 1, 97, 131);
        picture_run_open(&three, 3, 1, 97, 131);
        picture_run_loss(&one, info->name, NULL);
        picture_run_loss(&three, info->name, NULL);
        ASSERT_SAME_BITS(info->name, three.value->data, one.value->data, 1);
        ASSERT_SAME_BITS(info->name, three.estimate->grad, one.estimate->grad, tensor_count(one.estimate));
        ASSERT_OK(image_loss_create(&loss, info->name, NULL, &err), err);
        three.tape->recording = false;
        ASSERT_OK(image_loss_apply(three.tape, loss, three.estimate, three.target, &plain, &err), err);
        ASSERT_SAME_BITS(info->name, plain->data, one.value->data, 1);
        image_loss_destroy(&loss);
        picture_run_close(&one);
        picture_run_close(&three);
    }
}

Test(image_loss, different_shapes_are_refused)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        PictureRun run;
        ImageLoss *loss;
        RsdError err = {0};

        if (!is_ready(info))
            continue;
        picture_run_open(&run, 1, 1, 20, 30);
        run.target->shape[3] = 29;
        ASSERT_OK(image_loss_create(&loss, info->name, NULL, &err), err);
        ASSERT_FAILS(image_loss_apply(run.tape, loss, run.estimate, run.target, &run.value, &err), RSD_ERR_ARG, err,
                     "[1, 3, 20, 29]");
        image_loss_destroy(&loss);
        picture_run_close(&run);
    }
}

Test(image_loss, a_failed_allocation_is_a_clean_error)
{
    const ImageLossInfo *info;

    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        RsdStatus status = RSD_ERR_MEMORY;

        /* those in double open their hundreds of planes alike, one after the other: every seventh is seen */
        for (int n = 0; is_ready(info) && status == RSD_ERR_MEMORY; n += is_long(info) && n > 20 ? 7 : 1) {
            ImageLoss *loss = NULL;
            PictureRun run;
            RsdError err = {0};

            cr_assert_lt(n, 1000);
            picture_run_open(&run, 1, 1, 24, 30);
            mem_fail_after(n);
            status = image_loss_create(&loss, info->name, NULL, &err);
            if (status == RSD_OK)
                status = image_loss_apply(run.tape, loss, run.estimate, run.target, &run.value, &err);
            if (status == RSD_OK)
                status = tape_backward(run.tape, run.value, &err);
            mem_fail_after(-1);
            image_loss_destroy(&loss);
            picture_run_close(&run);
        }
        cr_assert(!is_ready(info) || status == RSD_OK, "%s", info->name);
    }
}

/* A colour and its neighbour, by the loss of a picture of one pixel. */
static double colour_loss(const char *name, const float target[3], const float estimate[3], float slope[3])
{
    PictureRun run;
    double value;

    picture_run_open(&run, 1, 1, 1, 1);
    memcpy(run.target->data, target, 3 * sizeof(float));
    memcpy(run.estimate->data, estimate, 3 * sizeof(float));
    picture_run_loss(&run, name, NULL);
    value = (double)run.value->data[0];
    memcpy(slope, run.estimate->grad, 3 * sizeof(float));
    picture_run_close(&run);
    return value;
}

/* Each sample of many colours: all branches of the hue, dark and light ones. */
Test(image_loss, slopes_of_colours_match_finite_differences)
{
    static const char *const names[] = {"ciede2000", "sam"};
    static float x[3 * 200], y[3 * 200];
    int n_far = 0;

    signal_noise(x, 3 * 200, 21);
    signal_noise(y, 3 * 200, 22);
    for (int i = 0; i < 400; i++) {
        const char *name = names[i / 200];
        float p[3], q[3], slope[3], unused[3];

        for (int c = 0; c < 3; c++) {
            p[c] = 0.5f + 0.48f * x[3 * (i % 200) + c];
            q[c] = i % 2 ? 0.5f + 0.48f * y[3 * (i % 200) + c] : 0.01f + 0.94f * p[c] + 0.03f * y[3 * (i % 200) + c];
        }
        colour_loss(name, p, q, slope);
        for (int c = 0; c < 3; c++) {
            const float step = 0.002f, middle = q[c];
            double above, below, got;

            q[c] = middle + step;
            above = colour_loss(name, p, q, unused);
            q[c] = middle - step;
            below = colour_loss(name, p, q, unused);
            got = (above - below) / ((double)(middle + step) - (double)(middle - step));
            q[c] = middle;
            n_far += fabs(got - (double)slope[c]) > 0.02 * fabs(got) + 0.2;
        }
    }
    cr_assert(n_far <= 36, "%d of 1200 slopes differ from finite differences", n_far); /* 3 %: kinks of the hue between the two */
}

Test(image_loss, greys_have_finite_slopes_towards_the_colour)
{
    static const float blue[3] = {0.1f, 0.15f, 0.9f}, orange[3] = {0.9f, 0.5f, 0.1f};

    for (int i = 0; i < 8; i++) {
        const float level = 0.05f + 0.1f * (float)i, off = i % 2 ? 1e-5f : 0.0f;
        const float grey[3] = {level, level + off, level};
        float slope[3];
        double value;

        value = colour_loss("ciede2000", i % 4 < 2 ? blue : orange, grey, slope);
        cr_assert_gt(value, 10.0);
        for (int c = 0; c < 3; c++)
            cr_assert(fabsf(slope[c]) < 1000.0f, "slope %g of grey %g", (double)slope[c], (double)level);
        cr_assert(i % 4 < 2 ? slope[2] < slope[0] : slope[0] < slope[2], "grey %g is led away: %g %g %g", (double)level,
                  (double)slope[0], (double)slope[1], (double)slope[2]);
        colour_loss("ciede2000", grey, i % 4 < 2 ? blue : orange, slope);
        for (int c = 0; c < 3; c++)
            cr_assert(fabsf(slope[c]) < 1000.0f, "slope %g at grey %g", (double)slope[c], (double)level);
    }
}

Test(image_loss, measures_on_arrays_are_their_metrics_to_float_rounding)
{
    static const struct {
        const char *name;
        double scale;
    } names[] = {{"ciede2000", 1}, {"sam", 1}, {"ergas", 1}, {"psnr_hvs_m", -1}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PictureRun run;
        MetricValue value;
        RsdError err = {0};

        picture_run_open(&run, 2, 1, 67, 83);
        picture_run_loss(&run, names[i].name, NULL);
        ASSERT_OK(image_metric_apply(&value, image_metric_find(names[i].name),
                                     &(ImagePair){run.target->data, run.estimate->data, 67, 83, NULL}, NULL, run.tape, &err), err);
        ASSERT_CLOSE(names[i].name, names[i].scale * value.value, run.value->data[0], ((Tolerance){.rel = 1e-6}));
        picture_run_close(&run);
    }
}
