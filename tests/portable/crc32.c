/* crc32.c - the CRC of zlib, bit by bit, for the program that needs no library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/checksum.h"

uint32_t crc32_update(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}
