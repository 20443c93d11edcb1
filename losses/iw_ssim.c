/* iw_ssim.c - structural similarity weighted by information content.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/iw_ssim.h"

#include <math.h>

#include "engine/ops/by_picture.h"
#include "losses/plane_back.h"
#include "losses/pyramid.h"
#include "losses/scale_mixture.h"
#include "losses/weighted_mean.h"

#define N_LEVELS 5
#define WINDOW 11
#define BORDER 4           /* rows of the weights' map that the window of SSIM does not reach: 5, less 1 of the neighbours */
#define LEAST_PART 1e-6    /* of a level: the slope of its power says nothing below */

static const double exponents[N_LEVELS] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
#define EXPONENTS (0.0448 + 0.2856 + 0.3001 + 0.2363 + 0.1333) /* their sum */
static const double luma[3] = {0.299 * 255.0, 0.587 * 255.0, 0.114 * 255.0};

/* --- pyramid ------------------------------------------------------------------------------------------------------------ */

/* Bands 0 .. 3 and the low pass that is left, level 4. */
static RsdStatus open_pyramid(Plane bands[N_LEVELS], const float *rgb, int64_t h, int64_t w, RsdError *err)
{
    Plane x = {0}, low = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_of_rgb(&x, rgb, h, w, luma, 1, false, err));
    for (int i = 0; i < N_LEVELS - 1; i++) {
        TRY(pyramid_split(&low, &bands[i], &x, err));
        plane_close(&x);
        x = low;
        low = (Plane){0};
    }
    bands[N_LEVELS - 1] = x;
    return RSD_OK;
fail:
    plane_close(&low);
    plane_close(&x);
    return status;
}

/* dbands: the gradients by the bands and the low pass; they are used up. Adds to drgb. */
static RsdStatus pyramid_back(Plane *drgb, Plane dbands[N_LEVELS], RsdError *err)
{
    Plane dx = {0};
    RsdStatus status = RSD_OK;

    for (int i = N_LEVELS - 2; i >= 0; i--) {
        TRY(pyramid_split_back(&dx, &dbands[i + 1], &dbands[i], err));
        plane_close(&dbands[i]);
        dbands[i] = dx;
        dx = (Plane){0};
    }
    TRY(plane_of_rgb_back(drgb, &dbands[0], luma, 1, false, err));
fail:
    plane_close(&dx);
    return status;
}

/* --- structure ---------------------------------------------------------------------------------------------------------- */

/* Filtered x, y, x x, y y, x y. */
typedef struct Moments {
    Plane m[5];
} Moments;

static void close_moments(Moments *s)
{
    for (int k = 0; k < 5; k++)
        plane_close(&s->m[k]);
}

static RsdStatus open_moments(Moments *s, const Plane *x, const Plane *y, const double *taps, int n, RsdError *err)
{
    Plane product = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_open(&product, x->h, x->w, err));
    TRY(plane_filter(&s->m[0], x, taps, n, err));
    TRY(plane_filter(&s->m[1], y, taps, n, err));
    for (int k = 2; k < 5; k++) {
        const double *a = k == 3 ? y->data : x->data, *b = k == 2 ? x->data : y->data;

        for (int64_t i = 0; i < x->h * x->w; i++)
            product.data[i] = a[i] * b[i];
        TRY(plane_filter(&s->m[k], &product, taps, n, err));
    }
fail:
    plane_close(&product);
    return status;
}

/* Variances (not below 0) and covariance at one place. */
static void spread_at(const Moments *s, int64_t i, double *xx, double *yy, double *xy)
{
    const double mx = s->m[0].data[i], my = s->m[1].data[i];

    *xx = fmax(0.0, s->m[2].data[i] - mx * mx);
    *yy = fmax(0.0, s->m[3].data[i] - my * my);
    *xy = s->m[4].data[i] - mx * my;
}

static double structure_at(const Moments *s, int64_t i, bool luminance)
{
    const double c1 = 0.01 * 255.0 * 0.01 * 255.0, c2 = 0.03 * 255.0 * 0.03 * 255.0;
    const double mx = s->m[0].data[i], my = s->m[1].data[i];
    double xx, yy, xy;

    spread_at(s, i, &xx, &yy, &xy);
    return (2.0 * xy + c2) / (xx + yy + c2) * (luminance ? (2.0 * mx * my + c1) / (mx * mx + my * my + c1) : 1.0);
}

/* Gradients by the moments that x has a part in. */
typedef struct MomentSlopes {
    Plane mean, square, product; /* of x, x x, x y */
} MomentSlopes;

static void close_slopes(MomentSlopes *d)
{
    plane_close(&d->mean);
    plane_close(&d->square);
    plane_close(&d->product);
}

static RsdStatus open_slopes(MomentSlopes *d, const Moments *like, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(plane_open_zero(&d->mean, like->m[0].h, like->m[0].w, err));
    TRY(plane_open_zero(&d->square, like->m[0].h, like->m[0].w, err));
    TRY(plane_open_zero(&d->product, like->m[0].h, like->m[0].w, err));
fail:
    return status;
}

/* From the gradients by variance and covariance at one place. */
static void spread_back(MomentSlopes *d, const Moments *s, int64_t i, double dxx, double dxy)
{
    const double mx = s->m[0].data[i], my = s->m[1].data[i];

    if (s->m[2].data[i] - mx * mx <= 0.0)
        dxx = 0.0;
    d->square.data[i] += dxx;
    d->product.data[i] += dxy;
    d->mean.data[i] -= 2.0 * mx * dxx + my * dxy;
}

static void structure_back(MomentSlopes *d, const Moments *s, int64_t i, bool luminance, double slope)
{
    const double c1 = 0.01 * 255.0 * 0.01 * 255.0, c2 = 0.03 * 255.0 * 0.03 * 255.0;
    const double mx = s->m[0].data[i], my = s->m[1].data[i];
    double xx, yy, xy, all, light, structure;

    spread_at(s, i, &xx, &yy, &xy);
    all = xx + yy + c2;
    structure = (2.0 * xy + c2) / all;
    light = luminance ? similarity(mx, my, c1) : 1.0;
    spread_back(d, s, i, -slope * light * structure / all, slope * light * 2.0 / all);
    if (luminance)
        d->mean.data[i] += slope * structure * similarity_slope(my, mx, c1, light);
}

/* Adds to dx. */
static RsdStatus moments_back(Plane *dx, const MomentSlopes *d, const Plane *x, const Plane *y, const double *taps, int n,
                              RsdError *err)
{
    const Plane *from[] = {&d->mean, &d->square, &d->product};
    Plane spread = {0};
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++) {
        TRY(plane_open_zero(&spread, x->h, x->w, err));
        TRY(plane_filter_back(&spread, from[k], taps, n, err));
        for (int64_t i = 0; i < x->h * x->w; i++)
            dx->data[i] += spread.data[i] * (k == 0 ? 1.0 : k == 1 ? 2.0 * x->data[i] : y->data[i]);
        plane_close(&spread);
    }
fail:
    plane_close(&spread);
    return status;
}

/* --- pooling ------------------------------------------------------------------------------------------------------------ */

static const double mean3[3] = {1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0};

/* Adds to dx the gradient of the mean, whose weights are given. */
static RsdStatus pool_back(Plane *dx, const WeightedMean *mean, const Plane *weights, const Moments *ssim, const Moments *local,
                           const Mixture *mixture, const Plane *x, const Plane *y, const double taps[WINDOW], RsdError *err)
{
    MomentSlopes dssim = {0}, dlocal = {0};
    RsdStatus status = RSD_OK;

    TRY(open_slopes(&dssim, ssim, err));
    TRY(open_slopes(&dlocal, local, err));
    for (int64_t i = 0; i < mean->count; i++) {
        const int64_t r = i / weights->w + BORDER, c = i % weights->w + BORDER, at = r * local->m[0].w + c;
        const double slope = weighted_mean_weight_slope(mean, structure_at(ssim, i, false));
        double xx, yy, xy, dxx, dxy;

        structure_back(&dssim, ssim, i, false, weighted_mean_slope(mean, weights->data[i]));
        if (weights->data[i] <= 0.0)
            continue;
        spread_at(local, at, &xx, &yy, &xy);
        mixture_information_slopes(mixture, mixture_scale(mixture, r, c), xx, yy, xy, &dxx, &dxy);
        spread_back(&dlocal, local, at, slope * dxx, slope * dxy);
    }
    TRY(moments_back(dx, &dssim, x, y, taps, WINDOW, err));
    TRY(moments_back(dx, &dlocal, x, y, mean3, 3, err));
fail:
    close_slopes(&dssim);
    close_slopes(&dlocal);
    return status;
}

static RsdStatus pool_weighted(double *value, Plane *dx, const Moments *ssim, const Plane *x, const Plane *y, const Plane *parent,
                               const double taps[WINDOW], RsdError *err)
{
    Moments local = {0};
    Mixture mixture = {0};
    Plane weights = {0};
    WeightedMean mean = {0};
    const int64_t h = ssim->m[0].h, w = ssim->m[0].w;
    RsdStatus status = RSD_OK;

    TRY(open_moments(&local, x, y, mean3, 3, err));
    TRY(mixture_open(&mixture, y, parent, err));
    TRY(plane_open(&weights, h, w, err));
    for (int64_t r = 0; r < h; r++)
        for (int64_t c = 0; c < w; c++) {
            double xx, yy, xy, weight;

            spread_at(&local, (r + BORDER) * local.m[0].w + c + BORDER, &xx, &yy, &xy);
            weight = mixture_information(&mixture, mixture_scale(&mixture, r + BORDER, c + BORDER), xx, yy, xy);
            weights.data[r * w + c] = weight;
            weighted_mean_add(&mean, weight, structure_at(ssim, r * w + c, false));
        }
    *value = weighted_mean_value(&mean);
    if (dx)
        TRY(pool_back(dx, &mean, &weights, ssim, &local, &mixture, x, y, taps, err));
fail:
    plane_close(&weights);
    mixture_close(&mixture);
    close_moments(&local);
    return status;
}

/* The last level: a plain mean, with luminance. */
static RsdStatus pool_plain(double *value, Plane *dx, const Moments *ssim, const Plane *x, const Plane *y,
                            const double taps[WINDOW], RsdError *err)
{
    const int64_t count = ssim->m[0].h * ssim->m[0].w;
    MomentSlopes d = {0};
    RsdStatus status = RSD_OK;

    *value = 0.0;
    for (int64_t i = 0; i < count; i++)
        *value += structure_at(ssim, i, true) / (double)count;
    if (!dx)
        return RSD_OK;
    TRY(open_slopes(&d, ssim, err));
    for (int64_t i = 0; i < count; i++)
        structure_back(&d, ssim, i, true, 1.0 / (double)count);
    TRY(moments_back(dx, &d, x, y, taps, WINDOW, err));
fail:
    close_slopes(&d);
    return status;
}

/* dx: NULL, or zeros, to which the gradient of the value is added. */
static RsdStatus compare_level(double *value, Plane *dx, const Plane *xs, const Plane *ys, int level, RsdError *err)
{
    Moments s = {0};
    double taps[WINDOW], total = 0.0;
    RsdStatus status = RSD_OK;

    for (int k = 0; k < WINDOW; k++)
        total += taps[k] = exp(-0.5 * (k - WINDOW / 2) * (k - WINDOW / 2) / (1.5 * 1.5));
    for (int k = 0; k < WINDOW; k++)
        taps[k] /= total;
    TRY(open_moments(&s, &xs[level], &ys[level], taps, WINDOW, err));
    if (level < N_LEVELS - 1)
        TRY(pool_weighted(value, dx, &s, &xs[level], &ys[level], level < N_LEVELS - 2 ? &ys[level + 1] : NULL, taps, err));
    else
        TRY(pool_plain(value, dx, &s, &xs[level], &ys[level], taps, err));
fail:
    close_moments(&s);
    return status;
}

/* dbands: gradients of the parts, of which the product is 1 - value. */
static RsdStatus go_back(float *out, Plane dbands[N_LEVELS], const double parts[N_LEVELS], double product, int64_t h, int64_t w,
                         RsdError *err)
{
    Plane drgb = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_open_zero(&drgb, 3 * h, w, err));
    for (int i = 0; i < N_LEVELS; i++) {
        const double slope = fabs(parts[i]) > LEAST_PART ? exponents[i] / EXPONENTS * product / parts[i] : 0.0;

        for (int64_t k = 0; k < dbands[i].h * dbands[i].w; k++)
            dbands[i].data[k] *= slope;
    }
    TRY(pyramid_back(&drgb, dbands, err));
    plane_narrow(out, &drgb, -1.0);
fail:
    plane_close(&drgb);
    return status;
}

/* 1 - IW-SSIM and its gradient: a PictureMeasure. */
static RsdStatus iw_ssim(double *value, float *dy, const float *ref, const float *dist, int64_t h, int64_t w, RsdError *err)
{
    Plane xs[N_LEVELS] = {{0}}, ys[N_LEVELS] = {{0}}, dbands[N_LEVELS] = {{0}};
    double product = 1.0, parts[N_LEVELS];
    RsdStatus status = RSD_OK;

    TRY(open_pyramid(xs, dist, h, w, err));
    TRY(open_pyramid(ys, ref, h, w, err));
    for (int i = 0; i < N_LEVELS; i++) {
        if (dy)
            TRY(plane_open_zero(&dbands[i], xs[i].h, xs[i].w, err));
        TRY(compare_level(&parts[i], dy ? &dbands[i] : NULL, xs, ys, i, err));
        product *= pow(fabs(parts[i]), exponents[i] / EXPONENTS);
    }
    *value = 1.0 - product;
    if (dy)
        TRY(go_back(dy, dbands, parts, product, h, w, err));
fail:
    for (int i = 0; i < N_LEVELS; i++) {
        plane_close(&xs[i]);
        plane_close(&ys[i]);
        plane_close(&dbands[i]);
    }
    return status;
}

RsdStatus metric_iw_ssim(double *value, const ImagePair *pair, RsdError *err)
{
    double loss;
    RsdStatus status = RSD_OK;

    TRY(iw_ssim(&loss, NULL, pair->ref, pair->dist, pair->h, pair->w, err));
    *value = 1.0 - loss;
fail:
    return status;
}

RsdStatus measure_iw_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_picture(tape, iw_ssim, ref, dist, value, err);
}
