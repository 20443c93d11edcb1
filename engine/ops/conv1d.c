/* conv1d.c - convolution and transposed convolution: padding or stream context, then the kernels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv1d.h"

#include <stdlib.h>

#include "engine/ops/conv_layout.h"
#include "engine/ops/conv_run.h"
#include "engine/stream.h"

/* The slot with `n_context` samples of every row of x. A layer that looks back at nothing has no slot. */
static RsdStatus take_context(Tape *tape, const Tensor *x, int64_t n_context, float **context, RsdError *err)
{
    *context = NULL;
    if (n_context <= 0)
        return RSD_OK;
    return stream_slot(tape->stream, context, (size_t)(x->shape[0] * x->shape[1] * n_context), err);
}

static RsdStatus run_conv1d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor *onto, Tensor **y,
                            RsdError *err)
{
    ConvLayout layout;
    ConvCall call;
    ConvPad2d pad;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(conv_layout(&layout, x, w, b, p, err));
    call = (ConvCall){.kind = CONV_GATHER, .shape = layout.shape, .elu = p->activation == INPUT_ELU, .x = x, .w = w, .b = b,
                      .n_axes = 1, .axes = {layout.shape.x.n_coarse}, .onto = onto};
    if (tape->stream) {
        /* Explicit padding that only looks back is causal with a delay: it cuts off on the right what it adds on the left. */
        bool looks_back = p->rule == PAD_EXPLICIT && layout.right <= 0 &&
                          layout.left + layout.right == conv_span(&layout.shape.x) - layout.shape.x.stride;
        bool is_local = conv_span(&layout.shape.x) == layout.shape.x.stride && layout.left == 0 && layout.right == 0;

        CHECK(!tape->recording, err, RSD_ERR_ARG, "conv1d: a stream cannot be recorded for training");
        if (x->shape[2] % layout.shape.x.stride != 0) {
            CHECK(stream_is_last(tape->stream), err, RSD_ERR_ARG,
                  "conv1d: a chunk of %lld samples is not a multiple of the stride %lld", (long long)x->shape[2],
                  (long long)layout.shape.x.stride);
            TRY(op_pad(tape, x, 0, layout.shape.x.stride - x->shape[2] % layout.shape.x.stride, p->mode, &x, err));
            TRY(conv_layout(&layout, x, w, b, p, err));
            call.shape = layout.shape;
            call.axes[0] = layout.shape.x.n_coarse;
            call.x = x;
        }
        CHECK(p->rule == PAD_CAUSAL || looks_back || is_local, err, RSD_ERR_ARG,
              "conv1d: only causal convolutions run on a stream");
        CHECK(p->mode != PAD_REPLICATE || layout.left <= 0, err, RSD_ERR_ARG, "conv1d: a stream needs zero or reflect padding");
        TRY(take_context(tape, x, layout.left, &call.context, err));
        /* A first chunk too short to be reflected begins with zeros. */
        if (p->mode == PAD_REFLECT && call.context && stream_is_first(tape->stream) && x->shape[2] > layout.left)
            conv_reflect_context(call.context, layout.left, x->shape[0] * x->shape[1], x->data, x->shape[2]);
    } else if (p->mode != PAD_ZERO && (layout.left > 0 || layout.right > 0)) {
        pad = (ConvPad2d){
            .down = {.n = 1},
            .across = {.mode = conv_pad_modes[p->mode], .n = x->shape[2], .left = layout.left, .right = layout.right}};
        call.pad = &pad;
        call.shape.x.n_fine = layout.left + x->shape[2] + layout.right;
        call.shape.x.left = 0;
    }
    TRY(conv_call(tape, &call, y, err));
fail:
    return status;
}

RsdStatus op_conv1d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor **y, RsdError *err)
{
    return run_conv1d(tape, x, w, b, p, NULL, y, err);
}

RsdStatus op_conv1d_onto(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor *y, RsdError *err)
{
    Tensor *same;

    return run_conv1d(tape, x, w, b, p, y, &same, err);
}

RsdStatus op_conv_transpose1d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor **y,
                              RsdError *err)
{
    ConvLayout layout;
    ConvCall call;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(conv_layout_transposed(&layout, x, w, b, p, err));
    call = (ConvCall){.kind = CONV_SCATTER, .shape = layout.shape, .elu = p->activation == INPUT_ELU, .x = x, .w = w, .b = b,
                      .n_axes = 1, .axes = {layout.shape.x.n_fine}};
    if (tape->stream) {
        const ConvShape *s = &layout.shape;

        CHECK(!tape->recording, err, RSD_ERR_ARG, "conv_transpose1d: a stream cannot be recorded for training");
        CHECK(s->x.left == 0 && s->x.n_fine == s->x.n_coarse * s->x.stride, err, RSD_ERR_ARG,
              "conv_transpose1d: on a stream a chunk of %lld frames must give %lld samples, not %lld after a cut of %lld: "
              "causal with trim_right_ratio 1",
              (long long)s->x.n_coarse, (long long)(s->x.n_coarse * s->x.stride), (long long)s->x.n_fine, (long long)s->x.left);
        TRY(take_context(tape, x, conv_reach(&s->x), &call.context, err));
    }
    TRY(conv_call(tape, &call, y, err));
fail:
    return status;
}

/* The shape of a signal that w fits, long enough for its padding; the length does not matter to the layout. */
static Tensor stand_in(const Tensor *w, const Conv1dParams *p, bool transposed)
{
    int64_t groups = p->groups ? p->groups : 1, span = 1 + (w->shape[2] - 1) * (p->dilation ? p->dilation : 1);

    return (Tensor){.n_dims = 3,
                    .shape = {1, transposed ? w->shape[0] : w->shape[1] * groups,
                              span + llabs(p->pad_left) + llabs(p->pad_right)}};
}

RsdStatus conv1d_prepare(Tape *tape, Tensor *w, const Conv1dParams *p, RsdError *err)
{
    Tensor x = stand_in(w, p, false);
    ConvLayout layout;
    RsdStatus status = conv_layout(&layout, &x, w, NULL, p, err);

    return status == RSD_OK ? conv_prepare(tape, CONV_GATHER, &layout.shape, w, err) : status;
}

RsdStatus conv_transpose1d_prepare(Tape *tape, Tensor *w, const Conv1dParams *p, RsdError *err)
{
    Tensor x = stand_in(w, p, true);
    ConvLayout layout;
    RsdStatus status = conv_layout_transposed(&layout, &x, w, NULL, p, err);

    return status == RSD_OK ? conv_prepare(tape, CONV_SCATTER, &layout.shape, w, err) : status;
}

RsdStatus conv1d_prepare_aside(Tape *tape, Tensor *w, const Conv1dParams *p, bool transposed, ScratchFile *file, RsdError *err)
{
    Tensor x = stand_in(w, p, transposed);
    ConvLayout layout;
    RsdStatus status = (transposed ? conv_layout_transposed : conv_layout)(&layout, &x, w, NULL, p, err);

    return status == RSD_OK ? conv_prepare_aside(tape, transposed ? CONV_SCATTER : CONV_GATHER, &layout.shape, w, file, err) : status;
}
