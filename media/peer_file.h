/* peer_file.h - a recording or a picture as a file of another codec, through libavcodec and others, to measure beside ours.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PEER_FILE_H
#define RESIDUA_PEER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "media/image.h"

/* Encoders that are not libavcodec's: its own JPEG has other tables and another scale, its JPEG 2000 no colour transform. The
 * quality is 1 .. 100 of libjpeg, and of OpenJPEG how often the file goes into the samples. */
#define PEER_LIBJPEG "libjpeg"
#define PEER_OPENJPEG "libopenjp2"

/* What libavcodec and libavformat are asked for. */
typedef struct PeerFormat {
    const char *encoder; /* "libopus", "libwebp", or one of the above */
    const char *muxer;   /* "opus"; NULL (pictures): what the encoder gives is the file */
    const char *options; /* of the encoder, "name=value:name=value"; NULL: none */
    int bitrate_bps;     /* 0: quality decides */
    double quality;      /* of encoders with a scale of their own, where bitrate_bps is 0 */
    const char *dial;    /* pictures: the option that takes the quality, "crf" */
    const char *pixels;  /* pictures: libavutil's name of what the encoder is given, "yuv444p" */
    const char *grey;    /* the same for grey pictures; NULL: they are given as colour */
} PeerFormat;

/* The nearest rate at or above `rate_hz` that the encoder takes, else its highest. Errors: RSD_ERR_UNSUPPORTED (this
 * build of libavcodec lacks the encoder, the module is missing). */
RsdStatus peer_file_rate(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err);

/* The whole file, container included; *bytes is owned by the caller (mem_free). samples planar [channels, n], at a rate
 * that peer_file_rate gave, n >= 1, 1 or 2 channels. The encoder runs on one thread. Errors: RSD_ERR_UNSUPPORTED,
 * RSD_ERR_ARG (the encoder refuses these settings), RSD_ERR_MEMORY. */
RsdStatus peer_file_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                           int64_t n, int rate_hz, RsdError *err);

/* The same for a picture of 8 bits without alpha; its profile is left out. Errors: RSD_ERR_UNSUPPORTED (no such encoder here, or
 * it takes no picture of this size), RSD_ERR_ARG (the encoder refuses these settings), RSD_ERR_MEMORY. */
RsdStatus peer_picture_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const Image *image, RsdError *err);

#endif
