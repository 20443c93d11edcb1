/* conv1d.h - one-dimensional convolution and transposed convolution as differentiable ops.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CONV1D_H
#define RESIDUA_OPS_CONV1D_H

#include "engine/base/scratch_file.h"
#include "engine/ops/pad.h"
#include "engine/tape.h"

/* How the fixed padding P = k_e - s, k_e = (k - 1) d + 1, is laid out (audio.md 1.2). */
typedef enum PadRule {
    PAD_NONE,    /* valid convolution */
    PAD_CAUSAL,  /* all of P on the left, `extra` on the right so that the last window is full: ceil(n / s) frames */
    PAD_SAME,    /* right floor(P / 2) + extra, left the rest: ceil(n / s) frames */
    PAD_EXPLICIT /* pad_left and pad_right as given */
} PadRule;

/* Applied to the input on the way into the convolution, saving a pass over memory. */
typedef enum InputActivation { INPUT_PLAIN, INPUT_ELU } InputActivation;

typedef struct Conv1dParams {
    int stride, dilation, groups; /* 0 counts as 1 */
    PadRule rule;
    PadMode mode;
    int pad_left, pad_right;      /* PAD_EXPLICIT; for the transposed convolution: samples cut from the full output */
    int output_pad;               /* transposed only: zeros-fed samples added on the right (torch output_padding) */
    float trim_right_ratio;       /* transposed, PAD_CAUSAL: share of P trimmed on the right, 1 in released models */
    InputActivation activation;
    bool even_chunks;             /* every chunk of a stream begins at an even frame of the slower side: for inference, frames
                                     are then summed two by two where that needs fewer products (conv_pairs.h) */
} Conv1dParams;

/* x [batch, c_in, n], w [c_out, c_in / groups, k], b [c_out] or NULL -> y [batch, c_out, m].
 * PAD_CAUSAL with tape->stream: n must be a multiple of the stride, except in the last chunk, whose last window is completed
 * by padding; the left context comes from the stream. With PAD_REFLECT the first chunk must be longer than the context to begin
 * as the whole signal does; a shorter one begins with zeros.
 * PAD_EXPLICIT with pad_right <= 0 and pad_left + pad_right = k_e - s runs on streams, too: a causal convolution that comes late.
 * Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_conv1d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor **y, RsdError *err);
/* For inference, y += op_conv1d(x): the bits of the convolution and a sum after it, without the memory and the passes of a
 * result between. y must not be x. Errors: RSD_ERR_ARG also when y has another shape or the tape records. */
RsdStatus op_conv1d_onto(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor *y, RsdError *err);
/* x [batch, c_in, n], w [c_in, c_out / groups, k], b [c_out] or NULL -> y [batch, c_out, m]; the full output has
 * (n - 1) s + k_e samples, P = k_e - s of them are trimmed: PAD_CAUSAL ceil(P ratio) on the right and the rest on the left,
 * PAD_SAME floor(P / 2) on the right, PAD_EXPLICIT as given, PAD_NONE nothing. */
RsdStatus op_conv_transpose1d(Tape *tape, Tensor *x, Tensor *w, Tensor *b, const Conv1dParams *p, Tensor **y,
                              RsdError *err);

/* For inference: lays w out for the kernels once, instead of at every call of the op with these parameters. The copy is in
 * the arena of `tape`, which must keep it as long as w is used; until then w must not change. Other tapes may use w, too,
 * also from other threads. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus conv1d_prepare(Tape *tape, Tensor *w, const Conv1dParams *p, RsdError *err);
RsdStatus conv_transpose1d_prepare(Tape *tape, Tensor *w, const Conv1dParams *p, RsdError *err);
/* The same for a weight that waits in a file: conv_prepare_aside. */
RsdStatus conv1d_prepare_aside(Tape *tape, Tensor *w, const Conv1dParams *p, bool transposed, ScratchFile *file, RsdError *err);

#endif
