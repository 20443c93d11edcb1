/* pyramid.c - one level of a Laplacian pyramid.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/pyramid.h"

#include <math.h>

#include "losses/plane_back.h"

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

/* Transposes of the two: each adds what a gradient of y says of x. */
static void halve_line_back(const double *dy, int64_t y_step, double *dx, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < (n + 1) / 2; i++)
        for (int64_t k = -2; k <= 2; k++)
            dx[reflect(2 * i + k, n) * step] += sqrt(2.0) * binomial[k + 2] * dy[i * y_step];
}

static void double_line_back(const double *dy, int64_t y_step, double *dx, int64_t n, int64_t step)
{
    const int64_t stuffed = 2 * ((n + 1) / 2);

    for (int64_t i = 0; i < n; i++)
        for (int64_t k = -2; k <= 2; k++) {
            const int64_t at = reflect(i + k, stuffed);

            if (at % 2 == 0)
                dx[at / 2 * step] += sqrt(2.0) * binomial[k + 2] * dy[i * y_step];
        }
}

RsdStatus pyramid_split(Plane *low, Plane *band, const Plane *x, RsdError *err)
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

RsdStatus pyramid_split_back(Plane *dx, Plane *dlow, const Plane *dband, RsdError *err)
{
    const int64_t h = dband->h, w = dband->w, w_low = dlow->w;
    Plane doubled = {0}, narrow = {0}; /* [h, w_low] */
    RsdStatus status = RSD_OK;

    TRY(plane_open_zero(&doubled, h, w_low, err));
    TRY(plane_open_zero(&narrow, h, w_low, err));
    for (int64_t r = 0; r < h; r++)
        double_line_back(dband->data + r * w, 1, doubled.data + r * w_low, w, 1);
    for (int64_t i = 0; i < h * w_low; i++)
        doubled.data[i] = -doubled.data[i]; /* the band is x less the doubled */
    for (int64_t c = 0; c < w_low; c++)
        double_line_back(doubled.data + c, w_low, dlow->data + c, h, w_low);
    for (int64_t c = 0; c < w_low; c++)
        halve_line_back(dlow->data + c, w_low, narrow.data + c, h, w_low);
    TRY(plane_open(dx, h, w, err));
    for (int64_t i = 0; i < h * w; i++)
        dx->data[i] = dband->data[i];
    for (int64_t r = 0; r < h; r++)
        halve_line_back(narrow.data + r * w_low, 1, dx->data + r * w, w, 1);
fail:
    plane_close(&doubled);
    plane_close(&narrow);
    return status;
}
