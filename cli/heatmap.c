/* heatmap.c - differences by rows, then colours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/heatmap.h"

#include <math.h>

#include "cli/colour_map.h"
#include "engine/base/mem.h"
#include "losses/butteraugli.h"
#include "losses/colour_metric.h"

typedef struct Work {
    Heatmap *map;
    const ImagePair *pair;
} Work;

static void row_task(void *ctx, int64_t row, int worker)
{
    Work *work = ctx;

    (void)worker;
    for (int64_t i = row * work->map->width; i < (row + 1) * work->map->width; i++)
        work->map->differences[i] = (float)ciede2000_at(work->pair, i);
}

RsdStatus heatmap_create(Heatmap *map, const ImagePair *pair, HeatmapOf of, RsdThreads *threads, RsdError *err)
{
    Work work = {map, pair};
    RsdStatus status = RSD_OK;

    *map = (Heatmap){.width = pair->w, .height = pair->h};
    CHECK(of == HEATMAP_CIEDE2000 || (pair->w >= BUTTERAUGLI_MIN_SIDE && pair->h >= BUTTERAUGLI_MIN_SIDE), err, RSD_ERR_UNSUPPORTED,
          "Butteraugli needs at least %d x %d pixels", BUTTERAUGLI_MIN_SIDE, BUTTERAUGLI_MIN_SIDE);
    TRY(mem_alloc(&map->differences, (size_t)(pair->w * pair->h), sizeof *map->differences, err));
    if (of == HEATMAP_BUTTERAUGLI)
        TRY(butteraugli_map(map->differences, &(ImagePair){pair->ref, pair->dist, pair->h, pair->w, threads}, err));
    else
        threads_for(threads, pair->h, row_task, &work);
    for (int64_t i = 0; i < pair->w * pair->h; i++)
        if (map->differences[i] > map->most) {
            map->most = map->differences[i];
            map->most_column = i % pair->w;
            map->most_row = i / pair->w;
        }
fail:
    return status;
}

void heatmap_clear(Heatmap *map)
{
    mem_free(&map->differences);
}

RsdStatus heatmap_png(uint8_t **bytes, size_t *size, const Heatmap *map, int64_t column, int64_t row, int64_t width,
                      int64_t height, double top, RsdError *err)
{
    PngColour colours[256];
    uint8_t *pixels = NULL;
    RsdStatus status = RSD_OK;

    CHECK(width <= PNG_MAX_SIDE && height <= PNG_MAX_SIDE, err, RSD_ERR_UNSUPPORTED,
          "an error map of %lld x %lld pixels: the longest side of a PNG is %d here", (long long)width, (long long)height,
          PNG_MAX_SIDE);
    TRY(mem_alloc(&pixels, (size_t)(width * height), 1, err));
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const double v = (double)map->differences[(row + y) * map->width + column + x] / top;

            pixels[y * width + x] = (uint8_t)lround(255 * fmin(1, v));
        }
    colour_map_heat(colours);
    TRY(png_encode(bytes, size, &(PngPicture){(int)width, (int)height, 1, pixels, colours}, err));
fail:
    mem_free(&pixels);
    return status;
}

/* sums [rows + 1, columns + 1]: of all grid cells above and to the left. */
static void sum_cells(double *sums, const Heatmap *map, int64_t columns, int64_t rows)
{
    for (int64_t y = 0; y < map->height; y++)
        for (int64_t x = 0; x < map->width; x++)
            sums[(y / HEATMAP_GRID + 1) * (columns + 1) + x / HEATMAP_GRID + 1] += (double)map->differences[y * map->width + x];
    for (int64_t r = 1; r <= rows; r++)
        for (int64_t c = 1; c <= columns; c++)
            sums[r * (columns + 1) + c] += sums[(r - 1) * (columns + 1) + c] + sums[r * (columns + 1) + c - 1] -
                                           sums[(r - 1) * (columns + 1) + c - 1];
}

RsdStatus heatmap_find_worst(const Heatmap *map, int64_t width, int64_t height, int64_t *column, int64_t *row, RsdError *err)
{
    const int64_t columns = (map->width + HEATMAP_GRID - 1) / HEATMAP_GRID, rows = (map->height + HEATMAP_GRID - 1) / HEATMAP_GRID;
    const int64_t n_columns = width / HEATMAP_GRID, n_rows = height / HEATMAP_GRID, line = columns + 1;
    double *sums = NULL, most = -1;
    RsdStatus status = RSD_OK;

    *column = *row = 0;
    TRY(mem_calloc(&sums, (size_t)((rows + 1) * line), sizeof *sums, err));
    sum_cells(sums, map, columns, rows);
    for (int64_t r = 0; r * HEATMAP_GRID + height <= map->height; r++)
        for (int64_t c = 0; c * HEATMAP_GRID + width <= map->width; c++) {
            const double *top = sums + r * line + c, *bottom = top + n_rows * line;
            const double sum = bottom[n_columns] - bottom[0] - top[n_columns] + top[0];

            if (sum > most) {
                most = sum;
                *column = c * HEATMAP_GRID;
                *row = r * HEATMAP_GRID;
            }
        }
fail:
    mem_free(&sums);
    return status;
}
