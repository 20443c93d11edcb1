/* image_rounding.h - the averaged weights of a picture codec as its file will have them: matrices of 8 bits rounded for what they get from
 * crops of the training set (models/row_rounding.h).
 *
 * In every file these are the last layers of the prior, whose means of the few channels that hold most of a picture are sums of large
 * numbers: the nearest weights there cost up to 9 % of all bits, and most at low rates. In a file of bytes they are the matrices of the
 * transforms as well, whose rounding otherwise is noise in the picture that no rate takes away.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_ROUNDING_H
#define RESIDUA_IMAGE_ROUNDING_H

#include "trainer/image_step.h"
#include "trainer/pictures.h"

typedef struct ImageRounding ImageRounding;

/* step and pictures are borrowed until destroy. has_bytes: a file of bytes will be asked for, so that the transforms' matrices are looked at, too.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus image_rounding_create(ImageRounding **out, ImageStep *step, Pictures *pictures, bool has_bytes, RsdError *err);
void image_rounding_destroy(ImageRounding **rounding);

/* Rounds the weights that the state has now, the averaged ones after optimizer_swap_average, for a file whose matrices are stored_as.
 * undo: they are again as they were, to the bit. The crops are always the same.
 * Errors: those of pictures_crop and of the codec's steps, RSD_ERR_NUMERIC naming the weight; the weights are as they were. */
RsdStatus image_rounding_apply(ImageRounding *rounding, TrainState *state, Dtype stored_as, RsdError *err);
void image_rounding_undo(ImageRounding *rounding);

#endif
