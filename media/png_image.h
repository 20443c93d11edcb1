/* png_image.h - PNG by libpng, the one file that sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_IMAGE_H
#define RESIDUA_PNG_IMAGE_H

#include "engine/base/atomic_file.h"
#include "media/image.h"

/* False in a build without libpng; the functions below then answer RSD_ERR_UNSUPPORTED. */
bool png_image_is_here(void);

/* Palettes become colours, transparent colours alpha; 1, 2 and 4 bits become 8. Errors: RSD_ERR_CORRUPT, RSD_ERR_MEMORY (more
 * than max_pixels, too). The sentence has no name. */
RsdStatus png_image_read(Image **out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err);
/* Errors: RSD_ERR_IO, RSD_ERR_MEMORY, RSD_ERR_UNSUPPORTED (sides above 2^31 - 1). */
RsdStatus png_image_write(const Image *image, AtomicFile *file, bool drop_profile, bool drop_alpha, RsdError *err);

#endif
