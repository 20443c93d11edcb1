/* systems.c - our codec through its public interface and memory, Opus through media/peer_codec.h, Codec 2 at 8 kHz.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/quality/systems.h"

#include <string.h>

#include "engine/base/mem.h"
#include "media/peer_codec.h"
#include "media/resampler.h"

#define CODEC2_RATE_HZ 8000
#define OPUS_FRAME_MS 20

typedef struct ByteQueue {
    uint8_t *bytes;
    size_t len, capacity, at;
} ByteQueue;

static RsdStatus queue_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    ByteQueue *q = ctx;
    RsdStatus status;

    if (size > q->capacity - q->len) {
        size_t capacity = 2 * q->capacity + size + 4096;

        status = mem_resize(&q->bytes, q->len, capacity, 1, err);
        if (status != RSD_OK)
            return status;
        q->capacity = capacity;
    }
    if (size > 0)
        memcpy(q->bytes + q->len, data, size);
    q->len += size;
    return RSD_OK;
}

static RsdStatus queue_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    ByteQueue *q = ctx;

    (void)err;
    *n_read = size < q->len - q->at ? size : q->len - q->at;
    if (*n_read > 0)
        memcpy(data, q->bytes + q->at, *n_read);
    q->at += *n_read;
    return RSD_OK;
}

static RsdStatus encode(ByteQueue *stream, const RsdModel *model, int bitrate_bps, const float *x, int64_t n,
                        RsdError *err)
{
    RsdStatus status = RSD_OK;
    RsdEncoder *encoder = NULL;
    RsdEncoderOptions options;

    rsd_encoder_default_options(&options);
    options.model = model;
    options.write = queue_write;
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

static RsdStatus decode(ByteQueue *stream, const RsdModel *model, float *y, int64_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;
    RsdDecoder *decoder = NULL;
    RsdDecoderOptions options;
    size_t got;

    rsd_decoder_default_options(&options);
    options.model = model;
    options.read = queue_read;
    options.read_ctx = stream;
    TRY(rsd_decoder_open(&decoder, &options, err));
    TRY(rsd_decoder_read(decoder, y, (size_t)n, (size_t)n, &got, err));
    CHECK(got == (size_t)n, err, RSD_ERR_CORRUPT, "%zu samples came back of %lld", got, (long long)n);
fail:
    rsd_decoder_close(&decoder);
    return status;
}

static RsdStatus code_residua(CodedSignal *out, const RsdModel *model, int bitrate_bps, const float *x, int64_t n,
                              RsdError *err)
{
    RsdStatus status = RSD_OK;
    ByteQueue stream = {0};
    int rate_hz = rsd_model_info(model)->rate_hz;
    float *in = NULL, *decoded = NULL;
    int64_t n_in;

    TRY(resample_signal(x, n, QUALITY_RATE_HZ, rate_hz, &in, &n_in, err));
    TRY(encode(&stream, model, bitrate_bps, in, n_in, err));
    TRY(mem_alloc(&decoded, (size_t)n_in, sizeof *decoded, err));
    TRY(decode(&stream, model, decoded, n_in, err));
    TRY(resample_signal(decoded, n_in, rate_hz, QUALITY_RATE_HZ, &out->samples, &out->n, err));
    out->n_bytes = (int64_t)stream.len;
fail:
    mem_free(&in);
    mem_free(&decoded);
    mem_free(&stream.bytes);
    return status;
}

static RsdStatus code_opus(CodedSignal *out, int bitrate_bps, const float *x, int64_t n, RsdError *err)
{
    PeerOptions options = {
        .rate_hz = QUALITY_RATE_HZ, .bitrate_bps = bitrate_bps, .frame_ms = OPUS_FRAME_MS, .speech = true, .vbr = true};
    PeerResult result;
    RsdStatus status = peer_opus(x, n, &options, &out->samples, &result, err);

    out->n = n;
    out->n_bytes = status == RSD_OK ? result.packet_bytes : 0;
    return status;
}

static RsdStatus code_codec2(CodedSignal *out, int bitrate_bps, const float *x, int64_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;
    float *narrow = NULL;
    int64_t n_narrow;

    TRY(resample_signal(x, n, QUALITY_RATE_HZ, CODEC2_RATE_HZ, &narrow, &n_narrow, err));
    TRY(codec2_code(narrow, n_narrow, bitrate_bps, &out->n_bytes, err));
    TRY(resample_signal(narrow, n_narrow, CODEC2_RATE_HZ, QUALITY_RATE_HZ, &out->samples, &out->n, err));
fail:
    mem_free(&narrow);
    return status;
}

bool system_is_available(const QualitySystem *system)
{
    return system->kind != SYSTEM_CODEC2 || codec2_is_available();
}

RsdStatus system_code(CodedSignal *out, const QualitySystem *system, const RsdModel *model, const float *x, int64_t n,
                      RsdError *err)
{
    *out = (CodedSignal){0};
    switch (system->kind) {
    case SYSTEM_RESIDUA:
        return code_residua(out, model, system->bitrate_bps, x, n, err);
    case SYSTEM_OPUS:
        return code_opus(out, system->bitrate_bps, x, n, err);
    case SYSTEM_CODEC2:
        return code_codec2(out, system->bitrate_bps, x, n, err);
    }
    return error_set(err, RSD_ERR_ARG, "no codec of kind %d", (int)system->kind);
}
