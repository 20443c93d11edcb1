/* scale_counts.h - how often an encoder chose each value with each scale, and the tables of a prior made of that.
 *
 * A prior foretells a normal distribution of what an analysis gives. What is coded of it is something else: an encoder that weighs bits
 * against errors takes 0 where 1 would be a little nearer (tile_coder.h, TileRounding), and most with small scales. Tables of what
 * it chose need fewer bits than those of the distributions, and make the bits that it weighs true.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SCALE_COUNTS_H
#define RESIDUA_SCALE_COUNTS_H

#include "models/image_codec.h"

/* [scale, |k|], k beyond 127 as the last */
typedef struct ScaleCounts {
    int64_t n[IMAGE_SCALE_TABLES][IMAGE_SCALE_WEIGHTS];
} ScaleCounts;

void scale_counts_add(ScaleCounts *counts, int scale, int k);

/* PriorTables.scale of them, into weights [IMAGE_SCALE_TABLES, IMAGE_SCALE_WEIGHTS]. Each table has the values that the normal
 * distribution's has, which counts as SCALE_COUNTS_BEFORE values more, so that no table is without values. */
#define SCALE_COUNTS_BEFORE 64
void scale_counts_to_weights(const ScaleCounts *counts, int16_t *weights);

#endif
