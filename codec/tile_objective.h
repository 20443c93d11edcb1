/* tile_objective.h - what a choice of latents for one tile comes to: J = bits per pixel + weight * loss.
 *
 * J is that of bytes of the real coder with the integer prior, and of pixels as a decoder makes them; its slope comes from one backward
 * pass through prior and synthesis on the tape that training uses.
 *
 * The loss is that of the tile's own pixels. Beyond its edges stand the encoder's latents of the neighbours, not rounded, TILE_RING
 * wide: what the neighbours become in the end is not known yet. So tiles can be searched one by one, in memory for one.
 *
 * weight is that of the level, lambda 255^2, for the mean squared error. That of another loss is loss_share of it; where no share is
 * known, the loss counts as much as the squared error in the beginning: the share is the squared error of the first coded choice over the
 * size of its loss. A share of its own weighs all pictures alike, which gives the best mean for the bytes of all.
 *
 * [1] image.md 9.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_OBJECTIVE_H
#define RESIDUA_TILE_OBJECTIVE_H

#include "codec/picture_net.h"
#include "codec/tile_costs.h"
#include "models/image_prior.h"

#define TILE_RING 4 /* latents */

/* Smaller is better; estimate and target [1, 3, h, w], value [1], a gradient to the estimate. */
typedef RsdStatus (*PictureLossFn)(void *ctx, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err);

typedef struct TileObjectiveOptions {
    const PictureModel *model; /* kept, as all here */
    const PictureInfo *info;
    RsdThreads *threads;
    PictureReadFn read; /* of the picture */
    void *read_ctx;
    PictureLossFn loss; /* NULL: the mean squared error */
    void *loss_ctx;
    double loss_share; /* of lambda 255^2, see above; 0: none is known */
} TileObjectiveOptions;

typedef struct TileValue {
    double bpp, mse, loss, objective; /* loss: the squared error again when there is no other */
} TileValue;

typedef struct TileObjective {
    TileObjectiveOptions options;
    Tape *tape;
    TileCoder *coder;
    TileCosts costs;
    PictureTile tile;
    int level;
    int64_t n_y, n_z, n_pixels; /* of the tile: M h w, H ceil(h/4) ceil(w/4), pixels */
    double weight;              /* of the loss; 0 until something was coded */
    float *y, *z;               /* what the encoder would round: scaled latents [M, h, w] and hyper latents */
    int n_lanes;                /* of the last choice coded */
    int32_t *coded;             /* [M, h, w] y^ in 1/64 of the last choice coded */
    int32_t *step;              /* [M, h, w] that it was rounded in, as tile_steps */
    PictureTile region;         /* the tile with its ring, in latents */
    float *around;              /* [M, region] scaled latents */
    float *target;              /* [3, tile.h, tile.w] */
    const float *gain, *bias;   /* changes of the synthesis (ImageDeltas), both or none, NULL at first; borrowed */
} TileObjective;

/* Errors: RSD_ERR_MEMORY. */
RsdStatus tile_objective_create(TileObjective **out, const TileObjectiveOptions *options, RsdError *err);
void tile_objective_destroy(TileObjective **objective);

/* Reads and analyses tile `number`. Errors: those of the source, RSD_ERR_MEMORY. */
RsdStatus tile_objective_begin(TileObjective *objective, int64_t number, int level, RsdError *err);

/* z [n_z], y [n_y] in 1/1024, as tile_encode takes them. Fills objective->coded. */
RsdStatus tile_objective_code(TileObjective *objective, const TileRounding *rounding, const int16_t *z, const int32_t *y,
                              TileValue *value, RsdError *err);
/* What the choice coded last comes to with the changes as they are now: *value gets mse and loss alone. */
RsdStatus tile_objective_look(TileObjective *objective, TileValue *value, RsdError *err);
/* Gradients of the loss, without its weight, by the changes, which must be there. */
RsdStatus tile_objective_change_slope(TileObjective *objective, float *dgain, float *dbias, RsdError *err);
/* At the choice coded last, which went with z [n_z]: dy [n_y] = what J gains for each step that y^ grows, the latent's own bits left out:
 * by weight * loss, and by the bits of those whose context it is. *bpp gets what the coder's tables say that the choice costs. */
RsdStatus tile_objective_slope(TileObjective *objective, const int16_t *z, float *dy, double *bpp, RsdError *err);
/* Latents between whole numbers, y [n_y] in steps of 1 and z [n_z], as `rounding` relaxes them (soft or stochastic): *value gets the
 * bits of the coder's tables, between those of whole numbers, and the loss; dy, dz the gradients of J. */
typedef struct TileRelaxation {
    LatentRounding rounding;
    float temperature;
    uint64_t seed, step; /* of what is drawn */
} TileRelaxation;
RsdStatus tile_objective_relaxed(TileObjective *objective, const TileRelaxation *how, const float *z, const float *y, float *dz,
                                 float *dy, TileValue *value, RsdError *err);
/* channel [M], place [h w], none negative: channel[c] * place[p] is near the second derivative of weight * loss by the y^ of channel c at
 * place p, around the choice coded last, by one random probe. The places are what a loss other than the squared error needs: MS-SSIM
 * counts an error in a flat part many times. Errors: RSD_ERR_MEMORY, those of the loss. */
RsdStatus tile_objective_curvature(TileObjective *objective, double *channel, double *place, RsdError *err);
#endif
