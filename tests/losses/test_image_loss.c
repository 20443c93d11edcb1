/* test_image_loss.c - what must hold for every named image loss and metric: odd pictures, threads, memory, finite
 * differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/colour_metric.h"
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

/* --- metrics ----------------------------------------------------------------------------------------------------------- */

#define H 60
#define W 75
static float x[3 * H * W], y[3 * H * W];

static MetricValue value_of(Tape *tape, const ImageMetric *metric, int64_t h, int64_t w)
{
    const ImagePair pair = {x, y, h, w};
    MetricValue value = {0};
    RsdError err = {0};

    ASSERT_OK(image_metric_apply(&value, metric, &pair, NULL, tape, &err), err);
    return value;
}

static void open_tape(RsdThreads **threads, Tape **tape)
{
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(threads, 2, &err), err);
    ASSERT_OK(tape_create(tape, *threads, 0, &err), err);
}

Test(image_metric, all_are_best_for_equal_pictures_and_fall_with_noise)
{
    const ImageMetric *metric;
    RsdThreads *threads;
    Tape *tape;

    open_tape(&threads, &tape);
    picture_natural(x, H, W, 3);
    for (size_t i = 0; (metric = image_metric_at(i)) != NULL; i++) {
        const double sign = metric->higher_is_better ? 1 : -1;
        MetricValue value;
        double last;

        if (metric->needs[0])
            continue;
        memcpy(y, x, sizeof x);
        value = value_of(tape, metric, H, W);
        cr_assert(value.flags & METRIC_IDENTICAL, "%s", metric->name);
        last = value.value;
        for (float level = 0.005f; level < 0.5f; level *= 4) {
            picture_disturb(y, x, H, W, 5, level);
            value = value_of(tape, metric, H, W);
            cr_assert_gt(sign * last, sign * value.value, "%s: %g at noise %g, %g with less", metric->name, value.value,
                         (double)level, last);
            cr_assert_eq(value.flags, H < metric->min_side ? (unsigned)METRIC_TOO_SHORT : 0u, "%s", metric->name);
            last = value.value;
        }
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

Test(image_metric, all_give_numbers_for_tiny_and_flat_pictures)
{
    static const int64_t sizes[][2] = {{1, 1}, {1, 7}, {2, 2}, {9, 8}, {31, 33}};
    const ImageMetric *metric;
    RsdThreads *threads;
    Tape *tape;

    open_tape(&threads, &tape);
    for (size_t i = 0; (metric = image_metric_at(i)) != NULL; i++)
        for (size_t k = 0; !metric->needs[0] && k < sizeof sizes / sizeof sizes[0]; k++)
            for (int filled = 0; filled < 4; filled++) {
                MetricValue value;

                memset(x, 0, sizeof x);
                memset(y, 0, sizeof y);
                if (filled & 1)
                    picture_natural(x, sizes[k][0], sizes[k][1], 3);
                if (filled & 2)
                    picture_natural(y, sizes[k][0], sizes[k][1], 4);
                value = value_of(tape, metric, sizes[k][0], sizes[k][1]);
                cr_assert(!isnan(value.value), "%s of %lld x %lld, case %d, is not a number", metric->name,
                          (long long)sizes[k][1], (long long)sizes[k][0], filled);
                cr_assert(isfinite(value.value) || (value.flags & METRIC_IDENTICAL), "%s of %lld x %lld, case %d: %g",
                          metric->name, (long long)sizes[k][1], (long long)sizes[k][0], filled, value.value);
            }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

/* Nothing is to be kept, which counts as all kept. */
Test(image_metric, vif_of_a_flat_reference_is_one_whatever_its_level)
{
    const ImageMetric *vif = image_metric_find("vif");
    RsdThreads *threads;
    Tape *tape;

    open_tape(&threads, &tape);
    for (int level = 0; level <= 255; level += 15)
        for (int textured = 0; textured < 2; textured++) {
            double value;

            if (textured)
                picture_natural(y, H, W, 3);
            for (int64_t i = 0; i < 3 * H * W; i++) {
                x[i] = (float)level / 255;
                y[i] = textured ? y[i] : 1 - x[i];
            }
            value = value_of(tape, vif, H, W).value;
            cr_expect(fabs(value - 1) <= 1e-6, "VIF of level %d against %s: %.9g", level, textured ? "a picture" : "flat", value);
        }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

Test(image_metric, bad_pictures_are_refused_with_their_place)
{
    const ImageMetric *metric = image_metric_find("ssim");
    const ImagePair pair = {x, y, 4, 5};
    RsdThreads *threads;
    Tape *tape;
    MetricValue value;
    RsdError err = {0};

    open_tape(&threads, &tape);
    y[20 + 2 * 5 + 3] = NAN;
    ASSERT_FAILS(image_metric_apply(&value, metric, &pair, NULL, tape, &err), RSD_ERR_NUMERIC, err,
                 "green at column 3 of row 2 of the distorted picture is not a number");
    ASSERT_FAILS(image_metric_apply(&value, metric, &(ImagePair){x, y, 0, 5}, NULL, tape, &err), RSD_ERR_ARG, err,
                 "5 x 0 pixels");
    cr_assert_null(image_metric_find("nonsense"));
    cr_assert_eq(image_metric_find("ms-ssim"), image_metric_find("ms_ssim"));
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
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

/* The 34 pairs that Sharma, Wu and Dalal published with their formula, to four places. */
Test(image_metric, ciede2000_equals_the_published_pairs)
{
    static const double pairs[][7] = {
        {50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425},
        {50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615},
        {50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412},
        {50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000},
        {50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000},
        {50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000},
        {50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669},
        {50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669},
        {50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792},
        {50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792},
        {50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195},
        {50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195},
        {50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045},
        {50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045},
        {50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461},
        {50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065},
        {50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492},
        {50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977},
        {50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030},
        {50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535},
        {50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000},
        {50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000},
        {50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000},
        {50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000},
        {60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644},
        {63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630},
        {61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731},
        {35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645},
        {22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373},
        {36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146},
        {90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441},
        {90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381},
        {6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377},
        {2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ASSERT_CLOSE("CIEDE2000", ciede2000(pairs[i], pairs[i] + 3), pairs[i][6], ((Tolerance){.abs = 5.1e-5}));
        ASSERT_CLOSE("exchanged", ciede2000(pairs[i] + 3, pairs[i]), pairs[i][6], ((Tolerance){.abs = 5.1e-5}));
    }
}

Test(image_metric, black_for_white_is_a_hundred_and_a_brighter_copy_has_no_angle)
{
    const ImagePair pair = {x, y, 2, 3};
    double value;
    RsdError err = {0};

    for (int i = 0; i < 18; i++) {
        x[i] = 0.0f;
        y[i] = 1.0f;
    }
    ASSERT_OK(metric_ciede2000(&value, &pair, &err), err);
    ASSERT_CLOSE("black for white", value, 100.0, ((Tolerance){.abs = 1e-2}));
    for (int i = 0; i < 18; i++) {
        x[i] = 0.1f + 0.03f * (float)i;
        y[i] = 0.5f * x[i];
    }
    ASSERT_OK(metric_spectral_angle(&value, &pair, &err), err);
    ASSERT_CLOSE("angle", value, 0.0, ((Tolerance){.abs = 1e-12}));
    for (int i = 0; i < 18; i++) {
        x[i] = 0.5f;
        y[i] = 0.6f;
    }
    ASSERT_OK(metric_ergas(&value, &pair, &err), err);
    ASSERT_CLOSE("ERGAS", value, 20.0, ((Tolerance){.abs = 1e-4}));
}
