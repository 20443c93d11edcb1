/* conv_tiles.c - gather, scatter and weight gradients over the tiles of a plan.
 *
 *   pack     weights -> panels of TILE_ROWS output rows, [panel][j][TILE_ROWS], once for all tiles
 *   task     one tile: fill the rows from x (padding, context, ELU, phases), then for each chunk of output rows and each
 *            block of channels multiply; a finished chunk goes to y, directly where y's rows are the tile's rows,
 *            else through scratch (phases joined, multiplied by a slope, added)
 *
 * Accumulators of a sum that spans several blocks wait in y or in scratch; storing a float and loading it again changes
 * nothing, so the order of additions is that of one long sum.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv_tiles.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/conv_plan.h"

#define PANELS_PER_PACK 16
#define PARTS_MAX 8         /* partial weight gradients, added at the end in order */
#define DOTS_ROWS 8         /* rows of the coarse signal that stay in the first level while all rows j pass by */

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- scratch of a worker ---------------------------------------------------------------------------------------------- */

typedef struct Scratch {
    int32_t *offset; /* [c_block * n_taps] */
    float *line;     /* one channel before its phases are split, or after they are joined */
    float *rows;     /* [c_src * n_phases][pitch] */
    float *out;      /* [m_chunk][pitch]; for weight gradients the coarse rows [m of whole panels][pitch] */
} Scratch;

static size_t aligned(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

/* Bytes of each part. */
typedef struct ScratchSizes {
    size_t offset, line, rows, out;
} ScratchSizes;

static ScratchSizes scratch_sizes(const ConvPlan *plan, int64_t out_rows)
{
    int64_t widest = plan->split > plan->join ? plan->split : plan->join;

    return (ScratchSizes){
        .offset = aligned((size_t)(plan->c_block * plan->n_taps) * sizeof(int32_t)),
        .line = aligned((size_t)((plan->pitch + 8) * widest) * sizeof(float)),
        .rows = aligned((size_t)(plan->c_src * plan->n_phases * plan->pitch) * sizeof(float)),
        .out = aligned((size_t)(out_rows * plan->pitch) * sizeof(float)),
    };
}

static size_t scratch_size(const ConvPlan *plan, int64_t out_rows)
{
    ScratchSizes size = scratch_sizes(plan, out_rows);

    return size.offset + size.line + size.rows + size.out;
}

static Scratch lay_out(const ConvPlan *plan, int64_t out_rows, void *base)
{
    ScratchSizes size = scratch_sizes(plan, out_rows);
    char *line = (char *)base + size.offset, *rows = line + size.line, *out = rows + size.rows;

    return (Scratch){base, (void *)line, (void *)rows, (void *)out};
}

static void fill_offsets(const ConvPlan *plan, int32_t *offset)
{
    for (int64_t c = 0; c < plan->c_block; c++)
        for (int64_t i = 0; i < plan->n_taps; i++)
            *offset++ = (int32_t)((c * plan->n_phases + plan->tap_phase[i]) * plan->pitch + plan->tap_shift[i]);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------- */

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
    if (plan->n_phases == plan->split) { /* then they are in order: dilation 1, or taps that meet every phase */
        bool in_order = true;

        for (int64_t q = 0; q < plan->split; q++)
            in_order = in_order && plan->phase[q] == q;
        if (in_order) {
            tk->split(rows, plan->pitch, line, plan->split, n);
            return;
        }
    }
    for (int64_t q = 0; q < plan->n_phases; q++)
        for (int64_t t = 0; t < n; t++)
            rows[q * plan->pitch + t] = line[t * plan->split + plan->phase[q]];
}

/* Fills the rows of channel c for all signals of a tile; x points at the channel in the tile's first signal. */
static void fill_channel(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, const float *x, int64_t x_stride,
                         const float *context, int64_t context_stride, bool elu, float *line, float *rows)
{
    int64_t width = tile->n + plan->halo, used = (tile->n_items - 1) * (plan->seg + plan->halo) + width;

    for (int64_t i = 0; i < tile->n_items; i++) {
        int64_t first = plan->src_origin + tile->first * plan->split;
        float *to = rows + i * (plan->seg + plan->halo);
        const float *x_item = x + i * x_stride, *context_item = context ? context + i * context_stride : NULL;

        if (plan->split == 1) {
            fill_line(tk, to, first, width, x_item, plan->n_src, context_item, plan->n_context, elu);
        } else {
            fill_line(tk, line, first, width * plan->split, x_item, plan->n_src, context_item, plan->n_context, elu);
            split_line(tk, plan, to, line, width);
        }
    }
    for (int64_t q = 0; q < plan->n_phases; q++)
        memset(rows + q * plan->pitch + used, 0, (size_t)(plan->pitch - used) * sizeof *rows);
}

/* --- gather and scatter -------------------------------------------------------------------------------------------------- */

static ConvWork sum_work(const ConvPlan *plan)
{
    return (ConvWork){.n_pack_tasks = plan->groups * ceil_div(plan->n_panels, PANELS_PER_PACK),
                      .n_tasks = plan->groups * plan->n_tiles * plan->m_split,
                      .packed_count = (size_t)(plan->groups * plan->n_panels * plan->j * TILE_ROWS),
                      .scratch_size = scratch_size(plan, plan->m_chunk)};
}

/* Sends a finished chunk of output rows, first_row on, from scratch to y. */
static void store_chunk(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, const ConvJob *job,
                        const Scratch *sc, int64_t first_row, int64_t n_rows, int64_t group)
{
    int64_t channels = plan->groups * plan->c_dst;

    for (int64_t r = 0; r < n_rows; r += plan->join)
        for (int64_t i = 0; i < tile->n_items; i++) {
            const float *src = sc->out + r * plan->pitch + i * (plan->seg + plan->halo);
            int64_t c = group * plan->c_dst + (first_row + r) / plan->join;
            int64_t row = ((tile->b + i) * channels + c) * plan->n_dst;
            int64_t first = plan->dst_origin + tile->first * plan->join, end = first + tile->n * plan->join;
            int64_t skip = first < 0 ? -first : 0;

            if (plan->join > 1) {
                tk->join(sc->line, src, plan->pitch, plan->join, tile->n);
                src = sc->line;
            }
            end = lesser(end, plan->n_dst);
            if (end > first + skip)
                tk->finish(job->y + row + first + skip, src + skip, end - first - skip, job->add,
                           job->slope_at ? job->slope_at + row + first + skip : NULL);
        }
}

/* bias of output rows first_row .. : one per channel of y, repeated for its phases. */
static const float *chunk_bias(const ConvPlan *plan, const ConvJob *job, int64_t group, int64_t first_row, int64_t n_rows,
                               float *room)
{
    if (!job->bias)
        return NULL;
    for (int64_t r = 0; r < n_rows; r++)
        room[r] = job->bias[group * plan->c_dst + (first_row + r) / plan->join];
    return room;
}

static void multiply_chunk(const TileKernels *tk, const ConvPlan *plan, const Scratch *sc, const float *panels,
                           const float *bias, int64_t m, int64_t columns, float *y, int64_t y_stride)
{
    for (int64_t block = 0; block < plan->n_blocks; block++) {
        int64_t c_first = block * plan->c_block, c_count = lesser(plan->c_block, plan->c_src - c_first);
        TileProduct product = {.m = m,
                               .n_j = c_count * plan->n_taps,
                               .w = panels + c_first * plan->n_taps * TILE_ROWS,
                               .panel_stride = plan->j * TILE_ROWS,
                               .offset = sc->offset,
                               .begin = block == 0,
                               .bias = bias,
                               .y_stride = y_stride};

        for (int64_t t = 0; t < columns; t += TILE_COLUMNS) {
            product.n = lesser(TILE_COLUMNS, columns - t);
            product.rows = sc->rows + c_first * plan->n_phases * plan->pitch + t;
            product.y = y + t;
            tk->product(&product);
        }
    }
}

static void run_tile(const TileKernels *tk, const ConvPlan *plan, const ConvJob *job, int64_t task, void *scratch)
{
    int64_t share = task % plan->m_split, group = task / plan->m_split % plan->groups;
    ConvTile tile = conv_plan_tile(plan, job->shape.batch, task / plan->m_split / plan->groups);
    int64_t columns = conv_tile_columns(plan, &tile), c_all = plan->groups * plan->c_src;
    int64_t n_chunks = ceil_div(plan->m, plan->m_chunk);
    bool direct = plan->join == 1 && tile.n_items == 1 && !job->add && !job->slope_at;
    const float *panels = job->packed + group * plan->n_panels * plan->j * TILE_ROWS;
    float bias_room[PLAN_CHUNK_MAX];
    Scratch sc = lay_out(plan, plan->m_chunk, scratch);

    fill_offsets(plan, sc.offset);
    for (int64_t c = 0; c < plan->c_src; c++) {
        int64_t row = tile.b * c_all + group * plan->c_src + c;

        fill_channel(tk, plan, &tile, job->x + row * plan->n_src, c_all * plan->n_src,
                     job->context ? job->context + row * plan->n_context : NULL, c_all * plan->n_context, job->elu, sc.line,
                     sc.rows + c * plan->n_phases * plan->pitch);
    }
    for (int64_t chunk = share; chunk < n_chunks; chunk += plan->m_split) {
        int64_t first_row = chunk * plan->m_chunk, m = lesser(plan->m_chunk, plan->m - first_row);
        const float *bias = chunk_bias(plan, job, group, first_row, m, bias_room);
        float *y = sc.out;

        if (direct)
            y = job->y + (tile.b * plan->groups * plan->c_dst + group * plan->c_dst + first_row) * plan->n_dst + tile.first;
        multiply_chunk(tk, plan, &sc, panels + first_row * plan->j, bias, m, columns, y, direct ? plan->n_dst : plan->pitch);
        if (!direct)
            store_chunk(tk, plan, &tile, job, &sc, first_row, m, group);
    }
}

ConvWork conv_tiles_gather_work(const ConvShape *s)
{
    ConvPlan plan;

    return conv_plan_gather(&plan, s) ? sum_work(&plan) : conv_ref.gather_work(s);
}

void conv_tiles_gather_pack(const ConvJob *job, int64_t task)
{
    ConvPlan plan;
    int64_t tasks_per_group, group, first, end;

    if (!conv_plan_gather(&plan, &job->shape))
        return;
    tasks_per_group = ceil_div(plan.n_panels, PANELS_PER_PACK);
    group = task / tasks_per_group;
    first = task % tasks_per_group * PANELS_PER_PACK;
    end = lesser(first + PANELS_PER_PACK, plan.n_panels);
    for (int64_t p = first; p < end; p++) {
        float *to = job->packed + (group * plan.n_panels + p) * plan.j * TILE_ROWS;
        const float *w = job->w + (group * plan.m + p * TILE_ROWS) * plan.j;
        int64_t m = lesser(TILE_ROWS, plan.m - p * TILE_ROWS);

        if (m == TILE_ROWS) {
            for (int64_t j = 0; j < plan.j; j++, to += TILE_ROWS) {
                to[0] = w[j];
                to[1] = w[plan.j + j];
                to[2] = w[2 * plan.j + j];
                to[3] = w[3 * plan.j + j];
            }
        } else {
            for (int64_t j = 0; j < plan.j; j++)
                for (int64_t r = 0; r < TILE_ROWS; r++)
                    *to++ = r < m ? w[r * plan.j + j] : 0.0f;
        }
    }
}

void conv_tiles_gather(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch)
{
    ConvPlan plan;

    if (conv_plan_gather(&plan, &job->shape))
        run_tile(tk, &plan, job, task, scratch);
    else
        conv_ref.gather(job, task, scratch);
}

ConvWork conv_tiles_scatter_work(const ConvShape *s)
{
    ConvPlan plan;

    if (!conv_plan_scatter(&plan, s))
        return conv_ref.scatter_work(s);
    return sum_work(&plan);
}

void conv_tiles_scatter_pack(const ConvJob *job, int64_t task)
{
    const ConvShape *s = &job->shape;
    ConvPlan plan;
    int64_t tasks_per_group, group, first, end;
    int16_t tap_of[PLAN_MAX_STRIDE * PLAN_MAX_TAPS];

    if (!conv_plan_scatter(&plan, s))
        return;
    tasks_per_group = ceil_div(plan.n_panels, PANELS_PER_PACK);
    group = task / tasks_per_group;
    first = task % tasks_per_group * PANELS_PER_PACK;
    end = lesser(first + PANELS_PER_PACK, plan.n_panels);
    for (int64_t q = 0; q < plan.join; q++)
        for (int64_t tap = 0; tap < plan.n_taps; tap++)
            tap_of[q * plan.n_taps + tap] = (int16_t)conv_plan_scatter_tap(&plan, s, q, tap);
    /* Channels outside, panels inside: w is read in order. */
    for (int64_t c = 0; c < plan.c_src; c++) {
        const float *w = job->w + (group * plan.c_src + c) * plan.c_dst * s->k;
        int64_t channel = first * TILE_ROWS / plan.join, q = first * TILE_ROWS % plan.join;

        for (int64_t p = first; p < end; p++) {
            float *to = job->packed + ((group * plan.n_panels + p) * plan.j + c * plan.n_taps) * TILE_ROWS;

            for (int64_t r = 0; r < TILE_ROWS; r++) {
                const int16_t *taps = tap_of + q * plan.n_taps;

                for (int64_t tap = 0; tap < plan.n_taps; tap++)
                    to[tap * TILE_ROWS + r] = channel < plan.c_dst && taps[tap] >= 0 ? w[channel * s->k + taps[tap]] : 0.0f;
                if (++q == plan.join) {
                    q = 0;
                    channel++;
                }
            }
        }
    }
}

void conv_tiles_scatter(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch)
{
    ConvPlan plan;

    if (conv_plan_scatter(&plan, &job->shape))
        run_tile(tk, &plan, job, task, scratch);
    else
        conv_ref.scatter(job, task, scratch);
}

/* --- weight gradients ---------------------------------------------------------------------------------------------------- */

/* A task sums one part of the tiles for one group and one block of channels. Enough blocks feed all threads; otherwise
 * parts do, each with its own sums. */
static int64_t count_parts(const ConvPlan *plan)
{
    int64_t others = plan->groups * plan->n_blocks;

    return others >= PARTS_MAX ? 1 : lesser(PARTS_MAX, plan->n_tiles > 0 ? plan->n_tiles : 1);
}

static int64_t padded_rows(const ConvPlan *plan)
{
    return plan->n_panels * TILE_ROWS;
}

ConvWork conv_tiles_weights_work(const ConvShape *s)
{
    ConvPlan plan;
    int64_t parts;

    if (!conv_plan_weights(&plan, s))
        return conv_ref.weights_work(s);
    parts = count_parts(&plan);
    return (ConvWork){.n_tasks = parts * plan.groups * plan.n_blocks,
                      .n_reduce_tasks = plan.groups * plan.n_panels,
                      .partial_count = (size_t)(parts * plan.groups * plan.j * padded_rows(&plan)),
                      .scratch_size = scratch_size(&plan, padded_rows(&plan))};
}

/* Coarse rows of a tile, with zeros between signals, beyond the tile and in the rows that fill up the last panel. */
static void fill_coarse(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, const ConvWeightJob *job,
                        int64_t group, float *out)
{
    int64_t c_all = plan->groups * plan->c_dst, n = plan->n_columns;

    for (int64_t r = 0; r < padded_rows(plan); r++, out += plan->pitch) {
        int64_t used = 0;

        for (int64_t i = 0; r < plan->m && i < tile->n_items; i++) {
            const float *src = job->coarse + ((tile->b + i) * c_all + group * plan->c_dst + r) * n + tile->first;

            memset(out + used, 0, (size_t)(i * (plan->seg + plan->halo) - used) * sizeof *out);
            used = i * (plan->seg + plan->halo);
            tk->load(out + used, src, tile->n, job->elu_coarse);
            used += tile->n;
        }
        memset(out + used, 0, (size_t)(plan->pitch - used) * sizeof *out);
    }
}

void conv_tiles_weights(const TileKernels *tk, const ConvWeightJob *job, int64_t task, void *scratch)
{
    ConvPlan plan;
    int64_t parts, part, group, block, c_first, c_count, c_all, first, end, stride;
    float *sums;
    Scratch sc;

    if (!conv_plan_weights(&plan, &job->shape)) {
        conv_ref.weights(job, task, scratch);
        return;
    }
    parts = count_parts(&plan);
    block = task % plan.n_blocks;
    group = task / plan.n_blocks % plan.groups;
    part = task / plan.n_blocks / plan.groups;
    c_first = block * plan.c_block;
    c_count = lesser(plan.c_block, plan.c_src - c_first);
    c_all = plan.groups * plan.c_src;
    first = plan.n_tiles * part / parts;
    end = plan.n_tiles * (part + 1) / parts;
    stride = padded_rows(&plan);
    sums = job->partial + ((part * plan.groups + group) * plan.j + c_first * plan.n_taps) * stride;
    memset(sums, 0, (size_t)(c_count * plan.n_taps * stride) * sizeof *sums);
    sc = lay_out(&plan, stride, scratch);
    fill_offsets(&plan, sc.offset);
    for (int64_t i = first; i < end; i++) {
        ConvTile tile = conv_plan_tile(&plan, job->shape.batch, i);

        for (int64_t c = 0; c < c_count; c++)
            fill_channel(tk, &plan, &tile,
                         job->fine + (tile.b * c_all + group * plan.c_src + c_first + c) * plan.n_src, c_all * plan.n_src,
                         NULL, 0, job->elu_fine, sc.line, sc.rows + c * plan.n_phases * plan.pitch);
        fill_coarse(tk, &plan, &tile, job, group, sc.out);
        for (int64_t r = 0; r < stride; r += DOTS_ROWS)
            tk->dots(&(TileDots){.m = lesser(DOTS_ROWS, stride - r),
                                 .n = conv_tile_columns(&plan, &tile),
                                 .n_j = c_count * plan.n_taps,
                                 .a = sc.out + r * plan.pitch,
                                 .a_stride = plan.pitch,
                                 .rows = sc.rows,
                                 .offset = sc.offset,
                                 .sums = sums + r,
                                 .sums_stride = stride});
    }
}

void conv_tiles_weights_reduce(const ConvWeightJob *job, int64_t task)
{
    ConvPlan plan;
    int64_t parts, group, panel, m;

    if (!conv_plan_weights(&plan, &job->shape))
        return;
    parts = count_parts(&plan);
    group = task / plan.n_panels;
    panel = task % plan.n_panels;
    m = lesser(TILE_ROWS, plan.m - panel * TILE_ROWS);
    for (int64_t j = 0; j < plan.j; j++) {
        float total[TILE_ROWS] = {0.0f};

        for (int64_t part = 0; part < parts; part++) {
            const float *sums = job->partial + ((part * plan.groups + group) * plan.j + j) * padded_rows(&plan) +
                                panel * TILE_ROWS;

            for (int64_t r = 0; r < TILE_ROWS; r++)
                total[r] += sums[r];
        }
        for (int64_t r = 0; r < m; r++)
            job->dw[(group * plan.m + panel * TILE_ROWS + r) * plan.j + j] += total[r];
    }
}
