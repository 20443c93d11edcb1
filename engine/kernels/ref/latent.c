/* latent.c - bits and rounding in plain C; probabilities in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/latent_ref.h"

#include <math.h>

static void put(float *y, double value, bool add)
{
    *y = add ? *y + (float)value : (float)value;
}

/* ---- bits ---- */

/* P(X > a) for variance 1, and the density at a. */
static double tail_of(Density density, double a, double *at)
{
    if (density == DENSITY_NORMAL) {
        *at = exp(-0.5 * a * a) * 0.39894228040143267794; /* 1 / sqrt(2 pi) */
        return 0.5 * erfc(a * M_SQRT1_2);
    }
    const double e = exp(-M_SQRT2 * fabs(a));

    *at = M_SQRT1_2 * e;
    return a < 0 ? 1.0 - 0.5 * e : 0.5 * e;
}

/* P of the cell around x, and what changes with it: |x - mean| and scale. */
static double cell_of(const BitsJob *job, int64_t i, double *by_distance, double *by_scale)
{
    const double scale = (double)job->scale[i], distance = fabs((double)job->x[i] - (double)job->mean[i]);
    const double inner = (distance - 0.5) / scale, outer = (distance + 0.5) / scale;
    double at_inner, at_outer;
    const double p = tail_of(job->density, inner, &at_inner) - tail_of(job->density, outer, &at_outer);

    *by_distance = (at_outer - at_inner) / scale;
    *by_scale = (at_inner * inner - at_outer * outer) / scale;
    return p;
}

static void bits(const BitsJob *job, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double by_distance, by_scale, p = cell_of(job, i, &by_distance, &by_scale);

        y[i] = (float)-log2(p > (double)job->floor ? p : (double)job->floor);
    }
}

/* d bits / d P times dy. */
static double slope_of(double p, double least, double dy)
{
    const double slope = -dy * M_LOG2E / (p > least ? p : least);

    return p < least && slope > 0 ? 0.0 : slope;
}

static void bits_grad(const BitsJob *job, const float *dy, const BitsGrad *grad, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double by_distance, by_scale, p = cell_of(job, i, &by_distance, &by_scale);
        const double slope = slope_of(p, (double)job->floor, (double)dy[i]);
        const double by_x = slope * (job->x[i] < job->mean[i] ? -by_distance : by_distance);

        if (grad->dx)
            put(&grad->dx[i], by_x, grad->add_x);
        if (grad->dmean)
            put(&grad->dmean[i], -by_x, grad->add_mean);
        if (grad->dscale)
            put(&grad->dscale[i], slope * by_scale, grad->add_scale);
    }
}

/* ---- rounding ---- */

static void snap(const Snap *s, const float *x, float *y, int64_t n)
{
    if (s->kind == SNAP_SOFT) {
        const float inverse = 1.0f / s->per_unit, half = 0.5f / tanhf(0.5f * inverse);

        for (int64_t i = 0; i < n; i++) {
            const float whole = floorf(x[i]);

            y[i] = whole + 0.5f + half * tanhf((x[i] - whole - 0.5f) * inverse);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const float v = s->kind == SNAP_ROUND ? floorf(x[i] * s->per_unit + 0.5f) / s->per_unit : x[i];

        y[i] = v < s->low ? s->low : v > s->high ? s->high : v;
    }
}

static void snap_grad(const Snap *s, const float *x, const float *dy, float *dx, int64_t n, bool add)
{
    if (s->kind == SNAP_SOFT) {
        const float inverse = 1.0f / s->per_unit, half = 0.5f / tanhf(0.5f * inverse);

        for (int64_t i = 0; i < n; i++) {
            const float t = tanhf((x[i] - floorf(x[i]) - 0.5f) * inverse), d = dy[i] * half * inverse * (1.0f - t * t);

            dx[i] = add ? dx[i] + d : d;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        /* going downhill moves x against dy */
        const bool stuck = (x[i] < s->low && dy[i] > 0) || (x[i] > s->high && dy[i] < 0);
        const float d = stuck ? 0.0f : dy[i];

        dx[i] = add ? dx[i] + d : d;
    }
}

/* ---- factorised ---- */

#define LAYERS 5
#define WIDTH 3
static const int widths[LAYERS + 1] = {1, WIDTH, WIDTH, WIDTH, WIDTH, 1};

/* The weights of a channel as they act: softplus(H), b, tanh(a). */
typedef struct Curve {
    double h[LAYERS][WIDTH * WIDTH], b[LAYERS][WIDTH], a[LAYERS][WIDTH];
    double dh[LAYERS][WIDTH * WIDTH], db[LAYERS][WIDTH], da[LAYERS][WIDTH]; /* gradients of h, b and a as they act */
} Curve;

/* What one number went through. */
typedef struct Passage {
    double in[LAYERS][WIDTH], bent[LAYERS][WIDTH]; /* input of each layer; tanh of what left it */
    double logit;
} Passage;

static double softplus(double u)
{
    return u > 30 ? u : log1p(exp(u));
}

static void read_curve(Curve *curve, const float *w)
{
    *curve = (Curve){0};
    for (int k = 0; k < LAYERS; k++) {
        const int n_in = widths[k], n_out = widths[k + 1];

        for (int i = 0; i < n_in * n_out; i++)
            curve->h[k][i] = softplus((double)*w++);
        for (int i = 0; i < n_out; i++)
            curve->b[k][i] = (double)*w++;
        for (int i = 0; i < n_out && k < LAYERS - 1; i++)
            curve->a[k][i] = tanh((double)*w++);
    }
}

static void follow(const Curve *curve, double v, Passage *p)
{
    p->in[0][0] = v;
    for (int k = 0; k < LAYERS; k++)
        for (int o = 0; o < widths[k + 1]; o++) {
            double sum = curve->b[k][o];

            for (int i = 0; i < widths[k]; i++)
                sum += curve->h[k][o * widths[k] + i] * p->in[k][i];
            if (k == LAYERS - 1) {
                p->logit = sum;
                return;
            }
            p->bent[k][o] = tanh(sum);
            p->in[k + 1][o] = sum + curve->a[k][o] * p->bent[k][o];
        }
}

/* Adds to the curve's gradients what d says about the logit; returns d logit / d v times d. */
static double follow_back(Curve *curve, const Passage *p, double d)
{
    double dout[WIDTH] = {d}, din[WIDTH];

    for (int k = LAYERS - 1; k >= 0; k--) {
        for (int i = 0; i < WIDTH; i++)
            din[i] = 0;
        for (int o = 0; o < widths[k + 1]; o++) {
            double dsum = dout[o];

            if (k < LAYERS - 1) {
                curve->da[k][o] += dout[o] * p->bent[k][o];
                dsum *= 1 + curve->a[k][o] * (1 - p->bent[k][o] * p->bent[k][o]);
            }
            curve->db[k][o] += dsum;
            for (int i = 0; i < widths[k]; i++) {
                curve->dh[k][o * widths[k] + i] += dsum * p->in[k][i];
                din[i] += dsum * curve->h[k][o * widths[k] + i];
            }
        }
        for (int i = 0; i < WIDTH; i++)
            dout[i] = din[i];
    }
    return dout[0];
}

static double sigmoid(double u)
{
    return 1.0 / (1.0 + exp(-u));
}

/* Both on the side where they are small. */
static double cell_between(double low, double high)
{
    return low + high > 0 ? sigmoid(-low) - sigmoid(-high) : sigmoid(high) - sigmoid(low);
}

void ref_factorised_bits(const float *weights, const float *x, float floor, float *y, int64_t n)
{
    Curve curve;
    Passage low, high;

    read_curve(&curve, weights);
    for (int64_t i = 0; i < n; i++) {
        double p;

        follow(&curve, (double)x[i] - 0.5, &low);
        follow(&curve, (double)x[i] + 0.5, &high);
        p = cell_between(low.logit, high.logit);
        y[i] = (float)-log2(p > (double)floor ? p : (double)floor);
    }
}

static void write_gradients(const Curve *curve, const float *w, double *dw)
{
    for (int k = 0; k < LAYERS; k++) {
        const int n_in = widths[k], n_out = widths[k + 1];

        for (int i = 0; i < n_in * n_out; i++)
            *dw++ += curve->dh[k][i] * sigmoid((double)*w++);
        for (int i = 0; i < n_out; i++, w++)
            *dw++ += curve->db[k][i];
        for (int i = 0; i < n_out && k < LAYERS - 1; i++, w++)
            *dw++ += curve->da[k][i] * (1 - curve->a[k][i] * curve->a[k][i]);
    }
}

void ref_factorised_bits_grad(const float *weights, const float *x, float floor, const float *dy, float *dx, bool add,
                                 double *dweights, int64_t n)
{
    Curve curve;
    Passage low, high;

    read_curve(&curve, weights);
    for (int64_t i = 0; i < n; i++) {
        double slope, d;

        follow(&curve, (double)x[i] - 0.5, &low);
        follow(&curve, (double)x[i] + 0.5, &high);
        slope = slope_of(cell_between(low.logit, high.logit), (double)floor, (double)dy[i]);
        d = follow_back(&curve, &high, slope * sigmoid(high.logit) * sigmoid(-high.logit));
        d += follow_back(&curve, &low, -slope * sigmoid(low.logit) * sigmoid(-low.logit));
        if (dx)
            put(&dx[i], d, add);
    }
    if (dweights)
        write_gradients(&curve, weights, dweights);
}

/* ---- bits of a coder with tables ---- */

/* Whole numbers around a place along an axis of n, and how far behind the first it is; beyond_ends: not clamped. */
typedef struct Place {
    int64_t at;
    float past;
} Place;

static Place place_of(float v, int64_t n, bool beyond_ends)
{
    const float last = (float)(n - 1), near = v > 0 ? v < last ? v : last : 0.0f; /* NaN is 0 */
    int64_t at = (int64_t)near;

    at = at < n - 1 ? at : n - 2;
    return (Place){at, (beyond_ends && v == v ? v : near) - (float)at};
}

void ref_table_bits(const BitsTable *table, const float *x, const float *row, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const Place v = place_of(x[i] - (float)table->lowest, table->n_values, true), r = place_of(row[i], table->n_rows, false);
        const float *first = table->cost + r.at * table->n_values + v.at, *second = first + table->n_values;
        const float a = first[0] + v.past * (first[1] - first[0]), b = second[0] + v.past * (second[1] - second[0]);

        y[i] = a + r.past * (b - a);
    }
}

/* Of values at distances of 1; past a whole number, or in the middle of both sides on one. */
static float slope_at(const float *values, int64_t step, int64_t at, int64_t n, float past)
{
    const float *v = values + at * step, slope = v[step] - v[0];

    if (past == 0.0f && at > 0)
        return 0.5f * (v[step] - v[-step]);
    if (past == 1.0f && at + 2 < n)
        return 0.5f * (v[2 * step] - v[0]);
    return slope;
}

void ref_table_bits_grad(const BitsTable *table, const float *x, const float *row, const float *dy, float *dx, bool add_x,
                            float *drow, bool add_row, int64_t n)
{
    const int64_t width = table->n_values;

    for (int64_t i = 0; i < n; i++) {
        const Place v = place_of(x[i] - (float)table->lowest, width, true), r = place_of(row[i], table->n_rows, false);
        const float *rows = table->cost + r.at * width;

        if (dx) {
            const float a = slope_at(rows, 1, v.at, width, v.past), b = slope_at(rows + width, 1, v.at, width, v.past);

            put(&dx[i], (double)(dy[i] * (a + r.past * (b - a))), add_x);
        }
        if (drow) {
            const float a = slope_at(table->cost + v.at, width, r.at, table->n_rows, r.past);
            const float b = slope_at(table->cost + v.at + 1, width, r.at, table->n_rows, r.past);
            const bool inside = row[i] >= 0 && row[i] <= (float)(table->n_rows - 1);

            put(&drow[i], inside ? (double)(dy[i] * (a + v.past * (b - a))) : 0.0, add_row);
        }
    }
}

/* ---- stochastic rounding ---- */

/* The share of the upper neighbour, and how it grows with r. */
static double upper_share(double t, double x, double u, double *slope)
{
    const double most = 1.0 - (double)STOCHASTIC_EDGE, r = fmin(x - floor(x), most), left = fmin(1.0 - r, most);
    const double v = ((atanh(r) - atanh(left)) / t + log(u / (1.0 - u))) / t, w = 1.0 / (1.0 + exp(-v));

    *slope = w * (1.0 - w) / (t * t) * (1.0 / (1.0 - r * r) + 1.0 / (1.0 - left * left));
    return w;
}

static void stochastic(float t, const float *x, const float *u, float *y, int64_t n)
{
    double slope;

    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(floor((double)x[i]) + upper_share((double)t, (double)x[i], (double)u[i], &slope));
}

static void stochastic_grad(float t, const float *x, const float *u, const float *dy, float *dx, bool add, int64_t n)
{
    double slope;

    for (int64_t i = 0; i < n; i++) {
        upper_share((double)t, (double)x[i], (double)u[i], &slope);
        put(&dx[i], (double)dy[i] * slope, add);
    }
}

const LatentKernels latent_ref = {.bits = bits,
                                  .bits_grad = bits_grad,
                                  .table_bits = ref_table_bits,
                                  .table_bits_grad = ref_table_bits_grad,
                                  .stochastic = stochastic,
                                  .stochastic_grad = stochastic_grad,
                                  .snap = snap,
                                  .snap_grad = snap_grad,
                                  .factorised_bits = ref_factorised_bits,
                                  .factorised_bits_grad = ref_factorised_bits_grad};
