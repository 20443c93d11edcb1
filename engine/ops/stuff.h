/* stuff.h - pictures of twice the size with zeros between the samples: the first half of any interpolation by two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_STUFF_H
#define RESIDUA_OPS_STUFF_H

#include "engine/tape.h"

/* x [.., H, W] -> y [.., h_out, w_out], y[2 i, 2 j] = x[i, j] where both exist, 0 elsewhere.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_stuff(Tape *tape, Tensor *x, int64_t h_out, int64_t w_out, Tensor **y, RsdError *err);

#endif
