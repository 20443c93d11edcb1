/* scale_mixture.c - the Gaussian scale mixture model of IW-SSIM.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/scale_mixture.h"

#include <math.h>

#include "engine/dsp/symmetric_eigen.h"

#define NOISE 0.4 /* variance that seeing adds */
#define EPSILON 2.220446049250313e-16

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

static void variables_at(const Mixture *m, int64_t r, int64_t c, double u[MOST_VARIABLES])
{
    for (int i = 0; i < N_NEIGHBOURS; i++)
        u[i] = m->y->data[(r + i / 3) * m->y->w + c + i % 3];
    if (m->parent.data)
        u[N_NEIGHBOURS] = m->parent.data[(r + 1) * m->y->w + c + 1];
}

/* Negative eigenvalues, rounding errors, become 0 and the others are scaled to the same sum. */
RsdStatus mixture_open(Mixture *m, const Plane *y, const Plane *parent, RsdError *err)
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

void mixture_close(Mixture *m)
{
    plane_close(&m->parent);
}

/* u^T C^-1 u / n. Directions without variance hold nothing. */
double mixture_scale(const Mixture *m, int64_t r, int64_t c)
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

/* The one picture is g times the other plus noise of v. */
double mixture_information(const Mixture *m, double scale, double xx, double yy, double xy)
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

void mixture_information_slopes(const Mixture *m, double scale, double xx, double yy, double xy, double *dxx, double *dxy)
{
    double g = 0.0, v = xx, dg = 0.0, dv = 0.0;

    *dxx = *dxy = 0.0;
    if (xx < EPSILON)
        return;
    if (yy >= EPSILON) {
        g = xy / (yy + EPSILON);
        v = xx - g * xy;
    }
    for (int k = 0; k < m->n; k++) {
        const double power = scale * m->values[k];
        const double all = NOISE * NOISE + (v + (1.0 + g * g) * NOISE) * power + NOISE * v;

        dv += (power + NOISE) / (all * M_LN2);
        dg += 2.0 * g * NOISE * power / (all * M_LN2);
    }
    *dxx = dv;
    if (yy >= EPSILON)
        *dxy = dg / (yy + EPSILON) - 2.0 * g * dv;
}
