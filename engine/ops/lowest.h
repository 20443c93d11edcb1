/* lowest.h - the mean of the smallest elements of each row: how a measure looks at the worst places only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_LOWEST_H
#define RESIDUA_OPS_LOWEST_H

#include "engine/tape.h"

/* x [rows, n], 1 <= k <= n -> y [rows]: mean of the k smallest elements of each row. Of elements equal to the largest of
 * these, the first ones count, and they get the gradient. NaN in a row gives NaN. Errors: RSD_ERR_ARG naming the shape,
 * RSD_ERR_MEMORY. */
RsdStatus op_mean_lowest(Tape *tape, Tensor *x, int64_t k, Tensor **y, RsdError *err);

#endif
