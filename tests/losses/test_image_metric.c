/* test_image_metric.c - what must hold for every named image metric, and published values of some.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "losses/colour_metric.h"
#include "losses/image_metric.h"
#include "tests/losses/pictures.h"

#define H 60
#define W 75
static float x[3 * H * W], y[3 * H * W];

static MetricValue value_of(Tape *tape, const ImageMetric *metric, int64_t h, int64_t w)
{
    const ImagePair pair = {x, y, h, w, NULL};
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
    const ImagePair pair = {x, y, 4, 5, NULL};
    RsdThreads *threads;
    Tape *tape;
    MetricValue value;
    RsdError err = {0};

    open_tape(&threads, &tape);
    y[20 + 2 * 5 + 3] = NAN;
    ASSERT_FAILS(image_metric_apply(&value, metric, &pair, NULL, tape, &err), RSD_ERR_NUMERIC, err,
                 "green at column 3 of row 2 of the distorted picture is not a number");
    ASSERT_FAILS(image_metric_apply(&value, metric, &(ImagePair){x, y, 0, 5, NULL}, NULL, tape, &err), RSD_ERR_ARG, err,
                 "5 x 0 pixels");
    cr_assert_null(image_metric_find("nonsense"));
    cr_assert_eq(image_metric_find("ms-ssim"), image_metric_find("ms_ssim"));
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
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
    const ImagePair pair = {x, y, 2, 3, NULL};
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
