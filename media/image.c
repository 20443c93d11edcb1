/* image.c - samples, floats and orientations.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image.h"

#include <string.h>

#include "engine/base/mem.h"

static size_t pixels_of(const Image *image)
{
    return (size_t)(image->width * image->height);
}

static double white_of(const Image *image)
{
    return image->bits == 8 ? 255.0 : 65535.0;
}

RsdStatus image_create(Image **out, int64_t width, int64_t height, int channels, int bits, bool has_alpha, RsdError *err)
{
    Image *image = NULL;
    size_t count, size = (size_t)bits / 8;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(width >= 1 && height >= 1 && width <= IMAGE_MAX_SIDE && height <= IMAGE_MAX_SIDE, err, RSD_ERR_ARG,
          "a picture of %lld x %lld pixels: each side must be 1 to %lld", (long long)width, (long long)height,
          (long long)IMAGE_MAX_SIDE);
    CHECK((channels == 1 || channels == 3) && (bits == 8 || bits == 16), err, RSD_ERR_ARG,
          "a picture of %d channels of %d bits: expected 1 or 3 of 8 or 16", channels, bits);
    TRY(mem_calloc(&image, 1, sizeof *image, err));
    image->width = width;
    image->height = height;
    image->channels = channels;
    image->bits = image->source_bits = bits;
    count = pixels_of(image);
    TRY(mem_calloc(&image->planes, count, (size_t)channels * size, err));
    if (has_alpha)
        TRY(mem_calloc(&image->alpha, count, size, err));
    *out = image;
    return RSD_OK;
fail:
    image_destroy(&image);
    return status;
}

void image_destroy(Image **image)
{
    if (*image) {
        mem_free(&(*image)->planes);
        mem_free(&(*image)->alpha);
        mem_free(&(*image)->color.icc);
        mem_free(&(*image)->exif.data);
        mem_free(&(*image)->xmp.data);
    }
    mem_free(image);
}

/* --- floats ------------------------------------------------------------------------------------------------------------ */

static void widen(const Image *image, const void *src, size_t first, size_t count, float *dst)
{
    const float scale = (float)(1.0 / white_of(image));
    const uint8_t *bytes = src;
    const uint16_t *words = src;

    if (image->bits == 8)
        for (size_t i = 0; i < count; i++)
            dst[i] = (float)bytes[first + i] * scale;
    else
        for (size_t i = 0; i < count; i++)
            dst[i] = (float)words[first + i] * scale;
}

void image_to_float(const Image *image, int channels, float *dst)
{
    const size_t count = pixels_of(image);

    for (int c = 0; c < channels; c++)
        widen(image, image->planes, image->channels == 1 ? 0 : (size_t)c * count, count, dst + (size_t)c * count);
}

void image_alpha_to_float(const Image *image, float *dst)
{
    if (image->alpha)
        widen(image, image->alpha, 0, pixels_of(image), dst);
    else
        for (size_t i = 0; i < pixels_of(image); i++)
            dst[i] = 1.0f;
}

static void narrow(const float *src, size_t count, const Image *image, void *dst)
{
    const float white = (float)white_of(image);
    uint8_t *bytes = dst;
    uint16_t *words = dst;

    for (size_t i = 0; i < count; i++) {
        const float v = src[i] > 0.0f ? src[i] < 1.0f ? src[i] : 1.0f : 0.0f; /* NaN is not above 0 */
        const uint16_t rounded = (uint16_t)(v * white + 0.5f);

        if (image->bits == 8)
            bytes[i] = (uint8_t)rounded;
        else
            words[i] = rounded;
    }
}

RsdStatus image_from_float(Image **out, const float *src, const float *alpha, int64_t width, int64_t height, int channels,
                           int bits, RsdError *err)
{
    RsdStatus status = image_create(out, width, height, channels, bits, alpha != NULL, err);

    if (status != RSD_OK)
        return status;
    narrow(src, pixels_of(*out) * (size_t)channels, *out, (*out)->planes);
    if (alpha)
        narrow(alpha, pixels_of(*out), *out, (*out)->alpha);
    return RSD_OK;
}

/* --- questions ---------------------------------------------------------------------------------------------------------- */

bool image_is_grey(const Image *image)
{
    const size_t size = pixels_of(image) * (size_t)image->bits / 8;
    const uint8_t *plane = image->planes;

    return image->channels == 1 || (memcmp(plane, plane + size, size) == 0 && memcmp(plane, plane + 2 * size, size) == 0);
}

bool image_is_opaque(const Image *image)
{
    const uint8_t *bytes = image->alpha;

    for (size_t i = 0; image->alpha && i < pixels_of(image) * (size_t)image->bits / 8; i++)
        if (bytes[i] != 255)
            return false;
    return true;
}

void image_make_grey(Image *image)
{
    image->channels = 1;
}

/* --- orientation --------------------------------------------------------------------------------------------------------- */

/* Where the pixels of the turned picture come from: dst (x, y) is src (x0 + x xx + y xy, y0 + x yx + y yy), as a step in
 * memory. Orientation 6, for example: the first line of the result is the first column of the file, from the bottom up. */
typedef struct Turn {
    bool swaps, from_right, from_bottom;
} Turn;

static Turn turn_of(int orientation)
{
    static const Turn turns[9] = {
        [2] = {.from_right = true},
        [3] = {.from_right = true, .from_bottom = true},
        [4] = {.from_bottom = true},
        [5] = {.swaps = true},
        [6] = {.swaps = true, .from_bottom = true},
        [7] = {.swaps = true, .from_right = true, .from_bottom = true},
        [8] = {.swaps = true, .from_right = true},
    };

    return turns[orientation];
}

static void turn_plane(const Turn *turn, const uint8_t *src, int64_t width, int64_t height, int64_t size, uint8_t *dst)
{
    const int64_t line = width * size, along = turn->from_right ? -size : size, down = turn->from_bottom ? -line : line;
    const int64_t step_x = turn->swaps ? down : along, step_y = turn->swaps ? along : down;
    const int64_t n = turn->swaps ? height : width, m = turn->swaps ? width : height;

    src += (turn->from_right ? line - size : 0) + (turn->from_bottom ? (height - 1) * line : 0);
    for (int64_t y = 0; y < m; y++)
        for (int64_t x = 0; x < n; x++, dst += size)
            for (int64_t i = 0; i < size; i++)
                dst[i] = src[y * step_y + x * step_x + i];
}

RsdStatus image_orient(Image *image, int orientation, RsdError *err)
{
    const int64_t size = image->bits / 8, count = image->width * image->height * size;
    uint8_t *planes = NULL, *alpha = NULL;
    RsdStatus status = RSD_OK;
    Turn turn;

    if (orientation < 2 || orientation > 8)
        return RSD_OK;
    turn = turn_of(orientation);
    TRY(mem_alloc(&planes, (size_t)count, (size_t)image->channels, err));
    for (int c = 0; c < image->channels; c++)
        turn_plane(&turn, (const uint8_t *)image->planes + c * count, image->width, image->height, size, planes + c * count);
    if (image->alpha) {
        TRY(mem_alloc(&alpha, (size_t)count, 1, err));
        turn_plane(&turn, image->alpha, image->width, image->height, size, alpha);
        mem_free(&image->alpha);
        image->alpha = alpha;
    }
    mem_free(&image->planes);
    image->planes = planes;
    if (turn.swaps) {
        int64_t width = image->width;

        image->width = image->height;
        image->height = width;
    }
    return RSD_OK;
fail:
    mem_free(&planes);
    return status;
}
