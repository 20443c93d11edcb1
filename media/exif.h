/* exif.h - the orientation that a picture file asks for, found in its own bytes.
 *
 * JPEG keeps EXIF in an APP1 segment, PNG in a chunk eXIf, WebP in a chunk EXIF; a TIFF file is EXIF itself. JPEG XL needs
 * none of this: its decoder turns the picture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_EXIF_H
#define RESIDUA_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* 1 to 8; 1 when nothing or nonsense is said. format: as image_format_of names it. Reads nothing outside data [size]. */
int exif_orientation_of_file(const char *format, const uint8_t *data, size_t size);
/* The same of a block of EXIF data ("II*\0" or "MM\0*" first). */
int exif_orientation(const uint8_t *data, size_t size);

#endif
