/* exif.c - just enough of TIFF 6.0, section 2 (header, directories, entries) to find tag 274 of the first directory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/exif.h"

#include <stdbool.h>
#include <string.h>

#define TAG_ORIENTATION 274
#define ENTRY_SIZE 12
#define TYPE_SHORT 3

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

int exif_orientation(const uint8_t *data, size_t size)
{
    Bytes b = {data, size, size >= 2 && data[0] == 'M'};
    size_t dir, n;

    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 1;
    dir = number_at(&b, 4, 4);
    n = number_at(&b, dir, 2);
    for (size_t i = 0; i < n; i++) {
        const size_t at = dir + 2 + i * ENTRY_SIZE;

        if (at > size)
            break;
        if (number_at(&b, at, 2) == TAG_ORIENTATION && number_at(&b, at + 2, 2) == TYPE_SHORT) {
            const uint32_t v = number_at(&b, at + 8, 2);

            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    }
    return 1;
}

/* JPEG: segments FF xx, two bytes of size, until the picture itself begins. */
static int of_jpeg(const uint8_t *data, size_t size)
{
    const Bytes b = {data, size, true};
    size_t at = 2;

    while (at + 4 <= size && data[at] == 0xFF && data[at + 1] != 0xDA) {
        const size_t len = number_at(&b, at + 2, 2);

        if (data[at + 1] == 0xFF) { /* fill */
            at++;
            continue;
        }
        if (data[at + 1] == 0xE1 && len >= 8 && at + 2 + len <= size && memcmp(data + at + 4, "Exif\0\0", 6) == 0)
            return exif_orientation(data + at + 10, len - 8);
        at += 2 + len;
    }
    return 1;
}

/* PNG: chunks of size, name, data, checksum behind a signature of 8 bytes. WebP: name, size, data padded to even, behind 12. */
static int of_chunks(const uint8_t *data, size_t size, bool is_png)
{
    const Bytes b = {data, size, is_png};
    size_t at = is_png ? 8 : 12;

    while (at + 8 <= size) {
        const size_t len = number_at(&b, is_png ? at : at + 4, 4);
        const uint8_t *name = data + at + (is_png ? 4 : 0), *body = data + at + 8;

        if (len > size - at - 8)
            break;
        if (memcmp(name, is_png ? "eXIf" : "EXIF", 4) == 0) {
            const bool has_prefix = len >= 6 && memcmp(body, "Exif\0\0", 6) == 0; /* some writers of WebP keep JPEG's */

            return exif_orientation(body + (has_prefix ? 6 : 0), len - (has_prefix ? 6 : 0));
        }
        at += 8 + len + (is_png ? 4 : len % 2);
    }
    return 1;
}

int exif_orientation_of_file(const char *format, const uint8_t *data, size_t size)
{
    if (strcmp(format, "jpeg") == 0)
        return of_jpeg(data, size);
    if (strcmp(format, "png") == 0 || strcmp(format, "webp") == 0)
        return of_chunks(data, size, strcmp(format, "png") == 0);
    if (strcmp(format, "tiff") == 0)
        return exif_orientation(data, size);
    return 1;
}
