/* png_image.h - PNG read by libpng: whole pictures, and lines one after the other. Written: png_writing.h.
 *
 * Colours: iCCP, sRGB, gAMA, cICP. EXIF and XMP: eXIf, and iTXt with Adobe's keyword.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_IMAGE_H
#define RESIDUA_PNG_IMAGE_H

#include "media/image.h"

/* False in a build without libpng; the functions below then answer RSD_ERR_UNSUPPORTED. */
bool png_image_is_here(void);

/* Where a file comes from. read: up to size bytes, fewer only at the end. size: of all bytes, 0 when not known. */
typedef struct PngFeed {
    RsdStatus (*read)(void *ctx, uint8_t *dst, size_t size, size_t *n_read, RsdError *err);
    void *ctx;
    int64_t size;
} PngFeed;

/* Palettes become colours, transparent colours alpha; 1, 2 and 4 bits become 8. Errors: RSD_ERR_CORRUPT, RSD_ERR_MEMORY (more
 * than max_pixels, too), those of feed. The sentence has no name. */
RsdStatus png_image_read(Image **out, const PngFeed *feed, int64_t max_pixels, RsdError *err);

/* Line by line: memory for a few lines. Errors as above; RSD_ERR_UNSUPPORTED for interlaced files. */
typedef struct PngLines PngLines;
RsdStatus png_lines_open(PngLines **out, const PngFeed *feed, int64_t max_pixels, RsdError *err);
void png_lines_close(PngLines **lines);
/* Everything but samples (planes and alpha are NULL); the reader's. */
Image *png_lines_shape(PngLines *lines, bool *has_alpha);
/* The next n lines to lines at .. of band, which has the shape's width, channels and bits. After the last one the end of the file is
 * checked; metadata that stood there are noted as lost. */
RsdStatus png_lines_next(PngLines *lines, Image *band, int64_t at, int64_t n, RsdError *err);

#endif
