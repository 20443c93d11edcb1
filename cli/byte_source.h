/* byte_source.h - bytes of a file or of standard input, and the other way round, for the library's streams.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_BYTE_SOURCE_H
#define RESIDUA_CLI_BYTE_SOURCE_H

#include <stdint.h>

#include "codec/residua.h"

/* The longest header of a stream, which is looked at and then read again: that of .ecdc (codec/ecdc.h), longer than of .rsd. */
#define BYTE_SOURCE_REPLAY_SIZE 4160

typedef struct ByteSource {
    int fd;
    const char *name;                       /* for sentences; borrowed */
    int64_t file_size;                      /* -1 for what is no regular file */
    int64_t n_read;                         /* bytes that came from the file */
    uint8_t first[BYTE_SOURCE_REPLAY_SIZE]; /* what was read first, so that a pipe can be looked at and read again */
    size_t n_first, at; /* bytes in first; how many of them were given out since the start or the last rewind */
} ByteSource;

/* path is borrowed; "-" is standard input. Errors: RSD_ERR_IO. */
RsdStatus byte_source_open(ByteSource *source, const char *path, RsdError *err);
void byte_source_close(ByteSource *source);

/* RsdReadFn; ctx is the ByteSource. */
RsdStatus byte_source_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);
/* All that is left: *data [*size] is the caller's (mem_free), also NULL. Errors: RSD_ERR_MEMORY (more than max_size), RSD_ERR_IO. */
RsdStatus byte_source_read_all(ByteSource *source, uint8_t **data, size_t *size, size_t max_size, RsdError *err);
/* Starts again with the first byte. At most BYTE_SOURCE_REPLAY_SIZE bytes may have been read before. */
void byte_source_rewind(ByteSource *source);

/* RsdWriteFn; ctx is an AtomicFile. */
RsdStatus byte_sink_write(void *ctx, const void *data, size_t size, RsdError *err);

#endif
