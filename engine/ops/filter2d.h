/* filter2d.h - separable filters on pictures: smoothing, derivatives, means over blocks, and padding alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_FILTER2D_H
#define RESIDUA_OPS_FILTER2D_H

#include "engine/tape.h"

#define FILTER2D_MAX_TAPS 64

/* What stands beyond the edges of a row 1 2 3. All but EDGE_ZERO go on periodically, so any padding of any picture works. */
typedef enum FilterEdge {
    EDGE_ZERO,      /* 0 0 | 1 2 3 | 0 0 */
    EDGE_REPLICATE, /* 1 1 | 1 2 3 | 3 3 */
    EDGE_REFLECT,   /* 3 2 | 1 2 3 | 2 1 */
    EDGE_SYMMETRIC  /* 2 1 | 1 2 3 | 3 2 */
} FilterEdge;

/* One direction: y[i] = sum over k of taps[k] x[i stride + k - before], with before + after samples added to x.
 * n = 0 means one tap of 1; stride 0 means 1. */
typedef struct FilterAxis {
    int n;
    float taps[FILTER2D_MAX_TAPS];
    int stride, before, after;
} FilterAxis;

typedef struct Filter2d {
    FilterAxis down, across;
    FilterEdge edge;
} Filter2d;

/* x [.., H, W] -> y [.., Ho, Wo] with Ho = floor((H + before + after - n) / stride) + 1, the same for W. Correlation, as
 * networks do it: taps are not reversed. Errors: RSD_ERR_ARG naming the shape when the filter does not fit,
 * RSD_ERR_MEMORY. */
RsdStatus op_filter2d(Tape *tape, const Filter2d *filter, Tensor *x, Tensor **y, RsdError *err);

/* Length of the output of one axis for n samples, below 1 when the filter does not fit. */
int64_t filter_axis_len(const FilterAxis *axis, int64_t n);

/* taps[k] = exp(-(k - (n - 1) / 2)^2 / (2 sigma^2)), scaled to the sum 1; computed in double. */
void filter_axis_gaussian(FilterAxis *axis, int n, double sigma);
/* n taps of 1 / n at stride n, after zero padding (or what the filter's edge says) to a whole number when asked. */
void filter_axis_mean(FilterAxis *axis, int n);

#endif
