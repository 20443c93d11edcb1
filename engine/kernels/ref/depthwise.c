/* depthwise.c - convolutions of planes in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/depthwise.h"

static float at(const DepthwiseShape *s, const float *x, int64_t i, int64_t j)
{
    return i >= 0 && i < s->h && j >= 0 && j < s->n ? x[i * s->n + j] : 0.0f;
}

static void plane(const DepthwiseShape *s, const float *x, const float *w, float bias, float *y, bool add, float *scratch)
{
    const int64_t k = s->k, half = k / 2;

    (void)scratch;
    for (int64_t i = 0; i < s->lines; i++)
        for (int64_t j = 0; j < s->n; j++) {
            float sum = bias;

            for (int64_t t = 0; t < k * k; t++)
                sum += w[t] * at(s, x, s->first + i + t / k - half, j + t % k - half);
            y[i * s->n + j] = add ? y[i * s->n + j] + sum : sum;
        }
}

static void weights(const DepthwiseShape *s, const float *x, const float *dy, double *dw, float *scratch)
{
    const int64_t k = s->k, half = k / 2;

    (void)scratch;
    for (int64_t t = 0; t < k * k; t++)
        for (int64_t i = 0; i < s->h; i++)
            for (int64_t j = 0; j < s->n; j++)
                dw[t] += (double)dy[i * s->n + j] * (double)at(s, x, i + t / k - half, j + t % k - half);
}

const DepthwiseKernels depthwise_ref = {.plane = plane, .weights = weights};
