/* mel.h - mel projection of spectrograms as a differentiable op.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_MEL_H
#define RESIDUA_OPS_MEL_H

#include "engine/dsp/mel.h"
#include "engine/tape.h"

/* x [.., bins, frames] -> y [.., n_mels, frames]. The bank is borrowed until the tape is reset.
 * Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_mel(Tape *tape, const MelBank *mel, Tensor *x, Tensor **y, RsdError *err);

#endif
