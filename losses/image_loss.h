/* image_loss.h - every differentiable image measure behind one interface: by name, from a config, with the gradient through
 * the tape.
 *
 * Pictures are tensors [batch, 3, height, width], RGB with values in [0, 1]. Every loss is a mean over the batch and smaller
 * is better: a similarity s is used as 1 - s. Values and gradients are finite for any finite pictures; a picture smaller
 * than a loss needs is extended by its mirror image first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_LOSS_H
#define RESIDUA_IMAGE_LOSS_H

#include <stddef.h>

#include "engine/tape.h"
#include "losses/image_nets.h"

typedef struct ImageLoss ImageLoss;

/* What is known of a loss before it is made, for listings. */
typedef struct ImageLossInfo {
    const char *name;    /* "ms_ssim": key of a config */
    const char *summary; /* one sentence */
    const char *formula;
    const char *range;   /* "0 to 1" */
    const char *needs;   /* what must be there: "" or the name of a network, see image_nets.h */
    const char *cost;    /* in words, beside a forward and backward pass of nothing else */
    int min_side;        /* smaller pictures are extended */
} ImageLossInfo;

/* i-th loss, NULL past the end; by name, NULL when unknown. */
const ImageLossInfo *image_loss_at(size_t i);
const ImageLossInfo *image_loss_find(const char *name);

/* nets: borrowed for the life of the loss, may be NULL when the loss needs none. Errors: RSD_ERR_ARG listing the known names,
 * or naming the network that is missing and where it comes from; RSD_ERR_MEMORY. */
RsdStatus image_loss_create(ImageLoss **out, const char *name, const ImageNets *nets, RsdError *err);
void image_loss_destroy(ImageLoss **loss);

/* estimate and target [batch, 3, h, w] -> value, one element; gradients flow to the estimate only. Any number of threads
 * gives the same bits. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus image_loss_apply(Tape *tape, const ImageLoss *loss, Tensor *estimate, Tensor *target, Tensor **value,
                           RsdError *err);

#endif
