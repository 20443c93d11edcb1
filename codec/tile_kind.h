/* tile_kind.h - what the two kinds of tile coders, tile_scalar.c and tile_rvq.c, give to tile_coder.c: one table each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_KIND_H
#define RESIDUA_TILE_KIND_H

#include "codec/tile_coder.h"

/* The contracts are those of tile_coder.h. */
typedef struct TileKind {
    RsdStatus (*create)(TileCoder **out, const TileModel *model, int64_t max_h, int64_t max_w, const Kernels *kernels, RsdError *err);
    void (*destroy)(TileCoder **coder);
    void (*share)(TileCoder *coder, RsdThreads *threads); /* NULL: one thread does it */
    RsdStatus (*encode)(TileCoder *coder, int level, const TileRounding *rounding, const int16_t *z, const int32_t *y, int64_t h,
                        int64_t w, TileCode *code, RsdError *err);
    void (*encoded)(const TileCoder *coder, int64_t h, int64_t w, int32_t *y);
    void (*steps)(const TileCoder *coder, int64_t h, int64_t w, int32_t *step); /* NULL: IMAGE_SCALAR alone has them */
    void (*count)(const TileCoder *coder, int64_t h, int64_t w, ScaleCounts *counts); /* NULL: there are no scales */
    RsdStatus (*decode)(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y, RsdError *err);
    void (*decode_part)(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y);
} TileKind;

/* The first member of a kind's own structs. */
struct TileModel {
    const TileKind *kind;
    RansTables *tables;
};
struct TileCoder {
    const TileKind *kind;
};

#endif
