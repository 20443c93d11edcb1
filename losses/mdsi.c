/* mdsi.c - mean deviation similarity index.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/mdsi.h"

#include <math.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/mix.h"
#include "engine/ops/similarity.h"

#define C_BETWEEN 140.0f /* edges of the two pictures */
#define C_AVERAGE 55.0f  /* edges of one and of the average */
#define C_CHROMA 550.0f
#define EDGE_SHARE 0.6f

/* Luma L and the two chroma channels H, M, of values in [0, 1]. */
static const Mix lhm = {.n_out = 3, .n_in = 3,
                        .weights = {0.2989f * 255, 0.587f * 255, 0.114f * 255, 0.30f * 255, 0.04f * 255, -0.35f * 255,
                                    0.34f * 255, -0.6f * 255, 0.17f * 255}};

static RsdStatus edge_distance(Tape *tape, Tensor *x, Tensor *y, Tensor **map, RsdError *err)
{
    Tensor *average, *parts[3];
    RsdStatus status = RSD_OK;

    TRY(op_add(tape, y, x, &average, err));
    TRY(op_scale(tape, average, 0.5f, &average, err));
    TRY(image_edges(tape, &edge_prewitt, average, &average, err));
    TRY(image_edges(tape, &edge_prewitt, x, &x, err));
    TRY(image_edges(tape, &edge_prewitt, y, &y, err));
    TRY(op_dissimilarity(tape, y, x, C_BETWEEN, 0.0f, &parts[0], err));
    TRY(op_dissimilarity(tape, y, average, C_AVERAGE, 0.0f, &parts[1], err));
    TRY(op_dissimilarity(tape, average, x, C_AVERAGE, 0.0f, &parts[2], err));
    TRY(op_add(tape, parts[0], parts[1], map, err));
    TRY(op_sub(tape, *map, parts[2], map, err));
fail:
    return status;
}

/* 1 - (2 (Hx Hy + Mx My) + c) / (Hx^2 + Hy^2 + Mx^2 + My^2 + c) = (dH^2 + dM^2) / that. */
static RsdStatus chroma_distance(Tape *tape, Tensor *x, Tensor *y, Tensor **map, RsdError *err)
{
    const Mix sum = {.n_out = 1, .n_in = 2, .weights = {1.0f, 1.0f}}, sum_and_c = {1, 2, {1.0f, 1.0f}, {C_CHROMA}};
    Tensor *difference, *xx, *yy;
    RsdStatus status = RSD_OK;

    TRY(op_sub(tape, y, x, &difference, err));
    TRY(op_square(tape, difference, &difference, err));
    TRY(op_mix(tape, &sum, difference, &difference, err));
    TRY(op_square(tape, y, &yy, err));
    TRY(op_square(tape, x, &xx, err));
    TRY(op_add(tape, yy, xx, &yy, err));
    TRY(op_mix(tape, &sum_and_c, yy, &yy, err));
    TRY(op_div(tape, difference, yy, map, err));
fail:
    return status;
}

/* |q - mean q| of the complex quarter power q of v: |v|^(1/4) turned by 45 degrees where v is negative. */
static RsdStatus deviation_of_quarter_power(Tape *tape, Tensor *v, Tensor **y, RsdError *err)
{
    Tensor *parts[2], *mean;
    RsdStatus status = RSD_OK;

    TRY(op_scale(tape, v, -1.0f, &parts[1], err));
    TRY(op_pow(tape, v, 0.25f, 0.0f, &parts[0], err));
    TRY(op_pow(tape, parts[1], 0.25f, 0.0f, &parts[1], err));
    TRY(op_scale(tape, parts[1], (float)M_SQRT1_2, &parts[1], err));
    TRY(op_add(tape, parts[0], parts[1], &parts[0], err));
    for (int i = 0; i < 2; i++) {
        TRY(image_mean_each(tape, parts[i], &mean, err));
        TRY(image_spread(tape, mean, &mean, err));
        TRY(op_sub(tape, parts[i], mean, &parts[i], err));
    }
    TRY(op_length(tape, parts[0], parts[1], y, err));
fail:
    return status;
}

RsdStatus measure_mdsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    Tensor *sides[2] = {ref, dist}, *luma[2], *chroma[2], *edges, *colours, *v;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    for (int i = 0; i < 2; i++) {
        TRY(image_shrink_to_256(tape, sides[i], &sides[i], err));
        TRY(op_mix(tape, &lhm, sides[i], &sides[i], err));
        TRY(image_channels(tape, sides[i], 0, 1, &luma[i], err));
        TRY(image_channels(tape, sides[i], 1, 2, &chroma[i], err));
    }
    TRY(edge_distance(tape, luma[0], luma[1], &edges, err));
    TRY(chroma_distance(tape, chroma[0], chroma[1], &colours, err));
    TRY(op_affine(tape, edges, -EDGE_SHARE, 1.0f, &edges, err));
    TRY(op_scale(tape, colours, 1.0f - EDGE_SHARE, &colours, err));
    TRY(op_sub(tape, edges, colours, &v, err));
    TRY(deviation_of_quarter_power(tape, v, &v, err));
    TRY(image_mean_each(tape, v, &v, err));
    TRY(op_pow(tape, v, 0.25f, 0.0f, value, err));
fail:
    return status;
}
