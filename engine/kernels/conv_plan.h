/* conv_plan.h - how a gather, a scatter or a weight gradient becomes products of small tiles.
 *
 * All three are sums over rows that are shifted copies of one signal:
 *
 *   Y[m, t] = sum_j W[m, j] row_j[t]
 *
 *   gather   m = coarse channel       j = (fine channel, tap i)       row_j[t] = x[c, t stride - left + i dilation]
 *   scatter  m = (fine channel, q)    j = (coarse channel, reach r)   row_j[t] = x[c, t - r];  Y[(c, q), t] is sample
 *            q in [0, stride)                                         t stride + q - left of the output
 *
 * A row is not copied for each tap: the signal of a channel is split into its `stride` phases once, and tap i reads phase
 * (i dilation) mod stride from column (i dilation) / stride on. So rows in memory are (channel, phase), each as long as the
 * tile and its `halo`, and row_j is an offset.
 *
 * A tile is a range of columns t. Long signals are cut into several; short ones (deep layers) lie side by side so that the
 * vectors stay full. The columns between two signals are computed and thrown away.
 *
 *        |<--- seg --->|halo|<--- seg --->|halo|
 *   row  |  signal b        | signal b + 1     |
 *
 * Pictures need nothing new: taps, phases and reaches are those of one axis times those of the other, and the lines of a
 * tile lie side by side as short signals do. A step down by one line is a shift by a whole line (seg + halo columns), so a
 * tap of both axes is an offset, too. Below its lines each picture of a tile has a halo of lines.
 *
 *        |<----------------- item -------------------->|
 *   row  | line 0 |halo| line 1 |halo| ... |halo lines | next picture ...
 *
 * A tile has several lines only when they are whole, and several pictures only when they are whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_PLAN_H
#define RESIDUA_KERNELS_CONV_PLAN_H

#include "engine/kernels/conv_tiles.h"

#define PLAN_MAX_TAPS 256  /* of one axis */
#define PLAN_MAX_TAPS_2D 1024
#define PLAN_MAX_STRIDE 64 /* of one axis */
#define PLAN_CHUNK_MAX 512 /* output rows kept at once: at least PLAN_MAX_STRIDE * TILE_ROWS_MAX */

/* What a plan says about one axis; on the y axis columns are lines. */
typedef struct PlanAxis {
    int64_t n_src, n_dst;
    int64_t n_taps;          /* terms of the sum along this axis, for each source channel */
    int64_t n_phases, split; /* phases in use, of `split` (the stride of a gather, else 1) */
    int64_t join;            /* output rows along this axis for each channel of y (the stride of a scatter, else 1) */
    int64_t halo;
    int64_t n;               /* columns */
    int64_t src_origin;      /* sample of x in column 0, phase 0 */
    int64_t dst_origin;      /* sample of y in column 0, row q = 0 */
    int64_t seg, n_tiles;    /* columns of a tile, and tiles along this axis */
    int16_t phase[PLAN_MAX_TAPS], tap_phase[PLAN_MAX_TAPS], tap_shift[PLAN_MAX_TAPS];
} PlanAxis;

typedef struct ConvPlan {
    /* the sum */
    int64_t groups, c_src, c_dst;   /* channels of one group */
    int64_t n_context;
    PlanAxis x, y;
    int64_t n_taps, n_phases, join; /* of both axes together: (y, x), x fastest */
    bool pairs;                     /* of columns are summed together (conv_pairs.h) */
    int64_t n_terms, n_sums;        /* terms for each source channel, n_taps or n_phases; weights for each of them, 1 or 3 */

    /* its tiles */
    int64_t tile_rows, tile_columns; /* summed together by the vector kernels */
    int64_t m, n_panels, j;         /* output rows, panels of them, terms of a sum; of one group */
    int64_t n_items, item_tiles;    /* signals or pictures in a tile, and tiles along the batch */
    int64_t line, item;             /* columns from line to line, and from item to item */
    int64_t n_tiles;
    int64_t c_block, n_blocks;      /* source channels summed at once */
    int64_t m_chunk;                /* output rows kept at once, a multiple of tile_rows and of join */
    int64_t m_split;                /* tasks that share a tile, each with some of the chunks */
    int64_t pitch;                  /* floats from row to row */
    int64_t pair_pitch;             /* the same for rows of pairs */
} ConvPlan;

/* False when the shape is too unusual for tiles. */
bool conv_plan_gather(ConvPlan *plan, const TileKernels *tk, const ConvShape *s);
bool conv_plan_scatter(ConvPlan *plan, const TileKernels *tk, const ConvShape *s);

/* Backward lays the rows of a gather and those of a scatter over the same columns: column t holds fine samples
 * t stride - left .. and coarse frame t. Fine rows have their halo on the right, coarse rows on the left.
 *
 *   fine    | t0 ... t0 + seg |halo|        dw[m, j] = sum_t coarse_m[t] fine_j[t]
 *   coarse  |halo| t0 ... t0 + seg |        dx = product of the weights with the rows of dy, on the columns of x
 */
typedef struct ConvBackPlan {
    ConvPlan fine, coarse; /* a gather's and a scatter's sums, with common tiles */
    bool slope_from_rows;  /* the rows of x hold exactly the samples that the rows of dx do */
    int64_t lanes;         /* coarse channels that a weight gradient sums in one vector */
    int64_t n_parts;       /* partial weight gradients, added at the end in order; each of some tiles */
} ConvBackPlan;
bool conv_plan_back(ConvBackPlan *plan, const TileKernels *tk, const ConvShape *s, bool scatters);

/* True when the rows of a channel are all phases of the axis in order. */
bool conv_plan_has_all_phases(const PlanAxis *axis);
/* Tap of the kernel behind output row q and reach index `tap` of a scatter, -1 for none (a zero weight). */
int64_t conv_plan_scatter_tap(const PlanAxis *axis, const ConvAxis *s, int64_t q, int64_t tap);

/* One tile: items b .. b + n_items - 1, lines top .. top + n_lines - 1, columns first .. first + n - 1 of each. */
typedef struct ConvTile {
    int64_t b, n_items, top, n_lines, first, n;
} ConvTile;
ConvTile conv_plan_tile(const ConvPlan *plan, int64_t batch, int64_t index);
/* Columns of a tile when its lines and items lie side by side. */
int64_t conv_tile_columns(const ConvPlan *plan, const ConvTile *tile);

#endif
