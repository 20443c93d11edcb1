/* picture.c - rows of pictures in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/picture_ref.h"

#include <math.h>

static void put(float *at, float value, bool add)
{
    *at = add ? *at + value : value;
}

static void blend_rows(const float *const *rows, const float *taps, int n_taps, float offset, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = offset;

        for (int k = 0; k < n_taps; k++)
            sum += taps[k] * rows[k][i];
        put(&y[i], sum, add);
    }
}

static void filter_row(const float *x, const float *taps, int n_taps, int stride, float *y, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = 0.0f;

        for (int k = 0; k < n_taps; k++)
            sum += taps[k] * x[i * stride + k];
        put(&y[i], sum, add);
    }
}

static void dissimilarity(const float *a, const float *b, float c, float alpha, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float d = a[i] - b[i];

        y[i] = d * d / (a[i] * a[i] + b[i] * b[i] - alpha * a[i] * b[i] + c);
    }
}

static void dissimilarity_grad(const float *a, const float *b, float c, float alpha, const float *dy, float *da, bool add_a,
                               float *db, bool add_b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float u = a[i], v = b[i], d = u - v, inverse = 1.0f / (u * u + v * v - alpha * u * v + c);
        const float value = d * d * inverse, scale = dy[i] * inverse;

        if (da)
            put(&da[i], scale * (2.0f * d - value * (2.0f * u - alpha * v)), add_a);
        if (db)
            put(&db[i], scale * (-2.0f * d - value * (2.0f * v - alpha * u)), add_b);
    }
}

static void ssim_products(const float *x, const float *y, float centre, float *shifted, float *d, float *sum_sq,
                          float *diff_sq, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float u = x[i] - centre, v = y[i] - centre, w = y[i] - x[i];

        shifted[i] = u;
        d[i] = w;
        sum_sq[i] = u * u + v * v;
        diff_sq[i] = w * w;
    }
}

static double ssim(const SsimRows *rows, const SsimForm *form, float *dd, float *ds, float *dq, int64_t n)
{
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const float u = rows->mean_x[i], d = rows->mean_d[i], v = u + d; /* means less the centre */
        const float mx = u + form->centre, my = v + form->centre;
        const float inverse_l = 1.0f / (mx * mx + my * my + form->c1);
        const float inverse_c = 1.0f / (rows->sum_sq[i] - u * u - v * v + form->c2);
        const float l = form->luminance ? d * d * inverse_l : 0.0f; /* 1 - luminance */
        const float c = (rows->diff_sq[i] - d * d) * inverse_c;     /* 1 - contrast and structure */

        total += (double)(l + c - l * c);
        if (dd) {
            const float l_slope = form->luminance ? 2.0f * (d - l * my) * inverse_l : 0.0f;
            const float c_slope = 2.0f * (c * v - d) * inverse_c;

            dd[i] = (1.0f - c) * l_slope + (1.0f - l) * c_slope;
            ds[i] = (l - 1.0f) * c * inverse_c;
            dq[i] = (1.0f - l) * inverse_c;
        }
    }
    return total;
}

static void ssim_gather(const float *x, const float *y, float centre, const float *dd, const float *ds, const float *dq,
                        float *dy, int64_t n, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&dy[i], dd[i] + 2.0f * ((y[i] - centre) * ds[i] + (y[i] - x[i]) * dq[i]), add);
}

const PictureKernels picture_ref = {
    .blend_rows = blend_rows,
    .filter_row = filter_row,
    .dissimilarity = dissimilarity,
    .dissimilarity_grad = dissimilarity_grad,
    .ssim_products = ssim_products,
    .ssim = ssim,
    .ssim_gather = ssim_gather,
    .ssimulacra = ref_ssimulacra,
    .ssimulacra_grad = ref_ssimulacra_grad,
    .dct8 = ref_dct8,
    .dct8_inverse = ref_dct8_inverse,
    .spread_row = ref_spread_row,
    .mean_lowest = ref_mean_lowest,
    .mean_lowest_grad = ref_mean_lowest_grad,
    .vif = ref_vif,
    .vif_grad = ref_vif_grad,
    .unit_distance = ref_unit_distance,
    .surrogate = ref_surrogate,
    .surrogate_grad = ref_surrogate_grad,
    .widen_difference = ref_widen_difference,
    .narrow = ref_narrow,
    .focal = ref_focal,
};
