/* checkerboard.h - the two colours of a checkerboard: one of them by itself, and both together again.
 *
 *   a b c d e        even: a c e      odd: b d          Cell (row, column) is even where row + column is. A colour is packed to
 *   f g h i j              g i             f h j         the left; where a row has one cell less of it, zeros fill up.
 *
 * [image.md 10.4]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CHECKERBOARD_H
#define RESIDUA_OPS_CHECKERBOARD_H

#include "engine/tape.h"

/* x [batch, channels, h, n] -> y [batch, channels, h, ceil(n / 2)]. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus op_checkerboard_pack(Tape *tape, Tensor *x, bool odd, Tensor **y, RsdError *err);
/* x [batch, channels, h, ceil(n / 2)] -> y [batch, channels, h, n] with zeros at the other colour. */
RsdStatus op_checkerboard_spread(Tape *tape, Tensor *x, bool odd, int64_t n, Tensor **y, RsdError *err);

#endif
