/* conv_rows.c - rows of a tile filled from a signal, multiplied and sent to their place; weights packed for it.
 *
 * Accumulators of a sum that spans several blocks wait in y; storing a float and loading it again changes nothing, so the
 * order of additions is that of one long sum.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv_rows.h"

#include <string.h>

#define PANELS_PER_PACK 16

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- rows in --------------------------------------------------------------------------------------------------------------- */

size_t conv_line_count(const ConvPlan *plan)
{
    const PlanAxis *x = &plan->x;

    return (size_t)((plan->pitch + plan->tile_columns) * (x->split > x->join ? x->split : x->join));
}

/* dst[i] = sample first + i of a signal, which has `context` before it. */
static void fill_line(const TileKernels *tk, float *dst, int64_t first, int64_t count, const float *x, int64_t n,
                      const float *context, int64_t n_context, bool elu)
{
    while (count > 0) {
        int64_t run;

        if (first >= n) {
            run = count;
            memset(dst, 0, (size_t)run * sizeof *dst);
        } else if (first >= 0) {
            run = lesser(count, n - first);
            tk->load(dst, x + first, run, elu);
        } else if (context && first >= -n_context) {
            run = lesser(count, -first);
            tk->load(dst, context + n_context + first, run, elu);
        } else {
            run = lesser(count, -first - (context ? n_context : 0));
            memset(dst, 0, (size_t)run * sizeof *dst);
        }
        dst += run;
        first += run;
        count -= run;
    }
}

/* Moves phases from a line of whole frames to their rows. */
static void split_line(const TileKernels *tk, const ConvPlan *plan, float *rows, const float *line, int64_t n)
{
    const PlanAxis *x = &plan->x;

    if (conv_plan_has_all_phases(x)) {
        tk->split(rows, plan->pitch, line, x->split, n);
        return;
    }
    for (int64_t q = 0; q < x->n_phases; q++)
        for (int64_t t = 0; t < n; t++)
            rows[q * plan->pitch + t] = line[t * x->split + x->phase[q]];
}

/* Asks for the samples of a channel before they are needed: rows are short and far apart, which the processor does not
 * foresee by itself. */
static void prefetch_channel(const ConvPlan *plan, const ConvTile *tile, const float *plane)
{
    const PlanAxis *x = &plan->x, *y = &plan->y;
    int64_t first = x->src_origin + tile->first * x->split, end = first + (tile->n + x->halo) * x->split;
    int64_t top = y->src_origin + tile->top * y->split, bottom = top + (tile->n_lines + y->halo) * y->split;

    first = first < 0 ? 0 : first;
    end = lesser(end, x->n_src);
    bottom = lesser(bottom, y->n_src);
    for (int64_t l = top < 0 ? 0 : top; l < bottom; l++)
        for (int64_t i = first; i < end; i += MEM_ALIGN / (int64_t)sizeof *plane)
            __builtin_prefetch(plane + l * x->n_src + i);
}

/* The phases of one line, source samples first .. of it; NULL: a line of zeros. */
static void fill_phases(const TileKernels *tk, const ConvPlan *plan, const float *src, int64_t first, int64_t width,
                        const float *context, bool elu, float *line, float *rows)
{
    const PlanAxis *x = &plan->x;
    float *whole = x->split == 1 ? rows : line;

    if (src) {
        fill_line(tk, whole, first, width * x->split, src, x->n_src, context, plan->n_context, elu);
        if (x->split > 1)
            split_line(tk, plan, rows, line, width);
    }
    for (int64_t q = 0; q < x->n_phases; q++) {
        int64_t filled = src ? width : 0;

        memset(rows + q * plan->pitch + filled, 0, (size_t)(plan->line - filled) * sizeof *rows);
    }
}

/* Rows of one channel; planes points at the channel in the tile's first item. */
static void fill_channel(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, const float *planes,
                         const float *context, bool elu, float *line, float *rows)
{
    const PlanAxis *x = &plan->x, *y = &plan->y;
    int64_t c_all = plan->groups * plan->c_src, width = tile->n + x->halo, n_lines = tile->n_lines + y->halo;
    int64_t used = (tile->n_items - 1) * plan->item + n_lines * plan->line;
    int64_t first = x->src_origin + tile->first * x->split;

    for (int64_t i = 0; i < tile->n_items; i++)
        for (int64_t l = 0; l < n_lines; l++)
            for (int64_t q = 0; q < y->n_phases; q++) {
                int64_t at = y->src_origin + (tile->top + l) * y->split + y->phase[q];
                const float *src = at >= 0 && at < y->n_src ? planes + (i * c_all * y->n_src + at) * x->n_src : NULL;

                fill_phases(tk, plan, src, first, width, context ? context + i * c_all * plan->n_context : NULL, elu, line,
                            rows + q * x->n_phases * plan->pitch + i * plan->item + l * plan->line);
            }
    for (int64_t q = 0; q < plan->n_phases; q++)
        memset(rows + q * plan->pitch + used, 0, (size_t)(plan->pitch - used) * sizeof *rows);
}

void conv_rows_fill_channel(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t c,
                            const RowSource *source, float *line, float *rows)
{
    int64_t count = plan->y.n_src * plan->x.n_src, row = (tile->b * plan->groups + group) * plan->c_src + c;

    if (c + 1 < plan->c_src)
        prefetch_channel(plan, tile, source->x + (row + 1) * count);
    fill_channel(tk, plan, tile, source->x + row * count, source->context ? source->context + row * plan->n_context : NULL,
                 source->elu, line, rows);
}

void conv_rows_fill(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, const RowSource *source,
                    float *line, float *rows)
{
    for (int64_t c = 0; c < plan->c_src; c++)
        conv_rows_fill_channel(tk, plan, tile, group, c, source, line, rows + c * plan->n_phases * plan->pitch);
}

/* --- blocks of the sum --------------------------------------------------------------------------------------------------- */

static int64_t block_channels(const ConvPlan *plan, int64_t block)
{
    return lesser(plan->c_block, plan->c_src - block * plan->c_block);
}

int64_t conv_panel_place(const ConvPlan *plan, int64_t block, int64_t panel)
{
    int64_t before = block * plan->c_block * plan->n_panels + panel * block_channels(plan, block);

    return before * plan->n_terms * plan->tile_rows;
}

/* --- products and rows out ------------------------------------------------------------------------------------------------- */

void conv_rows_offsets(const ConvPlan *plan, int32_t *offset)
{
    const PlanAxis *x = &plan->x, *y = &plan->y;

    for (int64_t c = 0; c < plan->c_block; c++)
        for (int64_t v = 0; v < y->n_taps; v++)
            for (int64_t u = 0; u < x->n_taps; u++) {
                int64_t row = c * plan->n_phases + y->tap_phase[v] * x->n_phases + x->tap_phase[u];

                *offset++ = (int32_t)(row * plan->pitch + y->tap_shift[v] * plan->line + x->tap_shift[u]);
            }
}

size_t conv_widened_count(const ConvPlan *plan)
{
    return (size_t)(ceil_div(plan->m_chunk, plan->tile_rows) * plan->tile_rows * plan->c_block * plan->n_terms);
}

/* The panels of m rows from first_row on, [panel][n_j][tile_rows]. */
static const float *block_weights(const TileKernels *tk, const ConvPlan *plan, const PackedWeights *packed, int64_t block,
                                  int64_t first_row, int64_t m, int64_t n_j)
{
    int64_t place = conv_panel_place(plan, block, first_row / plan->tile_rows);

    if (!packed->halves)
        return packed->floats + place;
    tk->widen(packed->room, packed->halves + place, ceil_div(m, plan->tile_rows) * n_j * plan->tile_rows);
    return packed->room;
}

void conv_rows_multiply(const TileKernels *tk, const ConvPlan *plan, const int32_t *offset, const float *rows,
                        const PackedWeights *packed, const float *bias, int64_t first_row, int64_t m, int64_t columns, float *y,
                        int64_t y_stride, RowSum sum)
{
    const int64_t pitch = plan->pairs ? 3 * plan->pair_pitch : plan->pitch;

    for (int64_t block = 0; block < plan->n_blocks; block++) {
        int64_t c_first = block * plan->c_block, n_j = block_channels(plan, block) * plan->n_terms;
        TileProduct product = {.m = m,
                               .n_j = n_j,
                               .w = block_weights(tk, plan, packed, block, first_row, m, n_j),
                               .panel_stride = n_j * plan->tile_rows,
                               .offset = offset,
                               .begin = block == 0 && sum != ROW_SUM_GOES_ON,
                               .add = sum == ROW_SUM_IS_ADDED,
                               .bias = bias,
                               .y_stride = y_stride};

        for (int64_t t = 0; t < columns; t += plan->tile_columns) {
            product.n = lesser(plan->tile_columns, columns - t);
            product.rows = rows + c_first * plan->n_phases * pitch + t;
            product.y = y + t;
            tk->product(&product);
        }
    }
}

/* Line `l` of an item, from the rows of all phases of x (src points at the first of them), to sample `at` of the target. */
static void store_line(const TileKernels *tk, const ConvPlan *plan, const float *src, int64_t n, int64_t skip, int64_t count,
                       float *line, int64_t at, const RowTarget *target)
{
    if (plan->x.join > 1) {
        tk->join(line, src, plan->pitch, plan->x.join, n);
        src = line;
    }
    tk->finish(target->y + at, src + skip, count, target->add, target->slope_at ? target->slope_at + at : NULL);
}

void conv_rows_store(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t first_row,
                     int64_t n_rows, const float *out, float *line, const RowTarget *target)
{
    const PlanAxis *x = &plan->x, *y = &plan->y;
    int64_t first = x->dst_origin + tile->first * x->join, skip = first < 0 ? -first : 0;
    int64_t end = lesser(first + tile->n * x->join, x->n_dst);

    for (int64_t r = 0; r < n_rows && first + skip < end; r += plan->join)
        for (int64_t i = 0; i < tile->n_items; i++) {
            int64_t channel = ((tile->b + i) * plan->groups + group) * plan->c_dst + (first_row + r) / plan->join;

            for (int64_t l = 0; l < tile->n_lines; l++)
                for (int64_t q = 0; q < y->join; q++) {
                    int64_t to = y->dst_origin + (tile->top + l) * y->join + q;
                    const float *src = out + (r + q * x->join) * plan->pitch + i * plan->item + l * plan->line;

                    if (to >= 0 && to < y->n_dst)
                        store_line(tk, plan, src, tile->n, skip, end - first - skip, line,
                                   (channel * y->n_dst + to) * x->n_dst + first + skip, target);
                }
        }
}

static bool is_whole(const PlanAxis *axis, int64_t at, int64_t n)
{
    return axis->dst_origin == 0 && at + n <= axis->n_dst;
}

bool conv_rows_are_direct(const ConvPlan *plan, const ConvTile *tile)
{
    return plan->join == 1 && tile->n_items == 1 && (tile->n_lines == 1 || plan->line == plan->x.n_dst) &&
           is_whole(&plan->x, tile->first, tile->n) && is_whole(&plan->y, tile->top, tile->n_lines);
}

int64_t conv_rows_place(const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t row)
{
    int64_t channel = (tile->b * plan->groups + group) * plan->c_dst + row;

    return (channel * plan->y.n_dst + tile->top) * plan->x.n_dst + tile->first;
}

/* --- weights ------------------------------------------------------------------------------------------------------------------ */

int64_t conv_sum_weights(const ConvPlan *plan)
{
    return plan->n_panels * plan->j * plan->tile_rows;
}

int64_t conv_pack_tasks(const ConvPlan *plan)
{
    return plan->groups * ceil_div(plan->n_panels, PANELS_PER_PACK);
}

size_t conv_packed_count(const ConvPlan *plan)
{
    return (size_t)(plan->groups * plan->n_sums * conv_sum_weights(plan));
}

void conv_pack_panels(const ConvPlan *plan, int64_t task, int64_t *group, int64_t *first, int64_t *end)
{
    int64_t tasks_per_group = ceil_div(plan->n_panels, PANELS_PER_PACK);

    *group = task / tasks_per_group;
    *first = task % tasks_per_group * PANELS_PER_PACK;
    *end = lesser(*first + PANELS_PER_PACK, plan->n_panels);
}

void conv_pack_gather(const TileKernels *tk, const ConvPlan *plan, const float *w, float *packed, int64_t task)
{
    int64_t group, first, end, rows = plan->tile_rows;

    conv_pack_panels(plan, task, &group, &first, &end);
    packed += group * plan->n_panels * plan->j * rows;
    for (int64_t block = 0; block < plan->n_blocks; block++) {
        int64_t n_j = block_channels(plan, block) * plan->n_taps;

        for (int64_t p = first; p < end; p++) {
            float *to = packed + conv_panel_place(plan, block, p);
            const float *from = w + (group * plan->m + p * rows) * plan->j + block * plan->c_block * plan->n_taps;
            int64_t m = lesser(rows, plan->m - p * rows);

            if (m == rows) {
                tk->turn(to, from, plan->j, rows, n_j);
                continue;
            }
            for (int64_t j = 0; j < n_j; j++)
                for (int64_t r = 0; r < rows; r++)
                    *to++ = r < m ? from[r * plan->j + j] : 0.0f;
        }
    }
}

/* Place in w [c_dst, k_y, k_x] of the weight behind output row `row` and taps (v, u) of a scatter, -1 for a weight of zero. */
static int64_t place_of(const ConvPlan *plan, const ConvShape *s, int64_t row, int64_t v, int64_t u)
{
    int64_t q = row % plan->join, at_y = conv_plan_scatter_tap(&plan->y, &s->y, q / plan->x.join, v);
    int64_t at_x = conv_plan_scatter_tap(&plan->x, &s->x, q % plan->x.join, u);

    return row < plan->m && at_y >= 0 && at_x >= 0 ? (row / plan->join * s->y.k + at_y) * s->x.k + at_x : -1;
}

/* place [n_taps][rows] of the weights of panel p among those of a source channel. */
static void places_of_panel(const ConvPlan *plan, const ConvShape *s, int64_t p, int32_t *place)
{
    for (int64_t v = 0; v < plan->y.n_taps; v++)
        for (int64_t u = 0; u < plan->x.n_taps; u++)
            for (int64_t r = 0; r < plan->tile_rows; r++)
                *place++ = (int32_t)place_of(plan, s, p * plan->tile_rows + r, v, u);
}

/* A kernel of one tap: the weights of a whole panel lie side by side. */
static void pack_panel_of_points(const ConvPlan *plan, const float *from, int64_t step, float *packed, int64_t p)
{
    for (int64_t block = 0; block < plan->n_blocks; block++) {
        float *to = packed + conv_panel_place(plan, block, p);

        for (int64_t c = 0; c < block_channels(plan, block); c++, from += step, to += plan->tile_rows)
            for (int64_t r = 0; r < plan->tile_rows; r++)
                to[r] = from[r];
    }
}

void conv_pack_scatter(const ConvPlan *plan, const ConvShape *s, const float *w, float *packed, int64_t task)
{
    int32_t place[PLAN_MAX_TAPS_2D * TILE_ROWS_MAX];
    int64_t group, first, end, count = plan->n_taps * plan->tile_rows, step = plan->c_dst * s->y.k * s->x.k;

    conv_pack_panels(plan, task, &group, &first, &end);
    packed += group * plan->n_panels * plan->j * plan->tile_rows;
    for (int64_t p = first; p < end; p++) {
        const float *from = w + group * plan->c_src * step;

        if (s->y.k * s->x.k * plan->join == 1 && (p + 1) * plan->tile_rows <= plan->m) {
            pack_panel_of_points(plan, from + p * plan->tile_rows, step, packed, p);
            continue;
        }
        places_of_panel(plan, s, p, place);
        for (int64_t block = 0; block < plan->n_blocks; block++) {
            float *to = packed + conv_panel_place(plan, block, p);

            for (int64_t c = 0; c < block_channels(plan, block); c++, from += step)
                for (int64_t i = 0; i < count; i++)
                    *to++ = place[i] >= 0 ? from[place[i]] : 0.0f;
        }
    }
}
