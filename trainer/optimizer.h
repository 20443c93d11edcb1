/* optimizer.h - Adam and AdamW over the trainable parameters of a model, with clipping of the gradient's norm.
 *
 * [1] Kingma and Ba, Adam, 2015.   [2] Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPTIMIZER_H
#define RESIDUA_OPTIMIZER_H

#include "engine/base/threads.h"
#include "models/params.h"

typedef enum OptimizerKind { OPTIMIZER_ADAM, OPTIMIZER_ADAMW } OptimizerKind;

typedef struct OptimizerConfig {
    int kind;                        /* OptimizerKind */
    float beta1, beta2, epsilon;
    float weight_decay;              /* Adam: added to the gradient; AdamW: weights shrink by lr * weight_decay */
    float clip_norm;                 /* gradients are scaled down to this norm; 0 is off */
    float ema_decay;                 /* of the averaged weights; 0 is off */
} OptimizerConfig;

/* Moments in the order of the trainable parameters, all laid end to end; plain arrays, so that a checkpoint stores them. */
typedef struct Optimizer {
    OptimizerConfig config;
    ParamSet *params;      /* borrowed until destroy */
    int64_t n_elements;
    float *m, *v;          /* [n_elements] */
    float *average;        /* [n_elements] weight averages, starts as the weights */
    int64_t n_updates;
    double *partial_sums;  /* of squares, one per block */
} Optimizer;

RsdStatus optimizer_create(Optimizer **out, const OptimizerConfig *config, ParamSet *params, RsdError *err);
void optimizer_destroy(Optimizer **optimizer);

/* Euclidean norm of all gradients, before clipping; sums in a fixed order in double. Infinite or NaN gradients show up
 * here. */
double optimizer_grad_norm(Optimizer *optimizer, RsdThreads *threads);

/* One update from the gradients of the parameters, scaled so that grad_norm becomes at most clip_norm:
 *   g = grad * scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 * then the averages: average += (1 - d)(w - average), d = min(ema_decay, (1 + t) / (10 + t)). Same bits for any threads. */
void optimizer_update(Optimizer *optimizer, float lr, double grad_norm, RsdThreads *threads);

/* Exchanges weights and averages: call once before validation or export and once after. */
void optimizer_swap_average(Optimizer *optimizer);

#endif
