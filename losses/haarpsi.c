/* haarpsi.c - Haar wavelet-based perceptual similarity.
 *
 * With weights W and similarities s, h = sum W l(s) / sum W and the index is (ln(h / (1 - h)) / a)^2, l(v) = 1 / (1 + e^-av).
 * 1 - h is sum W l(-s) / sum W, so the index is (ln(sum W l(s) / sum W l(-s)) / a)^2, without the cancellation of 1 - h near
 * perfect similarity and without the division by sum W.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/haarpsi.h"

#include <math.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/similarity.h"

#define C 30.0f
#define ALPHA 4.2f
#define LEAST_WEIGHT 1e-7f /* of a mean coefficient in 0..255: decides when there is no weight at all, changes nothing else */
#define N_SIDES 3

/* |c| of the Haar filter of side k: all 1 / k, the second half negated down (or across). */
static RsdStatus coefficient(Tape *tape, Tensor *x, int k, bool across, Tensor **y, RsdError *err)
{
    FilterAxis flat = {.n = k, .before = k / 2 - 1, .after = k / 2}, step = flat;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < k; i++) {
        flat.taps[i] = 1.0f;
        step.taps[i] = (i < k / 2 ? 1.0f : -1.0f) / (float)k;
    }
    TRY(op_filter2d(tape, &(Filter2d){.down = across ? flat : step, .across = across ? step : flat}, x, y, err));
    TRY(op_abs(tape, *y, y, err));
fail:
    return status;
}

/* Mean of two dissimilarities. */
static RsdStatus mean_of(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_add(tape, a, b, y, err));
    TRY(op_scale(tape, *y, 0.5f, y, err));
fail:
    return status;
}

static RsdStatus orientation(Tape *tape, Tensor *x, Tensor *y, bool across, Tensor **weight, Tensor **distance, RsdError *err)
{
    Tensor *cx[N_SIDES], *cy[N_SIDES], *parts[2];
    RsdStatus status = RSD_OK;

    for (int i = 0; i < N_SIDES; i++) {
        TRY(coefficient(tape, x, 2 << i, across, &cx[i], err));
        TRY(coefficient(tape, y, 2 << i, across, &cy[i], err));
    }
    for (int i = 0; i < 2; i++)
        TRY(op_dissimilarity(tape, cy[i], cx[i], C, 0.0f, &parts[i], err));
    TRY(mean_of(tape, parts[0], parts[1], distance, err));
    TRY(op_max(tape, cy[2], cx[2], weight, err));
fail:
    return status;
}

static RsdStatus chroma(Tape *tape, Tensor *x, Tensor *y, Tensor **distance, RsdError *err)
{
    const FilterAxis two = {.n = 2, .taps = {0.5f, 0.5f}, .after = 1};
    Tensor *parts[2];
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 2; i++) {
        Tensor *channels[2] = {x, y};

        for (int side = 0; side < 2; side++) {
            TRY(image_channels(tape, channels[side], 1 + i, 1, &channels[side], err));
            TRY(op_filter2d(tape, &(Filter2d){.down = two, .across = two}, channels[side], &channels[side], err));
            TRY(op_abs(tape, channels[side], &channels[side], err));
        }
        TRY(op_dissimilarity(tape, channels[1], channels[0], C, 0.0f, &parts[i], err));
    }
    TRY(mean_of(tape, parts[0], parts[1], distance, err));
fail:
    return status;
}

/* Adds the means of W l(s) and W l(-s) of each picture to the two sums. */
static RsdStatus add_terms(Tape *tape, Tensor *weight, Tensor *distance, Tensor *sums[2], RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 2; i++) {
        const float sign = i ? -ALPHA : ALPHA;
        Tensor *part;

        TRY(op_affine(tape, distance, -sign, sign, &part, err)); /* +-a s */
        TRY(op_sigmoid(tape, part, &part, err));
        TRY(op_mul(tape, weight, part, &part, err));
        TRY(image_mean_each(tape, part, &part, err));
        if (sums[i])
            TRY(op_add(tape, sums[i], part, &sums[i], err));
        else
            sums[i] = part;
    }
fail:
    return status;
}

RsdStatus measure_haarpsi(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                          RsdError *err)
{
    Tensor *x, *y, *luma_x, *luma_y, *weights[3], *distances[3], *sums[2] = {0};
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(image_yiq(tape, ref, 255.0f, &x, err));
    TRY(image_yiq(tape, dist, 255.0f, &y, err));
    TRY(image_halve(tape, x, &x, err));
    TRY(image_halve(tape, y, &y, err));
    TRY(image_channels(tape, x, 0, 1, &luma_x, err));
    TRY(image_channels(tape, y, 0, 1, &luma_y, err));
    for (int i = 0; i < 2; i++)
        TRY(orientation(tape, luma_x, luma_y, i == 1, &weights[i], &distances[i], err));
    TRY(mean_of(tape, weights[0], weights[1], &weights[2], err));
    TRY(chroma(tape, x, y, &distances[2], err));
    for (int i = 0; i < 3; i++)
        TRY(add_terms(tape, weights[i], distances[i], sums, err));
    for (int i = 0; i < 2; i++) {
        const float full = 1.0f / (1.0f + expf(i ? ALPHA : -ALPHA));

        TRY(op_add_scalar(tape, sums[i], LEAST_WEIGHT * full, &sums[i], err));
        TRY(op_log(tape, sums[i], 0.0f, &sums[i], err));
    }
    TRY(op_sub(tape, sums[0], sums[1], &x, err));
    TRY(op_scale(tape, x, 1.0f / ALPHA, &x, err));
    TRY(op_square(tape, x, &x, err));
    TRY(op_affine(tape, x, -1.0f, 1.0f, value, err));
fail:
    return status;
}
