/* plane_ref.h - windows, and plain functions that every set of plane kernels uses; contracts in engine/kernels/plane.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PLANE_REF_H
#define RESIDUA_PLANE_REF_H

#include "engine/kernels/plane.h"

/* Samples first .. end - 1 of a window that exist. */
typedef struct Window {
    int64_t first, end;
} Window;

static inline Window window_of(const PoolAxis *axis, int64_t i)
{
    const int64_t first = i * axis->stride - axis->before, end = first + axis->size;

    return (Window){first < 0 ? 0 : first, end < axis->n ? end : axis->n};
}

/* One window of pool_max. */
static inline void max_of_window(const PoolShape *s, const float *x, Window down, int64_t i, int64_t j, float *y, int32_t *at)
{
    const Window across = window_of(&s->x, j);
    int64_t most = down.first * s->x.n + across.first;

    for (int64_t l = down.first; l < down.end; l++)
        for (int64_t k = l * s->x.n + across.first; k < l * s->x.n + across.end; k++)
            if (x[k] > x[most] || x[k] != x[k])
                most = k;
    y[i * s->x.m + j] = x[most];
    if (at)
        at[i * s->x.m + j] = (int32_t)most;
}

void ref_pool_max_grad(const PoolShape *s, const int32_t *at, const float *dy, float *dx, bool add);
void ref_pool_mean(const PoolShape *s, const float *x, float *y);
void ref_pool_mean_grad(const PoolShape *s, const float *dy, float *dx, bool add);
void ref_resize(const ResizeAxis *down, const ResizeAxis *across, const float *x, float *between, float *y);
void ref_resize_grad(const ResizeAxis *down, const ResizeAxis *across, const float *dy, float *between, float *dx, bool add);

#endif
