/* interval.c - Student's t.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/interval.h"

#include <math.h>

#define Z975 1.959963984540054 /* 97.5 % quantile of the normal distribution */

double interval_t975(size_t df)
{
    static const double table[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281};
    double z = Z975, n = (double)df;

    if (df <= sizeof table / sizeof table[0])
        return table[df < 1 ? 0 : df - 1];
    /* Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5 */
    return z + (pow(z, 3) + z) / (4 * n) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * n * n);
}

Interval interval_of(const double *values, size_t n)
{
    Interval out = {.n = n};
    double squares = 0;

    for (size_t i = 0; i < n; i++)
        out.mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - out.mean) * (values[i] - out.mean);
    if (n >= 2)
        out.half_width = interval_t975(n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
    return out;
}
