/* gmsd.c - gradient magnitude similarity deviation.
 *
 * The deviation of a similarity is that of its difference from 1, which is what op_dissimilarity computes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/gmsd.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/similarity.h"

#define GMSD_C (170.0f / (255.0f * 255.0f))
#define MS_GMSD_C 170.0f
#define MS_GMSD_ALPHA 0.5f

static const float scale_weights[] = {0.096f, 0.596f, 0.289f, 0.019f};
#define N_SCALES (sizeof scale_weights / sizeof scale_weights[0])

static RsdStatus compare_edges(Tape *tape, Tensor *x, Tensor *y, float c, float alpha, Tensor **map, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_edges(tape, &edge_prewitt, x, &x, err));
    TRY(image_edges(tape, &edge_prewitt, y, &y, err));
    TRY(op_dissimilarity(tape, y, x, c, alpha, map, err));
fail:
    return status;
}

RsdStatus measure_gmsd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    Tensor *x, *y, *map;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(image_luma(tape, ref, 1.0f, &x, err));
    TRY(image_luma(tape, dist, 1.0f, &y, err));
    TRY(image_halve(tape, x, &x, err));
    TRY(image_halve(tape, y, &y, err));
    TRY(compare_edges(tape, x, y, GMSD_C, 0.0f, &map, err));
    TRY(image_deviation_each(tape, map, value, err));
fail:
    return status;
}

RsdStatus measure_ms_gmsd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err)
{
    Tensor *x, *y, *part, *sum = NULL;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(image_luma(tape, ref, 255.0f, &x, err));
    TRY(image_luma(tape, dist, 255.0f, &y, err));
    for (size_t i = 0; i < N_SCALES; i++) {
        if (i > 0) {
            TRY(image_halve(tape, x, &x, err));
            TRY(image_halve(tape, y, &y, err));
        }
        TRY(compare_edges(tape, x, y, MS_GMSD_C, MS_GMSD_ALPHA, &part, err));
        TRY(image_variance_each(tape, part, &part, err));
        TRY(op_scale(tape, part, scale_weights[i], &part, err));
        if (sum)
            TRY(op_add(tape, sum, part, &sum, err));
        else
            sum = part;
    }
    TRY(op_sqrt(tape, sum, 0.0f, value, err));
fail:
    return status;
}
