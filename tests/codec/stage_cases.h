/* stage_cases.h - tiles of a residual quantiser that must be the same bytes and the same latents on every machine, compiler and kernel
 * set, as tile_cases.h has them of rounded latents.
 *
 * A small prior, its codes and the latents are drawn by integers alone. tests/codec/test_picture_rvq.c and tests/portable/main.c run
 * the same cases.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_STAGE_CASES_H
#define RESIDUA_TESTS_STAGE_CASES_H

#include "tests/codec/tile_cases.h"

typedef struct StageCase {
    const char *what;
    int64_t h, w; /* latents */
    int level, strength;
} StageCase;

extern const StageCase stage_cases[];
extern const int n_stage_cases;

/* The prior that all cases share. */
StagePrior *stage_case_prior(void);
void stage_case_prior_destroy(StagePrior **prior);

/* As tile_case_run. */
RsdStatus stage_case_run(TileVector *found, int i, const StagePrior *prior, const Kernels *encoding, const Kernels *decoding, RsdError *err);

#endif
