/* activation.h - activations; x of any shape, y of the same shape. Errors: RSD_ERR_MEMORY; RSD_ERR_ARG for op_snake.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_ACTIVATION_H
#define RESIDUA_OPS_ACTIVATION_H

#include "engine/tape.h"

RsdStatus op_relu(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_leaky_relu(Tape *tape, Tensor *x, float slope, Tensor **y, RsdError *err); /* slope for x <= 0 */
RsdStatus op_elu(Tape *tape, Tensor *x, Tensor **y, RsdError *err);                     /* alpha 1 */
RsdStatus op_gelu(Tape *tape, Tensor *x, Tensor **y, RsdError *err);                    /* exact, with erf */
RsdStatus op_hard_swish(Tape *tape, Tensor *x, Tensor **y, RsdError *err);              /* x clip(x + 3, 0, 6) / 6 */
RsdStatus op_tanh(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_sigmoid(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
RsdStatus op_softplus(Tape *tape, Tensor *x, Tensor **y, RsdError *err); /* ln(1 + e^x), of other ops */

/* x [B, C, T...], alpha C elements (learned): y = x + sin^2(alpha x) / (alpha + 1e-9). [audio.md 2.1] */
RsdStatus op_snake(Tape *tape, Tensor *x, Tensor *alpha, Tensor **y, RsdError *err);

#endif
