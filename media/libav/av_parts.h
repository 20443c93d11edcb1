/* av_parts.h - what the files of the module share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_PARTS_H
#define RESIDUA_AV_PARTS_H

#include <libavformat/avformat.h>

#include "media/av_module.h"

/* av_input.c: a descriptor as AVIOContext, read through our own callbacks, so that no protocol of libavformat is used. */
typedef struct AvInput {
    AVIOContext *io;
    int fd;
    int failed; /* errno of a read that failed, 0 for none */
} AvInput;
RsdStatus av_input_open(AvInput *input, int fd, bool seekable, RsdError *err);
void av_input_close(AvInput *input);

/* Our status for an AVERROR code; the sentence says `doing` and libav's words. */
RsdStatus av_failure(int code, const AvInput *input, const char *doing, RsdError *err);

/* av_length.c: where the audio ends, by what the container says beside the packets. Formats that libavformat trims by
 * itself (MP3 with a LAME tag, Ogg, Matroska) have no limit here. */
typedef struct AvLength {
    bool is_mp4;
    AVRational time_base;
    int rate_hz;
    int64_t tagged;          /* iTunSMPB: frames without delay and padding, -1 none */
    int64_t edited;          /* edit list, in frames, -1 none */
    int64_t first_pts, sum;  /* of the packets so far, in time_base */
    int64_t promised;        /* frames a complete file has by its header, -1 when it does not say */
} AvLength;
/* Call after avformat_find_stream_info. */
void av_length_init(AvLength *length, const AVFormatContext *format, const AVStream *stream);
/* Call with each packet that goes to the decoder. */
void av_length_add(AvLength *length, const AVPacket *packet);
/* Frames that may be delivered, INT64_MAX for no limit; exact when the packets so far are all there are (`complete`). */
int64_t av_length_limit(const AvLength *length, bool complete);
/* True when an Ogg file (seekable) ends in the middle of a page. */
bool av_length_ogg_is_cut(int fd);

/* av_audio.c and av_peer.c: the functions of AvModule. */
RsdStatus av_audio_open(AudioSource **out, int fd, bool seekable, RsdError *err);
RsdStatus av_peer_opus(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded_48k,
                       int64_t *n_decoded, PeerResult *result, RsdError *err);
void av_peer_free(float *decoded_48k);

#endif
