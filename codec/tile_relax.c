/* tile_relax.c - see tile_relax.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_relax.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-12

RsdStatus tile_relax_init(TileRelax *relax, TileObjective *objective, size_t n_y, size_t n_z, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *relax = (TileRelax){.objective = objective};
    TRY(mem_alloc(&relax->y, n_y, sizeof *relax->y, err));
    TRY(mem_alloc(&relax->z, n_z, sizeof *relax->z, err));
    TRY(mem_alloc(&relax->dy, n_y, sizeof *relax->dy, err));
    TRY(mem_alloc(&relax->dz, n_z, sizeof *relax->dz, err));
    for (int i = 0; i < 2; i++) {
        TRY(mem_alloc(&relax->first[i], i ? n_z : n_y, sizeof(float), err));
        TRY(mem_alloc(&relax->second[i], i ? n_z : n_y, sizeof(float), err));
    }
fail:
    return status;
}

void tile_relax_clear(TileRelax *relax)
{
    mem_free(&relax->y);
    mem_free(&relax->z);
    mem_free(&relax->dy);
    mem_free(&relax->dz);
    for (int i = 0; i < 2; i++) {
        mem_free(&relax->first[i]);
        mem_free(&relax->second[i]);
    }
}

void tile_relax_begin(TileRelax *relax)
{
    const size_t n[2] = {(size_t)relax->objective->n_y, (size_t)relax->objective->n_z};

    relax->n_done = 0;
    for (int i = 0; i < 2; i++) {
        memset(relax->first[i], 0, n[i] * sizeof(float));
        memset(relax->second[i], 0, n[i] * sizeof(float));
    }
}

/* unit: of x, in 1 / PRIOR_STEP_UNIT; NULL: 1. */
static void follow(float *x, const float *dx, const int32_t *unit, float *first, float *second, int64_t n, int step, double rate,
                   float limit)
{
    const double fresh1 = 1.0 - pow(BETA1, step), fresh2 = 1.0 - pow(BETA2, step);

    for (int64_t i = 0; i < n; i++) {
        const double g = (double)dx[i], pace = unit ? rate * unit[i] / PRIOR_STEP_UNIT : rate;

        first[i] = (float)(BETA1 * (double)first[i] + (1.0 - BETA1) * g);
        second[i] = (float)(BETA2 * (double)second[i] + (1.0 - BETA2) * g * g);
        x[i] -= (float)(pace * ((double)first[i] / fresh1) / (sqrt((double)second[i] / fresh2) + EPSILON));
        x[i] = fmaxf(-limit, fminf(limit, x[i]));
    }
}

RsdStatus tile_relax_step(TileRelax *relax, const RelaxRun *run, TileValue *value, RsdError *err)
{
    TileObjective *o = relax->objective;
    const double done = (double)relax->n_done / run->n_steps;
    const TileRelaxation how = {.rounding = run->rounding,
                                .temperature = run->hot * powf(run->cold / run->hot, (float)done),
                                .seed = run->seed,
                                .step = (uint64_t)relax->n_done};
    const double rate = (double)run->rate * 0.5 * (1.0 + cos(M_PI * done));
    RsdStatus status = RSD_OK;

    TRY(tile_objective_relaxed(o, &how, relax->z, relax->y, relax->dz, relax->dy, value, err));
    relax->n_done++;
    follow(relax->y, relax->dy, o->step, relax->first[0], relax->second[0], o->n_y, relax->n_done, rate, TILE_LATENT_LIMIT);
    follow(relax->z, relax->dz, NULL, relax->first[1], relax->second[1], o->n_z, relax->n_done, rate, IMAGE_Z_LIMIT);
fail:
    return status;
}
