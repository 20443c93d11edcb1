/* tile_search.h - the encoder's search: latents of a tile whose bits and errors together weigh less than those of rounding.
 *
 * A decoder needs nothing for it. An effort says how much is tried; each begins with all that the smaller ones do, and what is
 * kept is the best choice ever coded, so none is worse than one below it:
 *
 *   1      the nearest whole numbers
 *   2      each value's bits against its squared error among the latents
 *   3      2 sweeps (RDOQ): the slope of the loss at the pixels says where each latent wants to go, the curvature how much that is worth
 *          against its bits; all are rounded anew                       one backward pass for each sweep, and two before them
 *   4, 5   8 and 20 more, straight-through rounding, with noise that fades
 *   6      60 steps of Adam on softly rounded latents and hyper latents
 *   7, 8   100 and 200 of stochastic Gumbel annealing (SGA)
 *   9      300 more; then, for the picture as a whole, changes of the synthesis (delta_search.h)
 *
 * What counts is J of real bytes with the integer prior and of the pixels of what was rounded. The same picture, setting and seed give the
 * same latents for any number of threads.
 *
 * [1] image.md 9.1 to 9.3.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_SEARCH_H
#define RESIDUA_TILE_SEARCH_H

#include "codec/tile_objective.h"

#define SEARCH_FIRST_EFFORT 3
#define SEARCH_LAST_EFFORT 9
#define SEARCH_ROUNDING (TILE_STRENGTH_UNIT / 4) /* strength of effort 2: more saves fewer bits than a lower level does */

typedef struct SearchProgress {
    int64_t tile, n_tiles;
    int step, n_steps; /* of this tile, each about as long */
    TileValue rounded; /* effort 2, of this tile */
    TileValue best;    /* so far */
} SearchProgress;

/* Called after each step; false ends the search, with the best so far. */
typedef bool (*SearchProgressFn)(void *ctx, const SearchProgress *progress);

typedef struct TileSearchOptions {
    TileObjectiveOptions objective;
    SearchProgressFn on_progress; /* NULL: none */
    void *progress_ctx;
    uint64_t seed;
} TileSearchOptions;

typedef struct TileSearch TileSearch;

/* Steps of an effort, of which the smaller efforts do the first ones in the same way. */
int tile_search_steps(int effort);

/* Errors: RSD_ERR_MEMORY. */
RsdStatus tile_search_create(TileSearch **out, const TileSearchOptions *options, RsdError *err);
void tile_search_destroy(TileSearch **search);

typedef struct TileFound {
    TileValue rounded;      /* effort 2 */
    TileValue best;
    double estimated_bpp;   /* of the best, by the coder's tables (tile_costs.h); 0 below effort 3 */
    bool stopped;           /* on_progress said so */
} TileFound;

/* What it works with, for those that go on with what was found. */
TileObjective *tile_search_objective(TileSearch *search);

/* Searches tile `number` at a level with an effort of 1 .. 9. z [H, ceil(h/4), ceil(w/4)] and y [M, h, w] in 1/1024 get the best choice:
 * tile_encode makes it of them with strength 0. Errors: those of the source, RSD_ERR_MEMORY, RSD_ERR_NUMERIC. */
RsdStatus tile_search_run(TileSearch *search, int64_t number, int level, int effort, int16_t *z, int32_t *y, TileFound *found,
                          RsdError *err);

#endif
