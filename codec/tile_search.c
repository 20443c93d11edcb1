/* tile_search.c - sweeps over the latents of a tile: straight-through rounding with the curvature of each channel as its step, annealed.
 *
 * Each latent has an aim, a real number. A sweep codes the aims rounded, bits against errors weighed by the curvature, takes the slope
 * of J there as if nothing had been rounded, and moves each aim towards where a parabola through the loss would be lowest. All move at
 * once, so the curvature counts more than it is. In long searches noise that fades shakes the aims, which leads out of choices that no
 * latent alone can better.
 *
 * [1] image.md 9.1, 9.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_search.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define LATENT_LIMIT 32767.0f
#define PER_CODED (TILE_FRACTION / PRIOR_FRACTION)   /* units of tile_encode in those of y^ */
#define BITS_PER_SQUARE (6.0 / 0.69314718055994531)  /* the balance behind TILE_WEIGHT_UNIT */
#define CARE 1.5     /* the curvature counts so many times */
#define FARTHEST 2.0 /* steps that a latent may want to move */
#define FAST_SWEEPS 4
#define FAST_PACE 0.5
#define SLOW_PACE 0.3
#define LEAST_PACE 0.02
#define CALM_SWEEPS 10 /* before there is noise */

/* What an effort does after the two ways of rounding. */
typedef struct Schedule {
    int sweeps;
    float heat; /* width of the noise at its beginning, in steps */
} Schedule;

static const Schedule SCHEDULES[SEARCH_LAST_EFFORT + 1] = {
    [3] = {1, 0}, [4] = {2, 0}, [5] = {4, 0}, [6] = {60, 0.3f}, [7] = {150, 0.6f}, [8] = {400, 0.6f}, [9] = {1000, 0.6f},
};

struct TileSearch {
    TileSearchOptions options;
    TileObjective *objective;
    float *aim, *slope; /* of each latent, in steps of 1 */
    int32_t *choice; /* what is given to tile_encode */
    int16_t *choice_z;
    int32_t *weight; /* [M] */
    double *curvature; /* [M] */
    int32_t *best_coded; /* y^ of the best */
    int16_t *best_z;
    TileFound found;
    SearchProgress progress;
};

/* ---- life ---- */

RsdStatus tile_search_create(TileSearch **out, const TileSearchOptions *options, RsdError *err)
{
    const ImageCodecConfig *config = &options->objective.model->codec->config;
    const PictureTile largest = picture_tile(options->objective.info, 0);
    const size_t n_y = (size_t)(config->latent * largest.latent_h * largest.latent_w);
    const size_t n_z = (size_t)(config->hyper * ((largest.latent_h + 3) / 4) * ((largest.latent_w + 3) / 4));
    TileSearch *search = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&search, 1, sizeof *search, err));
    search->options = *options;
    TRY(tile_objective_create(&search->objective, &options->objective, err));
    TRY(mem_alloc(&search->aim, n_y, sizeof *search->aim, err));
    TRY(mem_alloc(&search->slope, n_y, sizeof *search->slope, err));
    TRY(mem_alloc(&search->choice, n_y, sizeof *search->choice, err));
    TRY(mem_alloc(&search->choice_z, n_z, sizeof *search->choice_z, err));
    TRY(mem_alloc(&search->best_coded, n_y, sizeof *search->best_coded, err));
    TRY(mem_alloc(&search->best_z, n_z, sizeof *search->best_z, err));
    TRY(mem_alloc(&search->weight, (size_t)config->latent, sizeof *search->weight, err));
    TRY(mem_alloc(&search->curvature, (size_t)config->latent, sizeof *search->curvature, err));
    *out = search;
    return RSD_OK;
fail:
    tile_search_destroy(&search);
    return status;
}

void tile_search_destroy(TileSearch **search)
{
    TileSearch *old = *search;

    if (!old)
        return;
    tile_objective_destroy(&old->objective);
    mem_free(&old->aim);
    mem_free(&old->slope);
    mem_free(&old->choice);
    mem_free(&old->choice_z);
    mem_free(&old->best_coded);
    mem_free(&old->best_z);
    mem_free(&old->weight);
    mem_free(&old->curvature);
    mem_free(search);
}

/* ---- choices ---- */

/* NaN, which only a damaged model makes, becomes 0. */
static float bounded(float v, float limit)
{
    return v > -limit ? v < limit ? v : limit : v <= -limit ? -limit : 0.0f;
}

static void choose_near(TileSearch *search, const float *y)
{
    for (int64_t i = 0; i < search->objective->n_y; i++)
        search->choice[i] = (int32_t)lrintf(bounded(y[i], LATENT_LIMIT) * TILE_FRACTION);
    for (int64_t i = 0; i < search->objective->n_z; i++)
        search->choice_z[i] = (int16_t)lrintf(bounded(search->objective->z[i], IMAGE_Z_LIMIT));
}

/* Codes the choice and keeps it where it is better. */
static RsdStatus consider(TileSearch *search, const TileRounding *rounding, RsdError *err)
{
    const TileObjective *o = search->objective;
    TileValue value;
    RsdStatus status = RSD_OK;

    TRY(tile_objective_code(search->objective, rounding, search->choice_z, search->choice, &value, err));
    if (!(value.objective >= search->found.best.objective)) { /* there is no best at first */
        search->found.best = value;
        memcpy(search->best_coded, o->coded, (size_t)o->n_y * sizeof *o->coded);
        memcpy(search->best_z, search->choice_z, (size_t)o->n_z * sizeof *search->choice_z);
    }
fail:
    return status;
}

/* False: no more. */
static bool may_go_on(TileSearch *search)
{
    const TileSearchOptions *options = &search->options;

    search->progress.step++;
    search->progress.best = search->found.best;
    if (!search->found.stopped && options->on_progress)
        search->found.stopped = !options->on_progress(options->progress_ctx, &search->progress);
    return !search->found.stopped;
}

static RsdStatus round_off(TileSearch *search, int effort, RsdError *err)
{
    RsdStatus status = RSD_OK;

    search->found.best.objective = NAN;
    choose_near(search, search->objective->y);
    TRY(consider(search, &(TileRounding){.strength = 0}, err));
    if (effort > 1)
        TRY(consider(search, &(TileRounding){.strength = SEARCH_ROUNDING}, err));
    search->found.rounded = search->found.best;
fail:
    return status;
}

/* ---- sweeps ---- */

/* An error of a channel counts by its curvature. */
static void weigh(TileSearch *search)
{
    const TileObjective *o = search->objective;

    for (int c = 0; c < o->options.model->codec->config.latent; c++) {
        const double weight = 0.5 * CARE * search->curvature[c] * (double)o->n_pixels / BITS_PER_SQUARE * TILE_WEIGHT_UNIT;

        search->weight[c] = (int32_t)lrint(fmin(weight, TILE_MAX_WEIGHT));
    }
}

/* Aims move a part of the way (`pace`) to where the parabola around y^ as it is now has its lowest point. */
static void move_aims(TileSearch *search, double pace)
{
    const TileObjective *o = search->objective;
    const int64_t n = o->n_y / o->options.model->codec->config.latent;

    for (int64_t i = 0; i < o->n_y; i++) {
        const double curvature = CARE * search->curvature[i / n];
        const double move = curvature > 0 ? -(double)search->slope[i] / curvature : 0.0;
        const double lowest = (double)o->coded[i] / PRIOR_FRACTION + fmax(-FARTHEST, fmin(FARTHEST, move));

        search->aim[i] += (float)(pace * (lowest - (double)search->aim[i]));
    }
}

static void shake_aims(TileSearch *search, int step, double width)
{
    Rng rng = rng_at(search->options.seed + (uint64_t)search->progress.tile, RNG_MODEL, (uint64_t)step, 0);

    for (int64_t i = 0; i < search->objective->n_y; i++)
        search->aim[i] += (float)(width * ((double)rng_uniform(&rng) - 0.5));
}

static RsdStatus sweep(TileSearch *search, double pace, RsdError *err)
{
    const TileRounding rounding = {.strength = TILE_STRENGTH_UNIT, .weight = search->weight};
    double bpp;
    RsdStatus status = RSD_OK;

    TRY(tile_objective_slope(search->objective, search->choice_z, search->slope, &bpp, err));
    move_aims(search, pace);
    choose_near(search, search->aim);
    TRY(consider(search, &rounding, err));
fail:
    return status;
}

static RsdStatus run_sweeps(TileSearch *search, const Schedule *schedule, RsdError *err)
{
    RsdStatus status = RSD_OK;

    memcpy(search->aim, search->objective->y, (size_t)search->objective->n_y * sizeof *search->aim);
    TRY(tile_objective_curvature(search->objective, search->curvature, err));
    weigh(search);
    for (int i = 0; i < schedule->sweeps; i++) {
        const double left = 1.0 - (double)i / schedule->sweeps;

        if (i >= CALM_SWEEPS)
            shake_aims(search, i, (double)schedule->heat * left);
        TRY(sweep(search, i < FAST_SWEEPS ? FAST_PACE : SLOW_PACE * left + LEAST_PACE, err));
        if (!may_go_on(search))
            break;
    }
fail:
    return status;
}

/* What training would estimate for the bits of the best choice. */
static RsdStatus estimate_best(TileSearch *search, RsdError *err)
{
    TileObjective *o = search->objective;

    memcpy(o->coded, search->best_coded, (size_t)o->n_y * sizeof *o->coded);
    return tile_objective_slope(o, search->best_z, search->slope, &search->found.estimated_bpp, err);
}

/* ---- the whole ---- */

RsdStatus tile_search_run(TileSearch *search, int64_t number, int level, int effort, int16_t *z, int32_t *y, TileFound *found,
                          RsdError *err)
{
    const Schedule *schedule = &SCHEDULES[effort];
    TileObjective *o = search->objective;
    RsdStatus status = RSD_OK;

    memset(&search->found, 0, sizeof search->found);
    search->progress =
        (SearchProgress){.tile = number, .n_tiles = search->options.objective.info->n_tiles, .n_steps = schedule->sweeps};
    TRY(tile_objective_begin(o, number, level, err));
    TRY(round_off(search, effort, err));
    if (schedule->sweeps > 0) {
        TRY(run_sweeps(search, schedule, err));
        TRY(estimate_best(search, err));
    }
    for (int64_t i = 0; i < o->n_y; i++)
        y[i] = search->best_coded[i] * PER_CODED;
    memcpy(z, search->best_z, (size_t)o->n_z * sizeof *z);
    *found = search->found;
fail:
    return status;
}
