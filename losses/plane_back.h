/* plane_back.h - gradients of plane_math: what the gradient of a result says of the plane it was made from.
 *
 * Each function adds to the gradient of its input, which has the input's size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PLANE_BACK_H
#define RESIDUA_PLANE_BACK_H

#include "losses/plane_math.h"

/* A plane of zeros. Errors: RSD_ERR_MEMORY. */
RsdStatus plane_open_zero(Plane *p, int64_t h, int64_t w, RsdError *err);

void plane_shrink_back(Plane *din, const Plane *dout, int64_t n, bool centred);
/* drgb: the three channels below each other, 3 h rows. Errors: RSD_ERR_MEMORY. */
RsdStatus plane_of_rgb_back(Plane *drgb, const Plane *dout, const double weights[3], int64_t n, bool centred, RsdError *err);
/* in, out: of the call. Where out is 0 there is no gradient. */
void plane_scharr_back(Plane *din, const Plane *in, const Plane *out, const Plane *dout);
/* Errors: RSD_ERR_MEMORY. */
RsdStatus plane_filter_back(Plane *din, const Plane *dout, const double *taps, int n, RsdError *err);
void plane_resize_back(Plane *din, const Plane *dout, bool corners);

/* scale times the plane in float: the gradient as a loss gives it back. */
void plane_narrow(float *out, const Plane *p, double scale);

/* Derivative of similarity(a, b, c), whose value is s, by b. */
static inline double similarity_slope(double a, double b, double c, double s)
{
    return 2.0 * (a - s * b) / (a * a + b * b + c);
}

#endif
