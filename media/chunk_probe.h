/* chunk_probe.h - how many bytes of sound a WAV or AIFF header promises, and how many the file holds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CHUNK_PROBE_H
#define RESIDUA_CHUNK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ChunkProbe {
    int64_t data_size; /* promised by the "data" or "SSND" chunk; equal to data_present when it says "until the end" */
    bool goes_on; /* RIFF: the file goes on behind its size and that of the chunk, which means "until the end" */
    int64_t data_present; /* bytes from the start of that chunk's contents to its end or the end of the file */
} ChunkProbe;

/* Whether the size of a chunk of sound means "until the end". */
bool chunk_size_is_open(uint32_t size);

/* fd: seekable, read with pread, position untouched. False when there is no such chunk. */
bool chunk_probe(ChunkProbe *out, int fd);

#endif
