/* conv_pairs.c - rows, products and weights of convolutions whose frames are summed two by two.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv_pairs.h"

#include <string.h>

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

void conv_pairs_fill(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, const RowSource *source,
                     float *line, float *channel, float *rows)
{
    const int64_t n = (tile->n + 31) / 32 * 16;

    for (int64_t c = 0; c < plan->c_src; c++) {
        conv_rows_fill_channel(tk, plan, tile, group, c, source, line, channel);
        for (int64_t q = 0; q < plan->n_phases; q++, rows += 3 * plan->pair_pitch)
            tk->pair(rows, plan->pair_pitch, channel + q * plan->pitch, n);
    }
}

void conv_pairs_offsets(const ConvPlan *plan, int32_t *offset)
{
    for (int64_t j = 0; j < plan->c_block * plan->n_terms; j++)
        offset[j] = (int32_t)(3 * j * plan->pair_pitch);
}

/* --- products -------------------------------------------------------------------------------------------------------------- */

static PackedWeights weights_of_sum(const ConvPlan *plan, const PackedWeights *packed, int64_t i)
{
    const int64_t place = i * conv_sum_weights(plan);

    return (PackedWeights){.floats = packed->floats ? packed->floats + place : NULL,
                           .halves = packed->halves ? packed->halves + place : NULL,
                           .room = packed->room};
}

void conv_pairs_multiply(const TileKernels *tk, const ConvPlan *plan, const int32_t *offset, const float *rows,
                         const PackedWeights *packed, const float *bias, int64_t first_row, int64_t m, int64_t columns,
                         float *halves, float *y, int64_t y_stride)
{
    const int64_t pitch = plan->pair_pitch, n = (columns + 1) / 2;
    const PackedWeights both = weights_of_sum(plan, packed, 0), before = weights_of_sum(plan, packed, 1),
                        after = weights_of_sum(plan, packed, 2);

    conv_rows_multiply(tk, plan, offset, rows, &both, bias, first_row, m, n, halves, 2 * pitch, ROW_SUM_BEGINS);
    for (int64_t r = 0; r < m; r++)
        memcpy(halves + (2 * r + 1) * pitch, halves + 2 * r * pitch, (size_t)n * sizeof *halves);
    conv_rows_multiply(tk, plan, offset, rows + pitch, &before, NULL, first_row, m, n, halves, 2 * pitch, ROW_SUM_GOES_ON);
    if (columns > 1) /* a stream of single frames has no odd one */
        conv_rows_multiply(tk, plan, offset, rows + 2 * pitch, &after, NULL, first_row, m, n, halves + pitch, 2 * pitch,
                           ROW_SUM_GOES_ON);
    for (int64_t r = 0; r < m; r++)
        tk->join(y + r * y_stride, halves + 2 * r * pitch, pitch, 2, n);
}

/* --- weights --------------------------------------------------------------------------------------------------------------- */

/* Where V0 of the rows of a panel, [TILE_ROWS_MAX], begin in the weights of a group, and how far it is from channel to channel and
 * from V0 to V1. Phases lie side by side. */
typedef struct PairPlaces {
    int64_t row[TILE_ROWS_MAX], c_step, to_v1;
} PairPlaces;

static void pack_panel(const ConvPlan *plan, const float *from, const PairPlaces *places, int64_t panel, float *packed)
{
    const int64_t count = conv_sum_weights(plan), left = plan->m - panel * plan->tile_rows;

    for (int64_t block = 0; block < plan->n_blocks; block++) {
        const int64_t c_first = block * plan->c_block, c_end = lesser(c_first + plan->c_block, plan->c_src);
        float *to = packed + conv_panel_place(plan, block, panel);

        for (int64_t c = c_first; c < c_end; c++)
            for (int64_t q = 0; q < plan->n_phases; q++, to += plan->tile_rows)
                for (int64_t r = 0; r < plan->tile_rows; r++) {
                    const float *v0 = from + c * places->c_step + places->row[r] + q;

                    to[count + r] = r < left ? v0[0] : 0.0f;
                    to[2 * count + r] = r < left ? v0[places->to_v1] : 0.0f;
                    to[r] = to[count + r] + to[2 * count + r];
                }
    }
}

void conv_pairs_pack_gather(const ConvPlan *plan, const float *w, float *packed, int64_t task)
{
    const int64_t k = 2 * plan->n_phases, row_step = plan->c_src * k;
    PairPlaces places = {.c_step = k, .to_v1 = plan->n_phases};
    int64_t group, first, end;

    conv_pack_panels(plan, task, &group, &first, &end);
    for (int64_t p = first; p < end; p++) {
        for (int64_t r = 0; r < plan->tile_rows; r++)
            places.row[r] = lesser(p * plan->tile_rows + r, plan->m - 1) * row_step;
        pack_panel(plan, w + group * plan->m * row_step, &places, p, packed + group * plan->n_sums * conv_sum_weights(plan));
    }
}

/* A frame reaches its own stride samples with its first taps and those of the next frame with the others. */
void conv_pairs_pack_scatter(const ConvPlan *plan, const float *w, float *packed, int64_t task)
{
    const int64_t k = 2 * plan->join;
    PairPlaces places = {.c_step = plan->c_dst * k, .to_v1 = -plan->join};
    int64_t group, first, end;

    conv_pack_panels(plan, task, &group, &first, &end);
    for (int64_t p = first; p < end; p++) {
        for (int64_t r = 0; r < plan->tile_rows; r++) {
            const int64_t row = lesser(p * plan->tile_rows + r, plan->m - 1);

            places.row[r] = row / plan->join * k + row % plan->join + plan->join;
        }
        pack_panel(plan, w + group * plan->c_src * places.c_step, &places, p,
                   packed + group * plan->n_sums * conv_sum_weights(plan));
    }
}
