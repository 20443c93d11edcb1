/* png_writing.h - PNG files line by line, by libpng. Read: png_image.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_WRITING_H
#define RESIDUA_PNG_WRITING_H

#include "engine/base/atomic_file.h"
#include "engine/base/threads.h"
#include "media/image.h"

/* shape: everything but samples, or a whole picture; kept, with file and threads, which may be NULL. Errors: RSD_ERR_IO, RSD_ERR_MEMORY,
 * RSD_ERR_UNSUPPORTED (sides above
 * 2^31 - 1; a build without libpng). */
typedef struct PngWriting PngWriting;
RsdStatus png_writing_open(PngWriting **out, const Image *shape, bool with_alpha, AtomicFile *file, bool drop_profile,
                           RsdThreads *threads, RsdError *err);
/* libpng checks a colour profile by more rules than the reader does: true when it left it out. */
bool png_writing_lost_profile(const PngWriting *writing);
/* The first n lines of band. */
RsdStatus png_writing_lines(PngWriting *writing, const Image *band, int64_t n, RsdError *err);
RsdStatus png_writing_finish(PngWriting *writing, RsdError *err);
void png_writing_close(PngWriting **writing);

#endif
