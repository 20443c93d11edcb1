/* bd_rate.h - how many bits less one codec needs than another for the same quality (Bjontegaard), by monotone cubics.
 *
 * [1] image.md 11.12.   [2] Fritsch, Carlson, Monotone piecewise cubic interpolation, 1980; the ends as in [3].
 * [3] Moler, Numerical Computing with MATLAB, 2004, section 3.6 (pchip).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BD_RATE_H
#define RESIDUA_BD_RATE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

#define BD_MIN_POINTS 4
#define BD_MIN_OVERLAP 0.6

typedef struct BdPoint {
    double rate, quality; /* rate > 0 in any unit; quality: higher is better (negate where lower is) */
} BdPoint;

typedef struct BdRate {
    bool known;              /* otherwise `why` says what is missing */
    double percent;          /* below 0: the test codec needs less */
    double from, to;         /* the qualities that both reach */
    double overlap;          /* (to - from) by the shorter of the two ranges; 0 when they do not meet */
    size_t n_test, n_anchor; /* points used: those that another one beats in both rate and quality are left out */
    const char *why;
} BdRate;

/* Curves of n_test and n_anchor points in any order, borrowed. log10 of the rate is interpolated over quality, and the
 * cubics are integrated exactly. Errors: RSD_ERR_ARG (a rate that is not positive, a value that is not finite),
 * RSD_ERR_MEMORY. */
RsdStatus bd_rate(BdRate *out, const BdPoint *test, size_t n_test, const BdPoint *anchor, size_t n_anchor,
                  RsdError *err);

/* Quality at a rate by the same cubics over log10 of the rate; NaN outside of the curve or of fewer than two points that rise.
 * Errors as bd_rate. */
RsdStatus bd_quality_at(double *quality, const BdPoint *points, size_t n, double rate, RsdError *err);

/* Slopes d [n] of the monotone cubic through (x, y) [n], x rising, n >= 2. */
void pchip_slopes(double *d, const double *x, const double *y, size_t n);
/* Value at, and integral from x[0] to, `at` inside x[0] .. x[n - 1]. */
double pchip_value(const double *x, const double *y, const double *d, size_t n, double at);
double pchip_integral(const double *x, const double *y, const double *d, size_t n, double at);

#endif
