/* saliency.c - SDSP, the saliency of places in a picture, and its gradient.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/saliency.h"

#include <math.h>

#include "engine/base/mem.h"
#include "losses/plane_back.h"

#define CENTRE_FREQUENCY 0.021
#define BAND 1.34
#define CENTRE_SIGMA 145.0
#define COLOUR_SIGMA 0.001
#define EPSILON 2.220446049250313e-16
#define LEAST_RANGE 1e-9 /* of colours and saliency: below it they are rounding errors of a flat plane, without a gradient */

/* sRGB to CIE L*a*b* with the white D50, as the reference does it. */
static const double to_xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750},
                                    {0.0193339, 0.1191920, 0.9503041}};
static const double white[3] = {0.9642119944211994, 1.0, 0.8251882845188288};

#define SRGB_KNEE 0.04045
#define LAB_KNEE 0.008856

static double linear_of(double v)
{
    return v <= SRGB_KNEE ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

/* X, Y or Z over its white. */
static double xyz_of(const double linear[3], int k)
{
    return (to_xyz[k][0] * linear[0] + to_xyz[k][1] * linear[1] + to_xyz[k][2] * linear[2]) / white[k];
}

static void lab_of(double rgb[3])
{
    double f[3];

    for (int k = 0; k < 3; k++)
        rgb[k] = linear_of(rgb[k]);
    for (int k = 0; k < 3; k++) {
        const double t = xyz_of(rgb, k);

        f[k] = t > LAB_KNEE ? cbrt(t) : (903.3 * t + 16.0) / 116.0;
    }
    rgb[0] = 116.0 * f[1] - 16.0;
    rgb[1] = 500.0 * (f[0] - f[1]);
    rgb[2] = 200.0 * (f[1] - f[2]);
}

/* d: gradient by L*, a*, b* of this colour, which becomes that by R, G, B. */
static void lab_back(double d[3], const double rgb[3])
{
    const double df[3] = {500.0 * d[1], 116.0 * d[0] - 500.0 * d[1] + 200.0 * d[2], -200.0 * d[2]};
    double linear[3];

    for (int k = 0; k < 3; k++) {
        linear[k] = linear_of(rgb[k]);
        d[k] = 0.0;
    }
    for (int k = 0; k < 3; k++) {
        const double t = xyz_of(linear, k), dt = df[k] * (t > LAB_KNEE ? 1.0 / (3.0 * cbrt(t * t)) : 903.3 / 116.0);

        for (int c = 0; c < 3; c++)
            d[c] += dt * to_xyz[k][c] / white[k];
    }
    for (int c = 0; c < 3; c++)
        d[c] *= rgb[c] <= SRGB_KNEE ? 1.0 / 12.92 : 2.4 / 1.055 * pow((rgb[c] + 0.055) / 1.055, 1.4);
}

/* R, G and B at 256 x 256. */
static RsdStatus open_small(Plane rgb[3], const float *picture, int64_t h, int64_t w, RsdError *err)
{
    Plane channel = {0};
    RsdStatus status = RSD_OK;

    for (int k = 0; k < 3; k++) {
        TRY(plane_of_rgb(&channel, picture, h, w, (double[]){k == 0, k == 1, k == 2}, 1, false, err));
        TRY(plane_resize(&rgb[k], &channel, SALIENCY_SIDE, SALIENCY_SIDE, false, err));
        plane_close(&channel);
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

void saliency_band_close(SaliencyBand *b)
{
    mem_free(&b->filter);
    mem_free(&b->spectrum);
    mem_free(&b->work);
    fft2d_destroy(&b->plan);
}

RsdStatus saliency_band_open(SaliencyBand *b, RsdError *err)
{
    int bins;
    RsdStatus status = RSD_OK;

    TRY(fft2d_create(&b->plan, SALIENCY_SIDE, SALIENCY_SIDE, err));
    bins = fft2d_bins(b->plan);
    TRY(mem_calloc(&b->filter, (size_t)(SALIENCY_SIDE * bins), sizeof(double), err));
    TRY(mem_alloc(&b->spectrum, (size_t)(2 * SALIENCY_SIDE * bins), sizeof(double), err));
    TRY(mem_alloc(&b->work, fft2d_work_size(b->plan), 1, err));
    for (int64_t u = 0; u < SALIENCY_SIDE; u++)
        for (int64_t v = 0; v < bins; v++) {
            const double r = hypot(centred(u), (double)v) / SALIENCY_SIDE;

            if (r > 0.0 && r <= 0.5)
                b->filter[u * bins + v] = exp(-pow(log(r / CENTRE_FREQUENCY), 2.0) / (2.0 * BAND * BAND));
        }
fail:
    return status;
}

static void apply_band(const SaliencyBand *b, const double *x, double *y)
{
    fft2d_forward(b->plan, x, b->spectrum, b->work);
    for (int64_t i = 0; i < SALIENCY_SIDE * fft2d_bins(b->plan); i++) {
        b->spectrum[2 * i] *= b->filter[i];
        b->spectrum[2 * i + 1] *= b->filter[i];
    }
    fft2d_inverse(b->plan, b->spectrum, y, b->work);
}

static SampleRange range_of(const Plane *x)
{
    SampleRange range = {x->data[0], x->data[0], 0, 0};

    for (int64_t i = 1; i < x->h * x->w; i++) {
        if (x->data[i] < range.low) {
            range.low = x->data[i];
            range.low_at = i;
        }
        if (x->data[i] > range.high) {
            range.high = x->data[i];
            range.high_at = i;
        }
    }
    return range;
}

static double scaled(double v, const SampleRange *range)
{
    return (v - range->low) / (range->high - range->low + EPSILON);
}

/* Adds to dx the gradient by a plane of which dy is that by the scaled plane y. */
static void scaled_back(Plane *dx, const Plane *y, const Plane *dy, const SampleRange *range)
{
    const double width = range->high - range->low;

    if (width <= LEAST_RANGE)
        return;
    for (int64_t i = 0; i < y->h * y->w; i++) {
        const double d = dy->data[i] / width;

        dx->data[i] += d;
        dx->data[range->low_at] -= d * (1.0 - y->data[i]);
        dx->data[range->high_at] -= d * y->data[i];
    }
}

void saliency_close(Saliency *s)
{
    for (int k = 0; k < 3; k++) {
        plane_close(&s->rgb[k]);
        plane_close(&s->lab[k]);
        plane_close(&s->response[k]);
    }
    for (int k = 0; k < 2; k++)
        plane_close(&s->colour[k]);
    plane_close(&s->whole);
}

static double nearness(int64_t i)
{
    const double dy = (double)(i / SALIENCY_SIDE - SALIENCY_SIDE / 2 + 1), dx = (double)(i % SALIENCY_SIDE - SALIENCY_SIDE / 2 + 1);

    return exp(-(dx * dx + dy * dy) / (CENTRE_SIGMA * CENTRE_SIGMA));
}

/* Distance from the least a* and b*: near 1 almost everywhere. */
static double strength(const Saliency *s, int64_t i)
{
    const double a = s->colour[0].data[i], b = s->colour[1].data[i];

    return -expm1(-(a * a + b * b) / (COLOUR_SIGMA * COLOUR_SIGMA));
}

static double response_at(const Saliency *s, int64_t i)
{
    double sum = 0.0;

    for (int k = 0; k < 3; k++)
        sum += s->response[k].data[i] * s->response[k].data[i];
    return sqrt(sum);
}

RsdStatus saliency_open(Saliency *s, const SaliencyBand *band, const float *rgb, int64_t h, int64_t w, RsdError *err)
{
    const int64_t count = SALIENCY_SIDE * SALIENCY_SIDE;
    Plane map = {0};
    RsdStatus status = RSD_OK;

    TRY(open_small(s->rgb, rgb, h, w, err));
    for (int k = 0; k < 3; k++) {
        TRY(plane_open(&s->lab[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
        TRY(plane_open(&s->response[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
    }
    for (int64_t i = 0; i < count; i++) {
        double v[3] = {s->rgb[0].data[i], s->rgb[1].data[i], s->rgb[2].data[i]};

        lab_of(v);
        for (int k = 0; k < 3; k++)
            s->lab[k].data[i] = v[k];
    }
    for (int k = 0; k < 3; k++)
        apply_band(band, s->lab[k].data, s->response[k].data);
    for (int k = 0; k < 2; k++) {
        TRY(plane_open(&s->colour[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
        s->colour_range[k] = range_of(&s->lab[1 + k]);
        for (int64_t i = 0; i < count; i++)
            s->colour[k].data[i] = scaled(s->lab[1 + k].data[i], &s->colour_range[k]);
    }
    TRY(plane_open(&map, SALIENCY_SIDE, SALIENCY_SIDE, err));
    for (int64_t i = 0; i < count; i++)
        map.data[i] = response_at(s, i) * nearness(i) * strength(s, i);
    TRY(plane_resize(&s->whole, &map, h, w, true, err));
    s->range = range_of(&s->whole);
    for (int64_t i = 0; i < h * w; i++)
        s->whole.data[i] = scaled(s->whole.data[i], &s->range);
fail:
    plane_close(&map);
    return status;
}

/* dmap, the gradient by the map of 256 x 256, goes to those by the responses and by a* and b*. */
static void map_back(const Saliency *s, const Plane *dmap, Plane dresponse[3], Plane dcolour[2])
{
    for (int64_t i = 0; i < dmap->h * dmap->w; i++) {
        const double response = response_at(s, i), near = nearness(i), strong = strength(s, i), d = dmap->data[i] * near;

        for (int k = 0; k < 3; k++)
            dresponse[k].data[i] = response > LEAST_RANGE ? d * strong * s->response[k].data[i] / response : 0.0;
        for (int k = 0; k < 2; k++)
            dcolour[k].data[i] = d * response * (1.0 - strong) * 2.0 * s->colour[k].data[i] / (COLOUR_SIGMA * COLOUR_SIGMA);
    }
}

/* dlab, the gradient by L*, a*, b*, goes to the picture. */
static void small_back(Plane *drgb, const Saliency *s, Plane dlab[3], int64_t h, int64_t w)
{
    for (int64_t i = 0; i < SALIENCY_SIDE * SALIENCY_SIDE; i++) {
        const double rgb[3] = {s->rgb[0].data[i], s->rgb[1].data[i], s->rgb[2].data[i]};
        double d[3] = {dlab[0].data[i], dlab[1].data[i], dlab[2].data[i]};

        lab_back(d, rgb);
        for (int k = 0; k < 3; k++)
            dlab[k].data[i] = d[k];
    }
    for (int k = 0; k < 3; k++) {
        Plane channel = {h, w, drgb->data + k * h * w};

        plane_resize_back(&channel, &dlab[k], false);
    }
}

RsdStatus saliency_back(Plane *drgb, const Saliency *s, const SaliencyBand *band, const Plane *dwhole, RsdError *err)
{
    Plane dunscaled = {0}, dmap = {0}, dresponse[3] = {{0}}, dcolour[2] = {{0}}, dlab[3] = {{0}};
    RsdStatus status = RSD_OK;

    TRY(plane_open_zero(&dunscaled, s->whole.h, s->whole.w, err));
    TRY(plane_open_zero(&dmap, SALIENCY_SIDE, SALIENCY_SIDE, err));
    for (int k = 0; k < 3; k++) {
        TRY(plane_open(&dresponse[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
        TRY(plane_open(&dlab[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
    }
    for (int k = 0; k < 2; k++)
        TRY(plane_open(&dcolour[k], SALIENCY_SIDE, SALIENCY_SIDE, err));
    scaled_back(&dunscaled, &s->whole, dwhole, &s->range);
    plane_resize_back(&dmap, &dunscaled, true);
    map_back(s, &dmap, dresponse, dcolour);
    for (int k = 0; k < 3; k++)
        apply_band(band, dresponse[k].data, dlab[k].data);
    for (int k = 0; k < 2; k++)
        scaled_back(&dlab[1 + k], &s->colour[k], &dcolour[k], &s->colour_range[k]);
    small_back(drgb, s, dlab, s->whole.h, s->whole.w);
fail:
    plane_close(&dunscaled);
    plane_close(&dmap);
    for (int k = 0; k < 3; k++) {
        plane_close(&dresponse[k]);
        plane_close(&dlab[k]);
    }
    for (int k = 0; k < 2; k++)
        plane_close(&dcolour[k]);
    return status;
}
