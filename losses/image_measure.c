/* image_measure.c - colour, scales, edges and statistics of pictures, as ops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/image_measure.h"

#include <math.h>

#include "engine/ops/arithmetic.h"
#include "engine/ops/mix.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "engine/ops/similarity.h"

#define SIDE_AFTER_SHRINKING 256

/* NTSC luma and the two chroma axes as the image quality literature rounds them [image.md 11]. */
static const float yiq[9] = {0.299f, 0.587f, 0.114f, 0.5959f, -0.2746f, -0.3213f, 0.2115f, -0.5227f, 0.3112f};

const EdgeOperator edge_prewitt = {{1.0f / 3.0f, 1.0f / 3.0f, 1.0f / 3.0f}};
const EdgeOperator edge_scharr = {{3.0f / 16.0f, 10.0f / 16.0f, 3.0f / 16.0f}};

static RsdStatus extend(Tape *tape, int min_side, Tensor **x, RsdError *err)
{
    Filter2d f = {.edge = EDGE_SYMMETRIC};

    for (int i = 0; i < 2; i++) {
        const int64_t lacking = min_side - (*x)->shape[2 + i];
        FilterAxis *axis = i ? &f.across : &f.down;

        axis->before = lacking > 0 ? (int)(lacking / 2) : 0;
        axis->after = lacking > 0 ? (int)(lacking - lacking / 2) : 0;
    }
    return op_filter2d(tape, &f, *x, x, err);
}

RsdStatus image_prepare(Tape *tape, int min_side, Tensor **ref, Tensor **dist, bool *was_small, RsdError *err)
{
    const Tensor *x = *ref, *y = *dist;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;
    bool is_small;

    CHECK(x->n_dims == 4 && x->shape[1] == 3 && tensor_same_shape(x, y) && tensor_count(x) > 0, err, RSD_ERR_ARG,
          "pictures are compared as [batch, 3, height, width] of one shape, not %s and %s",
          shape_text(text_y, y->n_dims, y->shape), shape_text(text_x, x->n_dims, x->shape));
    is_small = x->shape[2] < min_side || x->shape[3] < min_side;
    if (was_small)
        *was_small = is_small;
    if (is_small) {
        TRY(extend(tape, min_side, ref, err));
        TRY(extend(tape, min_side, dist, err));
    }
fail:
    return status;
}

static RsdStatus first_rows(Tape *tape, int n, Tensor *x, float scale, Tensor **y, RsdError *err)
{
    Mix mix = {.n_out = n, .n_in = 3};

    for (int i = 0; i < 3 * n; i++)
        mix.weights[i] = scale * yiq[i];
    return op_mix(tape, &mix, x, y, err);
}

RsdStatus image_luma(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err)
{
    return first_rows(tape, 1, x, scale, y, err);
}

RsdStatus image_yiq(Tape *tape, Tensor *x, float scale, Tensor **y, RsdError *err)
{
    return first_rows(tape, 3, x, scale, y, err);
}

RsdStatus image_channels(Tape *tape, Tensor *x, int first, int n, Tensor **y, RsdError *err)
{
    return op_slice(tape, x, 1, first, n, y, err);
}

RsdStatus image_halve(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const int padding = (int)((x->shape[x->n_dims - 2] | x->shape[x->n_dims - 1]) & 1);
    Filter2d f = {.edge = EDGE_ZERO};

    filter_axis_mean(&f.down, 2);
    f.down.after = padding;
    f.across = f.down;
    return op_filter2d(tape, &f, x, y, err);
}

RsdStatus image_shrink_to_256(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const int64_t h = x->shape[x->n_dims - 2], w = x->shape[x->n_dims - 1];
    const int n = (int)fmax(1.0, nearbyint((double)(h < w ? h : w) / SIDE_AFTER_SHRINKING));
    Filter2d f = {.edge = EDGE_ZERO};

    *y = x;
    if (n == 1)
        return RSD_OK;
    if (n > FILTER2D_MAX_TAPS)
        return error_set(err, RSD_ERR_ARG, "a picture of %lld x %lld is too large for this measure, whose smaller side may "
                         "be at most %d", (long long)w, (long long)h, FILTER2D_MAX_TAPS * SIDE_AFTER_SHRINKING);
    filter_axis_mean(&f.down, n);
    f.down.before = (n - 1) / 2;
    f.down.after = n / 2;
    f.across = f.down;
    return op_filter2d(tape, &f, x, y, err);
}

RsdStatus image_edges(Tape *tape, const EdgeOperator *op, Tensor *x, Tensor **y, RsdError *err)
{
    const FilterAxis smooth = {.n = 3, .taps = {op->smooth[0], op->smooth[1], op->smooth[2]}, .before = 1, .after = 1};
    const FilterAxis slope = {.n = 3, .taps = {-1.0f, 0.0f, 1.0f}, .before = 1, .after = 1};
    Tensor *gx, *gy;
    RsdStatus status = RSD_OK;

    TRY(op_filter2d(tape, &(Filter2d){.down = smooth, .across = slope}, x, &gx, err));
    TRY(op_filter2d(tape, &(Filter2d){.down = slope, .across = smooth}, x, &gy, err));
    TRY(op_length(tape, gx, gy, y, err));
fail:
    return status;
}

/* One picture is summed in parallel blocks, several each as a row. */
static RsdStatus total_each(Tape *tape, Tensor *x, bool mean, Tensor **y, RsdError *err)
{
    const int64_t batch = x->shape[0];
    RsdStatus status = RSD_OK;

    if (batch == 1)
        return mean ? op_mean(tape, x, y, err) : op_sum(tape, x, y, err);
    TRY(op_reshape(tape, x, 2, (int64_t[]){batch, -1}, y, err));
    TRY(mean ? op_mean_axis(tape, *y, 1, y, err) : op_sum_axis(tape, *y, 1, y, err));
    TRY(op_reshape(tape, *y, 1, (int64_t[]){batch}, y, err));
fail:
    return status;
}

RsdStatus image_mean_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return total_each(tape, x, true, y, err);
}

RsdStatus image_sum_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    return total_each(tape, x, false, y, err);
}

RsdStatus image_spread(Tape *tape, Tensor *v, Tensor **y, RsdError *err)
{
    return op_reshape(tape, v, 4, (int64_t[]){tensor_count(v), 1, 1, 1}, y, err);
}

RsdStatus image_variance_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *mean;
    RsdStatus status = RSD_OK;

    TRY(image_mean_each(tape, x, &mean, err));
    TRY(image_spread(tape, mean, &mean, err));
    TRY(op_sub(tape, x, mean, y, err));
    TRY(op_square(tape, *y, y, err));
    TRY(image_mean_each(tape, *y, y, err));
fail:
    return status;
}

RsdStatus image_deviation_each(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_variance_each(tape, x, y, err));
    TRY(op_sqrt(tape, *y, 0.0f, y, err));
fail:
    return status;
}
