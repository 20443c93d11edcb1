/* tile_relax.h - descent on latents that may lie between whole numbers: soft rounding, or stochastic Gumbel annealing (SGA).
 *
 * y and z are real numbers. In each step they are relaxed: softly rounded, or drawn between their two neighbours by a Gumbel softmax,
 * which mixes less and less; J of what comes out has gradients, and Adam follows them. In the end the relaxation is nearly the rounding,
 * and most latents stand near whole numbers.
 *
 * [1] Yang, Bamler, Mandt, Improving Inference for Neural Image Compression, 2020.   [2] image.md 9.1, 9.2.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TILE_RELAX_H
#define RESIDUA_TILE_RELAX_H

#include "codec/tile_objective.h"

typedef struct TileRelax {
    TileObjective *objective;
    float *y, *z; /* [n_y], [n_z] of the objective's tile: set them first */
    float *dy, *dz;
    float *first[2], *second[2]; /* moments of Adam, of y and of z */
    int n_done; /* since tile_relax_begin */
} TileRelax;

/* For tiles of up to n_y and n_z latents. objective: kept. Errors: RSD_ERR_MEMORY. */
RsdStatus tile_relax_init(TileRelax *relax, TileObjective *objective, size_t n_y, size_t n_z, RsdError *err);
void tile_relax_clear(TileRelax *relax);

/* A run of n_steps, from the latents as they are. */
typedef struct RelaxRun {
    LatentRounding rounding; /* ROUND_ALL_SOFT or ROUND_STOCHASTIC */
    int n_steps;
    float hot, cold; /* temperature in the beginning, and in the end */
    float rate;      /* of Adam in the beginning, in steps of 1; falls as a cosine */
    uint64_t seed;
} RelaxRun;
void tile_relax_begin(TileRelax *relax);
/* The next step; *value: J of the relaxed latents before it. Errors: those of tile_objective_relaxed. */
RsdStatus tile_relax_step(TileRelax *relax, const RelaxRun *run, TileValue *value, RsdError *err);

#endif
