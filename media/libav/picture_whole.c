/* picture_whole.c - whether a file of one picture has its end: decoders forgive that, and paint what is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "media/libav/av_parts.h"

static size_t little_endian(const uint8_t *p)
{
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* From marker to marker: segments have a length, the picture's own data has none but hides every FF byte [ITU-T T.81, B.1.1]. */
static bool jpeg_is_whole(const uint8_t *data, size_t size)
{
    size_t at = 2;

    while (at + 1 < size) {
        const uint8_t *next = memchr(data + at, 0xFF, size - at - 1);
        uint8_t marker;

        if (!next)
            return false;
        at = (size_t)(next - data) + 1;
        marker = data[at];
        if (marker == 0xD9)
            return true;
        if (marker == 0xFF || marker == 0 || marker == 1 || (marker >= 0xD0 && marker <= 0xD8))
            continue; /* fill, hidden byte, markers without a length */
        if (at + 3 > size)
            return false;
        at += 1 + ((size_t)data[at + 1] << 8 | data[at + 2]);
    }
    return false;
}

bool av_picture_is_whole(const char *format, const uint8_t *data, size_t size)
{
    if (strcmp(format, "jpeg") == 0)
        return jpeg_is_whole(data, size);
    if (strcmp(format, "webp") == 0)
        return size >= 12 && little_endian(data + 4) <= size - 8;
    if (strcmp(format, "bmp") == 0)
        return size >= 6 && little_endian(data + 2) <= size;
    return true;
}
