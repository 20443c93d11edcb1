/* dss.c - similarity of DCT sub-bands.
 *
 * With deviations a, b the map of a sub-band is (2 a b + c) / (a^2 + b^2 + c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/dss.h"

#include <math.h>

#include "engine/kernels/picture.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/dct8.h"
#include "engine/ops/lowest.h"
#include "engine/ops/shape.h"

#define SIGMA 1.55
#define LEAST_WEIGHT 0.01
#define C_MEAN 1000.0f
#define C_OTHER 300.0f
#define SHARE 0.05

static double weight_of(int m, int n)
{
    return exp(-((m + 0.5) * (m + 0.5) + (n + 0.5) * (n + 0.5)) / (2.0 * SIGMA * SIGMA));
}

static RsdStatus subbands(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_luma(tape, x, 255.0f, y, err));
    TRY(op_slice(tape, *y, 2, 0, x->shape[2] / PICTURE_DCT * PICTURE_DCT, y, err));
    TRY(op_slice(tape, *y, 3, 0, x->shape[3] / PICTURE_DCT * PICTURE_DCT, y, err));
    TRY(op_dct8(tape, *y, y, err));
fail:
    return status;
}

/* Local mean, and window * (x y) less the product of the means. */
static RsdStatus local(Tape *tape, Tensor *x, Tensor *y, Tensor *mx, Tensor *my, Tensor **out, RsdError *err)
{
    Filter2d f = {.edge = EDGE_ZERO, .down = {.before = 1, .after = 1}};
    Tensor *product;
    RsdStatus status = RSD_OK;

    filter_axis_gaussian(&f.down, 3, 1.5);
    f.across = f.down;
    if (!y)
        return op_filter2d(tape, &f, x, out, err);
    TRY(op_mul(tape, x, y, &product, err));
    TRY(op_filter2d(tape, &f, product, out, err));
    TRY(op_mul(tape, mx, my, &product, err));
    TRY(op_sub(tape, *out, product, out, err));
fail:
    return status;
}

static RsdStatus worst(Tape *tape, Tensor *map, Tensor **value, RsdError *err)
{
    const int64_t batch = map->shape[0], count = tensor_count(map) / batch, k = (int64_t)nearbyint(SHARE * (double)count);
    RsdStatus status = RSD_OK;

    TRY(op_reshape(tape, map, 2, (int64_t[]){batch, count}, &map, err));
    TRY(op_mean_lowest(tape, map, k > 0 ? k : 1, value, err));
fail:
    return status;
}

/* The factor of the mean's sub-band: (s_ab + c) / (a b + c). */
static RsdStatus agreement(Tape *tape, Tensor *covariance, Tensor *a, Tensor *b, Tensor **map, RsdError *err)
{
    Tensor *product;
    RsdStatus status = RSD_OK;

    TRY(op_mul(tape, a, b, &product, err));
    TRY(op_add_scalar(tape, product, C_MEAN, &product, err));
    TRY(op_add_scalar(tape, covariance, C_MEAN, map, err));
    TRY(op_div(tape, *map, product, map, err));
fail:
    return status;
}

static RsdStatus deviation(Tape *tape, Tensor *x, Tensor **mean, Tensor **out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(local(tape, x, NULL, NULL, NULL, mean, err));
    TRY(local(tape, x, x, *mean, *mean, out, err));
    TRY(op_sqrt(tape, *out, 0.0f, out, err));
fail:
    return status;
}

static RsdStatus compare_subband(Tape *tape, Tensor *x, Tensor *y, bool is_mean, Tensor **value, RsdError *err)
{
    Tensor *mx, *my, *a, *b, *covariance, *map, *together;
    RsdStatus status = RSD_OK;

    TRY(deviation(tape, x, &mx, &a, err));
    TRY(deviation(tape, y, &my, &b, err));
    TRY(op_sub(tape, a, b, &map, err)); /* 1 - (a - b)^2 / (a^2 + b^2 + c) */
    TRY(op_square(tape, map, &map, err));
    TRY(op_square(tape, a, &together, err));
    TRY(op_square(tape, b, &covariance, err));
    TRY(op_add(tape, together, covariance, &together, err));
    TRY(op_add_scalar(tape, together, is_mean ? C_MEAN : C_OTHER, &together, err));
    TRY(op_div(tape, map, together, &map, err));
    TRY(op_affine(tape, map, -1.0f, 1.0f, &map, err));
    TRY(worst(tape, map, value, err));
    if (!is_mean)
        return RSD_OK;
    TRY(local(tape, x, y, mx, my, &covariance, err));
    TRY(agreement(tape, covariance, a, b, &map, err));
    TRY(worst(tape, map, &together, err));
    TRY(op_mul(tape, *value, together, value, err));
fail:
    return status;
}

RsdStatus measure_dss(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err)
{
    Tensor *x, *y, *a, *b, *part, *sum = NULL;
    double total = 0.0;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    for (int i = 0; i < PICTURE_DCT * PICTURE_DCT; i++)
        total += weight_of(i / PICTURE_DCT, i % PICTURE_DCT) >= LEAST_WEIGHT ? weight_of(i / PICTURE_DCT, i % PICTURE_DCT) : 0.0;
    TRY(subbands(tape, ref, &x, err));
    TRY(subbands(tape, dist, &y, err));
    for (int i = 0; i < PICTURE_DCT * PICTURE_DCT; i++) {
        const double weight = weight_of(i / PICTURE_DCT, i % PICTURE_DCT);

        if (weight < LEAST_WEIGHT)
            continue;
        TRY(image_channels(tape, x, i, 1, &a, err));
        TRY(image_channels(tape, y, i, 1, &b, err));
        TRY(compare_subband(tape, a, b, i == 0, &part, err));
        TRY(op_affine(tape, part, (float)(-weight / total), (float)(weight / total), &part, err)); /* weight (1 - part) */
        if (sum)
            TRY(op_add(tape, sum, part, &sum, err));
        else
            sum = part;
    }
    *value = sum;
fail:
    return status;
}
