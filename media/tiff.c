/* tiff.c - header, directory, entries.
 *
 *   "II*\0" or "MM\0*" | place of the directory (4) | .. | number of entries (2) | entries | place of the next directory, 0: none (4)
 *   an entry: tag (2) | type (2) | number of values (4) | the values if they have 4 bytes or fewer, else their place (4)
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/tiff.h"

#include <string.h>

uint32_t tiff_number(const TiffDir *dir, size_t at, size_t n)
{
    uint32_t v = 0;

    if (at > dir->size || dir->size - at < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | dir->data[at + (dir->big_endian ? i : n - 1 - i)];
    return v;
}

bool tiff_open(TiffDir *dir, const uint8_t *data, size_t size)
{
    size_t at;

    *dir = (TiffDir){.data = data, .size = size, .big_endian = size > 0 && data[0] == 'M'};
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return false;
    at = tiff_number(dir, 4, 4);
    if (at < 8 || at > size || size - at < 2)
        return false;
    dir->n = tiff_number(dir, at, 2);
    dir->at = at + 2;
    return true;
}

bool tiff_find(const TiffDir *dir, unsigned tag, TiffEntry *out)
{
    for (size_t i = 0; i < dir->n; i++) {
        const size_t at = dir->at + i * TIFF_ENTRY_SIZE;

        if (dir->size - dir->at < (i + 1) * TIFF_ENTRY_SIZE)
            return false;
        if (tiff_number(dir, at, 2) == tag) {
            *out = (TiffEntry){at + 8, tiff_number(dir, at + 2, 2), tiff_number(dir, at + 4, 4)};
            return true;
        }
    }
    return false;
}

uint32_t tiff_value(const TiffDir *dir, unsigned tag, uint32_t otherwise)
{
    TiffEntry entry;
    size_t size;

    if (!tiff_find(dir, tag, &entry) || entry.count == 0)
        return otherwise;
    size = entry.type == TIFF_BYTE ? 1 : entry.type == TIFF_SHORT ? 2 : entry.type == TIFF_LONG ? 4 : 0;
    if (size == 0)
        return otherwise;
    return tiff_number(dir, entry.count > 4 / size ? tiff_number(dir, entry.at, 4) : entry.at, size);
}

bool tiff_has_next(const TiffDir *dir)
{
    const size_t size = dir->n * TIFF_ENTRY_SIZE;

    return dir->size - dir->at >= size + 4 && tiff_number(dir, dir->at + size, 4) != 0;
}
