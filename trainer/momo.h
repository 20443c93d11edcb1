/* momo.h - MoMo-Adam: Adam whose learning rate is cut where the loss's own linear model says that less is enough.
 *
 *   d = b1 d + (1 - b1) g      f = b1 f + (1 - b1) loss      c = b1 c + (1 - b1) <g, x>      v = b2 v + (1 - b2) g^2
 *   D = eps + sqrt(v / (1 - b2^t))      r = 1 - b1^t
 *   tau = min(lr / r, ((1 + lr decay)(f - r lower - c) + <d, x>)+ / sum d^2 / D)
 *   x   = (x - tau d / D) / (1 + lr decay)
 *
 * f - c + <d, x> is the moving average of what past gradients predict for the loss at x; a step that would bring it below
 * `lower`, which no loss reaches, is shortened. With a learning rate that is small enough this is Adam.
 *
 * [1] Schaipp et al., MoMo: Momentum Models for Adaptive Learning Rates, ICML 2024, algorithm 3; lower = 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MOMO_H
#define RESIDUA_MOMO_H

#include <stdint.h>

typedef struct MomoState {
    double loss, product; /* f and c */
} MomoState;

typedef struct MomoStep {
    float beta1, beta2, epsilon, correct2, grad_scale; /* correct2 = 1 / (1 - b2^t) */
} MomoStep;

/* Sums over a block of n elements: <g, x>, <d, x>, sum d^2 / D, after d and v have been moved. */
typedef struct MomoSums {
    double grad_weight, mean_weight, mean_sq;
} MomoSums;
MomoSums momo_follow(const float *weights, float *d, float *v, const float *grad, int64_t n, const MomoStep *step);
/* tau; moves the state. t from 1 on. */
double momo_rate(MomoState *state, const MomoSums *sums, double loss, double lr, double decay, double beta1, int64_t t);
void momo_apply(float *weights, const float *d, const float *v, int64_t n, const MomoStep *step, float tau, float shrink);

#endif
