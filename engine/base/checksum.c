/* checksum.c - the door to zlib's CRC-32 and libmd's SHA-256.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/checksum.h"

#include <sha2.h>
#include <zlib.h>

#define PIECE_SIZE ((size_t)1 << 20)

uint32_t crc32_update(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}

void sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE])
{
    sha256_in_pieces(data, size, digest, NULL, NULL);
}

void sha256_in_pieces(const void *data, size_t size, uint8_t digest[SHA256_SIZE], Sha256Done done, void *ctx)
{
    const uint8_t *at = data;
    SHA2_CTX sha;

    SHA256Init(&sha);
    while (size > 0) {
        size_t n = size < PIECE_SIZE ? size : PIECE_SIZE;

        SHA256Update(&sha, at, n);
        if (done)
            done(ctx, at, n);
        at += n;
        size -= n;
    }
    SHA256Final(digest, &sha);
}
