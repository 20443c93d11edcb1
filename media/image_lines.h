/* image_lines.h - large pictures line by line, from files and pipes: PNG that is not interlaced, and PNM with 255 or 65535 for
 * white. Everything else is read whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_LINES_H
#define RESIDUA_IMAGE_LINES_H

#include "media/image_reader.h"

typedef struct ImageLines ImageLines;

/* As image_read for pictures of fewer than least_pixels pixels, of other formats, and those that ask to be turned: *whole is set, the
 * caller's, and *lines NULL. For others *lines is set, and *whole NULL. path and options are borrowed during the call; "-" is standard
 * input, which is not closed. One thread at a time for each *lines. Errors: those of image_read; both are then NULL. */
RsdStatus image_open(Image **whole, ImageLines **lines, const char *path, const ImageReadOptions *options,
                     int64_t least_pixels, RsdError *err);
void image_lines_close(ImageLines **lines); /* accepts NULL inside */

/* Everything but samples: planes and alpha are NULL, whether there is alpha is told apart. It may be opaque, and three channels
 * may be equal: nobody has looked. Owned by lines. */
const Image *image_lines_shape(const ImageLines *lines, bool *has_alpha);
/* The next n lines, of which there must be as many left, into lines at .. at + n - 1 of band (the shape's width, channels and bits, with
 * alpha if it has). After the last line of a PNG the end of the file is checked. Errors name the file: RSD_ERR_CORRUPT (damaged, cut
 * short), RSD_ERR_IO, RSD_ERR_MEMORY; the lines are then undefined and no more may be asked for. */
RsdStatus image_lines_next(ImageLines *lines, Image *band, int64_t at, int64_t n, RsdError *err);

#endif
