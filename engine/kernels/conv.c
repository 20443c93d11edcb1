/* conv.c - shapes, padding and stream contexts of convolutions, the same for every kernel set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv.h"

#include <string.h>

int64_t conv_span(const ConvAxis *axis)
{
    return (axis->k - 1) * axis->dilation + 1;
}

int64_t conv_reach(const ConvAxis *axis)
{
    return (conv_span(axis) + axis->stride - 1) / axis->stride - 1;
}

int64_t conv_fine_count(const ConvShape *s)
{
    return s->y.n_fine * s->x.n_fine;
}

int64_t conv_coarse_count(const ConvShape *s)
{
    return s->y.n_coarse * s->x.n_coarse;
}

double conv_macs(const ConvShape *s)
{
    return (double)s->batch * (double)conv_coarse_count(s) * (double)s->c_coarse * (double)(s->c_fine / s->groups) *
           (double)(s->y.k * s->x.k);
}

int64_t conv_pad_source(const ConvPad *pad, int64_t i)
{
    int64_t longest = pad->left > pad->right ? pad->left : pad->right, at = i - pad->left, n = pad->n;

    if (at >= 0 && at < n)
        return at;
    if (pad->mode == CONV_PAD_ZERO || n == 0)
        return -1;
    if (pad->mode == CONV_PAD_REPLICATE)
        return at < 0 ? 0 : n - 1;
    if (n <= longest)
        n = longest + 1;
    if (at < 0)
        at = -at;
    else if (at >= n)
        at = 2 * (n - 1) - at;
    return at < pad->n ? at : -1;
}

static int64_t padded_len(const ConvPad *pad)
{
    return pad->left + pad->n + pad->right;
}

void conv_pad_planes(const ConvPad2d *pad, int64_t planes, const float *x, float *y)
{
    const ConvPad *across = &pad->across;
    const int64_t lines = padded_len(&pad->down), n_out = padded_len(across), n = across->n;

    for (int64_t i = 0; i < planes * lines; i++, y += n_out) {
        const int64_t line = conv_pad_source(&pad->down, i % lines);
        const float *from = x + (i / lines * pad->down.n + line) * n;

        for (int64_t t = 0; t < n_out; t++) {
            const int64_t source = line < 0 ? -1 : conv_pad_source(across, t);

            y[t] = source < 0 ? 0.0f : from[source];
        }
    }
}

void conv_pad_planes_grad(const ConvPad2d *pad, int64_t planes, const float *dy, float *dx)
{
    const ConvPad *across = &pad->across;
    const int64_t lines = padded_len(&pad->down), n_out = padded_len(across), n = across->n;

    for (int64_t i = 0; i < planes * lines; i++, dy += n_out) {
        const int64_t line = conv_pad_source(&pad->down, i % lines);
        float *to = dx + (i / lines * pad->down.n + line) * n;

        for (int64_t t = 0; t < n_out && line >= 0; t++) {
            const int64_t source = conv_pad_source(across, t);

            if (source >= 0)
                to[source] += dy[t];
        }
    }
}

void conv_keep_context(float *context, int64_t n_context, int64_t rows, const float *x, int64_t n)
{
    int64_t n_old = n < n_context ? n_context - n : 0;

    for (int64_t r = 0; r < rows; r++) {
        float *to = context + r * n_context;

        memmove(to, to + n_context - n_old, (size_t)n_old * sizeof *to);
        memcpy(to + n_old, x + (r + 1) * n - (n_context - n_old), (size_t)(n_context - n_old) * sizeof *to);
    }
}

void conv_reflect_context(float *context, int64_t n_context, int64_t rows, const float *x, int64_t n)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n_context; i++)
            context[r * n_context + i] = x[r * n + n_context - i];
}
