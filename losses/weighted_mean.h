/* weighted_mean.h - the mean that similarity maps are pooled with: by weights of their own, or plainly where all weights are 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_WEIGHTED_MEAN_H
#define RESIDUA_WEIGHTED_MEAN_H

#include <stdint.h>

typedef struct WeightedMean {
    double sum, weights, plain; /* of w v, w >= 0, and v */
    int64_t count;
} WeightedMean;

static inline void weighted_mean_add(WeightedMean *m, double weight, double v)
{
    m->sum += weight * v;
    m->weights += weight;
    m->plain += v;
    m->count++;
}

static inline double weighted_mean_value(const WeightedMean *m)
{
    return m->weights > 0.0 ? m->sum / m->weights : m->plain / (double)m->count;
}

/* Derivatives of the value by a v of this weight, and by the weight of this v. */
static inline double weighted_mean_slope(const WeightedMean *m, double weight)
{
    return m->weights > 0.0 ? weight / m->weights : 1.0 / (double)m->count;
}

static inline double weighted_mean_weight_slope(const WeightedMean *m, double v)
{
    return m->weights > 0.0 ? (v - weighted_mean_value(m)) / m->weights : 0.0;
}

#endif
