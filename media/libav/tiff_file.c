/* tiff_file.c - what libavcodec 59 would read wrongly in a TIFF file: refused, kept from it, or set right afterwards.
 *
 * With AV_EF_EXPLODE its decoder ends at a damaged strip, and also at any tag it does not know; without, it leaves black what it
 * cannot read. So it is given the tags it needs and no others.
 *
 * [1] TIFF 6.0.   [2] Adobe, TIFF Technical Note 1 (SubIFDs).   [3] Adobe, Digital Negative Specification 1.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "media/libav/av_parts.h"
#include "media/tiff.h"

enum {
    TAG_KIND = 254,
    TAG_PHOTOMETRIC = 262,
    TAG_TILE_WIDTH = 322,
    TAG_TILE_PLACES = 324,
    TAG_SUB_DIRECTORIES = 330,
    TAG_EXTRA_SAMPLES = 338,
    TAG_SAMPLE_FORMAT = 339,
    TAG_DNG_VERSION = 50706,
};

#define IS_REDUCED 1u /* of TAG_KIND */
#define INKS 5        /* TAG_PHOTOMETRIC */
#define MULTIPLIED 1  /* TAG_EXTRA_SAMPLES */
#define SIGNED 2      /* TAG_SAMPLE_FORMAT */
#define FLOATING 3

static bool has(const TiffDir *dir, unsigned tag)
{
    TiffEntry entry;

    return tiff_find(dir, tag, &entry);
}

RsdStatus tiff_file_check(const uint8_t *data, size_t size, RsdError *err)
{
    const char *problem = NULL;
    uint32_t format;
    TiffDir dir;

    if (!tiff_open(&dir, data, size))
        return RSD_OK; /* libavcodec says what is wrong */
    format = tiff_value(&dir, TAG_SAMPLE_FORMAT, 0);
    if (has(&dir, TAG_DNG_VERSION) || (tiff_value(&dir, TAG_KIND, 0) & IS_REDUCED && has(&dir, TAG_SUB_DIRECTORIES)))
        problem = "holds raw samples of a camera; develop it first";
    else if (has(&dir, TAG_TILE_WIDTH) || has(&dir, TAG_TILE_PLACES))
        problem = "is a tiled TIFF, which libavcodec does not read; convert it to strips first, for example with tiffcp -s";
    else if (format == SIGNED || format == FLOATING)
        problem = "is a TIFF of floats or signed numbers, which are not read; OpenEXR and TIFF of 8 or 16 bits without sign are";
    return problem ? error_set(err, RSD_ERR_UNSUPPORTED, "%s", problem) : RSD_OK;
}

static bool is_needed(uint32_t tag)
{
    /* size, samples, strips; fill order, planes, fax options, predictor, palette, subsampling, profile */
    static const uint16_t needed[] = {256, 257, 258, 259, 262, 273, 277, 278, 279, 266, 284, 292, 293, 317, 320, 530, 34675};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (needed[i] == tag)
            return true;
    return false;
}

void tiff_file_reduce(uint8_t *data, size_t size)
{
    TiffDir dir;
    size_t n = 0;

    if (!tiff_open(&dir, data, size) || dir.n > (size - dir.at) / TIFF_ENTRY_SIZE)
        return;
    for (size_t i = 0; i < dir.n; i++) {
        const size_t at = dir.at + i * TIFF_ENTRY_SIZE;

        if (is_needed(tiff_number(&dir, at, 2)))
            memmove(data + dir.at + n++ * TIFF_ENTRY_SIZE, data + at, TIFF_ENTRY_SIZE);
    }
    data[dir.at - 2] = (uint8_t)(dir.big_endian ? n >> 8 : n);
    data[dir.at - 1] = (uint8_t)(dir.big_endian ? n : n >> 8);
}

static uint32_t sample(const uint8_t *line, int x, bool is_deep)
{
    return is_deep ? ((const uint16_t *)(const void *)line)[x] : line[x];
}

static void set_sample(uint8_t *line, int x, bool is_deep, uint32_t v)
{
    if (is_deep)
        ((uint16_t *)(void *)line)[x] = (uint16_t)v;
    else
        line[x] = (uint8_t)v;
}

/* What black ink leaves of the light that the other one leaves. */
static uint32_t without_ink(uint32_t v, uint32_t black, uint32_t white)
{
    return (uint32_t)(((uint64_t)(white - v) * (white - black) + white / 2) / white);
}

static uint32_t divided(uint32_t v, uint32_t alpha, uint32_t white)
{
    return v < alpha ? (uint32_t)(((uint64_t)v * white + alpha / 2) / alpha) : alpha > 0 ? white : 0;
}

static void mend_line(uint8_t *line[4], int width, int channels, bool is_deep, bool is_ink)
{
    const uint32_t white = is_deep ? 65535 : 255;

    for (int x = 0; x < width; x++) {
        const uint32_t alpha = sample(line[3], x, is_deep);

        for (int c = 0; c < channels; c++) {
            const uint32_t v = sample(line[c], x, is_deep);

            set_sample(line[c], x, is_deep, is_ink ? without_ink(v, alpha, white) : divided(v, alpha, white));
        }
        if (is_ink)
            set_sample(line[3], x, is_deep, white);
    }
}

void tiff_file_mend(AVFrame *planes, int channels, const uint8_t *data, size_t size)
{
    const bool is_deep = planes->format == AV_PIX_FMT_GBRAP16;
    bool is_ink;
    TiffDir dir;

    if ((!is_deep && planes->format != AV_PIX_FMT_GBRAP) || !tiff_open(&dir, data, size))
        return;
    is_ink = tiff_value(&dir, TAG_PHOTOMETRIC, 0) == INKS;
    if (is_ink ? !is_deep || dir.big_endian : tiff_value(&dir, TAG_EXTRA_SAMPLES, 0) != MULTIPLIED)
        return; /* libavcodec has done it, or there is nothing to do */
    for (int y = 0; y < planes->height; y++) {
        uint8_t *line[4];

        for (int c = 0; c < 4; c++)
            line[c] = planes->data[c] + (ptrdiff_t)y * planes->linesize[c];
        mend_line(line, planes->width, channels, is_deep, is_ink);
    }
}
