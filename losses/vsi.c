/* vsi.c - visual saliency-induced index.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/vsi.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft2d.h"
#include "losses/plane_math.h"

#define SALIENCY_SIDE 256
#define CENTRE_FREQUENCY 0.021
#define BAND 1.34
#define CENTRE_SIGMA 145.0
#define COLOUR_SIGMA 0.001
#define C_SALIENCY 1.27
#define C_GRADIENT 386.0
#define C_COLOUR 130.0
#define GRADIENT_POWER 0.4
#define COLOUR_POWER 0.02
#define EPSILON 2.220446049250313e-16

/* Times 255: luminance and two opponent colours. */
static const double lmn[3][3] = {{0.06 * 255.0, 0.63 * 255.0, 0.27 * 255.0},
                                 {0.30 * 255.0, 0.04 * 255.0, -0.35 * 255.0},
                                 {0.34 * 255.0, -0.6 * 255.0, 0.17 * 255.0}};

/* sRGB to CIE L*a*b* with the white D50, as the reference does it. */
static void lab_of(double rgb[3])
{
    static const double to_xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750},
                                        {0.0193339, 0.1191920, 0.9503041}};
    static const double white[3] = {0.9642119944211994, 1.0, 0.8251882845188288};
    double f[3];

    for (int k = 0; k < 3; k++)
        rgb[k] = rgb[k] <= 0.04045 ? rgb[k] / 12.92 : pow((rgb[k] + 0.055) / 1.055, 2.4);
    for (int k = 0; k < 3; k++) {
        const double t = (to_xyz[k][0] * rgb[0] + to_xyz[k][1] * rgb[1] + to_xyz[k][2] * rgb[2]) / white[k];

        f[k] = t > 0.008856 ? cbrt(t) : (903.3 * t + 16.0) / 116.0;
    }
    rgb[0] = 116.0 * f[1] - 16.0;
    rgb[1] = 500.0 * (f[0] - f[1]);
    rgb[2] = 200.0 * (f[1] - f[2]);
}

static RsdStatus open_lab(Plane lab[3], const ImagePair *pair, const float *rgb, RsdError *err)
{
    Plane channel = {0};
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++) {
        TRY(plane_of_rgb(&channel, rgb, pair->h, pair->w, (double[]){k == 0, k == 1, k == 2}, 1, false, err));
        TRY(plane_resize(&lab[k], &channel, SALIENCY_SIDE, SALIENCY_SIDE, false, err));
        plane_close(&channel);
    }
    for (int64_t i = 0; i < SALIENCY_SIDE * SALIENCY_SIDE; i++) {
        double v[3] = {lab[0].data[i], lab[1].data[i], lab[2].data[i]};

        lab_of(v);
        for (int k = 0; k < 3; k++)
            lab[k].data[i] = v[k];
    }
fail:
    plane_close(&channel);
    return status;
}

/* Frequency or place number i of the 256, 0 in the middle once shifted. */
static double centred(int64_t i)
{
    return (double)(i < SALIENCY_SIDE / 2 ? i : i - SALIENCY_SIDE);
}

/* Adds the square of one channel through the log-Gabor band pass. */
static RsdStatus add_band(double *sum, const Plane *x, RsdError *err)
{
    Fft2d *plan = NULL;
    double *spectrum = NULL, *response = NULL;
    void *work = NULL;
    int bins;
    RsdStatus status = RSD_OK;

    TRY(fft2d_create(&plan, SALIENCY_SIDE, SALIENCY_SIDE, err));
    bins = fft2d_bins(plan);
    TRY(mem_alloc(&spectrum, (size_t)(2 * SALIENCY_SIDE * bins), sizeof(double), err));
    TRY(mem_alloc(&response, SALIENCY_SIDE * SALIENCY_SIDE, sizeof(double), err));
    TRY(mem_alloc(&work, fft2d_work_size(plan), 1, err));
    fft2d_forward(plan, x->data, spectrum, work);
    for (int64_t u = 0; u < SALIENCY_SIDE; u++)
        for (int64_t v = 0; v < bins; v++) {
            double r = hypot(centred(u), (double)v) / SALIENCY_SIDE, f = 0.0;

            if (r > 0.0 && r <= 0.5)
                f = exp(-pow(log(r / CENTRE_FREQUENCY), 2.0) / (2.0 * BAND * BAND));
            spectrum[2 * (u * bins + v)] *= f;
            spectrum[2 * (u * bins + v) + 1] *= f;
        }
    fft2d_inverse(plan, spectrum, response, work);
    for (int64_t i = 0; i < SALIENCY_SIDE * SALIENCY_SIDE; i++)
        sum[i] += response[i] * response[i];
fail:
    mem_free(&work);
    mem_free(&response);
    mem_free(&spectrum);
    fft2d_destroy(&plan);
    return status;
}

static void find_range(const Plane *x, double *low, double *high)
{
    *low = *high = x->data[0];
    for (int64_t i = 1; i < x->h * x->w; i++) {
        *low = fmin(*low, x->data[i]);
        *high = fmax(*high, x->data[i]);
    }
}

/* SDSP [h, w], scaled to 0..1. */
static RsdStatus open_saliency(Plane *out, const ImagePair *pair, const float *rgb, RsdError *err)
{
    Plane lab[3] = {{0}}, map = {0};
    double low[3], high[3];
    RsdStatus status = RSD_OK;

    TRY(open_lab(lab, pair, rgb, err));
    TRY(plane_open(&map, SALIENCY_SIDE, SALIENCY_SIDE, err));
    for (int64_t i = 0; i < map.h * map.w; i++)
        map.data[i] = 0.0;
    for (int k = 0; k < 3; k++) {
        TRY(add_band(map.data, &lab[k], err));
        find_range(&lab[k], &low[k], &high[k]);
    }
    for (int64_t i = 0; i < map.h * map.w; i++) {
        const double dy = (double)(i / map.w - SALIENCY_SIDE / 2 + 1), dx = (double)(i % map.w - SALIENCY_SIDE / 2 + 1);
        const double a = (lab[1].data[i] - low[1]) / (high[1] - low[1] + EPSILON);
        const double b = (lab[2].data[i] - low[2]) / (high[2] - low[2] + EPSILON);

        map.data[i] = sqrt(map.data[i]) * exp(-(dx * dx + dy * dy) / (CENTRE_SIGMA * CENTRE_SIGMA)) *
                      -expm1(-(a * a + b * b) / (COLOUR_SIGMA * COLOUR_SIGMA));
    }
    TRY(plane_resize(out, &map, pair->h, pair->w, true, err));
    find_range(out, &low[0], &high[0]);
    for (int64_t i = 0; i < out->h * out->w; i++)
        out->data[i] = (out->data[i] - low[0]) / (high[0] - low[0] + EPSILON);
fail:
    plane_close(&map);
    for (int k = 0; k < 3; k++)
        plane_close(&lab[k]);
    return status;
}

typedef struct Features {
    Plane saliency, lmn[3], edges;
} Features;

static void close_features(Features *f)
{
    plane_close(&f->saliency);
    for (int k = 0; k < 3; k++)
        plane_close(&f->lmn[k]);
    plane_close(&f->edges);
}

static RsdStatus open_features(Features *f, const ImagePair *pair, const float *rgb, RsdError *err)
{
    const int64_t n = plane_shrink_factor(pair->h, pair->w);
    RsdStatus status = RSD_OK;

    TRY(open_saliency(&f->saliency, pair, rgb, err));
    TRY(plane_shrink(&f->saliency, &f->saliency, n, true, err));
    for (int k = 0; k < 3; k++)
        TRY(plane_of_rgb(&f->lmn[k], rgb, pair->h, pair->w, lmn[k], n, true, err));
    TRY(plane_scharr(&f->edges, &f->lmn[0], err));
fail:
    return status;
}

/* A negative similarity of colours counts as the real part of its complex power. */
static double colour_term(double s)
{
    return pow(fabs(s), COLOUR_POWER) * (s < 0.0 ? cos(COLOUR_POWER * M_PI) : 1.0);
}

RsdStatus metric_vsi(double *value, const ImagePair *pair, RsdError *err)
{
    Features x = {0}, y = {0};
    double sum = 0.0, weights = 0.0, plain = 0.0;
    RsdStatus status = RSD_OK;

    TRY(open_features(&x, pair, pair->ref, err));
    TRY(open_features(&y, pair, pair->dist, err));
    for (int64_t i = 0; i < x.edges.h * x.edges.w; i++) {
        const double weight = fmax(x.saliency.data[i], y.saliency.data[i]);
        const double s = similarity(x.saliency.data[i], y.saliency.data[i], C_SALIENCY) *
                         pow(similarity(x.edges.data[i], y.edges.data[i], C_GRADIENT), GRADIENT_POWER) *
                         colour_term(similarity(x.lmn[1].data[i], y.lmn[1].data[i], C_COLOUR) *
                                     similarity(x.lmn[2].data[i], y.lmn[2].data[i], C_COLOUR));

        sum += weight * s;
        weights += weight;
        plain += s;
    }
    *value = weights > 0.0 ? sum / weights : plain / (double)(x.edges.h * x.edges.w);
fail:
    close_features(&x);
    close_features(&y);
    return status;
}
