/* plane_math.h - one plane of a picture in double precision: colour sums, means, edges, filters, resizing. For measures that
 * follow a reference computed in double; plane_back.h has the gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PLANE_MATH_H
#define RESIDUA_PLANE_MATH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

/* Rows are w samples long and follow each other. */
typedef struct Plane {
    int64_t h, w;
    double *data; /* owned: plane_close */
} Plane;

/* A plane of undefined samples. Errors: RSD_ERR_MEMORY. */
RsdStatus plane_open(Plane *p, int64_t h, int64_t w, RsdError *err);
void plane_close(Plane *p); /* accepts an all-zero Plane */

/* Weighted sum of the channels of rgb [3, h, w], then means over n x n blocks; rows and columns that fill no block are left
 * out, or with `centred` the picture is first extended by its edge: n / 2 samples before, (n - 1) / 2 after. */
RsdStatus plane_of_rgb(Plane *out, const float *rgb, int64_t h, int64_t w, const double weights[3], int64_t n, bool centred,
                       RsdError *err);
/* The means alone; out and in may be the same. */
RsdStatus plane_shrink(Plane *out, const Plane *in, int64_t n, bool centred, RsdError *err);
/* round(smaller side / 256), halves to even, at least 1: the n that FSIM and VSI shrink by. */
int64_t plane_shrink_factor(int64_t h, int64_t w);

/* sqrt of the squared Scharr derivatives (3 10 3) / 16 in both directions, zeros beyond the edges. */
RsdStatus plane_scharr(Plane *out, const Plane *in, RsdError *err);

/* out[r, c] = sum of taps[i] taps[k] in[r + i, c + k], only where all taps lie inside. Needs n <= h, w. */
RsdStatus plane_filter(Plane *out, const Plane *in, const double *taps, int n, RsdError *err);

/* Bilinear. corners: the first and last samples of both planes coincide; otherwise their edges do. */
RsdStatus plane_resize(Plane *out, const Plane *in, int64_t h, int64_t w, bool corners, RsdError *err);

/* --- shared with plane_back.c ------------------------------------------------------------------------------------------- */

extern const double scharr_smooth[3];
/* Both derivatives at one place. */
void plane_scharr_at(const Plane *in, int64_t r, int64_t c, double *across, double *down);
/* Where sample i of n_out lies between the samples of n_in: index of the first and weight of the second of the two. */
void plane_locate(int64_t i, int64_t n_out, int64_t n_in, bool corners, int64_t *at, double *share);

static inline int64_t plane_clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* (2 a b + c) / (a^2 + b^2 + c), the similarity that most image metrics share. */
static inline double similarity(double a, double b, double c)
{
    return (2.0 * a * b + c) / (a * a + b * b + c);
}

#endif
