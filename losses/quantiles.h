/* quantiles.h - the five numbers that describe how values spread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_QUANTILES_H
#define RESIDUA_QUANTILES_H

#include <stddef.h>

#define N_QUANTILES 5

/* What p percent of the values lie below: p = 5, 25, 50, 75, 95. */
typedef struct Quantiles {
    size_t n;                  /* values; 0: at[] means nothing */
    double at[N_QUANTILES];
} Quantiles;

extern const int quantile_percents[N_QUANTILES];
extern const char *const quantile_names[N_QUANTILES]; /* "p5" .. "p95" */

/* Values must be finite; their order changes. Between neighbours in order, value k of n stands for the share k / (n - 1), as
 * numpy.quantile does by default. */
Quantiles quantiles_of(double *values, size_t n);

#endif
