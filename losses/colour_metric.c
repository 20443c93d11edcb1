/* colour_metric.c - differences of colour, in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/colour_metric.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/ops/by_picture.h"

#define DEGREES (180.0 / M_PI)
#define POW_25_7 6103515625.0 /* 25^7 */

/* --- means over pixels ------------------------------------------------------------------------------------------------ */

/* The difference of two colours and, unless dq is NULL, its derivatives by the second. */
typedef double (*ColourDifference)(double dq[3], const double p[3], const double q[3]);

#define PIXELS_PER_TASK 4096

typedef struct MeanJob {
    ColourDifference difference;
    const ImagePair *pair;
    float *dy;
    double *sums; /* one per task */
} MeanJob;

static void load(double colour[3], const float *x, int64_t at, int64_t plane)
{
    for (int c = 0; c < 3; c++)
        colour[c] = (double)x[at + c * plane];
}

static void mean_task(void *ctx, int64_t task, int worker)
{
    const MeanJob *job = ctx;
    const int64_t plane = job->pair->h * job->pair->w, from = task * PIXELS_PER_TASK;
    const int64_t to = from + PIXELS_PER_TASK < plane ? from + PIXELS_PER_TASK : plane;
    double sum = 0.0;

    (void)worker;
    for (int64_t i = from; i < to; i++) {
        double p[3], q[3], dq[3];

        load(p, job->pair->ref, i, plane);
        load(q, job->pair->dist, i, plane);
        sum += job->difference(job->dy ? dq : NULL, p, q);
        for (int c = 0; job->dy && c < 3; c++)
            job->dy[i + c * plane] = (float)(dq[c] / (double)plane);
    }
    job->sums[task] = sum;
}

static RsdStatus mean_difference(double *value, float *dy, ColourDifference difference, const ImagePair *pair, RsdError *err)
{
    const int64_t plane = pair->h * pair->w, n_tasks = (plane + PIXELS_PER_TASK - 1) / PIXELS_PER_TASK;
    MeanJob job = {difference, pair, dy, NULL};
    double total = 0.0;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&job.sums, (size_t)n_tasks, sizeof *job.sums, err));
    threads_for(pair->threads, n_tasks, mean_task, &job);
    for (int64_t i = 0; i < n_tasks; i++)
        total += job.sums[i];
    *value = total / (double)plane;
fail:
    mem_free(&job.sums);
    return status;
}

/* --- L*, a*, b* ------------------------------------------------------------------------------------------------------- */

/* sRGB primaries over the white D65 */
static const double xyz_of_rgb[3][3] = {{0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047},
                                        {0.2126729, 0.7151522, 0.0721750},
                                        {0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883}};

static double linear_of(double v)
{
    v = v < 0.0 ? 0.0 : v > 1.0 ? 1.0 : v;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4); /* IEC 61966-2-1 */
}

static double linear_slope(double v)
{
    return v < 0.0 || v > 1.0 ? 0.0 : v <= 0.04045 ? 1.0 / 12.92 : 2.4 / 1.055 * pow((v + 0.055) / 1.055, 1.4);
}

#define LAB_BEND (6.0 / 29.0)

static double lab_curve(double t)
{
    return t > LAB_BEND * LAB_BEND * LAB_BEND ? cbrt(t) : t / (3.0 * LAB_BEND * LAB_BEND) + 4.0 / 29.0;
}

/* By the value of the curve. */
static double lab_curve_slope(double f)
{
    return 1.0 / (3.0 * fmax(f * f, LAB_BEND * LAB_BEND));
}

/* f [3]: the curve of X, Y and Z. */
static void lab_of(double lab[3], double f[3], const double rgb[3])
{
    const double r = linear_of(rgb[0]), g = linear_of(rgb[1]), b = linear_of(rgb[2]);

    for (int i = 0; i < 3; i++)
        f[i] = lab_curve(xyz_of_rgb[i][0] * r + xyz_of_rgb[i][1] * g + xyz_of_rgb[i][2] * b);
    lab[0] = 116.0 * f[1] - 16.0;
    lab[1] = 500.0 * (f[0] - f[1]);
    lab[2] = 200.0 * (f[1] - f[2]);
}

static void lab_slope(double drgb[3], const double dlab[3], const double f[3], const double rgb[3])
{
    const double df[3] = {500.0 * dlab[1], 116.0 * dlab[0] - 500.0 * dlab[1] + 200.0 * dlab[2], -200.0 * dlab[2]};

    for (int c = 0; c < 3; c++) {
        double sum = 0.0;

        for (int i = 0; i < 3; i++)
            sum += xyz_of_rgb[i][c] * df[i] * lab_curve_slope(f[i]);
        drgb[c] = sum * linear_slope(rgb[c]);
    }
}

/* --- CIEDE2000 -------------------------------------------------------------------------------------------------------- */

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

static double sine(double degrees)
{
    return sin(degrees / DEGREES);
}

/* 1 for strong colours, 0 for grey. */
static double strength(double chroma)
{
    const double c7 = pow(chroma, 7.0);

    return sqrt(c7 / (c7 + POW_25_7));
}

static double strength_slope(double chroma)
{
    return 3.5 * pow(chroma, 2.5) * POW_25_7 / pow(pow(chroma, 7.0) + POW_25_7, 1.5);
}

/* What the formula is made of, by the names of the paper: C' and h' of both, their means C and H, T, R_T, and the differences
 * over their scales S_L, S_C, S_H. */
typedef struct Terms {
    double gain, a1, a2, c1, c2, c, h, turn, l, t, rotation;
    double dl, dc, dh, sl, sc, sh;
    double value;
} Terms;

static void fill_terms(Terms *k, const double p[3], const double q[3])
{
    double h1, h2;

    k->gain = 1.0 + 0.5 * (1.0 - strength(0.5 * (hypot(p[1], p[2]) + hypot(q[1], q[2]))));
    k->a1 = k->gain * p[1];
    k->a2 = k->gain * q[1];
    k->c1 = hypot(k->a1, p[2]);
    k->c2 = hypot(k->a2, q[2]);
    h1 = hue_of(k->a1, p[2]);
    h2 = hue_of(k->a2, q[2]);
    k->l = 0.5 * (p[0] + q[0]) - 50.0;
    k->c = 0.5 * (k->c1 + k->c2);
    k->turn = h2 - h1;
    k->h = h1 + h2;
    if (k->c1 * k->c2 == 0.0) {
        k->turn = 0.0;
    } else if (fabs(k->turn) > 180.0) {
        k->turn += k->turn > 0.0 ? -360.0 : 360.0;
        k->h = 0.5 * (k->h < 360.0 ? k->h + 360.0 : k->h - 360.0);
    } else {
        k->h *= 0.5;
    }
    k->t = 1.0 - 0.17 * cosine(k->h - 30.0) + 0.24 * cosine(2.0 * k->h) + 0.32 * cosine(3.0 * k->h + 6.0) -
           0.20 * cosine(4.0 * k->h - 63.0);
    k->sl = 1.0 + 0.015 * k->l * k->l / sqrt(20.0 + k->l * k->l);
    k->sc = 1.0 + 0.045 * k->c;
    k->sh = 1.0 + 0.015 * k->c * k->t;
    k->dl = (q[0] - p[0]) / k->sl;
    k->dc = (k->c2 - k->c1) / k->sc;
    k->dh = 2.0 * sqrt(k->c1 * k->c2) * sine(0.5 * k->turn) / k->sh;
    k->rotation = -2.0 * strength(k->c) * sine(60.0 * exp(-pow((k->h - 275.0) / 25.0, 2.0)));
    k->value = sqrt(fmax(0.0, k->dl * k->dl + k->dc * k->dc + k->dh * k->dh + k->rotation * k->dc * k->dh));
}

/* Below this chroma, a hundredth of what is just noticeable, a colour has no hue that its slope could follow: the root of the
 * product of chromas rises without bound there. A grey moves towards the hue of the other colour. */
#define GREY 0.01

/* dq [3]: by a* and b* of q. dc, dh: the value by the two differences before they are scaled; dmean, dhue: by C and H (radians). */
static void chroma_slope(double dq[3], const Terms *k, const double p[3], const double q[3], double dc, double dh, double dmean,
                         double dhue)
{
    const bool hues = k->c1 >= GREY && k->c2 >= GREY;
    const double u = k->c2 >= GREY ? k->a2 / k->c2 : k->a1 / k->c1, v = k->c2 >= GREY ? q[2] / k->c2 : p[2] / k->c1;
    const double plain = hypot(q[1], q[2]);
    double dc1 = 0.5 * dmean - dc, dc2 = 0.5 * dmean + dc, da1 = 0.0, da2, db2, dgain;

    if (hues) {
        const double turned = dh * sine(0.5 * k->turn), dturn = dh * sqrt(k->c1 * k->c2) * cosine(0.5 * k->turn);
        const double dh1 = 0.5 * dhue - dturn, dh2 = 0.5 * dhue + dturn;

        dc1 += turned * sqrt(k->c2 / k->c1);
        dc2 += turned * sqrt(k->c1 / k->c2);
        da1 = (dc1 * k->a1 - dh1 * p[2] / k->c1) / k->c1;
        da2 = dc2 * u - dh2 * v / k->c2;
        db2 = dc2 * v + dh2 * u / k->c2;
    } else {
        if (k->c1 >= GREY)
            da1 = dc1 * k->a1 / k->c1;
        da2 = dc2 * u;
        db2 = dc2 * v;
    }
    dgain = -0.25 * strength_slope(0.5 * (hypot(p[1], p[2]) + plain)) * (da1 * p[1] + da2 * q[1]);
    dq[1] = k->gain * da2 + (plain > 0.0 ? dgain * q[1] / plain : 0.0);
    dq[2] = db2 + (plain > 0.0 ? dgain * q[2] / plain : 0.0);
}

static void ciede2000_slope(double dq[3], const Terms *k, const double p[3], const double q[3])
{
    const double half = k->value > 0.0 ? 0.5 / k->value : 0.0, bend = 20.0 + k->l * k->l;
    const double dc = half * (2.0 * k->dc + k->rotation * k->dh), dh = half * (2.0 * k->dh + k->rotation * k->dc);
    const double drotation = half * k->dc * k->dh, around = (k->h - 275.0) / 25.0, bell = exp(-around * around);
    const double dt = -dh * k->dh / k->sh * 0.015 * k->c;
    const double t_slope = 0.17 * sine(k->h - 30.0) - 0.48 * sine(2.0 * k->h) - 0.96 * sine(3.0 * k->h + 6.0) +
                           0.80 * sine(4.0 * k->h - 63.0);
    const double dmean = -dc * k->dc / k->sc * 0.045 - dh * k->dh / k->sh * 0.015 * k->t -
                         2.0 * drotation * strength_slope(k->c) * sine(60.0 * bell);
    const double dhue = dt * t_slope + drotation * strength(k->c) * cosine(60.0 * bell) * bell * 240.0 / 25.0 * around;

    dq[0] = 2.0 * half * k->dl / k->sl * (1.0 - 0.5 * k->dl * 0.015 * k->l * (40.0 + k->l * k->l) / (bend * sqrt(bend)));
    if (k->c1 < GREY && k->c2 < GREY) { /* a distance in the plane */
        dq[1] = 2.0 * half * k->gain * (k->a2 - k->a1);
        dq[2] = 2.0 * half * (q[2] - p[2]);
    } else {
        chroma_slope(dq, k, p, q, dc / k->sc, dh / k->sh, dmean, dhue);
    }
}

double ciede2000(const double p[3], const double q[3])
{
    Terms terms;

    fill_terms(&terms, p, q);
    return terms.value;
}

static double ciede2000_of_rgb(double dq[3], const double p[3], const double q[3])
{
    double lab_p[3], lab_q[3], f[3], dlab[3];
    Terms terms;

    lab_of(lab_p, f, p);
    lab_of(lab_q, f, q);
    fill_terms(&terms, lab_p, lab_q);
    if (dq) {
        ciede2000_slope(dlab, &terms, lab_p, lab_q);
        lab_slope(dq, dlab, f, q);
    }
    return terms.value;
}

double ciede2000_at(const ImagePair *pair, int64_t at)
{
    double p[3], q[3];

    load(p, pair->ref, at, pair->h * pair->w);
    load(q, pair->dist, at, pair->h * pair->w);
    return ciede2000_of_rgb(NULL, p, q);
}

RsdStatus metric_ciede2000(double *value, const ImagePair *pair, RsdError *err)
{
    return mean_difference(value, NULL, ciede2000_of_rgb, pair, err);
}

static RsdStatus ciede2000_of_picture(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w,
                                      RsdError *err)
{
    return mean_difference(value, dy, ciede2000_of_rgb, &(ImagePair){.ref = x, .dist = y, .h = h, .w = w}, err);
}

RsdStatus measure_ciede2000(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                            RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_picture(tape, ciede2000_of_picture, ref, dist, value, err);
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

/* A colour's length counts as at least this much in the slope, which rises without bound towards black. */
#define DARKEST (1.0 / 255.0)
/* Sines below this are float32 rounding, not a direction. */
#define SAME_DIRECTION 1e-7

static void cross_product(double n[3], const double a[3], const double b[3])
{
    for (int i = 0; i < 3; i++)
        n[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

static double length_of(const double a[3])
{
    return hypot(hypot(a[0], a[1]), a[2]);
}

/* In degrees. The angle of q rises away from p, in their plane and across q: along (p x q) x q. */
static double angle_between(double dq[3], const double p[3], const double q[3])
{
    double normal[3], length;

    cross_product(normal, p, q);
    length = length_of(normal);
    if (dq) {
        const double longest = fmax(length_of(q), DARKEST);
        const bool differs = length > SAME_DIRECTION * length_of(p) * length_of(q);

        cross_product(dq, normal, q);
        for (int c = 0; c < 3; c++)
            dq[c] = differs ? DEGREES * dq[c] / (length * longest * longest) : 0.0;
    }
    return atan2(length, p[0] * q[0] + p[1] * q[1] + p[2] * q[2]) * DEGREES; /* exact near 0, where the arc cosine is not */
}

RsdStatus metric_spectral_angle(double *value, const ImagePair *pair, RsdError *err)
{
    return mean_difference(value, NULL, angle_between, pair, err);
}

static RsdStatus angle_of_picture(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdError *err)
{
    return mean_difference(value, dy, angle_between, &(ImagePair){.ref = x, .dist = y, .h = h, .w = w}, err);
}

RsdStatus measure_spectral_angle(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                                 RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_picture(tape, angle_of_picture, ref, dist, value, err);
}
