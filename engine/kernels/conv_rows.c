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
    return (size_t)((plan->pitch + plan->tile_columns) * (plan->split > plan->join ? plan->split : plan->join));
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
    if (conv_plan_has_all_phases(plan)) {
        tk->split(rows, plan->pitch, line, plan->split, n);
        return;
    }
    for (int64_t q = 0; q < plan->n_phases; q++)
        for (int64_t t = 0; t < n; t++)
            rows[q * plan->pitch + t] = line[t * plan->split + plan->phase[q]];
}

/* Asks for the samples of a channel before they are needed: rows are short and far apart, which the processor does not
 * foresee by itself. */
static void prefetch_channel(const ConvPlan *plan, const ConvTile *tile, const float *x)
{
    int64_t first = plan->src_origin + tile->first * plan->split, end = first + (tile->n + plan->halo) * plan->split;

    if (first < 0)
        first = 0;
    end = lesser(end, plan->n_src);
    for (int64_t i = first; i < end; i += MEM_ALIGN / (int64_t)sizeof *x)
        __builtin_prefetch(x + i);
}

/* Rows of one channel; x points at the channel in the tile's first signal. */
static void fill_channel(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, const float *x,
                         const float *context, bool elu, float *line, float *rows)
{
    int64_t c_all = plan->groups * plan->c_src, width = tile->n + plan->halo;
    int64_t used = (tile->n_items - 1) * (plan->seg + plan->halo) + width;
    int64_t first = plan->src_origin + tile->first * plan->split;

    for (int64_t i = 0; i < tile->n_items; i++) {
        float *to = rows + i * (plan->seg + plan->halo), *whole = plan->split == 1 ? to : line;

        fill_line(tk, whole, first, width * plan->split, x + i * c_all * plan->n_src, plan->n_src,
                  context ? context + i * c_all * plan->n_context : NULL, plan->n_context, elu);
        if (plan->split > 1)
            split_line(tk, plan, to, line, width);
    }
    for (int64_t q = 0; q < plan->n_phases; q++)
        memset(rows + q * plan->pitch + used, 0, (size_t)(plan->pitch - used) * sizeof *rows);
}

void conv_rows_fill(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, const RowSource *source,
                    float *line, float *rows)
{
    for (int64_t c = 0; c < plan->c_src; c++) {
        int64_t row = (tile->b * plan->groups + group) * plan->c_src + c;

        if (c + 1 < plan->c_src)
            prefetch_channel(plan, tile, source->x + (row + 1) * plan->n_src);
        fill_channel(tk, plan, tile, source->x + row * plan->n_src,
                     source->context ? source->context + row * plan->n_context : NULL, source->elu, line,
                     rows + c * plan->n_phases * plan->pitch);
    }
}

/* --- products and rows out ------------------------------------------------------------------------------------------------- */

void conv_rows_offsets(const ConvPlan *plan, int32_t *offset)
{
    for (int64_t c = 0; c < plan->c_block; c++)
        for (int64_t i = 0; i < plan->n_taps; i++)
            *offset++ = (int32_t)((c * plan->n_phases + plan->tap_phase[i]) * plan->pitch + plan->tap_shift[i]);
}

void conv_rows_multiply(const TileKernels *tk, const ConvPlan *plan, const int32_t *offset, const float *rows,
                        const float *panels, const float *bias, int64_t m, int64_t columns, float *y, int64_t y_stride)
{
    for (int64_t block = 0; block < plan->n_blocks; block++) {
        int64_t c_first = block * plan->c_block, c_count = lesser(plan->c_block, plan->c_src - c_first);
        TileProduct product = {.m = m,
                               .n_j = c_count * plan->n_taps,
                               .w = panels + c_first * plan->n_taps * plan->tile_rows,
                               .panel_stride = plan->j * plan->tile_rows,
                               .offset = offset,
                               .begin = block == 0,
                               .bias = bias,
                               .y_stride = y_stride};

        for (int64_t t = 0; t < columns; t += plan->tile_columns) {
            product.n = lesser(plan->tile_columns, columns - t);
            product.rows = rows + c_first * plan->n_phases * plan->pitch + t;
            product.y = y + t;
            tk->product(&product);
        }
    }
}

void conv_rows_store(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t first_row,
                     int64_t n_rows, const float *out, float *line, const RowTarget *target)
{
    int64_t first = plan->dst_origin + tile->first * plan->join;
    int64_t end = lesser(first + tile->n * plan->join, plan->n_dst), skip = first < 0 ? -first : 0;

    for (int64_t r = 0; r < n_rows && first + skip < end; r += plan->join)
        for (int64_t i = 0; i < tile->n_items; i++) {
            const float *src = out + r * plan->pitch + i * (plan->seg + plan->halo);
            int64_t row = ((tile->b + i) * plan->groups + group) * plan->c_dst + (first_row + r) / plan->join;
            int64_t at = row * plan->n_dst + first + skip;

            if (plan->join > 1) {
                tk->join(line, src, plan->pitch, plan->join, tile->n);
                src = line;
            }
            tk->finish(target->y + at, src + skip, end - first - skip, target->add,
                       target->slope_at ? target->slope_at + at : NULL);
        }
}

/* --- weights ------------------------------------------------------------------------------------------------------------------ */

int64_t conv_pack_tasks(const ConvPlan *plan)
{
    return plan->groups * ceil_div(plan->n_panels, PANELS_PER_PACK);
}

size_t conv_packed_count(const ConvPlan *plan)
{
    return (size_t)(plan->groups * plan->n_panels * plan->j * plan->tile_rows);
}

/* Group and panels first .. end - 1 of a task. */
static void panels_of_task(const ConvPlan *plan, int64_t task, int64_t *group, int64_t *first, int64_t *end)
{
    int64_t tasks_per_group = ceil_div(plan->n_panels, PANELS_PER_PACK);

    *group = task / tasks_per_group;
    *first = task % tasks_per_group * PANELS_PER_PACK;
    *end = lesser(*first + PANELS_PER_PACK, plan->n_panels);
}

void conv_pack_gather(const TileKernels *tk, const ConvPlan *plan, const float *w, float *packed, int64_t task)
{
    int64_t group, first, end, rows = plan->tile_rows;

    panels_of_task(plan, task, &group, &first, &end);
    for (int64_t p = first; p < end; p++) {
        float *to = packed + (group * plan->n_panels + p) * plan->j * rows;
        const float *from = w + (group * plan->m + p * rows) * plan->j;
        int64_t m = lesser(rows, plan->m - p * rows);

        if (m == rows) {
            tk->turn(to, from, plan->j, rows, plan->j);
            continue;
        }
        for (int64_t j = 0; j < plan->j; j++)
            for (int64_t r = 0; r < rows; r++)
                *to++ = r < m ? from[r * plan->j + j] : 0.0f;
    }
}

/* place [n_taps][rows] of the weights of panel p among those of a source channel, -1 for a weight of zero. */
static void places_of_panel(const ConvPlan *plan, const ConvShape *s, int64_t p, int32_t *place)
{
    for (int64_t tap = 0; tap < plan->n_taps; tap++)
        for (int64_t r = 0; r < plan->tile_rows; r++) {
            int64_t row = p * plan->tile_rows + r, at = conv_plan_scatter_tap(plan, s, row % plan->join, tap);

            *place++ = (int32_t)(row < plan->m && at >= 0 ? row / plan->join * s->k + at : -1);
        }
}

void conv_pack_scatter(const ConvPlan *plan, const ConvShape *s, const float *w, float *packed, int64_t task)
{
    int32_t place[PLAN_MAX_TAPS * TILE_ROWS_MAX];
    int64_t group, first, end, count = plan->n_taps * plan->tile_rows;

    panels_of_task(plan, task, &group, &first, &end);
    for (int64_t p = first; p < end; p++) {
        float *to = packed + (group * plan->n_panels + p) * plan->j * plan->tile_rows;
        const float *from = w + group * plan->c_src * plan->c_dst * s->k;

        places_of_panel(plan, s, p, place);
        for (int64_t c = 0; c < plan->c_src; c++, from += plan->c_dst * s->k)
            for (int64_t i = 0; i < count; i++)
                *to++ = place[i] >= 0 ? from[place[i]] : 0.0f;
    }
}
