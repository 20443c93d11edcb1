/* rows_picture.c - rows of convolutions, pooling, resizing and shuffling of pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/ops/conv2d.h"
#include "engine/ops/pool2d.h"
#include "engine/ops/resize2d.h"
#include "tests/engine/op_table.h"

/* --- convolutions: x, w and maybe b ------------------------------------------------------------------------------------- */

typedef struct Conv2dCall {
    bool transposed;
    Conv2dParams p;
} Conv2dCall;

static RsdStatus apply_conv(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const Conv2dCall *call = row->attributes;

    return (call->transposed ? op_conv_transpose2d : op_conv2d)(tape, in[0], in[1], row->n_inputs > 2 ? in[2] : NULL, &call->p,
                                                                y, err);
}

/* One axis as the formulas of torch have it. */
typedef struct Axis {
    int64_t n, m, k, stride, dilation, before;
    PadMode mode;
} Axis;

static int64_t one(int v)
{
    return v ? v : 1;
}

static Axis axis_of(const Conv2dCall *call, int64_t n, int64_t k, int stride, int dilation, int before, int after, int more)
{
    Axis a = {.n = n, .k = k, .stride = one(stride), .dilation = one(dilation), .before = before, .mode = call->p.mode};
    const int64_t span = (k - 1) * a.dilation + 1;

    a.m = call->transposed ? (n - 1) * a.stride + span - before - after + more : (n + before + after - span) / a.stride + 1;
    return a;
}

/* Place of the input that output i meets through tap t, or -1: for the transposed convolution i and the input change
 * places. */
static int64_t met(const Axis *a, bool transposed, int64_t i, int64_t t)
{
    int64_t at = i * a->stride - a->before + t * a->dilation;

    if (transposed) {
        at = i + a->before - t * a->dilation;
        return at >= 0 && at % a->stride == 0 && at / a->stride < a->n ? at / a->stride : -1;
    }
    if (at >= 0 && at < a->n)
        return at;
    if (a->mode == PAD_REPLICATE)
        return at < 0 ? 0 : a->n - 1;
    if (a->mode == PAD_REFLECT)
        return at < 0 ? -at : 2 * (a->n - 1) - at;
    return -1;
}

static bool is_seen(ConvMask mask, int64_t v, int64_t u, int64_t k_y, int64_t k_x)
{
    const int64_t dy = v - k_y / 2, dx = u - k_x / 2;

    return mask == CONV_MASK_NONE || (mask == CONV_MASK_CHECKERBOARD ? (dy + dx) % 2 != 0 : dy < 0 || (dy == 0 && dx < 0));
}

static void conv_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const Conv2dCall *call = row->attributes;
    const Conv2dParams *p = &call->p;
    const int64_t *xs = in[0].shape, *ws = in[1].shape, groups = one(p->groups);
    const int64_t c_out = call->transposed ? ws[1] * groups : ws[0], per_in = xs[1] / groups, per_out = c_out / groups;
    const Axis down = axis_of(call, xs[2], ws[2], p->stride.down, p->dilation.down, p->pad.top, p->pad.bottom,
                              p->output_pad.down);
    const Axis across = axis_of(call, xs[3], ws[3], p->stride.across, p->dilation.across, p->pad.left, p->pad.right,
                                p->output_pad.across);
    double *out = op_array_shape(y, 4, (int64_t[]){xs[0], c_out, down.m, across.m});

    for (int64_t i = 0; i < y->count; i++) {
        const int64_t col = i % across.m, line = i / across.m % down.m, co = i / across.m / down.m % c_out;
        const int64_t b = i / across.m / down.m / c_out, group = co / per_out;

        out[i] = row->n_inputs > 2 ? in[2].data[co] : 0;
        for (int64_t c = 0; c < per_in; c++)
            for (int64_t v = 0; v < ws[2]; v++)
                for (int64_t u = 0; u < ws[3]; u++) {
                    const int64_t ci = group * per_in + c, at_y = met(&down, call->transposed, line, v);
                    const int64_t at_x = met(&across, call->transposed, col, u);
                    const int64_t w_row = call->transposed ? ci * ws[1] + co % per_out : co * ws[1] + c;

                    if (at_y >= 0 && at_x >= 0 && is_seen(p->mask, v, u, ws[2], ws[3]))
                        out[i] += in[1].data[(w_row * ws[2] + v) * ws[3] + u] *
                                  in[0].data[((b * xs[1] + ci) * xs[2] + at_y) * xs[3] + at_x];
                }
    }
}

/* Rectifiers behind a 3 x 3 convolution and, with a third input, a 1 x 1 one beside it. */
static const Conv2dCall wide_branch = {.p = {.pad = SIDES(1)}}, narrow_branch = {.p = {.groups = 1}};

static RsdStatus apply_branches(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const Conv2dBranch branches[] = {{in[1], NULL, wide_branch.p}, {row->n_inputs > 2 ? in[2] : NULL, NULL, narrow_branch.p}};

    return op_conv2d_relu(tape, in[0], branches, row->n_inputs - 1, y, err);
}

static void branches_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    OpArray parts[2] = {{0}, {0}};
    int64_t n[2] = {0, 0}, batch = in[0].shape[0];
    double *out;

    for (int i = 0; i < row->n_inputs - 1; i++) {
        conv_in_double(&(OpRow){.n_inputs = 2, .attributes = i ? &narrow_branch : &wide_branch},
                       (const OpArray[]){in[0], in[1 + i]}, &parts[i]);
        n[i] = parts[i].count / batch;
    }
    out = op_array_shape(y, 4, (int64_t[]){batch, parts[0].shape[1] + (n[1] ? parts[1].shape[1] : 0), in[0].shape[2], in[0].shape[3]});
    for (int64_t i = 0; i < y->count; i++) {
        const int64_t b = i / (n[0] + n[1]), at = i % (n[0] + n[1]);

        out[i] = fmax(at < n[0] ? parts[0].data[b * n[0] + at] : parts[1].data[b * n[1] + at - n[0]], 0.0);
    }
    for (int i = 0; i < 2; i++)
        free(parts[i].data);
}

/* scalar: 1 keeps the odd places. */
static RsdStatus apply_checkerboard(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_checkerboard(tape, in[0], row->scalar > 0, y, err);
}

static void checkerboard_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_like(y, &in[0]);

    for (int64_t i = 0; i < y->count; i++) {
        const int64_t n = in[0].shape[3], line = i / n % in[0].shape[2];

        out[i] = ((line + i % n) % 2 == 1) == (row->scalar > 0) ? in[0].data[i] : 0;
    }
}

/* --- pooling ------------------------------------------------------------------------------------------------------------- */

typedef struct PoolCall {
    bool is_max;
    Pool2dParams p;
} PoolCall;

static RsdStatus apply_pool(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const PoolCall *call = row->attributes;

    return (call->is_max ? op_max_pool2d : op_mean_pool2d)(tape, in[0], &call->p, y, err);
}

/* Windows of one axis, counted one by one: those inside the padded axis, and with ceil one more that starts before the
 * padding on the right. */
static int64_t count_windows(int64_t n, int64_t size, int64_t stride, int64_t pad, bool ceil)
{
    int64_t m = 0;

    while (m * stride + size <= n + 2 * pad)
        m++;
    return ceil && m * stride < n + pad && (m - 1) * stride + size < n + 2 * pad ? m + 1 : m;
}

static void pool_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const PoolCall *call = row->attributes;
    const Pool2dParams *p = &call->p;
    const int64_t h = in[0].shape[2], n = in[0].shape[3];
    const int64_t stride_y = p->stride.down ? p->stride.down : p->size.down;
    const int64_t stride_x = p->stride.across ? p->stride.across : p->size.across;
    const int64_t m_y = count_windows(h, p->size.down, stride_y, p->pad.down, p->ceil);
    const int64_t m_x = count_windows(n, p->size.across, stride_x, p->pad.across, p->ceil);
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], in[0].shape[1], m_y, m_x});

    for (int64_t i = 0; i < y->count; i++) {
        const double *x = in[0].data + i / m_x / m_y * h * n;
        double sum = 0, most = -INFINITY, n_counted = 0;

        for (int64_t v = 0; v < p->size.down; v++)
            for (int64_t u = 0; u < p->size.across; u++) {
                const int64_t line = i / m_x % m_y * stride_y - p->pad.down + v, col = i % m_x * stride_x - p->pad.across + u;

                if (line >= 0 && line < h && col >= 0 && col < n) {
                    sum += x[line * n + col];
                    most = fmax(most, x[line * n + col]);
                    n_counted++;
                } else if (p->count_pad && line < h + p->pad.down && col < n + p->pad.across) {
                    n_counted++;
                }
            }
        out[i] = call->is_max ? most : sum / n_counted;
    }
}

/* --- resizing and shuffling ------------------------------------------------------------------------------------------------ */

typedef struct ResizeCall {
    int64_t lines, columns;
    ResizeMode mode;
} ResizeCall;

static RsdStatus apply_resize(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const ResizeCall *call = row->attributes;

    return op_resize2d(tape, in[0], call->lines, call->columns, call->mode, y, err);
}

/* Weight of input k in output i of an axis. */
static double weight_of(int64_t i, int64_t k, int64_t n, int64_t m, ResizeMode mode)
{
    const double at = fmin(fmax(((double)i + 0.5) * (double)n / (double)m - 0.5, 0), (double)(n - 1));

    if (mode == RESIZE_NEAREST)
        return k == (int64_t)floor((double)i * (double)n / (double)m) ? 1 : 0;
    return fmax(0, 1 - fabs(at - (double)k));
}

static void resize_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const ResizeCall *call = row->attributes;
    const int64_t h = in[0].shape[2], n = in[0].shape[3];
    double *out = op_array_shape(y, 4, (int64_t[]){in[0].shape[0], in[0].shape[1], call->lines, call->columns});

    for (int64_t i = 0; i < y->count; i++) {
        const int64_t col = i % call->columns, line = i / call->columns % call->lines;
        const double *x = in[0].data + i / call->columns / call->lines * h * n;

        for (int64_t k = 0; k < h * n; k++)
            out[i] += weight_of(line, k / n, h, call->lines, call->mode) * weight_of(col, k % n, n, call->columns, call->mode) * x[k];
    }
}

/* scalar: r of a shuffle, -r of an unshuffle. */
static RsdStatus apply_shuffle(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const int r = (int)row->scalar;

    return r > 0 ? op_pixel_shuffle(tape, in[0], r, y, err) : op_pixel_unshuffle(tape, in[0], -r, y, err);
}

static void shuffle_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const bool to_fine = row->scalar > 0;
    const int64_t *s = in[0].shape, r = (int64_t)fabs(row->scalar);
    const int64_t fine_c = to_fine ? s[1] / (r * r) : s[1], fine_h = to_fine ? s[2] * r : s[2], fine_n = to_fine ? s[3] * r : s[3];
    double *out = op_array_shape(y, 4, to_fine ? (int64_t[]){s[0], fine_c, fine_h, fine_n}
                                               : (int64_t[]){s[0], fine_c * r * r, fine_h / r, fine_n / r});

    for (int64_t i = 0; i < y->count; i++) { /* over the fine picture */
        const int64_t col = i % fine_n, line = i / fine_n % fine_h, c = i / fine_n / fine_h % fine_c, b = i / fine_n / fine_h / fine_c;
        const int64_t channel = (c * r + line % r) * r + col % r;
        const int64_t coarse = ((b * fine_c * r * r + channel) * (fine_h / r) + line / r) * (fine_n / r) + col / r;

        out[to_fine ? i : coarse] = in[0].data[to_fine ? coarse : i];
    }
}

#define X(...) {4, __VA_ARGS__, -2, 2, false}
#define W(...) {4, __VA_ARGS__, -0.5f, 0.5f, false}
#define B(...) {1, __VA_ARGS__, -1, 1, false}
#define UNPACK(...) __VA_ARGS__
#define CONV(label, n, is_transposed, inputs, ...)                                                                     \
    {.name = label, .n_inputs = n, .in = {UNPACK inputs}, .apply = apply_conv, .reference = conv_in_double,            \
     .attributes = &(const Conv2dCall){.transposed = is_transposed, .p = {__VA_ARGS__}}, .value_tolerance = 1e-6,      \
     .gradient_tolerance = 4e-6}

#define BRANCHES(label, n, inputs)                                                                                     \
    {.name = label, .n_inputs = n, .in = {UNPACK inputs}, .apply = apply_branches, .reference = branches_in_double,    \
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-6}

#define POOL(label, shapes, largest, ...)                                                                              \
    {.name = label, .n_inputs = 1, .in = {X shapes}, .apply = apply_pool, .reference = pool_in_double,                 \
     .attributes = &(const PoolCall){.is_max = largest, .p = {__VA_ARGS__}}, .value_tolerance = 1e-6,                  \
     .gradient_tolerance = 2e-6}
#define RESIZE(label, shapes, ...)                                                                                     \
    {.name = label, .n_inputs = 1, .in = {X shapes}, .apply = apply_resize, .reference = resize_in_double,             \
     .attributes = &(const ResizeCall){__VA_ARGS__}, .value_tolerance = 1e-6, .gradient_tolerance = 2e-6}
#define SHUFFLE(label, shapes, r)                                                                                      \
    {.name = label, .n_inputs = 1, .in = {X shapes}, .scalar = r, .apply = apply_shuffle,                              \
     .reference = shuffle_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7}

const OpRow op_rows_picture[] = {
    CONV("conv2d, 3x3", 3, false, (X({2, 3, 7, 9}, {1, 64, 64, 64}), W({5, 3, 3, 3}, {64, 64, 3, 3}), B({5}, {64})),
         .pad = SIDES(1)),
    CONV("conv2d, 3x3, wide picture", 3, false, (X({1, 2, 3, 700}, {0}), W({3, 2, 3, 3}, {0}), B({3}, {0})), .pad = SIDES(1)),
    CONV("conv2d, 3x3, tall picture", 3, false, (X({1, 2, 300, 17}, {0}), W({2, 2, 3, 3}, {0}), B({2}, {0})), .pad = SIDES(1)),
    CONV("conv2d, 5x5, many channels", 2, false, (X({1, 19, 6, 7}, {1, 128, 32, 32}), W({6, 19, 5, 5}, {128, 128, 5, 5})),
         .pad = SIDES(2)),
    CONV("conv2d, 4x4, stride 2 (PatchGAN)", 3, false, (X({2, 3, 8, 10}, {1, 64, 64, 64}), W({4, 3, 4, 4}, {128, 64, 4, 4}), B({4}, {128})),
         .pad = SIDES(1), .stride = {2, 2}),
    CONV("conv2d, 3x9, stride 1 2, dilation 2 1 (STFT discriminator)", 3, false,
         (X({2, 3, 9, 20}, {2, 32, 100, 129}), W({4, 3, 3, 9}, {32, 32, 3, 9}), B({4}, {32})),
         .pad = {2, 2, 4, 4}, .stride = {1, 2}, .dilation = {2, 1}),
    CONV("conv2d, 5x1, stride 3 1 (period discriminator)", 3, false,
         (X({2, 2, 17, 3}, {2, 128, 240, 5}), W({5, 2, 5, 1}, {128, 128, 5, 1}), B({5}, {128})), .pad = {2, 2, 0, 0}, .stride = {3, 1}),
    CONV("conv2d, 1x1", 3, false, (X({2, 5, 4, 6}, {1, 128, 64, 64}), W({7, 5, 1, 1}, {128, 128, 1, 1}), B({7}, {128})), .groups = 1),
    CONV("conv2d, 3x3, depthwise", 3, false, (X({1, 64, 3, 7}, {1, 64, 64, 64}), W({64, 1, 3, 3}, {64, 1, 3, 3}), B({64}, {64})),
         .pad = SIDES(1), .groups = 64),
    CONV("conv2d, 5x5, depthwise", 3, false, (X({1, 64, 5, 6}, {1, 64, 64, 64}), W({64, 1, 5, 5}, {64, 1, 5, 5}), B({64}, {64})),
         .pad = SIDES(2), .groups = 64),
    CONV("conv2d, 5x5, depthwise, strips of lines", 3, false, (X({1, 2, 70, 53}, {0}), W({2, 1, 5, 5}, {0}), B({2}, {0})),
         .pad = SIDES(2), .groups = 2),
    CONV("conv2d, 7x7, depthwise, long lines", 3, false, (X({1, 2, 21, 150}, {0}), W({2, 1, 7, 7}, {0}), B({2}, {0})),
         .pad = SIDES(3), .groups = 2),
    CONV("conv2d, 7x7, depthwise, stride 2", 2, false, (X({1, 3, 11, 12}, {0}), W({3, 1, 7, 7}, {0})), .pad = SIDES(3), .groups = 3,
         .stride = {2, 2}),
    CONV("conv2d, two groups, reflected", 3, false, (X({2, 4, 6, 5}, {0}), W({6, 2, 3, 3}, {0}), B({6}, {0})), .pad = {1, 2, 2, 1},
         .groups = 2, .mode = PAD_REFLECT),
    CONV("conv2d, replicated, dilation 2 3", 2, false, (X({1, 2, 7, 9}, {0}), W({2, 2, 3, 3}, {0})), .pad = {2, 2, 3, 3},
         .mode = PAD_REPLICATE, .dilation = {2, 3}),
    CONV("conv2d, cut at the top, stride 4 3", 2, false, (X({1, 2, 14, 13}, {0}), W({3, 2, 2, 2}, {0})), .pad = {-3, 1, 2, -2},
         .stride = {4, 3}),
    CONV("conv2d, 5x5, checkerboard", 3, false, (X({1, 3, 7, 8}, {0}), W({4, 3, 5, 5}, {0}), B({4}, {0})), .pad = SIDES(2),
         .mask = CONV_MASK_CHECKERBOARD),
    CONV("conv2d, 3x3, raster mask", 2, false, (X({1, 3, 6, 7}, {0}), W({2, 3, 3, 3}, {0})), .pad = SIDES(1), .mask = CONV_MASK_RASTER),
    BRANCHES("conv2d and rectifier", 2, (X({2, 3, 7, 9}, {1, 64, 64, 64}), W({5, 3, 3, 3}, {64, 64, 3, 3}))),
    BRANCHES("conv2d and rectifier, two branches", 3,
             (X({1, 3, 6, 40}, {1, 64, 64, 64}), W({5, 3, 3, 3}, {64, 64, 3, 3}), W({3, 3, 1, 1}, {64, 64, 1, 1}))),
    BRANCHES("conv2d and rectifier, two branches of two pictures", 3,
             (X({2, 3, 6, 7}, {0}), W({5, 3, 3, 3}, {0}), W({3, 3, 1, 1}, {0}))),
    CONV("transposed 2d, 4x4, stride 2", 3, true, (X({2, 5, 4, 5}, {1, 128, 32, 32}), W({5, 3, 4, 4}, {128, 64, 4, 4}), B({3}, {64})),
         .pad = SIDES(1), .stride = {2, 2}),
    CONV("transposed 2d, 5x5, stride 2, output padding", 3, true,
         (X({2, 3, 4, 5}, {1, 128, 32, 32}), W({3, 4, 5, 5}, {128, 64, 5, 5}), B({4}, {64})), .pad = SIDES(2), .stride = {2, 2},
         .output_pad = {1, 1}),
    CONV("transposed 2d, two groups, dilation 2 1, stride 1 3", 2, true, (X({2, 4, 5, 4}, {0}), W({4, 2, 3, 4}, {0})), .groups = 2,
         .dilation = {2, 1}, .stride = {1, 3}, .pad = {1, 0, 2, 3}),
    CONV("transposed 2d, 18x18, stride 16", 2, true, (X({1, 2, 2, 2}, {0}), W({2, 1, 18, 18}, {0})), .stride = {16, 16}, .pad = SIDES(1)),

    POOL("largest of 2x2", ({2, 3, 6, 9}, {1, 64, 128, 128}), true, .size = {2, 2}),
    POOL("largest of 3x3, stride 2, ceil", ({1, 3, 8, 7}, {1, 64, 128, 128}), true, .size = {3, 3}, .stride = {2, 2}, .ceil = true),
    POOL("largest of 3x2, padded", ({1, 3, 8, 7}, {0}), true, .size = {3, 2}, .stride = {2, 1}, .pad = {1, 1}),
    POOL("mean of 2x2", ({2, 3, 6, 9}, {1, 64, 128, 128}), false, .size = {2, 2}),
    POOL("mean of 3x3, padding counted, ceil", ({1, 3, 8, 6}, {0}), false, .size = {3, 3}, .stride = {2, 2}, .pad = {1, 1},
         .count_pad = true, .ceil = true),
    POOL("mean of 4x3, padding not counted", ({1, 3, 8, 7}, {0}), false, .size = {4, 3}, .stride = {3, 2}, .pad = {2, 1}),
    RESIZE("bilinear, twice as large", ({1, 3, 5, 6}, {1, 64, 64, 64}), 10, 12, RESIZE_BILINEAR),
    RESIZE("bilinear, odd sizes", ({2, 2, 7, 1}, {0}), 5, 3, RESIZE_BILINEAR),
    RESIZE("nearest", ({1, 3, 5, 6}, {1, 64, 64, 64}), 13, 8, RESIZE_NEAREST),
    SHUFFLE("pixel shuffle by 2", ({2, 12, 3, 5}, {1, 256, 64, 64}), 2),
    SHUFFLE("pixel shuffle by 4", ({1, 32, 2, 3}, {1, 48, 128, 128}), 4),
    SHUFFLE("pixel unshuffle by 2", ({2, 3, 4, 6}, {1, 64, 128, 128}), -2),
    SHUFFLE("pixel unshuffle by 4", ({1, 3, 8, 4}, {1, 3, 512, 512}), -4),

    {.name = "checkerboard, even places", .n_inputs = 1, .in = {X({2, 3, 5, 7}, {0})}, .scalar = 0, .apply = apply_checkerboard,
     .reference = checkerboard_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7},
    {.name = "checkerboard, odd places", .n_inputs = 1, .in = {X({2, 3, 4, 6}, {0})}, .scalar = 1, .apply = apply_checkerboard,
     .reference = checkerboard_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-7},
    {.name = NULL},
};
