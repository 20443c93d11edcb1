/* av_picture_file.c - a picture through any encoder with options by name, as codecs are compared: what the program writes for its
 * user is av_picture_encode.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "media/libav/av_parts.h"

static RsdStatus set_options(AVDictionary **options, const PeerFormat *format, RsdError *err)
{
    char value[32];

    if (format->options && av_dict_parse_string(options, format->options, "=", ":", 0) < 0)
        return error_set(err, RSD_ERR_ARG, "options '%s' cannot be read", format->options);
    snprintf(value, sizeof value, "%g", format->quality);
    if (av_dict_set(options, format->dial, value, 0) < 0)
        return error_set(err, RSD_ERR_MEMORY, "no memory for options");
    return RSD_OK;
}

static RsdStatus open_encoder(AVCodecContext **out, const PeerFormat *format, const AVFrame *frame, RsdError *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(format->encoder);
    AVDictionary *options = NULL;
    AVCodecContext *encoder;
    int code;
    RsdStatus status = RSD_OK;

    CHECK(codec, err, RSD_ERR_UNSUPPORTED, "this build of libavcodec has no encoder %s", format->encoder);
    *out = encoder = avcodec_alloc_context3(codec);
    CHECK(encoder, err, RSD_ERR_MEMORY, "no memory for an encoder");
    encoder->width = frame->width;
    encoder->height = frame->height;
    encoder->pix_fmt = frame->format;
    encoder->color_range = frame->color_range;
    encoder->colorspace = frame->colorspace;
    encoder->color_primaries = AVCOL_PRI_BT709;
    encoder->color_trc = AVCOL_TRC_IEC61966_2_1;
    encoder->time_base = (AVRational){1, 25};
    encoder->thread_count = 1;
    if (format->muxer)
        encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    TRY(set_options(&options, format, err));
    code = avcodec_open2(encoder, codec, &options);
    CHECK(code >= 0, err, RSD_ERR_ARG, "%s refuses %s %g for %d x %d pixels: %s", format->encoder, format->dial,
          format->quality, frame->width, frame->height, av_err2str(code));
    CHECK(av_dict_count(options) == 0, err, RSD_ERR_UNSUPPORTED, "%s of this libavcodec does not know the option %s",
          format->encoder, av_dict_get(options, "", NULL, AV_DICT_IGNORE_SUFFIX)->key);
fail:
    av_dict_free(&options);
    return status;
}

RsdStatus av_picture_file(uint8_t **bytes, size_t *size, const PeerFormat *format, const AvPicture *picture, RsdError *err)
{
    const char *pixels = picture->channels == 1 && format->grey ? format->grey : format->pixels;
    AVFrame *planes = NULL, *frame = NULL;
    AVCodecContext *encoder = NULL;
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    if (strcmp(format->encoder, PEER_LIBJPEG) == 0)
        return jpeg_file_encode(bytes, size, picture, (int)lrint(format->quality), true, err);
    if (strcmp(format->encoder, PEER_OPENJPEG) == 0)
        return jp2_file_encode(bytes, size, picture, format->quality, err);
    TRY(av_picture_frame(&planes, picture, err));
    TRY(av_picture_from_planes(&frame, planes, av_get_pix_fmt(pixels), err));
    TRY(open_encoder(&encoder, format, frame, err));
    TRY(av_picture_bytes(bytes, size, encoder, frame, format->muxer != NULL, err));
fail:
    avcodec_free_context(&encoder);
    av_frame_free(&frame);
    av_frame_free(&planes);
    return status;
}
