/* test_butteraugli.c - against butteraugli_main of libjxl: numbers it printed for drawn pictures, and the program itself, where it
 * is installed (Debian package libjxl-devtools), for photographs and their JPEGs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "losses/butteraugli.h"
#include "media/image_reader.h"
#include "tests/losses/pictures.h"
#include "tests/media/fixture.h"
#include "tests/shared.h"

#define SIDE 64
#define WITHIN ((Tolerance){.rel = 1e-3})

TestSuite(butteraugli, .init = fixture_open, .fini = fixture_close, .timeout = 300);

static void check(const char *what, const ImagePair *pair, double most, double norm)
{
    double value;
    RsdError err = {0};

    ASSERT_OK(metric_butteraugli(&value, pair, &err), err);
    ASSERT_CLOSE(what, value, most, WITHIN);
    ASSERT_OK(metric_butteraugli_3norm(&value, pair, &err), err);
    ASSERT_CLOSE(what, value, norm, WITHIN);
}

/* Grey 128 and what was drawn on it, in steps of 1 / 255. */
static float drawn(int picture, int c, int y, int x)
{
    const double wave = 20 * sin(x * (picture == 2 ? 1.5 : 0.6));
    const double more = picture == 0   ? 10
                        : picture == 1 ? wave
                        : picture == 2 ? wave
                        : picture == 3 ? (c == 0 ? wave : c == 1 ? -wave / 2 : 0)
                        : picture == 4 ? (y == 32 && x == 32 ? 60 : 0)
                                       : (c == 2 ? 30 : 0);

    return (float)(floor(128.5 + more) / 255.0);
}

Test(butteraugli, of_drawn_pictures_is_what_libjxl_0_7_prints)
{
    /* A level, two waves, a wave of colour, a dot, a level of blue: the largest and the 3-norm. */
    static const double expected[][2] = {{20.3067531586, 20.306291}, {21.9860630035, 17.056997}, {10.4070119858, 8.554478},
                                         {5.2354364395, 3.333634},   {5.3106613159, 1.975464},   {16.7095947266, 16.709210}};
    static float ref[3 * SIDE * SIDE], dist[3 * SIDE * SIDE];
    char what[32];

    for (int p = 0; p < 6; p++) {
        for (int i = 0; i < 3 * SIDE * SIDE; i++) {
            ref[i] = 128.0f / 255.0f;
            dist[i] = drawn(p, i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        }
        snprintf(what, sizeof what, "picture %d", p);
        check(what, &(ImagePair){ref, dist, SIDE, SIDE}, expected[p][0], expected[p][1]);
    }
}

static float *read_planes(const char *path, int64_t *h, int64_t *w)
{
    float *planes;
    Image *image;
    RsdError err = {0};

    ASSERT_OK(image_read(&image, path, NULL, &err), err);
    *h = image->height;
    *w = image->width;
    ASSERT_OK(mem_alloc(&planes, (size_t)(3 * *h * *w), sizeof *planes, &err), err);
    image_to_float(image, 3, planes);
    image_destroy(&image);
    return planes;
}

Test(butteraugli, of_photographs_is_what_the_program_prints)
{
    static const char *const photos[] = {"val03", "val06", "val20"};
    char command[2 * SHARED_PATH_SIZE];

    NEED_SHARED("data/images-val/val03.png");
    if (system("command -v butteraugli_main >/dev/null") != 0)
        cr_skip_test("butteraugli_main is not here (Debian package libjxl-devtools)");
    for (int i = 0; i < 3; i++) {
        SharedPath path;
        char text[512], *photo;
        const char *at = text;
        double most, norm;
        ImagePair pair;
        float *ref, *dist;
        FILE *pipe;

        snprintf(text, sizeof text, "data/images-val/%s.png", photos[i]);
        photo = realpath(shared_path(&path, text), NULL); /* the commands run elsewhere */
        cr_assert_not_null(photo);
        snprintf(command, sizeof command,
                 "ffmpeg -nostdin -v error -y -i '%s' -vf crop=211:157:99:55 ref.ppm && ffmpeg -nostdin -v error -y -i ref.ppm -q:v %d a.jpg "
                 "&& ffmpeg -nostdin -v error -y -i a.jpg dist.ppm", photo, 3 + 5 * i);
        fixture_must_run("%s", command);
        free(photo);
        snprintf(command, sizeof command, "butteraugli_main '%s'", fixture_path("ref.ppm"));
        snprintf(command + strlen(command), sizeof command - strlen(command), " '%s' 2>/dev/null", fixture_path("dist.ppm"));
        pipe = popen(command, "r");
        cr_assert_not_null(pipe);
        text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
        cr_assert_eq(pclose(pipe), 0, "%s", command);
        cr_assert(sscanf(at, "%lf\n3-norm: %lf", &most, &norm) == 2, "%s", text);
        ref = read_planes(fixture_path("ref.ppm"), &pair.h, &pair.w);
        dist = read_planes(fixture_path("dist.ppm"), &pair.h, &pair.w);
        pair.ref = ref;
        pair.dist = dist;
        check(photos[i], &pair, most, norm);
        mem_free(&ref);
        mem_free(&dist);
    }
}

Test(butteraugli, of_equal_pictures_is_zero_and_of_small_ones_finite)
{
    static float x[3 * 40 * 40], y[3 * 40 * 40];
    static const int64_t sides[][2] = {{8, 8}, {8, 40}, {15, 9}, {16, 15}, {40, 17}};
    double value;
    RsdError err = {0};

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int64_t h = sides[i][0], w = sides[i][1];

        picture_natural(x, h, w, 1);
        picture_disturb(y, x, h, w, 2, 0.05f);
        ASSERT_OK(metric_butteraugli(&value, &(ImagePair){x, x, h, w}, &err), err);
        cr_assert_eq(value, 0.0, "%d x %d", (int)w, (int)h);
        ASSERT_OK(metric_butteraugli_3norm(&value, &(ImagePair){x, y, h, w}, &err), err);
        cr_assert(value > 0.1 && value < 100.0, "%d x %d: %g", (int)w, (int)h, value);
    }
}

/* Strips of 256 rows must not show: around a seam of both sizes the map is that of a part that has none. */
#define TALL 680
#define NARROW 24
#define PART_FROM 400
#define PART 240

static float tall[2][3 * TALL * NARROW];

static void fill_tall(void)
{
    picture_natural(tall[0], TALL, NARROW, 3);
    picture_disturb(tall[1], tall[0], TALL, NARROW, 4, 0.05f);
}

Test(butteraugli, seams_and_threads_do_not_change_a_bit)
{
    static float map[TALL * NARROW], threaded[TALL * NARROW], part[PART * NARROW], parts[2][3 * PART * NARROW];
    ImagePair pair = {tall[0], tall[1], TALL, NARROW, NULL};
    RsdThreads *threads;
    RsdError err = {0};

    fill_tall();
    for (int i = 0; i < 6; i++)
        memcpy(parts[i / 3] + i % 3 * PART * NARROW, tall[i / 3] + (i % 3 * TALL + PART_FROM) * NARROW, PART * NARROW * sizeof(float));
    ASSERT_OK(butteraugli_map(map, &pair, &err), err);
    ASSERT_OK(butteraugli_map(part, &(ImagePair){parts[0], parts[1], PART, NARROW, NULL}, &err), err);
    ASSERT_SAME_BITS("around the seam", map + 480 * NARROW, part + (480 - PART_FROM) * NARROW, 80 * NARROW);
    ASSERT_OK(rsd_threads_create(&threads, 3, &err), err);
    pair.threads = threads;
    ASSERT_OK(butteraugli_map(threaded, &pair, &err), err);
    ASSERT_SAME_BITS("three threads", threaded, map, TALL * NARROW);
    rsd_threads_destroy(&threads);
}

/* How the 3-norm rises along a direction, by differences, over what the slope says. */
static double rise(const PictureRun *run, int64_t from, int64_t to, double step)
{
    const int64_t h = run->estimate->shape[2], w = run->estimate->shape[3];
    double values[2], square = 0.0;
    float *moved;
    RsdError err = {0};

    ASSERT_OK(mem_alloc(&moved, (size_t)(3 * h * w), sizeof *moved, &err), err);
    for (int64_t i = 0; i < 3 * h * w; i++)
        square += i / w % h >= from && i / w % h < to ? pow((double)run->estimate->grad[i], 2) : 0.0;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < 3 * h * w; i++) {
            const double along = i / w % h >= from && i / w % h < to ? (double)run->estimate->grad[i] / sqrt(square) : 0.0;

            moved[i] = (float)((double)run->estimate->data[i] + (side ? step : -step) * along);
        }
        ASSERT_OK(metric_butteraugli_3norm(&values[side], &(ImagePair){run->target->data, moved, h, w, NULL}, &err), err);
    }
    mem_free(&moved);
    return (values[1] - values[0]) / (2.0 * step * sqrt(square));
}

Test(butteraugli, slopes_match_finite_differences_also_at_seams_and_odd_edges)
{
    static const struct {
        int64_t h, w, from, to;
    } cases[] = {{TALL, NARROW, 500, 524}, {TALL, NARROW, 240, 270}, {TALL, NARROW, 0, TALL}, {31, 45, 0, 31},
                 {31, 45, 30, 31},         {31, 45, 0, 1},           {14, 40, 0, 14},         {9, 8, 0, 9}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PictureRun run;
        double got;

        picture_run_open(&run, 1, 1, cases[i].h, cases[i].w);
        picture_run_loss(&run, "butteraugli_3norm", NULL);
        got = rise(&run, cases[i].from, cases[i].to, 0.002);
        cr_assert(fabs(got - 1.0) < 0.01, "rows %d to %d of %d x %d: it rises by %g of its slope", (int)cases[i].from, (int)cases[i].to,
                  (int)cases[i].w, (int)cases[i].h, got);
        picture_run_close(&run);
    }
}

Test(butteraugli, losses_are_the_metrics)
{
    PictureRun run;
    double value;
    RsdError err = {0};

    for (int i = 0; i < 2; i++) {
        picture_run_open(&run, 2, 1, 37, 61);
        picture_run_loss(&run, i ? "butteraugli" : "butteraugli_3norm", NULL);
        ASSERT_OK((i ? metric_butteraugli : metric_butteraugli_3norm)(
                      &value, &(ImagePair){run.target->data, run.estimate->data, 37, 61, NULL}, &err), err);
        ASSERT_CLOSE("value", run.value->data[0], value, ((Tolerance){.rel = 1e-7}));
        picture_run_close(&run);
    }
}

/* One picture is measured by all threads, three by one each. */
Test(butteraugli, slopes_have_the_same_bits_for_any_number_of_threads)
{
    static const int64_t batches[] = {1, 3};

    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        const int64_t count = batches[i] * 3 * TALL * NARROW;
        PictureRun one, three;

        picture_run_open(&one, 1, batches[i], TALL, NARROW);
        picture_run_open(&three, 3, batches[i], TALL, NARROW);
        picture_run_loss(&one, "butteraugli_3norm", NULL);
        picture_run_loss(&three, "butteraugli_3norm", NULL);
        ASSERT_SAME_BITS("value", three.value->data, one.value->data, 1);
        ASSERT_SAME_BITS("slopes", three.estimate->grad, one.estimate->grad, count);
        picture_run_close(&one);
        picture_run_close(&three);
    }
}
