/* octave_resample.h - changes a rate the way Octave's resample does, because STOI is defined on its output.
 *
 * For everything else use media/resampler.h, which is faster and better.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OCTAVE_RESAMPLE_H
#define RESIDUA_OCTAVE_RESAMPLE_H

#include <stdint.h>

#include "engine/base/error.h"

/* x [n] at from_hz -> *y [ceil(n * to_hz / from_hz)] at to_hz, owned by the caller (mem_free). Zeros outside the
 * signal. Equal rates copy. Errors: RSD_ERR_ARG (rates whose filter would be longer than 2^26 samples), RSD_ERR_MEMORY.
 * [audio.md 8.6, step 1] */
RsdStatus octave_resample(const float *x, int64_t n, int from_hz, int to_hz, double **y, int64_t *n_out, RsdError *err);

#endif
