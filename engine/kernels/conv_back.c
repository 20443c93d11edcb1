/* conv_back.c - gradients of convolutions over the tiles of a plan.
 *
 * Input and weight gradients read the same two signals, so a task brings both to its rows once:
 *
 *   fine rows    (fine channel, phase)      x of a gather, with ELU; dy of a scatter
 *   coarse rows  (coarse channel)           dy of a gather; x of a scatter, with ELU
 *
 *   dw  += coarse rows . shifted fine rows    dot products along the tile, of many coarse rows at once: these are turned to
 *                                             panels in which a vector holds the same frame of neighbouring rows
 *   dx   = weights * rows of dy               a product whose output rows are the rows of x, so that the slope of ELU comes
 *                                             from x's row: it is 1 above 0 and ELU(x) + 1 below, no exponential needed
 *   db  += sums of dy
 *
 * A task runs some tiles in order and keeps its own sums of dw and db; these parts are added in order at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/kernels/conv_rows.h"

/* Places of the parts of a worker's scratch, in bytes. */
typedef struct Layout {
    size_t fine_offset, coarse_offset; /* int32_t [c_block * n_taps] */
    size_t line;
    size_t fine, coarse;               /* rows; coarse ones fill up the last panel */
    size_t panels;                     /* coarse rows turned */
    size_t out;                        /* a chunk of rows of dx */
    size_t size;
} Layout;

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Vectors of coarse channels of a group, and these channels in whole vectors. */
static int64_t vector_count(const ConvBackPlan *plan)
{
    return (plan->fine.m + plan->lanes - 1) / plan->lanes;
}

static int64_t padded_rows(const ConvBackPlan *plan)
{
    return vector_count(plan) * plan->lanes;
}

/* The product that gives dx, and the rows it reads. */
static const ConvPlan *product_plan(const ConvBackPlan *plan, bool scatters)
{
    return scatters ? &plan->fine : &plan->coarse;
}

static Layout lay_out(const ConvBackPlan *plan, bool scatters)
{
    const ConvPlan *fine = &plan->fine, *coarse = &plan->coarse;
    size_t pitch = (size_t)fine->pitch;
    Layout at = {.size = 0};

    at.fine_offset = scratch_take(&at.size, (size_t)(fine->c_block * fine->n_taps));
    at.coarse_offset = scratch_take(&at.size, (size_t)(coarse->c_block * coarse->n_taps));
    at.line = scratch_take(&at.size, conv_line_count(fine));
    at.fine = scratch_take(&at.size, (size_t)(fine->c_src * fine->n_phases) * pitch);
    at.coarse = scratch_take(&at.size, (size_t)padded_rows(plan) * pitch);
    at.panels = scratch_take(&at.size, (size_t)padded_rows(plan) * pitch);
    at.out = scratch_take(&at.size, (size_t)product_plan(plan, scatters)->m_chunk * pitch);
    return at;
}

/* Partial sums: [part][group][j][padded_rows] of dw, then [part][channel of y] of db. */
static int64_t weight_sums_count(const ConvBackPlan *plan)
{
    return plan->fine.groups * plan->fine.j * padded_rows(plan);
}

static int64_t bias_sums_count(const ConvShape *s, bool scatters)
{
    return scatters ? s->c_fine : s->c_coarse;
}

ConvWork conv_tiles_back_work(const TileKernels *tk, const ConvShape *s, bool scatters)
{
    ConvBackPlan plan;
    const ConvPlan *product;

    if (!conv_plan_back(&plan, tk, s, scatters))
        return conv_ref.back_work(s, scatters);
    product = product_plan(&plan, scatters);
    return (ConvWork){.n_pack_tasks = conv_pack_tasks(product),
                      .n_tasks = plan.n_parts * plan.fine.groups,
                      .n_reduce_tasks = plan.fine.groups * vector_count(&plan) + 1,
                      .packed_count = conv_packed_count(product),
                      .partial_count = (size_t)(plan.n_parts * (weight_sums_count(&plan) + bias_sums_count(s, scatters))),
                      .scratch_size = lay_out(&plan, scatters).size};
}

void conv_tiles_back_pack(const TileKernels *tk, const ConvBackJob *job, int64_t task)
{
    ConvBackPlan plan;

    if (!job->dx || !conv_plan_back(&plan, tk, &job->shape, job->scatters))
        return;
    if (job->scatters)
        conv_pack_gather(tk, &plan.fine, job->w, job->packed, task);
    else
        conv_pack_scatter(&plan.coarse, &job->shape, job->w, job->packed, task);
}

/* --- one tile ------------------------------------------------------------------------------------------------------------------ */

/* Groups of few channels (depthwise layers, a critic's last layer): most of a vector of coarse channels would be padding. */
#define FEW_ROWS 3

static void add_few_weight_sums(const TileKernels *tk, const ConvBackPlan *plan, const int32_t *offset, const float *fine_rows,
                                const float *coarse_rows, int64_t columns, bool begin, float *sums)
{
    const ConvPlan *fine = &plan->fine;
    int64_t stride = padded_rows(plan);

    for (int64_t c = 0; c < fine->c_src; c++)
        for (int64_t tap = 0; tap < fine->n_taps; tap++, sums += stride)
            for (int64_t r = 0; r < fine->m; r++) {
                const float *row = fine_rows + c * fine->n_phases * fine->pitch + offset[tap];

                sums[r] = (begin ? 0.0f : sums[r]) + tk->dot(coarse_rows + r * fine->pitch, row, columns);
            }
}

static void add_weight_sums(const TileKernels *tk, const ConvBackPlan *plan, const int32_t *offset, const float *fine_rows,
                            const float *coarse_rows, float *panels, int64_t columns, bool begin, float *sums)
{
    const ConvPlan *fine = &plan->fine;
    int64_t stride = padded_rows(plan);

    if (fine->m <= FEW_ROWS) {
        add_few_weight_sums(tk, plan, offset, fine_rows, coarse_rows, columns, begin, sums);
        return;
    }
    for (int64_t r = 0; r < stride; r += plan->lanes)
        tk->turn(panels + r * columns, coarse_rows + r * fine->pitch, fine->pitch, plan->lanes, columns);
    for (int64_t c = 0; c < fine->c_src; c += fine->c_block)
        tk->dots(&(TileDots){.m = stride,
                             .n = columns,
                             .n_j = lesser(fine->c_block, fine->c_src - c) * fine->n_taps,
                             .a = panels,
                             .rows = fine_rows + c * fine->n_phases * fine->pitch,
                             .offset = offset,
                             .begin = begin,
                             .sums = sums + c * fine->n_taps * stride,
                             .sums_stride = stride});
}

/* Samples of dy, first .. end - 1 along one axis, that belong to n columns from `at` on. */
static void samples_of(const PlanAxis *to, int64_t at, int64_t n, int64_t *first, int64_t *end)
{
    *first = greater(to->dst_origin + at * to->join, 0);
    *end = lesser(to->dst_origin + (at + n) * to->join, to->n_dst);
}

/* Sums of dy over the samples that belong to the tile's columns. */
static void add_bias_sums(const TileKernels *tk, const ConvBackPlan *plan, const ConvTile *tile, const ConvBackJob *job,
                          int64_t group, float *sums)
{
    const ConvPlan *to = job->scatters ? &plan->coarse : &plan->fine; /* the plan whose output is y */
    int64_t first, end, top, bottom;

    samples_of(&to->x, tile->first, tile->n, &first, &end);
    samples_of(&to->y, tile->top, tile->n_lines, &top, &bottom);
    for (int64_t c = 0; c < to->c_dst && first < end; c++)
        for (int64_t i = 0; i < tile->n_items; i++) {
            int64_t channel = ((tile->b + i) * to->groups + group) * to->c_dst + c;
            float sum = 0.0f;

            for (int64_t l = top; l < bottom; l++)
                sum += tk->sum(job->dy + (channel * to->y.n_dst + l) * to->x.n_dst + first, end - first);
            sums[group * to->c_dst + c] += sum;
        }
}

static void store_input_grad(const TileKernels *tk, const ConvBackPlan *plan, const ConvTile *tile, const ConvBackJob *job,
                             int64_t group, const int32_t *offset, const float *dy_rows, const float *x_rows, float *line,
                             float *out)
{
    const ConvPlan *product = product_plan(plan, job->scatters);
    const float *packed = job->packed + group * product->n_panels * product->j * product->tile_rows;
    int64_t columns = conv_tile_columns(product, tile);
    RowTarget target = {.y = job->dx, .add = job->add, .slope_at = job->elu && !plan->slope_from_rows ? job->x : NULL};
    bool direct = conv_rows_are_direct(product, tile) && (!job->add || (product->n_blocks == 1 && !job->elu)) && !target.slope_at;

    for (int64_t first = 0; first < product->m; first += product->m_chunk) {
        int64_t m = lesser(product->m_chunk, product->m - first);

        float *to = direct ? job->dx + conv_rows_place(product, tile, group, first) : out;
        int64_t pitch = direct ? product->y.n_dst * product->x.n_dst : product->pitch;

        conv_rows_multiply(tk, product, offset, dy_rows, &(PackedWeights){.floats = packed}, NULL, first, m, columns, to, pitch,
                           direct && target.add ? ROW_SUM_IS_ADDED : ROW_SUM_BEGINS);
        for (int64_t r = 0; r < m && job->elu && plan->slope_from_rows; r++)
            tk->slope(to + r * pitch, x_rows + (first + r) * product->pitch, columns);
        if (!direct)
            conv_rows_store(tk, product, tile, group, first, m, out, line, &target);
    }
}

/* --- tasks --------------------------------------------------------------------------------------------------------------------- */

void conv_tiles_back(const TileKernels *tk, const ConvBackJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    ConvBackPlan plan;
    Layout at;

    if (!conv_plan_back(&plan, tk, s, job->scatters)) {
        conv_ref.back(job, task, scratch);
        return;
    }
    at = lay_out(&plan, job->scatters);

    int64_t group = task % plan.fine.groups, part = task / plan.fine.groups, stride = padded_rows(&plan);
    int64_t n_tiles = plan.fine.n_tiles, group_count = plan.fine.j * stride;
    int64_t first = n_tiles * part / plan.n_parts, end = n_tiles * (part + 1) / plan.n_parts;
    float *weight_sums = job->partial + part * weight_sums_count(&plan) + group * group_count;
    float *bias_sums = job->partial + plan.n_parts * weight_sums_count(&plan) + part * bias_sums_count(s, job->scatters);
    char *base = scratch;
    int32_t *fine_offset = (void *)(base + at.fine_offset), *coarse_offset = (void *)(base + at.coarse_offset);
    float *line = (void *)(base + at.line), *fine = (void *)(base + at.fine), *coarse = (void *)(base + at.coarse);
    /* coarse rows without their halo: the columns of the fine ones */
    const float *frames = coarse + plan.coarse.y.halo * plan.coarse.line + plan.coarse.x.halo;
    RowSource fine_source = {.x = job->scatters ? job->dy : job->x, .elu = job->elu && !job->scatters};
    RowSource coarse_source = {.x = job->scatters ? job->x : job->dy, .elu = job->elu && job->scatters};
    const bool reads_x = job->dw || (job->dx && job->elu); /* not when the weights are fixed and nothing bends x on its way in */
    int64_t y_channels = bias_sums_count(s, job->scatters) / plan.fine.groups;

    conv_rows_offsets(&plan.fine, fine_offset);
    conv_rows_offsets(&plan.coarse, coarse_offset);
    if (first == end || plan.fine.m <= FEW_ROWS) /* padding is added up, too */
        memset(weight_sums, 0, (size_t)group_count * sizeof *weight_sums);
    memset(bias_sums + group * y_channels, 0, (size_t)y_channels * sizeof *bias_sums);
    if (plan.fine.m > FEW_ROWS)
        memset(coarse + plan.fine.m * plan.fine.pitch, 0, (size_t)((stride - plan.fine.m) * plan.fine.pitch) * sizeof *coarse);
    for (int64_t i = first; i < end; i++) {
        ConvTile tile = conv_plan_tile(&plan.fine, s->batch, i);

        if (reads_x || job->scatters)
            conv_rows_fill(tk, &plan.fine, &tile, group, &fine_source, line, fine);
        if (reads_x || !job->scatters)
            conv_rows_fill(tk, &plan.coarse, &tile, group, &coarse_source, line, coarse);
        if (job->dw)
            add_weight_sums(tk, &plan, fine_offset, fine, frames, (void *)(base + at.panels),
                            conv_tile_columns(&plan.fine, &tile), i == first, weight_sums);
        if (job->db)
            add_bias_sums(tk, &plan, &tile, job, group, bias_sums);
        if (job->dx)
            store_input_grad(tk, &plan, &tile, job, group, job->scatters ? fine_offset : coarse_offset,
                             job->scatters ? fine : coarse, job->scatters ? frames : fine, line, (void *)(base + at.out));
    }
}

/* total [n][lanes] = the sums of all parts. Their rows are far apart: those of the next block are asked for ahead. */
static inline __attribute__((always_inline)) void add_parts(const ConvBackPlan *plan, const float *sums, int64_t n, int64_t lanes,
                                                            float *total)
{
    int64_t stride = padded_rows(plan), part_stride = weight_sums_count(plan);

    for (int64_t j = 0; j < n; j++, sums += stride, total += lanes) {
        for (int64_t r = 0; r < lanes; r++)
            total[r] = sums[r];
        __builtin_prefetch(sums + lanes * stride);
        for (int64_t part = 1; part < plan->n_parts; part++) {
            const float *from = sums + part * part_stride;

            __builtin_prefetch(from + lanes * stride);
            for (int64_t r = 0; r < lanes; r++)
                total[r] += from[r];
        }
    }
}

/* dw of `m` coarse channels (at most `lanes`) from their sums [part][j][stride], by blocks whose columns become rows. */
static void add_weight_parts(const TileKernels *tk, const ConvBackPlan *plan, const float *sums, int64_t m, float *dw)
{
    int64_t lanes = plan->lanes, n_j = plan->fine.j;
    float total[TILE_LANES_MAX * TILE_LANES_MAX] = {0}, turned[TILE_LANES_MAX * TILE_LANES_MAX];

    for (int64_t first = 0; first < n_j; first += lanes) {
        int64_t n = lesser(lanes, n_j - first);

        if (lanes == TILE_LANES_MAX)
            add_parts(plan, sums + first * padded_rows(plan), n, TILE_LANES_MAX, total);
        else
            add_parts(plan, sums + first * padded_rows(plan), n, lanes, total);
        tk->turn(turned, total, lanes, lanes, lanes);
        for (int64_t r = 0; r < m; r++) {
            __builtin_prefetch(dw + r * n_j + first + lanes, 1);
            for (int64_t j = 0; j < n; j++)
                dw[r * n_j + first + j] += turned[r * lanes + j];
        }
    }
}

void conv_tiles_back_reduce(const TileKernels *tk, const ConvBackJob *job, int64_t task)
{
    int64_t n_bias = bias_sums_count(&job->shape, job->scatters), group, first;
    ConvBackPlan plan;
    const ConvPlan *fine = &plan.fine;
    const float *sums = job->partial;

    if (!conv_plan_back(&plan, tk, &job->shape, job->scatters))
        return;
    group = task / vector_count(&plan);
    if (group == fine->groups) {
        sums += plan.n_parts * weight_sums_count(&plan);
        for (int64_t part = 0; part < plan.n_parts && job->db; part++)
            for (int64_t c = 0; c < n_bias; c++)
                job->db[c] += sums[part * n_bias + c];
        return;
    }
    first = task % vector_count(&plan) * plan.lanes;
    if (job->dw)
        add_weight_parts(tk, &plan, sums + group * fine->j * padded_rows(&plan) + first, lesser(plan.lanes, fine->m - first),
                         job->dw + (group * fine->m + first) * fine->j);
}
