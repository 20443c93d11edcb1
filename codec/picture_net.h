/* picture_net.h - the networks of a picture codec on one tile of a larger picture.
 *
 * A tile is run with a margin as wide as the network sees, where the picture goes on, so that the parts fit together as if the
 * whole had been run at once: no seams, memory for one tile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_NET_H
#define RESIDUA_PICTURE_NET_H

#include "codec/picture_format.h"
#include "codec/tile_coder.h"
#include "models/image_codec.h"

/* What encoders and decoders of a model share; any number of threads. */
typedef struct PictureModel {
    const ImageCodec *codec;
    TileModel *tiles;
    int64_t analysis_margin, synthesis_margin; /* latents */
} PictureModel;

/* codec is kept; it has a prior and is frozen. Errors: RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY. */
RsdStatus picture_model_create(PictureModel **out, const ImageCodec *codec, RsdError *err);
void picture_model_destroy(PictureModel **model);
/* Levels are 0 .. this. */
int picture_level_max(const PictureModel *model);

/* Pixels of the rectangle, all inside the picture, to rgb [3, h, w] in 0 .. 1, lines pitch numbers apart, planes plane. */
typedef RsdStatus (*PictureReadFn)(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                                   int64_t plane, RsdError *err);

/* y [M, latent_h, latent_w] of a tile, before the gain of a level. The tape is reset. */
RsdStatus picture_analyse(const PictureModel *model, Tape *tape, const PictureInfo *info, const PictureTile *tile,
                          PictureReadFn read, void *read_ctx, float *y, RsdError *err);

/* What tile_encode takes of a latent in steps of 1 and of a hyper latent: within their limits, in 1/1024 and whole. NaN, which only a
 * damaged model makes, becomes 0. */
#define TILE_LATENT_LIMIT 32767.0f
int32_t tile_latent(float y);
int16_t tile_hyper_latent(float z);

/* Rows first .. first + n - 1 of the latents of the whole picture, y^ [M, n, pitch] in 1/64. */
typedef struct LatentRows {
    int64_t first, n, pitch;
    const int32_t *data;
} LatentRows;

/* rgb [channels, h, w] of a tile in 0 .. 1 (the tape's, until it is reset), from rows that together hold its latents and their margins,
 * each once (parts [n_parts]). shrink:
 * 1, or 2 or 4 for [channels, ceil(h / shrink), ceil(w / shrink)], by a head of the model or, where it has none, by means over
 * squares of the whole. */
RsdStatus picture_synthesise(const PictureModel *model, Tape *tape, const PictureInfo *info, const PictureTile *tile,
                             const LatentRows *parts, int n_parts, int shrink, const float **rgb, RsdError *err);

#endif
