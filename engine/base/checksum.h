/* checksum.h - CRC-32 (zlib) and SHA-256 (libavutil) behind our own types.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CHECKSUM_H
#define RESIDUA_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define SHA256_SIZE 32

/* CRC-32 of ISO 3309 as in zlib and PNG; start with crc = 0, continue with the last result. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t size);

/* Digest of data [size]. */
void sha256(const void *data, size_t size, uint8_t digest[SHA256_SIZE]);
/* The same of data that need not stay in memory: tells after each piece that it is done with it. */
typedef void (*Sha256Done)(void *ctx, const void *piece, size_t size);
void sha256_in_pieces(const void *data, size_t size, uint8_t digest[SHA256_SIZE], Sha256Done done, void *ctx);

#endif
