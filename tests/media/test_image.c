/* test_image.c - pictures: read, written and read back, and turned.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "media/exif.h"
#include "media/image_reader.h"
#include "media/image_writer.h"
#include "media/several_pictures.h"
#include "tests/media/fixture.h"
#include "tests/media/known_picture.h"

TestSuite(image, .init = fixture_open, .fini = fixture_close, .timeout = 300);

/* --- there and back ---------------------------------------------------------------------------------------------------------- */

Test(image, png_keeps_every_bit_of_grey_and_colour_with_and_without_alpha)
{
    for (int i = 0; i < 8; i++) {
        Image *image = known_picture(i & 1 ? 3 : 1, i & 2 ? 16 : 8, i & 4), *back;
        const ImageWriteOptions options = {.overwrite = true};

        picture_write(image, "a.png", &options);
        back = picture_read("a.png");
        expect_same_picture("a.png", back, image);
        cr_assert_eq(back->source_bits, image->bits);
        cr_assert_str_eq(back->format, "png");
        image_destroy(&image);
        image_destroy(&back);
    }
}

/* Waves and noise, in more lines than one part of a PNG's data has. */
static Image *tall_picture(int64_t w, int64_t h, int bits, bool has_alpha)
{
    Image *image;
    uint16_t *samples[2];
    Rng rng = rng_at(5, RNG_TEST, 0, 0);
    RsdError err = {0};

    ASSERT_OK(image_create(&image, w, h, 3, bits, has_alpha, &err), err);
    samples[0] = image->planes;
    samples[1] = image->alpha;
    for (int k = 0; k < (has_alpha ? 2 : 1); k++)
        for (int64_t i = 0; i < (k ? 1 : 3) * w * h * bits / 16; i++)
            samples[k][i] = (uint16_t)(3000 + 9 * (i % w) + (i % 5 ? 0 : rng_below(&rng, 30000)));
    return image;
}

Test(image, a_png_is_the_same_for_any_number_of_threads_and_may_come_in_any_bands)
{
    static const int64_t bands[] = {1, 130, 2, 200, 67};
    const int64_t w = 700, h = 400;

    for (int i = 0; i < 2; i++) {
        Image *image = tall_picture(w, h, i ? 16 : 8, i == 0), *back;
        uint8_t *first = NULL;
        size_t first_size = 0;
        ImageWriter *writer;
        RsdError err = {0};

        for (int n = 1; n <= 3; n++) {
            RsdThreads *threads;
            uint8_t *bytes;
            size_t size;

            ASSERT_OK(rsd_threads_create(&threads, n, &err), err);
            picture_write(image, "a.png", &(ImageWriteOptions){.overwrite = true, .threads = threads});
            bytes = picture_bytes("a.png", &size);
            if (n == 1) {
                first = bytes;
                first_size = size;
            } else {
                cr_assert(size == first_size && memcmp(bytes, first, size) == 0, "%d threads write another file", n);
                free(bytes);
            }
            rsd_threads_destroy(&threads);
        }
        free(first);
        back = picture_read("a.png");
        expect_same_picture("a.png", back, image);
        image_destroy(&back);

        ASSERT_OK(image_writer_open(&writer, image, image->alpha, fixture_path("b.png"), &(ImageWriteOptions){.overwrite = true}, &err), err);
        for (int64_t y = 0, k = 0; y < h; y += bands[k++]) {
            Image *band;

            ASSERT_OK(image_create(&band, w, bands[k], 3, image->bits, image->alpha, &err), err);
            for (int c = 0; c < 3; c++)
                memcpy((uint8_t *)band->planes + c * bands[k] * w * image->bits / 8,
                       (uint8_t *)image->planes + (c * h + y) * w * image->bits / 8, (size_t)(bands[k] * w * image->bits / 8));
            if (image->alpha)
                memcpy(band->alpha, (uint8_t *)image->alpha + y * w * image->bits / 8, (size_t)(bands[k] * w * image->bits / 8));
            ASSERT_OK(image_writer_lines(writer, band, bands[k], &err), err);
            image_destroy(&band);
        }
        ASSERT_OK(image_writer_finish(writer, &err), err);
        image_writer_close(&writer);
        back = picture_read("b.png");
        expect_same_picture("b.png", back, image);
        image_destroy(&back);
        image_destroy(&image);
    }
}

Test(image, formats_without_loss_give_back_what_was_written)
{
    static const struct {
        const char *name;
        int channels, bits, quality;
        bool has_alpha;
    } cases[] = {{"a.tiff", 3, 8, 0, false}, {"b.tif", 1, 16, 0, false}, {"c.tiff", 3, 16, 0, true}, {"d.bmp", 3, 8, 0, false},
                 {"e.ppm", 3, 16, 0, false}, {"f.pgm", 1, 8, 0, false},  {"g.webp", 3, 8, 100, true}, {"h.jxl", 3, 8, 100, true},
                 {"i.jxl", 3, 16, 100, false}, {"j.avif", 3, 8, 100, false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Image *image = known_picture(cases[i].channels, cases[i].bits, cases[i].has_alpha), *back;
        const ImageWriteOptions options = {.quality = cases[i].quality};

        picture_write(image, cases[i].name, &options);
        back = picture_read(cases[i].name);
        expect_same_picture(cases[i].name, back, image);
        image_destroy(&image);
        image_destroy(&back);
    }
}

Test(image, formats_with_loss_stay_close)
{
    static const struct {
        const char *name, *format;
        double least_db;
    } cases[] = {{"a.jpg", "jpeg", 38}, {"b.webp", "webp", 34}, {"c.avif", "avif", 34}, {"d.jxl", "jxl", 38}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Image *image = known_picture(3, 8, false), *back;

        picture_write(image, cases[i].name, NULL);
        back = picture_read(cases[i].name);
        cr_assert_str_eq(back->format, cases[i].format);
        cr_expect(back->width == KNOWN_WIDTH && back->channels == 3 && picture_psnr_db(image, back) >= cases[i].least_db, "%s: %.2f dB",
                  cases[i].name, picture_psnr_db(image, back));
        image_destroy(&image);
        image_destroy(&back);
    }
}

Test(image, files_of_other_programs_are_read)
{
    static const struct {
        const char *name, *arguments;
        int channels, source_bits;
        double least_db;
    } cases[] = {{"a.jpg", "-q:v 1 -pix_fmt yuvj420p", 3, 8, 36}, {"b.jpg", "-q:v 1 -pix_fmt yuvj444p", 3, 8, 40},
                 {"c.jpg", "-q:v 1 -pix_fmt gray", 3, 8, 0},      {"d.webp", "-quality 95", 3, 8, 34},
                 {"e.png", "-pix_fmt pal8", 3, 8, 20},            {"f.png", "-pix_fmt monob", 1, 1, 0},
                 {"g.gif", "", 3, 8, 20},                         {"h.png", "-pix_fmt rgb48be", 3, 16, 50 /* ffmpeg makes 7fe1 of 80 */},
                 {"i.avif", "-c:v libaom-av1 -still-picture 1 -crf 4 -pix_fmt yuv444p10le", 3, 10, 38},
                 {"j.mp4", "-c:v mpeg4 -q:v 1", 3, 8, 34},        {"k.jp2", "-pix_fmt rgb24", 3, 8, 36},
                 {"l.tiff", "-compression_algo lzw", 3, 8, 99}};
    Image *image = known_picture(3, 8, false);

    picture_write(image, "source.png", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Image *back;

        fixture_must_run("ffmpeg -nostdin -v error -y -i source.png -vf crop=60:46:0:0 %s %s", cases[i].arguments, cases[i].name);
        back = picture_read(cases[i].name);
        cr_expect(back->width == 60 && back->height == 46 && (back->channels == cases[i].channels || cases[i].least_db == 0) &&
                      back->source_bits == cases[i].source_bits,
                  "%s: %d x %d, %d channels, %d bits in the file", cases[i].name, (int)back->width, (int)back->height,
                  back->channels, back->source_bits);
        if (cases[i].least_db > 0) {
            Image *cut;
            RsdError err = {0};

            ASSERT_OK(image_create(&cut, 60, 46, 3, 8, false, &err), err);
            for (int row = 0; row < 3 * 46; row++)
                memcpy((uint8_t *)cut->planes + row * 60, (uint8_t *)image->planes + (row / 46 * KNOWN_HEIGHT + row % 46) * KNOWN_WIDTH, 60);
            cr_expect(picture_psnr_db(cut, back) >= cases[i].least_db, "%s: %.2f dB", cases[i].name, picture_psnr_db(cut, back));
            image_destroy(&cut);
        }
        image_destroy(&back);
    }
    image_destroy(&image);
}

Test(image, ten_bits_reach_white_and_black)
{
    Image *image, *back;
    RsdError err = {0};

    ASSERT_OK(image_create(&image, 64, 32, 3, 8, false, &err), err);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 32; y++)
            memset((uint8_t *)image->planes + c * 64 * 32 + y * 64, 255, 32);
    picture_write(image, "source.png", NULL);
    fixture_must_run("ffmpeg -nostdin -v error -y -i source.png -c:v libaom-av1 -still-picture 1 -crf 1 -pix_fmt yuv444p10le a.avif");
    back = picture_read("a.avif");
    cr_assert_eq(back->bits, 16);
    for (int c = 0; c < 3; c++) {
        const uint16_t *plane = (const uint16_t *)back->planes + c * 64 * 32;

        cr_expect(plane[16 * 64 + 8] >= 65535 - 300 && plane[16 * 64 + 56] <= 300, "channel %d: white %d, black %d", c,
                  plane[16 * 64 + 8], plane[16 * 64 + 56]);
    }
    image_destroy(&image);
    image_destroy(&back);
}

/* 16 x 8 pixels of one colour, ink 0, 80, 60 and 20 %, written by libjpeg 2.1.5 with Adobe's inverted samples. */
static const uint8_t cmyk_jpeg[] = {
  0xff, 0xd8, 0xff, 0xee, 0x00, 0x0e, 0x41, 0x64, 0x6f, 0x62, 0x65, 0x00,
  0x64, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x03,
  0x02, 0x02, 0x03, 0x02, 0x02, 0x03, 0x03, 0x03, 0x03, 0x04, 0x03, 0x03,
  0x04, 0x05, 0x08, 0x05, 0x05, 0x04, 0x04, 0x05, 0x0a, 0x07, 0x07, 0x06,
  0x08, 0x0c, 0x0a, 0x0c, 0x0c, 0x0b, 0x0a, 0x0b, 0x0b, 0x0d, 0x0e, 0x12,
  0x10, 0x0d, 0x0e, 0x11, 0x0e, 0x0b, 0x0b, 0x10, 0x16, 0x10, 0x11, 0x13,
  0x14, 0x15, 0x15, 0x15, 0x0c, 0x0f, 0x17, 0x18, 0x16, 0x14, 0x18, 0x12,
  0x14, 0x15, 0x14, 0xff, 0xc0, 0x00, 0x14, 0x08, 0x00, 0x08, 0x00, 0x10,
  0x04, 0x43, 0x11, 0x00, 0x4d, 0x11, 0x00, 0x59, 0x11, 0x00, 0x4b, 0x11,
  0x00, 0xff, 0xc4, 0x00, 0x17, 0x00, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08,
  0x07, 0x09, 0xff, 0xc4, 0x00, 0x14, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
  0xff, 0xda, 0x00, 0x0e, 0x04, 0x43, 0x00, 0x4d, 0x00, 0x59, 0x00, 0x4b,
  0x00, 0x00, 0x3f, 0x00, 0xea, 0x9a, 0x32, 0x67, 0x4b, 0x2c, 0x01, 0xff,
  0xd9
};

Test(image, a_cmyk_jpeg_becomes_rgb)
{
    RsdError err = {0};
    Image *image;
    const uint8_t *p;

    ASSERT_OK(image_read_bytes(&image, cmyk_jpeg, sizeof cmyk_jpeg, NULL, &err), err);
    p = image->planes;
    cr_assert(image->width == 16 && image->height == 8 && image->channels == 3 && !image->alpha);
    cr_assert(abs(p[0] - 204) <= 2 && abs(p[128] - 41) <= 2 && abs(p[256] - 82) <= 2, "%d %d %d", p[0], p[128], p[256]);
    image_destroy(&image);
}

Test(image, the_first_picture_of_several_says_that_there_are_more)
{
    Image *image;

    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 -c:v mpeg4 a.mp4");
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 b.gif");
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 -frames:v 1 c.gif");
    for (int i = 0; i < 3; i++) {
        image = picture_read(i == 0 ? "a.mp4" : i == 1 ? "b.gif" : "c.gif");
        cr_expect(image->width == 64 && image->has_more == (i < 2), "file %d", i);
        image_destroy(&image);
    }
}

Test(image, animations_and_pages_say_that_there_are_more)
{
    RsdError err = {0};
    Image *image;

    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 -f apng a.png");
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 -frames:v 1 -f apng b.png");
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 -frames:v 1 c.tiff");
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i testsrc=s=64x48:d=1 d.webp");
    for (int i = 0; i < 3; i++) {
        image = picture_read(i == 0 ? "a.png" : i == 1 ? "b.png" : "c.tiff");
        cr_expect(image->width == 64 && image->has_more == (i == 0), "file %d", i);
        image_destroy(&image);
    }
    ASSERT_FAILS(image_read(&image, fixture_path("d.webp"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "d.webp: is an animated WebP");
}

/* One grey pixel, then a second page. */
Test(image, a_second_page_is_found_in_either_byte_order_and_not_outside_the_file)
{
    static const uint8_t little[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0, 1, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0};
    static const uint8_t big[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0, 0, 3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 8};

    cr_expect(several_pictures("tiff", little, sizeof little) && several_pictures("tiff", big, sizeof big));
    cr_expect(!several_pictures("tiff", little, sizeof little - 1) && !several_pictures("tiff", big, sizeof big - 1));
    cr_expect(!several_pictures(NULL, little, sizeof little) && !several_pictures("png", little, sizeof little));
}

/* 2 x 2 floats as OpenEXR, the blue of the last pixel is `value`. */
static void write_floats(float value)
{
    FILE *file = fopen(fixture_path("samples"), "wb");
    float samples[12] = {0, 0.25f, 0.5f, 0.75f, 1, 1, 0, 0.5f, 0, 0, 0, 0}; /* green, blue, red */

    samples[7] = value;
    cr_assert(file && fwrite(samples, sizeof samples, 1, file) == 1 && fclose(file) == 0);
    fixture_must_run("ffmpeg -nostdin -v error -y -f rawvideo -pix_fmt gbrpf32le -s 2x2 -i samples a.exr");
}

Test(image, floating_point_samples_must_be_finite)
{
    RsdError err = {0};
    Image *image;

    write_floats(0.5f);
    image = picture_read("a.exr");
    cr_expect(image->channels == 3 && image->bits == 16 && image->source_bits == 32 && strcmp(image->format, "exr") == 0);
    image_destroy(&image);
    write_floats(NAN);
    ASSERT_FAILS(image_read(&image, fixture_path("a.exr"), NULL, &err), RSD_ERR_NUMERIC, err, "a.exr: a sample at column 1 of row 1");
    write_floats(-INFINITY);
    ASSERT_FAILS(image_read(&image, fixture_path("a.exr"), NULL, &err), RSD_ERR_NUMERIC, err, "not a number or infinite");
    ASSERT_FAILS(image_read_bytes(&image, (const uint8_t *)"PF\n1 1\n-1.0\n0123456789ab", 25, NULL, &err), RSD_ERR_UNSUPPORTED, err,
                 "PFM");
}

Test(image, pipes_are_read_and_written)
{
    Image *image = known_picture(3, 8, true), *back;
    RsdError err = {0};
    int saved = dup(STDIN_FILENO), ends[2];

    picture_write(image, "a.png", NULL);
    cr_assert_eq(pipe(ends), 0);
    if (fork() == 0) {
        size_t size;
        const uint8_t *bytes = picture_bytes("a.png", &size);

        close(ends[0]);
        _exit(write(ends[1], bytes, size) == (ssize_t)size ? 0 : 1);
    }
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    ASSERT_OK(image_read(&back, "-", NULL, &err), err);
    dup2(saved, STDIN_FILENO);
    expect_same_picture("pipe", back, image);
    image_destroy(&image);
    image_destroy(&back);
}

/* --- colours ------------------------------------------------------------------------------------------------------------------ */

Test(image, gamma_srgb_and_profiles_are_kept_or_dropped)
{
    Image *image = known_picture(3, 8, false), *back;
    const ImageReadOptions drop = {.drop_profile = true};
    RsdError err = {0};

    image->color.is_srgb = true;
    image->color.gamma = 0.45455;
    picture_write(image, "a.png", NULL);
    back = picture_read("a.png");
    cr_expect(back->color.is_srgb && fabs(back->color.gamma - 0.45455) < 1e-5 && !back->color.icc);
    image_destroy(&back);
    ASSERT_OK(image_read(&back, fixture_path("a.png"), &drop, &err), err);
    cr_expect(!back->color.is_srgb && !(back->color.gamma > 0.0));
    image_destroy(&back);
    image_destroy(&image);
}

/* --- orientation -------------------------------------------------------------------------------------------------------------- */

Test(image, every_orientation_puts_the_first_line_where_exif_says)
{
    /* stored 3 x 2: a b c / d e f */
    static const char *const upright[9] = {"", "abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"};

    for (int orientation = 1; orientation <= 8; orientation++) {
        RsdError err = {0};
        Image *image;

        ASSERT_OK(image_create(&image, 3, 2, 1, 8, true, &err), err);
        memcpy(image->planes, "abcdef", 6);
        memcpy(image->alpha, "abcdef", 6);
        ASSERT_OK(image_orient(image, orientation, &err), err);
        cr_expect(image->width == (orientation > 4 ? 2 : 3) && image->height == (orientation > 4 ? 3 : 2));
        cr_expect(memcmp(image->planes, upright[orientation], 6) == 0 && memcmp(image->alpha, upright[orientation], 6) == 0,
                  "orientation %d: %.6s, expected %s", orientation, (char *)image->planes, upright[orientation]);
        image_destroy(&image);
    }
}

static const uint8_t exif_big[] = "MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0";
static const uint8_t exif_little[] = "II*\0\x08\0\0\0\1\0\x12\x01\3\0\1\0\0\0\x08\0\0\0\0\0\0\0";

Test(image, orientation_is_read_from_exif_of_both_byte_orders_and_never_outside)
{
    cr_expect_eq(exif_orientation(exif_big, sizeof exif_big - 1), 6);
    cr_expect_eq(exif_orientation(exif_little, sizeof exif_little - 1), 8);
    for (size_t size = 0; size < sizeof exif_big; size++) {
        uint8_t *copy = malloc(size + 1); /* a read outside shows under ASan */
        int got;

        memcpy(copy, exif_big, size);
        got = exif_orientation(copy, size);
        cr_expect(got == 1 || got == 6);
        free(copy);
    }
}

Test(image, orientation_of_a_jpeg_is_applied_unless_asked_otherwise)
{
    const ImageReadOptions as_stored = {.as_stored = true};
    const uint8_t head[] = {0xFF, 0xE1, 0, 2 + 6 + sizeof exif_big - 1, 'E', 'x', 'i', 'f', 0, 0};
    Image *image = known_picture(3, 8, false), *turned, *stored;
    RsdError err = {0};
    uint8_t *bytes, *joined;
    size_t size, extra = sizeof head + sizeof exif_big - 1;

    picture_write(image, "a.jpg", NULL);
    bytes = picture_bytes("a.jpg", &size);
    joined = malloc(size + extra);
    memcpy(joined, bytes, 2);
    memcpy(joined + 2, head, sizeof head);
    memcpy(joined + 2 + sizeof head, exif_big, sizeof exif_big - 1);
    memcpy(joined + 2 + extra, bytes + 2, size - 2);
    ASSERT_OK(image_read_bytes(&turned, joined, size + extra, NULL, &err), err);
    ASSERT_OK(image_read_bytes(&stored, joined, size + extra, &as_stored, &err), err);
    cr_assert(turned->width == KNOWN_HEIGHT && turned->height == KNOWN_WIDTH && stored->width == KNOWN_WIDTH);
    ASSERT_OK(image_orient(stored, 6, &err), err);
    expect_same_picture("turned", turned, stored);
    free(bytes);
    free(joined);
    image_destroy(&image);
    image_destroy(&turned);
    image_destroy(&stored);
}

Test(image, what_a_format_cannot_hold_is_refused_and_no_file_appears)
{
    const ImageWriteOptions drop = {.drop_alpha = true, .reduce = true}, wrong = {.quality = 101};
    Image *deep = known_picture(3, 16, true), *back;
    RsdError err = {0};

    ASSERT_FAILS(image_write(deep, fixture_path("a.jpg"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "no alpha");
    ASSERT_FAILS(image_write(deep, fixture_path("a.bmp"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "8 bits");
    ASSERT_FAILS(image_write(deep, fixture_path("a.xyz"), NULL, &err), RSD_ERR_ARG, err, "'xyz'");
    ASSERT_FAILS(image_write(deep, fixture_path("a.png"), &wrong, &err), RSD_ERR_ARG, err, "quality 101");
    cr_assert_eq(fixture_run("ls | grep -q ."), 1, "a file was left behind");
    picture_write(deep, "a.jpg", &drop);
    back = picture_read("a.jpg");
    cr_assert(back->bits == 8 && !back->alpha && picture_psnr_db(back, deep) > 38);
    ASSERT_FAILS(image_write(deep, fixture_path("a.jpg"), &drop, &err), RSD_ERR_EXISTS, err, "a.jpg");
    image_destroy(&deep);
    image_destroy(&back);
}

Test(image, grey_and_opaque_pictures_are_known_as_such)
{
    Image *grey = known_picture(1, 8, true), *color = known_picture(3, 8, false);

    cr_assert(image_is_grey(grey) && !image_is_opaque(grey) && !image_is_grey(color) && image_is_opaque(color));
    memset(grey->alpha, 255, KNOWN_WIDTH * KNOWN_HEIGHT);
    cr_assert(image_is_opaque(grey));
    for (int c = 1; c < 3; c++)
        memcpy((uint8_t *)color->planes + c * KNOWN_WIDTH * KNOWN_HEIGHT, color->planes, KNOWN_WIDTH * KNOWN_HEIGHT);
    cr_assert(image_is_grey(color));
    image_make_grey(color);
    cr_assert_eq(color->channels, 1);
    image_destroy(&grey);
    image_destroy(&color);
}
