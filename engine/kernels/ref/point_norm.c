/* point_norm.c - normalisation over columns, softmax of rows.
 *
 * Gradient of y = (x - mean) rstd gamma + beta over m rows, with xhat = (x - mean) rstd and e = dy gamma:
 *   dx = rstd (e - mean(e) - xhat mean(e xhat)),  dgamma = sum dy xhat,  dbeta = sum dy
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/ref/point_ref.h"

void ref_norm_columns(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *beta,
                      float eps, float *y, float *mean, float *rstd)
{
    for (int64_t i = 0; i < n; i++) {
        double total = 0.0, deviation = 0.0;

        for (int64_t r = 0; r < rows; r++)
            total += (double)x[r * stride + i];
        total /= (double)rows;
        for (int64_t r = 0; r < rows; r++) {
            const double d = (double)x[r * stride + i] - total;

            deviation += d * d;
        }
        mean[i] = (float)total;
        rstd[i] = (float)(1.0 / sqrt(deviation / (double)rows + (double)eps));
        for (int64_t r = 0; r < rows; r++) {
            const float xhat = (x[r * stride + i] - mean[i]) * rstd[i];

            y[r * stride + i] = gamma ? xhat * gamma[r] + beta[r] : xhat;
        }
    }
}

void ref_norm_columns_grad(const float *x, int64_t rows, int64_t n, int64_t stride, const float *gamma, const float *mean,
                           const float *rstd, const float *dy, float *dx, bool add, double *dgamma, double *dbeta)
{
    for (int64_t i = 0; i < n; i++) {
        double sum_e = 0.0, sum_e_xhat = 0.0;

        for (int64_t r = 0; r < rows; r++) {
            const double xhat = (double)((x[r * stride + i] - mean[i]) * rstd[i]), d = (double)dy[r * stride + i];
            const double e = gamma ? d * (double)gamma[r] : d;

            sum_e += e;
            sum_e_xhat += e * xhat;
            if (dgamma) {
                dgamma[r] += d * xhat;
                dbeta[r] += d;
            }
        }
        sum_e /= (double)rows;
        sum_e_xhat /= (double)rows;
        for (int64_t r = 0; dx && r < rows; r++) {
            const float xhat = (x[r * stride + i] - mean[i]) * rstd[i];
            const float e = gamma ? dy[r * stride + i] * gamma[r] : dy[r * stride + i];

            put(&dx[r * stride + i], rstd[i] * (e - (float)sum_e - xhat * (float)sum_e_xhat), add);
        }
    }
}

void ref_softmax(const float *x, float *y, int64_t n, bool as_log)
{
    float most = n ? x[0] : 0.0f;
    double total = 0.0;

    for (int64_t i = 1; i < n; i++)
        if (x[i] > most)
            most = x[i];
    for (int64_t i = 0; i < n; i++) {
        const float e = expf(x[i] - most);

        total += (double)e;
        y[i] = as_log ? x[i] - most : e;
    }
    if (as_log) {
        const float log_total = (float)log(total);

        for (int64_t i = 0; i < n; i++)
            y[i] -= log_total;
    } else {
        const float inverse = (float)(1.0 / total);

        for (int64_t i = 0; i < n; i++)
            y[i] *= inverse;
    }
}

void ref_softmax_grad(const float *y, const float *dy, float *dx, int64_t n, bool as_log, bool add)
{
    const float total = (float)(as_log ? ref_sum(dy, n) : ref_dot(y, dy, n));

    for (int64_t i = 0; i < n; i++)
        put(&dx[i], as_log ? dy[i] - expf(y[i]) * total : y[i] * (dy[i] - total), add);
}
