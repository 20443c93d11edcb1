/* checksum.c - the door to zlib's CRC-32 and libavutil's SHA-256.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/checksum.h"

#include <libavutil/mem.h>
#include <libavutil/sha.h>
#include <zlib.h>

uint32_t crc32_update(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}

RsdStatus sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE], RsdError *err)
{
    struct AVSHA *sha = av_sha_alloc();

    if (!sha)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a SHA-256 state");
    av_sha_init(sha, 256);
    av_sha_update(sha, data, size);
    av_sha_final(sha, digest);
    av_free(sha);
    return RSD_OK;
}
