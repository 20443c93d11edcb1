/* conv_pairs.h - two frames of a convolution at once with three quarters of the products.
 *
 * Where the kernel is twice as long as the stride, a sum meets each row (channel and phase; of a transposed convolution
 * channel) in two neighbouring columns:
 *
 *   Y[t] = sum_r V0_r row_r[t] + V1_r row_r[t + 1]
 *
 * Columns 2 u and 2 u + 1 have row_r[2 u + 1] in common. Its product with V0 + V1 serves both, and what is wrong with it is put
 * right by one product for each [1]:
 *
 *   middle_r[u] = row_r[2 u + 1]            T[u]       = sum_r (V0_r + V1_r) middle_r[u]
 *   before_r[u] = row_r[2 u] - middle_r[u]  Y[2 u]     = T[u] + sum_r V0_r before_r[u]
 *   after_r[u]  = row_r[2 u + 2] - middle_r[u]  Y[2 u + 1] = T[u] + sum_r V1_r after_r[u]
 *
 * Three products where there were four. Rounding differs from that of the plain sum, and even and odd frames round differently:
 * a stream has the bits of the whole signal only if its chunks begin at even frames, which ConvShape.pairs promises.
 *
 * [1] Winograd, Arithmetic Complexity of Computations, 1980, the algorithm F(2, 2).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_CONV_PAIRS_H
#define RESIDUA_KERNELS_CONV_PAIRS_H

#include "engine/kernels/conv_rows.h"

/* All for plans with `pairs`. Rows [c_src * n_phases][middle, before, after][pair_pitch] of a group from the source; channel:
 * scratch for n_phases rows of one channel. */
void conv_pairs_fill(const TileKernels *tk, const ConvPlan *plan, const ConvTile *tile, int64_t group, const RowSource *source,
                     float *line, float *channel, float *rows);
void conv_pairs_offsets(const ConvPlan *plan, int32_t *offset);

/* As conv_rows_multiply with ROW_SUM_BEGINS. halves: scratch for m output rows [even, odd][pair_pitch]. An odd number of columns
 * needs room for one more in y. */
void conv_pairs_multiply(const TileKernels *tk, const ConvPlan *plan, const int32_t *offset, const float *rows,
                         const PackedWeights *packed, const float *bias, int64_t first_row, int64_t m, int64_t columns,
                         float *halves, float *y, int64_t y_stride);

/* The weights of the three sums, one after another for each group. */
void conv_pairs_pack_gather(const ConvPlan *plan, const float *w, float *packed, int64_t task);
void conv_pairs_pack_scatter(const ConvPlan *plan, const float *w, float *packed, int64_t task);

#endif
