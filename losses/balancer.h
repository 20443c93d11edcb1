/* balancer.h - combines the gradients of several losses at the codec's output into the one that trains it.
 *
 * G = sum_i k_i g_i; the kinds differ in k. With weights lambda_i, values L_i, and < > bias-corrected moving averages:
 *
 *   fixed        k_i = lambda_i
 *   encodec      k_i = R (lambda_i / sum_j lambda_j) / (<n_i> + 1e-12), n_i the mean over the batch of |g_i[b]|_2: each
 *                loss has its share whatever its scale [1]
 *   adaptive     reconstruction losses as fixed; those of the adversary k_i = lambda_i w_i,
 *                w_i = |dW(G_rec)| / (|dW(g_i)| + 1e-4) up to 1e4, dW(g) the gradient of the last layer's weights [2]
 *   uncertainty  k_i = lambda_i e^-s_i, s_i learned by descent on e^-s_i L_i + s_i; the adversary's as fixed [3]
 *   gap          k_i = lambda_i n softmax_i(<L_i> / L_i at first) / <L_i>: scale-free, and more for the loss that has come
 *                down less, n the number of losses; the adversary's as fixed [4]
 *   config       G = (sum_i g_i . v) v with v the unit vector that makes lambda_i-proportional positive cosines with all g_i: no loss
 *                is worked against; in exact conflict G = 0 [5]
 *
 * [1] audio.md 1.9; Defossez et al., EnCodec, 2022, 3.4.   [2] image.md 2.1; Esser et al., VQGAN, 2021.
 * [3] image.md 3.13; Kendall et al., 2018.   [4] Dai et al., Improvable Gap Balancing, 2023, version 1.
 * [5] Liu et al., ConFIG: Towards Conflict-free Training, 2024; here at the output, where losses meet, not over weights.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BALANCER_H
#define RESIDUA_BALANCER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/tape.h"

#define BALANCER_MAX_LOSSES 16

typedef enum BalanceKind {
    BALANCE_FIXED,
    BALANCE_ENCODEC,
    BALANCE_ADAPTIVE,
    BALANCE_UNCERTAINTY,
    BALANCE_GAP,
    BALANCE_CONFIG
} BalanceKind;

extern const char *const BALANCE_NAMES[];

typedef struct BalancerConfig {
    int kind; /* BalanceKind */
    int n_losses, n_adversarial;        /* the last n_adversarial of them are the adversary's */
    float weights[BALANCER_MAX_LOSSES]; /* lambda, at least 0 */
    float ema_decay;                    /* 0.999; in [0, 1) */
    float total_norm;                   /* R, 1 */
    bool per_batch_item;                /* norm per item, then mean; else one norm over everything */
} BalancerConfig;

/* State is plain data, so that a checkpoint stores it as it is. */
typedef struct Balancer {
    BalancerConfig config;
    double total[BALANCER_MAX_LOSSES], count[BALANCER_MAX_LOSSES];             /* of the norms */
    double value_total[BALANCER_MAX_LOSSES], value_count[BALANCER_MAX_LOSSES]; /* of the values */
    double first_value[BALANCER_MAX_LOSSES];                                   /* 0 until it is known */
    double log_variance[BALANCER_MAX_LOSSES];                                  /* s */
} Balancer;

/* Errors: RSD_ERR_ARG. */
RsdStatus balancer_init(Balancer *balancer, const BalancerConfig *config, RsdError *err);

/* What a step gives the balancer. */
typedef struct BalancerInput {
    const float *const *grads; /* n_losses arrays [batch, item_count]; NULL where a loss is absent in this step: its state
                                  stays as it is and the others share its part */
    const double *values;      /* [n_losses]; may be NULL for fixed, encodec, adaptive and config */
    int64_t batch, item_count;
    /* For adaptive: the norm of the last layer's weight gradient for a gradient of the output, over the whole batch; last_layer_norm. */
    RsdStatus (*last_layer_norm)(void *ctx, const float *grad, double *norm, RsdError *err);
    void *ctx;
    Group *group; /* that has the other parts of the batch; norms are then those of the whole. NULL: this process alone */
} BalancerInput;

/* Of the layer that made y, by tape_weight_grad_norm; ctx: a LastLayer. */
typedef struct LastLayer {
    Tape *tape;
    Tensor *y;
    Group *group;
} LastLayer;
RsdStatus last_layer_norm(void *ctx, const float *grad, double *norm, RsdError *err);

typedef struct BalancerReport {
    float ratios[BALANCER_MAX_LOSSES]; /* <n_i> over their sum: how the losses would compete unweighted; 0 when absent */
    float shares[BALANCER_MAX_LOSSES]; /* k_i g_i . G / |G|^2: what each really has in G; they add up to 1, and one below 0
                                          is a loss that G works against */
} BalancerReport;

/* out [batch, item_count] must not overlap the gradients. report may be NULL. Errors: RSD_ERR_ARG when no loss is present or
 * all that are have weight 0; RSD_ERR_NUMERIC when a gradient holds NaN or infinity: the balancer is then as it was before
 * the call; those of last_layer_norm. */
RsdStatus balancer_apply(Balancer *balancer, const BalancerInput *input, float *out, BalancerReport *report,
                         RsdError *err);

#endif
