/* by_lines.h - parts of picture networks that go through a picture a few lines at a time, for inference.
 *
 * What lies between the layers of a part stays in the second level cache of the thread that works on those lines; only the result is
 * written. While a tape records, or when a weight is not prepared (conv2d_prepare), the same ops run one after the other over the whole
 * picture and give the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_BY_LINES_H
#define RESIDUA_OPS_BY_LINES_H

#include "engine/tape.h"

/* A weight and its bias. */
typedef struct WeightPair {
    Tensor *weight, *bias;
} WeightPair;

/* Depthwise taps [c, 1, k, k] with k 3, 5 or 7, then kernels of one tap: in [d, c, 1, 1], out [c, d, 1, 1]. */
typedef struct SeparableBlock {
    WeightPair taps, in, out;
} SeparableBlock;

/* y = x + out(hard_swish(in(taps(x)))), x [batch, c, h, n]; zeros beyond the edges. room: NULL, or where y's numbers may go, not x's: then
 * they may lie there. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_separable_block(Tape *tape, Tensor *x, const SeparableBlock *block, float *room, Tensor **y, RsdError *err);

/* y = pixel_shuffle(conv(x), r) + offset, x [batch, c, h, n], w [c_out r r, c, k, k] with odd k: the size is kept before the shuffle.
 * room as above. */
RsdStatus op_conv2d_shuffle(Tape *tape, Tensor *x, const WeightPair *w, int r, float offset, float *room, Tensor **y, RsdError *err);

#endif
