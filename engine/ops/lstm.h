/* lstm.h - one layer of a long short-term memory, forward in time only; several layers are several calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_LSTM_H
#define RESIDUA_OPS_LSTM_H

#include "engine/tape.h"

/* Rows of the matrices are the gates i, f, g, o of H units each (audio.md 1.3). */
typedef struct LstmWeights {
    Tensor *w_ih; /* [4 H, C] */
    Tensor *w_hh; /* [4 H, H] */
    Tensor *b_ih; /* [4 H] or NULL */
    Tensor *b_hh; /* [4 H] or NULL */
} LstmWeights;

/* x [batch, C, n] -> y [batch, H, n]:
 *   i, f, o = sigma(W x_t + b + V h + c), g = tanh(...);  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t) = y_t
 * The state starts at zero; with tape->stream it is one slot (h then c, [2, batch, H]) carried from chunk to chunk, with the
 * bits of the whole signal. A stream cannot be recorded. Errors: RSD_ERR_ARG naming the shapes, RSD_ERR_MEMORY. */
RsdStatus op_lstm(Tape *tape, Tensor *x, const LstmWeights *weights, Tensor **y, RsdError *err);

/* For inference: lays w_hh [4H, H] out in panels for the kernel, in the tape's arena, where it must stay as long as w_hh is used;
 * w_ih is laid out by linear_prepare. Errors: RSD_ERR_MEMORY. */
RsdStatus lstm_prepare(Tape *tape, Tensor *w_hh, RsdError *err);

#endif
