/* picture_tune.h - what `residua encode --tune` says: an image loss as the search of codec/tile_search.h wants it, and its progress.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_TUNE_H
#define RESIDUA_CLI_PICTURE_TUNE_H

#include "cli/picture_job.h"
#include "losses/image_loss.h"

/* A loss by the name that --tune has for it, "ms-ssim", and its share (codec/tile_objective.h). Errors: those of image_loss_create. */
RsdStatus picture_tune_loss(ImageLoss **out, double *share, const char *name, RsdError *err);
/* PictureLossFn of an ImageLoss. */
RsdStatus picture_tune_apply(void *loss, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err);

typedef struct PictureTune {
    ImageLoss *loss; /* NULL: the mean squared error */
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
