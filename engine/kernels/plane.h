/* plane.h - kernels that work on the planes of pictures, [lines, n] of one channel: pooling and resizing.
 *
 * A task is one plane. Every output is summed in one fixed order: down, then across.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_PLANE_H
#define RESIDUA_KERNELS_PLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

/* Windows along one axis: window i covers samples i stride - before .. + size - 1, those outside left out. Each window has
 * at least one sample. */
typedef struct PoolAxis {
    int64_t n, m; /* samples and windows */
    int64_t size, stride, before;
    int64_t n_padded; /* samples that a mean counts, from -before on: n_padded = n, before = 0 to count no padding */
} PoolAxis;

typedef struct PoolShape {
    PoolAxis y, x;
    bool count_pad; /* a mean counts padding as zeros */
} PoolShape;

/* Output i of one axis of a resized plane is the sum of `n_taps` samples weighted by weight[i n_taps ..], the first of them
 * sample first[i]; first + n_taps <= n. */
typedef struct ResizeAxis {
    int64_t n, m, n_taps;
    const int32_t *first;
    const float *weight;
} ResizeAxis;

struct PlaneKernels {
    /* y [m_y, m_x] = largest of each window (NaN if any); at [m_y, m_x] its place in x, the first of equals; may be NULL. */
    void (*pool_max)(const PoolShape *s, const float *x, float *y, int32_t *at);
    /* dx [n_y, n_x] (+)= dy at the places. */
    void (*pool_max_grad)(const PoolShape *s, const int32_t *at, const float *dy, float *dx, bool add);
    void (*pool_mean)(const PoolShape *s, const float *x, float *y);
    void (*pool_mean_grad)(const PoolShape *s, const float *dy, float *dx, bool add);

    /* y [m_y, m_x] from x [n_y, n_x]; between holds max(m_y n_x, 1) floats. And dx (+)= what dy says. */
    void (*resize)(const ResizeAxis *down, const ResizeAxis *across, const float *x, float *between, float *y);
    void (*resize_grad)(const ResizeAxis *down, const ResizeAxis *across, const float *dy, float *between, float *dx, bool add);
};

extern const PlaneKernels plane_ref;
extern const PlaneKernels plane_avx2; /* x86 with AVX2 */

#endif
