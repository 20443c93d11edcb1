/* delta_search.h - the changes of the synthesis (picture_deltas.h) that a picture's loss is least with, its latents as they were found.
 *
 * The last layer is linear, so the mean squared error is a parabola of them and conjugate gradients find its lowest point; for another
 * loss they find a lower one. Then they are rounded, in several ways; what counts is J of the real pixels and of the bytes that the
 * changes take. Most pictures gain little, and those that gain nothing get none.
 *
 * [1] image.md 9.6.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DELTA_SEARCH_H
#define RESIDUA_DELTA_SEARCH_H

#include "codec/picture_deltas.h"
#include "codec/tile_objective.h"

/* Puts tile `number` as it was found into the objective: tile_objective_begin, then tile_objective_code. */
typedef RsdStatus (*DeltaTileFn)(void *ctx, int64_t number, RsdError *err);

typedef struct DeltaSearchOptions {
    TileObjective *objective;
    int64_t n_tiles;
    DeltaTileFn load;
    void *load_ctx;
    bool (*goes_on)(void *ctx); /* asked after each pass over the picture; false: no changes */
    void *goes_on_ctx;
} DeltaSearchOptions;

/* Of the whole picture: before and after, weighed means; objective: weight * loss, and afterwards the bits of the changes. */
typedef struct DeltasFound {
    PictureDeltas deltas; /* none when nothing was gained */
    TileValue before, after;
} DeltasFound;

/* Errors: those of load, RSD_ERR_MEMORY. */
RsdStatus delta_search_run(const DeltaSearchOptions *options, DeltasFound *found, RsdError *err);

#endif
