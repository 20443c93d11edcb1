/* stage_run.h - the networks of models/stage_prior.h at work on one tile: which table each bit of a code has.
 *
 * Integers alone. Positions of a pass are those of models/prior_run.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STAGE_RUN_H
#define RESIDUA_STAGE_RUN_H

#include "models/prior_run.h"
#include "models/stage_prior.h"

typedef struct StageRun StageRun;

/* Takes memory for tiles of up to max_h by max_w latents. prior and kernels are kept. One thread. Errors: RSD_ERR_MEMORY. */
RsdStatus stage_run_create(StageRun **out, const StagePrior *prior, int64_t max_h, int64_t max_w, const IntegerKernels *kernels,
                           RsdError *err);
void stage_run_destroy(StageRun **run);

/* sum [D, h, w]: codes of the stages before, in 1/64; own [D, h, w]: codes of this stage where they are known, 0 elsewhere.
 * -> table [K - 1, n], n = prior_positions(h, w, pass): of node i + 1 at each position. */
void stage_run_tables(StageRun *run, int stage, int pass, const int32_t *sum, const int16_t *own, int64_t h, int64_t w, uint8_t *table);

#endif
