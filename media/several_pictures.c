/* several_pictures.c - two headers.
 *
 * [1] TIFF 6.0, section 2.   [2] RFC 9649, section 2.7.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/several_pictures.h"

#include <string.h>

#include "engine/base/bytes.h"

/* The first directory ends with the place of the next one, 0 after the last. */
static bool tiff_has_pages(const uint8_t *data, size_t size)
{
    const bool big = data[0] == 'M';
    const uint32_t at = big ? get_u32be(data + 4) : get_u32le(data + 4);
    size_t end;

    if (at < 8 || at > size || size - at < 2)
        return false;
    end = 2 + 12 * (size_t)(big ? data[at] << 8 | data[at + 1] : get_u16le(data + at));
    return size - at >= end + 4 && get_u32le(data + at + end) != 0;
}

bool several_pictures(const char *format, const uint8_t *data, size_t size)
{
    if (!format || size < 24)
        return false;
    if (strcmp(format, "tiff") == 0)
        return tiff_has_pages(data, size);
    return strcmp(format, "webp") == 0 && memcmp(data + 12, "VP8X", 4) == 0 && data[20] & 2;
}
