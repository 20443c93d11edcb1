/* lattice.h - quantisers without a codebook: finite scalar quantisation (FSQ) and binary spherical quantisation (BSQ).
 *
 * Each of d channels is rounded by itself to one of a few levels, so no code can die and nothing has to be learned or
 * re-seeded; the gradient of the rounded value passes straight through the rounding.
 *
 *   FSQ  b = tanh(z + s) h - o,  zq = round(b) / floor(L / 2);  h = (L - 1)(1 + 1e-3) / 2, o = 1/2 for even L else 0,
 *        s = atanh(o / h): each channel has exactly L levels. A code is the mixed-radix number of the channels' levels.
 *   BSQ  u = z / |z|,  zq = sign(u) / sqrt(d), d bits per frame.
 *
 * [1] audio.md 6.6. Mentzer et al., Finite Scalar Quantization, 2023.   [2] Zhao et al., Binary Spherical Quantization, 2024.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LATTICE_H
#define RESIDUA_LATTICE_H

#include "engine/tape.h"

#define LATTICE_MAX_DIM 16

typedef enum LatticeKind { LATTICE_FSQ, LATTICE_BSQ } LatticeKind;

typedef struct LatticeConfig {
    int kind; /* LatticeKind */
    int dim;
    int levels[LATTICE_MAX_DIM]; /* of FSQ, 3 or more (with 2, one lies beyond z = -3.8); BSQ has 2 in every channel */
} LatticeConfig;

/* Errors: RSD_ERR_ARG naming what is out of range: there may be up to 65536 codes. */
RsdStatus lattice_check_config(const LatticeConfig *config, RsdError *err);
int lattice_n_codes(const LatticeConfig *config);

/* z [batch, dim, frames] -> zq of that shape, recorded. codes [batch, frames] or NULL. Errors: RSD_ERR_ARG naming the shape,
 * RSD_ERR_NUMERIC (NaN or infinity in z), RSD_ERR_MEMORY. */
RsdStatus lattice_quantize(Tape *tape, const LatticeConfig *config, Tensor *z, Tensor **zq, uint16_t *codes, RsdError *err);
/* What lattice_quantize rounds, in the units of zq, recorded: zq is the nearest of these. Errors: as lattice_quantize. */
RsdStatus lattice_bound(Tape *tape, const LatticeConfig *config, Tensor *z, Tensor **bounded, RsdError *err);
/* The zq [dim] of one code, 0 .. lattice_n_codes - 1. */
void lattice_values(const LatticeConfig *config, int code, float *zq);
/* The zq of codes [batch, frames]: the bits that lattice_quantize gave. Errors: RSD_ERR_CORRUPT for a code that does not exist,
 * RSD_ERR_MEMORY. */
RsdStatus lattice_decode(Tape *tape, const LatticeConfig *config, const uint16_t *codes, int64_t batch, int64_t frames,
                         Tensor **zq, RsdError *err);

/* BSQ's regulariser, a scalar to be minimised: mean over channels of mean H(p) - H(mean p), p = sigma(sharpness u) the
 * probability of a one: every bit sure of itself and all of them evenly used. Means of p are those of the group's batch, and the
 * gradient is that of this member's part of the mean of all members' values. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus lattice_entropy_loss(Tape *tape, const LatticeConfig *config, Tensor *z, float sharpness, Group *group, Tensor **value,
                               RsdError *err);

#endif
