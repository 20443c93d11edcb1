/* image_lattice.h - codes of a picture codec that stand still: the lattices of models/lattice.h in stages.
 *
 * A place's M latents are bounded together, and stage after stage says a finer part of each, so that all codes are known beforehand: none
 * can die, and none moves. With A = IMAGE_LATTICE_SIZE and K codes:
 *
 *   IMAGE_FSQ  L levels in each latent, K = L^M, L a power of two from 4 on; y = A times the bounded y / A. The first stage has the levels
 *              (k - L / 2) s with s = 2 A / L, each later one the middles of the L parts of a step before: (k - (L - 1) / 2) s, s L times less.
 *   IMAGE_BSQ  one bit in each latent, K = 2^M; y = A y / |y|. The first stage has +-A / sqrt(M), each later one half of the one before.
 *
 * The index of a code has the latents' levels side by side, the last latent's in the highest bits: a node of the tree in models/stage_prior.h
 * is a bit of one latent. Codes are whole numbers in 1/64, as in a file; stages finer than that are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_LATTICE_H
#define RESIDUA_IMAGE_LATTICE_H

#include "models/image_codec.h"

#define IMAGE_LATTICE_SIZE 32 /* principal components of pictures are seldom larger (IMAGE_START_GAIN) */

/* Whether latent, codebook_size and codebooks are those of such a lattice; RSD_OK for other quantisers. Errors: RSD_ERR_ARG. */
RsdStatus image_lattice_check(const ImageCodecConfig *cfg, RsdError *err);
/* y [batch, M, h, w] bounded, recorded; y itself for other quantisers. Errors: RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus image_lattice_bound(Tape *tape, const ImageCodecConfig *cfg, Tensor *y, Tensor **bounded, RsdError *err);
/* The codes of all stages, of a codec that is being made; nothing for other quantisers. */
void image_lattice_set_codes(ImageCodec *codec);

#endif
