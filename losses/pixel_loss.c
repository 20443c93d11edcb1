/* pixel_loss.c - pixel by pixel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/pixel_loss.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"

#define CHARBONNIER_EPSILON 1e-3f
#define PSNR_EPSILON 1e-8f
#define LEAST_MEAN (1.0f / 255.0f)

RsdStatus measure_mse(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                      RsdError *err)
{
    (void)params;
    (void)nets;
    return op_mse(tape, dist, ref, NULL, value, err);
}

RsdStatus measure_l1(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                     RsdError *err)
{
    (void)params;
    (void)nets;
    return op_l1(tape, dist, ref, NULL, value, err);
}

RsdStatus measure_charbonnier(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                              Tensor **value, RsdError *err)
{
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(op_sub(tape, dist, ref, value, err));
    TRY(op_square(tape, *value, value, err));
    TRY(op_add_scalar(tape, *value, CHARBONNIER_EPSILON * CHARBONNIER_EPSILON, value, err));
    TRY(op_sqrt(tape, *value, 0.0f, value, err));
    TRY(op_mean(tape, *value, value, err));
fail:
    return status;
}

RsdStatus measure_psnr(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    if (dist->shape[0] == 1) {
        TRY(op_mse(tape, dist, ref, NULL, value, err));
    } else {
        TRY(op_sub(tape, dist, ref, value, err));
        TRY(op_square(tape, *value, value, err));
        TRY(image_mean_each(tape, *value, value, err));
    }
    TRY(op_add_scalar(tape, *value, PSNR_EPSILON, value, err));
    TRY(op_log10(tape, *value, 0.0f, value, err));
    TRY(op_scale(tape, *value, 10.0f, value, err));
fail:
    return status;
}

/* Mean of each channel of each picture, [B, 3]. */
static RsdStatus channel_means(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_reshape(tape, x, 3, (int64_t[]){x->shape[0], x->shape[1], -1}, y, err));
    TRY(op_mean_axis(tape, *y, 2, y, err));
    TRY(op_reshape(tape, *y, 2, x->shape, y, err));
fail:
    return status;
}

RsdStatus measure_ergas(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                        RsdError *err)
{
    Tensor *square, *mean;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(op_sub(tape, dist, ref, &square, err));
    TRY(op_square(tape, square, &square, err));
    TRY(channel_means(tape, square, &square, err));
    TRY(channel_means(tape, ref, &mean, err));
    TRY(op_pow(tape, mean, 2.0f, LEAST_MEAN, &mean, err));
    TRY(op_div(tape, square, mean, &square, err));
    TRY(image_mean_each(tape, square, &square, err));
    TRY(op_sqrt(tape, square, 0.0f, &square, err));
    TRY(op_scale(tape, square, 100.0f, value, err));
fail:
    return status;
}

RsdStatus measure_total_variation(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist,
                                  Tensor **value, RsdError *err)
{
    const TvForm form = *(const TvForm *)params;
    const FilterAxis slope = {.n = 2, .taps = {-1.0f, 1.0f}}, none = {0};
    Tensor *sum = NULL, *part;
    RsdStatus status = RSD_OK;

    (void)nets;
    (void)ref;
    for (int side = 0; side < 2; side++) {
        if (dist->shape[2 + side] < 2)
            continue; /* no neighbours in this direction */
        TRY(op_filter2d(tape, &(Filter2d){.down = side ? none : slope, .across = side ? slope : none}, dist, &part, err));
        TRY(form == TV_L1 ? op_abs(tape, part, &part, err) : op_square(tape, part, &part, err));
        TRY(image_sum_each(tape, part, &part, err));
        if (sum)
            TRY(op_add(tape, sum, part, &sum, err));
        else
            sum = part;
    }
    if (!sum) { /* a single pixel */
        TRY(op_scale(tape, dist, 0.0f, &sum, err));
        TRY(image_sum_each(tape, sum, &sum, err));
    }
    if (form == TV_L2)
        TRY(op_sqrt(tape, sum, 0.0f, &sum, err));
    *value = sum;
fail:
    return status;
}
