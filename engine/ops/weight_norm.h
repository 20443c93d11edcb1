/* weight_norm.h - weights stored as a direction v and a length g for each slice of axis 0.
 *
 * Axis 0 is the output channel of a convolution and the input channel of a transposed one. [audio.md 1.5]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_WEIGHT_NORM_H
#define RESIDUA_OPS_WEIGHT_NORM_H

#include "engine/tape.h"

/* v [n, ...], g n elements of any shape -> w [shape of v] = g v / |v|, the norm over all axes but the first. A slice of
 * zeros gives zeros and no gradient. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_weight_norm(Tape *tape, Tensor *v, Tensor *g, Tensor **w, RsdError *err);

#endif
