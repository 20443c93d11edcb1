/* linear.h - the same matrix applied to every frame of a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_LINEAR_H
#define RESIDUA_OPS_LINEAR_H

#include "engine/tape.h"

/* x [batch, c_in, n], w [c_out, c_in] or [c_out, c_in, 1], b [c_out] or NULL -> y [batch, c_out, n]: a pointwise
 * convolution. Streams and whole signals give the same bits. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_linear(Tape *tape, Tensor *x, Tensor *w, Tensor *b, Tensor **y, RsdError *err);
/* For inference, as conv1d_prepare. */
RsdStatus linear_prepare(Tape *tape, Tensor *w, RsdError *err);

/* a [.., m, k], b [k, n] -> y [.., m, n]. The bits depend on m (see gemm.h). Errors: as above. */
RsdStatus op_matmul(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err);

#endif
