/* plane_math.c - planes in double precision.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/plane_math.h"

#include <math.h>

#include "engine/base/mem.h"

RsdStatus plane_open(Plane *p, int64_t h, int64_t w, RsdError *err)
{
    p->h = h;
    p->w = w;
    return mem_alloc(&p->data, (size_t)(h * w), sizeof(double), err);
}

void plane_close(Plane *p)
{
    mem_free(&p->data);
}

int64_t plane_shrink_factor(int64_t h, int64_t w)
{
    return (int64_t)fmax(1.0, nearbyint((double)(h < w ? h : w) / 256.0));
}

RsdStatus plane_shrink(Plane *out, const Plane *in, int64_t n, bool centred, RsdError *err)
{
    const int64_t extra = centred ? n - 1 : 0, before = centred ? n / 2 : 0;
    Plane y = {0};
    RsdStatus status = RSD_OK;

    TRY(plane_open(&y, (in->h + extra) / n, (in->w + extra) / n, err));
    for (int64_t r = 0; r < y.h; r++)
        for (int64_t c = 0; c < y.w; c++) {
            double sum = 0.0;

            for (int64_t i = 0; i < n; i++)
                for (int64_t k = 0; k < n; k++)
                    sum += in->data[plane_clamp(r * n + i - before, in->h) * in->w + plane_clamp(c * n + k - before, in->w)];
            y.data[r * y.w + c] = sum / (double)(n * n);
        }
    if (out == in)
        plane_close(out);
    *out = y;
fail:
    return status;
}

RsdStatus plane_of_rgb(Plane *out, const float *rgb, int64_t h, int64_t w, const double weights[3], int64_t n, bool centred,
                       RsdError *err)
{
    const int64_t count = h * w;
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, h, w, err));
    for (int64_t i = 0; i < count; i++)
        out->data[i] = weights[0] * (double)rgb[i] + weights[1] * (double)rgb[count + i] + weights[2] * (double)rgb[2 * count + i];
    if (n > 1)
        TRY(plane_shrink(out, out, n, centred, err));
fail:
    return status;
}

const double scharr_smooth[3] = {3.0 / 16.0, 10.0 / 16.0, 3.0 / 16.0};

void plane_scharr_at(const Plane *in, int64_t r, int64_t c, double *across, double *down)
{
    *across = *down = 0.0;
    for (int64_t i = r > 0 ? -1 : 0; i <= (r < in->h - 1 ? 1 : 0); i++)
        for (int64_t k = c > 0 ? -1 : 0; k <= (c < in->w - 1 ? 1 : 0); k++) {
            const double v = in->data[(r + i) * in->w + c + k];

            *across += scharr_smooth[i + 1] * (double)k * v;
            *down += (double)i * scharr_smooth[k + 1] * v;
        }
}

RsdStatus plane_scharr(Plane *out, const Plane *in, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, in->h, in->w, err));
    for (int64_t r = 0; r < in->h; r++)
        for (int64_t c = 0; c < in->w; c++) {
            double across, down;

            plane_scharr_at(in, r, c, &across, &down);
            out->data[r * in->w + c] = sqrt(across * across + down * down);
        }
fail:
    return status;
}

RsdStatus plane_filter(Plane *out, const Plane *in, const double *taps, int n, RsdError *err)
{
    double *row = NULL;
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, in->h - n + 1, in->w - n + 1, err));
    TRY(mem_alloc(&row, (size_t)in->w, sizeof *row, err));
    for (int64_t r = 0; r < out->h; r++) {
        double *y = out->data + r * out->w;

        for (int64_t c = 0; c < in->w; c++)
            row[c] = taps[0] * in->data[r * in->w + c];
        for (int64_t i = 1; i < n; i++)
            for (int64_t c = 0; c < in->w; c++)
                row[c] += taps[i] * in->data[(r + i) * in->w + c];
        for (int64_t c = 0; c < out->w; c++)
            y[c] = taps[0] * row[c];
        for (int64_t k = 1; k < n; k++)
            for (int64_t c = 0; c < out->w; c++)
                y[c] += taps[k] * row[c + k];
    }
fail:
    mem_free(&row);
    return status;
}

void plane_locate(int64_t i, int64_t n_out, int64_t n_in, bool corners, int64_t *at, double *share)
{
    double x = corners ? (n_out > 1 ? (double)i * (double)(n_in - 1) / (double)(n_out - 1) : 0.0)
                       : ((double)i + 0.5) * (double)n_in / (double)n_out - 0.5;

    x = fmin(fmax(x, 0.0), (double)(n_in - 1));
    *at = (int64_t)x < n_in - 1 ? (int64_t)x : n_in > 1 ? n_in - 2 : 0;
    *share = n_in > 1 ? x - (double)*at : 0.0;
}

RsdStatus plane_resize(Plane *out, const Plane *in, int64_t h, int64_t w, bool corners, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(plane_open(out, h, w, err));
    for (int64_t r = 0; r < h; r++) {
        int64_t top, left;
        double down, right;
        const double *a, *b;

        plane_locate(r, h, in->h, corners, &top, &down);
        a = in->data + top * in->w;
        b = in->h > 1 ? a + in->w : a;
        for (int64_t c = 0; c < w; c++) {
            int64_t next;

            plane_locate(c, w, in->w, corners, &left, &right);
            next = in->w > 1 ? left + 1 : left;
            out->data[r * w + c] = (1.0 - down) * ((1.0 - right) * a[left] + right * a[next]) +
                                   down * ((1.0 - right) * b[left] + right * b[next]);
        }
    }
fail:
    return status;
}
