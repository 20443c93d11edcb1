/* exif.c - just enough of TIFF 6.0, section 2 (header, directories, entries) to find tag 274 of the first directory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/exif.h"

#include <stdbool.h>
#include <string.h>

#define TAG_ORIENTATION 274
#define ENTRY_SIZE 12
#define TYPE_BYTE 1
#define TYPE_SHORT 3
#define TYPE_UNDEFINED 7

typedef struct Bytes {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} Bytes;

/* n <= 4 bytes at an offset; 0 outside. */
static uint32_t number_at(const Bytes *b, size_t at, size_t n)
{
    uint32_t v = 0;

    if (at > b->size || b->size - at < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | b->data[at + (b->big_endian ? i : n - 1 - i)];
    return v;
}

/* Place of the entry of a tag in the first directory; 0: none. */
static size_t find_entry(const Bytes *b, uint32_t tag)
{
    size_t dir, n;

    if (b->size < 8 || (memcmp(b->data, "II*\0", 4) != 0 && memcmp(b->data, "MM\0*", 4) != 0))
        return 0;
    dir = number_at(b, 4, 4);
    n = number_at(b, dir, 2);
    for (size_t i = 0; i < n; i++) {
        const size_t at = dir + 2 + i * ENTRY_SIZE;

        if (at > b->size || b->size - at < ENTRY_SIZE)
            return 0;
        if (number_at(b, at, 2) == tag)
            return at;
    }
    return 0;
}

static Bytes bytes_of(const uint8_t *data, size_t size)
{
    return (Bytes){data, size, size >= 2 && data[0] == 'M'};
}

static size_t find_orientation(const Bytes *b)
{
    const size_t at = find_entry(b, TAG_ORIENTATION);

    return at && number_at(b, at + 2, 2) == TYPE_SHORT ? at : 0;
}

int exif_orientation(const uint8_t *data, size_t size)
{
    const Bytes b = bytes_of(data, size);
    const size_t at = find_orientation(&b);
    const uint32_t v = at ? number_at(&b, at + 8, 2) : 1;

    return v >= 1 && v <= 8 ? (int)v : 1;
}

void exif_make_upright(uint8_t *data, size_t size)
{
    const Bytes b = bytes_of(data, size);
    const size_t at = find_orientation(&b);

    if (at) {
        data[at + 8] = b.big_endian ? 0 : 1;
        data[at + 9] = b.big_endian ? 1 : 0;
    }
}

void exif_find(const uint8_t *data, size_t size, int tag, const uint8_t **found, size_t *found_size)
{
    const Bytes b = bytes_of(data, size);
    const size_t at = find_entry(&b, (uint32_t)tag), type = at ? number_at(&b, at + 2, 2) : 0;
    const size_t n = at ? number_at(&b, at + 4, 4) : 0, from = n <= 4 ? at + 8 : number_at(&b, at + 8, 4);

    *found = NULL;
    *found_size = 0;
    if (!at || n == 0 || (type != TYPE_BYTE && type != TYPE_UNDEFINED) || from > size || size - from < n)
        return;
    *found = data + from;
    *found_size = n;
}
