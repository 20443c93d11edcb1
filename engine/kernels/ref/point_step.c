/* point_step.c - one step of an LSTM cell, of Adam and of a moving average.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/ref/point_ref.h"

static float sigmoid(float u)
{
    return 1.0f / (1.0f + expf(-u));
}

void ref_lstm_cell(float *gates, int64_t stride, const float *c_prev, float *c, float *h, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        const float i = sigmoid(gates[k]), f = sigmoid(gates[stride + k]), g = tanhf(gates[2 * stride + k]);
        const float o = sigmoid(gates[3 * stride + k]);

        gates[k] = i;
        gates[stride + k] = f;
        gates[2 * stride + k] = g;
        gates[3 * stride + k] = o;
        c[k] = f * c_prev[k] + i * g;
        h[k] = o * tanhf(c[k]);
    }
}

void ref_lstm_cell_grad(float *gates, int64_t stride, const float *c_prev, const float *c, const float *dh, float *dc,
                        int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        const float i = gates[k], f = gates[stride + k], g = gates[2 * stride + k], o = gates[3 * stride + k];
        const float t = tanhf(c[k]), total = dc[k] + dh[k] * o * (1.0f - t * t);

        gates[k] = total * g * i * (1.0f - i);
        gates[stride + k] = total * c_prev[k] * f * (1.0f - f);
        gates[2 * stride + k] = total * i * (1.0f - g * g);
        gates[3 * stride + k] = dh[k] * t * o * (1.0f - o);
        dc[k] = total * f;
    }
}

void ref_adam(float *p, float *m, float *v, const float *g, int64_t n, const AdamStep *step)
{
    const float keep = 1.0f - step->lr * step->decay, rate = step->lr * step->correct1;

    for (int64_t i = 0; i < n; i++) {
        const float d = g[i] * step->grad_scale;

        m[i] = step->beta1 * m[i] + (1.0f - step->beta1) * d;
        v[i] = step->beta2 * v[i] + (1.0f - step->beta2) * (d * d);
        p[i] = p[i] * keep - rate * m[i] / (sqrtf(v[i] * step->correct2) + step->eps);
    }
}

void ref_track(float *average, const float *p, float decay, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        average[i] += (1.0f - decay) * (p[i] - average[i]);
}
