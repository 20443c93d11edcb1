/* image_scales.h - the tables of scales that a picture codec's file gets: of what its encoder chooses on crops of the training set
 * (codec/scale_counts.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_SCALES_H
#define RESIDUA_IMAGE_SCALES_H

#include "trainer/image_step.h"
#include "trainer/pictures.h"

/* Codes crops at all levels with the usual effort and the integer prior of the weights as they are now, twice, as tables change what is
 * chosen, and sets state->image->scale_weights. The crops are always the same. Does nothing where the prior is kept, or has no scales.
 * Errors: those of pictures_crop, of the codec's steps and of tile_encode; the tables are then as they were. */
RsdStatus image_scales_count(ImageStep *step, Pictures *pictures, TrainState *state, RsdError *err);

#endif
