/* test_image_metadata.c - EXIF, XMP and colour profiles: into files and back, turned, damaged, left out, and any bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "config.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "media/color_profile.h"
#include "media/exif.h"
#include "media/image_lines.h"
#include "media/image_metadata.h"
#include "media/image_writer.h"
#include "tests/media/fixture.h"

#define W 48
#define H 36
#define PROFILE_SIZE 444

TestSuite(image_metadata, .init = fixture_open, .fini = fixture_close, .timeout = 300);

#ifdef RESIDUA_HAVE_AVIF
#define HAS_AVIF true
#else
#define HAS_AVIF false
#endif
#ifdef RESIDUA_HAVE_JPEG
#define HAS_JPEG true
#else
#define HAS_JPEG false
#endif

static const uint8_t exif[] = "MM\0*\0\0\0\x08\0\2\x01\x0f\0\2\0\0\0\3ab\0\0\x01\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0";
#define EXIF_SIZE (sizeof exif - 1)
#define EXIF_ORIENTATION_AT 31 /* the low byte */
static const char xmp[] = "<x:xmpmeta><rdf tiff:Orientation=\"6\" dc:creator=\"somebody\"/></x:xmpmeta>";
static const char xmp_upright[] = "<x:xmpmeta><rdf tiff:Orientation=\"1\" dc:creator=\"somebody\"/></x:xmpmeta>";
#define XMP_SIZE (sizeof xmp - 1)

static void put_big(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A display profile with one tag of text: what libpng asks for, and nothing that a colour engine could use. */
static uint8_t *make_profile(const char *space)
{
    uint8_t *p = calloc(PROFILE_SIZE, 1);

    put_big(p, PROFILE_SIZE);
    p[8] = 2;
    memcpy(p + 12, "mntr", 4);
    memcpy(p + 16, space, 4);
    memcpy(p + 20, "XYZ ", 4);
    memcpy(p + 36, "acsp", 4);
    put_big(p + 68, 0xF6D6);
    put_big(p + 72, 0x10000);
    put_big(p + 76, 0xD32D);
    put_big(p + 128, 1);
    memcpy(p + 132, "cprt", 4);
    put_big(p + 136, 144);
    put_big(p + 140, 300);
    for (int i = 144; i < PROFILE_SIZE; i++)
        p[i] = (uint8_t)(i * i * 37 >> 3); /* libpng refuses profiles that deflate to less than the shortest */
    return p;
}

static void set_blob(uint8_t **data, size_t *size, const void *from, size_t n)
{
    RsdError err = {0};

    mem_free(data);
    ASSERT_OK(mem_alloc(data, n, 1, &err), err);
    memcpy(*data, from, n);
    *size = n;
}

static Image *make_picture(int channels)
{
    uint8_t *profile = make_profile(channels == 1 ? "GRAY" : "RGB ");
    RsdError err = {0};
    Image *image;

    ASSERT_OK(image_create(&image, W, H, channels, 8, false, &err), err);
    for (int64_t i = 0; i < channels * W * H; i++)
        ((uint8_t *)image->planes)[i] = (uint8_t)(i % W * 3 + i / W);
    set_blob(&image->color.icc, &image->color.icc_size, profile, PROFILE_SIZE);
    set_blob(&image->exif.data, &image->exif.size, exif, EXIF_SIZE);
    set_blob(&image->xmp.data, &image->xmp.size, xmp, XMP_SIZE);
    free(profile);
    return image;
}

static bool same(const uint8_t *a, size_t n_a, const void *b, size_t n_b)
{
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0);
}

static char notes[2048];
static void take_note(void *ctx, const char *text)
{
    (void)ctx;
    strncat(notes, text, sizeof notes - strlen(notes) - 1);
}

Test(image_metadata, every_format_gives_back_what_it_holds_and_tells_what_not)
{
    static const struct {
        const char *name, *told;
        bool profile, exif, xmp;
    } cases[] = {{"a.png", NULL, true, true, true},  {"b.jpg", NULL, true, true, true},
                 {"c.webp", NULL, true, true, true}, {"d.jxl", "more or less than colours and curves", false, true, true},
                 {"e.tiff", "the colour profile is left out", false, false, false}, {"f.bmp", "the colour profile is left out", false, false, false},
                 {"g.ppm", "EXIF is left out", false, false, false}, {"h.avif", HAS_AVIF ? NULL : "EXIF is left out", HAS_AVIF, HAS_AVIF, HAS_AVIF}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ImageWriteOptions writing = {.note = take_note};
        Image *image = make_picture(3), *back;
        RsdError err = {0};

        notes[0] = '\0';
        ASSERT_OK(image_write(image, fixture_path(cases[i].name), &writing, &err), err);
        cr_expect(cases[i].told ? strstr(notes, cases[i].told) != NULL : notes[0] == '\0', "%s: told '%s'", cases[i].name, notes);
        ASSERT_OK(image_read(&back, fixture_path(cases[i].name), NULL, &err), err);
        cr_expect(back->width == W && back->height == H && !back->lost_profile && !back->lost_metadata, "%s: profile %s",
                  cases[i].name, back->lost_profile ? back->lost_profile : "not lost");
        cr_expect(same(back->color.icc, back->color.icc_size, image->color.icc, cases[i].profile ? PROFILE_SIZE : 0),
                  "%s: profile of %zu bytes", cases[i].name, back->color.icc_size);
        cr_expect(same(back->exif.data, back->exif.size, exif, cases[i].exif ? EXIF_SIZE : 0), "%s: EXIF of %zu bytes",
                  cases[i].name, back->exif.size);
        cr_expect(same(back->xmp.data, back->xmp.size, xmp_upright, cases[i].xmp ? XMP_SIZE : 0), "%s: XMP of %zu bytes, '%.*s'",
                  cases[i].name, back->xmp.size, (int)back->xmp.size, (char *)back->xmp.data);
        image_destroy(&image);
        image_destroy(&back);
    }
}

/* In a file of three channels it would be wrong. */
Test(image_metadata, a_profile_of_grey_goes_with_one_channel_or_is_left_out_and_told)
{
    static const struct {
        const char *name;
        bool is_kept;
    } cases[] = {{"a.png", true}, {"b.jpg", HAS_JPEG}, {"c.webp", false}, {"d.avif", HAS_AVIF}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ImageWriteOptions writing = {.note = take_note};
        Image *image = make_picture(1), *back;
        RsdError err = {0};

        notes[0] = '\0';
        ASSERT_OK(image_write(image, fixture_path(cases[i].name), &writing, &err), err);
        cr_expect((notes[0] == '\0') == cases[i].is_kept, "%s: told '%s'", cases[i].name, notes);
        ASSERT_OK(image_read(&back, fixture_path(cases[i].name), NULL, &err), err);
        cr_expect(!back->lost_profile && back->exif.size == EXIF_SIZE, "%s: profile %s", cases[i].name, back->lost_profile);
        cr_expect(!cases[i].is_kept || back->channels == 1, "%s: %d channels", cases[i].name, back->channels);
        cr_expect(same(back->color.icc, back->color.icc_size, image->color.icc, cases[i].is_kept ? PROFILE_SIZE : 0),
                  "%s: profile of %zu bytes", cases[i].name, back->color.icc_size);
        image_destroy(&image);
        image_destroy(&back);
    }
}

Test(image_metadata, a_picture_that_was_turned_says_so_no_more)
{
    static const char *const names[] = {"a.png", "b.jpg", "c.webp"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const ImageReadOptions dropping = {.drop_metadata = true}, stored = {.as_stored = true};
        Image *image = make_picture(3), *back;
        RsdError err = {0};

        image->exif.data[EXIF_ORIENTATION_AT] = 6;
        ASSERT_OK(image_write(image, fixture_path(names[i]), NULL, &err), err);
        ASSERT_OK(image_read(&back, fixture_path(names[i]), NULL, &err), err);
        cr_expect(back->width == H && back->height == W, "%s: %d x %d", names[i], (int)back->width, (int)back->height);
        cr_expect(same(back->exif.data, back->exif.size, exif, EXIF_SIZE), "%s: other EXIF", names[i]);
        cr_expect(same(back->xmp.data, back->xmp.size, xmp_upright, XMP_SIZE), "%s: XMP '%.*s'", names[i], (int)back->xmp.size,
                  (char *)back->xmp.data);
        image_destroy(&back);
        ASSERT_OK(image_read(&back, fixture_path(names[i]), &dropping, &err), err);
        cr_expect(back->width == H && !back->exif.data && !back->xmp.data && back->color.icc, "%s", names[i]);
        image_destroy(&back);
        ASSERT_OK(image_read(&back, fixture_path(names[i]), &stored, &err), err);
        cr_expect(back->width == W && back->exif.data[EXIF_ORIENTATION_AT] == 6, "%s", names[i]);
        image_destroy(&back);
        image_destroy(&image);
    }
}

/* Red, green and blue of Adobe RGB (1998) adapted to D50, in 1/65536; gamma 563/256. */
static const uint32_t adobe[3][3] = {{0x9C18, 0x4FA5, 0x04FC}, {0x348D, 0xA02C, 0x0F95}, {0x2631, 0x102F, 0xBE9C}};
#define ADOBE_SIZE 380

static uint8_t *put_tag(uint8_t *p, int i, const char *name, uint32_t at, uint32_t size)
{
    memcpy(p + 132 + 12 * i, name, 4);
    put_big(p + 136 + 12 * i, at);
    put_big(p + 140 + 12 * i, size);
    return p + at;
}

static void put_xyz(uint8_t *to, const uint32_t xyz[3])
{
    memcpy(to, "XYZ ", 4);
    for (int i = 0; i < 3; i++)
        put_big(to + 8 + 4 * i, xyz[i]);
}

/* A profile that a colour engine understands: three colours and a curve. */
static uint8_t *make_adobe_profile(void)
{
    static const char *const colours[] = {"rXYZ", "gXYZ", "bXYZ"}, *const curves[] = {"rTRC", "gTRC", "bTRC"};
    static const char words[] = "text\0\0\0\0free";
    uint8_t *p = make_profile("RGB "), *tag;

    memset(p + 128, 0, PROFILE_SIZE - 128);
    put_big(p, ADOBE_SIZE);
    put_big(p + 128, 9);
    for (int i = 0; i < 3; i++) {
        put_xyz(put_tag(p, i, colours[i], 240 + 20 * (uint32_t)i, 20), adobe[i]);
        tag = put_tag(p, 3 + i, curves[i], 300, 14);
        memcpy(tag, "curv", 4);
        put_big(tag + 8, 1);
        tag[12] = 0x02;
        tag[13] = 0x33;
    }
    put_xyz(put_tag(p, 6, "wtpt", 316, 20), (const uint32_t[]){0xF6D6, 0x10000, 0xD32D});
    memcpy(put_tag(p, 7, "cprt", 336, 13), words, 13);
    tag = put_tag(p, 8, "desc", 352, 26);
    memcpy(tag, "desc", 4);
    put_big(tag + 8, 2);
    tag[12] = 'A';
    return p;
}

/* libavcodec hands out lossy JPEG XL of colours that have no number in those of BT.2020, and says so. A profile that was ignored would
 * come back as sRGB. */
Test(image_metadata, the_colours_of_a_profile_survive_jpeg_xl)
{
    uint8_t *profile = make_adobe_profile();
    Image *image = make_picture(3), *back;
    RsdError err = {0};

    set_blob(&image->color.icc, &image->color.icc_size, profile, ADOBE_SIZE);
    ASSERT_OK(image_write(image, fixture_path("adobe.jxl"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("adobe.jxl"), NULL, &err), err);
    cr_expect(back->color.icc_size > 0 || (back->color.has_cicp && back->color.cicp[0] == 9 && back->color.cicp[1] == 13),
              "no profile, cicp %d: %d %d", back->color.has_cicp, back->color.cicp[0], back->color.cicp[1]);
    image_destroy(&back);
    mem_free(&image->color.icc);
    image->color.icc_size = 0;
    ASSERT_OK(image_write(image, fixture_path("plain.jxl"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("plain.jxl"), NULL, &err), err);
    cr_expect(back->color.icc_size == 0 && (!back->color.has_cicp || back->color.cicp[0] == 1), "without: cicp %d",
              back->color.cicp[0]);
    image_destroy(&back);
    image_destroy(&image);
    free(profile);
}

/* libjxl 0.7 ends the program at a profile that its colour engine cannot use. */
Test(image_metadata, profiles_without_what_their_colours_need_are_kept_from_jpeg_xl)
{
    static const int damage[] = {20, 67, 132 + 12 * 3, 240, 249, 300, 311, 312, 316, 132 + 12 * 6};
    /* space, intent, a tag; of a colour type and value, of a curve type, number and value, of the white type and tag */
    uint8_t *profile = make_adobe_profile(), *grey = make_profile("GRAY");

    cr_assert(color_profile_is_plain(profile, ADOBE_SIZE));
    for (size_t size = 0; size < ADOBE_SIZE; size++)
        cr_assert(!color_profile_is_plain(profile, size));
    cr_assert(!color_profile_is_plain(grey, PROFILE_SIZE));
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        Image *image = make_picture(3);
        RsdError err = {0};

        set_blob(&image->color.icc, &image->color.icc_size, profile, ADOBE_SIZE);
        image->color.icc[damage[i]] ^= 8;
        notes[0] = '\0';
        ASSERT_OK(image_write(image, fixture_path("a.jxl"), &(ImageWriteOptions){.overwrite = true, .note = take_note}, &err), err);
        cr_expect(strstr(notes, "colours and curves"), "byte %d: told '%s'", damage[i], notes);
        image_destroy(&image);
    }
    free(profile);
    free(grey);
}

Test(image_metadata, orientation_of_xmp_alone_turns_nothing_and_is_set_right)
{
    Image *image = make_picture(3), *back;
    RsdError err = {0};

    ASSERT_OK(image_write(image, fixture_path("xmp.png"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("xmp.png"), NULL, &err), err);
    cr_expect(back->width == W && back->height == H);
    cr_expect(same(back->xmp.data, back->xmp.size, xmp_upright, XMP_SIZE), "'%.*s'", (int)back->xmp.size, (char *)back->xmp.data);
    image_destroy(&back);
    image_destroy(&image);
}

Test(image_metadata, a_jpeg_xl_file_is_turned_by_its_decoder_and_says_so_no_more)
{
    Image *image = make_picture(3), *back;
    RsdError err = {0};

    image->exif.data[EXIF_ORIENTATION_AT] = 6;
    ASSERT_OK(image_write(image, fixture_path("d.jxl"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("d.jxl"), NULL, &err), err);
    cr_assert_eq(back->exif.data[EXIF_ORIENTATION_AT], 1);
    image_destroy(&back);
    image_destroy(&image);
}

Test(image_metadata, profiles_that_are_damaged_or_of_other_colours_are_left_out_with_a_reason)
{
    uint8_t *profile = make_profile("RGB "), *cmyk = make_profile("CMYK"), *grey = make_profile("GRAY");
    Image *image = make_picture(3), *back;
    RsdError err = {0};

    cr_expect_null(color_profile_problem(profile, PROFILE_SIZE, 3));
    cr_expect_null(color_profile_problem(profile, PROFILE_SIZE, 1));
    cr_expect_null(color_profile_problem(grey, PROFILE_SIZE, 1));
    cr_expect_not_null(color_profile_problem(grey, PROFILE_SIZE, 3));
    cr_assert_not_null(strstr(color_profile_problem(cmyk, PROFILE_SIZE, 3), "CMYK"));
    for (size_t n = 0; n < PROFILE_SIZE; n++)
        cr_expect_not_null(color_profile_problem(profile, n, 3), "%zu bytes are no profile", n);
    put_big(profile + 136, 0xFFFFFFF0);
    cr_expect_not_null(color_profile_problem(profile, PROFILE_SIZE, 3));

    memcpy(image->color.icc + 36, "oops", 4);
    ASSERT_OK(image_write(image, fixture_path("a.jpg"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("a.jpg"), NULL, &err), err);
    cr_assert(back->lost_profile && !back->color.icc && back->exif.data);
    cr_assert_str_eq(back->lost_profile, "is damaged");
    image_destroy(&back);
    image_destroy(&image);
    free(profile);
    free(cmyk);
    free(grey);
}

/* ffmpeg's files have a header with a box of colours of 15 bytes. */
Test(image_metadata, a_profile_of_jpeg_2000_is_kept)
{
    uint8_t bytes[8192], *profile = make_profile("RGB "), *header, *colours;
    size_t size, begins;
    FILE *file;
    Image *image;
    RsdError err = {0};

    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i color=s=16x16:d=0.1 -frames:v 1 -pix_fmt rgb24 a.jp2");
    size = fixture_size("a.jp2");
    file = fopen(fixture_path("a.jp2"), "rb");
    cr_assert(size + PROFILE_SIZE <= sizeof bytes && fread(bytes, 1, size, file) == size);
    fclose(file);
    header = memmem(bytes, size, "jp2h", 4);
    colours = memmem(bytes, size, "colr", 4);
    cr_assert(header && colours && get_u32be(colours - 4) == 15);
    begins = (size_t)(colours - bytes) + 7;
    memmove(bytes + begins + PROFILE_SIZE, bytes + begins + 4, size - begins - 4);
    memcpy(bytes + begins, profile, PROFILE_SIZE);
    put_big(header - 4, get_u32be(header - 4) + PROFILE_SIZE - 4);
    put_big(colours - 4, 15 + PROFILE_SIZE - 4);
    colours[4] = 2;
    size += PROFILE_SIZE - 4;
    ASSERT_OK(image_read_bytes(&image, bytes, size, NULL, &err), err);
    cr_expect(image->width == 16 && same(image->color.icc, image->color.icc_size, profile, PROFILE_SIZE), "%zu bytes", image->color.icc_size);
    image_destroy(&image);
    for (size_t n = 0; n < begins + PROFILE_SIZE; n++) { /* a read outside shows under ASan */
        uint8_t *copy = malloc(n + 1);
        MetadataPlaces places;

        memcpy(copy, bytes, n);
        image_metadata_find(&places, "jp2", copy, n);
        cr_assert_null(places.icc);
        free(copy);
    }
    free(profile);
}

Test(image_metadata, exif_of_avif_is_not_read_without_libavif_and_that_is_told)
{
    static const uint8_t box[] = {0, 0, 0, 12, 'f', 'r', 'e', 'e', 'E', 'x', 'i', 'f'};
    Image *image = make_picture(3), *back;
    RsdError err = {0};
    FILE *file;

    ASSERT_OK(image_write(image, fixture_path("a.avif"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("a.avif"), NULL, &err), err);
    cr_assert(!back->lost_metadata);
    image_destroy(&back);
    if (HAS_AVIF) {
        image_destroy(&image);
        fixture_close();
        cr_skip_test("libavif reads them: test_avif.c");
    }
    file = fopen(fixture_path("a.avif"), "ab");
    cr_assert(file && fwrite(box, 1, sizeof box, file) == sizeof box && fclose(file) == 0);
    ASSERT_OK(image_read(&back, fixture_path("a.avif"), NULL, &err), err);
    cr_assert(back->lost_metadata && !back->exif.data);
    image_destroy(&back);
    image_destroy(&image);
}

Test(image_metadata, numbers_of_the_colour_space_stay_in_png)
{
    Image *image = make_picture(3), *back;
    RsdError err = {0};

    mem_free(&image->color.icc);
    image->color.icc_size = 0;
    image->color.has_cicp = true;
    memcpy(image->color.cicp, (uint8_t[4]){9, 16, 0, 1}, 4);
    ASSERT_OK(image_write(image, fixture_path("a.png"), NULL, &err), err);
    ASSERT_OK(image_read(&back, fixture_path("a.png"), NULL, &err), err);
    cr_assert(back->color.has_cicp && memcmp(back->color.cicp, image->color.cicp, 4) == 0);
    image_destroy(&back);
    notes[0] = '\0';
    ASSERT_OK(image_write(image, fixture_path("b.jpg"), &(ImageWriteOptions){.note = take_note}, &err), err);
    cr_assert_not_null(strstr(notes, "cICP"), "%s", notes);
    image_destroy(&image);
}

Test(image_metadata, any_bytes_are_looked_at_without_harm)
{
    static const char *const formats[] = {"jpeg", "png", "webp", "jxl", "tiff", NULL};
    static const char *const names[] = {"a.jpg", "b.png", "c.webp", "d.jxl", "e.tiff"};
    Image *image = make_picture(3);

    for (int f = 0; formats[f]; f++) {
        FILE *file;
        size_t size;
        uint8_t *bytes;
        RsdError err = {0};

        ASSERT_OK(image_write(image, fixture_path(names[f]), NULL, &err), err);
        size = fixture_size(names[f]);
        file = fopen(fixture_path(names[f]), "rb");
        bytes = malloc(size);
        cr_assert_eq(fread(bytes, 1, size, file), size);
        fclose(file);
        for (uint32_t n = 0; n < 2000; n++) {
            Rng rng = rng_at(20261128, RNG_TEST, (uint64_t)f, n);
            const size_t cut = n % 2 ? rng_below(&rng, (uint32_t)size) + 1 : size;
            uint8_t *copy = malloc(cut); /* a read outside shows under ASan */
            MetadataPlaces places;
            Image holder = {.width = 1, .height = 1, .channels = 3, .bits = 8};

            memcpy(copy, bytes, cut);
            for (int k = 0; k < 3; k++)
                copy[rng_below(&rng, (uint32_t)(cut < 400 ? cut : 400))] = (uint8_t)rng_below(&rng, 256);
            image_metadata_find(&places, formats[f], copy, cut);
            cr_assert(image_metadata_orientation(&places, formats[f], copy, cut) <= 8);
            ASSERT_OK(image_metadata_take(&holder, &places, &err), err);
            image_metadata_make_upright(&holder);
            mem_free(&holder.exif.data);
            mem_free(&holder.xmp.data);
            free(copy);
        }
        free(bytes);
    }
    image_destroy(&image);
}

/* --- line by line ------------------------------------------------------------------------------------------------------------- */

static void expect_lines(const char *name, const Image *expected)
{
    const int64_t size = expected->bits / 8, line = expected->width * size;
    ImageLines *lines;
    Image *whole, *band;
    RsdError err = {0};
    bool has_alpha;
    const Image *shape;

    ASSERT_OK(image_open(&whole, &lines, fixture_path(name), NULL, 100, &err), err);
    cr_assert(!whole && lines, "%s is read whole", name);
    shape = image_lines_shape(lines, &has_alpha);
    cr_assert(shape->width == expected->width && shape->height == expected->height && shape->channels == expected->channels &&
              shape->bits == expected->bits && has_alpha == (expected->alpha != NULL));
    ASSERT_OK(image_create(&band, shape->width, 7, shape->channels, shape->bits, has_alpha, &err), err);
    for (int64_t y = 0; y < shape->height; y += 5) {
        int64_t n = shape->height - y < 5 ? shape->height - y : 5;

        ASSERT_OK(image_lines_next(lines, band, 2, n, &err), err);
        for (int c = 0; c < shape->channels; c++)
            cr_assert(memcmp((uint8_t *)band->planes + (c * 7 + 2) * line,
                             (uint8_t *)expected->planes + (c * expected->height + y) * line, (size_t)(n * line)) == 0,
                      "%s: channel %d, lines from %d on", name, c, (int)y);
        cr_assert(!has_alpha || memcmp((uint8_t *)band->alpha + 2 * line, (uint8_t *)expected->alpha + y * line,
                                       (size_t)(n * line)) == 0);
    }
    image_destroy(&band);
    image_lines_close(&lines);
}

Test(image_metadata, metadata_that_are_dropped_are_not_told_as_lost)
{
    Image *image = make_picture(3), *whole, *band;
    RsdError err = {0};

    ASSERT_OK(image_write(image, fixture_path("a.png"), NULL, &err), err);
    ASSERT_OK(image_create(&band, W, H, 3, 8, false, &err), err);
    for (int drops = 0; drops < 2; drops++) {
        const Image *shape;
        ImageLines *lines;
        bool has_alpha;

        ASSERT_OK(image_open(&whole, &lines, fixture_path("a.png"), &(ImageReadOptions){.drop_metadata = drops}, 100, &err), err);
        shape = image_lines_shape(lines, &has_alpha);
        ASSERT_OK(image_lines_next(lines, band, 0, H, &err), err);
        cr_expect(!shape->lost_metadata && (shape->exif.data == NULL) == drops && (shape->xmp.data == NULL) == drops);
        image_lines_close(&lines);
    }
    image_destroy(&band);
    image_destroy(&image);
}

Test(image_metadata, large_png_and_pnm_come_line_by_line_and_others_whole)
{
    static const char *const names[] = {"a.png", "b.png", "c.ppm", "d.pgm", "e.ppm"};
    static const struct {
        int channels, bits;
        bool has_alpha;
    } kinds[] = {{3, 8, false}, {1, 16, true}, {3, 8, false}, {1, 8, false}, {3, 16, false}};
    ImageLines *lines;
    Image *whole;
    RsdError err = {0};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int64_t size = kinds[i].bits / 8;
        Image *image;

        ASSERT_OK(image_create(&image, 31, 23, kinds[i].channels, kinds[i].bits, kinds[i].has_alpha, &err), err);
        for (int64_t k = 0; k < kinds[i].channels * 31 * 23 * size; k++)
            ((uint8_t *)image->planes)[k] = (uint8_t)(k * 7 + k / 31);
        for (int64_t k = 0; kinds[i].has_alpha && k < 31 * 23 * size; k++)
            ((uint8_t *)image->alpha)[k] = (uint8_t)(k * 5);
        ASSERT_OK(image_write(image, fixture_path(names[i]), NULL, &err), err);
        expect_lines(names[i], image);
        if (i == 0) {
            set_blob(&image->exif.data, &image->exif.size, exif, EXIF_SIZE);
            image->exif.data[EXIF_ORIENTATION_AT] = 8;
            ASSERT_OK(image_write(image, fixture_path("turned.png"), NULL, &err), err);
            ASSERT_OK(image_open(&whole, &lines, fixture_path("turned.png"), NULL, 100, &err), err);
            cr_assert(whole && !lines && whole->width == 23 && whole->height == 31);
            image_destroy(&whole);
        }
        image_destroy(&image);
    }
    ASSERT_OK(image_open(&whole, &lines, fixture_path("a.png"), NULL, 1000, &err), err);
    cr_assert(whole && !lines);
    image_destroy(&whole);
    fixture_cut("c.ppm", "cut.ppm", fixture_size("c.ppm") - 1);
    ASSERT_FAILS(image_open(&whole, &lines, fixture_path("cut.ppm"), NULL, 100, &err), RSD_ERR_CORRUPT, err, "cut.ppm: cut short");
}
