/* picture_kinds.h - kinds of content, for a critic that has to name them: what each 16 x 16 pixels of a real picture show.
 *
 * MS-ILLM takes them from a network of its own. Here they are the nearest of K means of what the codec's encoder, which stays as it is,
 * says of the place: log(1 + 16 |y|), channel by channel. Signs are left out, so that a kind is a texture and not a phase of it.
 *
 * [1] image.md 3.5, 3.6. Muckley et al., Improving Statistical Fidelity for Neural Image Compression with Implicit Local Likelihood
 * Models, 2023.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_KINDS_H
#define RESIDUA_PICTURE_KINDS_H

#include "models/rvq.h"

/* The means: one stage of K codes, registered in params. Errors: RSD_ERR_ARG (K is no power of two), RSD_ERR_MEMORY. */
RsdStatus picture_kinds_create(Rvq **kinds, int n_kinds, int latent_channels, ParamSet *params, RsdError *err);

/* What means are made of: y [batch, M, h, w] -> z [batch, M, h w]. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_kinds_describe(Tape *tape, const Tensor *y, Tensor **z, RsdError *err);

/* Of latents y [batch, M, h, w]: kinds [batch, h, w], 1 .. K, in the tape's arena. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_kinds_find(Tape *tape, Rvq *kinds, const Tensor *y, const uint16_t **found, RsdError *err);

#endif
