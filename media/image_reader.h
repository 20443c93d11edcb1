/* image_reader.h - the picture of any file or pipe.
 *
 * PNG is read by libpng, AVIF by libavif where the build has it, everything else (JPEG, WebP, JPEG XL, TIFF, BMP, GIF, the first
 * frame of a video) by libavformat and libavcodec; all but libpng are loaded on first use. EXIF orientation is applied, palettes
 * become colours, CMYK becomes RGB. Deeper than 8 bits gives 16, of floating-point samples (OpenEXR) those in [0, 1], as they are
 * stored. Profiles that are damaged or of other colours are left out and told (lost_profile); EXIF and XMP are kept (not those of HEIC
 * and of AVIF without libavif, nor EXIF of TIFF), and say orientation 1 or none: EXIF's was applied, that of XMP counts for nothing by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_READER_H
#define RESIDUA_IMAGE_READER_H

#include "media/image.h"

typedef struct ImageReadOptions {
    int64_t max_pixels; /* 0: IMAGE_MAX_PIXELS */
    bool drop_profile;  /* leave Image.color empty */
    bool as_stored;     /* do not apply the orientation */
    bool drop_metadata; /* leave exif and xmp empty */
} ImageReadOptions;

/* path "-" is standard input; options NULL: all zero. Errors: RSD_ERR_IO (cannot open or read), RSD_ERR_CORRUPT (empty, not a
 * picture, damaged, cut short, claims more pixels than its bytes can hold), RSD_ERR_NUMERIC (a floating-point sample that is
 * not finite), RSD_ERR_MEMORY (more than max_pixels, out of memory), RSD_ERR_UNSUPPORTED (an animated WebP, PFM, TIFF in tiles or of
 * floats, raw samples of a camera, a codec that is not here), RSD_ERR_MODULE (media/av_module.h). Sentences start with the path, or
 * "standard input". Any thread. */
RsdStatus image_read(Image **out, const char *path, const ImageReadOptions *options, RsdError *err);
/* The same from bytes; the sentence has no name. */
RsdStatus image_read_bytes(Image **out, const uint8_t *data, size_t size, const ImageReadOptions *options, RsdError *err);

/* The format of a picture by its first bytes ("png", "jpeg", "webp", "gif", "bmp", "tiff", "avif", "jxl", "jp2", "pnm", "pfm",
 * "exr"), or NULL for anything else, sound and video among it. 16 bytes are enough. */
const char *image_format_of(const uint8_t *head, size_t size);
/* Whether pictures of that format can be read here at all. Errors: RSD_ERR_MODULE. */
RsdStatus image_format_check(const char *format, RsdError *err);
/* By the ending of its name alone; films do not count. */
bool image_is_picture_name(const char *path);

#endif
