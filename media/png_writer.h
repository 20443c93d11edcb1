/* png_writer.h - a picture as the bytes of a PNG file, through libpng.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_WRITER_H
#define RESIDUA_PNG_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define PNG_MAX_SIDE 32768

typedef struct PngColour {
    uint8_t red, green, blue;
} PngColour;

typedef struct PngPicture {
    int width, height;        /* 1 to PNG_MAX_SIDE */
    int channels;             /* 1 or 3, 8 bits each */
    const uint8_t *pixels;    /* [height, width, channels] borrowed */
    const PngColour *colours; /* [256] borrowed: what the values of one channel mean; NULL: shades of grey */
} PngPicture;

/* RSD_ERR_UNSUPPORTED with the remedy when this build has no libpng. */
RsdStatus png_is_available(RsdError *err);

/* *bytes is owned by the caller (mem_free). Errors: RSD_ERR_ARG, RSD_ERR_UNSUPPORTED (built without libpng),
 * RSD_ERR_MEMORY. */
RsdStatus png_encode(uint8_t **bytes, size_t *size, const PngPicture *picture, RsdError *err);

#endif
