/* feature_loss.c - distances of what networks see.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/feature_loss.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/feature_distance.h"
#include "engine/ops/mix.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"

#define DISTS_C 1e-6f
#define SRGAN_SCALE (1.0f / (12.75f * 12.75f))

const FeatureLossParams feature_vgg16_content = {.plan = FEATURES_VGG16, .normalise = true, .n_taps = 3, .weights = {0, 1, 1}};
const FeatureLossParams feature_vgg16_style = {
    .plan = FEATURES_VGG16, .normalise = true, .style = true, .n_taps = 4, .weights = {1, 1, 1, 1}};
const FeatureLossParams feature_vgg19_content = {
    .plan = FEATURES_VGG19, .normalise = true, .n_taps = 5, .weights = {0, 0, 0, 0, 1}};
const FeatureLossParams feature_srgan = {
    .plan = FEATURES_VGG19, .normalise = true, .n_taps = 5, .weights = {0, 0, 0, 0, SRGAN_SCALE}};
const FeatureLossParams feature_four_fold = {
    .plan = FEATURES_VGG16, .n_taps = 6, .weights = {0, 0, 0, 0, 0, 6e-3f}, .mse = 1.0f, .tv = 2e-8f};

/* What the published weights were trained with. */
static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f}, imagenet_deviation[3] = {0.229f, 0.224f, 0.225f};
static const float lpips_shift[3] = {-0.030f, -0.088f, -0.188f}, lpips_scale[3] = {0.458f, 0.448f, 0.450f};

/* (factor x + offset - mean) / deviation of each channel. */
static RsdStatus scale_channels(Tape *tape, Tensor *x, float factor, float offset, const float mean[3],
                                const float deviation[3], Tensor **y, RsdError *err)
{
    Mix mix = {.n_out = 3, .n_in = 3};

    for (int c = 0; c < 3; c++) {
        mix.weights[4 * c] = factor / deviation[c];
        mix.offset[c] = (offset - mean[c]) / deviation[c];
    }
    return op_mix(tape, &mix, x, y, err);
}

static RsdStatus add_to(Tape *tape, Tensor **sum, Tensor *part, RsdError *err)
{
    if (*sum)
        return op_add(tape, *sum, part, sum, err);
    *sum = part;
    return RSD_OK;
}

/* The features of the reference, which needs no gradient: nothing is kept for one, and rectifiers work in place. */
static RsdStatus run_without_gradient(Tape *tape, const FeatureNet *net, Tensor *x, int n_taps, bool l2_pool, Tensor **taps,
                                      RsdError *err)
{
    const bool recording = tape->recording;
    RsdStatus status;

    tape->recording = false;
    status = feature_net_run(tape, net, x, n_taps, l2_pool, taps, err);
    tape->recording = recording;
    return status;
}

/* --- LPIPS ------------------------------------------------------------------------------------------------------------ */

RsdStatus measure_lpips(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err)
{
    const FeaturePlan plan = *(const FeaturePlan *)params;
    const int n_taps = plan == FEATURES_VGG16 ? 5 : feature_net_n_taps(plan);
    Tensor *x, *y, *xs[FEATURE_MAX_TAPS], *ys[FEATURE_MAX_TAPS], *part, *sum = NULL;
    RsdStatus status = RSD_OK;

    TRY(scale_channels(tape, ref, 2.0f, -1.0f, lpips_shift, lpips_scale, &x, err));
    TRY(scale_channels(tape, dist, 2.0f, -1.0f, lpips_shift, lpips_scale, &y, err));
    TRY(run_without_gradient(tape, nets->features[plan], x, n_taps, false, xs, err));
    TRY(feature_net_run(tape, nets->features[plan], y, n_taps, false, ys, err));
    for (int i = 0; i < n_taps; i++) {
        TRY(op_unit_distance(tape, xs[i], ys[i], nets->lpips[plan][i], &part, err));
        TRY(add_to(tape, &sum, part, err));
    }
    *value = sum;
fail:
    return status;
}

/* --- DISTS ------------------------------------------------------------------------------------------------------------ */

/* Of each channel [B, C]: mean, and mean of (x - mean x) (y - mean y). */
static RsdStatus channel_means(Tape *tape, Tensor *x, Tensor **mean, Tensor **centred, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_reshape(tape, x, 3, (int64_t[]){x->shape[0], x->shape[1], -1}, &x, err));
    TRY(op_mean_axis(tape, x, 2, mean, err));
    TRY(op_sub(tape, x, *mean, centred, err));
fail:
    return status;
}

static RsdStatus mean_product(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, a, b, y, err));
    TRY(op_mean_axis(tape, *y, 2, y, err));
fail:
    return status;
}

/* Sum over channels of weight (1 - (2 ab + c) / (aa + bb + c)). */
static RsdStatus weighed_dissimilarity(Tape *tape, Tensor *aa, Tensor *bb, Tensor *ab, Tensor *weight, Tensor **y,
                                       RsdError *err)
{
    Tensor *sum;
    RsdStatus status = RSD_OK;

    TRY(op_add(tape, aa, bb, &sum, err));
    TRY(op_affine(tape, ab, -2.0f, 0.0f, &ab, err));
    TRY(op_add(tape, ab, sum, &ab, err)); /* aa + bb - 2 ab */
    TRY(op_add_scalar(tape, sum, DISTS_C, &sum, err));
    TRY(op_div(tape, ab, sum, y, err));
    TRY(op_mul(tape, *y, weight, y, err));
    TRY(image_sum_each(tape, *y, y, err));
fail:
    return status;
}

static RsdStatus compare_stage(Tape *tape, Tensor *x, Tensor *y, Tensor *alpha, Tensor *beta, Tensor **value, RsdError *err)
{
    Tensor *mx, *my, *cx, *cy, *aa, *bb, *ab, *structure;
    RsdStatus status = RSD_OK;

    TRY(channel_means(tape, x, &mx, &cx, err));
    TRY(channel_means(tape, y, &my, &cy, err));
    TRY(mean_product(tape, cx, cx, &aa, err));
    TRY(mean_product(tape, cy, cy, &bb, err));
    TRY(mean_product(tape, cx, cy, &ab, err));
    TRY(weighed_dissimilarity(tape, aa, bb, ab, beta, &structure, err));
    TRY(op_square(tape, mx, &aa, err));
    TRY(op_square(tape, my, &bb, err));
    TRY(op_mul(tape, mx, my, &ab, err));
    TRY(weighed_dissimilarity(tape, aa, bb, ab, alpha, value, err));
    TRY(op_add(tape, *value, structure, value, err));
fail:
    return status;
}

/* Elements first .. first + n - 1 of a row of weights, over the sum of all, as [1, n, 1]. */
static RsdStatus weights_of(Tape *tape, Tensor *all, Tensor *total, int64_t first, int64_t n, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_slice(tape, all, 0, first, n, y, err));
    TRY(op_div(tape, *y, total, y, err));
    TRY(op_reshape(tape, *y, 3, (int64_t[]){1, n, 1}, y, err));
fail:
    return status;
}

RsdStatus measure_dists(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err)
{
    Tensor *xs[1 + FEATURE_MAX_TAPS], *ys[1 + FEATURE_MAX_TAPS], *x, *y, *part, *total, *sum = NULL;
    int64_t first = 0;
    RsdStatus status = RSD_OK;

    (void)params;
    xs[0] = ref;
    ys[0] = dist;
    TRY(scale_channels(tape, ref, 1.0f, 0.0f, imagenet_mean, imagenet_deviation, &x, err));
    TRY(scale_channels(tape, dist, 1.0f, 0.0f, imagenet_mean, imagenet_deviation, &y, err));
    TRY(run_without_gradient(tape, nets->features[FEATURES_VGG16], x, 5, true, xs + 1, err));
    TRY(feature_net_run(tape, nets->features[FEATURES_VGG16], y, 5, true, ys + 1, err));
    TRY(op_sum(tape, nets->dists_alpha, &total, err));
    TRY(op_sum(tape, nets->dists_beta, &part, err));
    TRY(op_add(tape, total, part, &total, err));
    for (int i = 0; i < 6; i++) {
        const int64_t n = xs[i]->shape[1];
        Tensor *alpha, *beta;

        CHECK(first + n <= DISTS_N_CHANNELS, err, RSD_ERR_ARG, "DISTS needs VGG16 at its full width");
        TRY(weights_of(tape, nets->dists_alpha, total, first, n, &alpha, err));
        TRY(weights_of(tape, nets->dists_beta, total, first, n, &beta, err));
        TRY(compare_stage(tape, xs[i], ys[i], alpha, beta, &part, err));
        TRY(add_to(tape, &sum, part, err));
        first += n;
    }
    *value = sum;
fail:
    return status;
}

/* --- content and style ------------------------------------------------------------------------------------------------- */

static RsdStatus style(Tape *tape, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_gram(tape, x, &x, err));
    TRY(op_gram(tape, y, &y, err));
    TRY(op_sub(tape, y, x, value, err));
    TRY(op_square(tape, *value, value, err));
    TRY(image_sum_each(tape, *value, value, err));
fail:
    return status;
}

/* 2 (sum of squared differences down / their number + the same across) / batch. */
static RsdStatus variation(Tape *tape, Tensor *x, Tensor **value, RsdError *err)
{
    const FilterAxis slope = {.n = 2, .taps = {-1.0f, 1.0f}}, none = {0};
    const int64_t batch = x->shape[0];
    Tensor *sum = NULL;
    RsdStatus status = RSD_OK;

    for (int side = 0; side < 2; side++) {
        Tensor *part;
        double n;

        TRY(op_filter2d(tape, &(Filter2d){.down = side ? none : slope, .across = side ? slope : none}, x, &part, err));
        n = (double)(part->shape[1] * part->shape[2] * part->shape[3]);
        TRY(op_square(tape, part, &part, err));
        TRY(op_sum(tape, part, &part, err));
        TRY(op_scale(tape, part, (float)(2.0 / (n * (double)batch)), &part, err));
        TRY(add_to(tape, &sum, part, err));
    }
    *value = sum;
fail:
    return status;
}

RsdStatus measure_features(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                           RsdError *err)
{
    const FeatureLossParams *p = params;
    Tensor *x = ref, *y = dist, *xs[FEATURE_MAX_TAPS], *ys[FEATURE_MAX_TAPS], *part, *sum = NULL;
    RsdStatus status = RSD_OK;

    if (p->normalise) {
        TRY(scale_channels(tape, ref, 1.0f, 0.0f, imagenet_mean, imagenet_deviation, &x, err));
        TRY(scale_channels(tape, dist, 1.0f, 0.0f, imagenet_mean, imagenet_deviation, &y, err));
    }
    TRY(run_without_gradient(tape, nets->features[p->plan], x, p->n_taps, false, xs, err));
    TRY(feature_net_run(tape, nets->features[p->plan], y, p->n_taps, false, ys, err));
    for (int i = 0; i < p->n_taps; i++) {
        if (p->weights[i] == 0.0f)
            continue;
        TRY(p->style ? style(tape, xs[i], ys[i], &part, err) : op_mse(tape, ys[i], xs[i], NULL, &part, err));
        TRY(op_scale(tape, part, p->weights[i], &part, err));
        TRY(add_to(tape, &sum, part, err));
    }
    if (p->mse > 0.0f) {
        TRY(op_mse(tape, dist, ref, NULL, &part, err));
        TRY(op_scale(tape, part, p->mse, &part, err));
        TRY(add_to(tape, &sum, part, err));
    }
    if (p->tv > 0.0f) {
        TRY(variation(tape, dist, &part, err));
        TRY(op_scale(tape, part, p->tv, &part, err));
        TRY(add_to(tape, &sum, part, err));
    }
    *value = sum;
fail:
    return status;
}
