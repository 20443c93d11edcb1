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
#define PAIR_TERMS 176      /* the same for pairs, whose terms have a row each and not half of one */
#define PAIR_ROWS_MIN 96    /* with fewer output rows, making rows of pairs costs what they save */
#define BLOCK_FLOATS 32768  /* rows of a block: 128 KiB */
#define COLUMNS_MIN 144
#define COLUMNS_MAX 480
#define BACK_COLUMNS_MIN 480 /* every tile goes once through all sums of a weight gradient, which are far away: the longer, the better */
#define CHUNK_ROWS 128
#define PARTS_MAX 8
#define PARTIAL_FLOATS (1 << 20) /* partial weight gradients beyond this cost more than they bring */
#define FEW_TILES 4         /* fewer tiles than this are shared between tasks */
#define PICTURE_FLOATS 65536 /* rows of a tile of a picture with few channels: the fewer tiles, the fewer lines are read twice */
#define PICTURE_COLUMNS_MAX 8192

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
static int16_t index_of(int16_t *list, int64_t *n, int64_t v)
{
    for (int64_t i = 0; i < *n; i++)
        if (list[i] == v)
            return (int16_t)i;
    list[*n] = (int16_t)v;
    return (int16_t)(*n)++;
}

static bool is_usual_axis(const ConvAxis *s)
{
    return s->k <= PLAN_MAX_TAPS && s->stride <= PLAN_MAX_STRIDE && conv_span(s) <= 8192 && s->left <= 8192 &&
           s->left >= -8192;
}

static bool is_usual(const ConvShape *s)
{
    return is_usual_axis(&s->x) && is_usual_axis(&s->y) && s->y.k * s->x.k <= PLAN_MAX_TAPS_2D;
}

/* --- tiles ----------------------------------------------------------------------------------------------------------- */

/* Cuts an axis evenly into tiles of at most `columns`, a multiple of `unit`. */
static void cut_axis(PlanAxis *axis, int64_t columns, int64_t unit)
{
    axis->n_tiles = ceil_div(axis->n, columns);
    axis->seg = ceil_div(ceil_div(axis->n, axis->n_tiles), unit) * unit;
    axis->n_tiles = ceil_div(axis->n, axis->seg);
}

/* Tiles end at whole vectors. */
static int64_t column_unit(const ConvPlan *plan)
{
    return plan->pairs ? 2 * plan->tile_columns : plan->tile_columns;
}

/* Tiles of about `columns`: a part of a line, some whole lines, or some whole items (an even number of tiles where few
 * tasks must feed two threads). */
static void cut_columns(ConvPlan *plan, int64_t batch, int64_t columns)
{
    PlanAxis *x = &plan->x, *y = &plan->y;
    int64_t line = x->n + x->halo, item = (y->n + y->halo) * line;

    plan->n_items = 1;
    plan->item_tiles = batch;
    x->seg = x->n;
    y->seg = y->n;
    x->n_tiles = y->n_tiles = 1;
    if (x->n > columns) {
        cut_axis(x, columns, column_unit(plan));
        cut_axis(y, 1, 1);
    } else if (y->n * line - x->halo > columns) {
        cut_axis(y, clamp(columns / line, 1, y->n), 1);
    } else {
        plan->n_items = clamp((columns + item - y->n * line + x->halo) / (item > 0 ? item : 1), 1,
                              batch > 0 && !plan->pairs ? batch : 1);
        plan->item_tiles = ceil_div(batch, plan->n_items);
        if (plan->item_tiles % 2 == 1 && plan->item_tiles < 8 && plan->n_items > 1) {
            plan->n_items = ceil_div(batch, plan->item_tiles + 1);
            plan->item_tiles = ceil_div(batch, plan->n_items);
        }
    }
    plan->line = x->seg + x->halo;
    plan->item = (y->seg + y->halo) * plan->line;
    plan->n_tiles = x->n > 0 && y->n > 0 ? x->n_tiles * y->n_tiles * plan->item_tiles : 0;
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
static void cut_sum(ConvPlan *plan)
{
    int64_t step = chunk_step(plan);

    plan->m = plan->c_dst * plan->join;
    plan->n_panels = ceil_div(plan->m, plan->tile_rows);
    plan->n_terms = plan->pairs ? plan->n_phases : plan->n_taps;
    plan->n_sums = plan->pairs ? 3 : 1;
    plan->j = plan->c_src * plan->n_terms;
    plan->c_block = clamp((plan->pairs ? PAIR_TERMS : BLOCK_TERMS) / plan->n_terms, 1, plan->c_src);
    plan->n_blocks = ceil_div(plan->c_src, plan->c_block);
    plan->c_block = ceil_div(plan->c_src, plan->n_blocks);
    plan->m_chunk = clamp(CHUNK_ROWS / step * step, step, ceil_div(plan->m, step) * step);
    plan->m_split = 1;
}

/* Rows an odd number of cache lines apart spread over the sets of a cache. */
static int64_t pitch_of(int64_t width)
{
    const int64_t lines = ceil_div(width, 16);

    return 16 * (lines % 2 == 0 ? lines + 1 : lines);
}

/* Columns of a tile, and how far apart its rows are; n_rows: the most rows that are kept at once. */
static void cut_tiles(ConvPlan *plan, int64_t batch, int64_t n_rows, int64_t columns_min)
{
    int64_t block_rows = plan->c_block * plan->n_phases, width;
    int64_t columns = clamp(BLOCK_FLOATS / block_rows, columns_min, COLUMNS_MAX);

    if (plan->y.n > 1 && PICTURE_FLOATS / n_rows > columns)
        columns = clamp(PICTURE_FLOATS / n_rows, columns, PICTURE_COLUMNS_MAX);
    cut_columns(plan, batch, columns / column_unit(plan) * column_unit(plan));
    width = plan->n_items * plan->item + plan->tile_columns;
    plan->pitch = pitch_of(width);
    if (plan->pairs) {
        plan->pair_pitch = pitch_of(ceil_div(plan->x.seg, 2) + plan->tile_columns);
        plan->pitch = pitch_of(width - plan->tile_columns + 32); /* a pair reaches a vector and the next frame beyond the last */
    }
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Few tiles: their output rows are shared out too, so that there is something for a second thread. */
static void share_tiles(ConvPlan *plan)
{
    int64_t step = chunk_step(plan);

    if (plan->n_tiles * plan->groups < FEW_TILES && plan->m >= 64) {
        plan->m_split = 2; /* each fills the rows of the tile for itself */
        plan->m_chunk = clamp(ceil_div(ceil_div(plan->m, plan->m_split), step) * step, step, plan->m_chunk);
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

static void axis_of_gather(PlanAxis *axis, const ConvAxis *s)
{
    *axis = (PlanAxis){.n_src = s->n_fine,
                       .n_dst = s->n_coarse,
                       .n_taps = s->k,
                       .split = s->stride,
                       .join = 1,
                       .halo = (conv_span(s) - 1) / s->stride,
                       .n = s->n_coarse,
                       .src_origin = -s->left};
    for (int64_t i = 0; i < s->k; i++) {
        axis->tap_phase[i] = index_of(axis->phase, &axis->n_phases, i * s->dilation % s->stride);
        axis->tap_shift[i] = (int16_t)(i * s->dilation / s->stride);
    }
}

/* Column 0 of a scatter's rows is coarse frame `first`. */
static void axis_of_scatter(PlanAxis *axis, const ConvAxis *s, int64_t first)
{
    int16_t reach[PLAN_MAX_TAPS];

    *axis = (PlanAxis){.n_src = s->n_coarse,
                       .n_dst = s->n_fine,
                       .n_phases = 1,
                       .split = 1,
                       .join = s->stride,
                       .halo = (conv_span(s) - 1) / s->stride,
                       .n = s->n_fine > 0 ? floor_div(s->n_fine - 1 + s->left, s->stride) - first + 1 : 0,
                       .dst_origin = first * s->stride - s->left};
    axis->src_origin = first - axis->halo;
    for (int64_t i = 0; i < s->k; i++)
        index_of(reach, &axis->n_taps, i * s->dilation / s->stride);
    for (int64_t tap = 0; tap < axis->n_taps; tap++)
        axis->tap_shift[tap] = (int16_t)(axis->halo - reach[tap]);
}

static void join_axes(ConvPlan *plan, const TileKernels *tk)
{
    plan->tile_rows = tk->rows;
    plan->tile_columns = tk->columns;
    plan->n_taps = plan->y.n_taps * plan->x.n_taps;
    plan->n_phases = plan->y.n_phases * plan->x.n_phases;
    plan->join = plan->y.join * plan->x.join;
    plan->pairs = false;
}

static bool rows_of_gather(ConvPlan *plan, const TileKernels *tk, const ConvShape *s)
{
    if (!is_usual(s))
        return false;
    plan->groups = s->groups;
    plan->c_src = s->c_fine / s->groups;
    plan->c_dst = s->c_coarse / s->groups;
    plan->n_context = s->x.left > 0 ? s->x.left : 0;
    axis_of_gather(&plan->x, &s->x);
    axis_of_gather(&plan->y, &s->y);
    join_axes(plan, tk);
    return true;
}

static bool rows_of_scatter(ConvPlan *plan, const TileKernels *tk, const ConvShape *s, int64_t first_x, int64_t first_y)
{
    if (!is_usual(s))
        return false;
    plan->groups = s->groups;
    plan->c_src = s->c_coarse / s->groups;
    plan->c_dst = s->c_fine / s->groups;
    plan->n_context = conv_reach(&s->x);
    axis_of_scatter(&plan->x, &s->x, first_x);
    axis_of_scatter(&plan->y, &s->y, first_y);
    join_axes(plan, tk);
    return chunk_step(plan) <= PLAN_CHUNK_MAX;
}

/* A frame and the next one share half of their samples. */
static bool has_pairs(const ConvPlan *plan, const ConvShape *s)
{
    return s->pairs && plan->c_dst * plan->join >= PAIR_ROWS_MIN && s->x.k == 2 * s->x.stride && s->x.dilation == 1 &&
           s->y.n_fine == 1 && s->y.n_coarse == 1 && s->y.k == 1;
}

bool conv_plan_gather(ConvPlan *plan, const TileKernels *tk, const ConvShape *s)
{
    if (!rows_of_gather(plan, tk, s))
        return false;
    plan->pairs = has_pairs(plan, s);
    cut_sum(plan);
    cut_tiles(plan, s->batch, greater(plan->c_src * plan->n_phases, plan->m_chunk), COLUMNS_MIN);
    share_tiles(plan);
    return true;
}

bool conv_plan_scatter(ConvPlan *plan, const TileKernels *tk, const ConvShape *s)
{
    if (!rows_of_scatter(plan, tk, s, floor_div(s->x.left, s->x.stride), floor_div(s->y.left, s->y.stride)))
        return false;
    plan->pairs = has_pairs(plan, s);
    cut_sum(plan);
    cut_tiles(plan, s->batch, greater(plan->c_src, plan->m_chunk), COLUMNS_MIN);
    share_tiles(plan);
    return true;
}

/* Skipped samples have a gradient too: the first frame that may meet one of the samples. */
static int64_t first_frame(const ConvAxis *s)
{
    return floor_div(s->left, s->stride) < 0 ? floor_div(s->left, s->stride) : 0;
}

/* The columns of a gather that start at frame `first` and reach as far as those of a scatter. */
static void move_axis(PlanAxis *fine, const PlanAxis *coarse, int64_t stride, int64_t first)
{
    fine->src_origin += first * stride;
    fine->dst_origin = first;
    fine->n -= first;
    if (coarse->n > fine->n)
        fine->n = coarse->n;
}

static void copy_tiles(PlanAxis *coarse, const PlanAxis *fine)
{
    coarse->n = fine->n;
    coarse->seg = fine->seg;
    coarse->n_tiles = fine->n_tiles;
}

bool conv_plan_back(ConvBackPlan *plan, const TileKernels *tk, const ConvShape *s, bool scatters)
{
    ConvPlan *fine = &plan->fine, *coarse = &plan->coarse;
    int64_t first_x = first_frame(&s->x), first_y = first_frame(&s->y);

    if (!rows_of_gather(fine, tk, s) || !rows_of_scatter(coarse, tk, s, first_x, first_y))
        return false;
    move_axis(&fine->x, &coarse->x, s->x.stride, first_x);
    move_axis(&fine->y, &coarse->y, s->y.stride, first_y);
    cut_sum(fine);
    cut_sum(coarse);
    cut_tiles(fine, s->batch, greater(fine->c_src * fine->n_phases, greater(coarse->c_src, coarse->m_chunk)), BACK_COLUMNS_MIN);
    copy_tiles(&coarse->x, &fine->x);
    copy_tiles(&coarse->y, &fine->y);
    coarse->n_items = fine->n_items;
    coarse->item_tiles = fine->item_tiles;
    coarse->line = fine->line;
    coarse->item = fine->item;
    coarse->n_tiles = fine->n_tiles;
    coarse->pitch = fine->pitch;
    plan->lanes = tk->lanes;
    plan->slope_from_rows = scatters || (conv_plan_has_all_phases(&fine->x) && conv_plan_has_all_phases(&fine->y));
    plan->n_parts = clamp(PARTIAL_FLOATS / (fine->m * fine->j), 2, PARTS_MAX);
    plan->n_parts = clamp(plan->n_parts, 1, fine->n_tiles > 1 ? fine->n_tiles : 1);
    return true;
}

bool conv_plan_has_all_phases(const PlanAxis *axis)
{
    for (int64_t q = 0; q < axis->split; q++)
        if (q >= axis->n_phases || axis->phase[q] != q)
            return false;
    return true;
}

int64_t conv_plan_scatter_tap(const PlanAxis *axis, const ConvAxis *s, int64_t q, int64_t tap)
{
    int64_t at = q + s->stride * (axis->halo - axis->tap_shift[tap]);

    return at % s->dilation == 0 && at / s->dilation < s->k ? at / s->dilation : -1;
}

/* --- tiles by number --------------------------------------------------------------------------------------------------- */

ConvTile conv_plan_tile(const ConvPlan *plan, int64_t batch, int64_t index)
{
    const PlanAxis *x = &plan->x, *y = &plan->y;
    ConvTile tile = {.first = index % x->n_tiles * x->seg,
                     .top = index / x->n_tiles % y->n_tiles * y->seg,
                     .b = index / x->n_tiles / y->n_tiles * plan->n_items};

    tile.n_items = batch - tile.b < plan->n_items ? batch - tile.b : plan->n_items;
    tile.n_lines = y->n - tile.top < y->seg ? y->n - tile.top : y->seg;
    tile.n = x->n - tile.first < x->seg ? x->n - tile.first : x->seg;
    return tile;
}

int64_t conv_tile_columns(const ConvPlan *plan, const ConvTile *tile)
{
    return (tile->n_items - 1) * plan->item + (tile->n_lines - 1) * plan->line + tile->n;
}
