/* picture_planes.c - samples of frames to and from planes of RGB or grey, exactly wherever no colour matrix is needed.
 *
 * libswscale is asked only for YUV and what else is not RGB, grey or a palette: it rounds even where samples merely change
 * their place. Depths of 1 to 16 bits become the full range of 8 or 16: v (2^bits - 1) / (2^depth - 1).
 *
 * Planes are frames of GBRP, GBRAP, GRAY8 or their 16-bit forms. Grey with alpha uses the green and alpha planes of GBRAP.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <string.h>

#include "media/libav/av_parts.h"

/* --- libswscale ------------------------------------------------------------------------------------------------------------- */

static const int *matrix_of(const AVFrame *frame)
{
    const bool is_known = frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB;

    return sws_getCoefficients(is_known ? (int)frame->colorspace : SWS_CS_DEFAULT);
}

static bool is_full_range(const AVFrame *frame)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(frame->format);

    return frame->color_range == AVCOL_RANGE_JPEG || desc->flags & AV_PIX_FMT_FLAG_RGB || strncmp(desc->name, "yuvj", 4) == 0;
}

static RsdStatus new_frame(AVFrame **out, int width, int height, int pixel_format, RsdError *err)
{
    AVFrame *frame = av_frame_alloc();

    if (frame) {
        frame->format = pixel_format;
        frame->width = width;
        frame->height = height;
        frame->color_range = AVCOL_RANGE_JPEG;
        frame->colorspace = av_pix_fmt_desc_get(pixel_format)->flags & AV_PIX_FMT_FLAG_RGB ? AVCOL_SPC_RGB : AVCOL_SPC_BT470BG;
    }
    if (!frame || av_frame_get_buffer(frame, 0) < 0) {
        av_frame_free(&frame);
        return error_set(err, RSD_ERR_MEMORY, "no memory for %d x %d pixels", width, height);
    }
    *out = frame;
    return RSD_OK;
}

static RsdStatus scale(const AVFrame *in, AVFrame *out, RsdError *err)
{
    const int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
    struct SwsContext *sws = sws_getContext(in->width, in->height, in->format, out->width, out->height, out->format, flags, NULL,
                                            NULL, NULL);
    int code;

    if (!sws)
        return error_set(err, RSD_ERR_UNSUPPORTED, "libswscale cannot turn %s into %s", av_get_pix_fmt_name(in->format),
                         av_get_pix_fmt_name(out->format));
    sws_setColorspaceDetails(sws, matrix_of(in), is_full_range(in), sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    code = sws_scale(sws, (const uint8_t *const *)in->data, in->linesize, 0, in->height, out->data, out->linesize);
    sws_freeContext(sws);
    return code < 0 ? av_failure(code, NULL, "cannot convert the picture", err) : RSD_OK;
}

/* --- samples ---------------------------------------------------------------------------------------------------------------- */

static bool is_plain(const AVPixFmtDescriptor *desc)
{
    return !(desc->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_FLOAT)) && desc->comp[0].depth <= 16 &&
           (desc->flags & AV_PIX_FMT_FLAG_RGB || desc->nb_components <= 2);
}

static unsigned white_of(int depth)
{
    return (1u << depth) - 1;
}

/* Component c of a frame into plane `to` of planes. line: room for a line. */
static void take_component(const AVFrame *in, int c, AVFrame *planes, int to, uint16_t *line)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(in->format);
    const int bits = av_pix_fmt_desc_get(planes->format)->comp[0].depth;
    const unsigned from_white = white_of(desc->comp[c].depth), to_white = white_of(bits);
    const unsigned flip = in->format == AV_PIX_FMT_MONOWHITE ? 1 : 0;

    for (int y = 0; y < in->height; y++) {
        uint8_t *bytes = planes->data[to] + (ptrdiff_t)y * planes->linesize[to];
        uint16_t *words = (uint16_t *)(void *)bytes;

        av_read_image_line2(line, (const uint8_t **)(uintptr_t)in->data, in->linesize, desc, 0, y, c, in->width, 0, sizeof *line);
        for (int x = 0; x < in->width; x++) {
            const unsigned v = ((line[x] ^ flip) * to_white + from_white / 2) / from_white;

            if (bits == 8)
                bytes[x] = (uint8_t)v;
            else
                words[x] = (uint16_t)v;
        }
    }
}

/* Indices into a palette of native 32-bit ARGB. */
static void take_palette(const AVFrame *in, AVFrame *planes)
{
    static const int shift[] = {8, 0, 16, 24}; /* of green, blue, red, alpha */
    const uint32_t *colors = (const uint32_t *)(const void *)in->data[1];

    for (int y = 0; y < in->height; y++)
        for (int to = 0; to < 4; to++)
            for (int x = 0; x < in->width; x++)
                planes->data[to][(ptrdiff_t)y * planes->linesize[to] + x] =
                    (uint8_t)(colors[in->data[0][(ptrdiff_t)y * in->linesize[0] + x]] >> shift[to]);
}

/* The plane of `planes` for component c of n: red, green, blue, alpha, or grey, alpha. */
static int plane_of(int c, int n, bool has_alpha)
{
    static const int colors[] = {2, 0, 1};

    return has_alpha && c == n - 1 ? 3 : n <= 2 ? 0 : colors[c];
}

RsdStatus av_picture_to_planes(AVFrame **out, const AVFrame *in, int pixel_format, RsdError *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(in->format);
    const bool has_alpha = desc->flags & AV_PIX_FMT_FLAG_ALPHA, wants_alpha = av_pix_fmt_desc_get(pixel_format)->nb_components == 4;
    const int n = desc->nb_components;
    uint16_t *line = NULL;
    AVFrame *planes = NULL;
    RsdStatus status = RSD_OK;

    TRY(new_frame(&planes, in->width, in->height, pixel_format, err));
    line = av_calloc((size_t)in->width + 1, sizeof *line);
    CHECK(line, err, RSD_ERR_MEMORY, "no memory for %d pixels", in->width);
    if (desc->flags & AV_PIX_FMT_FLAG_PAL) {
        take_palette(in, planes);
    } else if (is_plain(desc)) {
        for (int c = 0; c < n; c++)
            if (wants_alpha || !has_alpha || c < n - 1)
                take_component(in, c, planes, plane_of(c, n, has_alpha), line);
    } else {
        TRY(scale(in, planes, err));
        if (has_alpha && wants_alpha && desc->comp[n - 1].depth <= 16)
            take_component(in, n - 1, planes, 3, line);
    }
    *out = planes;
    planes = NULL;
fail:
    av_free(line);
    av_frame_free(&planes);
    return status;
}

/* Plane `from` of `planes` (NULL: white) to component c. */
static void give_component(const AVFrame *planes, const uint8_t *from, int stride, AVFrame *out, int c, uint16_t *line)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(out->format);
    const int bits = av_pix_fmt_desc_get(planes->format)->comp[0].depth;
    const unsigned from_white = white_of(bits), to_white = white_of(desc->comp[c].depth);

    for (int y = 0; y < out->height; y++) {
        const uint8_t *bytes = from + (ptrdiff_t)y * stride;
        const uint16_t *words = (const uint16_t *)(const void *)bytes;

        for (int x = 0; x < out->width; x++) {
            const unsigned v = !from ? from_white : bits == 8 ? bytes[x] : words[x];

            line[x] = (uint16_t)((v * to_white + from_white / 2) / from_white);
        }
        av_write_image_line2(line, out->data, out->linesize, desc, 0, y, c, out->width, sizeof *line);
    }
}

RsdStatus av_picture_from_planes(AVFrame **out, const AVFrame *planes, int pixel_format, RsdError *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(pixel_format);
    const bool has_alpha = desc->flags & AV_PIX_FMT_FLAG_ALPHA, is_grey = av_pix_fmt_desc_get(planes->format)->nb_components == 1;
    uint16_t *line = NULL;
    AVFrame *frame = NULL;
    RsdStatus status = RSD_OK;

    TRY(new_frame(&frame, planes->width, planes->height, pixel_format, err));
    if (is_plain(desc)) {
        line = av_calloc((size_t)planes->width + 1, sizeof *line);
        CHECK(line, err, RSD_ERR_MEMORY, "no memory for %d pixels", planes->width);
        for (int i = 0; i < 4 && frame->data[i]; i++) /* samples are or-ed to what is there */
            memset(frame->data[i], 0, (size_t)frame->linesize[i] * (size_t)frame->height);
        for (int c = 0; c < desc->nb_components; c++) {
            const int plane = plane_of(c, desc->nb_components, has_alpha), from = is_grey && plane < 3 ? 0 : plane;

            give_component(planes, planes->data[from], planes->linesize[from], frame, c, line);
        }
    } else {
        TRY(scale(planes, frame, err));
    }
    *out = frame;
    frame = NULL;
fail:
    av_free(line);
    av_frame_free(&frame);
    return status;
}
