/* fuzz_png_data.c - pictures of any size and any samples as the data of a PNG: what zlib and the filter's definition make of them
 * are the samples again, with any number of lines at a time.
 *
 * The first bytes choose sides, channels, bits, opacity and the lines of a band; the rest are samples, over and over.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "media/image_samples.h"
#include "media/png_data.h"
#include "tests/fuzz/demand.h"

#define HEAD 6
#define MAX_WIDTH 40000 /* of one part, and of one line that is longer than a part */
#define MAX_BYTES ((int64_t)1 << 18) /* two parts */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --make-corpus DIR: a few sides and kinds. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t seeds[4][HEAD + 4] = {{1, 0, 1, 0, 0, 0, 7}, {9, 0, 5, 0, 7, 1, 1, 2, 3, 4}, {0x40, 0x9c, 3, 0, 2, 0, 255}, {100, 0, 200, 1, 5, 8, 0, 128}};
    char path[4096];

    for (int i = 0; *argc == 3 && strcmp((*argv)[1], "--make-corpus") == 0 && i < 4; i++) {
        FILE *file;

        snprintf(path, sizeof path, "%s/%d", (*argv)[2], i);
        demand((file = fopen(path, "wb")) != NULL && fwrite(seeds[i], 1, sizeof seeds[i], file) == sizeof seeds[i] && fclose(file) == 0);
        if (i == 3)
            exit(0);
    }
    return 0;
}

typedef struct Packed {
    uint8_t *bytes;
    size_t size;
} Packed;

static RsdStatus keep(void *ctx, const uint8_t *bytes, size_t size, RsdError *err)
{
    Packed *packed = ctx;

    (void)err;
    packed->bytes = realloc(packed->bytes, packed->size + size);
    memcpy(packed->bytes + packed->size, bytes, size);
    packed->size += size;
    return RSD_OK;
}

/* PNG, second edition, 9.4. */
static int predict(int left, int above, int corner)
{
    const int p = left + above - corner, a = abs(p - left), b = abs(p - above), c = abs(p - corner);

    return a <= b && a <= c ? left : b <= c ? above : corner;
}

/* data [height * (1 + n_line)] as filtered -> as they were, in place. */
static void unfilter(uint8_t *data, int64_t height, size_t n_line, size_t n_pixel)
{
    for (int64_t y = 0; y < height; y++) {
        uint8_t *line = data + (size_t)y * (1 + n_line) + 1, *above = y > 0 ? line - (1 + n_line) : NULL;

        demand(line[-1] == 4);
        for (size_t i = 0; i < n_line; i++)
            line[i] = (uint8_t)(line[i] + predict(i >= n_pixel ? line[i - n_pixel] : 0, above ? above[i] : 0,
                                                  above && i >= n_pixel ? above[i - n_pixel] : 0));
    }
}

static Image *make_image(const uint8_t *data, size_t size)
{
    const int64_t width = 1 + (data[0] | data[1] << 8) % MAX_WIDTH, height = 1 + (data[2] | data[3] << 8) % 512;
    const int channels = data[4] & 1 ? 3 : 1, bits = data[4] & 2 ? 16 : 8;
    const bool has_alpha = data[4] & 4;
    const int64_t n_bytes = width * height * (channels + has_alpha) * bits / 8;
    Image *image;

    if (n_bytes > MAX_BYTES || image_create(&image, width, height, channels, bits, has_alpha, NULL) != RSD_OK)
        return NULL;
    for (int64_t i = 0; size > HEAD && i < width * height * channels * bits / 8; i++)
        ((uint8_t *)image->planes)[i] = data[HEAD + (size_t)i % (size - HEAD)];
    for (int64_t i = 0; has_alpha && size > HEAD && i < width * height * bits / 8; i++)
        ((uint8_t *)image->alpha)[i] = data[HEAD + (size_t)(i + 1) % (size - HEAD)];
    return image;
}

/* Lines first .. first + n - 1 of an image as an image; its planes are copies. */
static Image *band_of(const Image *image, int64_t first, int64_t n)
{
    const size_t item = (size_t)image->bits / 8, line = (size_t)image->width * item;
    Image *band;

    demand(image_create(&band, image->width, n, image->channels, image->bits, image->alpha != NULL, NULL) == RSD_OK);
    for (int c = 0; c < image->channels; c++)
        memcpy((uint8_t *)band->planes + (size_t)c * (size_t)n * line,
               (const uint8_t *)image->planes + ((size_t)c * (size_t)image->height + (size_t)first) * line, (size_t)n * line);
    if (image->alpha)
        memcpy(band->alpha, (const uint8_t *)image->alpha + (size_t)first * line, (size_t)n * line);
    return band;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Image *image = size >= HEAD ? make_image(data, size) : NULL;
    Packed packed = {0};
    PngData *png;
    uint8_t *lines, *expected;
    size_t n_pixel, n_line;
    uLongf n_lines;
    int64_t at_once;

    if (!image)
        return 0;
    at_once = 1 + data[5] % image->height;
    n_pixel = (size_t)((image->channels + (image->alpha != NULL)) * image->bits / 8);
    n_line = n_pixel * (size_t)image->width;
    demand(png_data_create(&png, image, image->alpha != NULL, NULL, NULL) == RSD_OK);
    for (int64_t y = 0; y < image->height; y += at_once) {
        const int64_t n = image->height - y < at_once ? image->height - y : at_once;
        Image *band = band_of(image, y, n);

        demand(png_data_lines(png, band, n, keep, &packed, NULL) == RSD_OK);
        image_destroy(&band);
    }
    png_data_destroy(&png);
    n_lines = (uLongf)image->height * (n_line + 1);
    lines = malloc(n_lines);
    expected = malloc(n_line);
    demand(uncompress(lines, &n_lines, packed.bytes, packed.size) == Z_OK && n_lines == (uLongf)image->height * (n_line + 1));
    unfilter(lines, image->height, n_line, n_pixel);
    for (int64_t y = 0; y < image->height; y++) {
        image_samples_join(expected, image, image->alpha != NULL, y);
        demand(memcmp(expected, lines + (size_t)y * (n_line + 1) + 1, n_line) == 0);
    }
    free(lines);
    free(expected);
    free(packed.bytes);
    image_destroy(&image);
    return 0;
}
