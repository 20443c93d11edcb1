/* picture_tune.h - what `residua encode --tune` says: an image loss as the search of codec/tile_search.h wants it, and its progress.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_TUNE_H
#define RESIDUA_CLI_PICTURE_TUNE_H

#include "cli/picture_job.h"
#include "losses/image_loss.h"

/* What a search minimises: an image loss, and for some the squared error beside it, for what they overlook. */
typedef struct TuneLoss {
    ImageLoss *named; /* NULL: none, searches follow the mean squared error alone */
    ImageLoss *mse;   /* NULL: none beside it */
    float mse_weight; /* of mse, where named counts 1 */
    bool is_in_db;    /* named is 10 log10 of an error: searches follow the error, as pictures are means of tiles before the logarithm */
    double share;     /* loss_share of codec/tile_objective.h; 0: unknown */
} TuneLoss;

/* By the name that --tune has for it, "ms-ssim"; tune_loss_clear gives back what it holds. Errors: those of image_loss_create, and *tune is empty. */
RsdStatus tune_loss_create(TuneLoss *tune, const char *name, RsdError *err);
void tune_loss_clear(TuneLoss *tune);
/* PictureLossFn of a TuneLoss. */
RsdStatus tune_loss_apply(void *tune, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err);

typedef struct PictureTune {
    TuneLoss loss;
    Console *console;
    const char *name; /* of the picture */
    double began_s;
} PictureTune;

/* Options of the encoder for a wish with a search; tune lives as long as the encoder. Errors: those of image_loss_create; RSD_ERR_ARG
 * when there is nothing that could follow the loss. */
RsdStatus picture_tune_open(PictureTune *tune, const PictureJob *job, const PictureWish *wish, const char *name,
                            PictureEncoderOptions *options, RsdError *err);
void picture_tune_close(PictureTune *tune);

#endif
