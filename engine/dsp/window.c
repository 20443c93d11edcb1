/* window.c - window functions as tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/window.h"

#include <math.h>

static double hann_at(size_t i, size_t n, WindowForm form)
{
    size_t period = form == WINDOW_PERIODIC ? n : n - 1;

    if (n == 1)
        return 1.0;
    return 0.5 - 0.5 * cos(2.0 * M_PI * (double)i / (double)period);
}

void window_hann(float *w, size_t n, WindowForm form)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)hann_at(i, n, form);
}

void window_hann_f64(double *w, size_t n, WindowForm form)
{
    for (size_t i = 0; i < n; i++)
        w[i] = hann_at(i, n, form);
}

/* Modified Bessel function of order 0 by its power series: sum of ((x / 2)^k / k!)^2, all terms positive. */
static double bessel_i0(double x)
{
    double term = 1.0, sum = 1.0, half = x / 2.0;

    for (int k = 1; term > sum * 1e-17; k++) {
        term *= half / k * (half / k);
        sum += term;
    }
    return sum;
}

void window_kaiser_f64(double *w, size_t n, double beta)
{
    double peak = bessel_i0(beta);

    for (size_t i = 0; i < n; i++) {
        double at = n == 1 ? 0.0 : 2.0 * (double)i / (double)(n - 1) - 1.0;

        w[i] = bessel_i0(beta * sqrt(fmax(0.0, 1.0 - at * at))) / peak;
    }
}
