/* tiff.h - the first directory of a TIFF file, and of a block of EXIF, which is one [TIFF 6.0, section 2].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TIFF_H
#define RESIDUA_TIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIFF_ENTRY_SIZE 12

typedef enum TiffType { TIFF_BYTE = 1, TIFF_SHORT = 3, TIFF_LONG = 4, TIFF_UNDEFINED = 7 } TiffType;

typedef struct TiffDir {
    const uint8_t *data; /* [size], borrowed */
    size_t size;
    bool big_endian;
    size_t at, n; /* its entries, each TIFF_ENTRY_SIZE bytes; they may go on behind the end of a damaged file */
} TiffDir;

typedef struct TiffEntry {
    size_t at; /* of its value, or of where that stands: 4 bytes inside the file */
    uint32_t type, count;
} TiffEntry;

/* Any bytes are safe with all of these; they read nothing outside data. tiff_open is false without a directory. */
bool tiff_open(TiffDir *dir, const uint8_t *data, size_t size);
/* n <= 4 bytes at a place, in the file's order; 0 outside. */
uint32_t tiff_number(const TiffDir *dir, size_t at, size_t n);
bool tiff_find(const TiffDir *dir, unsigned tag, TiffEntry *out);
/* The first value of a tag of BYTE, SHORT or LONG, `otherwise` without one. */
uint32_t tiff_value(const TiffDir *dir, unsigned tag, uint32_t otherwise);
/* Whether a second directory follows. */
bool tiff_has_next(const TiffDir *dir);

#endif
