/* mix.h - linear combinations of the channels of a picture: colour matrices, luma, grey.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_MIX_H
#define RESIDUA_OPS_MIX_H

#include "engine/tape.h"

#define MIX_MAX_CHANNELS 8

/* weights [n_out][n_in], row after row, and what is added to each result. */
typedef struct Mix {
    int n_out, n_in;
    float weights[MIX_MAX_CHANNELS * MIX_MAX_CHANNELS];
    float offset[MIX_MAX_CHANNELS];
} Mix;

/* x [B, n_in, H, W] -> y [B, n_out, H, W]. Errors: RSD_ERR_ARG naming the shape, RSD_ERR_MEMORY. */
RsdStatus op_mix(Tape *tape, const Mix *mix, Tensor *x, Tensor **y, RsdError *err);

#endif
