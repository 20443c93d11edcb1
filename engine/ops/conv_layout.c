/* conv_layout.c - checks of convolution shapes and the padding rules of audio.md 1.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv_layout.h"

#include <math.h>

#define SIDE_MAX ((int64_t)1 << 30) /* longest kernel span, padding or stride: sums of them stay far from overflow */

static int64_t at_least_one(int value)
{
    return value == 0 ? 1 : value;
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

static int64_t floor_half(int64_t a)
{
    return a >= 0 ? a / 2 : -((1 - a) / 2);
}

RsdStatus conv_channels(ConvShape *s, const char *name, const Tensor *x, const Tensor *w, const Tensor *b, bool transposed,
                        RsdError *err)
{
    char x_text[SHAPE_TEXT_SIZE], w_text[SHAPE_TEXT_SIZE];
    int64_t c_out;
    RsdStatus status = RSD_OK;

    s->c_coarse = w->shape[0];
    s->c_fine = w->shape[1] * s->groups;
    c_out = transposed ? s->c_fine : s->c_coarse;
    CHECK(x->shape[1] == (transposed ? s->c_coarse : s->c_fine) && s->c_coarse % s->groups == 0, err, RSD_ERR_ARG,
          "%s: input %s does not fit weight %s with %lld groups", name, shape_text(x_text, x->n_dims, x->shape),
          shape_text(w_text, w->n_dims, w->shape), (long long)s->groups);
    CHECK(!b || (b->n_dims == 1 && b->shape[0] == c_out), err, RSD_ERR_ARG, "%s: bias %s for %lld output channels", name,
          shape_text(x_text, b->n_dims, b->shape), (long long)c_out);
fail:
    return status;
}

/* Fills everything but n_fine, n_coarse and left. `per_group` channels of w's second axis make `c_axis1` in all. */
static RsdStatus check_shapes(ConvShape *s, const Tensor *x, const Tensor *w, const Tensor *b, const Conv1dParams *p,
                              bool transposed, RsdError *err)
{
    const char *name = transposed ? "conv_transpose1d" : "conv1d";
    char x_text[SHAPE_TEXT_SIZE], w_text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 3 && w->n_dims == 3 && w->shape[0] > 0 && w->shape[1] > 0 && w->shape[2] > 0, err, RSD_ERR_ARG,
          "%s: input %s and weight %s; both need three axes, and the weight no empty one", name,
          shape_text(x_text, x->n_dims, x->shape), shape_text(w_text, w->n_dims, w->shape));
    CHECK(p->stride >= 0 && p->dilation >= 0 && p->groups >= 0 && p->output_pad >= 0, err, RSD_ERR_ARG,
          "%s: stride %d, dilation %d, groups %d, output padding %d; none may be negative", name, p->stride, p->dilation,
          p->groups, p->output_pad);
    *s = (ConvShape){.batch = x->shape[0], .groups = at_least_one(p->groups), .y = CONV_ONE_LINE, .pairs = p->even_chunks,
                     .x = {.k = w->shape[2], .stride = at_least_one(p->stride), .dilation = at_least_one(p->dilation)}};
    CHECK(s->x.k <= SIDE_MAX / s->x.dilation && s->x.stride <= SIDE_MAX && p->pad_left <= SIDE_MAX && p->pad_right <= SIDE_MAX &&
              p->pad_left >= -SIDE_MAX && p->pad_right >= -SIDE_MAX,
          err, RSD_ERR_ARG, "%s: kernel %lld with dilation %d, stride %d, padding %d and %d; all must stay below 2^30", name,
          (long long)s->x.k, p->dilation, p->stride, p->pad_left, p->pad_right);
    TRY(conv_channels(s, name, x, w, b, transposed, err));
fail:
    return status;
}

RsdStatus conv_layout(ConvLayout *out, const Tensor *x, const Tensor *w, const Tensor *b, const Conv1dParams *p,
                      RsdError *err)
{
    ConvShape *s = &out->shape;
    int64_t n = x->shape[2], span, fixed;
    RsdStatus status = RSD_OK;

    *out = (ConvLayout){.left = 0};
    TRY(check_shapes(s, x, w, b, p, false, err));
    span = conv_span(&s->x);
    fixed = span - s->x.stride;
    switch (p->rule) {
    case PAD_NONE:
        break;
    case PAD_EXPLICIT:
        out->left = p->pad_left;
        out->right = p->pad_right;
        break;
    case PAD_CAUSAL:
        out->left = fixed;
        break;
    case PAD_SAME:
        out->right = floor_half(fixed);
        out->left = fixed - out->right;
        break;
    }
    if (p->rule == PAD_CAUSAL || p->rule == PAD_SAME) {
        s->x.n_coarse = ceil_div(n, s->x.stride);
        out->right += s->x.n_coarse * s->x.stride - n; /* so that the last window is full */
    } else {
        CHECK(n + out->left + out->right >= span, err, RSD_ERR_ARG,
              "conv1d: %lld samples with padding %lld and %lld are fewer than the %lld the kernel spans", (long long)n,
              (long long)out->left, (long long)out->right, (long long)span);
        s->x.n_coarse = (n + out->left + out->right - span) / s->x.stride + 1;
    }
    s->x.n_fine = n;
    s->x.left = out->left;
fail:
    return status;
}

RsdStatus conv_layout_transposed(ConvLayout *out, const Tensor *x, const Tensor *w, const Tensor *b,
                                 const Conv1dParams *p, RsdError *err)
{
    ConvShape *s = &out->shape;
    int64_t n = x->shape[2], fixed, full;
    RsdStatus status = RSD_OK;

    *out = (ConvLayout){.left = 0};
    TRY(check_shapes(s, x, w, b, p, true, err));
    fixed = conv_span(&s->x) - s->x.stride;
    if (fixed < 0)
        fixed = 0; /* a kernel shorter than its stride has nothing to trim */
    switch (p->rule) {
    case PAD_NONE:
        break;
    case PAD_EXPLICIT:
        out->left = p->pad_left;
        out->right = p->pad_right;
        break;
    case PAD_CAUSAL:
        CHECK(p->trim_right_ratio >= 0.0f && p->trim_right_ratio <= 1.0f, err, RSD_ERR_ARG,
              "conv_transpose1d: trim_right_ratio %g, expected 0 to 1", (double)p->trim_right_ratio);
        out->right = (int64_t)ceil((double)fixed * (double)p->trim_right_ratio);
        out->left = fixed - out->right;
        break;
    case PAD_SAME:
        out->right = floor_half(fixed);
        out->left = fixed - out->right;
        break;
    }
    full = n > 0 ? (n - 1) * s->x.stride + conv_span(&s->x) : out->left + out->right;
    CHECK(n > 0 || p->rule != PAD_EXPLICIT, err, RSD_ERR_ARG, "conv_transpose1d: no input frames");
    s->x.n_coarse = n;
    s->x.n_fine = full - out->left - out->right + p->output_pad;
    s->x.left = out->left;
    CHECK(s->x.n_fine >= 0, err, RSD_ERR_ARG, "conv_transpose1d: %lld samples, %lld and %lld are to be cut off",
          (long long)full, (long long)out->left, (long long)out->right);
fail:
    return status;
}
