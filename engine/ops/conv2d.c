/* conv2d.c - convolutions of pictures: shapes and padding, then the kernels of conv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv2d.h"

#include <stdlib.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv_layout.h"
#include "engine/ops/conv_run.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/shape.h"

#define SIDE_MAX ((int64_t)1 << 20) /* longest kernel span, padding or stride */

static int64_t at_least_one(int value)
{
    return value == 0 ? 1 : value;
}

/* --- shapes -------------------------------------------------------------------------------------------------------------- */

static RsdStatus check_axis(const char *name, const ConvAxis *axis, int before, int after, int output_pad, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(axis->stride >= 1 && axis->stride <= SIDE_MAX && axis->dilation >= 1 && axis->k <= SIDE_MAX / axis->dilation, err,
          RSD_ERR_ARG, "%s: kernel %lld, stride %lld, dilation %lld; expected 1 to 2^20", name, (long long)axis->k,
          (long long)axis->stride, (long long)axis->dilation);
    CHECK(llabs(before) <= SIDE_MAX && llabs(after) <= SIDE_MAX && output_pad >= 0 && output_pad <= SIDE_MAX, err, RSD_ERR_ARG,
          "%s: padding %d and %d, output padding %d; expected at most 2^20", name, before, after, output_pad);
fail:
    return status;
}

/* Everything but lengths and `left` of both axes. */
static RsdStatus check_shapes(ConvShape *s, const Tensor *x, const Tensor *w, const Tensor *b, const Conv2dParams *p,
                              bool transposed, RsdError *err)
{
    const char *name = transposed ? "conv_transpose2d" : "conv2d";
    char x_text[SHAPE_TEXT_SIZE], w_text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && w->n_dims == 4 && w->shape[0] > 0 && w->shape[1] > 0 && w->shape[2] > 0 && w->shape[3] > 0, err,
          RSD_ERR_ARG, "%s: input %s and weight %s; both need four axes, and the weight no empty one", name,
          shape_text(x_text, x->n_dims, x->shape), shape_text(w_text, w->n_dims, w->shape));
    CHECK(p->groups >= 0, err, RSD_ERR_ARG, "%s: %d groups", name, p->groups);
    *s = (ConvShape){
        .batch = x->shape[0],
        .groups = at_least_one(p->groups),
        .y = {.k = w->shape[2], .stride = at_least_one(p->stride.down), .dilation = at_least_one(p->dilation.down)},
        .x = {.k = w->shape[3], .stride = at_least_one(p->stride.across), .dilation = at_least_one(p->dilation.across)}};
    TRY(check_axis(name, &s->y, p->pad.top, p->pad.bottom, p->output_pad.down, err));
    TRY(check_axis(name, &s->x, p->pad.left, p->pad.right, p->output_pad.across, err));
    TRY(conv_channels(s, name, x, w, b, transposed, err));
fail:
    return status;
}

static RsdStatus set_lengths(ConvAxis *axis, int64_t n, int before, int after, RsdError *err)
{
    const int64_t span = conv_span(axis);
    RsdStatus status = RSD_OK;

    CHECK(n + before + after >= span, err, RSD_ERR_ARG,
          "conv2d: %lld samples with padding %d and %d are fewer than the %lld the kernel spans", (long long)n, before, after,
          (long long)span);
    axis->n_fine = n;
    axis->n_coarse = (n + before + after - span) / axis->stride + 1;
    axis->left = before;
fail:
    return status;
}

static RsdStatus set_lengths_transposed(ConvAxis *axis, int64_t n, int before, int after, int output_pad, RsdError *err)
{
    const int64_t full = (n - 1) * axis->stride + conv_span(axis);
    RsdStatus status = RSD_OK;

    axis->n_coarse = n;
    axis->n_fine = full - before - after + output_pad;
    axis->left = before;
    CHECK(n >= 1 && axis->n_fine >= 0, err, RSD_ERR_ARG,
          "conv_transpose2d: %lld samples make %lld, of which %d and %d cannot be cut", (long long)n, (long long)full, before,
          after);
fail:
    return status;
}

/* A kernel of one tap sees a picture as one long line. */
static void flatten_if_pointwise(ConvShape *s)
{
    if (s->y.k * s->x.k != 1 || s->y.stride * s->x.stride != 1 || s->y.left != 0 || s->x.left != 0 ||
        s->y.n_fine != s->y.n_coarse || s->x.n_fine != s->x.n_coarse)
        return;
    s->x.n_fine = s->x.n_coarse = s->y.n_fine * s->x.n_fine;
    s->y = CONV_ONE_LINE;
}

/* --- masks ---------------------------------------------------------------------------------------------------------------- */

static float mask_of(ConvMask mask, int64_t v, int64_t u, int64_t k_y, int64_t k_x)
{
    if (mask == CONV_MASK_CHECKERBOARD)
        return (v + u + k_y / 2 + k_x / 2) % 2 == 1 ? 1.0f : 0.0f;
    return v * k_x + u < k_y / 2 * k_x + k_x / 2 ? 1.0f : 0.0f;
}

/* w with zeros where the mask sees nothing. */
static RsdStatus mask_weight(Tape *tape, Tensor **w, ConvMask mask, RsdError *err)
{
    const int64_t k_y = (*w)->shape[2], k_x = (*w)->shape[3];
    float *values;
    Tensor *factor;
    RsdStatus status = RSD_OK;

    if (mask == CONV_MASK_NONE)
        return RSD_OK;
    TRY(arena_alloc(tape->arena, &values, (size_t)(k_y * k_x), sizeof *values, err));
    for (int64_t i = 0; i < k_y * k_x; i++)
        values[i] = mask_of(mask, i / k_x, i % k_x, k_y, k_x);
    TRY(tape_input(tape, &factor, 4, (int64_t[]){1, 1, k_y, k_x}, values, err));
    TRY(op_mul(tape, *w, factor, w, err));
fail:
    return status;
}

RsdStatus op_checkerboard(Tape *tape, Tensor *x, bool keep_odd, Tensor **y, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    float *values;
    Tensor *factor;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4, err, RSD_ERR_ARG, "checkerboard: input %s needs four axes", shape_text(text, x->n_dims, x->shape));
    const int64_t lines = x->shape[2], n = x->shape[3];

    TRY(arena_alloc(tape->arena, &values, (size_t)(lines * n), sizeof *values, err));
    for (int64_t i = 0; i < lines * n; i++)
        values[i] = (i / n + i % n) % 2 == (keep_odd ? 1 : 0) ? 1.0f : 0.0f;
    TRY(tape_input(tape, &factor, 4, (int64_t[]){1, 1, lines, n}, values, err));
    TRY(op_mul(tape, x, factor, y, err));
fail:
    return status;
}

/* --- the ops ------------------------------------------------------------------------------------------------------------- */

static RsdStatus check_reflection(const Tensor *x, const Conv2dParams *p, RsdError *err)
{
    const Sides2d *pad = &p->pad;
    const int64_t least = p->mode == PAD_REFLECT ? 1 : 0, lines = x->shape[2], n = x->shape[3];
    RsdStatus status = RSD_OK;

    CHECK(lines >= 1 && n >= 1 && (least == 0 || (pad->top < lines && pad->bottom < lines && pad->left < n && pad->right < n)),
          err, RSD_ERR_ARG, "conv2d: %lld x %lld samples are too few to pad them by %d, %d, %d, %d", (long long)lines,
          (long long)n, pad->top, pad->bottom, pad->left, pad->right);
fail:
    return status;
}

/* Channels by themselves, the size kept, a small square kernel. */
static bool is_plain_depthwise(const ConvShape *s, const Conv2dParams *p)
{
    const int half = (int)(s->x.k / 2);

    return s->groups > 1 && s->groups == s->c_fine && s->groups == s->c_coarse && s->y.k == s->x.k &&
           (s->x.k == 3 || s->x.k == 5 || s->x.k == 7) && s->x.stride == 1 && s->y.stride == 1 && s->x.dilation == 1 &&
           s->y.dilation == 1 && p->mode == PAD_ZERO && p->pad.top == half && p->pad.bottom == half && p->pad.left == half &&
           p->pad.right == half;
}

/* into: NULL, or where y goes. */
static RsdStatus convolve(Tape *tape, Tensor *x, const Conv2dBranch *branch, bool relu, Tensor *into, Tensor **y, RsdError *err)
{
    const Conv2dParams *p = &branch->p;
    const Sides2d *side = &p->pad;
    const ConvPadMode mode = conv_pad_modes[p->mode];
    Tensor *w = branch->w, *b = branch->b;
    ConvCall call = {.kind = CONV_GATHER, .x = x, .w = w, .b = b, .n_axes = 2, .into = into, .relu = relu};
    ConvShape *s = &call.shape;
    ConvPad2d pad;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(check_shapes(s, x, w, b, p, false, err));
    TRY(set_lengths(&s->y, x->shape[2], side->top, side->bottom, err));
    TRY(set_lengths(&s->x, x->shape[3], side->left, side->right, err));
    if (is_plain_depthwise(s, p) && !into) {
        TRY(mask_weight(tape, &call.w, p->mask, err));
        TRY(op_depthwise(tape, x, call.w, b, y, err));
        return relu ? op_relu(tape, *y, y, err) : RSD_OK;
    }
    if (p->mode != PAD_ZERO && (side->top > 0 || side->bottom > 0 || side->left > 0 || side->right > 0)) {
        TRY(check_reflection(x, p, err));
        pad = (ConvPad2d){.down = {mode, x->shape[2], side->top, side->bottom},
                          .across = {mode, x->shape[3], side->left, side->right}};
        call.pad = &pad;
        s->y.n_fine += side->top + side->bottom;
        s->x.n_fine += side->left + side->right;
        s->y.left = s->x.left = 0;
    }
    call.axes[0] = s->y.n_coarse;
    call.axes[1] = s->x.n_coarse;
    flatten_if_pointwise(s);
    TRY(mask_weight(tape, &call.w, p->mask, err));
    TRY(conv_call(tape, &call, y, err));
fail:
    return status;
}

RsdStatus op_conv2d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv2dParams *p, Tensor **y, RsdError *err)
{
    return convolve(tape, x, &(Conv2dBranch){w, b, *p}, false, NULL, y, err);
}

/* Channels first .. of a tensor of one picture, which lie in one piece. */
static RsdStatus part_of(Tape *tape, const Tensor *whole, int64_t first, int64_t n, Tensor **part, RsdError *err)
{
    RsdStatus status = tape_leaf(tape, whole, false, part, err);

    if (status == RSD_OK) {
        (*part)->data += first * whole->shape[2] * whole->shape[3];
        (*part)->shape[1] = n;
    }
    return status;
}

/* The gradient of each part is a piece of that of the whole. */
static RsdStatus parts_backward(Tape *tape, Node *node, RsdError *err)
{
    (void)tape;
    (void)err;
    for (int i = 0; i < node->n_inputs; i++)
        node->in[i]->grad = node->out->grad + (node->in[i]->data - node->out->data);
    return RSD_OK;
}

/* One picture: every branch writes its channels into the result. */
static RsdStatus branches_of_one(Tape *tape, Tensor *x, const Conv2dBranch *branches, int n, Tensor **y, RsdError *err)
{
    int64_t shape[4] = {1, 0, 0, 0}, first = 0;
    Tensor *whole, *parts[CONV2D_MAX_BRANCHES];
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        const Sides2d *side = &branches[i].p.pad;
        ConvShape s;

        TRY(check_shapes(&s, x, branches[i].w, branches[i].b, &branches[i].p, false, err));
        TRY(set_lengths(&s.y, x->shape[2], side->top, side->bottom, err));
        TRY(set_lengths(&s.x, x->shape[3], side->left, side->right, err));
        CHECK(i == 0 || (s.y.n_coarse == shape[2] && s.x.n_coarse == shape[3]), err, RSD_ERR_ARG,
              "conv2d: branch %d makes %lld x %lld samples, the first one %lld x %lld", i, (long long)s.y.n_coarse,
              (long long)s.x.n_coarse, (long long)shape[2], (long long)shape[3]);
        shape[1] += s.c_coarse;
        shape[2] = s.y.n_coarse;
        shape[3] = s.x.n_coarse;
    }
    TRY(tape_tensor(tape, &whole, 4, shape, err));
    for (int i = 0; i < n; first += branches[i++].w->shape[0]) {
        TRY(part_of(tape, whole, first, branches[i].w->shape[0], &parts[i], err));
        TRY(convolve(tape, x, &branches[i], true, parts[i], &parts[i], err));
    }
    TRY(tape_record(tape, parts_backward, whole, n, parts, NULL, err));
    *y = whole;
fail:
    return status;
}

RsdStatus op_conv2d_relu(Tape *tape, Tensor *x, const Conv2dBranch *branches, int n, Tensor **y, RsdError *err)
{
    Tensor *sides[CONV2D_MAX_BRANCHES];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(n >= 1 && n <= CONV2D_MAX_BRANCHES, err, RSD_ERR_ARG, "conv2d: %d branches; 1 to %d are possible", n,
          CONV2D_MAX_BRANCHES);
    if (n == 1)
        return convolve(tape, x, branches, true, NULL, y, err);
    if (x->n_dims == 4 && x->shape[0] == 1)
        return branches_of_one(tape, x, branches, n, y, err);
    for (int i = 0; i < n; i++)
        TRY(convolve(tape, x, &branches[i], true, NULL, &sides[i], err));
    TRY(op_concat(tape, n, sides, 1, y, err));
fail:
    return status;
}

RsdStatus op_conv_transpose2d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv2dParams *p, Tensor **y, RsdError *err)
{
    const Sides2d *cut = &p->pad;
    ConvCall call = {.kind = CONV_SCATTER, .x = x, .w = w, .b = b, .n_axes = 2};
    ConvShape *s = &call.shape;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(check_shapes(s, x, w, b, p, true, err));
    CHECK(p->mode == PAD_ZERO, err, RSD_ERR_ARG, "conv_transpose2d: padding is cut off, it has no mode");
    TRY(set_lengths_transposed(&s->y, x->shape[2], cut->top, cut->bottom, p->output_pad.down, err));
    TRY(set_lengths_transposed(&s->x, x->shape[3], cut->left, cut->right, p->output_pad.across, err));
    call.axes[0] = s->y.n_fine;
    call.axes[1] = s->x.n_fine;
    flatten_if_pointwise(s);
    TRY(mask_weight(tape, &call.w, p->mask, err));
    TRY(conv_call(tape, &call, y, err));
fail:
    return status;
}

/* --- weights laid out ahead ------------------------------------------------------------------------------------------------ */

static RsdStatus prepare(Tape *tape, Tensor *w, const Conv2dParams *p, bool transposed, RsdError *err)
{
    Tensor x = {.n_dims = 4, .shape = {1, 0, 1, 1}}; /* the size of the picture does not matter to the layout */
    ConvShape s;
    RsdStatus status = RSD_OK;

    CHECK(p->mask == CONV_MASK_NONE, err, RSD_ERR_ARG, "conv2d: a masked weight changes with every call");
    CHECK(w->n_dims == 4, err, RSD_ERR_ARG, "conv2d: a weight needs four axes, not %d", w->n_dims);
    x.shape[1] = transposed ? w->shape[0] : w->shape[1] * at_least_one(p->groups);
    TRY(check_shapes(&s, &x, w, NULL, p, transposed, err));
    for (ConvAxis *axis = &s.x; axis <= &s.y; axis++) {
        axis->n_coarse = 1;
        axis->n_fine = conv_span(axis);
    }
    TRY(conv_prepare(tape, transposed ? CONV_SCATTER : CONV_GATHER, &s, w, err));
fail:
    return status;
}

RsdStatus conv2d_prepare(Tape *tape, Tensor *w, const Conv2dParams *p, RsdError *err)
{
    return prepare(tape, w, p, false, err);
}

RsdStatus conv_transpose2d_prepare(Tape *tape, Tensor *w, const Conv2dParams *p, RsdError *err)
{
    return prepare(tape, w, p, true, err);
}
