/* conv_plan.c - rows, tiles and blocks of a convolution.
 *
 * Sizes are chosen for 32 KiB of first and 512 KiB of second level cache: a block of rows under the columns of a tile and a
 * panel of weights share the first level; all rows of a block, a chunk of output rows and their weights the second. They
 * depend on the shape alone, because the tasks do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv_plan.h"

#define BLOCK_TERMS 256     /* terms of a sum between two visits to its accumulator */
#define BLOCK_FLOATS 32768  /* rows of a block: 128 KiB */
#define COLUMNS_MIN 144
#define COLUMNS_MAX 480
#define CHUNK_ROWS 128
#define PARTS_MAX 8
#define PARTIAL_FLOATS (1 << 20) /* partial weight gradients beyond this cost more than they bring */
#define FEW_TILES 4         /* fewer tiles than this are shared between tasks */

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -ceil_div(-a, b);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Index of v in list [*n], appended when it is new. */
static int32_t index_of(int32_t *list, int64_t *n, int64_t v)
{
    for (int64_t i = 0; i < *n; i++)
        if (list[i] == v)
            return (int32_t)i;
    list[*n] = (int32_t)v;
    return (int32_t)(*n)++;
}

static bool is_usual(const ConvShape *s)
{
    return s->k <= PLAN_MAX_TAPS && s->stride <= PLAN_MAX_STRIDE && conv_span(s) <= 8192 && s->left <= 8192 &&
           s->left >= -8192;
}

/* Cuts columns into tiles of about `columns`, evenly, and an even number of them where few tasks must feed two threads. */
static void cut_columns(ConvPlan *plan, int64_t batch, int64_t columns)
{
    if (plan->n_columns > columns) {
        plan->time_tiles = ceil_div(plan->n_columns, columns);
        plan->seg = ceil_div(ceil_div(plan->n_columns, plan->time_tiles), plan->tile_columns) * plan->tile_columns;
        plan->time_tiles = ceil_div(plan->n_columns, plan->seg);
        plan->n_segs = 1;
        plan->item_tiles = batch;
    } else {
        int64_t width = plan->n_columns + plan->halo;

        plan->time_tiles = 1;
        plan->seg = plan->n_columns;
        plan->n_segs = clamp((columns + plan->halo) / (width > 0 ? width : 1), 1, batch > 0 ? batch : 1);
        plan->item_tiles = ceil_div(batch, plan->n_segs);
        if (plan->item_tiles % 2 == 1 && plan->item_tiles < 8 && plan->n_segs > 1) {
            plan->n_segs = ceil_div(batch, plan->item_tiles + 1);
            plan->item_tiles = ceil_div(batch, plan->n_segs);
        }
    }
    plan->n_tiles = plan->n_columns > 0 ? plan->time_tiles * plan->item_tiles : 0;
}

/* Chunks of output rows are whole panels and whole channels: the least common multiple of tile_rows and join. */
static int64_t chunk_step(const ConvPlan *plan)
{
    int64_t step = plan->join;

    while (step % plan->tile_rows != 0)
        step += plan->join;
    return step;
}

/* Blocks of the sum: source channels and output rows. */
static void cut_sum(ConvPlan *plan, const TileKernels *tk)
{
    int64_t step;

    plan->tile_rows = tk->rows;
    plan->tile_columns = tk->columns;
    step = chunk_step(plan);
    plan->m = plan->c_dst * plan->join;
    plan->n_panels = ceil_div(plan->m, plan->tile_rows);
    plan->j = plan->c_src * plan->n_taps;
    plan->c_block = clamp(BLOCK_TERMS / plan->n_taps, 1, plan->c_src);
    plan->n_blocks = ceil_div(plan->c_src, plan->c_block);
    plan->c_block = ceil_div(plan->c_src, plan->n_blocks);
    plan->m_chunk = step > CHUNK_ROWS ? step : CHUNK_ROWS / step * step;
    plan->m_split = 1;
}

/* Columns of a tile, and how far apart its rows are. */
static void cut_tiles(ConvPlan *plan, int64_t batch)
{
    int64_t columns = clamp(BLOCK_FLOATS / (plan->c_block * plan->n_phases), COLUMNS_MIN, COLUMNS_MAX), width;

    cut_columns(plan, batch, columns / plan->tile_columns * plan->tile_columns);
    /* Rows an odd number of cache lines apart spread over the sets of a cache. */
    width = plan->n_segs * (plan->seg + plan->halo) + plan->tile_columns;
    plan->pitch = ceil_div(width, 16) * 16;
    if (plan->pitch / 16 % 2 == 0)
        plan->pitch += 16;
}

/* Few tiles: their output rows are shared out too, so that there is something for a second thread. */
static void share_tiles(ConvPlan *plan)
{
    int64_t step = chunk_step(plan);

    if (plan->n_tiles * plan->groups < FEW_TILES && plan->m >= 64) {
        plan->m_split = plan->m >= 128 ? 4 : 2;
        plan->m_chunk = clamp(ceil_div(ceil_div(plan->m, plan->m_split), step) * step, step, plan->m_chunk);
    }
}

static bool rows_of_gather(ConvPlan *plan, const ConvShape *s)
{
    if (!is_usual(s))
        return false;
    *plan = (ConvPlan){.groups = s->groups,
                       .c_src = s->c_fine / s->groups,
                       .c_dst = s->c_coarse / s->groups,
                       .n_src = s->n_fine,
                       .n_dst = s->n_coarse,
                       .n_context = s->left > 0 ? s->left : 0,
                       .n_taps = s->k,
                       .split = s->stride,
                       .join = 1,
                       .halo = (conv_span(s) - 1) / s->stride,
                       .n_columns = s->n_coarse,
                       .src_origin = -s->left};
    for (int64_t i = 0; i < s->k; i++) {
        plan->tap_phase[i] = index_of(plan->phase, &plan->n_phases, i * s->dilation % s->stride);
        plan->tap_shift[i] = (int32_t)(i * s->dilation / s->stride);
    }
    return true;
}

/* Column 0 of a scatter's rows is coarse frame `first`. */
static bool rows_of_scatter(ConvPlan *plan, const ConvShape *s, int64_t first)
{
    int32_t reach[PLAN_MAX_TAPS];

    if (!is_usual(s))
        return false;
    *plan = (ConvPlan){.groups = s->groups,
                       .c_src = s->c_coarse / s->groups,
                       .c_dst = s->c_fine / s->groups,
                       .n_src = s->n_coarse,
                       .n_dst = s->n_fine,
                       .n_context = conv_reach(s),
                       .n_phases = 1,
                       .split = 1,
                       .join = s->stride,
                       .halo = (conv_span(s) - 1) / s->stride,
                       .n_columns = s->n_fine > 0 ? floor_div(s->n_fine - 1 + s->left, s->stride) - first + 1 : 0,
                       .dst_origin = first * s->stride - s->left};
    plan->src_origin = first - plan->halo;
    for (int64_t i = 0; i < s->k; i++)
        index_of(reach, &plan->n_taps, i * s->dilation / s->stride);
    for (int64_t tap = 0; tap < plan->n_taps; tap++)
        plan->tap_shift[tap] = (int32_t)(plan->halo - reach[tap]);
    return true;
}

bool conv_plan_gather(ConvPlan *plan, const TileKernels *tk, const ConvShape *s)
{
    if (!rows_of_gather(plan, s))
        return false;
    cut_sum(plan, tk);
    cut_tiles(plan, s->batch);
    share_tiles(plan);
    return true;
}

bool conv_plan_scatter(ConvPlan *plan, const TileKernels *tk, const ConvShape *s)
{
    if (!rows_of_scatter(plan, s, floor_div(s->left, s->stride)))
        return false;
    cut_sum(plan, tk);
    cut_tiles(plan, s->batch);
    share_tiles(plan);
    return true;
}

bool conv_plan_back(ConvBackPlan *plan, const TileKernels *tk, const ConvShape *s, bool scatters)
{
    ConvPlan *fine = &plan->fine, *coarse = &plan->coarse;
    int64_t first;

    first = floor_div(s->left, s->stride) < 0 ? floor_div(s->left, s->stride) : 0; /* skipped samples have a gradient too */
    if (!rows_of_gather(fine, s) || !rows_of_scatter(coarse, s, first))
        return false;
    fine->src_origin += first * s->stride;
    fine->dst_origin = first;
    fine->n_columns -= first;
    cut_sum(fine, tk);
    cut_sum(coarse, tk);
    if (coarse->n_columns > fine->n_columns)
        fine->n_columns = coarse->n_columns;
    cut_tiles(fine, s->batch);
    coarse->n_columns = fine->n_columns;
    coarse->seg = fine->seg;
    coarse->n_segs = fine->n_segs;
    coarse->time_tiles = fine->time_tiles;
    coarse->item_tiles = fine->item_tiles;
    coarse->n_tiles = fine->n_tiles;
    coarse->pitch = fine->pitch;
    plan->lanes = tk->lanes;
    plan->slope_from_rows = scatters || conv_plan_has_all_phases(fine);
    plan->n_parts = clamp(PARTIAL_FLOATS / (fine->m * fine->j), 2, PARTS_MAX);
    plan->n_parts = clamp(plan->n_parts, 1, fine->n_tiles > 1 ? fine->n_tiles : 1);
    return true;
}

bool conv_plan_has_all_phases(const ConvPlan *plan)
{
    for (int64_t q = 0; q < plan->split; q++)
        if (q >= plan->n_phases || plan->phase[q] != q)
            return false;
    return true;
}

int64_t conv_plan_scatter_tap(const ConvPlan *plan, const ConvShape *s, int64_t q, int64_t tap)
{
    int64_t at = q + s->stride * (plan->halo - plan->tap_shift[tap]);

    return at % s->dilation == 0 && at / s->dilation < s->k ? at / s->dilation : -1;
}

ConvTile conv_plan_tile(const ConvPlan *plan, int64_t batch, int64_t index)
{
    ConvTile tile = {.b = index / plan->time_tiles * plan->n_segs, .first = index % plan->time_tiles * plan->seg};

    tile.n_items = batch - tile.b < plan->n_segs ? batch - tile.b : plan->n_segs;
    tile.n = plan->n_columns - tile.first < plan->seg ? plan->n_columns - tile.first : plan->seg;
    return tile;
}

int64_t conv_tile_columns(const ConvPlan *plan, const ConvTile *tile)
{
    return (tile->n_items - 1) * (plan->seg + plan->halo) + tile->n;
}
