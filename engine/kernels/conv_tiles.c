/* conv_tiles.c - gather and scatter over the tiles of a plan.
 *
 *   pack     weights -> panels of output rows, once for all tiles (conv_rows.h)
 *   task     one tile: fill the rows from x (padding, context, ELU, phases), then for each chunk of output rows and each
 *            block of channels multiply; a finished chunk goes to y, directly where y's rows are the tile's rows,
 *            else through scratch (phases joined, lines and items that lie side by side told apart)
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv_tiles.h"

#include "engine/kernels/conv_pairs.h"
#include "engine/kernels/conv_rows.h"

/* Places of the parts of a worker's scratch, in bytes. */
typedef struct Layout {
    size_t offset; /* int32_t [c_block * n_taps] */
    size_t line;   /* one line of a channel before its phases are split, or after they are joined */
    size_t rows;   /* [c_src * n_phases][pitch], of pairs [c_src * n_phases][3][pair_pitch] */
    size_t out;    /* [m_chunk][pitch] */
    size_t channel, halves; /* of pairs: [n_phases][pitch] and [m_chunk][2][pair_pitch] */
    size_t weights; /* of a block, as floats */
    size_t size;
} Layout;

static Layout lay_out(const ConvPlan *plan)
{
    Layout at = {.size = 0};

    at.offset = scratch_take(&at.size, (size_t)(plan->c_block * plan->n_terms));
    at.line = scratch_take(&at.size, conv_line_count(plan));
    at.rows = scratch_take(&at.size, (size_t)(plan->c_src * plan->n_phases * (plan->pairs ? 3 * plan->pair_pitch : plan->pitch)));
    at.out = scratch_take(&at.size, (size_t)(plan->m_chunk * plan->pitch));
    at.channel = scratch_take(&at.size, plan->pairs ? (size_t)(plan->n_phases * plan->pitch) : 0);
    at.halves = scratch_take(&at.size, plan->pairs ? (size_t)(2 * plan->m_chunk * plan->pair_pitch) : 0);
    at.weights = scratch_take(&at.size, conv_widened_count(plan));
    return at;
}

static ConvWork work_of(const ConvPlan *plan)
{
    return (ConvWork){.n_pack_tasks = conv_pack_tasks(plan),
                      .n_tasks = plan->groups * plan->n_tiles * plan->m_split,
                      .packed_count = conv_packed_count(plan),
                      .scratch_size = lay_out(plan).size};
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

/* Negative numbers of a finished chunk become 0 while they are in the cache. */
static void rectify(float *y, int64_t m, int64_t columns, int64_t y_stride)
{
    for (int64_t r = 0; r < m; r++, y += y_stride)
        for (int64_t t = 0; t < columns; t++)
            y[t] = y[t] < 0.0f ? 0.0f : y[t];
}

/* Whether products write y themselves. */
static bool may_be_direct(const ConvPlan *plan, int64_t columns, bool add)
{
    return plan->pairs ? columns % 2 == 0 && !add : plan->n_blocks == 1 || !add;
}

static void run_tile(const TileKernels *tk, const ConvPlan *plan, const ConvJob *job, int64_t task, char *scratch)
{
    int64_t share = task % plan->m_split, group = task / plan->m_split % plan->groups;
    ConvTile tile = conv_plan_tile(plan, job->shape.batch, task / plan->m_split / plan->groups);
    int64_t columns = conv_tile_columns(plan, &tile);
    int64_t count = plan->y.n_dst * plan->x.n_dst;
    int64_t group_weights = group * plan->n_sums * conv_sum_weights(plan);
    float bias_room[PLAN_CHUNK_MAX];
    Layout at = lay_out(plan);
    PackedWeights packed = {.floats = job->ready_half ? NULL : job->ready + group_weights,
                            .halves = job->ready_half ? job->ready_half + group_weights : NULL,
                            .room = (void *)(scratch + at.weights)};
    int32_t *offset = (void *)(scratch + at.offset);
    float *line = (void *)(scratch + at.line), *rows = (void *)(scratch + at.rows), *out = (void *)(scratch + at.out);
    float *channel = (void *)(scratch + at.channel), *halves = (void *)(scratch + at.halves);
    const RowSource source = {job->x, job->context, job->elu};

    if (plan->pairs) {
        conv_pairs_offsets(plan, offset);
        conv_pairs_fill(tk, plan, &tile, group, &source, line, channel, rows);
    } else {
        conv_rows_offsets(plan, offset);
        conv_rows_fill(tk, plan, &tile, group, &source, line, rows);
    }
    for (int64_t first = share * plan->m_chunk; first < plan->m; first += plan->m_split * plan->m_chunk) {
        int64_t m = plan->m - first < plan->m_chunk ? plan->m - first : plan->m_chunk;
        const float *bias = chunk_bias(plan, job, group, first, m, bias_room);

        if (conv_rows_are_direct(plan, &tile) && may_be_direct(plan, columns, job->add)) {
            float *y = job->y + conv_rows_place(plan, &tile, group, first);

            if (plan->pairs)
                conv_pairs_multiply(tk, plan, offset, rows, &packed, bias, first, m, columns, halves, y, count);
            else
                conv_rows_multiply(tk, plan, offset, rows, &packed, bias, first, m, columns, y, count,
                                   job->add ? ROW_SUM_IS_ADDED : ROW_SUM_BEGINS);
            if (job->relu)
                rectify(y, m, columns, count);
        } else {
            if (plan->pairs)
                conv_pairs_multiply(tk, plan, offset, rows, &packed, bias, first, m, columns, halves, out, plan->pitch);
            else
                conv_rows_multiply(tk, plan, offset, rows, &packed, bias, first, m, columns, out, plan->pitch, ROW_SUM_BEGINS);
            if (job->relu)
                rectify(out, m, columns, plan->pitch);
            conv_rows_store(tk, plan, &tile, group, first, m, out, line, &(RowTarget){.y = job->y, .add = job->add});
        }
    }
}

ConvWork conv_tiles_gather_work(const TileKernels *tk, const ConvShape *s)
{
    ConvPlan plan;

    return conv_plan_gather(&plan, tk, s) ? work_of(&plan) : conv_ref.gather_work(s);
}

void conv_tiles_gather_pack(const TileKernels *tk, const ConvJob *job, int64_t task)
{
    ConvPlan plan;

    if (!conv_plan_gather(&plan, tk, &job->shape))
        return;
    if (plan.pairs)
        conv_pairs_pack_gather(&plan, job->w, job->packed, task);
    else
        conv_pack_gather(tk, &plan, job->w, job->packed, task);
}

void conv_tiles_gather(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch)
{
    ConvPlan plan;

    if (conv_plan_gather(&plan, tk, &job->shape))
        run_tile(tk, &plan, job, task, scratch);
    else
        conv_ref.gather(job, task, scratch);
}

ConvWork conv_tiles_scatter_work(const TileKernels *tk, const ConvShape *s)
{
    ConvPlan plan;

    return conv_plan_scatter(&plan, tk, s) ? work_of(&plan) : conv_ref.scatter_work(s);
}

void conv_tiles_scatter_pack(const TileKernels *tk, const ConvJob *job, int64_t task)
{
    ConvPlan plan;

    if (!conv_plan_scatter(&plan, tk, &job->shape))
        return;
    if (plan.pairs)
        conv_pairs_pack_scatter(&plan, job->w, job->packed, task);
    else
        conv_pack_scatter(&plan, &job->shape, job->w, job->packed, task);
}

void conv_tiles_scatter(const TileKernels *tk, const ConvJob *job, int64_t task, void *scratch)
{
    ConvPlan plan;

    if (conv_plan_scatter(&plan, tk, &job->shape))
        run_tile(tk, &plan, job, task, scratch);
    else
        conv_ref.scatter(job, task, scratch);
}
