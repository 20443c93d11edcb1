/* peer_file.h - a recording as a file of another codec (Opus, AAC, MP3, Vorbis), through libavcodec, to measure beside ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PEER_FILE_H
#define RESIDUA_PEER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

/* What libavcodec and libavformat are asked for. */
typedef struct PeerFormat {
    const char *encoder; /* "libopus" */
    const char *muxer;   /* "opus" */
    const char *options; /* of the encoder, "name=value:name=value"; NULL: none */
    int bitrate_bps;     /* 0: quality decides */
    double quality;      /* of encoders with a scale of their own, where bitrate_bps is 0 */
} PeerFormat;

/* The nearest rate at or above `rate_hz` that the encoder takes, else its highest. Errors: RSD_ERR_UNSUPPORTED (this
 * build of libavcodec lacks the encoder, the module is missing). */
RsdStatus peer_file_rate(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err);

/* The whole file, container included; *bytes is owned by the caller (mem_free). samples planar [channels, n], at a rate
 * that peer_file_rate gave, n >= 1, 1 or 2 channels. The encoder runs on one thread. Errors: RSD_ERR_UNSUPPORTED,
 * RSD_ERR_ARG (the encoder refuses these settings), RSD_ERR_MEMORY. */
RsdStatus peer_file_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                           int64_t n, int rate_hz, RsdError *err);

#endif
