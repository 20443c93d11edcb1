/* ssim_loss.c - structural similarity.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/ssim_loss.h"

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "engine/ops/ssim.h"

#define LOSS_FLOOR 1e-4f
#define MAX_SCALES 5

static const float scale_weights[MAX_SCALES] = {0.0448f, 0.2856f, 0.3001f, 0.2363f, 0.1333f};

static SsimParams window(bool luminance)
{
    SsimParams p = {.n_taps = SSIM_MIN_SIDE, .c1 = 0.01f * 0.01f, .c2 = 0.03f * 0.03f, .luminance = luminance};
    FilterAxis gaussian = {0};

    filter_axis_gaussian(&gaussian, p.n_taps, 1.5);
    for (int k = 0; k < p.n_taps; k++)
        p.taps[k] = gaussian.taps[k];
    return p;
}

RsdStatus measure_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    const SsimParams p = window(true);
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(op_ssim_distance(tape, &p, ref, dist, value, err));
    TRY(image_mean_each(tape, *value, value, err));
fail:
    return status;
}

static RsdStatus next_scale(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Filter2d f = {.edge = EDGE_ZERO};

    filter_axis_mean(&f.down, 2);
    f.across = f.down;
    f.down.before = f.down.after = (int)(x->shape[2] % 2);
    f.across.before = f.across.after = (int)(x->shape[3] % 2);
    return op_filter2d(tape, &f, x, y, err);
}

/* similarity^weight, similarity = 1 - distance. */
static RsdStatus weigh(Tape *tape, Tensor *distance, float weight, bool as_loss, Tensor **y, RsdError *err)
{
    Tensor *lift;
    RsdStatus status = RSD_OK;

    TRY(op_affine(tape, distance, -1.0f, 1.0f, y, err));
    if (as_loss) {
        TRY(op_affine(tape, distance, 1.0f, LOSS_FLOOR - 1.0f, &lift, err));
        TRY(op_relu(tape, lift, &lift, err));
        TRY(tape_leaf(tape, lift, false, &lift, err));
        TRY(op_add(tape, *y, lift, y, err));
    }
    TRY(op_pow(tape, *y, weight, 0.0f, y, err));
fail:
    return status;
}

RsdStatus measure_ms_ssim(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err)
{
    const MsSsimParams *p = params;
    Tensor *x = ref, *y = dist, *product = NULL, *part;
    float total = 0.0f;
    RsdStatus status = RSD_OK;

    (void)nets;
    for (int i = 0; i < p->n_scales; i++)
        total += p->n_scales == MAX_SCALES ? 0.0f : scale_weights[i];
    for (int i = 0; i < p->n_scales; i++) {
        const SsimParams ssim = window(i == p->n_scales - 1);

        if (i > 0) {
            TRY(next_scale(tape, x, &x, err));
            TRY(next_scale(tape, y, &y, err));
        }
        TRY(op_ssim_distance(tape, &ssim, x, y, &part, err));
        TRY(weigh(tape, part, scale_weights[i] / (total > 0.0f ? total : 1.0f), p->as_loss, &part, err));
        if (product)
            TRY(op_mul(tape, product, part, &product, err));
        else
            product = part;
    }
    TRY(image_mean_each(tape, product, &product, err));
    TRY(op_affine(tape, product, p->l1_share - 1.0f, 1.0f - p->l1_share, value, err));
    if (p->l1_share > 0.0f) {
        TRY(op_l1(tape, dist, ref, NULL, &part, err));
        TRY(op_scale(tape, part, p->l1_share, &part, err));
        TRY(op_add(tape, *value, part, value, err));
    }
fail:
    return status;
}
