/* png_image.h - PNG by libpng, the one file that sees it: whole pictures, and lines one after the other.
 *
 * Colours: iCCP, sRGB, gAMA, cICP. EXIF and XMP: eXIf, and iTXt with Adobe's keyword.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_IMAGE_H
#define RESIDUA_PNG_IMAGE_H

#include "engine/base/atomic_file.h"
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

/* Writing: shape as above, or a whole picture; kept. Errors: RSD_ERR_IO, RSD_ERR_MEMORY, RSD_ERR_UNSUPPORTED (sides above
 * 2^31 - 1). */
typedef struct PngWriting PngWriting;
RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdError *err);
/* libpng checks a colour profile by more rules than the reader does: true when it left it out. */
bool png_writing_lost_profile(const PngWriting *writing);
/* The first n lines of band. */
RsdStatus png_writing_lines(PngWriting *writing, const Image *band, int64_t n, RsdError *err);
RsdStatus png_writing_finish(PngWriting *writing, RsdError *err);
void png_writing_close(PngWriting **writing);

#endif
