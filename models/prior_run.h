/* prior_run.h - the integer prior of a picture codec at work on one tile: what an entropy coder must know before each of its
 * runs of symbols. The layers are those of models/image_codec.h; integers alone, so the numbers are the same everywhere.
 *
 *   z known       prior_run_begin
 *                 prior_run_anchors -> mean, index of the anchors      the coder gets their k
 *   anchors known prior_run_others  -> mean, index of the others       the coder gets their k
 *
 * Positions of a pass follow each other row by row; anchors are those with row + column even. z [H, ceil(h / 4), ceil(w / 4)]
 * makes psi for 4 ceil(h / 4) by 4 ceil(w / 4) positions, of which the first h rows and w columns are used; the context sees
 * zeros outside h by w.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PRIOR_RUN_H
#define RESIDUA_PRIOR_RUN_H

#include "engine/base/threads.h"
#include "models/image_codec.h"

#define PRIOR_FRACTION 64 /* means and y^ count 1/64 */

typedef struct PriorRun PriorRun;

/* Takes memory for tiles of up to max_h by max_w latents. prior and kernels are kept. Errors: RSD_ERR_MEMORY. */
RsdStatus prior_run_create(PriorRun **out, const IntegerPrior *prior, int64_t max_h, int64_t max_w,
                           const IntegerKernels *kernels, RsdError *err);
void prior_run_destroy(PriorRun **run);
/* Layers are shared out over threads (kept; NULL, as at first: the calling one alone); not to be used from inside a task of theirs. */
void prior_run_share(PriorRun *run, RsdThreads *threads);

/* z [H, ceil(h / 4), ceil(w / 4)] within IMAGE_Z_LIMIT; level 0 .. IMAGE_LEVEL_MAX. */
void prior_run_begin(PriorRun *run, int level, const int16_t *z, int64_t h, int64_t w);
/* mean, index [M, n], n = prior_positions(h, w, 0); index is a row of the scale grid. */
void prior_run_anchors(PriorRun *run, int16_t *mean, uint8_t *index);
/* anchors: prior_latent of each, [M, prior_positions(h, w, 0)] -> mean, index [M, prior_positions(h, w, 1)]. */
void prior_run_others(PriorRun *run, const int32_t *anchors, int16_t *mean, uint8_t *index);

/* Positions of pass 0 (anchors) or 1 (others). */
static inline int64_t prior_positions(int64_t h, int64_t w, int pass)
{
    return (h * w + 1 - pass) / 2;
}

/* The first column of a pass in a row; then every second one. */
static inline int64_t prior_first_column(int64_t row, int pass)
{
    return (row + pass) % 2;
}

/* y^ in 1/64. */
static inline int32_t prior_latent(int k, int mean)
{
    return PRIOR_FRACTION * k + mean;
}

#endif
