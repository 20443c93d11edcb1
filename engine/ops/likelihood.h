/* likelihood.h - bits that latents cost under a distribution, as training estimates them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_LIKELIHOOD_H
#define RESIDUA_OPS_LIKELIHOOD_H

#include "engine/kernels/latent.h"
#include "engine/tape.h"

/* bits [shape of x] = -log2 max(P, floor) of the cell of width 1 around x; mean and scale (the standard deviation, > 0) have
 * the shape of x. Gradients flow to all three; see engine/kernels/latent.h for the floor. [image.md 1.2]
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_bits(Tape *tape, Density density, Tensor *x, Tensor *mean, Tensor *scale, float floor, Tensor **bits,
                  RsdError *err);

/* bits [shape of x] of symbols x with tables, row of the shape of x; both may be anything between whole numbers, see
 * engine/kernels/latent.h. table is copied, its costs are borrowed as long as the tape's memory. Gradients flow to x and row.
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_table_bits(Tape *tape, const BitsTable *table, Tensor *x, Tensor *row, Tensor **bits, RsdError *err);

/* x [batch, channels, ...], weights [channels, FACTORISED_WEIGHTS] -> bits [shape of x]: one learned distribution per
 * channel. [image.md 10.7] Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_factorised_bits(Tape *tape, Tensor *x, Tensor *weights, float floor, Tensor **bits, RsdError *err);

#endif
