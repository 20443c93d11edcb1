/* av_picture.c - the first picture of a file by libavcodec, as planes of RGB or grey.
 *
 * Still formats that are one packet go to their decoder as they are; containers (AVIF, GIF, films) go through libavformat,
 * which reads from memory and opens nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#include "media/libav/av_parts.h"

#define BUFFER_SIZE 32768
#define PACKETS_MAX 1000 /* packets without a picture, then the file is given up */

/* --- bytes ---------------------------------------------------------------------------------------------------------------- */

typedef struct Bytes {
    const uint8_t *data;
    int64_t size, at;
} Bytes;

static int read_bytes(void *ctx, uint8_t *dst, int size)
{
    Bytes *b = ctx;
    int64_t left = b->size - b->at, n = size < left ? size : left;

    if (n <= 0)
        return AVERROR_EOF;
    memcpy(dst, b->data + b->at, (size_t)n);
    b->at += n;
    return (int)n;
}

static int64_t seek_bytes(void *ctx, int64_t offset, int whence)
{
    Bytes *b = ctx;

    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return b->size;
    offset += whence == SEEK_CUR ? b->at : whence == SEEK_END ? b->size : 0;
    if (offset < 0 || offset > b->size)
        return AVERROR(EINVAL);
    b->at = offset;
    return offset;
}

/* --- opening -------------------------------------------------------------------------------------------------------------- */

typedef struct Source {
    Bytes bytes;
    AVIOContext *io;
    AVFormatContext *format; /* NULL: the file is one packet */
    int stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    bool was_sent; /* the one packet */
} Source;

static void close_source(Source *s)
{
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->decoder);
    avformat_close_input(&s->format);
    if (s->io)
        av_freep(&s->io->buffer);
    avio_context_free(&s->io);
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

/* The decoder of files that are one packet. */
static enum AVCodecID codec_of(const char *format)
{
    static const struct {
        const char *format;
        enum AVCodecID id;
    } codecs[] = {{"jpeg", AV_CODEC_ID_MJPEG}, {"webp", AV_CODEC_ID_WEBP}, {"bmp", AV_CODEC_ID_BMP}, {"png", AV_CODEC_ID_PNG},
                  {"tiff", AV_CODEC_ID_TIFF}, {"jxl", AV_CODEC_ID_JPEGXL}, {"jp2", AV_CODEC_ID_JPEG2000}};

    for (size_t i = 0; format && i < sizeof codecs / sizeof codecs[0]; i++)
        if (strcmp(codecs[i].format, format) == 0)
            return codecs[i].id;
    return AV_CODEC_ID_NONE;
}

static RsdStatus open_decoder(Source *s, const AVCodec *codec, const AVCodecParameters *par, int64_t max_pixels, RsdError *err)
{
    int code = 0;

    s->decoder = avcodec_alloc_context3(codec);
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    if (!s->decoder || !s->packet || !s->frame)
        return error_set(err, RSD_ERR_MEMORY, "no memory for a decoder");
    if (par)
        code = avcodec_parameters_to_context(s->decoder, par);
    s->decoder->max_pixels = max_pixels;
    s->decoder->thread_count = 1;
    s->decoder->err_recognition |= AV_EF_CRCCHECK | AV_EF_BUFFER | AV_EF_EXPLODE;
    if (code >= 0)
        code = avcodec_open2(s->decoder, codec, NULL);
    return code < 0 ? av_failure(code, NULL, "cannot start the decoder", err) : RSD_OK;
}

static RsdStatus find_streams(Source *s, int64_t max_pixels, RsdError *err)
{
    AVDictionary **options = av_calloc(s->format->nb_streams + 1, sizeof *options);
    unsigned n = s->format->nb_streams;
    int code = AVERROR(ENOMEM);

    if (options) {
        for (unsigned i = 0; i < n; i++)
            av_dict_set_int(&options[i], "max_pixels", max_pixels, 0);
        code = avformat_find_stream_info(s->format, options);
        for (unsigned i = 0; i < n; i++)
            av_dict_free(&options[i]);
        av_free(options);
    }
    return code < 0 ? av_failure(code, NULL, "cannot tell what the streams are", err) : RSD_OK;
}

static RsdStatus open_container(Source *s, int64_t max_pixels, RsdError *err)
{
    unsigned char *buffer = av_malloc(BUFFER_SIZE);
    const AVCodecParameters *par;
    const AVCodec *codec = NULL;
    AVDictionary *options = NULL;
    RsdStatus status = RSD_OK;
    int code;

    if (buffer)
        s->io = avio_alloc_context(buffer, BUFFER_SIZE, 0, &s->bytes, read_bytes, NULL, seek_bytes);
    if (!s->io)
        av_free(buffer);
    s->format = avformat_alloc_context();
    CHECK(s->io && s->format, err, RSD_ERR_MEMORY, "no memory for a demuxer");
    s->format->pb = s->io;
    s->format->io_open = refuse_open;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    code = avformat_open_input(&s->format, NULL, NULL, &options);
    av_dict_free(&options);
    CHECK(code >= 0, err, code == AVERROR(ENOMEM) ? RSD_ERR_MEMORY : RSD_ERR_CORRUPT, "not a picture of a format that is known here");
    TRY(find_streams(s, max_pixels, err));
    s->stream = av_find_best_stream(s->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    CHECK(s->stream >= 0, err, RSD_ERR_UNSUPPORTED, "there is no picture in it that can be decoded (format %s)",
          s->format->iformat->name);
    par = s->format->streams[s->stream]->codecpar;
    CHECK(par->width <= 0 || par->height <= max_pixels / par->width, err, RSD_ERR_MEMORY,
          "%d x %d pixels are more than the limit of %lld million", par->width, par->height, (long long)(max_pixels / 1000000));
    TRY(open_decoder(s, codec, par, max_pixels, err));
fail:
    return status;
}

static RsdStatus open_still(Source *s, enum AVCodecID id, int64_t max_pixels, RsdError *err)
{
    const AVCodec *codec = avcodec_find_decoder(id);

    if (!codec)
        return error_set(err, RSD_ERR_UNSUPPORTED, "this build of libavcodec cannot decode %s", avcodec_get_name(id));
    return open_decoder(s, codec, NULL, max_pixels, err);
}

/* --- decoding ------------------------------------------------------------------------------------------------------------- */

/* The next packet, or AVERROR_EOF. */
static int next_packet(Source *s)
{
    int code;

    if (!s->format) {
        if (s->was_sent)
            return AVERROR_EOF;
        s->was_sent = true;
        code = av_new_packet(s->packet, (int)s->bytes.size);
        if (code < 0)
            return code;
        memcpy(s->packet->data, s->bytes.data, (size_t)s->bytes.size);
        if (s->decoder->codec_id == AV_CODEC_ID_TIFF)
            tiff_file_reduce(s->packet->data, (size_t)s->packet->size);
        return 0;
    }
    while ((code = av_read_frame(s->format, s->packet)) >= 0 && s->packet->stream_index != s->stream)
        av_packet_unref(s->packet);
    return code;
}

static RsdStatus decode_first(Source *s, int64_t max_pixels, RsdError *err)
{
    for (int n = 0; n < PACKETS_MAX; n++) {
        int code = next_packet(s), sent;
        bool at_end = code < 0, is_damaged = !at_end && s->packet->flags & AV_PKT_FLAG_CORRUPT;

        if (code < 0 && code != AVERROR_EOF)
            return av_failure(code, NULL, "damaged, or cut short", err);
        if (is_damaged)
            return error_set(err, RSD_ERR_CORRUPT, "cut short: the picture is not complete");
        sent = avcodec_send_packet(s->decoder, at_end ? NULL : s->packet);
        av_packet_unref(s->packet);
        code = sent < 0 && sent != AVERROR(EAGAIN) ? sent : avcodec_receive_frame(s->decoder, s->frame);
        if (code >= 0)
            return RSD_OK;
        if (at_end)
            return error_set(err, RSD_ERR_CORRUPT, "no complete picture in it: damaged, or cut short");
        if (code != AVERROR(EAGAIN)) {
            char doing[160];
            const bool is_tiff = s->decoder->codec_id == AV_CODEC_ID_TIFF; /* of which libavcodec does not read all kinds */

            snprintf(doing, sizeof doing, "damaged, %sor more than the limit of %lld million pixels",
                     is_tiff ? "a TIFF of a kind that is not read, " : "", (long long)(max_pixels / 1000000));
            return av_failure(code, NULL, doing, err);
        }
    }
    return error_set(err, RSD_ERR_CORRUPT, "no picture in its first %d packets", PACKETS_MAX);
}

/* --- planes --------------------------------------------------------------------------------------------------------------- */

/* What the samples of a decoded frame become. */
static RsdStatus describe(AvPicture *picture, const AVFrame *frame, bool no_alpha, int *pixel_format, RsdError *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(frame->format);
    bool has_palette, has_alpha, is_deep;

    if (!desc || desc->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return error_set(err, RSD_ERR_UNSUPPORTED, "a pixel format that is not known here");
    if (desc->flags & AV_PIX_FMT_FLAG_BAYER)
        return error_set(err, RSD_ERR_UNSUPPORTED, "holds raw samples of a camera; develop it first");
    has_palette = desc->flags & AV_PIX_FMT_FLAG_PAL;
    has_alpha = (desc->flags & AV_PIX_FMT_FLAG_ALPHA || has_palette) && !no_alpha;
    picture->source_bits = has_palette ? 8 : desc->comp[0].depth;
    is_deep = picture->source_bits > 8;
    picture->bits = is_deep ? 16 : 8;
    picture->channels = !has_palette && desc->nb_components <= 2 ? 1 : 3;
    picture->width = frame->width;
    picture->height = frame->height;
    if (picture->channels == 1 && !has_alpha)
        *pixel_format = is_deep ? AV_PIX_FMT_GRAY16 : AV_PIX_FMT_GRAY8;
    else if (has_alpha)
        *pixel_format = is_deep ? AV_PIX_FMT_GBRAP16 : AV_PIX_FMT_GBRAP;
    else
        *pixel_format = is_deep ? AV_PIX_FMT_GBRP16 : AV_PIX_FMT_GBRP;
    return RSD_OK;
}

/* Scaling to integers would turn what is not a number into black without a word. */
static RsdStatus check_finite(const AVFrame *frame, RsdError *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(frame->format);
    const int first = desc && desc->flags & AV_PIX_FMT_FLAG_BE ? 0 : 3; /* the byte with the sign */

    if (!desc || !(desc->flags & AV_PIX_FMT_FLAG_FLOAT) || desc->comp[0].depth != 32)
        return RSD_OK;
    for (int c = 0; c < desc->nb_components; c++)
        for (int y = 0; y < frame->height; y++)
            for (int x = 0; x < frame->width; x++) {
                const uint8_t *p = frame->data[desc->comp[c].plane] + (ptrdiff_t)y * frame->linesize[desc->comp[c].plane] +
                                   (ptrdiff_t)x * desc->comp[c].step + desc->comp[c].offset;

                if ((p[first] & 0x7F) == 0x7F && p[first == 0 ? 1 : 2] & 0x80)
                    return error_set(err, RSD_ERR_NUMERIC, "a sample at column %d of row %d is not a number or infinite", x, y);
            }
    return RSD_OK;
}

void av_picture_set_planes(AvPicture *picture, const AVFrame *frame)
{
    static const int order[] = {2, 0, 1, 3};
    const bool is_grey = picture->channels == 1;

    for (int i = 0; i < 4; i++) {
        const int from = is_grey && i < 3 ? 0 : order[i];

        picture->plane[i] = frame->data[from];
        picture->stride[i] = frame->linesize[from];
    }
    if (frame->format == AV_PIX_FMT_GRAY8 || frame->format == AV_PIX_FMT_GRAY16)
        picture->plane[3] = NULL;
}

/* libavformat 59 reads the main picture of an AVIF file alone; its alpha is another one. */
static bool names_alpha_plane(const Bytes *b)
{
    static const char name[] = "auxid:1", other[] = "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha";
    const size_t head = b->size < 65536 ? (size_t)b->size : 65536;

    return memmem(b->data, head, other, sizeof other - 1) || memmem(b->data, head, name, sizeof name - 1);
}

static void keep_profile(AvPicture *picture, const AVFrame *from, AVFrame *to)
{
    const AVFrameSideData *data = av_frame_get_side_data(from, AV_FRAME_DATA_ICC_PROFILE);
    AVFrameSideData *copy = data && data->size ? av_frame_new_side_data(to, AV_FRAME_DATA_ICC_PROFILE, data->size) : NULL;

    if (copy) {
        memcpy(copy->data, data->data, data->size);
        picture->icc = copy->data;
        picture->icc_size = copy->size;
    }
}

/* What the file says of its colours, where it says that they are not those of BT.709 and sRGB. */
static void keep_colours(AvPicture *picture, const AVFrame *from)
{
    const bool is_named = from->color_primaries != AVCOL_PRI_UNSPECIFIED && from->color_trc != AVCOL_TRC_UNSPECIFIED &&
                          from->color_primaries > 0 && from->color_primaries < 256 && from->color_trc > 0 && from->color_trc < 256;

    if (!is_named || picture->icc)
        return;
    picture->is_srgb = from->color_primaries == AVCOL_PRI_BT709 && from->color_trc == AVCOL_TRC_IEC61966_2_1;
    picture->has_cicp = !picture->is_srgb;
    picture->cicp[0] = (uint8_t)from->color_primaries;
    picture->cicp[1] = (uint8_t)from->color_trc;
    picture->cicp[3] = 1; /* RGB of full range */
}

static RsdStatus decode_avif(AvPicture *out, const uint8_t *data, size_t size, int64_t max_pixels, RsdError *err)
{
    AVFrame *planes = NULL;
    RsdStatus status = RSD_OK;

    TRY(avif_file_decode(&planes, out, data, size, max_pixels, err));
    out->owner = planes;
    if (av_frame_get_side_data(planes, AV_FRAME_DATA_ICC_PROFILE)) {
        const AVFrameSideData *profile = av_frame_get_side_data(planes, AV_FRAME_DATA_ICC_PROFILE);

        out->icc = profile->data;
        out->icc_size = profile->size;
    }
    keep_colours(out, planes);
    av_picture_set_planes(out, planes);
    snprintf(out->format, sizeof out->format, "avif");
    return RSD_OK;
fail:
    av_picture_free(out);
    return status;
}

RsdStatus av_picture_decode(AvPicture *out, const uint8_t *data, size_t size, const char *format, int64_t max_pixels,
                            RsdError *err)
{
    Source s = {.bytes = {data, (int64_t)size, 0}};
    const enum AVCodecID id = codec_of(format);
    AVFrame *planes = NULL;
    int pixel_format = AV_PIX_FMT_NONE;
    RsdStatus status = RSD_OK;

    *out = (AvPicture){0};
    if (format && strcmp(format, "avif") == 0 && avif_file_is_one(data, size))
        return decode_avif(out, data, size, max_pixels, err);
    if (id != AV_CODEC_ID_NONE && size < INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE) {
        CHECK(av_picture_is_whole(format, data, size), err, RSD_ERR_CORRUPT, "cut short: the picture is not complete");
        if (id == AV_CODEC_ID_TIFF)
            TRY(tiff_file_check(data, size, err));
        TRY(open_still(&s, id, max_pixels, err));
    } else {
        TRY(open_container(&s, max_pixels, err));
    }
    TRY(decode_first(&s, max_pixels, err));
    CHECK(!(s.frame->flags & AV_FRAME_FLAG_CORRUPT) && !s.frame->decode_error_flags, err, RSD_ERR_CORRUPT, "the picture is damaged");
    TRY(check_finite(s.frame, err));
    TRY(describe(out, s.frame, id == AV_CODEC_ID_MJPEG, &pixel_format, err));
    TRY(av_picture_to_planes(&planes, s.frame, pixel_format, err));
    if (id == AV_CODEC_ID_TIFF)
        tiff_file_mend(planes, out->channels, data, size);
    keep_profile(out, s.frame, planes);
    keep_colours(out, s.frame);
    av_picture_set_planes(out, planes);
    out->has_more = s.format && next_packet(&s) >= 0;
    out->lost_alpha = format && strcmp(format, "avif") == 0 && !out->plane[3] && names_alpha_plane(&s.bytes);
    snprintf(out->format, sizeof out->format, "%s", format ? format : avcodec_get_name(s.decoder->codec_id));
    out->owner = planes;
    planes = NULL;
fail:
    av_frame_free(&planes);
    close_source(&s);
    return status;
}

void av_picture_free(AvPicture *picture)
{
    AVFrame *frame = picture->owner;

    av_frame_free(&frame);
    av_free((void *)(uintptr_t)picture->exif);
    av_free((void *)(uintptr_t)picture->xmp);
    *picture = (AvPicture){0};
}
