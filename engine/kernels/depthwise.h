/* depthwise.h - convolutions of one plane by one small kernel: each channel by itself, the size kept, zeros beyond the edges.
 *
 * The general convolutions (conv.h) make panels of weights for sums over channels; here there is one channel, and the time goes
 * into moving planes. A plane is cut into strips of lines that stay in the first cache level, each copied between zeros.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_DEPTHWISE_H
#define RESIDUA_KERNELS_DEPTHWISE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define DEPTHWISE_MAX_K 7

typedef struct DepthwiseShape {
    int64_t h, n; /* of the plane */
    int64_t k;    /* 3, 5 or 7 */
    int64_t first, lines; /* of `plane`: y holds lines first .. first + lines - 1 alone */
} DepthwiseShape;

struct DepthwiseKernels {
    /* y [lines, n] (+)= bias + sum over taps (v, u) of w[v k + u] x[first + i + v - k / 2, j + u - k / 2], x [h, n], taps in the order
     * of w. scratch: room for depthwise_scratch_count floats, aligned to MEM_ALIGN. */
    void (*plane)(const DepthwiseShape *s, const float *x, const float *w, float bias, float *y, bool add, float *scratch);
    /* dw[v k + u] += sum over (i, j) of dy[i, j] x[i + v - k / 2, j + u - k / 2], in double over pieces of the plane. */
    void (*weights)(const DepthwiseShape *s, const float *x, const float *dy, double *dw, float *scratch);
};

int64_t depthwise_scratch_count(const DepthwiseShape *s);

/* For the kernels: lines of a strip, distance of its lines, and the copy of lines first .. first + lines - 1 (beyond the
 * plane: zeros) of x with `left` zeros before each line and zeros up to the pitch behind it. */
int64_t depthwise_strip_lines(const DepthwiseShape *s);
int64_t depthwise_pitch(const DepthwiseShape *s);
void depthwise_fill(const DepthwiseShape *s, const float *x, int64_t first, int64_t lines, int64_t left, float *strip);

extern const DepthwiseKernels depthwise_ref, depthwise_avx2, depthwise_avx512;

#endif
