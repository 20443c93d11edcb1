/* row_rounding.h - weights of few bits, rounded so that what the rounding of one does to a sum, that of others undoes.
 *
 * Each row of a matrix makes one output, sum of w_i x_i + bias. With errors e_i of the weights (and of the bias, whose input is 1) the
 * output is wrong by e' S e in the mean square, S the mean products of any two inputs. The nearest weights make each e_i small; where
 * inputs are large and move together, as those of networks do, others make e' S e several times smaller.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ROW_ROUNDING_H
#define RESIDUA_ROW_ROUNDING_H

#include <stdint.h>

#include "engine/base/error.h"

#define ROW_ROUNDING_MAX 127 /* multiples of a scale: -127 .. 127 */

/* Borrowed. */
typedef struct RowRounding {
    float *w;     /* [n_out, n_in]; afterwards multiples of the rows' scales */
    float *bias;  /* [n_out], of any size; it follows; NULL: none */
    const double *scale; /* [n_out], at least the row's greatest |w| / 127; 0: a row of zeros */
    int64_t n_out, n_in;
    const double *moments; /* [n_in + 1, n_in + 1]: sums of the products of any two inputs, the last of which is 1 */
} RowRounding;

/* First the nearest; then weight after weight moves by a step as long as that makes the error of the output less. The greatest weight of
 * a row keeps its nearest, so that a scale which is told by it is told alike afterwards. Rows that are multiples already stay as they are.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus row_rounding_run(const RowRounding *rows, RsdError *err);

#endif
