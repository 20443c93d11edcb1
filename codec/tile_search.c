/* tile_search.c - stages that follow each other, each from where the one before it ended: sweeps, then relaxed descents.
 *
 * Each latent has an aim, a real number. A sweep codes the aims rounded, bits against errors weighed by the curvature, takes the slope
 * of J there as if nothing had been rounded, and moves each aim towards where a parabola through the loss would be lowest. In long
 * searches noise that fades shakes the aims, which leads out of choices that no latent alone can better. Relaxed descents (tile_relax.h)
 * move aims and hyper latents together.
 *
 * An effort runs all stages up to its own, in the same way as the efforts below it, and what is kept is the best choice of all: so no
 * effort is worse than one below it.
 *
 * [1] image.md 9.1, 9.2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/tile_search.h"

#include <math.h>
#include <string.h>

#include "codec/tile_relax.h"
#include "engine/base/mem.h"

#define PER_CODED (TILE_FRACTION / PRIOR_FRACTION)   /* units of tile_encode in those of y^ */
#define BITS_PER_SQUARE (6.0 / 0.69314718055994531)  /* the balance behind TILE_WEIGHT_UNIT */
#define CARE 0.9     /* the curvature counts so many times: as if it were a little flatter */
#define FARTHEST 2.0 /* steps that a latent may want to move */
#define FAST_PACE 0.5
#define SLOW_PACE 0.3
#define LEAST_PACE 0.02
#define CALM_SWEEPS 6   /* of a stage with noise, before there is any */
#define STEPS_A_LOOK 20 /* of a relaxed descent, before the latents are rounded and coded */

typedef struct Stage {
    int effort; /* from this one on */
    int n_steps;
    float heat;      /* of sweeps: width of the noise at its beginning; 0: a few fast ones, without noise */
    bool is_relaxed; /* the rest is for such a stage */
    LatentRounding rounding;
    float hot, cold, rate;
} Stage;

/* The rate of Adam and the temperatures were tried on crops of photographs: few steps want a high rate, and the last temperature must be
 * near 0.1, or what is rounded is not what was relaxed. Annealing in 20 or 40 steps found nothing that sweeps had not. */
static const Stage STAGES[] = {
    {.effort = 3, .n_steps = 2},
    {.effort = 4, .n_steps = 8, .heat = 0.3f},
    {.effort = 5, .n_steps = 20, .heat = 0.3f},
    {.effort = 6, .n_steps = 60, .is_relaxed = true, .rounding = ROUND_ALL_SOFT, .hot = 0.35f, .cold = 0.1f, .rate = 0.07f},
    {.effort = 7, .n_steps = 100, .is_relaxed = true, .rounding = ROUND_STOCHASTIC, .hot = 0.35f, .cold = 0.1f, .rate = 0.03f},
    {.effort = 8, .n_steps = 200, .is_relaxed = true, .rounding = ROUND_STOCHASTIC, .hot = 0.35f, .cold = 0.1f, .rate = 0.02f},
    {.effort = 9, .n_steps = 300, .is_relaxed = true, .rounding = ROUND_STOCHASTIC, .hot = 0.3f, .cold = 0.08f, .rate = 0.015f},
};
#define N_STAGES (int)(sizeof STAGES / sizeof STAGES[0])

struct TileSearch {
    TileSearchOptions options;
    TileObjective *objective;
    TileRelax relax; /* its y and z are the aims, its dy is the slope */
    int32_t *choice; /* what is given to tile_encode */
    int16_t *choice_z;
    int32_t *weight, *place_weight; /* [M], [h, w]: of TileRounding */
    double *curvature, *place;      /* [M], [h, w]: of tile_objective_curvature */
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
    const size_t n_places = (size_t)(largest.latent_h * largest.latent_w);
    const size_t n_z = (size_t)(config->hyper * picture_hypers(largest.latent_h) * picture_hypers(largest.latent_w));
    TileSearch *search = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&search, 1, sizeof *search, err));
    search->options = *options;
    TRY(tile_objective_create(&search->objective, &options->objective, err));
    TRY(tile_relax_init(&search->relax, search->objective, n_y, n_z, err));
    TRY(mem_alloc(&search->choice, n_y, sizeof *search->choice, err));
    TRY(mem_alloc(&search->choice_z, n_z, sizeof *search->choice_z, err));
    TRY(mem_alloc(&search->best_coded, n_y, sizeof *search->best_coded, err));
    TRY(mem_alloc(&search->best_z, n_z, sizeof *search->best_z, err));
    TRY(mem_alloc(&search->weight, (size_t)config->latent, sizeof *search->weight, err));
    TRY(mem_alloc(&search->place_weight, n_places, sizeof *search->place_weight, err));
    TRY(mem_alloc(&search->curvature, (size_t)config->latent, sizeof *search->curvature, err));
    TRY(mem_alloc(&search->place, n_places, sizeof *search->place, err));
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
    tile_relax_clear(&old->relax);
    mem_free(&old->choice);
    mem_free(&old->choice_z);
    mem_free(&old->best_coded);
    mem_free(&old->best_z);
    mem_free(&old->weight);
    mem_free(&old->place_weight);
    mem_free(&old->curvature);
    mem_free(&old->place);
    mem_free(search);
}

/* ---- choices ---- */

static void choose_near(TileSearch *search)
{
    for (int64_t i = 0; i < search->objective->n_y; i++)
        search->choice[i] = tile_latent(search->relax.y[i]);
    for (int64_t i = 0; i < search->objective->n_z; i++)
        search->choice_z[i] = tile_hyper_latent(search->relax.z[i]);
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
    search->progress.rounded = search->found.rounded;
    search->progress.best = search->found.best;
    if (!search->found.stopped && options->on_progress)
        search->found.stopped = !options->on_progress(options->progress_ctx, &search->progress);
    return !search->found.stopped;
}

static RsdStatus round_off(TileSearch *search, int effort, RsdError *err)
{
    RsdStatus status = RSD_OK;

    search->found.best.objective = NAN;
    memcpy(search->relax.y, search->objective->y, (size_t)search->objective->n_y * sizeof(float));
    memcpy(search->relax.z, search->objective->z, (size_t)search->objective->n_z * sizeof(float));
    choose_near(search);
    TRY(consider(search, &(TileRounding){.strength = 0}, err));
    if (effort > 1)
        TRY(consider(search, &(TileRounding){.strength = SEARCH_ROUNDING}, err));
    search->found.rounded = search->found.best;
fail:
    return status;
}

/* ---- sweeps ---- */

/* An error of a channel counts by its curvature, one at a place by how much more it is there. */
static void weigh(TileSearch *search)
{
    const TileObjective *o = search->objective;
    const int m = o->options.model->codec->config.latent;

    for (int c = 0; c < m; c++) {
        const double weight = 0.5 * CARE * search->curvature[c] * (double)o->n_pixels / BITS_PER_SQUARE * TILE_WEIGHT_UNIT;

        search->weight[c] = (int32_t)lrint(fmin(weight, TILE_MAX_WEIGHT));
    }
    for (int64_t i = 0; i < o->n_y / m; i++)
        search->place_weight[i] = (int32_t)lrint(search->place[i] * TILE_WEIGHT_UNIT);
}

static double step_of(const TileObjective *o, int64_t i)
{
    return (double)o->step[i] / PRIOR_STEP_UNIT;
}

/* Aims move a part of the way (`pace`) to where the parabola around y^ as it is now has its lowest point. */
static void move_aims(TileSearch *search, double pace)
{
    const TileObjective *o = search->objective;
    const int64_t n = o->n_y / o->options.model->codec->config.latent;

    for (int64_t i = 0; i < o->n_y; i++) {
        const double curvature = CARE * search->curvature[i / n] * search->place[i % n];
        const double move = curvature > 0 ? -(double)search->relax.dy[i] / curvature : 0.0;
        const double farthest = FARTHEST * step_of(o, i);
        const double lowest = (double)o->coded[i] / PRIOR_FRACTION + fmax(-farthest, fmin(farthest, move));

        search->relax.y[i] += (float)(pace * (lowest - (double)search->relax.y[i]));
    }
}

static void shake_aims(TileSearch *search, int step, double width)
{
    Rng rng = rng_at(search->options.seed + (uint64_t)search->progress.tile, RNG_MODEL, (uint64_t)step, 0);

    for (int64_t i = 0; i < search->objective->n_y; i++)
        search->relax.y[i] += (float)(width * step_of(search->objective, i) * ((double)rng_uniform(&rng) - 0.5));
}

/* Codes the aims as they are, latents rounded with bits against errors. */
static RsdStatus look(TileSearch *search, RsdError *err)
{
    choose_near(search);
    return consider(search, &(TileRounding){.strength = TILE_STRENGTH_UNIT, .weight = search->weight, .place = search->place_weight},
                    err);
}

static RsdStatus sweep(TileSearch *search, double pace, RsdError *err)
{
    double bpp;
    RsdStatus status = RSD_OK;

    TRY(tile_objective_slope(search->objective, search->choice_z, search->relax.dy, &bpp, err));
    move_aims(search, pace);
    TRY(look(search, err));
fail:
    return status;
}

static RsdStatus run_sweeps(TileSearch *search, const Stage *stage, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < stage->n_steps; i++) {
        const double left = 1.0 - (double)i / stage->n_steps;

        if (i >= CALM_SWEEPS)
            shake_aims(search, search->progress.step, (double)stage->heat * left);
        TRY(sweep(search, stage->heat > 0 ? SLOW_PACE * left + LEAST_PACE : FAST_PACE, err));
        if (!may_go_on(search))
            break;
    }
fail:
    return status;
}

/* The relaxed latents, rounded as they are and with bits against errors. */
static RsdStatus look_twice(TileSearch *search, RsdError *err)
{
    RsdStatus status = RSD_OK;

    choose_near(search);
    TRY(consider(search, &(TileRounding){.strength = 0}, err));
    TRY(look(search, err));
fail:
    return status;
}

static RsdStatus run_relaxed(TileSearch *search, const Stage *stage, RsdError *err)
{
    const RelaxRun run = {.rounding = stage->rounding,
                          .n_steps = stage->n_steps,
                          .hot = stage->hot,
                          .cold = stage->cold,
                          .rate = stage->rate,
                          .seed = search->options.seed + (uint64_t)search->progress.tile};
    TileValue relaxed;
    RsdStatus status = RSD_OK;

    tile_relax_begin(&search->relax);
    for (int i = 1; i <= stage->n_steps; i++) {
        const bool is_looked_at = i % STEPS_A_LOOK == 0 || i == stage->n_steps;
        bool goes_on;

        TRY(tile_relax_step(&search->relax, &run, &relaxed, err));
        if (is_looked_at)
            TRY(look_twice(search, err));
        goes_on = may_go_on(search);
        if (!goes_on && !is_looked_at)
            TRY(look_twice(search, err));
        if (!goes_on)
            break;
    }
fail:
    return status;
}

static RsdStatus run_stages(TileSearch *search, int effort, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(tile_objective_curvature(search->objective, search->curvature, search->place, err));
    weigh(search);
    for (int i = 0; i < N_STAGES && !search->found.stopped; i++)
        if (STAGES[i].effort <= effort)
            TRY((STAGES[i].is_relaxed ? run_relaxed : run_sweeps)(search, &STAGES[i], err));
fail:
    return status;
}

/* What the coder's tables say of the bits of the best choice. */
static RsdStatus estimate_best(TileSearch *search, RsdError *err)
{
    TileObjective *o = search->objective;

    memcpy(o->coded, search->best_coded, (size_t)o->n_y * sizeof *o->coded);
    return tile_objective_slope(o, search->best_z, search->relax.dy, &search->found.estimated_bpp, err);
}

TileObjective *tile_search_objective(TileSearch *search)
{
    return search->objective;
}

/* ---- the whole ---- */

int tile_search_steps(int effort)
{
    int n = 0;

    for (int i = 0; i < N_STAGES; i++)
        n += STAGES[i].effort <= effort ? STAGES[i].n_steps : 0;
    return n;
}

RsdStatus tile_search_run(TileSearch *search, int64_t number, int level, int effort, int16_t *z, int32_t *y, TileFound *found,
                          RsdError *err)
{
    TileObjective *o = search->objective;
    RsdStatus status = RSD_OK;

    memset(&search->found, 0, sizeof search->found);
    search->progress =
        (SearchProgress){.tile = number, .n_tiles = search->options.objective.info->n_tiles, .n_steps = tile_search_steps(effort)};
    TRY(tile_objective_begin(o, number, level, err));
    TRY(round_off(search, effort, err));
    if (effort >= SEARCH_FIRST_EFFORT) {
        TRY(run_stages(search, effort, err));
        TRY(estimate_best(search, err));
    }
    for (int64_t i = 0; i < o->n_y; i++)
        y[i] = search->best_coded[i] * PER_CODED;
    memcpy(z, search->best_z, (size_t)o->n_z * sizeof *z);
    *found = search->found;
fail:
    return status;
}
