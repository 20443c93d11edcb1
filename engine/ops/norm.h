/* norm.h - normalisation of activations to mean 0 and variance 1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_NORM_H
#define RESIDUA_OPS_NORM_H

#include "engine/tape.h"

/* x [batch, C, ...], gamma and beta [C] or both NULL -> y [shape of x] = (x - mean) / sqrt(var + eps) gamma + beta.
 * Layer norm takes mean and variance over the C channels of each place, group norm over C / groups neighbouring channels
 * and all places of an item. The variance divides by the count (not count - 1).
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_layer_norm(Tape *tape, Tensor *x, Tensor *gamma, Tensor *beta, float eps, Tensor **y, RsdError *err);
RsdStatus op_group_norm(Tape *tape, Tensor *x, int groups, Tensor *gamma, Tensor *beta, float eps, Tensor **y,
                        RsdError *err);

#endif
