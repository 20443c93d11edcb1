/* several_pictures.c - two headers [TIFF 6.0, section 2; RFC 9649, section 2.7].
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/several_pictures.h"

#include <string.h>

#include "media/tiff.h"

bool several_pictures(const char *format, const uint8_t *data, size_t size)
{
    TiffDir dir;

    if (!format || size < 24)
        return false;
    if (strcmp(format, "tiff") == 0)
        return tiff_open(&dir, data, size) && tiff_has_next(&dir);
    return strcmp(format, "webp") == 0 && memcmp(data + 12, "VP8X", 4) == 0 && data[20] & 2;
}
