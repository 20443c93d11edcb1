/* momo.c - the two passes over a block, and the rate between them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/momo.h"

#include <math.h>

MomoSums momo_follow(const float *weights, float *d, float *v, const float *grad, int64_t n, const MomoStep *step)
{
    MomoSums sums = {0};

    for (int64_t i = 0; i < n; i++) {
        float g = step->grad_scale * grad[i];

        d[i] = step->beta1 * d[i] + (1.0f - step->beta1) * g;
        v[i] = step->beta2 * v[i] + (1.0f - step->beta2) * g * g;
        sums.grad_weight += (double)g * (double)weights[i];
        sums.mean_weight += (double)d[i] * (double)weights[i];
        sums.mean_sq += (double)d[i] * (double)d[i] / (double)(step->epsilon + sqrtf(v[i] * step->correct2));
    }
    return sums;
}

double momo_rate(MomoState *state, const MomoSums *sums, double loss, double lr, double decay, double beta1, int64_t t)
{
    double r = 1.0 - pow(beta1, (double)t), ahead;

    state->loss = beta1 * state->loss + (1.0 - beta1) * loss;
    state->product = beta1 * state->product + (1.0 - beta1) * sums->grad_weight;
    ahead = (1.0 + lr * decay) * (state->loss - state->product) + sums->mean_weight;
    return sums->mean_sq > 0.0 ? fmin(lr / r, fmax(ahead, 0.0) / sums->mean_sq) : 0.0;
}

void momo_apply(float *weights, const float *d, const float *v, int64_t n, const MomoStep *step, float tau, float shrink)
{
    for (int64_t i = 0; i < n; i++)
        weights[i] = shrink * (weights[i] - tau * d[i] / (step->epsilon + sqrtf(v[i] * step->correct2)));
}
