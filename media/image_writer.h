/* image_writer.h - pictures to files and pipes, complete or not at all.
 *
 * PNG is written by libpng, everything else by libavcodec. What a format cannot hold is refused, never silently dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_WRITER_H
#define RESIDUA_IMAGE_WRITER_H

#include "media/image.h"

typedef struct ImageWriteOptions {
    bool overwrite;
    const char *format; /* "png", "jpg", "webp", "avif", "jxl", "tiff", "bmp" or "pnm"; NULL: by the ending of the name, PNG for "-" */
    int quality;        /* of formats that lose something: 1 to 100, 100 without loss where the format can; 0: 90 */
    bool drop_profile, drop_alpha;
    bool reduce; /* 16 bits may become 8 where the format has no more */
} ImageWriteOptions;

/* path "-" is standard output; options NULL: all zero. Errors: RSD_ERR_ARG (unknown format or ending, quality), RSD_ERR_EXISTS,
 * RSD_ERR_UNSUPPORTED (the format holds no alpha, no 16 bits, or not this size; the module or its encoder is missing),
 * RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus image_write(const Image *image, const char *path, const ImageWriteOptions *options, RsdError *err);

#endif
