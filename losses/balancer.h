/* balancer.h - combines the gradients of several losses at the codec's output so that each has its chosen share.
 *
 * G = sum_i R (lambda_i / sum_j lambda_j) g_i / (<n_i> + 1e-12), <n_i> the bias-corrected moving average of the mean
 * over the batch of |g_i[b]|_2.   [1] audio.md 1.9; Defossez et al., EnCodec, 2022, 3.4.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BALANCER_H
#define RESIDUA_BALANCER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

#define BALANCER_MAX_LOSSES 16

typedef struct BalancerConfig {
    int n_losses;
    float weights[BALANCER_MAX_LOSSES]; /* lambda, at least 0 */
    float ema_decay;                    /* 0.999; in [0, 1) */
    float total_norm;                   /* R, 1 */
    bool per_batch_item;                /* norm per item, then mean; else one norm over everything */
    bool balance_grads;                 /* false: G = sum lambda_i g_i */
} BalancerConfig;

/* State is plain data, so that a checkpoint stores it as it is. */
typedef struct Balancer {
    BalancerConfig config;
    double total[BALANCER_MAX_LOSSES], count[BALANCER_MAX_LOSSES];
} Balancer;

/* Errors: RSD_ERR_ARG. */
RsdStatus balancer_init(Balancer *balancer, const BalancerConfig *config, RsdError *err);

/* grads: n_losses arrays [batch, item_count]; NULL where a loss is absent in this step: its average stays and the
 * others share its part. out [batch, item_count] must not overlap them. shares (may be NULL) [n_losses]: <n_i> over the
 * sum of the averages of the losses present, 0 for an absent one: how the losses would compete without balancing.
 * Errors: RSD_ERR_ARG when no loss is present or all that are have weight 0; RSD_ERR_NUMERIC when a gradient holds NaN
 * or infinity: the balancer is then as it was before the call. */
RsdStatus balancer_apply(Balancer *balancer, const float *const *grads, int64_t batch, int64_t item_count, float *out,
                         float *shares, RsdError *err);

#endif
