/* test_image_damage.c - pictures that are none, claim too much, are cut short or changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <zlib.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "media/image_reader.h"
#include "tests/media/fixture.h"
#include "tests/media/known_picture.h"

TestSuite(image_damage, .init = fixture_open, .fini = fixture_close, .timeout = 300);

/* The size in the header of a PNG, with its checksum. */
static void claim_size(uint8_t *png, uint32_t width, uint32_t height)
{
    put_u32be(png + 16, width);
    put_u32be(png + 20, height);
    put_u32be(png + 29, (uint32_t)crc32(0, png + 12, 17));
}

Test(image_damage, bombs_are_refused_before_memory_is_taken)
{
    const ImageReadOptions large = {.max_pixels = (int64_t)1 << 40};
    Image *image = known_picture(1, 8, false), *bomb;
    RsdError err = {0};
    uint8_t *bytes;
    size_t size;

    picture_write(image, "a.png", NULL);
    bytes = picture_bytes("a.png", &size);
    claim_size(bytes, 50000, 40000);
    ASSERT_FAILS(image_read_bytes(&bomb, bytes, size, NULL, &err), RSD_ERR_MEMORY, err, "50000 x 40000 pixels are more than");
    ASSERT_FAILS(image_read_bytes(&bomb, bytes, size, &large, &err), RSD_ERR_CORRUPT, err, "cannot be in");
    claim_size(bytes, 0x7fffffff, 0x7fffffff);
    ASSERT_FAILS(image_read_bytes(&bomb, bytes, size, &large, &err), RSD_ERR_MEMORY, err, "are more than");
    free(bytes);
    image_destroy(&image);
}

Test(image_damage, a_limit_holds_for_every_format)
{
    static const char *const names[] = {"a.png", "b.jpg", "c.webp", "d.avif", "e.jxl", "f.tiff", "g.bmp", "h.ppm"};
    const ImageReadOptions small = {.max_pixels = 1000};
    Image *image = known_picture(3, 8, false), *back;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        RsdError err = {0};

        picture_write(image, names[i], NULL);
        cr_expect(image_read(&back, fixture_path(names[i]), &small, &err) != RSD_OK && back == NULL && err.text[0],
                  "%s with %d pixels was read", names[i], KNOWN_WIDTH * KNOWN_HEIGHT);
    }
    image_destroy(&image);
}

Test(image_damage, what_is_no_picture_is_refused_with_its_name)
{
    RsdError err = {0};
    Image *image;

    fixture_write("empty.png", "", 0);
    fixture_write("text.jpg", "this is no picture, only words\n", 31);
    fixture_must_run("ffmpeg -nostdin -v error -y -f lavfi -i sine=d=0.1 sound.wav");
    ASSERT_FAILS(image_read(&image, fixture_path("empty.png"), NULL, &err), RSD_ERR_CORRUPT, err, "empty.png: is empty");
    ASSERT_FAILS(image_read(&image, fixture_path("text.jpg"), NULL, &err), RSD_ERR_CORRUPT, err, "text.jpg: not a picture");
    ASSERT_FAILS(image_read(&image, fixture_path("sound.wav"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "no picture in it");
    ASSERT_FAILS(image_read(&image, fixture_path("missing.png"), NULL, &err), RSD_ERR_IO, err, "missing.png: cannot open");
    ASSERT_FAILS(image_read(&image, fixture_path("."), NULL, &err), RSD_ERR_IO, err, "is a directory");
}

/* Bytes cut at every length, or changed; whatever comes must be a picture or an error with words. */
static void try_bytes(const char *name, const uint8_t *bytes, size_t size, bool must_fail)
{
    const ImageReadOptions limit = {.max_pixels = 1 << 20};
    uint8_t *copy = malloc(size + 1);
    RsdError err = {0};
    RsdStatus status;
    Image *image;

    memcpy(copy, bytes, size);
    status = image_read_bytes(&image, copy, size, &limit, &err);
    cr_assert(status == RSD_OK ? image != NULL && !must_fail : image == NULL && err.text[0], "%s of %zu bytes: status %d, '%s'",
              name, size, (int)status, err.text);
    image_destroy(&image);
    free(copy);
}

static const char *const all_names[] = {"a.png", "b.jpg", "c.webp", "d.avif", "e.jxl", "f.tiff", "g.bmp", "h.ppm"};

Test(image_damage, files_cut_short_are_an_error)
{
    Image *image = known_picture(3, 8, false);

    for (size_t i = 0; i < sizeof all_names / sizeof all_names[0]; i++) {
        uint8_t *bytes;
        size_t size;

        picture_write(image, all_names[i], NULL);
        bytes = picture_bytes(all_names[i], &size);
        for (size_t n = 1; n < size - 4; n += 1 + size / 60)
            try_bytes(all_names[i], bytes, n, true);
        free(bytes);
    }
    image_destroy(&image);
}

Test(image_damage, changed_bytes_give_a_picture_or_an_error)
{
    Image *image = known_picture(3, 8, false);

    for (size_t i = 0; i < sizeof all_names / sizeof all_names[0]; i++) {
        uint8_t *bytes;
        size_t size;

        picture_write(image, all_names[i], NULL);
        bytes = picture_bytes(all_names[i], &size);
        for (uint32_t n = 0; n < 100; n++) {
            Rng rng = rng_at(20240607, RNG_TEST, (uint32_t)i, n);
            const size_t at = rng_below(&rng, (uint32_t)(n < 50 && size > 200 ? 200 : size));
            const uint8_t was = bytes[at];

            bytes[at] = (uint8_t)rng_below(&rng, 256);
            try_bytes(all_names[i], bytes, size, false);
            bytes[at] = was;
        }
        free(bytes);
    }
    image_destroy(&image);
}
