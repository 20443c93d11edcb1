/* picture_search.h - what was found for the tiles of a picture at one level and effort (tile_search.h).
 *
 * Tiles are searched one after the other, each by all threads. Once on_progress has ended a search, the tiles that are left get
 * effort 2.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_SEARCH_H
#define RESIDUA_PICTURE_SEARCH_H

#include "codec/tile_search.h"

typedef struct PictureSearch PictureSearch;

/* options->objective.info: kept; its level is not looked at. keeps_all: latents of all tiles have room, else those of a row of tiles.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus picture_search_create(PictureSearch **out, const TileSearchOptions *options, bool keeps_all, RsdError *err);
void picture_search_destroy(PictureSearch **search);
/* From now on all are kept; what was found is not. After an error the search can only be destroyed. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_search_keep_all(PictureSearch *search, RsdError *err);

/* Has the row of tiles that begins with tile `first` searched. Rows come in order; those found before at this level and effort stay,
 * when all are kept. Errors: those of tile_search_run. */
RsdStatus picture_search_row(PictureSearch *search, int64_t first, int level, int effort, RsdError *err);

/* The rest, when all tiles are kept: all rows, and at SEARCH_LAST_EFFORT the changes of the synthesis that the picture gains by.
 * Errors: those of tile_search_run. */
RsdStatus picture_search_all(PictureSearch *search, int level, int effort, RsdError *err);
/* Of the last picture_search_all; none at smaller efforts. */
const PictureDeltas *picture_search_deltas(const PictureSearch *search);

/* Of a tile of the last row (any tile, when all are kept): what tile_encode gets. */
const int16_t *picture_search_z(const PictureSearch *search, const PictureTile *tile);
const int32_t *picture_search_y(const PictureSearch *search, const PictureTile *tile);

/* Means over the pixels of the tiles searched at the last level and effort. */
typedef struct PictureFound {
    TileValue rounded, best;
    double estimated_bpp;
    bool stopped;
    int64_t n_pixels;
} PictureFound;
PictureFound picture_search_found(const PictureSearch *search);

#endif
