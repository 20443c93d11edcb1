/* systems.c - our codec through its public interface and memory, Opus through media/peer_codec.h, Codec 2 at 8 kHz.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/quality/systems.h"

#include <string.h>

#include "codec/in_memory.h"
#include "engine/base/mem.h"
#include "media/peer_codec.h"
#include "media/resampler.h"

#define CODEC2_RATE_HZ 8000
#define OPUS_FRAME_MS 20

static RsdStatus code_residua(CodedSignal *out, const RsdModel *model, int bitrate_bps, const float *x, int64_t n,
                              RsdError *err)
{
    RsdStatus status = RSD_OK;
    MemoryStream stream = {0};
    int rate_hz = rsd_model_info(model)->rate_hz;
    float *in = NULL, *decoded = NULL;
    int64_t n_in;

    TRY(resample_signal(x, n, QUALITY_RATE_HZ, rate_hz, &in, &n_in, err));
    TRY(memory_stream_encode(&stream, model, bitrate_bps, in, n_in, err));
    TRY(mem_alloc(&decoded, (size_t)n_in, sizeof *decoded, err));
    TRY(memory_stream_decode(&stream, model, decoded, n_in, err));
    TRY(resample_signal(decoded, n_in, rate_hz, QUALITY_RATE_HZ, &out->samples, &out->n, err));
    out->n_bytes = (int64_t)stream.size;
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
