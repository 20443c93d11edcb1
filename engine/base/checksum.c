/* checksum.c - the door to zlib's CRC-32 and libmd's SHA-256.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/checksum.h"

#include <sha2.h>
#include <zlib.h>

uint32_t crc32_update(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}

void sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE])
{
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, data, size);
    SHA256Final(digest, &sha);
}
