/* picture_measure.c - formulas of single image measures in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/picture_ref.h"

#include <math.h>

static void put(float *at, float value, bool add)
{
    *at = add ? *at + value : value;
}

void ref_spread_row(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[2 * i] = x[i];
}

/* Hoare's selection: afterwards x[k] is what it would be if x were sorted. */
static void select_place(float *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;

    while (low < high) {
        const float pivot = x[low + (high - low) / 2];
        int64_t i = low, j = high;

        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                const float t = x[i];

                x[i++] = x[j];
                x[j--] = t;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            return;
    }
}

float ref_mean_lowest(const float *x, int64_t n, int64_t k, float *work, float *limit)
{
    double sum = 0.0;
    int64_t n_ties = k;

    for (int64_t i = 0; i < n; i++) {
        work[i] = x[i];
        if (isnan(x[i]))
            return *limit = x[i];
    }
    select_place(work, n, k - 1);
    *limit = work[k - 1];
    /* in the order of x, whatever order the selection leaves */
    for (int64_t i = 0; i < n; i++)
        if (x[i] < *limit) {
            sum += (double)x[i];
            n_ties--;
        }
    sum += (double)n_ties * (double)*limit;
    return (float)(sum / (double)k);
}

void ref_mean_lowest_grad(const float *x, int64_t n, int64_t k, float limit, float dy, float *dx, bool add)
{
    const float share = dy / (float)k;
    int64_t n_ties = k;

    for (int64_t i = 0; i < n; i++)
        n_ties -= x[i] < limit;
    for (int64_t i = 0; i < n; i++) {
        const bool counts = x[i] < limit || (x[i] == limit && n_ties-- > 0);

        put(&dx[i], counts ? share : 0.0f, add);
    }
}

#define VIF_EPSILON 1e-8f
#define VIF_NOISE 2.0f
#define INV_LN_10 0.43429448190325182765f

/* Gain and noise, false where nothing is seen. */
static bool vif_channel(float vx, float vy, float vxy, float *gain, float *noise)
{
    *gain = vxy / (vx + VIF_EPSILON);
    *noise = vy - *gain * vxy;
    return vx >= VIF_EPSILON && vy >= VIF_EPSILON && *gain > 0.0f;
}

void ref_vif(const float *vx, const float *vy, const float *vxy, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float gain, noise;

        y[i] = 0.0f;
        if (vif_channel(vx[i], vy[i], vxy[i], &gain, &noise))
            y[i] = INV_LN_10 * log1pf(gain * gain * vx[i] / (fmaxf(noise, VIF_EPSILON) + VIF_NOISE));
        else if (isnan(vx[i] + vy[i] + vxy[i]))
            y[i] = NAN;
    }
}

void ref_vif_grad(const float *vx, const float *vy, const float *vxy, const float *dy, float *dvy, bool add_y, float *dvxy,
                     bool add_xy, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float gain, noise, dnoise = 0.0f, dcov = 0.0f;

        if (vif_channel(vx[i], vy[i], vxy[i], &gain, &noise)) {
            const float below = fmaxf(noise, VIF_EPSILON) + VIF_NOISE, ratio = gain * gain * vx[i] / below;
            const float slope = dy[i] * INV_LN_10 / (1.0f + ratio);

            dnoise = noise > VIF_EPSILON ? -slope * ratio / below : 0.0f;
            dcov = (slope * 2.0f * gain * vx[i] / below) / (vx[i] + VIF_EPSILON) - 2.0f * gain * dnoise;
        }
        if (dvy)
            put(&dvy[i], dnoise, add_y);
        if (dvxy)
            put(&dvxy[i], dcov, add_xy);
    }
}

#define SURROGATE_LEAK 1e-3f /* slope beyond the ends of a clip */

static float surrogate_of(const Surrogate *what, float u)
{
    const float shifted = what->kind == SURROGATE_FLOOR ? u - 0.5f : u, whole = rintf(shifted), rest = shifted - whole;
    const float leak = what->straight ? 0.0f : SURROGATE_LEAK;

    if (what->kind == SURROGATE_CLIP)
        return u > what->high ? what->high + leak * (u - what->high) : u < what->low ? what->low + leak * (u - what->low) : u;
    if (what->straight)
        return what->kind == SURROGATE_FLOOR ? floorf(u) : whole;
    return whole + rest * rest * rest;
}

static float surrogate_slope(const Surrogate *what, float u)
{
    const float shifted = what->kind == SURROGATE_FLOOR ? u - 0.5f : u, rest = shifted - rintf(shifted);

    if (what->kind == SURROGATE_CLIP)
        return u > what->high || u < what->low ? SURROGATE_LEAK : 1.0f;
    return 3.0f * rest * rest;
}

void ref_surrogate(const Surrogate *what, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = surrogate_of(what, x[i]);
}

void ref_surrogate_grad(const Surrogate *what, const float *x, const float *dy, float *dx, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&dx[i], dy[i] * surrogate_slope(what, x[i]), add);
}

#define LENGTH_EPSILON 1e-10f

double ref_unit_distance(const float *x, const float *y, const float *w, int64_t channels, int64_t stride, int64_t n,
                         float scale, float *dy, bool add)
{
    float inverse_x[PICTURE_PLACES], inverse_y[PICTURE_PLACES], length_y[PICTURE_PLACES], along[PICTURE_PLACES];
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        float xx = 0.0f, yy = 0.0f, sum = 0.0f;

        for (int64_t c = 0; c < channels; c++) {
            xx += x[c * stride + i] * x[c * stride + i];
            yy += y[c * stride + i] * y[c * stride + i];
        }
        length_y[i] = sqrtf(yy);
        inverse_x[i] = 1.0f / (sqrtf(xx) + LENGTH_EPSILON);
        inverse_y[i] = 1.0f / (length_y[i] + LENGTH_EPSILON);
        along[i] = 0.0f;
        for (int64_t c = 0; c < channels; c++) {
            const float v = y[c * stride + i], d = v * inverse_y[i] - x[c * stride + i] * inverse_x[i];

            sum += w[c] * d * d;
            along[i] += w[c] * d * v;
        }
        total += (double)sum;
    }
    for (int64_t i = 0; dy && i < n; i++) {
        /* d (y / |y|) = dy / |y| - y (y . dy) / (length |y|^2) */
        const float bend = length_y[i] > 0.0f ? along[i] * inverse_y[i] * inverse_y[i] / length_y[i] : 0.0f;

        for (int64_t c = 0; c < channels; c++) {
            const float v = y[c * stride + i], d = v * inverse_y[i] - x[c * stride + i] * inverse_x[i];

            put(&dy[c * stride + i], 2.0f * scale * (w[c] * d * inverse_y[i] - v * bend), add);
        }
    }
    return total;
}

void ref_widen_difference(const float *a, const float *b, double *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)a[i] - (double)b[i];
}

void ref_narrow(const double *x, double scale, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(scale * x[i]);
}

static double focal_weight(double power, const FocalTerms *t)
{
    const double weight = t->alpha == 1.0 ? sqrt(power) : power > 0.0 ? pow(power, 0.5 * t->alpha) : 0.0;

    return t->logarithmic ? log1p(weight) : weight;
}

double ref_focal(double *spectrum, int h, int w, const FocalTerms *t)
{
    const int bins = w / 2 + 1;
    double largest = 0.0, total = 0.0;

    for (int64_t i = 0; i < (int64_t)h * bins; i++) {
        double *d = spectrum + 2 * i, power;

        d[0] *= t->scale;
        d[1] *= t->scale;
        power = d[0] * d[0] + d[1] * d[1];
        if (!(power <= largest)) /* NaN stays */
            largest = power;
    }
    if (largest == 0.0)
        return 0.0;
    for (int64_t i = 0; i < (int64_t)h * bins; i++) {
        const int column = (int)(i % bins);
        double *d = spectrum + 2 * i;
        const double power = d[0] * d[0] + d[1] * d[1], weight = focal_weight(power, t) / focal_weight(largest, t);

        /* columns in the middle stand for their mirror image too */
        total += (column == 0 || 2 * column == w ? 1.0 : 2.0) * weight * power;
        d[0] *= weight;
        d[1] *= weight;
    }
    return total;
}
