/* exif.h - blocks of EXIF data: the orientation that they ask for, and how to take it out.
 *
 * Where they lie in files: media/image_metadata.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_EXIF_H
#define RESIDUA_EXIF_H

#include <stddef.h>
#include <stdint.h>

#define EXIF_TAG_XMP 700 /* of TIFF files */

/* All take a block ("II*\0" or "MM\0*" first), read and write nothing outside data [size], and take any bytes. */

/* 1 to 8; 1 when nothing or nonsense is said. */
int exif_orientation(const uint8_t *data, size_t size);
/* Sets the orientation to 1 if there is one. */
void exif_make_upright(uint8_t *data, size_t size);
/* Bytes of a tag of the first directory; *found NULL when it is not there. */
void exif_find(const uint8_t *data, size_t size, int tag, const uint8_t **found, size_t *found_size);

#endif
