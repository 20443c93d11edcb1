/* test_avif.c - AVIF by libavif: opacity, ten bits, turned pictures, limits, and files of every length and with every byte changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "tests/media/fixture.h"
#include "tests/media/known_picture.h"

#ifdef RESIDUA_HAVE_AVIF

TestSuite(avif, .init = fixture_open, .fini = fixture_close, .timeout = 300);

static Image *there_and_back(const Image *image, int quality)
{
    picture_write(image, "a.avif", &(ImageWriteOptions){.overwrite = true, .quality = quality, .reduce = true});
    return picture_read("a.avif");
}

Test(avif, opacity_is_kept_without_loss_and_everything_at_quality_100)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        Image *image = known_picture(channels, 8, true), *back = there_and_back(image, 60);

        cr_assert(back->alpha && !back->lost_alpha && back->channels == channels && back->source_bits == 8);
        cr_expect_arr_eq(back->alpha, image->alpha, KNOWN_WIDTH * KNOWN_HEIGHT, "%d channels: opacity", channels);
        cr_expect(picture_psnr_db(back, image) > 30 && picture_psnr_db(back, image) < 60, "%d channels: %g dB", channels,
                  picture_psnr_db(back, image));
        image_destroy(&back);
        back = there_and_back(image, 100);
        expect_same_picture("quality 100", back, image);
        image_destroy(&back);
        image_destroy(&image);
    }
}

static int most_apart(const uint16_t *a, const uint16_t *b, size_t n)
{
    int most = 0;

    for (size_t i = 0; i < n; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

Test(avif, sixteen_bits_become_ten_when_they_may)
{
    const size_t n = KNOWN_WIDTH * KNOWN_HEIGHT;

    for (int channels = 1; channels <= 3; channels += 2) {
        Image *image = known_picture(channels, 16, true), *back;
        RsdError err = {0};

        ASSERT_FAILS(image_write(image, fixture_path("b.avif"), NULL, &err), RSD_ERR_UNSUPPORTED, err, "AVIF holds 10 bits here");
        back = there_and_back(image, 100);
        cr_assert(back->bits == 16 && back->source_bits == 10 && back->channels == channels && back->alpha);
        cr_expect_leq(most_apart(back->planes, image->planes, (size_t)channels * n), 65535 / 1023 / 2 + 1);
        cr_expect_leq(most_apart(back->alpha, image->alpha, n), 65535 / 1023 / 2 + 1);
        image_destroy(&back);
        image_destroy(&image);
    }
}

/* libavif makes the file's own rotation and mirroring of EXIF's orientation. */
Test(avif, every_orientation_is_applied_once_unless_asked_otherwise)
{
    static const uint8_t exif[] = "MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0";

    for (int orientation = 1; orientation <= 8; orientation++) {
        const ImageReadOptions as_stored = {.as_stored = true};
        Image *image = known_picture(3, 8, true), *back;
        RsdError err = {0};

        ASSERT_OK(mem_alloc(&image->exif.data, image->exif.size = sizeof exif - 1, 1, &err), err);
        memcpy(image->exif.data, exif, sizeof exif - 1);
        image->exif.data[19] = (uint8_t)orientation;
        back = there_and_back(image, 100);
        cr_expect(back->exif.size == sizeof exif - 1 && back->exif.data[19] == 1, "orientation %d stays in EXIF", orientation);
        ASSERT_OK(image_orient(image, orientation, &err), err);
        expect_same_picture("turned", back, image);
        image_destroy(&back);
        ASSERT_OK(image_read(&back, fixture_path("a.avif"), &as_stored, &err), err);
        cr_expect_eq(back->width, KNOWN_WIDTH);
        image_destroy(&back);
        image_destroy(&image);
    }
}

Test(avif, more_pixels_than_the_limit_are_refused_by_their_number)
{
    const ImageReadOptions few = {.max_pixels = KNOWN_WIDTH * KNOWN_HEIGHT - 1}, enough = {.max_pixels = KNOWN_WIDTH * KNOWN_HEIGHT};
    Image *image = known_picture(3, 8, true), *back = there_and_back(image, 50);
    RsdError err = {0};

    image_destroy(&back);
    ASSERT_FAILS(image_read(&back, fixture_path("a.avif"), &few, &err), RSD_ERR_MEMORY, err, "61 x 47 pixels are more than the limit");
    ASSERT_OK(image_read(&back, fixture_path("a.avif"), &enough, &err), err);
    image_destroy(&back);
    image_destroy(&image);
}

Test(avif, flipped_and_cut_files_end_in_an_error_or_a_picture)
{
    Image *image = known_picture(3, 8, true), *back = there_and_back(image, 20);
    size_t size, n_refused = 0;
    uint8_t *whole = picture_bytes("a.avif", &size);

    image_destroy(&back);
    for (size_t i = 0; i < size; i += i < 600 ? 1 : 7) {
        uint8_t *bytes = malloc(size);
        RsdError err = {0};
        RsdStatus status;

        memcpy(bytes, whole, size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        status = image_read_bytes(&back, bytes, size, &(ImageReadOptions){.max_pixels = 1 << 20}, &err);
        cr_assert(status == RSD_OK ? back->width * back->height <= 1 << 20 : err.text[0] != 0, "byte %zu", i);
        n_refused += status != RSD_OK;
        image_destroy(&back);
        free(bytes);
        bytes = malloc(i + 1);
        memcpy(bytes, whole, i);
        cr_assert_neq(image_read_bytes(&back, bytes, i, NULL, &err), RSD_OK, "cut at %zu of %zu", i, size);
        free(bytes);
    }
    cr_expect_gt(n_refused, 100, "%zu of %zu", n_refused, size);
    free(whole);
    image_destroy(&image);
}

#endif
