/* known_picture.c - a picture by a formula, and files of it in the fixture's folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/media/known_picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "tests/media/fixture.h"

/* Smooth, different in each channel and corner, so that a picture that is turned or has its channels exchanged shows. */
double known_picture_value(int c, int64_t x, int64_t y)
{
    const double u = (double)x / KNOWN_WIDTH, v = (double)y / KNOWN_HEIGHT;

    return c == 0 ? 0.1 + 0.8 * u : c == 1 ? 0.1 + 0.8 * v : c == 2 ? 0.5 + 0.3 * sin(5 * u + 3 * v) : 0.2 + 0.7 * u * v;
}

Image *known_picture(int channels, int bits, bool has_alpha)
{
    float *src, *alpha;
    RsdError err = {0};
    Image *image;

    ASSERT_OK(mem_alloc(&src, 4 * KNOWN_WIDTH * KNOWN_HEIGHT, sizeof *src, &err), err);
    alpha = src + 3 * KNOWN_WIDTH * KNOWN_HEIGHT;
    for (int c = 0; c < 4; c++)
        for (int64_t i = 0; i < KNOWN_WIDTH * KNOWN_HEIGHT; i++)
            src[c * KNOWN_WIDTH * KNOWN_HEIGHT + i] = (float)known_picture_value(c, i % KNOWN_WIDTH, i / KNOWN_WIDTH);
    ASSERT_OK(image_from_float(&image, src, has_alpha ? alpha : NULL, KNOWN_WIDTH, KNOWN_HEIGHT, channels, bits, &err), err);
    mem_free(&src);
    return image;
}

void expect_same_picture(const char *what, const Image *got, const Image *expected)
{
    const size_t plane = (size_t)(expected->width * expected->height * expected->bits / 8);

    cr_assert(got->width == expected->width && got->height == expected->height && got->channels == expected->channels &&
                  got->bits == expected->bits && !got->alpha == !expected->alpha,
              "%s: %d x %d, %d channels, %d bits, %s", what, (int)got->width, (int)got->height, got->channels, got->bits,
              got->alpha ? "alpha" : "no alpha");
    cr_assert(memcmp(got->planes, expected->planes, plane * (size_t)expected->channels) == 0, "%s: other colours", what);
    cr_assert(!got->alpha || memcmp(got->alpha, expected->alpha, plane) == 0, "%s: another alpha", what);
}

/* Peak signal-to-noise ratio in dB over all colours. */
double picture_psnr_db(const Image *a, const Image *b)
{
    const size_t count = (size_t)(a->width * a->height) * 3;
    float *x, *y;
    double sum = 0;
    RsdError err = {0};

    ASSERT_OK(mem_alloc(&x, count, sizeof *x, &err), err);
    ASSERT_OK(mem_alloc(&y, count, sizeof *y, &err), err);
    image_to_float(a, 3, x);
    image_to_float(b, 3, y);
    for (size_t i = 0; i < count; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    mem_free(&x);
    mem_free(&y);
    return -10 * log10(sum / (double)count + 1e-20);
}

Image *picture_read(const char *name)
{
    RsdError err = {0};
    Image *image;

    ASSERT_OK(image_read(&image, fixture_path(name), NULL, &err), err);
    return image;
}

void picture_write(const Image *image, const char *name, const ImageWriteOptions *options)
{
    RsdError err = {0};

    ASSERT_OK(image_write(image, fixture_path(name), options, &err), err);
}

uint8_t *picture_bytes(const char *name, size_t *size)
{
    FILE *file = fopen(fixture_path(name), "rb");
    uint8_t *bytes;

    cr_assert_not_null(file);
    *size = fixture_size(name);
    bytes = malloc(*size + 1);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}
