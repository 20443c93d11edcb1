/* image_parts.h - what the readers of pictures share: image_reader.c and image_lines.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_PARTS_H
#define RESIDUA_IMAGE_PARTS_H

#include "media/image_reader.h"

/* The rest of a file of which `head` [head_size] has been read already, decoded whole. The sentence has no name. */
RsdStatus image_read_descriptor(Image **out, int fd, const char *path, const uint8_t *head, size_t head_size,
                                const ImageReadOptions *options, RsdError *err);
/* Turns the picture (1: not; samples may be missing then) and leaves out what was not asked for or cannot be kept. */
RsdStatus image_finish_reading(Image *image, const ImageReadOptions *options, int orientation, RsdError *err);
/* Moves everything but samples and sizes from `from`. */
void image_move_rest(Image *to, Image *from);

#endif
