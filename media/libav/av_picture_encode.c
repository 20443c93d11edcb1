/* av_picture_encode.c - one picture to the bytes of a file, by libjpeg or libavif where the build has them, else by libavcodec.
 *
 * In all formats but AVIF a packet of libavcodec's encoder is the file. Each format lists the pixel formats it can be given, best first
 * for colour, colour with alpha, grey, grey with alpha, each for 8 and 16 bits; NONE where it cannot hold that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "media/libav/av_parts.h"

enum { COLOR, COLOR_ALPHA, GREY, GREY_ALPHA, N_KINDS };

typedef struct Format {
    const char *name, *encoder, *title;
    int max_side;
    int eight[N_KINDS], sixteen[N_KINDS]; /* enum AVPixelFormat */
} Format;

#define NONE AV_PIX_FMT_NONE
static const Format formats[] = {
#ifdef RESIDUA_HAVE_JPEG
    {"jpg", NULL, "JPEG", 65500, {AV_PIX_FMT_GBRP, NONE, AV_PIX_FMT_GRAY8, NONE}, {NONE, NONE, NONE, NONE}},
#else
    {"jpg", "mjpeg", "JPEG", 65500, {AV_PIX_FMT_YUVJ444P, NONE, AV_PIX_FMT_YUVJ444P, NONE}, {NONE, NONE, NONE, NONE}},
#endif
    {"webp", "libwebp", "WebP", 16383, {AV_PIX_FMT_BGRA, AV_PIX_FMT_BGRA, AV_PIX_FMT_BGRA, AV_PIX_FMT_BGRA}, {NONE, NONE, NONE, NONE}},
    {"avif", "libaom-av1", "AVIF", 65535, {AV_PIX_FMT_YUV444P, NONE, AV_PIX_FMT_YUV444P, NONE}, {NONE, NONE, NONE, NONE}},
    {"jxl", "libjxl", "JPEG XL", 1 << 30, {AV_PIX_FMT_RGB24, AV_PIX_FMT_RGBA, AV_PIX_FMT_GRAY8, AV_PIX_FMT_YA8},
     {AV_PIX_FMT_RGB48, AV_PIX_FMT_RGBA64, AV_PIX_FMT_GRAY16, AV_PIX_FMT_YA16}},
    {"tiff", "tiff", "TIFF", 1 << 30, {AV_PIX_FMT_RGB24, AV_PIX_FMT_RGBA, AV_PIX_FMT_GRAY8, AV_PIX_FMT_YA8},
     {AV_PIX_FMT_RGB48LE, AV_PIX_FMT_RGBA64LE, AV_PIX_FMT_GRAY16LE, AV_PIX_FMT_YA16LE}},
    {"bmp", "bmp", "BMP", 1 << 30, {AV_PIX_FMT_BGR24, AV_PIX_FMT_BGRA, AV_PIX_FMT_GRAY8, AV_PIX_FMT_BGRA}, {NONE, NONE, NONE, NONE}},
    {"pnm", NULL, "PNM", 1 << 30, {AV_PIX_FMT_RGB24, NONE, AV_PIX_FMT_GRAY8, NONE}, {AV_PIX_FMT_RGB48BE, NONE, AV_PIX_FMT_GRAY16BE, NONE}},
};

static const Format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static int kind_of(const AvPicture *picture)
{
    return (picture->channels == 1 ? GREY : COLOR) + (picture->plane[3] ? 1 : 0);
}

/* --- frames ---------------------------------------------------------------------------------------------------------------- */

/* Our planes as a frame of green, blue, red and alpha (grey: three times the same). The frame borrows the planes. */
RsdStatus av_picture_frame(AVFrame **out, const AvPicture *picture, RsdError *err)
{
    static const int order[] = {1, 2, 0, 3};
    const bool is_deep = picture->bits == 16, has_alpha = picture->plane[3] != NULL;
    AVFrame *frame = av_frame_alloc();

    if (!frame)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a picture");
    frame->width = picture->width;
    frame->height = picture->height;
    if (has_alpha)
        frame->format = is_deep ? AV_PIX_FMT_GBRAP16 : AV_PIX_FMT_GBRAP;
    else
        frame->format = is_deep ? AV_PIX_FMT_GBRP16 : AV_PIX_FMT_GBRP;
    if (picture->channels == 1 && !has_alpha)
        frame->format = is_deep ? AV_PIX_FMT_GRAY16 : AV_PIX_FMT_GRAY8;
    for (int i = 0; i < 4; i++) {
        const int from = picture->channels == 1 && i < 3 ? 0 : order[i];

        frame->data[i] = (uint8_t *)(uintptr_t)picture->plane[from];
        frame->linesize[i] = (int)picture->stride[from];
    }
    *out = frame;
    return RSD_OK;
}

static RsdStatus choose(const Format *format, const AvPicture *picture, int quality, bool reduce, int *pixel_format, RsdError *err)
{
    const int kind = kind_of(picture);
    RsdStatus status = RSD_OK;

    CHECK(picture->width <= format->max_side && picture->height <= format->max_side, err, RSD_ERR_UNSUPPORTED,
          "%s holds at most %d pixels a side, the picture has %d x %d", format->title, format->max_side, picture->width,
          picture->height);
    CHECK(format->eight[kind] != NONE, err, RSD_ERR_UNSUPPORTED, "%s holds no alpha here%s; write PNG, or drop the alpha", format->title,
          strcmp(format->name, "avif") == 0 ? ", in a build without libavif" : "");
    *pixel_format = picture->bits == 16 ? format->sixteen[kind] : format->eight[kind];
    if (*pixel_format == NONE) {
        CHECK(reduce, err, RSD_ERR_UNSUPPORTED, "%s holds 8 bits here, the picture has 16; write PNG, or allow it to be reduced",
              format->title);
        *pixel_format = format->eight[kind];
    }
    if (strcmp(format->name, "avif") == 0 && quality == 100)
        *pixel_format = AV_PIX_FMT_GBRP;
fail:
    return status;
}

/* JPEG and WebP get theirs from media/image_metadata_insert.c; of the other encoders of libavcodec 59 only that of JPEG XL looks at it. */
static RsdStatus attach_profile(AVFrame *frame, const Format *format, const AvPicture *picture, RsdError *err)
{
    AVFrameSideData *data;

    if (!picture->icc || strcmp(format->name, "jxl") != 0)
        return RSD_OK;
    data = av_frame_new_side_data(frame, AV_FRAME_DATA_ICC_PROFILE, picture->icc_size);
    if (!data)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a colour profile");
    memcpy(data->data, picture->icc, picture->icc_size);
    return RSD_OK;
}

/* --- encoders --------------------------------------------------------------------------------------------------------------- */

static void set_quality(AVCodecContext *encoder, AVDictionary **options, const Format *format, int quality)
{
    char text[16];

    if (strcmp(format->name, "jpg") == 0) {
        /* the quantiser scale, 1 to 31, halves about where JPEG's own quality scale does */
        const double scale = quality >= 50 ? (200.0 - 2.0 * quality) / 100.0 : 50.0 / quality;
        const double q = 1.0 + scale * 7.0;

        encoder->flags |= AV_CODEC_FLAG_QSCALE;
        encoder->global_quality = (int)((q > 31.0 ? 31.0 : q) * FF_QP2LAMBDA);
        av_dict_set(options, "huffman", "optimal", 0);
    } else if (strcmp(format->name, "webp") == 0) {
        snprintf(text, sizeof text, "%d", quality);
        av_dict_set(options, "quality", text, 0);
        av_dict_set(options, "lossless", quality == 100 ? "1" : "0", 0);
        av_dict_set(options, "compression_level", "6", 0);
    } else if (strcmp(format->name, "avif") == 0) {
        snprintf(text, sizeof text, "%d", (100 - quality) * 63 / 100);
        av_dict_set(options, "crf", text, 0);
        av_dict_set(options, "still-picture", "1", 0);
        av_dict_set(options, "cpu-used", "4", 0);
        if (quality == 100)
            av_dict_set(options, "aom-params", "lossless=1", 0);
    } else if (strcmp(format->name, "jxl") == 0) {
        snprintf(text, sizeof text, "%g", quality == 100 ? 0.0 : quality >= 30 ? 0.1 + (100 - quality) * 0.09 : 6.4 + (30 - quality) * 0.28);
        av_dict_set(options, "distance", text, 0);
    } else if (strcmp(format->name, "tiff") == 0) {
        av_dict_set(options, "compression_algo", "deflate", 0);
    }
}

static const char *encoder_name(const Format *format, const AvPicture *picture)
{
    if (strcmp(format->name, "pnm") == 0)
        return picture->channels == 1 ? "pgm" : "ppm";
    return format->encoder;
}

static RsdStatus open_encoder(AVCodecContext **out, const Format *format, const AvPicture *picture, const AVFrame *frame,
                              int quality, RsdError *err)
{
    const char *name = encoder_name(format, picture);
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    AVCodecContext *encoder;
    AVDictionary *options = NULL;
    int code;

    if (!codec)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec has no encoder %s", name);
    encoder = avcodec_alloc_context3(codec);
    if (!encoder)
        return error_set(err, RSD_ERR_MEMORY, "no memory for an encoder");
    *out = encoder;
    encoder->width = frame->width;
    encoder->height = frame->height;
    encoder->pix_fmt = frame->format;
    encoder->color_range = AVCOL_RANGE_JPEG;
    encoder->colorspace = frame->colorspace;
    encoder->time_base = (AVRational){1, 25};
    encoder->thread_count = 1;
    if (strcmp(format->name, "avif") == 0) {
        encoder->color_primaries = AVCOL_PRI_BT709;
        encoder->color_trc = AVCOL_TRC_IEC61966_2_1;
        encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    set_quality(encoder, &options, format, quality);
    code = avcodec_open2(encoder, codec, &options);
    av_dict_free(&options);
    return code < 0 ? av_failure(code, NULL, "the encoder refuses this picture", err) : RSD_OK;
}

static RsdStatus encode_frame(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet, RsdError *err)
{
    int code;

    frame->pts = 0;
    code = avcodec_send_frame(encoder, frame);
    if (code >= 0)
        code = avcodec_send_frame(encoder, NULL);
    if (code >= 0)
        code = avcodec_receive_packet(encoder, packet);
    return code < 0 ? av_failure(code, NULL, "the encoder fails", err) : RSD_OK;
}

/* An AVIF file around the packet, in memory. */
static RsdStatus wrap_avif(uint8_t **bytes, size_t *size, const AVCodecContext *encoder, AVPacket *packet, RsdError *err)
{
    AVFormatContext *format = NULL;
    AVStream *stream;
    uint8_t *written = NULL;
    int code, n = 0;

    avformat_alloc_output_context2(&format, NULL, "avif", NULL);
    if (!format)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavformat cannot write AVIF");
    stream = avformat_new_stream(format, NULL);
    code = stream ? avcodec_parameters_from_context(stream->codecpar, encoder) : AVERROR(ENOMEM);
    if (code >= 0)
        code = avio_open_dyn_buf(&format->pb);
    if (code >= 0) {
        stream->time_base = encoder->time_base;
        code = avformat_write_header(format, NULL);
        packet->stream_index = 0;
        if (code >= 0)
            code = av_write_frame(format, packet);
        if (code >= 0)
            code = av_write_trailer(format);
        n = avio_close_dyn_buf(format->pb, &written);
        format->pb = NULL;
    }
    avformat_free_context(format);
    if (code < 0) {
        av_free(written);
        return av_failure(code, NULL, "cannot write AVIF", err);
    }
    *bytes = written;
    *size = (size_t)n;
    return RSD_OK;
}

RsdStatus av_picture_bytes(uint8_t **bytes, size_t *size, AVCodecContext *encoder, AVFrame *frame, bool in_avif, RsdError *err)
{
    AVPacket *packet = av_packet_alloc();
    RsdStatus status = RSD_OK;

    CHECK(packet, err, RSD_ERR_MEMORY, "no memory for a packet");
    TRY(encode_frame(encoder, frame, packet, err));
    if (in_avif) {
        TRY(wrap_avif(bytes, size, encoder, packet, err));
    } else {
        *bytes = av_memdup(packet->data, (size_t)packet->size);
        *size = (size_t)packet->size;
        CHECK(*bytes, err, RSD_ERR_MEMORY, "no memory for %d bytes", packet->size);
    }
fail:
    av_packet_free(&packet);
    return status;
}

RsdStatus av_picture_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, const char *format, int quality,
                            bool reduce, RsdError *err)
{
    const Format *f = find_format(format);
    AVFrame *planes = NULL, *frame = NULL;
    AVCodecContext *encoder = NULL;
    int pixel_format = AV_PIX_FMT_NONE;
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    CHECK(f, err, RSD_ERR_UNSUPPORTED, "pictures cannot be written as '%s'", format);
#ifdef RESIDUA_HAVE_AVIF
    if (strcmp(format, "avif") == 0)
        return avif_file_encode(bytes, size, picture, quality, reduce, err);
#endif
    TRY(choose(f, picture, quality, reduce, &pixel_format, err));
    TRY(av_picture_frame(&planes, picture, err));
    TRY(av_picture_from_planes(&frame, planes, pixel_format, err));
#ifdef RESIDUA_HAVE_JPEG
    if (strcmp(format, "jpg") == 0) {
        AvPicture eight = {.width = picture->width, .height = picture->height, .channels = picture->channels, .bits = 8};

        av_picture_set_planes(&eight, frame);
        TRY(jpeg_file_encode(bytes, size, &eight, quality, false, err));
        goto fail;
    }
#endif
    TRY(attach_profile(frame, f, picture, err));
    TRY(open_encoder(&encoder, f, picture, frame, quality, err));
    if (encoder->flags & AV_CODEC_FLAG_QSCALE)
        frame->quality = encoder->global_quality;
    TRY(av_picture_bytes(bytes, size, encoder, frame, strcmp(f->name, "avif") == 0, err));
fail:
    avcodec_free_context(&encoder);
    av_frame_free(&frame);
    av_frame_free(&planes);
    return status;
}

void av_bytes_free(uint8_t *bytes)
{
    av_free(bytes);
}
