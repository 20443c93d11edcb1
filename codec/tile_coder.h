/* tile_coder.h - the latents of one tile to a stream of coded symbols and back (docs/format.md, "Tiles").
 *
 * Everything around a tile, networks, packets, threads, is the same for all quantisers; this is where they differ: how latents become
 * symbols. Integers alone: the same latents give the same bytes on every machine, and the same bytes the same latents.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_CODER_H
#define RESIDUA_TILE_CODER_H

#include "codec/rans.h"
#include "codec/scale_counts.h"
#include "engine/kernels/kernels.h"
#include "models/stage_run.h"

#define TILE_FRACTION 1024        /* latents that are to be coded count 1/1024 */
#define TILE_STRENGTH_UNIT 1024   /* strength that is the balance of a fine quantiser */
#define TILE_MAX_STRENGTH 4096
#define TILE_WEIGHT_UNIT 4096     /* weight of an error of that balance */
#define TILE_MAX_WEIGHT (1 << 18)

/* What all tiles of a model share; any number of threads. prior is kept. Errors: RSD_ERR_UNSUPPORTED (more than 192 channels
 * of z), RSD_ERR_MEMORY. */
typedef struct TileModel TileModel;
RsdStatus tile_model_create(TileModel **out, const IntegerPrior *prior, RsdError *err);
/* The same for a model with IMAGE_RVQ. */
RsdStatus tile_model_create_rvq(TileModel **out, const StagePrior *prior, RsdError *err);
void tile_model_destroy(TileModel **model);

/* The coder's tables: those of the CDF_SCALES scales, then that of each channel of z. */
int tile_table_count(const IntegerPrior *prior);
void tile_table(CdfTable *table, const IntegerPrior *prior, int i);

/* Memory for tiles of up to max_h by max_w latents; one tile at a time. model and kernels are kept. Errors: RSD_ERR_MEMORY. */
typedef struct TileCoder TileCoder;
RsdStatus tile_coder_create(TileCoder **out, const TileModel *model, int64_t max_h, int64_t max_w,
                            const Kernels *kernels, RsdError *err);
void tile_coder_destroy(TileCoder **coder);
/* The work on a tile is shared out over threads (kept; NULL, as at first: the calling one alone), for where there are no tiles to share
 * out. Not to be used from inside a task of theirs. */
void tile_coder_share(TileCoder *coder, RsdThreads *threads);

/* A coded tile; data are valid until the coder's next call. */
typedef struct TileCode {
    const uint8_t *data;
    size_t size;
    int n_lanes; /* 8, or 1 for a short stream */
} TileCode;

/* How latents become whole numbers. strength 0: the nearest. Up to TILE_MAX_STRENGTH a value goes towards the mean where the bits this
 * saves, times strength / TILE_STRENGTH_UNIT, are worth more than the squared error it makes; an error of channel c at a place counts
 * weight[c] * place[place] / TILE_WEIGHT_UNIT^2. Below `from`, counted in latents in the order of coding, the strength is one more: that
 * makes sizes that lie between those of two strengths. */
typedef struct TileRounding {
    int strength;
    int64_t from;          /* 0: the same strength everywhere */
    const int32_t *weight; /* [M], 0 .. TILE_MAX_WEIGHT; NULL: TILE_WEIGHT_UNIT for all, and all places alike */
    const int32_t *place;  /* [h, w], 0 .. TILE_MAX_WEIGHT; with weight only */
} TileRounding;

/* z [H, ceil(h / 4), ceil(w / 4)] within IMAGE_Z_LIMIT, not looked at with IMAGE_RVQ; y [M, h, w] in 1/1024, scaled for the level.
 * With IMAGE_RVQ the strength trades an index's bits against the squared error of its code. Errors: RSD_ERR_MEMORY. */
RsdStatus tile_encode(TileCoder *coder, int level, const TileRounding *rounding, const int16_t *z, const int32_t *y, int64_t h,
                      int64_t w, TileCode *code, RsdError *err);
/* y^ [M, h, w] in 1/64 of the last tile_encode. Of a scalar quantiser: given to tile_encode as y (times TILE_FRACTION / 64) with the
 * same z and strength 0, they make the same code. */
void tile_encoded(const TileCoder *coder, int64_t h, int64_t w, int32_t *y);
/* The steps [M, h, w] that latents of the last tile_encode were rounded in, 1 / PRIOR_STEP_UNIT each (models/prior_run.h); IMAGE_SCALAR. */
void tile_steps(const TileCoder *coder, int64_t h, int64_t w, int32_t *step);
/* Adds the values of the last tile_encode, of h x w latents; nothing with IMAGE_RVQ. */
void tile_count(const TileCoder *coder, int64_t h, int64_t w, ScaleCounts *counts);
/* code -> y^ [M, h, w] in 1/64. Any bytes are safe. Errors: RSD_ERR_CORRUPT; y is then undefined. */
RsdStatus tile_decode(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y,
                      RsdError *err);
/* The same for the first bytes of a code, whatever they are: latents that they tell, the prior's means for the others; with IMAGE_RVQ
 * the stages that are there as a whole, or the likeliest codes of the first one. Nothing is checked. */
void tile_decode_part(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y);
/* What stands for a tile that is lost: the part of it that no bytes tell. */
void tile_conceal(TileCoder *coder, int level, int64_t h, int64_t w, int32_t *y);

#endif
