/* colour_metric.c - differences of colour, in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/colour_metric.h"

#include <math.h>

#define DEGREES (180.0 / M_PI)
#define POW_25_7 6103515625.0 /* 25^7 */

/* --- CIEDE2000 -------------------------------------------------------------------------------------------------------- */

static double linear_of(double v)
{
    v = v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4); /* IEC 61966-2-1 */
}

static double lab_curve(double t)
{
    const double d = 6.0 / 29.0;

    return t > d * d * d ? cbrt(t) : t / (3.0 * d * d) + 4.0 / 29.0;
}

static void lab_of(const float *x, int64_t at, int64_t plane, double lab[3])
{
    const double r = linear_of((double)x[at]), g = linear_of((double)x[at + plane]), b = linear_of((double)x[at + 2 * plane]);
    /* sRGB primaries, white D65 */
    const double fx = lab_curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    const double fy = lab_curve(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
    const double fz = lab_curve((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);

    lab[0] = 116.0 * fy - 16.0;
    lab[1] = 500.0 * (fx - fy);
    lab[2] = 200.0 * (fy - fz);
}

/* Hue in degrees, 0 to 360; 0 for grey. */
static double hue_of(double a, double b)
{
    const double h = a == 0.0 && b == 0.0 ? 0.0 : atan2(b, a) * DEGREES;

    return h < 0.0 ? h + 360.0 : h;
}

static double cosine(double degrees)
{
    return cos(degrees / DEGREES);
}

/* 1 for strong colours, 0 for grey. */
static double strength(double chroma)
{
    const double c7 = pow(chroma, 7.0);

    return sqrt(c7 / (c7 + POW_25_7));
}

double ciede2000(const double p[3], const double q[3])
{
    const double gain = 1.0 + 0.5 * (1.0 - strength(0.5 * (hypot(p[1], p[2]) + hypot(q[1], q[2]))));
    const double a1 = gain * p[1], a2 = gain * q[1], c1 = hypot(a1, p[2]), c2 = hypot(a2, q[2]);
    const double h1 = hue_of(a1, p[2]), h2 = hue_of(a2, q[2]), l = 0.5 * (p[0] + q[0]) - 50.0, c = 0.5 * (c1 + c2);
    double turn = h2 - h1, h = h1 + h2, t, dl, dc, dh, rotation;

    if (c1 * c2 == 0.0) {
        turn = 0.0;
    } else if (fabs(turn) > 180.0) {
        turn += turn > 0.0 ? -360.0 : 360.0;
        h = 0.5 * (h < 360.0 ? h + 360.0 : h - 360.0);
    } else {
        h *= 0.5;
    }
    t = 1.0 - 0.17 * cosine(h - 30.0) + 0.24 * cosine(2.0 * h) + 0.32 * cosine(3.0 * h + 6.0) - 0.20 * cosine(4.0 * h - 63.0);
    dl = (q[0] - p[0]) / (1.0 + 0.015 * l * l / sqrt(20.0 + l * l));
    dc = (c2 - c1) / (1.0 + 0.045 * c);
    dh = 2.0 * sqrt(c1 * c2) * sin(0.5 * turn / DEGREES) / (1.0 + 0.015 * c * t);
    rotation = -2.0 * strength(c) * sin(60.0 * exp(-pow((h - 275.0) / 25.0, 2.0)) / DEGREES);
    return sqrt(fmax(0.0, dl * dl + dc * dc + dh * dh + rotation * dc * dh));
}

double ciede2000_at(const ImagePair *pair, int64_t at)
{
    const int64_t plane = pair->h * pair->w;
    double p[3], q[3];

    lab_of(pair->ref, at, plane, p);
    lab_of(pair->dist, at, plane, q);
    return ciede2000(p, q);
}

RsdStatus metric_ciede2000(double *value, const ImagePair *pair, RsdError *err)
{
    const int64_t plane = pair->h * pair->w;
    double total = 0.0;

    (void)err;
    for (int64_t i = 0; i < plane; i++)
        total += ciede2000_at(pair, i);
    *value = total / (double)plane;
    return RSD_OK;
}

/* --- ERGAS and angle ---------------------------------------------------------------------------------------------------- */

RsdStatus metric_ergas(double *value, const ImagePair *pair, RsdError *err)
{
    const int64_t plane = pair->h * pair->w;
    double total = 0.0;

    (void)err;
    for (int c = 0; c < 3; c++) {
        double mean = 0.0, square = 0.0;

        for (int64_t i = c * plane; i < (c + 1) * plane; i++) {
            const double d = (double)pair->dist[i] - (double)pair->ref[i];

            mean += (double)pair->ref[i] / (double)plane;
            square += d * d / (double)plane;
        }
        mean = fabs(mean) < 1.0 / 255.0 ? 1.0 / 255.0 : mean;
        total += square / (mean * mean) / 3.0;
    }
    *value = 100.0 * sqrt(total);
    return RSD_OK;
}

RsdStatus metric_spectral_angle(double *value, const ImagePair *pair, RsdError *err)
{
    const int64_t plane = pair->h * pair->w;
    double total = 0.0;

    (void)err;
    for (int64_t i = 0; i < plane; i++) {
        const float *x = pair->ref + i, *y = pair->dist + i;
        const double r = (double)x[0], g = (double)x[plane], b = (double)x[2 * plane];
        const double s = (double)y[0], h = (double)y[plane], c = (double)y[2 * plane];
        const double cross = hypot(hypot(g * c - b * h, b * s - r * c), r * h - g * s), dot = r * s + g * h + b * c;

        total += atan2(cross, dot) * DEGREES; /* exact near 0, where the arc cosine is not */
    }
    *value = total / (double)plane;
    return RSD_OK;
}
