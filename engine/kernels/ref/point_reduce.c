/* point_reduce.c - sums, distances and extremes of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/ref/point_ref.h"

double ref_sum(const float *x, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++)
        total += (double)x[i];
    return total;
}

double ref_dot(const float *a, const float *b, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++)
        total += (double)a[i] * (double)b[i];
    return total;
}

double ref_sum_sq_dev(const float *x, float centre, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)centre;

        total += d * d;
    }
    return total;
}

double ref_sum_abs_diff(const float *a, const float *b, const float *w, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);

        total += w ? (double)w[i] * d : d;
    }
    return total;
}

double ref_sum_sq_diff(const float *a, const float *b, const float *w, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];

        total += w ? (double)w[i] * d * d : d * d;
    }
    return total;
}

void ref_sum_columns(const float *x, int64_t rows, int64_t n, int64_t stride, double scale, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        double total = 0.0;

        for (int64_t r = 0; r < rows; r++)
            total += (double)x[r * stride + i];
        y[i] = (float)(scale * total);
    }
}

float ref_max_abs(const float *x, int64_t n)
{
    float most = 0.0f;

    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) <= most)) {
            most = fabsf(x[i]);
            if (isnan(most))
                return most;
        }
    return most;
}

bool ref_all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

void ref_abs_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float d = a[i] - b[i], sign = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f;

        put(&dx[i], w ? scale * sign * w[i] : scale * sign, add);
    }
}

void ref_sq_diff_grad(const float *a, const float *b, const float *w, float scale, float *dx, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float d = 2.0f * scale * (a[i] - b[i]);

        put(&dx[i], w ? d * w[i] : d, add);
    }
}
