/* test_pictures.c - pictures through the program: there and back, sizes, pipes, damage, and what it says.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "media/image_writer.h"
#include "tests/codec/tiny_picture.h"
#include "tests/media/fixture.h"

static SharedPath program;

static void set_up(void)
{
    SharedPath relative;
    RsdError err = {0};

    fixture_open();
    cr_assert_not_null(
        realpath(build_path(&relative, "residua"), program.text)); /* commands run in the fixture's folder */
    ASSERT_OK(tiny_picture_save(fixture_path("m.safetensors"), &err), err);
}

TestSuite(pictures, .init = set_up, .fini = fixture_close);

/* A picture with a pattern, and opacity that has every value. */
static Image *make_picture(const char *name, int64_t w, int64_t h, int channels, int bits, bool has_alpha)
{
    Image *image;
    RsdError err = {0};

    ASSERT_OK(image_create(&image, w, h, channels, bits, has_alpha, &err), err);
    for (int64_t i = 0; i < channels * w * h; i++)
        if (bits == 8)
            ((uint8_t *)image->planes)[i] = (uint8_t)(i % w * 3 + i / w);
        else
            ((uint16_t *)image->planes)[i] = (uint16_t)(i % w * 700 + i / w * 91);
    for (int64_t i = 0; has_alpha && i < w * h; i++)
        if (bits == 8)
            ((uint8_t *)image->alpha)[i] = (uint8_t)(i % w < 20 ? 255 : i);
        else
            ((uint16_t *)image->alpha)[i] = (uint16_t)(i % w < 20 ? 65535 : i * 77);
    ASSERT_OK(image_write(image, fixture_path(name), &(ImageWriteOptions){.overwrite = true}, &err), err);
    return image;
}

static Image *read_picture(const char *name)
{
    Image *image;
    RsdError err = {0};

    ASSERT_OK(image_read(&image, fixture_path(name), NULL, &err), err);
    return image;
}

/* What a command prints, both streams, and that it ends with this code. */
static const char *output_of(int code, const char *arguments)
{
    static char text[1 << 14];
    int found = fixture_run("'%s' %s >out.txt 2>&1", program.text, arguments);
    FILE *file = fopen(fixture_path("out.txt"), "r");
    size_t n;

    cr_assert_not_null(file);
    n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    cr_assert_eq(found, code, "residua %s: exit %d: %s", arguments, found, text);
    return text;
}

#define EXPECT_SAYS(code, arguments, part)                                                                             \
    do {                                                                                                               \
        const char *said_ = output_of(code, arguments);                                                                \
        cr_assert(strstr(said_, part), "residua %s: '%s' is not in: %s", arguments, part, said_);                      \
    } while (0)

Test(pictures, size_depth_grey_and_opacity_come_back)
{
    static const struct {
        int64_t w, h;
        int channels, bits;
        bool has_alpha;
    } cases[] = {
        {70, 40, 3, 8, true}, {33, 90, 1, 16, true}, {1, 1, 3, 8, false}, {1, 50, 1, 8, false}, {300, 2, 3, 16, false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Image *from =
                  make_picture("a.png", cases[i].w, cases[i].h, cases[i].channels, cases[i].bits, cases[i].has_alpha),
              *to;

        output_of(0, "encode -q -f -m m.safetensors a.png");
        EXPECT_SAYS(0, "info --test a.rsd", "the end is there");
        output_of(0, "decode -q -f -m m.safetensors -o b.png a.rsd");
        to = read_picture("b.png");
        cr_assert(to->width == from->width && to->height == from->height && to->channels == from->channels &&
                  to->bits == from->bits);
        cr_assert_eq(to->alpha != NULL, cases[i].has_alpha);
        if (to->alpha)
            cr_assert_arr_eq(to->alpha, from->alpha, (size_t)(to->width * to->height * to->bits / 8));
        image_destroy(&from);
        image_destroy(&to);
    }
}

Test(pictures, bytes_do_not_depend_on_threads_and_pipes_do_the_same)
{
    Image *image = make_picture("a.png", 150, 90, 3, 8, true);

    output_of(0, "encode -q -t 1 -m m.safetensors -o one.rsd a.png");
    output_of(0, "encode -q -t 3 -m m.safetensors -o three.rsd a.png");
    fixture_must_run("cmp one.rsd three.rsd");
    fixture_must_run("'%s' encode -q -m m.safetensors - <a.png | cmp - one.rsd", program.text);
    fixture_must_run("'%s' decode -q -m m.safetensors one.rsd", program.text);
    fixture_must_run("'%s' decode -q -m m.safetensors - <one.rsd | cmp - one.png", program.text);
    fixture_must_run("'%s' encode -q -o photo.rsd a.png && '%s' encode -q - <a.png | cmp - photo.rsd && cat a.png | '%s' encode -q - | cmp - photo.rsd",
                     program.text, program.text, program.text); /* what a pipe brings is looked at */
    fixture_must_run("mkdir in && cp a.png in/x.png && cp a.png in/y.PNG && echo text >in/z.txt");
    fixture_must_run(
        "'%s' encode -q -m m.safetensors -r in --output-dir out && cmp out/x.rsd one.rsd && cmp out/y.rsd one.rsd",
        program.text);
    fixture_must_run("'%s' decode -q -m m.safetensors -r out --output-dir back && test -s back/x.png -a -s back/y.png",
                     program.text);
    image_destroy(&image);
}

Test(pictures, codes_of_stages_are_described_cut_and_decoded)
{
    Image *image = make_picture("a.png", 128, 128, 3, 8, true);
    ImageCodec *codec;
    RsdError err = {0};

    ASSERT_OK(tiny_rvq_codec(&codec, &err), err);
    ASSERT_OK(image_codec_save(codec, fixture_path("q.safetensors"), DTYPE_F32, NULL, &err), err);
    image_codec_destroy(&codec);
    EXPECT_SAYS(0, "info q.safetensors", "3 stages of 16 codes of 4 numbers");
    output_of(0, "encode -q -m q.safetensors -q 100 -o a.rsd a.png");
    EXPECT_SAYS(0, "info a.rsd", "3.00 stages of a residual quantiser");
    output_of(0, "encode -q -m q.safetensors -q0 -o one.rsd a.png");
    EXPECT_SAYS(0, "cut -l 1 a.rsd", "1 stage left");
    fixture_must_run("cmp a.cut.rsd one.rsd");
    EXPECT_SAYS(0, "info --json --test a.cut.rsd", "\"stages\": 1.0000");
    output_of(0, "decode -q -m q.safetensors a.cut.rsd");
    EXPECT_SAYS(2, "cut -f -b 1k a.rsd", "say -l STAGES");
    EXPECT_SAYS(2, "encode -f -m q.safetensors --effort 4 a.png", "use effort 1 or 2");
    EXPECT_SAYS(2, "encode -f -m q.safetensors --max-size 60 a.png", "the smallest possible is");
    output_of(0, "encode -q -m m.safetensors -o m.rsd a.png");
    EXPECT_SAYS(3, "cut -l 1 m.rsd", "have no stages");
    image_destroy(&image);
}

Test(pictures, a_size_is_never_exceeded_and_the_least_is_named)
{
    Image *image = make_picture("a.png", 128, 128, 3, 8, false);

    output_of(0, "encode -q -f -m m.safetensors --max-size 900 -o s.rsd a.png");
    cr_assert(fixture_size("s.rsd") <= 900 && fixture_size("s.rsd") > 850, "%zu bytes", fixture_size("s.rsd"));
    output_of(0, "encode -q -f -m m.safetensors --bpp 0.5 -o s.rsd a.png");
    cr_assert(fixture_size("s.rsd") <= 1024 && fixture_size("s.rsd") > 960, "%zu bytes", fixture_size("s.rsd"));
    EXPECT_SAYS(2, "encode -f -m m.safetensors --max-size 50 a.png", "the smallest possible is");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --max-size 900 --bpp 1 a.png", "give one of them");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --target psnr=99 a.png", "the best possible is");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --target beauty=1 a.png", "beauty");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --target psnr a.png", "expected NAME=VALUE");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --effort 10 a.png", "effort");
    EXPECT_SAYS(0, "encode -f -m m.safetensors --target psnr=1 a.png", "level 0.00, psnr=1 is");
    image_destroy(&image);
}

Test(pictures, searches_are_reported_and_meet_limits_too)
{
    Image *image = make_picture("a.png", 100, 70, 3, 8, false);

    EXPECT_SAYS(0, "encode --json -q -f -m m.safetensors --effort 4 a.png", "\"objective_rounded\"");
    output_of(0, "encode -q -f -m m.safetensors --effort 4 --max-size 450 -o s.rsd a.png");
    cr_assert(fixture_size("s.rsd") <= 450 && fixture_size("s.rsd") > 430, "%zu bytes", fixture_size("s.rsd"));
    output_of(0, "decode -q -f -m m.safetensors s.rsd");
    EXPECT_SAYS(0, "encode --json -q -f -m m.safetensors --effort 3 --tune ms-ssim a.png", "\"effort\": 3");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --tune ms-ssim a.png", "give --effort 3 or more");
    EXPECT_SAYS(2, "encode -f -m m.safetensors --effort 3 --tune beauty a.png", "--tune beauty");
    EXPECT_SAYS(0, "encode -f -m m.safetensors --effort 3 --target psnr=5 -o t.rsd a.png", "psnr=5 is");
    output_of(0, "decode -q -f -m m.safetensors t.rsd");
    image_destroy(&image);
}

/* The number after a key of one-line JSON. */
static double number_after(const char *json, const char *key)
{
    const char *at = strstr(json, key);

    cr_assert(at, "'%s' is not in: %s", key, json);
    return strtod(at + strlen(key), NULL);
}

Test(pictures, a_target_has_the_value_that_eval_prints)
{
    static const char *const targets[] = {"ssimulacra2=40", "psnr=26", "nlpd=0.2", "fsim=0.9"};
    Image *image = make_picture("a.png", 150, 120, 3, 8, false);

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const int len = (int)strcspn(targets[i], "=");
        const double wanted = strtod(targets[i] + len + 1, NULL);
        char command[128];
        double measured, evaluated;

        snprintf(command, sizeof command, "encode --json -q -f --target %s a.png", targets[i]);
        measured = number_after(output_of(0, command), "\"measured\": ");
        output_of(0, "decode -q -f -o back.png a.rsd");
        snprintf(command, sizeof command, "eval --json --kind image -m %.*s a.png back.png", len, targets[i]);
        evaluated = number_after(output_of(0, command), "\"value\": ");
        cr_assert_float_eq(measured, evaluated, 1e-6 * fabs(evaluated), "%s: %.9g, eval %.9g", targets[i], measured, evaluated);
        cr_assert(strcmp(targets[i], "nlpd=0.2") == 0 ? measured <= wanted : measured >= wanted, "%s is %g", targets[i], measured);
    }
    EXPECT_SAYS(2, "encode -f --target lpips=0.1 a.png", "looks through a network");
    EXPECT_SAYS(2, "encode -f --target ssimulacra2=101 a.png", "cannot be reached");
    image_destroy(&image);
}

/* Both are decibels; one is the squared error, the other comes near it. */
Test(pictures, a_tune_in_decibels_weighs_bits)
{
    static const char *const of_tunes[] = {"mse", "psnr", "psnr-hvs-m"};
    Image *image = make_picture("a.png", 100, 70, 3, 8, false);
    double bytes[3], gain[3];

    for (int i = 0; i < 3; i++) {
        char command[128];
        const char *json;

        snprintf(command, sizeof command, "encode --json -q -f -m m.safetensors --effort 4 --tune %s a.png", of_tunes[i]);
        json = output_of(0, command);
        bytes[i] = number_after(json, "\"bytes\": ");
        gain[i] = number_after(json, "\"objective_rounded\": ") / number_after(json, "\"objective\": ");
    }
    cr_expect_eq(bytes[1], bytes[0]);
    cr_expect_eq(gain[1], gain[0]);
    cr_expect(bytes[2] < 1.1 * bytes[0] && bytes[2] > 0.7 * bytes[0], "%g bytes, %g by mse", bytes[2], bytes[0]);
    cr_expect(gain[2] > 1.01 && gain[2] < 2, "J is %g times less", gain[2]);
    image_destroy(&image);
}

Test(pictures, the_measure_of_a_target_or_a_tune_chooses_between_the_built_in_models)
{
    Image *image = make_picture("a.png", 150, 120, 3, 8, false);

    EXPECT_SAYS(0, "encode --json -q -f --target psnr=26 a.png", "\"model\": \"photo\"");
    EXPECT_SAYS(0, "encode --json -q -f --target nlpd=0.2 a.png", "\"model\": \"photo-msssim\"");
    EXPECT_SAYS(0, "encode --json -q -f --target nlpd=0.2 --tune mse a.png", "\"model\": \"photo\"");
    EXPECT_SAYS(0, "encode --json -q -f --target nlpd=0.2 -m photo a.png", "\"model\": \"photo\"");
    EXPECT_SAYS(0, "encode --json -q -f --target nlpd=0.09 a.png", "\"model\": \"photo\""); /* its twin does not come as near */
    EXPECT_SAYS(0, "encode --json -q -f --tune ssimulacra2 a.png", "\"model\": \"photo-msssim\"");
    EXPECT_SAYS(2, "encode -f --tune butteraugli a.png", "give --effort 3 or more");
    image_destroy(&image);
}

Test(pictures, without_a_model_the_built_in_one_codes_and_decodes)
{
    Image *image = make_picture("a.png", 70, 45, 3, 8, false);

    output_of(0, "encode -q a.png");
    EXPECT_SAYS(0, "info --json a.rsd", "\"photo\"");
    output_of(0, "decode -q -o back.png a.rsd");
    EXPECT_SAYS(0, "eval -m psnr --json a.png back.png", "\"psnr");
    image_destroy(&image);
}

Test(pictures, what_does_not_fit_together_is_told)
{
    Image *image = make_picture("a.png", 30, 20, 3, 8, true);

    output_of(0, "encode -q -m m.safetensors a.png");
    EXPECT_SAYS(3, "decode a.rsd", "coded with model tiny");
    EXPECT_SAYS(3, "decode -m speech16 a.rsd", "is a picture, and model speech16 codes sound");
    EXPECT_SAYS(3, "encode -m speech16 a.png", "is a picture, and model speech16 codes sound");
    EXPECT_SAYS(1, "encode -m m.safetensors a.png", "exists");
    EXPECT_SAYS(3, "decode -f -m m.safetensors -o a.jpg a.rsd", "a.jpg");
    EXPECT_SAYS(3, "cut -l 1 a.rsd", "have no stages to cut off");
    EXPECT_SAYS(0, "info a.rsd", "30 x 20, colour, 8 bits, with opacity");
    EXPECT_SAYS(0, "info --json a.rsd", "\"kind\": \"picture\"");
    EXPECT_SAYS(0, "info a.png", "png, 30 x 20");
    EXPECT_SAYS(0, "info m.safetensors", "of pictures");
    image_destroy(&image);
}

Test(pictures, damaged_and_cut_files_are_told_and_saved_as_far_as_possible)
{
    Image *image = make_picture("a.png", 90, 60, 3, 8, true), *to;
    size_t size;

    output_of(0, "encode -q -m m.safetensors a.png");
    size = fixture_size("a.rsd");
    fixture_cut("a.rsd", "cut.rsd", size - 5);
    fixture_write("empty.png", "", 0);
    EXPECT_SAYS(3, "decode -m m.safetensors cut.rsd", "--keep-going");
    EXPECT_SAYS(0, "decode -k -m m.safetensors cut.rsd", "without opacity");
    to = read_picture("cut.png");
    cr_assert(to->width == 90 && to->height == 60);
    EXPECT_SAYS(3, "info --test cut.rsd", "the stream ends inside a packet");
    fixture_cut("a.rsd", "head.rsd", 12);
    EXPECT_SAYS(3, "decode -k -m m.safetensors head.rsd", "ends inside its header");
    output_of(3, "encode -m m.safetensors empty.png");
    image_destroy(&image);
    image_destroy(&to);
}

Test(pictures, thumbnails_have_half_and_a_quarter_of_the_size)
{
    Image *image = make_picture("a.png", 101, 70, 3, 8, true), *whole, *to;

    output_of(0, "encode -q -m m.safetensors a.png");
    output_of(0, "decode -q -m m.safetensors -o whole.png a.rsd");
    whole = read_picture("whole.png");
    for (int k = 1; k <= 2; k++) {
        const int n = 1 << k;

        output_of(0, k == 1 ? "decode -q -f -m m.safetensors --scale 1/2 -o b.png a.rsd"
                            : "decode -q -f -m m.safetensors --scale 1/4 -o b.png a.rsd");
        to = read_picture("b.png");
        cr_assert(to->width == (101 + n - 1) / n && to->height == (70 + n - 1) / n && to->alpha);
        for (int64_t y = 0; y < 70 / n; y++)
            for (int64_t x = 0; x < 101 / n; x++) {
                int sum = 0, sum_alpha = 0, got = ((uint8_t *)to->planes)[y * to->width + x];

                for (int i = 0; i < n * n; i++) {
                    sum += ((uint8_t *)whole->planes)[(y * n + i / n) * 101 + x * n + i % n];
                    sum_alpha += ((uint8_t *)whole->alpha)[(y * n + i / n) * 101 + x * n + i % n];
                }
                cr_assert(abs(sum / (n * n) - got) <= 1, "1/%d at %d, %d: %d, expected %d", n, (int)x, (int)y, got, sum / (n * n));
                cr_assert(abs(sum_alpha / (n * n) - ((uint8_t *)to->alpha)[y * to->width + x]) <= 1);
            }
        image_destroy(&to);
    }
    EXPECT_SAYS(2, "decode -m m.safetensors --scale 1/3 a.rsd", "--scale");
    image_destroy(&image);
    image_destroy(&whole);
}

static void set_blob(uint8_t **data, size_t *size, const void *from, size_t n)
{
    RsdError err = {0};

    ASSERT_OK(mem_alloc(data, n, 1, &err), err);
    memcpy(*data, from, n);
    *size = n;
}

/* A profile that libpng takes: display class, one tag. */
static void add_profile(Image *image, const char *space)
{
    uint8_t p[444] = {0, 0, 1, 188, 0, 0, 0, 0, 2};

    memcpy(p + 12, "mntr", 4);
    memcpy(p + 16, space, 4);
    memcpy(p + 20, "XYZ ", 4);
    memcpy(p + 36, "acsp", 4);
    memcpy(p + 68, "\0\0\xF6\xD6\0\1\0\0\0\0\xD3\x2D", 12);
    p[131] = 1;
    memcpy(p + 132, "cprt\0\0\0\x90\0\0\1\x2C", 12);
    for (int i = 144; i < 444; i++)
        p[i] = (uint8_t)(i * i * 37 >> 3);
    set_blob(&image->color.icc, &image->color.icc_size, p, sizeof p);
}

Test(pictures, colours_exif_and_xmp_go_with_a_picture_or_stay_behind)
{
    static const char exif[] = "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", xmp[] = "<x:xmpmeta>by somebody</x:xmpmeta>";
    Image *image = make_picture("a.png", 40, 30, 3, 8, false), *to;
    RsdError err = {0};

    add_profile(image, "RGB ");
    set_blob(&image->exif.data, &image->exif.size, exif, sizeof exif - 1);
    set_blob(&image->xmp.data, &image->xmp.size, xmp, sizeof xmp - 1);
    ASSERT_OK(image_write(image, fixture_path("a.png"), &(ImageWriteOptions){.overwrite = true}, &err), err);
    output_of(0, "encode -q -m m.safetensors a.png");
    EXPECT_SAYS(0, "info --test a.rsd", "ICC profile of 444 bytes");
    EXPECT_SAYS(0, "info --json a.rsd", "\"exif\": 26");
    output_of(0, "decode -q -m m.safetensors -o b.png a.rsd");
    to = read_picture("b.png"); /* turned, and says so no more */
    cr_assert(to->width == 30 && to->height == 40 && to->color.icc_size == 444 && to->exif.size == sizeof exif - 1);
    cr_assert(to->exif.data[18] == 1 && to->xmp.size == sizeof xmp - 1 && memcmp(to->xmp.data, xmp, to->xmp.size) == 0);
    image_destroy(&to);
    output_of(0, "decode -q -m m.safetensors --metadata drop -o c.png a.rsd");
    to = read_picture("c.png");
    cr_assert(to->color.icc && !to->exif.data && !to->xmp.data);
    image_destroy(&to);
    EXPECT_SAYS(0, "decode -m m.safetensors -o d.bmp a.rsd", "EXIF is left out");
    output_of(0, "encode -q -m m.safetensors --metadata drop --drop-profile -o e.rsd a.png");
    output_of(0, "decode -q -m m.safetensors -o e.png e.rsd");
    to = read_picture("e.png");
    cr_assert(to->width == 30 && !to->color.icc && !to->exif.data && !to->xmp.data);
    image_destroy(&to);

    memcpy(image->color.icc + 36, "oops", 4);
    ASSERT_OK(image_write(image, fixture_path("bad.jpg"), NULL, &err), err);
    EXPECT_SAYS(0, "encode -m m.safetensors bad.jpg", "its colour profile is left out: it is damaged");
    image_destroy(&image);
}

Test(pictures, grey_with_a_profile_of_rgb_is_written_in_three_channels)
{
    Image *image = make_picture("a.png", 20, 20, 3, 8, false), *to;
    RsdError err = {0};

    for (int c = 1; c < 3; c++)
        memcpy((uint8_t *)image->planes + c * 400, image->planes, 400);
    add_profile(image, "RGB ");
    ASSERT_OK(image_write(image, fixture_path("a.png"), &(ImageWriteOptions){.overwrite = true}, &err), err);
    output_of(0, "encode -q -m m.safetensors a.png");
    EXPECT_SAYS(0, "info a.rsd", "20 x 20, grey");
    output_of(0, "decode -q -m m.safetensors -o b.png a.rsd");
    to = read_picture("b.png");
    cr_assert(to->channels == 3 && image_is_grey(to) && to->color.icc_size == 444);
    image_destroy(&to);
    image_destroy(&image);
}

/* The header of a PNG says another size, with its checksum. */
static void claim_size(const char *from, const char *to, uint32_t width, uint32_t height)
{
    static uint8_t bytes[1 << 16];
    size_t size = fixture_size(from);
    FILE *file = fopen(fixture_path(from), "rb");
    uint32_t crc;

    cr_assert(file && size < sizeof bytes && fread(bytes, 1, size, file) == size);
    fclose(file);
    for (int i = 0; i < 4; i++) {
        bytes[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        bytes[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    crc = crc32_update(0, bytes + 12, 17);
    for (int i = 0; i < 4; i++)
        bytes[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    fixture_write(to, bytes, size);
}

Test(pictures, those_in_folders_are_taken_with_and_without_a_model)
{
    Image *image = make_picture("a.png", 20, 18, 3, 8, false);

    fixture_must_run("mkdir -p in/deep && cp a.png in/deep && cp a.png in/b.png && echo no >in/c.txt");
    output_of(0, "encode -q -r --output-dir out in");
    output_of(0, "decode -q -r --output-dir back out");
    cr_assert_eq(fixture_run("test -s back/deep/a.png && test -s back/b.png && ! test -e out/c.rsd"), 0);
    output_of(0, "encode -q -m m.safetensors -r --output-dir out2 in");
    cr_assert_eq(fixture_run("test -s out2/deep/a.rsd && test -s out2/b.rsd"), 0);
    EXPECT_SAYS(3, "encode -q -m speech16 -r --output-dir out3 in", "holds no file");
    image_destroy(&image);
}

Test(pictures, extreme_shapes_go_through_and_bombs_and_nothing_are_refused)
{
    Image *image = make_picture("long.png", 30000, 2, 1, 8, false), *to;

    output_of(0, "encode -q -m m.safetensors long.png");
    output_of(0, "decode -q -m m.safetensors -o back.png long.rsd");
    to = read_picture("back.png");
    cr_assert(to->width == 30000 && to->height == 2);
    image_destroy(&to);
    image_destroy(&image);
    image = make_picture("a.png", 40, 30, 3, 8, false);
    claim_size("a.png", "bomb.png", 50000, 40000);
    EXPECT_SAYS(4, "encode -m m.safetensors bomb.png", "are more than the limit");
    claim_size("a.png", "claim.png", 20000, 10000);
    EXPECT_SAYS(3, "encode -m m.safetensors claim.png", "cannot be in");
    EXPECT_SAYS(3, "encode -m m.safetensors -o x.rsd - <claim.png", "cut short"); /* a pipe has no size to compare with */
    cr_assert_neq(fixture_run("test -e x.rsd"), 0);
    fixture_write("empty.rsd", "", 0);
    EXPECT_SAYS(3, "decode -m m.safetensors empty.rsd", "empty.rsd");
    fixture_write("zero.png", "\0", 1);
    output_of(3, "encode -m m.safetensors zero.png");
    fixture_write("empty.png", "", 0);
    EXPECT_SAYS(3, "encode --quality 50 empty.png", "empty.png: is empty");
    EXPECT_SAYS(3, "encode --quality 50 -o x.rsd - <empty.png", "standard input: is empty");
    EXPECT_SAYS(4, "encode --quality 50 missing.png", "missing.png");
    image_destroy(&image);
}
