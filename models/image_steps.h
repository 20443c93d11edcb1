/* image_steps.h - steps of their own for the latents of a picture codec: adaptive quantisation that needs no side information.
 *
 * An error is seen less where a picture is busy, and at some frequencies more than at others. A latent is rounded in steps of
 *
 *   step = (20 / 0.11)^(row / 63),   row = that of level and channel, a table, + that of the place, a weighted sum of psi
 *
 * and its scale counts in such steps, so that the prior may be that of a codec without: its index is `row` less. Both sides have psi.
 * Squared errors have no use for it; structural similarity, which divides an error by the contrast around it, has much.
 *
 * The float form counts rows as the prior's activations count: 1/64 is a row. So weights stay small beside the step of an optimiser.
 *
 * Private to the image_*.c of this folder.
 *
 * [1] image.md 12.3, 12.5-F.   [2] Malo et al., Nonlinear image representation for efficient perceptual coding, 2006.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_STEPS_H
#define RESIDUA_IMAGE_STEPS_H

#include "models/image_prior.h"

/* psi [batch, M, h, n] -> rows in 1/64 before limits: of places [batch, 1, h, n], of levels and channels [batch, M, 1, 1]. */
RsdStatus image_steps_rows(Tape *tape, const ImageCodec *codec, const int *level, Tensor *psi, const PriorOptions *options, Tensor **local,
                           Tensor **levels, RsdError *err);
/* y, mean and index [batch, M, h, n] become those of latents in steps of their own, for local [batch, 1, h, n]. *step [batch, M, h, n] leads
 * back. */
RsdStatus image_steps_apply(Tape *tape, Tensor *local, Tensor *levels, Tensor **y, Tensor **mean, Tensor **index, Tensor **step,
                            RsdError *err);

/* The integer form of the float weights as they are. Errors: RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus integer_steps_create(IntegerSteps **out, const ImageCodec *codec, RsdError *err);
void integer_steps_destroy(IntegerSteps **steps);
/* Arrays steps.local.{weight_q, bias_q, mult, shift} as those of a layer of the prior, and steps.levels_q (I16); borrowed until the writer
 * finishes. */
RsdStatus integer_steps_save(const IntegerSteps *steps, const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err);
/* Errors: RSD_ERR_CORRUPT naming the array. */
RsdStatus integer_steps_load(IntegerSteps **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err);
/* The float weights that the integers stand for, into the codec. */
void integer_steps_to_float(const IntegerSteps *steps, ImageCodec *codec);

#endif
