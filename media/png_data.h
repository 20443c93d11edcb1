/* png_data.h - the pixels of a PNG as the bytes of its IDAT chunks: lines filtered by Paeth's rule and compressed in parts, each by one
 * thread. Parts are the same for any number of threads, and so is the file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_DATA_H
#define RESIDUA_PNG_DATA_H

#include "engine/base/threads.h"
#include "media/image.h"

typedef struct PngData PngData;

/* What follows what came before: one chunk. */
typedef RsdStatus (*PngDataFn)(void *ctx, const uint8_t *bytes, size_t size, RsdError *err);

/* For lines of shape, which needs no samples and is kept; threads is kept and may be NULL. Errors: RSD_ERR_MEMORY. */
RsdStatus png_data_create(PngData **out, const Image *shape, bool with_alpha, RsdThreads *threads, RsdError *err);
void png_data_destroy(PngData **data); /* accepts NULL inside */

/* The next n lines: the first ones of band. Gives write one chunk after the other; with the picture's last line the data are complete.
 * Errors: RSD_ERR_MEMORY, those of write. */
RsdStatus png_data_lines(PngData *data, const Image *band, int64_t n, PngDataFn write, void *ctx, RsdError *err);

#endif
