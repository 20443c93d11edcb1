/* test_heatmap.c - maps of errors and their colours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "cli/colour_map.h"
#include "cli/heatmap.h"
#include "engine/base/mem.h"
#include "losses/colour_metric.h"
#include "media/image_reader.h"
#include "tests/losses/pictures.h"
#include "tests/shared.h"

#define W 100
#define H 70

/* OKLab of an 8-bit sRGB colour. */
static void oklab_of(double lab[3], PngColour c)
{
    const double v[3] = {c.red / 255.0, c.green / 255.0, c.blue / 255.0};
    double x[3], cone[3];

    for (int i = 0; i < 3; i++)
        x[i] = v[i] <= 0.04045 ? v[i] / 12.92 : pow((v[i] + 0.055) / 1.055, 2.4);
    cone[0] = cbrt(0.4122214708 * x[0] + 0.5363325363 * x[1] + 0.0514459929 * x[2]);
    cone[1] = cbrt(0.2119034982 * x[0] + 0.6806995451 * x[1] + 0.1073969566 * x[2]);
    cone[2] = cbrt(0.0883024619 * x[0] + 0.2817188376 * x[1] + 0.6299787005 * x[2]);
    lab[0] = 0.2104542553 * cone[0] + 0.7936177850 * cone[1] - 0.0040720468 * cone[2];
    lab[1] = 1.9779984951 * cone[0] - 2.4285922050 * cone[1] + 0.4505937099 * cone[2];
    lab[2] = 0.0259040371 * cone[0] + 0.7827717662 * cone[1] - 0.8086757660 * cone[2];
}

Test(colour_map, lightness_rises_and_steps_are_even)
{
    PngColour colours[256];
    double labs[256][3], least = 1e9, most = 0;

    colour_map_heat(colours);
    for (int i = 0; i < 256; i++)
        oklab_of(labs[i], colours[i]);
    cr_expect(labs[0][0] < 0.1 && labs[255][0] > 0.95, "from %g to %g", labs[0][0], labs[255][0]);
    for (int i = 15; i < 256; i += 15) { /* far enough apart that 8 bits do not matter, away from black where they do */
        const double step = sqrt(pow(labs[i][0] - labs[i - 15][0], 2) + pow(labs[i][1] - labs[i - 15][1], 2) +
                                 pow(labs[i][2] - labs[i - 15][2], 2));

        cr_expect_gt(labs[i][0], labs[i - 15][0], "colour %d is darker", i);
        least = fmin(least, step);
        most = fmax(most, step);
    }
    cr_expect_lt(most / least, 1.25, "steps from %g to %g", least, most);
}

static void make(float *ref, float *dist, Heatmap *map, RsdThreads *threads)
{
    RsdError err = {0};

    picture_natural(ref, H, W, 3);
    picture_disturb(dist, ref, H, W, 4, 0.05f);
    for (int64_t y = 50; y < 60; y++)
        for (int64_t x = 70; x < 90; x++)
            dist[y * W + x] = 1.0f;
    ASSERT_OK(heatmap_create(map, &(ImagePair){ref, dist, H, W}, HEATMAP_CIEDE2000, threads, &err), err);
}

Test(heatmap, its_mean_is_the_metric_and_threads_do_not_matter)
{
    static float ref[3 * W * H], dist[3 * W * H];
    RsdThreads *threads;
    Heatmap one, three;
    double sum = 0, value;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, 3, &err), err);
    make(ref, dist, &one, NULL);
    make(ref, dist, &three, threads);
    ASSERT_SAME_BITS("map", three.differences, one.differences, W * H);
    for (int i = 0; i < W * H; i++)
        sum += (double)one.differences[i];
    ASSERT_OK(metric_ciede2000(&value, &(ImagePair){ref, dist, H, W}, &err), err);
    ASSERT_CLOSE("mean", sum / (W * H), value, ((Tolerance){.rel = 1e-6}));
    cr_expect(one.most_column >= 70 && one.most_column < 90 && one.most_row >= 50 && one.most_row < 60, "%lld, %lld",
              (long long)one.most_column, (long long)one.most_row);
    heatmap_clear(&one);
    heatmap_clear(&three);
    rsd_threads_destroy(&threads);
}

Test(heatmap, png_has_the_colours_of_the_scale_and_the_worst_place_is_found)
{
    static float ref[3 * W * H], dist[3 * W * H];
    PngColour colours[256];
    Heatmap map;
    uint8_t *bytes;
    size_t size;
    int64_t column, row;
    Image *image;
    RsdError err = {0};

    make(ref, dist, &map, NULL);
    ASSERT_OK(heatmap_find_worst(&map, 32, 32, &column, &row, &err), err);
    cr_expect(column >= 48 && column <= 80 && row >= 32 && row <= 48, "%lld, %lld", (long long)column, (long long)row);
    colour_map_heat(colours);
    ASSERT_OK(heatmap_png(&bytes, &size, &map, 20, 10, 60, 50, 5.0, &err), err);
    ASSERT_OK(image_read_bytes(&image, bytes, size, NULL, &err), err);
    cr_assert(image->width == 60 && image->height == 50 && image->channels == 3);
    for (int i = 0; i < 60 * 50; i++) {
        const double v = (double)map.differences[(10 + i / 60) * W + 20 + i % 60];
        const PngColour c = colours[lround(255 * fmin(1, v / 5.0))];
        const uint8_t *got = (const uint8_t *)image->planes + i;

        cr_assert(got[0] == c.red && got[60 * 50] == c.green && got[2 * 60 * 50] == c.blue, "pixel %d", i);
    }
    image_destroy(&image);
    mem_free(&bytes);
    heatmap_clear(&map);
}
