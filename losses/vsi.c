/* vsi.c - visual saliency-induced index.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/vsi.h"

#include <math.h>

#include "engine/ops/by_picture.h"
#include "losses/plane_back.h"
#include "losses/saliency.h"
#include "losses/weighted_mean.h"

#define C_SALIENCY 1.27
#define C_GRADIENT 386.0
#define C_COLOUR 130.0
#define GRADIENT_POWER 0.4
#define COLOUR_POWER 0.02
#define LEAST_COLOUR 1e-6 /* similarity whose power has a slope that says nothing */

/* Times 255: luminance and two opponent colours. */
static const double lmn[3][3] = {{0.06 * 255.0, 0.63 * 255.0, 0.27 * 255.0},
                                 {0.30 * 255.0, 0.04 * 255.0, -0.35 * 255.0},
                                 {0.34 * 255.0, -0.6 * 255.0, 0.17 * 255.0}};

typedef struct Features {
    Saliency salient;
    Plane saliency, lmn[3], edges; /* shrunk */
} Features;

static void close_features(Features *f)
{
    saliency_close(&f->salient);
    plane_close(&f->saliency);
    for (int k = 0; k < 3; k++)
        plane_close(&f->lmn[k]);
    plane_close(&f->edges);
}

static RsdStatus open_features(Features *f, const SaliencyBand *band, const float *rgb, int64_t h, int64_t w, RsdError *err)
{
    const int64_t n = plane_shrink_factor(h, w);
    RsdStatus status = RSD_OK;

    TRY(saliency_open(&f->salient, band, rgb, h, w, err));
    TRY(plane_shrink(&f->saliency, &f->salient.whole, n, true, err));
    for (int k = 0; k < 3; k++)
        TRY(plane_of_rgb(&f->lmn[k], rgb, h, w, lmn[k], n, true, err));
    TRY(plane_scharr(&f->edges, &f->lmn[0], err));
fail:
    return status;
}

/* The similarities of one place. */
typedef struct Likeness {
    double saliency, edges, colour[2];
    double all;
} Likeness;

/* A negative similarity of colours counts as the real part of its complex power. */
static double colour_term(double s)
{
    return pow(fabs(s), COLOUR_POWER) * (s < 0.0 ? cos(COLOUR_POWER * M_PI) : 1.0);
}

static Likeness compare(const Features *x, const Features *y, int64_t i)
{
    Likeness s = {.saliency = similarity(x->saliency.data[i], y->saliency.data[i], C_SALIENCY),
                  .edges = similarity(x->edges.data[i], y->edges.data[i], C_GRADIENT)};

    for (int k = 0; k < 2; k++)
        s.colour[k] = similarity(x->lmn[1 + k].data[i], y->lmn[1 + k].data[i], C_COLOUR);
    s.all = s.saliency * pow(s.edges, GRADIENT_POWER) * colour_term(s.colour[0] * s.colour[1]);
    return s;
}

static double weight_at(const Features *x, const Features *y, int64_t i)
{
    return fmax(x->saliency.data[i], y->saliency.data[i]);
}

/* dy: the gradient of the mean by the features of y at one place. */
static void compare_back(Features *dy, const Features *x, const Features *y, int64_t i, const WeightedMean *mean)
{
    const double weight = weight_at(x, y, i), salient = y->saliency.data[i];
    const Likeness s = compare(x, y, i);
    const double slope = weighted_mean_slope(mean, weight) * s.all;

    dy->saliency.data[i] = slope / s.saliency * similarity_slope(x->saliency.data[i], salient, C_SALIENCY, s.saliency);
    if (salient > x->saliency.data[i])
        dy->saliency.data[i] += weighted_mean_weight_slope(mean, s.all);
    dy->edges.data[i] = slope * GRADIENT_POWER / s.edges *
                        similarity_slope(x->edges.data[i], y->edges.data[i], C_GRADIENT, s.edges);
    for (int k = 0; k < 2; k++)
        if (fabs(s.colour[k]) > LEAST_COLOUR)
            dy->lmn[1 + k].data[i] = slope * COLOUR_POWER / s.colour[k] *
                                     similarity_slope(x->lmn[1 + k].data[i], y->lmn[1 + k].data[i], C_COLOUR, s.colour[k]);
}

/* The gradient of 1 - mean. */
static RsdStatus go_back(float *out, const Features *x, const Features *y, const SaliencyBand *band, const WeightedMean *mean, int64_t h,
                         int64_t w, RsdError *err)
{
    const int64_t n = plane_shrink_factor(h, w);
    Features dy = {0};
    Plane drgb = {0}, dwhole = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_open_zero(&dy.saliency, y->edges.h, y->edges.w, err));
    TRY(plane_open_zero(&dy.edges, y->edges.h, y->edges.w, err));
    for (int k = 0; k < 3; k++)
        TRY(plane_open_zero(&dy.lmn[k], y->edges.h, y->edges.w, err));
    TRY(plane_open_zero(&drgb, 3 * h, w, err));
    TRY(plane_open_zero(&dwhole, h, w, err));
    for (int64_t i = 0; i < mean->count; i++)
        compare_back(&dy, x, y, i, mean);
    plane_scharr_back(&dy.lmn[0], &y->lmn[0], &y->edges, &dy.edges);
    for (int k = 0; k < 3; k++)
        TRY(plane_of_rgb_back(&drgb, &dy.lmn[k], lmn[k], n, true, err));
    plane_shrink_back(&dwhole, &dy.saliency, n, true);
    TRY(saliency_back(&drgb, &y->salient, band, &dwhole, err));
    plane_narrow(out, &drgb, -1.0);
fail:
    close_features(&dy);
    plane_close(&drgb);
    plane_close(&dwhole);
    return status;
}

/* 1 - VSI and its gradient: a PictureMeasure. */
static RsdStatus vsi(double *value, float *dy, const float *ref, const float *dist, int64_t h, int64_t w, RsdError *err)
{
    Features x = {0}, y = {0};
    SaliencyBand band = {0};
    WeightedMean mean = {0};
    RsdStatus status = RSD_OK;

    TRY(saliency_band_open(&band, err));
    TRY(open_features(&x, &band, ref, h, w, err));
    TRY(open_features(&y, &band, dist, h, w, err));
    for (int64_t i = 0; i < x.edges.h * x.edges.w; i++)
        weighted_mean_add(&mean, weight_at(&x, &y, i), compare(&x, &y, i).all);
    *value = 1.0 - weighted_mean_value(&mean);
    if (dy)
        TRY(go_back(dy, &x, &y, &band, &mean, h, w, err));
fail:
    close_features(&x);
    close_features(&y);
    saliency_band_close(&band);
    return status;
}

RsdStatus metric_vsi(double *value, const ImagePair *pair, RsdError *err)
{
    double loss;
    RsdStatus status = RSD_OK;

    TRY(vsi(&loss, NULL, pair->ref, pair->dist, pair->h, pair->w, err));
    *value = 1.0 - loss;
fail:
    return status;
}

RsdStatus measure_vsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_picture(tape, vsi, ref, dist, value, err);
}
