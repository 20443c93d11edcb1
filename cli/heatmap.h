/* heatmap.h - where a picture is wrong: CIEDE2000 or Butteraugli of each pixel, as a picture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_HEATMAP_H
#define RESIDUA_CLI_HEATMAP_H

#include "losses/image_metric.h"
#include "media/png_writer.h"

/* Difference that gets the lightest colour; larger ones get it too. 1 is just noticeable. */
#define HEATMAP_TOP 10.0

typedef struct Heatmap {
    int64_t width, height;
    float *differences;            /* [height, width]; their mean is the metric ciede2000, their largest butteraugli */
    float most;                    /* the largest, and where it is first */
    int64_t most_column, most_row;
} Heatmap;

typedef enum HeatmapOf { HEATMAP_CIEDE2000, HEATMAP_BUTTERAUGLI } HeatmapOf;

/* Any number of threads gives the same bits. Errors: RSD_ERR_UNSUPPORTED (Butteraugli of less than 8 x 8 pixels),
 * RSD_ERR_MEMORY. */
RsdStatus heatmap_create(Heatmap *map, const ImagePair *pair, HeatmapOf of, RsdThreads *threads, RsdError *err);
void heatmap_clear(Heatmap *map);

/* The width x height pixels from (column, row) on, black for 0 to light yellow for top and more (cli/colour_map.h), as a PNG
 * file. Errors as png_encode. */
RsdStatus heatmap_png(uint8_t **bytes, size_t *size, const Heatmap *map, int64_t column, int64_t row, int64_t width,
                      int64_t height, double top, RsdError *err);

/* The place of the width x height pixels with the largest sum of differences, on a grid of HEATMAP_GRID pixels. */
#define HEATMAP_GRID 16
RsdStatus heatmap_find_worst(const Heatmap *map, int64_t width, int64_t height, int64_t *column, int64_t *row, RsdError *err);

#endif
