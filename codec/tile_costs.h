/* tile_costs.h - what symbols of a tile cost the entropy coder, as a table that gradients go through (op_table_bits).
 *
 * Bits are those of the coder's frequencies, and for values outside of a table those of the escape and of the bits behind it. Latents of
 * scale 0 are not coded: 0 costs nothing, and another value as much as with scale 1, which no stream has.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_COSTS_H
#define RESIDUA_TILE_COSTS_H

#include "engine/kernels/latent.h"
#include "models/image_codec.h"

typedef struct TileCosts {
    BitsTable table; /* rows as in tile_table */
    float *costs;
} TileCosts;

/* prior: not kept. Errors: RSD_ERR_MEMORY. */
RsdStatus tile_costs_init(TileCosts *costs, const IntegerPrior *prior, RsdError *err);
void tile_costs_clear(TileCosts *costs);

#endif
