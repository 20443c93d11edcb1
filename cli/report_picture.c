/* report_picture.c - what a viewer wants of a pair of pictures: both of them and the map of their differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "cli/eval_image.h"
#include "cli/heatmap.h"
#include "engine/base/mem.h"

/* What is shown of the pictures. */
typedef struct Cut {
    int64_t column, row, width, height;
} Cut;

/* 8 bits are what screens show. */
static RsdStatus encode(DetailFile *file, const float *planes, int64_t width, int64_t plane, int channels, const Cut *cut,
                        RsdError *err)
{
    const size_t n = (size_t)(cut->width * cut->height);
    uint8_t *pixels = NULL, *dst;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&pixels, n * (size_t)channels, 1, err));
    dst = pixels;
    for (int64_t y = cut->row; y < cut->row + cut->height; y++)
        for (int64_t x = cut->column; x < cut->column + cut->width; x++)
            for (int c = 0; c < channels; c++)
                *dst++ = (uint8_t)lround(255.0 * fmin(1, fmax(0, (double)planes[c * plane + y * width + x])));
    TRY(png_encode(&file->bytes, &file->size,
                   &(PngPicture){(int)cut->width, (int)cut->height, channels, pixels, NULL}, err));
fail:
    mem_free(&pixels);
    return status;
}

RsdStatus picture_detail(EvalDetail *detail, const Pair *pair, const EvalOptions *options, RsdError *err)
{
    EvalPictures p = {0};
    Heatmap map = {0};
    DetailFile *file;
    Cut cut;
    RsdStatus status = RSD_OK;

    TRY(eval_pictures_load(&p, pair, options, NULL, err));
    TRY(heatmap_create(&map, &(ImagePair){p.ref, p.dist, p.height, p.width, NULL}, HEATMAP_CIEDE2000, NULL, err));
    cut.width = p.width < REPORT_CUT ? p.width : REPORT_CUT;
    cut.height = p.height < REPORT_CUT ? p.height : REPORT_CUT;
    TRY(heatmap_find_worst(&map, cut.width, cut.height, &cut.column, &cut.row, err));
    eval_detail_number(detail, "column", (double)cut.column, 0);
    eval_detail_number(detail, "row", (double)cut.row, 0);
    eval_detail_number(detail, "cut_width", (double)cut.width, 0);
    eval_detail_number(detail, "cut_height", (double)cut.height, 0);
    eval_detail_number(detail, "top", HEATMAP_TOP, 0);
    eval_detail_number(detail, "most", (double)map.most, 2);
    TRY(encode(eval_detail_file(detail, "ref", "image/png"), p.ref, p.width, p.width * p.height, p.channels, &cut, err));
    TRY(encode(eval_detail_file(detail, "dist", "image/png"), p.dist, p.width, p.width * p.height, p.channels, &cut, err));
    file = eval_detail_file(detail, "difference", "image/png");
    TRY(heatmap_png(&file->bytes, &file->size, &map, cut.column, cut.row, cut.width, cut.height, HEATMAP_TOP, err));
fail:
    heatmap_clear(&map);
    eval_pictures_clear(&p);
    return status;
}
