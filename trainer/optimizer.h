/* optimizer.h - Adam, AdamW, Muon and MoMo-Adam (trainer/momo.h) over the trainable parameters of a model, with clipping of the
 * gradient's norm.
 *
 * Muon moves a weight matrix by its momentum with all singular values brought to 1 (trainer/orthogonal.h), so that rare
 * directions are learnt as fast as common ones; vectors (biases, gains) are moved by Adam.
 *
 * [1] Kingma and Ba, Adam, 2015.   [2] Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
 * [4] Foret et al., Sharpness-Aware Minimization for Efficiently Improving Generalization, 2021.
 * [3] Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
 * [5] Micikevicius et al., Mixed Precision Training, 2018.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPTIMIZER_H
#define RESIDUA_OPTIMIZER_H

#include "engine/base/group.h"
#include "engine/base/threads.h"
#include "models/params.h"
#include "trainer/momo.h"

typedef enum OptimizerKind { OPTIMIZER_ADAM, OPTIMIZER_ADAMW, OPTIMIZER_MUON, OPTIMIZER_MOMO } OptimizerKind;

/* Numbers that a network computes with; with the last two they are 16-bit copies of the optimiser's own float32 masters, and gradients
 * are rounded to the same 16 bits before masters take them (mixed precision [5]). */
typedef enum WeightFormat { WEIGHTS_F32, WEIGHTS_BF16, WEIGHTS_F16 } WeightFormat;

typedef struct OptimizerConfig {
    int weights; /* WeightFormat */
    int kind; /* OptimizerKind; they differ in weight_decay, which Adam does not have */
    float beta1, beta2, epsilon;
    float weight_decay; /* weights shrink by lr * weight_decay in each step, apart from the gradient; not with Adam */
    float muon_scale;   /* Muon: the spectral norm of a step is lr * muon_scale * sqrt(max(1, rows / columns)) */
    float muon_beta;    /* Muon: decay of the momentum, Nesterov's form */
    float clip_norm;    /* gradients are scaled down to this norm; 0 is off */
    float ema_decay;    /* of the averaged weights; 0 is off */
    float sam_radius;   /* of optimizer_climb; 0 is off */
} OptimizerConfig;

struct Kernels;
typedef struct OptimizerBlock OptimizerBlock;
typedef struct OptimizerMatrix OptimizerMatrix;

/* m, v and average hold the trainable parameters in order, laid end to end; plain arrays, so that a checkpoint stores
 * them. Muon's matrices keep their momentum in m and leave v at 0. A tensor [rows, ...] of at least two rows and columns is
 * a matrix [rows, columns]. */
typedef struct Optimizer {
    OptimizerConfig config;
    ParamSet *params; /* borrowed */
    const struct Kernels *kernels;
    int64_t n_elements, n_updates;
    float *m, *v;   /* [n_elements] */
    float *average; /* [n_elements], starts as the weights */
    float *master;  /* [n_elements], of which the parameters are copies in 16 bits; NULL with WEIGHTS_F32 */
    float *kept;    /* [n_elements], weights during a climb; NULL before the first */
    Group *group;   /* with which a batch is shared; borrowed, NULL: this process alone */
    float *shared;   /* [n_elements], gradients on their way through it; NULL without a group, as the next two */
    float *steps, *all_steps; /* [n_steps], of this member's matrices; [members, n_steps] */
    int64_t n_steps;
    double loss;    /* MoMo: that the gradient belongs to; the caller's, before each update */
    MomoState momo;
    OptimizerBlock *blocks;
    int64_t n_blocks;
    OptimizerMatrix *matrices; /* Muon's, the largest first */
    int64_t n_matrices;
} Optimizer;

/* params and kernels are borrowed until destroy; no parameter may be added meanwhile. Errors: RSD_ERR_MEMORY. */
RsdStatus optimizer_create(Optimizer **out, const OptimizerConfig *config, ParamSet *params,
                           const struct Kernels *kernels, RsdError *err);
void optimizer_destroy(Optimizer **optimizer);

/* All members update together from now on: Muon's matrices are shared out among them, and each gets what the others made of theirs, with
 * the bits that it would have found itself. group is borrowed until destroy. Errors: RSD_ERR_MEMORY. */
RsdStatus optimizer_join(Optimizer *optimizer, Group *group, RsdError *err);
/* Gradients become `scale` times their sums over the group. */
void optimizer_sum_grads(Optimizer *optimizer, float scale);

/* With 16-bit weights: gradients, `scale` times too large (trainer/loss_scale.h), become what 16 bits hold of them over scale; beyond
 * their range they become infinite. Else nothing. */
void optimizer_round_grads(Optimizer *optimizer, float scale, RsdThreads *threads);
/* The parameters have been set, from a checkpoint or a model: masters are what they say, and they become copies. master_known: the
 * array `master` was read instead. */
void optimizer_take_masters(Optimizer *optimizer, bool master_known);

/* Euclidean norm of all gradients; sums in a fixed order in double. Infinite or NaN when a gradient is. */
double optimizer_grad_norm(Optimizer *optimizer, RsdThreads *threads);

/* Sharpness-aware minimisation [4]: moves the weights by `radius` along the gradient, whose norm is grad_norm, to where the
 * loss is high, so that the gradient taken there leads to flat places; restore takes the move back, to the bit. A gradient
 * that is 0 or not finite moves nothing. Errors: RSD_ERR_MEMORY. */
RsdStatus optimizer_climb(Optimizer *optimizer, double grad_norm, RsdError *err);
void optimizer_climb_back(Optimizer *optimizer);

/* One update from the gradients of the parameters, scaled so that grad_norm becomes at most clip_norm (kernel `adam` in
 * engine/kernels/point.h; Muon's matrices change their gradients, too), then average += (1 - d)(w - average), d = min(ema_decay, (1 + t)
 * / (10 + t)): young averages follow fast, so that the first weights do not linger. Same bits for any number of threads. */
void optimizer_update(Optimizer *optimizer, float lr, double grad_norm, RsdThreads *threads);

/* The weights were set from elsewhere: averages start from them. */
void optimizer_restart_average(Optimizer *optimizer);
/* Exchanges weights and averages (of masters): call once before validation or export and once after. */
void optimizer_swap_average(Optimizer *optimizer);

#endif
