/* test_tiff.c - TIFF files made here, byte by byte: read, set right, or refused with a reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "media/image_reader.h"
#include "media/tiff.h"
#include "tests/media/fixture.h"

TestSuite(tiff, .init = fixture_open, .fini = fixture_close, .timeout = 60);

#define SIDE 8
#define MAX_ENTRIES 24
#define MAX_SIZE 8192

typedef struct Entry {
    unsigned tag, value;
    unsigned n; /* more than one: SHORTs that are all the same, 0: one */
} Entry;

/* A file under way: header, directory, values, and the strip. */
typedef struct File {
    bool big_endian;
    Entry entries[MAX_ENTRIES];
    int n_entries;
    uint8_t bytes[MAX_SIZE];
    size_t size;
} File;

static void put(File *file, unsigned v, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        file->bytes[file->size++] = (uint8_t)(v >> 8 * (file->big_endian ? n_bytes - 1 - i : i));
}

static void add(File *file, unsigned tag, unsigned value, unsigned n)
{
    file->entries[file->n_entries++] = (Entry){tag, value, n};
}

/* SIDE x SIDE pixels of that many samples of that many bits in one strip. */
static File begin(bool big_endian, unsigned n_samples, unsigned bits, unsigned photometric, unsigned compression, size_t strip_size)
{
    File file = {.big_endian = big_endian};

    add(&file, 256, SIDE, 0);
    add(&file, 257, SIDE, 0);
    add(&file, 258, bits, n_samples);
    add(&file, 259, compression, 0);
    add(&file, 262, photometric, 0);
    add(&file, 273, 0, 0);
    add(&file, 277, n_samples, 0);
    add(&file, 278, SIDE, 0);
    add(&file, 279, (unsigned)strip_size, 0);
    return file;
}

static void finish(File *file, const void *strip, size_t strip_size)
{
    const unsigned n = (unsigned)file->n_entries;
    unsigned values_at = 8 + 2 + 12 * n + 4, strip_at = values_at;

    for (unsigned i = 0; i < n; i++)
        strip_at += file->entries[i].n > 2 ? 2 * file->entries[i].n : 0;
    memcpy(file->bytes, file->big_endian ? "MM\0*" : "II*\0", 4);
    file->size = 4;
    put(file, 8, 4);
    put(file, n, 2);
    for (unsigned i = 0; i < n; i++) {
        const Entry *e = &file->entries[i];
        const unsigned count = e->n ? e->n : 1;

        put(file, e->tag, 2);
        put(file, count > 1 ? TIFF_SHORT : TIFF_LONG, 2);
        put(file, count, 4);
        if (count == 1) {
            put(file, e->tag == 273 ? strip_at : e->value, 4);
        } else if (count == 2) {
            put(file, e->value, 2);
            put(file, e->value, 2);
        } else {
            put(file, values_at, 4);
            values_at += 2 * count;
        }
    }
    put(file, 0, 4);
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; file->entries[i].n > 2 && k < file->entries[i].n; k++)
            put(file, file->entries[i].value, 2);
    memcpy(file->bytes + file->size, strip, strip_size);
    file->size += strip_size;
}

static Image *read_file(const File *file)
{
    Image *image;
    RsdError err = {0};

    ASSERT_OK(image_read_bytes(&image, file->bytes, file->size, NULL, &err), err);
    cr_assert(image->width == SIDE && image->height == SIDE && strcmp(image->format, "tiff") == 0);
    return image;
}

static void expect_refused(const File *file, RsdStatus status, const char *words)
{
    Image *image;
    RsdError err = {0};

    ASSERT_FAILS(image_read_bytes(&image, file->bytes, file->size, NULL, &err), status, err, words);
}

/* Pixels of one colour, all samples in the file's order. */
static size_t fill(uint8_t *strip, const unsigned *colour, int n_samples, int bits, bool big_endian)
{
    size_t size = 0;

    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < n_samples; c++) {
            if (bits == 16)
                strip[size++] = (uint8_t)(big_endian ? colour[c] >> 8 : colour[c]);
            strip[size++] = (uint8_t)(bits == 16 && !big_endian ? colour[c] >> 8 : colour[c]);
        }
    return size;
}

/* A file of one colour; extra_samples 0: not said. */
static File one_colour(bool big_endian, const unsigned *colour, int n_samples, int bits, unsigned photometric, unsigned extra_samples)
{
    uint8_t strip[SIDE * SIDE * 8];
    const size_t size = fill(strip, colour, n_samples, bits, big_endian);
    File file = begin(big_endian, (unsigned)n_samples, (unsigned)bits, photometric, 1, size);

    if (extra_samples)
        add(&file, 338, extra_samples, 0);
    finish(&file, strip, size);
    return file;
}

Test(tiff, tags_that_are_not_known_harm_nothing)
{
    static const unsigned colour[] = {200, 100, 50};
    uint8_t strip[SIDE * SIDE * 3];
    const size_t size = fill(strip, colour, 3, 8, false);

    for (int big_endian = 0; big_endian < 2; big_endian++) {
        File file = begin(big_endian, 3, 8, 2, 1, size);
        Image *image;

        add(&file, 290, 7, 0);
        add(&file, 700, 7, 3);
        add(&file, 40000, 7, 0);
        finish(&file, strip, size);
        image = read_file(&file);
        for (int c = 0; c < 3; c++)
            cr_expect_eq(((uint8_t *)image->planes)[c * SIDE * SIDE + 9], colour[c]);
        image_destroy(&image);
    }
}

Test(tiff, a_damaged_strip_is_an_error)
{
    uint8_t strip[SIDE * SIDE * 3], packed[512];
    uLongf size = sizeof packed;
    File file;
    Image *image;

    for (size_t i = 0; i < sizeof strip; i++)
        strip[i] = (uint8_t)(i * i);
    cr_assert_eq(compress(packed, &size, strip, sizeof strip), Z_OK);
    file = begin(false, 3, 8, 2, 8, size);
    add(&file, 40000, 7, 0);
    finish(&file, packed, size);
    image = read_file(&file);
    cr_assert_eq(((uint8_t *)image->planes)[5], strip[15]);
    image_destroy(&image);
    for (int i = 0; i < 8; i++)
        file.bytes[file.size - size / 2 + (size_t)i] ^= 0x55;
    expect_refused(&file, RSD_ERR_CORRUPT, "damaged");
}

Test(tiff, tiles_raw_samples_and_numbers_with_a_sign_are_refused)
{
    static const struct {
        unsigned tag, value, other_tag, other_value;
        const char *words;
    } cases[] = {
        {322, 16, 324, 8, "is a tiled TIFF"},         {339, 3, 0, 0, "floats or signed"}, {339, 2, 0, 0, "floats or signed"},
        {50706, 0x01040000, 0, 0, "samples of a camera"}, {254, 1, 330, 8, "samples of a camera"},
    };
    uint8_t strip[SIDE * SIDE * 3] = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        File file = begin(i % 2, 3, 8, 2, 1, sizeof strip);

        add(&file, cases[i].tag, cases[i].value, 0);
        if (cases[i].other_tag)
            add(&file, cases[i].other_tag, cases[i].other_value, 0);
        finish(&file, strip, sizeof strip);
        expect_refused(&file, RSD_ERR_UNSUPPORTED, cases[i].words);
    }
}

Test(tiff, raw_samples_in_another_file_are_refused)
{
    Image *image;
    RsdError err = {0};

    fixture_must_run("head -c 256 /dev/zero | ffmpeg -v error -y -f rawvideo -pix_fmt bayer_rggb8 -s 16x16 -i - -c copy a.nut");
    ASSERT_FAILS(image_read(&image, fixture_path("a.nut"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "raw samples of a camera");
}

Test(tiff, ink_becomes_light_with_8_and_16_bits_in_either_byte_order)
{
    static const unsigned eight[] = {0, 204, 153, 51}, sixteen[] = {0, 52428, 39321, 13107}; /* 0, 80, 60 and 20 % */
    static const double expected[] = {0.8, 0.16, 0.32};

    for (int i = 0; i < 4; i++) {
        const bool is_deep = i & 2;
        const File file = one_colour(i & 1, is_deep ? sixteen : eight, 4, is_deep ? 16 : 8, 5, 0);
        Image *image = read_file(&file);
        float rgb[3 * SIDE * SIDE];

        cr_assert(image->channels == 3 && !image->alpha, "case %d: %d channels", i, image->channels);
        image_to_float(image, 3, rgb);
        for (int c = 0; c < 3; c++)
            cr_expect_float_eq(rgb[c * SIDE * SIDE + 20], expected[c], 0.005, "case %d, channel %d: %g", i, c, (double)rgb[c * SIDE * SIDE + 20]);
        image_destroy(&image);
    }
}

Test(tiff, colours_that_were_multiplied_by_their_opacity_are_divided_again)
{
    /* as they stand in the file, and as they are meant; more than the opacity is white */
    static const unsigned stored[2][4] = {{40, 80, 100, 80}, {10000, 20000, 0, 20000}}, meant[2][3] = {{128, 255, 255}, {32768, 65535, 0}};
    static const unsigned grey[] = {40, 80};

    for (int i = 0; i < 4; i++) {
        const bool is_deep = i & 2, is_multiplied = i & 1;
        const File file = one_colour(i == 3, stored[is_deep], 4, is_deep ? 16 : 8, 2, is_multiplied ? 1 : 2);
        Image *image = read_file(&file);

        cr_assert(image->channels == 3 && image->alpha);
        for (int c = 0; c < 4; c++) {
            const void *plane = c < 3 ? image->planes : image->alpha;
            const size_t at = (size_t)(c < 3 ? c : 0) * SIDE * SIDE + 11;
            const unsigned got = is_deep ? ((const uint16_t *)plane)[at] : ((const uint8_t *)plane)[at];

            cr_expect_eq(got, is_multiplied && c < 3 ? meant[is_deep][c] : stored[is_deep][c], "case %d, sample %d: %u", i, c, got);
        }
        image_destroy(&image);
    }
    for (unsigned extra = 1; extra <= 2; extra++) {
        const File file = one_colour(false, grey, 2, 8, 1, extra);
        Image *image = read_file(&file);

        cr_assert(image->channels == 1 && image->alpha);
        cr_expect_eq(((uint8_t *)image->planes)[3], extra == 1 ? 128 : 40);
        cr_expect_eq(((uint8_t *)image->alpha)[3], 80);
        image_destroy(&image);
    }
}

Test(tiff, exif_is_told_to_be_left_out)
{
    const uint8_t strip[SIDE * SIDE] = {0};

    for (int i = 0; i < 3; i++) {
        File file = begin(i & 1, 1, 8, 1, 1, sizeof strip);
        Image *image;
        RsdError err = {0};

        if (i < 2)
            add(&file, i == 0 ? 34665 : 34853, 8, 0);
        finish(&file, strip, sizeof strip);
        image = read_file(&file);
        cr_expect_eq(image->lost_metadata, i < 2);
        image_destroy(&image);
        ASSERT_OK(image_read_bytes(&image, file.bytes, file.size, &(ImageReadOptions){.drop_metadata = true}, &err), err);
        cr_expect(!image->lost_metadata);
        image_destroy(&image);
    }
}

/* A read outside shows under ASan. */
Test(tiff, directories_are_not_followed_out_of_the_file)
{
    static const unsigned colour[] = {1, 2, 3};
    const File file = one_colour(true, colour, 3, 8, 2, 2);

    for (size_t size = 0; size <= file.size; size++) {
        uint8_t *copy = malloc(size + 1);
        TiffDir dir;

        memcpy(copy, file.bytes, size);
        if (tiff_open(&dir, copy, size)) {
            cr_assert(size >= 10);
            cr_assert_eq(tiff_value(&dir, 256, 77), size >= 22 ? SIDE : 77, "%zu bytes", size);
            cr_assert_eq(tiff_value(&dir, 1, 77), 77);
            cr_assert(!tiff_has_next(&dir));
        }
        free(copy);
    }
}
