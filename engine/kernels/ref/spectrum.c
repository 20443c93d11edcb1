/* spectrum.c - frames, magnitudes, filter banks and spectral distances in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/spectrum.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/ref/spectrum_fft.h"

#define LANES SPECTRUM_LANES

static void load_frames(const float *x, int64_t hop, const float *window, int n, int n_frames, float *block)
{
    memset(block, 0, (size_t)n * LANES * sizeof *block);
    for (int l = 0; l < n_frames; l++)
        for (int i = 0; i < n; i++)
            block[i * LANES + l] = window[i] * x[l * hop + i];
}

static void add_frames(const float *block, const float *window, int n, int64_t hop, int n_frames, float *x)
{
    for (int l = 0; l < n_frames; l++)
        for (int i = 0; i < n; i++)
            x[l * hop + i] += window[i] * block[i * LANES + l];
}

static void put(float *at, float value, bool add)
{
    *at = add ? *at + value : value;
}

static void power(const float *re, const float *im, float *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        s[i] = re[i] * re[i] + im[i] * im[i];
}

static void power_grad(const float *re, const float *im, const float *ds, float *dre, float *dim, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float scale = 2.0f * ds[i], x = re[i], y = im[i];

        put(&dre[i], scale * x, add);
        put(&dim[i], scale * y, add);
    }
}

static void magnitude(const float *re, const float *im, float floor, float *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float p = re[i] * re[i] + im[i] * im[i];

        s[i] = sqrtf(p < floor ? floor : p);
    }
}

static void magnitude_grad(const float *re, const float *im, const float *s, float floor, const float *ds, float *dre,
                           float *dim, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float x = re[i], y = im[i], p = x * x + y * y;
        const float scale = p >= floor && p > 0.0f ? ds[i] / s[i] : 0.0f;

        put(&dre[i], scale * x, add);
        put(&dim[i], scale * y, add);
    }
}

static void compress(const float *re, const float *im, float exponent, float eps, float *cre, float *cim, float *gain,
                     int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float x = re[i], y = im[i];
        const float g = powf(x * x + y * y + eps, 0.5f * (exponent - 1.0f));

        cre[i] = g * x;
        cim[i] = g * y;
        if (gain)
            gain[i] = g;
    }
}

static void compress_grad(const float *re, const float *im, const float *gain, float exponent, float eps,
                          const float *dcre, const float *dcim, float *dre, float *dim, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        const float x = re[i], y = im[i], dx = dcre[i], dy = dcim[i];
        /* g = p^h with p = |X|^2 + eps: dg/dX = 2 h g / p X */
        const float along = (exponent - 1.0f) * gain[i] / (x * x + y * y + eps) * (x * dx + y * dy);

        put(&dre[i], gain[i] * dx + along * x, add);
        put(&dim[i], gain[i] * dy + along * y, add);
    }
}

static void band(const BandMatrix *m, const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t columns,
                 bool add)
{
    for (int r = 0; r < m->n_rows; r++) {
        const float *weights = m->weights + m->offset[r];

        for (int64_t j = 0; j < columns; j++) {
            float sum = 0.0f;

            for (int k = 0; k < m->count[r]; k++)
                sum += weights[k] * x[(m->first[r] + k) * x_stride + j];
            put(&y[r * y_stride + j], sum, add);
        }
    }
}

static float sign_of(float x)
{
    return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

static void distance(const float *a, const float *b, int64_t rows, const DistanceTerms *t, float *da,
                     double sums[SPECTRUM_LANES])
{
    const bool logs = t->log != 0.0f || t->log_square != 0.0f;

    for (int64_t i = 0; i < rows * LANES; i++) {
        const float diff = a[i] - b[i];
        float value = t->linear * fabsf(diff) + t->square * diff * diff;
        float grad = t->linear * sign_of(diff) + 2.0f * t->square * diff;

        if (logs) {
            const float va = !t->log_clamps ? a[i] + t->log_floor : a[i] < t->log_floor ? t->log_floor : a[i];
            const float vb = !t->log_clamps ? b[i] + t->log_floor : b[i] < t->log_floor ? t->log_floor : b[i];
            const float log_diff = t->log_scale * (logf(va) - logf(vb));

            value += t->log * fabsf(log_diff) + t->log_square * log_diff * log_diff;
            if (!t->log_clamps || a[i] >= t->log_floor)
                grad += (t->log * sign_of(log_diff) + 2.0f * t->log_square * log_diff) * t->log_scale / va;
        }
        sums[i % LANES] += value;
        if (da)
            da[i] = grad;
    }
}

static void energy(const float *a, int64_t rows, double sums[SPECTRUM_LANES])
{
    for (int64_t i = 0; i < rows * LANES; i++)
        sums[i % LANES] += (double)a[i] * a[i];
}

static void ear_squares(const EarFilters *f, const double *x, int64_t n, double squares[LANES])
{
    double last_in[EAR_STAGES][LANES] = {{0}}, last[EAR_STAGES][LANES] = {{0}}, before[EAR_STAGES][LANES] = {{0}};

    for (int b = 0; b < LANES; b++)
        squares[b] = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double signal[LANES];

        for (int b = 0; b < LANES; b++)
            signal[b] = x[i];
        for (int k = 0; k < EAR_STAGES; k++)
            for (int b = 0; b < LANES; b++) {
                const double y = f->gain[k][b] * signal[b] + f->zero[k][b] * last_in[k][b] - f->pole_2[b] * before[k][b] -
                                 f->pole_1[b] * last[k][b];

                last_in[k][b] = signal[b];
                before[k][b] = last[k][b];
                last[k][b] = y;
                signal[b] = y;
            }
        for (int b = 0; b < LANES; b++)
            squares[b] += signal[b] * signal[b];
    }
}

static double long_filter(const double *x, const double *taps, int64_t n)
{
    double lanes[LANES] = {0.0}, sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        lanes[i % LANES] += x[i] * taps[i];
    for (int b = 0; b < LANES; b++)
        sum += lanes[b];
    return sum;
}

static double row_product(const BandMatrix *m, int r, const double *x)
{
    double sum = 0.0;

    for (int k = 0; k < m->count[r]; k++)
        sum += (double)m->weights[m->offset[r] + k] * x[(m->first[r] + k) * LANES];
    return sum;
}

static void band_ratios(const BandMatrix *m, const double *a, const double *b, double floor, double ratios[LANES],
                        int64_t exponents[LANES])
{
    for (int l = 0; l < LANES; l++)
        for (int r = 0; r < m->n_rows; r++) {
            const double x = fmax(row_product(m, r, a + l), floor), y = fmax(row_product(m, r, b + l), floor);
            int exponent;

            ratios[l] = 2.0 * frexp(ratios[l] * (fmax(x, y) / fmin(x, y)), &exponent);
            exponents[l] += exponent - 1;
        }
}

const SpectrumKernels spectrum_ref = {
    .power_frames = spectrum_power_frames_ref,
    .band_ratios = band_ratios,
    .ear_squares = ear_squares,
    .long_filter = long_filter,
    .load_frames = load_frames,
    .add_frames = add_frames,
    .forward = spectrum_forward_ref,
    .adjoint = spectrum_adjoint_ref,
    .power = power,
    .power_grad = power_grad,
    .magnitude = magnitude,
    .magnitude_grad = magnitude_grad,
    .compress = compress,
    .compress_grad = compress_grad,
    .band = band,
    .distance = distance,
    .energy = energy,
};
