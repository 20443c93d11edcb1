/* iw_ssim.c - structural similarity weighted by information content.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/iw_ssim.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/plane_math.h"
#include "engine/dsp/symmetric_eigen.h"

#define N_LEVELS 5
#define WINDOW 11
#define BORDER 4           /* rows of the weights' map that the window of SSIM does not reach: 5, less 1 of the neighbours */
#define N_NEIGHBOURS 9
#define MOST_VARIABLES 10  /* the neighbours and the parent */
#define NOISE 0.4          /* variance that seeing adds */
#define EPSILON 2.220446049250313e-16

static const double exponents[N_LEVELS] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
static const double luma[3] = {0.299 * 255.0, 0.587 * 255.0, 0.114 * 255.0};

/* --- pyramid ------------------------------------------------------------------------------------------------------------ */

static const double binomial[5] = {1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0};

static int64_t reflect(int64_t i, int64_t n)
{
    while (i < 0 || i >= n)
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

/* Low pass at every second place of a line of n samples `step` apart. */
static void halve_line(const double *x, int64_t n, int64_t step, double *y, int64_t y_step)
{
    for (int64_t i = 0; i < (n + 1) / 2; i++) {
        double sum = 0.0;

        for (int64_t k = -2; k <= 2; k++)
            sum += binomial[k + 2] * x[reflect(2 * i + k, n) * step];
        y[i * y_step] = sqrt(2.0) * sum;
    }
}

/* Back to n samples: zeros between, reflected at the edges, low pass. m = (n + 1) / 2 samples come in. */
static void double_line(const double *x, int64_t n, int64_t step, double *y, int64_t y_step)
{
    const int64_t stuffed = 2 * ((n + 1) / 2);

    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;

        for (int64_t k = -2; k <= 2; k++) {
            const int64_t at = reflect(i + k, stuffed);

            if (at % 2 == 0)
                sum += binomial[k + 2] * x[at / 2 * step];
        }
        y[i * y_step] = sqrt(2.0) * sum;
    }
}

/* x = low doubled + band. */
static RsdStatus split(Plane *low, Plane *band, const Plane *x, RsdError *err)
{
    const int64_t h = x->h, w = x->w, h_low = (h + 1) / 2, w_low = (w + 1) / 2;
    Plane narrow = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_open(&narrow, h, w_low, err));
    TRY(plane_open(low, h_low, w_low, err));
    TRY(plane_open(band, h, w, err));
    for (int64_t r = 0; r < h; r++)
        halve_line(x->data + r * w, w, 1, narrow.data + r * w_low, 1);
    for (int64_t c = 0; c < w_low; c++)
        halve_line(narrow.data + c, h, w_low, low->data + c, w_low);
    for (int64_t c = 0; c < w_low; c++)
        double_line(low->data + c, h, w_low, narrow.data + c, w_low);
    for (int64_t r = 0; r < h; r++)
        double_line(narrow.data + r * w_low, w, 1, band->data + r * w, 1);
    for (int64_t i = 0; i < h * w; i++)
        band->data[i] = x->data[i] - band->data[i];
fail:
    plane_close(&narrow);
    return status;
}

/* Bands 0 .. 3 and the low pass that is left, level 4. */
static RsdStatus open_pyramid(Plane bands[N_LEVELS], const float *rgb, int64_t h, int64_t w, RsdError *err)
{
    Plane x = {0}, low = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_of_rgb(&x, rgb, h, w, luma, 1, false, err));
    for (int i = 0; i < N_LEVELS - 1; i++) {
        TRY(split(&low, &bands[i], &x, err));
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

/* --- information --------------------------------------------------------------------------------------------------------- */

/* Sample k of the parent line stretched to the double, as the authors do it: to 4 n - 3 by linear interpolation, one more at
 * both ends by extrapolation, every second taken. Weights of x[at] and x[at + 1]. */
static void parent_weights(int64_t k, int64_t n, int64_t *at, double weights[2])
{
    const int64_t long_n = 4 * n - 3;
    const int64_t first = k == 0 ? 0 : k == 2 * n - 1 ? long_n - 1 : 2 * k - 1;
    const int64_t second = k == 0 ? 1 : k == 2 * n - 1 ? long_n - 2 : first;
    double place[2];

    for (int j = 0; j < 2; j++)
        place[j] = fmin(fmax(((double)(j ? second : first) + 0.5) * (double)n / (double)long_n - 0.5, 0.0), (double)(n - 1));
    *at = (int64_t)fmin(floor(fmin(place[0], place[1])), (double)(n - 2));
    /* linear in the place, both within one step: 2 x(first) - x(second) */
    weights[1] = 2.0 * (place[0] - (double)*at) - (place[1] - (double)*at);
    weights[0] = 1.0 - weights[1];
}

static RsdStatus enlarge(Plane *out, const Plane *in, int64_t h, int64_t w, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, h, w, err));
    for (int64_t r = 0; r < h; r++) {
        int64_t top, left;
        double down[2], across[2];

        parent_weights(r, in->h, &top, down);
        for (int64_t c = 0; c < w; c++) {
            const double *a = in->data + top * in->w, *b = a + in->w;

            parent_weights(c, in->w, &left, across);
            out->data[r * w + c] = down[0] * (across[0] * a[left] + across[1] * a[left + 1]) +
                                   down[1] * (across[0] * b[left] + across[1] * b[left + 1]);
        }
    }
fail:
    return status;
}

/* What the model knows of a level: the eigenvectors and eigenvalues of the covariance of the variables. */
typedef struct Mixture {
    const Plane *y;
    Plane parent; /* at the size of y; no data: none */
    int n;
    double values[MOST_VARIABLES], vectors[MOST_VARIABLES * MOST_VARIABLES];
} Mixture;

static void variables_at(const Mixture *m, int64_t r, int64_t c, double u[MOST_VARIABLES])
{
    for (int i = 0; i < N_NEIGHBOURS; i++)
        u[i] = m->y->data[(r + i / 3) * m->y->w + c + i % 3];
    if (m->parent.data)
        u[N_NEIGHBOURS] = m->parent.data[(r + 1) * m->y->w + c + 1];
}

/* Negative eigenvalues, rounding errors, become 0 and the others are scaled to the same sum. */
static RsdStatus open_mixture(Mixture *m, const Plane *y, const Plane *parent, RsdError *err)
{
    const int64_t h = y->h - 2, w = y->w - 2;
    double sum = 0.0, positive = 0.0;
    RsdStatus status = RSD_OK;

    *m = (Mixture){.y = y, .n = parent ? MOST_VARIABLES : N_NEIGHBOURS};
    if (parent)
        TRY(enlarge(&m->parent, parent, y->h, y->w, err));
    for (int64_t r = 0; r < h; r++)
        for (int64_t c = 0; c < w; c++) {
            double u[MOST_VARIABLES];

            variables_at(m, r, c, u);
            for (int i = 0; i < m->n; i++)
                for (int k = 0; k < m->n; k++)
                    m->vectors[i * m->n + k] += u[i] * u[k] / (double)(h * w);
        }
    TRY(symmetric_eigen(m->vectors, m->n, m->values, true, err));
    for (int k = 0; k < m->n; k++) {
        sum += m->values[k];
        positive += fmax(0.0, m->values[k]);
    }
    for (int k = 0; k < m->n; k++)
        m->values[k] = positive > 0.0 ? fmax(0.0, m->values[k]) * fmax(0.0, sum) / positive : 0.0;
fail:
    return status;
}

/* u^T C^-1 u / n: the local scale of the mixture. Directions without variance hold nothing. */
static double scale_at(const Mixture *m, int64_t r, int64_t c)
{
    double u[MOST_VARIABLES], scale = 0.0;

    variables_at(m, r, c, u);
    for (int k = 0; k < m->n; k++) {
        double along = 0.0;

        for (int i = 0; i < m->n; i++)
            along += m->vectors[k * m->n + i] * u[i];
        if (m->values[k] > EPSILON * m->values[m->n - 1])
            scale += along * along / m->values[k];
    }
    return scale / (double)m->n;
}

/* Information shared with what is seen of both pictures, in bits: the distorted one is g times the other plus noise of v. */
static double information(const Mixture *m, double scale, double xx, double yy, double xy)
{
    double g = 0.0, v = 0.0, bits = 0.0;

    if (xx >= EPSILON) {
        g = yy >= EPSILON ? xy / (yy + EPSILON) : 0.0;
        v = yy >= EPSILON ? xx - g * xy : xx;
    }
    for (int k = 0; k < m->n; k++)
        bits += log2(1.0 + ((v + (1.0 + g * g) * NOISE) * scale * m->values[k] + NOISE * v) / (NOISE * NOISE));
    return bits < EPSILON ? 0.0 : bits;
}

/* --- pooling ------------------------------------------------------------------------------------------------------------ */

static RsdStatus pool_weighted(double *value, const Moments *ssim, const Plane *x, const Plane *y, const Plane *parent,
                               RsdError *err)
{
    static const double mean3[3] = {1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0};
    Moments local = {0};
    Mixture mixture = {0};
    double sum = 0.0, weights = 0.0, plain = 0.0;
    const int64_t h = ssim->m[0].h, w = ssim->m[0].w;
    RsdStatus status = RSD_OK;

    TRY(open_moments(&local, x, y, mean3, 3, err));
    TRY(open_mixture(&mixture, y, parent, err));
    for (int64_t r = 0; r < h; r++)
        for (int64_t c = 0; c < w; c++) {
            const double s = structure_at(ssim, r * w + c, false);
            double xx, yy, xy, weight;

            spread_at(&local, (r + BORDER) * local.m[0].w + c + BORDER, &xx, &yy, &xy);
            weight = information(&mixture, scale_at(&mixture, r + BORDER, c + BORDER), xx, yy, xy);
            sum += weight * s;
            weights += weight;
            plain += s;
        }
    *value = weights > 0.0 ? sum / weights : plain / (double)(h * w);
fail:
    plane_close(&mixture.parent);
    close_moments(&local);
    return status;
}

static RsdStatus compare_level(double *value, const Plane *xs, const Plane *ys, int level, RsdError *err)
{
    Moments s = {0};
    double taps[WINDOW], total = 0.0;
    RsdStatus status = RSD_OK;

    for (int k = 0; k < WINDOW; k++)
        total += taps[k] = exp(-0.5 * (k - WINDOW / 2) * (k - WINDOW / 2) / (1.5 * 1.5));
    for (int k = 0; k < WINDOW; k++)
        taps[k] /= total;
    TRY(open_moments(&s, &xs[level], &ys[level], taps, WINDOW, err));
    if (level < N_LEVELS - 1) {
        TRY(pool_weighted(value, &s, &xs[level], &ys[level], level < N_LEVELS - 2 ? &ys[level + 1] : NULL, err));
    } else {
        const int64_t count = s.m[0].h * s.m[0].w;

        *value = 0.0;
        for (int64_t i = 0; i < count; i++)
            *value += structure_at(&s, i, true) / (double)count;
    }
fail:
    close_moments(&s);
    return status;
}

RsdStatus metric_iw_ssim(double *value, const ImagePair *pair, RsdError *err)
{
    Plane xs[N_LEVELS] = {{0}}, ys[N_LEVELS] = {{0}};
    double product = 1.0, part = 0.0;
    RsdStatus status = RSD_OK;

    TRY(open_pyramid(xs, pair->dist, pair->h, pair->w, err));
    TRY(open_pyramid(ys, pair->ref, pair->h, pair->w, err));
    for (int i = 0; i < N_LEVELS; i++) {
        TRY(compare_level(&part, xs, ys, i, err));
        product *= pow(fabs(part), exponents[i] / (0.0448 + 0.2856 + 0.3001 + 0.2363 + 0.1333));
    }
    *value = product;
fail:
    for (int i = 0; i < N_LEVELS; i++) {
        plane_close(&xs[i]);
        plane_close(&ys[i]);
    }
    return status;
}
