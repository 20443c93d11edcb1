/* in_memory.h - a whole signal to a stream in memory and back, for measurements.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CODEC_IN_MEMORY_H
#define RESIDUA_CODEC_IN_MEMORY_H

#include "codec/residua.h"

typedef struct MemoryStream {
    uint8_t *bytes; /* owned: mem_free() */
    size_t size, capacity, at;
} MemoryStream;

/* RsdWriteFn and RsdReadFn; ctx is a MemoryStream. Errors: RSD_ERR_MEMORY. */
RsdStatus memory_stream_write(void *ctx, const void *data, size_t size, RsdError *err);
RsdStatus memory_stream_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);

/* Appends the stream of x, [channels of the model, n] at its rate, at most `bitrate_bps` (0: the model's full rate).
 * Errors: those of rsd_encoder_open(), _write() and _finish(), RSD_ERR_MEMORY. */
RsdStatus memory_stream_encode(MemoryStream *stream, const RsdModel *model, int bitrate_bps, const float *x, int64_t n,
                               RsdError *err);

/* y, [channels, n]: what the rest of the stream holds, which must be n samples.
 * Errors: those of rsd_decoder_open() and _read(); RSD_ERR_CORRUPT when fewer came. */
RsdStatus memory_stream_decode(MemoryStream *stream, const RsdModel *model, float *y, int64_t n, RsdError *err);

#endif
