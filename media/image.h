/* image.h - a picture in memory: planes of 8-bit or 16-bit samples, alpha apart, and what is known of its colours.
 *
 * Samples have the full range of their type (white is 255 or 65535, whatever the file had), lines go from top to bottom and
 * are not padded. Pictures with one channel are grey; with three, red, green and blue in this order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_H
#define RESIDUA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define IMAGE_MAX_SIDE ((int64_t)1 << 30)
#define IMAGE_MAX_PIXELS ((int64_t)1 << 28) /* what is read unless more is asked for: 268 million */

/* All zero: nothing is known; then sRGB is meant. */
typedef struct ImageColor {
    bool is_srgb;       /* said to be sRGB */
    double gamma;       /* exponent of the encoding (0.45455 for the usual one), 0 when the file has none */
    uint8_t *icc;       /* ICC profile [icc_size], NULL for none */
    size_t icc_size;
    bool has_cicp;      /* cicp: numbers of ITU-T H.273 for primaries, transfer, matrix (0: RGB) and full range (1) */
    uint8_t cicp[4];
} ImageColor;

/* Bytes that are carried as they are; the picture's. */
typedef struct ImageBlob {
    uint8_t *data; /* NULL for none */
    size_t size;
} ImageBlob;

typedef struct Image {
    int64_t width, height;
    int channels;      /* 1 or 3 */
    int bits;          /* of the samples here: 8 or 16 */
    int source_bits;   /* of the samples in the file, 1 to 32: more than 16 were reduced */
    void *planes;      /* [channels, height, width] uint8_t or uint16_t in host order */
    void *alpha;       /* [height, width] of the same type, not multiplied in; NULL for none. Readers leave out an opaque one */
    ImageColor color;
    char format[16];   /* "png", "jpeg", "webp", ... */
    bool has_more;     /* the file has more pictures (animation, video); this is the first */
    bool lost_alpha;   /* the file has an alpha channel that could not be read: AVIF without libavif, HEIC */
    ImageBlob exif, xmp; /* EXIF from its byte order on ("II" or "MM"); XMP as it is */
    const char *lost_profile; /* why the file's colour profile was left out ("is damaged"; constant); NULL: it was not */
    bool lost_metadata; /* EXIF or XMP were too large, or in a format where they are not read (HEIC; AVIF without libavif; EXIF of TIFF) */
} Image;

/* A picture with zeroed samples. Errors: RSD_ERR_ARG (sides below 1 or above IMAGE_MAX_SIDE, channels not 1 or 3, bits not
 * 8 or 16), RSD_ERR_MEMORY. */
RsdStatus image_create(Image **out, int64_t width, int64_t height, int channels, int bits, bool has_alpha, RsdError *err);
void image_destroy(Image **image);

/* dst [channels, height, width] in [0, 1]. channels 3: a grey picture is copied to all; channels 1: only of a grey one. */
void image_to_float(const Image *image, int channels, float *dst);
/* dst [height, width] in [0, 1]; 1 everywhere without alpha. */
void image_alpha_to_float(const Image *image, float *dst);
/* A picture of src [channels, height, width] and alpha [height, width] (NULL for none), rounded to nearest; values outside
 * [0, 1] are clipped, NaN becomes 0. Errors as image_create. */
RsdStatus image_from_float(Image **out, const float *src, const float *alpha, int64_t width, int64_t height, int channels,
                           int bits, RsdError *err);

/* True when the channels are equal everywhere, so that the picture may be coded as grey. */
bool image_is_grey(const Image *image);
/* True when there is no alpha, or it is opaque everywhere. */
bool image_is_opaque(const Image *image);
/* Three equal channels to one; image_is_grey must hold. */
void image_make_grey(Image *image);
/* Turns and mirrors *image in place, as EXIF orientation 1 to 8 asks for (1 and everything else: as it is).
 * Errors: RSD_ERR_MEMORY; the picture is then as it was. */
RsdStatus image_orient(Image *image, int orientation, RsdError *err);

#endif
