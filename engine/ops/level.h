/* level.h - brings signals to one level, as a differentiable op.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_LEVEL_H
#define RESIDUA_OPS_LEVEL_H

#include "engine/tape.h"

/* x [.., n] -> y of that shape: each row without its mean, scaled so that its largest magnitude is `peak`:
 *   c = x - mean x,  y = peak c / (max |c| + 1e-9)
 * The gradient goes through the mean and the peak as well; of several places with the largest magnitude the first counts.
 * What DAC's critics see, with peak 0.8 (audio.md 2.5). Errors: RSD_ERR_ARG for rows of no samples, RSD_ERR_MEMORY. */
RsdStatus op_peak_level(Tape *tape, Tensor *x, float peak, Tensor **y, RsdError *err);

#endif
