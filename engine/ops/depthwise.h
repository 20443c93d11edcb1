/* depthwise.h - depthwise convolutions of pictures that keep the size; op_conv2d hands those over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_DEPTHWISE_H
#define RESIDUA_OPS_DEPTHWISE_H

#include "engine/tape.h"

/* x [batch, c, h, n], w [c, 1, k, k] with k 3, 5 or 7, b [c] or NULL -> y [batch, c, h, n]; zeros beyond the edges. Shapes are the
 * caller's promise. Errors: RSD_ERR_MEMORY. */
RsdStatus op_depthwise(Tape *tape, Tensor *x, Tensor *w, Tensor *b, Tensor **y, RsdError *err);

#endif
