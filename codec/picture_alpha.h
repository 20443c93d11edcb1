/* picture_alpha.h - the opacity of one tile without loss (docs/format.md, "Opacity").
 *
 * Each byte is predicted from its neighbours; what is left is coded by a scale that follows from the steps in the row above, so
 * that a row is one run of symbols. Integers alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_ALPHA_H
#define RESIDUA_PICTURE_ALPHA_H

#include "codec/tile_coder.h"

typedef struct AlphaCoder AlphaCoder;

/* For tiles of up to max_h by max_w pixels. kernels are kept. One thread. Errors: RSD_ERR_MEMORY. */
RsdStatus alpha_coder_create(AlphaCoder **out, int64_t max_h, int64_t max_w, const RansKernels *kernels, RsdError *err);
void alpha_coder_destroy(AlphaCoder **coder);

/* alpha [h, w] of 8 or 16 bits, lines pitch numbers apart. code is valid until the next call. Errors: RSD_ERR_MEMORY. */
RsdStatus alpha_encode(AlphaCoder *coder, const uint16_t *alpha, int64_t pitch, int bits, int64_t h, int64_t w,
                       TileCode *code, RsdError *err);
/* Any bytes are safe. Errors: RSD_ERR_CORRUPT; alpha is then undefined. */
RsdStatus alpha_decode(AlphaCoder *coder, const TileCode *code, int bits, int64_t h, int64_t w, uint16_t *alpha,
                       int64_t pitch, RsdError *err);

#endif
