/* nlpd.c - normalised Laplacian pyramid distance.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/nlpd.h"

#include "engine/ops/arithmetic.h"
#include "engine/ops/shape.h"
#include "engine/ops/stuff.h"

#define N_LEVELS 6

/* The normalisation of a level: weights of the neighbours' magnitudes, and what is added. Fitted by the authors to natural
 * pictures. */
static const struct {
    float above, left, right, below, constant;
} levels[N_LEVELS] = {
    {0.1015f, 0.1460f, 0.1493f, 0.1011f, 0.0248f}, {0.0837f, 0.1846f, 0.1986f, 0.0757f, 0.0185f},
    {0.0467f, 0.2243f, 0.2138f, 0.0477f, 0.0179f}, {0.0f, 0.2616f, 0.2503f, 0.0f, 0.0191f},
    {0.0f, 0.2552f, 0.2598f, 0.0f, 0.0220f},       {0.0f, 0.0717f, 0.2215f, 0.0f, 0.2782f},
};

static const FilterAxis low_pass = {.n = 5, .taps = {0.05f, 0.25f, 0.4f, 0.25f, 0.05f}};

static RsdStatus coarser(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    FilterAxis axis = low_pass;

    axis.before = axis.after = axis.stride = 2;
    return op_filter2d(tape, &(Filter2d){.down = axis, .across = axis, .edge = EDGE_SYMMETRIC}, x, y, err);
}

/* Back to h x w: the edge repeated once, zeros between the samples, four times the low pass. */
static RsdStatus finer(Tape *tape, Tensor *x, int64_t h, int64_t w, Tensor **y, RsdError *err)
{
    const FilterAxis around = {.before = 1, .after = 1};
    FilterAxis axis = low_pass;
    RsdStatus status = RSD_OK;

    for (int k = 0; k < axis.n; k++)
        axis.taps[k] *= 2.0f;
    TRY(op_filter2d(tape, &(Filter2d){.down = around, .across = around, .edge = EDGE_REPLICATE}, x, y, err));
    TRY(op_stuff(tape, *y, h + 4, w + 4, y, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = axis, .across = axis}, *y, y, err));
fail:
    return status;
}

static RsdStatus normalise(Tape *tape, Tensor *band, int level, Tensor **y, RsdError *err)
{
    const FilterAxis none = {0}, down = {.n = 3, .taps = {levels[level].above, 0.0f, levels[level].below}, .before = 1, .after = 1};
    const FilterAxis across = {.n = 3, .taps = {levels[level].left, 0.0f, levels[level].right}, .before = 1, .after = 1};
    Tensor *size, *vertical, *horizontal;
    RsdStatus status = RSD_OK;

    TRY(op_abs(tape, band, &size, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = down, .across = none}, size, &vertical, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = none, .across = across}, size, &horizontal, err));
    TRY(op_add(tape, vertical, horizontal, &size, err));
    TRY(op_add_scalar(tape, size, levels[level].constant, &size, err));
    TRY(op_div(tape, band, size, y, err));
fail:
    return status;
}

static RsdStatus pyramid(Tape *tape, Tensor *x, Tensor *out[N_LEVELS], RsdError *err)
{
    Tensor *low, *band;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < N_LEVELS; i++) {
        if (i < N_LEVELS - 1) {
            TRY(coarser(tape, x, &low, err));
            TRY(finer(tape, low, x->shape[2], x->shape[3], &band, err));
            TRY(op_sub(tape, x, band, &band, err));
            x = low;
        } else {
            band = x;
        }
        TRY(normalise(tape, band, i, &out[i], err));
    }
fail:
    return status;
}

RsdStatus measure_nlpd(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                       RsdError *err)
{
    Tensor *x, *y, *xs[N_LEVELS], *ys[N_LEVELS], *part, *sum = NULL;
    RsdStatus status = RSD_OK;

    (void)params;
    (void)nets;
    TRY(image_luma(tape, ref, 1.0f, &x, err));
    TRY(image_luma(tape, dist, 1.0f, &y, err));
    TRY(pyramid(tape, x, xs, err));
    TRY(pyramid(tape, y, ys, err));
    for (int i = 0; i < N_LEVELS; i++) {
        TRY(op_sub(tape, ys[i], xs[i], &part, err));
        TRY(op_square(tape, part, &part, err));
        TRY(image_mean_each(tape, part, &part, err));
        TRY(op_sqrt(tape, part, 0.0f, &part, err));
        if (sum)
            TRY(op_add(tape, sum, part, &sum, err));
        else
            sum = part;
    }
    TRY(op_scale(tape, sum, 1.0f / N_LEVELS, value, err));
fail:
    return status;
}
