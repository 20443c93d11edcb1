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
/* What is known of the latents of a pass before they are coded, [M, n] each, n = prior_positions(h, w, pass). */
typedef struct PriorGuess {
    int16_t *mean;
    uint8_t *index; /* a row of the scale grid */
    int8_t *row;    /* of its step, PRIOR_LOWEST_STEP .. PRIOR_HIGHEST_STEP */
} PriorGuess;

void prior_run_anchors(PriorRun *run, const PriorGuess *guess);
/* anchors: prior_latent of each, [M, prior_positions(h, w, 0)]. */
void prior_run_others(PriorRun *run, const int32_t *anchors, const PriorGuess *guess);

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

#define PRIOR_LOWEST_STEP (-16)
#define PRIOR_HIGHEST_STEP 24
#define PRIOR_STEP_UNIT 1024

/* The step of a row in 1 / PRIOR_STEP_UNIT: (20 / 0.11)^(row / 63), as scales grow from one row of their grid to the next. */
static inline int32_t prior_step(int row)
{
    static const int16_t steps[PRIOR_HIGHEST_STEP - PRIOR_LOWEST_STEP + 1] = {
        273, 297, 322, 350, 380, 413, 448, 487, 529, 574, 624, 678, 736, 799,
        868, 943, 1024, 1112, 1208, 1312, 1425, 1548, 1681, 1825, 1983, 2153, 2339, 2540,
        2759, 2996, 3254, 3534, 3839, 4169, 4528, 4918, 5341, 5801, 6301, 6843, 7432};

    return steps[row - PRIOR_LOWEST_STEP];
}

/* y^ in 1/64. */
static inline int32_t prior_latent(int k, int mean, int row)
{
    return (int32_t)integer_shift_down((int64_t)k * prior_step(row) + 8, 4) + mean;
}

#endif
