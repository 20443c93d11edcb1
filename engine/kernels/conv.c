/* conv.c - shapes, padding and stream contexts of convolutions, the same for every kernel set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/conv.h"

#include <string.h>

int64_t conv_span(const ConvShape *s)
{
    return (s->k - 1) * s->dilation + 1;
}

int64_t conv_reach(const ConvShape *s)
{
    return (conv_span(s) + s->stride - 1) / s->stride - 1;
}

double conv_macs(const ConvShape *s)
{
    return (double)s->batch * (double)s->n_coarse * (double)s->c_coarse * (double)(s->c_fine / s->groups) * (double)s->k;
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

void conv_pad_rows(const ConvPad *pad, int64_t rows, const float *x, float *y)
{
    int64_t n_out = pad->left + pad->n + pad->right;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n_out; i++) {
            int64_t source = conv_pad_source(pad, i);

            y[r * n_out + i] = source < 0 ? 0.0f : x[r * pad->n + source];
        }
}

void conv_pad_rows_grad(const ConvPad *pad, int64_t rows, const float *dy, float *dx)
{
    int64_t n_out = pad->left + pad->n + pad->right;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n_out; i++) {
            int64_t source = conv_pad_source(pad, i);

            if (source >= 0)
                dx[r * pad->n + source] += dy[r * n_out + i];
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
