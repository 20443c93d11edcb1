/* balancer.c - combines the gradients of several losses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/balancer.h"

#include <math.h>

#include "engine/kernels/point.h"

#define EPSILON 1e-12 /* audio.md 1.9 */

RsdStatus balancer_init(Balancer *balancer, const BalancerConfig *config, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(config->n_losses >= 1 && config->n_losses <= BALANCER_MAX_LOSSES, err, RSD_ERR_ARG,
          "a balancer of %d losses; 1 to %d are possible", config->n_losses, BALANCER_MAX_LOSSES);
    CHECK(config->ema_decay >= 0.0f && config->ema_decay < 1.0f, err, RSD_ERR_ARG,
          "the balancer's decay is %g; it must be at least 0 and below 1", (double)config->ema_decay);
    CHECK(config->total_norm > 0.0f && isfinite(config->total_norm), err, RSD_ERR_ARG,
          "the balancer's total norm is %g; it must be positive", (double)config->total_norm);
    for (int i = 0; i < config->n_losses; i++)
        CHECK(config->weights[i] >= 0.0f && isfinite(config->weights[i]), err, RSD_ERR_ARG,
              "the balancer's weight %d is %g; it must be at least 0", i, (double)config->weights[i]);
    *balancer = (Balancer){.config = *config};
fail:
    return status;
}

static double norm_of(const PointKernels *kernels, const float *g, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i += POINT_BLOCK) {
        const int64_t left = n - i < POINT_BLOCK ? n - i : POINT_BLOCK;

        sum += kernels->dot(g + i, g + i, left);
    }
    return sqrt(sum);
}

static double batch_norm_of(const PointKernels *kernels, const float *g, int64_t batch, int64_t item_count,
                            bool per_item)
{
    double sum = 0.0;

    if (!per_item)
        return norm_of(kernels, g, batch * item_count);
    for (int64_t b = 0; b < batch; b++)
        sum += norm_of(kernels, g + b * item_count, item_count);
    return sum / (double)batch;
}

RsdStatus balancer_apply(Balancer *balancer, const float *const *grads, int64_t batch, int64_t item_count, float *out,
                         float *shares, RsdError *err)
{
    const BalancerConfig *c = &balancer->config;
    const PointKernels *kernels = kernels_pick()->point;
    double norms[BALANCER_MAX_LOSSES] = {0}, averages[BALANCER_MAX_LOSSES] = {0};
    double total_average = 0.0, total_weight = 0.0;
    bool add = false;
    RsdStatus status = RSD_OK;

    CHECK(batch >= 1 && item_count >= 1, err, RSD_ERR_ARG, "the balancer got gradients of %lld items of %lld samples",
          (long long)batch, (long long)item_count);
    for (int i = 0; i < c->n_losses; i++) {
        if (!grads[i])
            continue;
        norms[i] = batch_norm_of(kernels, grads[i], batch, item_count, c->per_batch_item);
        CHECK(isfinite(norms[i]), err, RSD_ERR_NUMERIC, "the gradient of loss %d of the balancer is not finite", i);
        total_weight += (double)c->weights[i];
    }
    CHECK(total_weight > 0.0, err, RSD_ERR_ARG, "the balancer got no gradient with a weight above 0");
    for (int i = 0; i < c->n_losses; i++) {
        if (!grads[i])
            continue;
        balancer->total[i] = (double)c->ema_decay * balancer->total[i] + norms[i];
        balancer->count[i] = (double)c->ema_decay * balancer->count[i] + 1.0;
        averages[i] = balancer->total[i] / balancer->count[i];
        total_average += averages[i];
    }
    for (int i = 0; i < c->n_losses; i++) {
        const double weight = (double)c->weights[i];
        const double scale =
            c->balance_grads ? (double)c->total_norm * weight / total_weight / (averages[i] + EPSILON) : weight;

        if (shares)
            shares[i] = total_average > 0.0 ? (float)(averages[i] / total_average) : 0.0f;
        if (!grads[i])
            continue;
        kernels->scale(grads[i], (float)scale, out, batch * item_count, add);
        add = true;
    }
fail:
    return status;
}
