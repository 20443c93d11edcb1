/* vif.c - visual information fidelity in the pixel domain.
 *
 * Variances are differences of large means of squares, so luma is taken less its mean first: the variances stay, the rounding
 * errors shrink, and those of a flat picture are nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/vif.h"

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/mix.h"
#include "engine/ops/vif.h"

#define N_SCALES 4
#define NOISE 2.0f
#define LEAST 1e-8f

static const Mix luma = {.n_out = 1, .n_in = 3, .weights = {0.299f * 255, 0.587f * 255, 0.114f * 255}};

static Filter2d gaussian(int scale)
{
    Filter2d f = {.edge = EDGE_ZERO};
    const int n = (1 << (4 - scale)) + 1;

    filter_axis_gaussian(&f.down, n, n / 5.0);
    f.across = f.down;
    return f;
}

static RsdStatus centred_luma(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *mean;
    RsdStatus status = RSD_OK;

    TRY(op_mix(tape, &luma, x, y, err));
    TRY(image_mean_each(tape, *y, &mean, err));
    TRY(image_spread(tape, mean, &mean, err));
    TRY(op_sub(tape, *y, mean, y, err));
fail:
    return status;
}

/* *covariance = window * (x y) - mx my. */
static RsdStatus covariance(Tape *tape, const Filter2d *f, Tensor *x, Tensor *y, Tensor *mx, Tensor *my, Tensor **out,
                            RsdError *err)
{
    Tensor *product;
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, x, y, &product, err));
    TRY(op_filter2d(tape, f, product, out, err));
    TRY(op_mul(tape, mx, my, &product, err));
    TRY(op_sub(tape, *out, product, out, err));
fail:
    return status;
}

/* log10(1 + max(v, 0) / 2): what the reference tells by itself. */
static RsdStatus own_information(Tape *tape, Tensor *v, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_relu(tape, v, &v, err));
    TRY(op_affine(tape, v, 1.0f / NOISE, 1.0f, &v, err));
    TRY(op_log10(tape, v, 1.0f, y, err));
fail:
    return status;
}

static RsdStatus add_scale(Tape *tape, const Filter2d *f, Tensor *x, Tensor *y, Tensor *sums[2], RsdError *err)
{
    Tensor *mx, *my, *vx, *vy, *vxy, *parts[2];
    RsdStatus status = RSD_OK;

    TRY(op_filter2d(tape, f, x, &mx, err));
    TRY(op_filter2d(tape, f, y, &my, err));
    TRY(covariance(tape, f, x, x, mx, mx, &vx, err));
    TRY(covariance(tape, f, y, y, my, my, &vy, err));
    TRY(covariance(tape, f, x, y, mx, my, &vxy, err));
    TRY(op_vif_information(tape, vx, vy, vxy, &parts[0], err));
    TRY(own_information(tape, vx, &parts[1], err));
    for (int i = 0; i < 2; i++) {
        TRY(image_sum_each(tape, parts[i], &parts[i], err));
        if (sums[i])
            TRY(op_add(tape, sums[i], parts[i], &sums[i], err));
        else
            sums[i] = parts[i];
    }
fail:
    return status;
}

RsdStatus measure_vif(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err)
{
    Tensor *x, *y, *sums[2] = {0};
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(centred_luma(tape, ref, &x, err));
    TRY(centred_luma(tape, dist, &y, err));
    for (int scale = 0; scale < N_SCALES; scale++) {
        Filter2d f = gaussian(scale);

        if (scale > 0) {
            Filter2d by_two = f;

            by_two.down.stride = by_two.across.stride = 2;
            TRY(op_filter2d(tape, &by_two, x, &x, err));
            TRY(op_filter2d(tape, &by_two, y, &y, err));
        }
        TRY(add_scale(tape, &f, x, y, sums, err));
    }
    for (int i = 0; i < 2; i++)
        TRY(op_add_scalar(tape, sums[i], LEAST, &sums[i], err));
    TRY(op_div(tape, sums[0], sums[1], value, err));
    TRY(op_affine(tape, *value, -1.0f, 1.0f, value, err));
fail:
    return status;
}
