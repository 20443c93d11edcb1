/* quantiles.c - sorted values, and lines between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/quantiles.h"

#include <stdlib.h>

const int quantile_percents[N_QUANTILES] = {5, 25, 50, 75, 95};
const char *const quantile_names[N_QUANTILES] = {"p5", "p25", "p50", "p75", "p95"};

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

Quantiles quantiles_of(double *values, size_t n)
{
    Quantiles out = {.n = n};

    if (!n)
        return out;
    qsort(values, n, sizeof *values, compare);
    for (int i = 0; i < N_QUANTILES; i++) {
        const double place = quantile_percents[i] / 100.0 * (double)(n - 1);
        const size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;

        out.at[i] = values[below] + (place - (double)below) * (values[above] - values[below]);
    }
    return out;
}
