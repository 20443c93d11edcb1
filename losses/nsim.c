/* nsim.c - 3 x 3 windows, borders repeated.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/nsim.h"

#include <math.h>

#define CORNER 0.0113033910173052
#define EDGE 0.0838251475442633
#define CENTRE 0.619485845753726
/* The constants take an intensity range of 1 although the values are in dB, as the published tool does. */
#define C1 (0.01 * 0.01)
#define C3 (0.03 * 0.03 / 2)

static int clamp(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static double similarity_at(const double *ref, const double *dist, int n_bands, int n_frames, int b, int t)
{
    static const double weights[3][3] = {{CORNER, EDGE, CORNER}, {EDGE, CENTRE, EDGE}, {CORNER, EDGE, CORNER}};
    double mean_r = 0, mean_d = 0, rr = 0, dd = 0, rd = 0, product;

    for (int i = -1; i <= 1; i++)
        for (int k = -1; k <= 1; k++) {
            int at = clamp(t + i, n_frames) * NSIM_MAX_BANDS + clamp(b + k, n_bands);
            double w = weights[i + 1][k + 1], r = ref[at], d = dist[at];

            mean_r += w * r;
            mean_d += w * d;
            rr += w * r * r;
            dd += w * d * d;
            rd += w * r * d;
        }
    rr -= mean_r * mean_r;
    dd -= mean_d * mean_d;
    rd -= mean_r * mean_d;
    product = rr * dd;
    return (2 * mean_r * mean_d + C1) / (mean_r * mean_r + mean_d * mean_d + C1) * (rd + C3) /
           ((product > 0 ? sqrt(product) : 0) + C3);
}

double nsim_patch(const double *ref, const double *dist, int n_bands, int n_frames, double *band_means)
{
    double mean = 0;

    for (int b = 0; b < n_bands; b++) {
        double sum = 0;

        for (int t = 0; t < n_frames; t++)
            sum += similarity_at(ref, dist, n_bands, n_frames, b, t);
        band_means[b] = sum / n_frames;
        mean += band_means[b] / n_bands;
    }
    return mean;
}
