/* tile_coder.c - hands each call to the kind of coder that the model has; what is the same for both is here.
 *
 * There is no floating-point number in this file, and a test looks for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_kind.h"

#include "engine/base/mem.h"

void tile_model_destroy(TileModel **model)
{
    if (!*model)
        return;
    rans_tables_destroy(&(*model)->tables);
    mem_free(model);
}

RsdStatus tile_coder_create(TileCoder **out, const TileModel *model, int64_t max_h, int64_t max_w, const Kernels *kernels,
                            RsdError *err)
{
    return model->kind->create(out, model, max_h, max_w, kernels, err);
}

void tile_coder_destroy(TileCoder **coder)
{
    if (*coder)
        (*coder)->kind->destroy(coder);
}

void tile_coder_share(TileCoder *coder, RsdThreads *threads)
{
    if (coder->kind->share)
        coder->kind->share(coder, threads);
}

RsdStatus tile_encode(TileCoder *coder, int level, const TileRounding *rounding, const int16_t *z, const int32_t *y, int64_t h,
                      int64_t w, TileCode *code, RsdError *err)
{
    return coder->kind->encode(coder, level, rounding, z, y, h, w, code, err);
}

void tile_encoded(const TileCoder *coder, int64_t h, int64_t w, int32_t *y)
{
    coder->kind->encoded(coder, h, w, y);
}

void tile_steps(const TileCoder *coder, int64_t h, int64_t w, int32_t *step)
{
    if (coder->kind->steps)
        coder->kind->steps(coder, h, w, step);
}

void tile_count(const TileCoder *coder, int64_t h, int64_t w, ScaleCounts *counts)
{
    if (coder->kind->count)
        coder->kind->count(coder, h, w, counts);
}

RsdStatus tile_decode(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y, RsdError *err)
{
    return coder->kind->decode(coder, level, code, h, w, y, err);
}

void tile_decode_part(TileCoder *coder, int level, const TileCode *code, int64_t h, int64_t w, int32_t *y)
{
    coder->kind->decode_part(coder, level, code, h, w, y);
}

void tile_conceal(TileCoder *coder, int level, int64_t h, int64_t w, int32_t *y)
{
    tile_decode_part(coder, level, &(TileCode){.size = 0}, h, w, y);
}
