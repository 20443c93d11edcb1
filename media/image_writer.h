/* image_writer.h - pictures to files and pipes, complete or not at all.
 *
 * PNG is written by libpng and zlib, lines by lines; everything else whole, AVIF and JPEG by libavif and libjpeg where the build has them,
 * the rest by libavcodec. Pixels that a format cannot hold are refused, colour profiles, EXIF and XMP that it cannot hold are left out
 * and told.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_WRITER_H
#define RESIDUA_IMAGE_WRITER_H

#include "engine/base/threads.h"
#include "media/image.h"

typedef struct ImageWriteOptions {
    bool overwrite;
    const char *format; /* "png", "jpg", "webp", "avif", "jxl", "tiff", "bmp" or "pnm"; NULL: by the ending of the name, PNG for "-" */
    int quality;        /* of formats that lose something: 1 to 100, 100 without loss where the format can; 0: 90 */
    bool drop_profile, drop_alpha;
    bool reduce; /* 16 bits may become 8 where the format has no more */
    RsdThreads *threads; /* kept until the writer is closed; may be NULL. Files are the same for any number */
    void (*note)(void *ctx, const char *text); /* what was left out; may be NULL */
    void *note_ctx;
} ImageWriteOptions;

/* path "-" is standard output; options NULL: all zero. Errors: RSD_ERR_ARG (unknown format or ending, quality), RSD_ERR_EXISTS,
 * RSD_ERR_UNSUPPORTED (the format holds no alpha, no 16 bits, or not this size; its encoder is missing),
 * RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus image_write(const Image *image, const char *path, const ImageWriteOptions *options, RsdError *err);

/* The same line by line. shape: everything but samples (planes and alpha may be NULL), kept until close, as path and options are not.
 * Formats other than PNG are collected in memory. Errors: those of image_write. */
typedef struct ImageWriter ImageWriter;
RsdStatus image_writer_open(ImageWriter **out, const Image *shape, bool has_alpha, const char *path,
                            const ImageWriteOptions *options, RsdError *err);
/* The first n lines of band, which has the shape's width, channels and bits, and alpha if that has. */
RsdStatus image_writer_lines(ImageWriter *writer, const Image *band, int64_t n, RsdError *err);
/* After the last line: the file is there. */
RsdStatus image_writer_finish(ImageWriter *writer, RsdError *err);
void image_writer_close(ImageWriter **writer); /* accepts NULL inside; without finish no file appears */

#endif
