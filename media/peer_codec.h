/* peer_codec.h - other people's speech codecs, to measure ours beside them: Opus through libavcodec.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PEER_CODEC_H
#define RESIDUA_PEER_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct PeerOptions {
    int rate_hz;     /* of the input: 8000, 12000, 16000, 24000 or 48000 */
    int bitrate_bps; /* 500 to 512000 */
    double frame_ms; /* 2.5, 5, 10, 20, 40 or 60 */
    bool speech;     /* application voip, like opusenc --speech; false: audio */
    bool vbr;
} PeerOptions;

typedef struct PeerResult {
    int64_t packet_bytes; /* of the Opus packets alone, no container */
    int64_t n_packets;
} PeerResult;

/* Encodes mono samples [n_samples] with libopus, decodes the packets, removes the pre-skip the encoder declares and
 * resamples to the input's rate. *decoded [n_samples], owned by the caller (mem_free); the same length, aligned to the
 * input. Errors: RSD_ERR_ARG, RSD_ERR_UNSUPPORTED (no libopus), RSD_ERR_MODULE, RSD_ERR_MEMORY. */
RsdStatus peer_opus(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded,
                    PeerResult *result, RsdError *err);

#endif
