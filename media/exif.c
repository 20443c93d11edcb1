/* exif.c - tag 274 of the first directory, and the bytes of others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/exif.h"

#include "media/tiff.h"

#define TAG_ORIENTATION 274

static bool find_orientation(TiffDir *dir, TiffEntry *entry, const uint8_t *data, size_t size)
{
    return tiff_open(dir, data, size) && tiff_find(dir, TAG_ORIENTATION, entry) && entry->type == TIFF_SHORT;
}

int exif_orientation(const uint8_t *data, size_t size)
{
    TiffDir dir;
    TiffEntry entry;
    const uint32_t v = find_orientation(&dir, &entry, data, size) ? tiff_number(&dir, entry.at, 2) : 1;

    return v >= 1 && v <= 8 ? (int)v : 1;
}

void exif_make_upright(uint8_t *data, size_t size)
{
    TiffDir dir;
    TiffEntry entry;

    if (find_orientation(&dir, &entry, data, size)) {
        data[entry.at] = dir.big_endian ? 0 : 1;
        data[entry.at + 1] = dir.big_endian ? 1 : 0;
    }
}

void exif_find(const uint8_t *data, size_t size, int tag, const uint8_t **found, size_t *found_size)
{
    TiffDir dir;
    TiffEntry entry;
    size_t from;

    *found = NULL;
    *found_size = 0;
    if (!tiff_open(&dir, data, size) || !tiff_find(&dir, (unsigned)tag, &entry) || entry.count == 0 ||
        (entry.type != TIFF_BYTE && entry.type != TIFF_UNDEFINED))
        return;
    from = entry.count <= 4 ? entry.at : tiff_number(&dir, entry.at, 4);
    if (from > size || size - from < entry.count)
        return;
    *found = data + from;
    *found_size = entry.count;
}
