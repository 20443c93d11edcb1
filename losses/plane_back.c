/* plane_back.c - gradients of plane_math.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/plane_back.h"

#include <string.h>

#include "engine/base/mem.h"

RsdStatus plane_open_zero(Plane *p, int64_t h, int64_t w, RsdError *err)
{
    p->h = h;
    p->w = w;
    return mem_calloc(&p->data, (size_t)(h * w), sizeof(double), err);
}

void plane_shrink_back(Plane *din, const Plane *dout, int64_t n, bool centred)
{
    const int64_t before = centred ? n / 2 : 0;

    for (int64_t r = 0; r < dout->h; r++)
        for (int64_t c = 0; c < dout->w; c++) {
            const double share = dout->data[r * dout->w + c] / (double)(n * n);

            for (int64_t i = 0; i < n; i++)
                for (int64_t k = 0; k < n; k++)
                    din->data[plane_clamp(r * n + i - before, din->h) * din->w + plane_clamp(c * n + k - before, din->w)] += share;
        }
}

RsdStatus plane_of_rgb_back(Plane *drgb, const Plane *dout, const double weights[3], int64_t n, bool centred, RsdError *err)
{
    const int64_t count = drgb->h / 3 * drgb->w;
    Plane whole = {0};
    const Plane *from = dout;
    RsdStatus status = RSD_OK;

    if (n > 1) {
        TRY(plane_open_zero(&whole, drgb->h / 3, drgb->w, err));
        plane_shrink_back(&whole, dout, n, centred);
        from = &whole;
    }
    for (int64_t k = 0; k < 3; k++)
        for (int64_t i = 0; i < count; i++)
            drgb->data[k * count + i] += weights[k] * from->data[i];
fail:
    plane_close(&whole);
    return status;
}

void plane_scharr_back(Plane *din, const Plane *in, const Plane *out, const Plane *dout)
{
    for (int64_t r = 0; r < in->h; r++)
        for (int64_t c = 0; c < in->w; c++) {
            const double length = out->data[r * in->w + c];
            double slope, along[2];

            if (length <= 0.0)
                continue;
            slope = dout->data[r * in->w + c] / length;
            plane_scharr_at(in, r, c, &along[0], &along[1]);
            for (int64_t i = r > 0 ? -1 : 0; i <= (r < in->h - 1 ? 1 : 0); i++)
                for (int64_t k = c > 0 ? -1 : 0; k <= (c < in->w - 1 ? 1 : 0); k++)
                    din->data[(r + i) * in->w + c + k] += slope * (along[0] * scharr_smooth[i + 1] * (double)k +
                                                                   along[1] * scharr_smooth[k + 1] * (double)i);
        }
}

RsdStatus plane_filter_back(Plane *din, const Plane *dout, const double *taps, int n, RsdError *err)
{
    double *row = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&row, (size_t)din->w, sizeof *row, err));
    for (int64_t r = 0; r < dout->h; r++) {
        const double *dy = dout->data + r * dout->w;

        memset(row, 0, (size_t)din->w * sizeof *row);
        for (int64_t k = 0; k < n; k++)
            for (int64_t c = 0; c < dout->w; c++)
                row[c + k] += taps[k] * dy[c];
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < din->w; c++)
                din->data[(r + i) * din->w + c] += taps[i] * row[c];
    }
fail:
    mem_free(&row);
    return status;
}

void plane_resize_back(Plane *din, const Plane *dout, bool corners)
{
    for (int64_t r = 0; r < dout->h; r++) {
        int64_t top, left;
        double down, right, *a, *b;

        plane_locate(r, dout->h, din->h, corners, &top, &down);
        a = din->data + top * din->w;
        b = din->h > 1 ? a + din->w : a;
        for (int64_t c = 0; c < dout->w; c++) {
            const double d = dout->data[r * dout->w + c];
            int64_t next;

            plane_locate(c, dout->w, din->w, corners, &left, &right);
            next = din->w > 1 ? left + 1 : left;
            a[left] += (1.0 - down) * (1.0 - right) * d;
            a[next] += (1.0 - down) * right * d;
            b[left] += down * (1.0 - right) * d;
            b[next] += down * right * d;
        }
    }
}

void plane_narrow(float *out, const Plane *p, double scale)
{
    for (int64_t i = 0; i < p->h * p->w; i++)
        out[i] = (float)(scale * p->data[i]);
}
