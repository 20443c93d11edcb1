/* conv_rows.h - the steps that forward and backward tiles share: rows in, products, rows out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_ROWS_H
#define RESIDUA_KERNELS_CONV_ROWS_H

#include "engine/base/mem.h"
#include "engine/kernels/conv_plan.h"

/* Place for `count` 4-byte numbers in a scratch block of which *used bytes are taken. */
static inline size_t scratch_take(size_t *used, size_t count)
{
    size_t at = *used;

    *used += (count * sizeof(float) + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    return at;
}

/* A signal on its way into rows: [batch, c, n] with channels of all groups. */
typedef struct RowSource {
    const float *x;
    const float *context; /* [batch, c, plan->n_context] or NULL */
    bool elu;
} RowSource;

/* Where output rows go: [batch, c, n]. */
typedef struct RowTarget {
    float *y;
    bool add;
    const float *slope_at; /* shape of y or NULL: multiply by ELU' of it */
} RowTarget;

/* Fills rows [c_src * n_phases][pitch] of a group from the source, zeros beyond the tile. line: scratch of conv_line_count
 * floats. */
void conv_rows_fill(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, const RowSource *source,
                    float *line, float *rows);
/* Rows [n_phases][pitch] of channel c alone. */
void conv_rows_fill_channel(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t c,
                            const RowSource *source, float *line, float *rows);
size_t conv_line_count(const ConvPlan *plan);

/* offset [c_block * n_taps] of row_j from the first row of its block; the same for every block. */
void conv_rows_offsets(const ConvPlan *plan, int32_t *offset);

/* The packed weights of a group: floats, or halves, which become floats in `room` [conv_widened_count] block by block. */
typedef struct PackedWeights {
    const float *floats;
    const uint16_t *halves; /* NULL: floats */
    float *room;
} PackedWeights;
size_t conv_widened_count(const ConvPlan *plan);

/* How a sum meets what y holds. */
typedef enum RowSum {
    ROW_SUM_BEGINS,   /* bias + sum */
    ROW_SUM_GOES_ON,  /* what y holds is the first term */
    ROW_SUM_IS_ADDED, /* y + (bias + sum), when there is one block */
} RowSum;

/* m output rows from first_row on, a multiple of a tile's rows, by all columns of a tile, over all blocks of the sum.
 * bias [m] or NULL. */
void conv_rows_multiply(const TileKernels *tk, const ConvPlan *plan, const int32_t *offset, const float *rows,
                        const PackedWeights *packed, const float *bias, int64_t first_row, int64_t m, int64_t columns, float *y,
                        int64_t y_stride, RowSum sum);

/* Sends n_rows finished output rows [n_rows][pitch], the first of them first_row of the group, to the target. */
void conv_rows_store(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t first_row,
                     int64_t n_rows, const float *out, float *line, const RowTarget *target);

/* True when rows of y are rows of the tile, all of it, so that a product can write them itself; and the place in y of an output
 * row of a group then. */
bool conv_rows_are_direct(const ConvPlan *plan, const ConvTile *tile);
int64_t conv_rows_place(const ConvPlan *plan, const ConvTile *tile, int64_t group, int64_t row);

/* Weights to panels in the order in which they are read: [group][block][panel][j of the block][rows of a tile].
 * PANELS_PER_PACK panels for each task. */
int64_t conv_pack_tasks(const ConvPlan *plan);
/* Group and panels first .. end - 1 of a task; place of a panel's part for a block among the weights of a sum of its group; how
 * many these are. */
void conv_pack_panels(const ConvPlan *plan, int64_t task, int64_t *group, int64_t *first, int64_t *end);
int64_t conv_panel_place(const ConvPlan *plan, int64_t block, int64_t panel);
int64_t conv_sum_weights(const ConvPlan *plan);
size_t conv_packed_count(const ConvPlan *plan);
void conv_pack_gather(const TileKernels *tk, const ConvPlan *plan, const float *w, float *packed, int64_t task);
void conv_pack_scatter(const ConvPlan *plan, const ConvShape *s, const float *w, float *packed, int64_t task);

#endif
