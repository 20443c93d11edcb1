/* picture_tune.h - what `residua encode --tune` says: an image loss as the search of codec/tile_search.h wants it, and its progress.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_TUNE_H
#define RESIDUA_CLI_PICTURE_TUNE_H

#include "cli/picture_job.h"
#include "losses/image_loss.h"

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
