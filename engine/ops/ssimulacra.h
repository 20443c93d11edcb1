/* ssimulacra.h - the norms of SSIMULACRA 2's maps at one scale, fused: no filtered picture is stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SSIMULACRA_H
#define RESIDUA_OPS_SSIMULACRA_H

#include "engine/tape.h"

#define SSIMULACRA_N_NORMS 6

/* x, y [B, C, H, W] of one shape, in XYB -> norms [B, C, 6]: over each plane the mean of the maps of lost structure, ringing and
 * blurring, then the quarter root of their mean fourth powers; all 0 for equal planes. Maps [image.md 11.10, 5] from statistics
 * under a Gaussian-like window of 9 x 9 with zeros beyond the picture.
 * Gradients flow to y only; that of a fourth-power norm is 0 where the norm is 0. Errors: RSD_ERR_ARG naming the shapes,
 * RSD_ERR_MEMORY. */
RsdStatus op_ssimulacra_norms(Tape *tape, Tensor *x, Tensor *y, Tensor **norms, RsdError *err);

#endif
