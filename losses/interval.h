/* interval.h - a mean and how sure it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_INTERVAL_H
#define RESIDUA_INTERVAL_H

#include <stddef.h>

typedef struct Interval {
    size_t n;
    double mean;
    double half_width; /* of the 95 % confidence interval, Student's t; 0 for fewer than two values */
} Interval;

/* Values must be finite. */
Interval interval_of(const double *values, size_t n);

/* 97.5 % quantile of Student's t with df >= 1 degrees of freedom, to 0.1 %. */
double interval_t975(size_t df);

#endif
