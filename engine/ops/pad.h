/* pad.h - what stands beyond the ends of a signal, and the op that puts it there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_PAD_H
#define RESIDUA_OPS_PAD_H

#include "engine/tape.h"

typedef enum PadMode { PAD_ZERO, PAD_REFLECT, PAD_REPLICATE } PadMode;

/* Adds `left` and `right` >= 0 elements to the last axis: x [..., n] -> y [..., left + n + right]. Reflection leaves out the
 * end point (3 2 | 1 2 3 | 2 1) and needs n > max(left, right), replication n >= 1.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_pad(Tape *tape, Tensor *x, int64_t left, int64_t right, PadMode mode, Tensor **y, RsdError *err);

#endif
