/* spectrum_power.c - power spectra in double, one frame at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/spectrum_fft.h"

#include <math.h>

#define N_LANES 1
typedef double Lanes;

static double all_lanes(double x)
{
    return x;
}

static double mul_add(double a, double b, double c)
{
    return a * b + c;
}

static double root(double x)
{
    return sqrt(x);
}

static void load_windowed(const float *x, int64_t hop, const double *window, int n, int n_frames, double *rows)
{
    (void)hop;
    for (int i = 0; i < n; i++)
        rows[i] = n_frames > 0 ? window[i] * (double)x[i] : 0.0;
}

#include "engine/kernels/power_frames.h"

void spectrum_power_frames_ref(const BlockFftF64 *fft, const float *x, int64_t hop, const double *window, int n_frames, bool roots,
                               double *work, double *power)
{
    power_frames(fft, x, hop, window, n_frames, roots, work, power);
}
