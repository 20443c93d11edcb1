/* av_parts.h - what the files of the module share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_PARTS_H
#define RESIDUA_AV_PARTS_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "media/av_module.h"
#include "media/libav/av_mp4.h"

#define AV_HEAD_SIZE 2048

/* av_input.c: a descriptor as AVIOContext, read through our own callbacks, so that no protocol of
 * libavformat is used. */
typedef struct AvInput {
    AVIOContext *io;
    int fd;
    const uint8_t *start; /* what comes before the bytes of fd */
    size_t start_left;
    int failed; /* errno of a read that failed, 0 for none */
    bool seekable;
    bool keep_head; /* still at the start: what is needed of it later is kept, a pipe cannot go back */
    int64_t n_read, head_from;
    size_t head_size;
    uint8_t head[AV_HEAD_SIZE]; /* the first bytes, behind an ID3v2 tag if there is one */
} AvInput;
RsdStatus av_input_open(AvInput *input, int fd, bool seekable, RsdError *err);
void av_input_close(AvInput *input);

/* Our status for an AVERROR code; the sentence says `doing` and libav's words. */
RsdStatus av_failure(int code, const AvInput *input, const char *doing, RsdError *err);

/* av_length.c: which of the decoded frames belong to the recording, by what the container says beside the packets. */
typedef struct AvLength {
    bool manual;     /* skip and limit are ours: libavcodec must not drop anything */
    bool by_packets; /* an MP4 whose index we did not read (pipe): the packets' durations tell the end */
    AVRational time_base;
    int rate_hz;
    int64_t skip;           /* frames at the start that are still to be dropped by us */
    int64_t limit;          /* frames to deliver, -1 not known */
    int64_t edited;         /* by_packets: libavformat's duration, -1 none */
    int64_t first_pts, sum; /* by_packets, in time_base */
    int64_t promised;       /* frames a complete file has by its header, -1 when it does not say */
    int64_t n_within;       /* packets to come, of which the last lifts limit; 0: nothing does */
} AvLength;
/* Call after avformat_find_stream_info. mp4 is NULL unless mp4_probe succeeded and edit lists are switched off. */
void av_length_init(AvLength *length, const AVFormatContext *format, const AVStream *stream, const AvInput *input,
                    const Mp4Probe *mp4);
/* Call with each packet that goes to the decoder. */
void av_length_add(AvLength *length, const AVPacket *packet);
/* Frames that may be delivered, INT64_MAX for no limit; exact when the packets so far are all
 * there are (`complete`). */
int64_t av_length_limit(const AvLength *length, bool complete);
/* True when an Ogg file (seekable) ends in the middle of a page. */
bool av_length_ogg_is_cut(int fd);

/* av_audio.c, av_peer.c and av_file.c: the functions of AvModule. */
RsdStatus av_audio_open(AudioSource **out, int fd, bool seekable, const uint8_t *start, size_t start_size, const char *name, RsdError *err);
RsdStatus av_peer_opus(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded_48k,
                       int64_t *n_decoded, PeerResult *result, RsdError *err);
void av_peer_free(float *decoded_48k);
RsdStatus av_file_rate(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err);
RsdStatus av_file_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                         int64_t n, int rate_hz, RsdError *err);
void av_file_free(uint8_t *bytes);

/* av_picture.c and av_picture_encode.c: the functions of AvModule, */
RsdStatus av_picture_decode(AvPicture *out, const uint8_t *data, size_t size, const char *format, int64_t max_pixels,
                            RsdError *err);
void av_picture_free(AvPicture *picture);
/* Planes of a frame as described below, in our order; picture->channels is set, the frame stays the caller's. */
void av_picture_set_planes(AvPicture *picture, const AVFrame *frame);
RsdStatus av_picture_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, const char *format, int quality,
                            bool reduce, RsdError *err);
void av_bytes_free(uint8_t *bytes);
/* with what av_picture_file.c needs too: our planes as a frame that borrows them; the bytes of one frame, in an AVIF file if
 * wanted (*bytes is the caller's, by av_bytes_free); */
RsdStatus av_picture_frame(AVFrame **out, const AvPicture *picture, RsdError *err);
RsdStatus av_picture_bytes(uint8_t **bytes, size_t *size, AVCodecContext *encoder, AVFrame *frame, bool in_avif, RsdError *err);
RsdStatus av_picture_file(uint8_t **bytes, size_t *size, const PeerFormat *format, const AvPicture *picture, RsdError *err);
/* jpeg_file.c: by libjpeg, 4:2:0 or 4:4:4 (grey: one channel), tables of its quality scale, Huffman codes made for the picture. picture:
 * 8 bits, borrowed; alpha is not looked at. quality: 1 to 100. *bytes [*size] are the caller's (av_bytes_free). Any thread. Errors:
 * RSD_ERR_UNSUPPORTED (libjpeg refuses, saying why; a build without it), RSD_ERR_MEMORY. */
RsdStatus jpeg_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool halve_colours, RsdError *err);
/* jp2_file.c: by OpenJPEG, irreversible wavelet and colour transform, one layer of 1/ratio of the samples' size. picture: as above.
 * ratio: 1 and more. The rest as jpeg_file_encode. */
RsdStatus jp2_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, double ratio, RsdError *err);
/* avif_file.c: by libavif. Encoding: quality 1 to 100, 100 without loss, alpha always so; 16 bits become 10 if reduce. Decoding: planes as
 * below, the rest of *out but planes, profile, cicp and format. Errors: RSD_ERR_UNSUPPORTED (also a build without it), RSD_ERR_MEMORY,
 * RSD_ERR_CORRUPT. */
bool avif_file_is_one(const uint8_t *data, size_t size); /* that can be decoded here: AVIF, not HEIC */
RsdStatus avif_file_decode(AVFrame **planes, AvPicture *out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err);
RsdStatus avif_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool reduce, RsdError *err);
/* and picture_planes.c: a decoded frame as planes (GBRP, GBRAP, GRAY8 or their 16-bit forms), and planes as an encoder wants
 * them. */
RsdStatus av_picture_to_planes(AVFrame **out, const AVFrame *in, int pixel_format, RsdError *err);
RsdStatus av_picture_from_planes(AVFrame **out, const AVFrame *planes, int pixel_format, RsdError *err);
/* tiff_file.c: RSD_ERR_UNSUPPORTED for what libavcodec does not read or takes for something else; a file's copy, left with the tags that
 * its decoder needs; the decoded samples (GBRAP or GBRAP16; of grey the first plane) as RGB with alpha that is not multiplied in. */
RsdStatus tiff_file_check(const uint8_t *data, size_t size, RsdError *err);
void tiff_file_reduce(uint8_t *data, size_t size);
void tiff_file_mend(AVFrame *planes, int channels, const uint8_t *data, size_t size);
/* picture_whole.c: false when a JPEG, WebP or BMP file ends before its end. */
bool av_picture_is_whole(const char *format, const uint8_t *data, size_t size);

#endif
