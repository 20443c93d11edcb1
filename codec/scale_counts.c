/* scale_counts.c - see scale_counts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/scale_counts.h"

#include <string.h>

#include "codec/cdf.h"

#define ESCAPE (IMAGE_SCALE_WEIGHTS - 1)
#define WHOLE 16383 /* the weights of a table together: half of it, as that of 0 counts twice what it is */

void scale_counts_add(ScaleCounts *counts, int scale, int k)
{
    const int size = k < 0 ? -k : k;

    counts->n[scale][size < ESCAPE ? size : ESCAPE]++;
}

/* Of the values k and -k, and of what has no place, in 1 / CDF_TOTAL. */
static int64_t count_with_before(const int64_t *n, const CdfTable *normal, int k)
{
    const int last = -normal->lowest;
    int64_t count = 0;

    if (k == ESCAPE) {
        for (int beyond = last + 1; beyond <= ESCAPE; beyond++)
            count += n[beyond];
        return count * CDF_TOTAL + SCALE_COUNTS_BEFORE * normal->freq[normal->n_values];
    }
    return n[k] * CDF_TOTAL + SCALE_COUNTS_BEFORE * (int64_t)normal->freq[last + k] * (k == 0 ? 1 : 2);
}

static int16_t weight_of(int64_t count, int64_t n_all, bool is_one_value)
{
    const int64_t whole = n_all * CDF_TOTAL, weight = (count * (is_one_value ? 2 * WHOLE : WHOLE) + whole / 2) / whole;

    return (int16_t)(weight < 1 ? 1 : weight);
}

static void make_row(const int64_t *n, int scale, int16_t *weights)
{
    int64_t n_all = SCALE_COUNTS_BEFORE;
    CdfTable normal;

    cdf_grid(&normal, CDF_NORMAL, scale);
    for (int k = 0; k < IMAGE_SCALE_WEIGHTS; k++)
        n_all += n[k];
    for (int k = 0; k <= -normal.lowest; k++)
        weights[k] = weight_of(count_with_before(n, &normal, k), n_all, k == 0);
    weights[ESCAPE] = weight_of(count_with_before(n, &normal, ESCAPE), n_all, true);
}

void scale_counts_to_weights(const ScaleCounts *counts, int16_t *weights)
{
    memset(weights, 0, (size_t)IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS * sizeof *weights);
    for (int i = 1; i < IMAGE_SCALE_TABLES; i++)
        make_row(counts->n[i], i, weights + i * IMAGE_SCALE_WEIGHTS);
}
