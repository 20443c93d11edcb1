/* spectrum.h - what losses make of complex spectrograms [rows, 2, bins, frames] (see stft.h).
 *
 * Logarithms with a floor are op_log10 and op_log of arithmetic.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_SPECTRUM_H
#define RESIDUA_OPS_SPECTRUM_H

#include "engine/tape.h"

/* y [rows, bins, frames] = sqrt(max(|X|^2, floor)), floor >= 0; gradient 0 below the floor and at 0.
 * Errors, for all here: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_magnitude(Tape *tape, Tensor *x, float floor, Tensor **y, RsdError *err);
/* y [rows, bins, frames] = |X|^2. */
RsdStatus op_power(Tape *tape, Tensor *x, Tensor **y, RsdError *err);
/* y [shape of x] = X (|X|^2 + eps)^((exponent - 1) / 2): amplitude to the power `exponent` in [0, 2], phase kept
 * (audio.md 7.5 with 0.3). eps > 0 keeps the gradient finite at 0. */
RsdStatus op_compress(Tape *tape, Tensor *x, float exponent, float eps, Tensor **y, RsdError *err);

#endif
