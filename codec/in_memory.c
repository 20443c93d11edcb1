/* in_memory.c - a stream whose reader and writer are one growing array.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/in_memory.h"

#include <string.h>

#include "engine/base/mem.h"

RsdStatus memory_stream_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    MemoryStream *stream = ctx;

    if (size > stream->capacity - stream->size) {
        size_t capacity = 2 * stream->capacity + size + 4096;
        RsdStatus status = mem_resize(&stream->bytes, stream->size, capacity, 1, err);

        if (status != RSD_OK)
            return status;
        stream->capacity = capacity;
    }
    if (size > 0)
        memcpy(stream->bytes + stream->size, data, size);
    stream->size += size;
    return RSD_OK;
}

RsdStatus memory_stream_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    MemoryStream *stream = ctx;

    (void)err;
    *n_read = size < stream->size - stream->at ? size : stream->size - stream->at;
    if (*n_read > 0)
        memcpy(data, stream->bytes + stream->at, *n_read);
    stream->at += *n_read;
    return RSD_OK;
}

RsdStatus memory_stream_encode(MemoryStream *stream, const RsdModel *model, int bitrate_bps, const float *x, int64_t n,
                               RsdError *err)
{
    RsdEncoder *encoder = NULL;
    RsdEncoderOptions options;
    RsdStatus status = RSD_OK;

    rsd_encoder_default_options(&options);
    options.model = model;
    options.write = memory_stream_write;
    options.write_ctx = stream;
    options.bitrate_bps = bitrate_bps;
    options.n_samples = n;
    TRY(rsd_encoder_open(&encoder, &options, err));
    TRY(rsd_encoder_write(encoder, x, (size_t)n, (size_t)n, err));
    TRY(rsd_encoder_finish(encoder, err));
fail:
    rsd_encoder_close(&encoder);
    return status;
}

RsdStatus memory_stream_decode(MemoryStream *stream, const RsdModel *model, float *y, int64_t n, RsdError *err)
{
    RsdDecoder *decoder = NULL;
    RsdDecoderOptions options;
    size_t got;
    RsdStatus status = RSD_OK;

    rsd_decoder_default_options(&options);
    options.model = model;
    options.read = memory_stream_read;
    options.read_ctx = stream;
    TRY(rsd_decoder_open(&decoder, &options, err));
    TRY(rsd_decoder_read(decoder, y, (size_t)n, (size_t)n, &got, err));
    CHECK(got == (size_t)n, err, RSD_ERR_CORRUPT, "%zu samples came back of %lld", got, (long long)n);
fail:
    rsd_decoder_close(&decoder);
    return status;
}
