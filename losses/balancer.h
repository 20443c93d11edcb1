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
    float weights[BALANCER_MAX_LOSSES]; /* lambda */
    float ema_decay;                    /* 0.999 */
    float total_norm;                   /* R, 1 */
    bool per_batch_item;                /* norm per item, then mean; else one norm over everything */
    bool balance_grads;                 /* false: G = sum lambda_i g_i */
} BalancerConfig;

/* State is plain data, so that a checkpoint stores it as it is. */
typedef struct Balancer {
    BalancerConfig config;
    double total[BALANCER_MAX_LOSSES], count[BALANCER_MAX_LOSSES];
} Balancer;

RsdStatus balancer_init(Balancer *balancer, const BalancerConfig *config, RsdError *err);

/* grads: n_losses arrays [batch, item_count]; NULL where a loss is absent in this step. out [batch, item_count] must not
 * overlap them. shares (may be NULL) [n_losses]: norm of each loss's part of out over the sum of those norms. */
RsdStatus balancer_apply(Balancer *balancer, const float *const *grads, int64_t batch, int64_t item_count, float *out,
                         float *shares, RsdError *err);

#endif
