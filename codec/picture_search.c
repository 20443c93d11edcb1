/* picture_search.c - see picture_search.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_search.h"

#include "codec/delta_search.h"
#include "engine/base/mem.h"

struct PictureSearch {
    TileSearchOptions options;
    TileSearch *tiles;
    bool keeps_all;
    int32_t *y;
    int16_t *z;
    int level, effort;
    int64_t n_found; /* tiles */
    PictureFound found; /* sums until they are asked for */
    bool stopped;
    bool has_deltas; /* they were looked for */
    PictureDeltas deltas;
};

static RsdStatus take_memory(PictureSearch *search, RsdError *err)
{
    const PictureInfo *info = search->options.objective.info;
    const ImageCodecConfig *config = &search->options.objective.model->codec->config;
    const int64_t w = picture_latents(info->width);
    const int64_t h = search->keeps_all ? picture_latents(info->height) : picture_tile(info, 0).latent_h;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&search->y, (size_t)(config->latent * w * h), sizeof *search->y, err));
    TRY(mem_alloc(&search->z, (size_t)(config->hyper * picture_hypers(w) * picture_hypers(h)), sizeof *search->z, err));
fail:
    return status;
}

RsdStatus picture_search_create(PictureSearch **out, const TileSearchOptions *options, bool keeps_all, RsdError *err)
{
    PictureSearch *search = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&search, 1, sizeof *search, err));
    search->options = *options;
    search->keeps_all = keeps_all;
    TRY(tile_search_create(&search->tiles, options, err));
    TRY(take_memory(search, err));
    *out = search;
    return RSD_OK;
fail:
    picture_search_destroy(&search);
    return status;
}

void picture_search_destroy(PictureSearch **search)
{
    if (!*search)
        return;
    tile_search_destroy(&(*search)->tiles);
    mem_free(&(*search)->y);
    mem_free(&(*search)->z);
    mem_free(search);
}

RsdStatus picture_search_keep_all(PictureSearch *search, RsdError *err)
{
    if (search->keeps_all)
        return RSD_OK;
    mem_free(&search->y);
    mem_free(&search->z);
    search->keeps_all = true;
    search->effort = 0; /* of no search: the next one begins anew */
    return take_memory(search, err);
}

/* Tiles of a row follow each other, rows too when all are kept; a tile begins at a multiple of the hyper latents' stride. */
static int64_t y_at(const PictureSearch *search, const PictureTile *tile)
{
    const int64_t above = search->keeps_all ? tile->latent_y : 0;

    return search->options.objective.model->codec->config.latent *
           (above * picture_latents(search->options.objective.info->width) + tile->latent_h * tile->latent_x);
}

static int64_t z_at(const PictureSearch *search, const PictureTile *tile)
{
    const int64_t above = search->keeps_all ? picture_hypers(tile->latent_y) : 0;

    return search->options.objective.model->codec->config.hyper *
           (above * picture_hypers(picture_latents(search->options.objective.info->width)) +
            picture_hypers(tile->latent_h) * picture_hypers(tile->latent_x));
}

const int16_t *picture_search_z(const PictureSearch *search, const PictureTile *tile)
{
    return search->z + z_at(search, tile);
}

const int32_t *picture_search_y(const PictureSearch *search, const PictureTile *tile)
{
    return search->y + y_at(search, tile);
}

/* ---- searching ---- */

static void add_value(TileValue *sum, const TileValue *value, double weight)
{
    sum->bpp += weight * value->bpp;
    sum->mse += weight * value->mse;
    sum->loss += weight * value->loss;
    sum->objective += weight * value->objective;
}

static void add_found(PictureFound *sum, const TileFound *found, int64_t n_pixels)
{
    add_value(&sum->rounded, &found->rounded, (double)n_pixels);
    add_value(&sum->best, &found->best, (double)n_pixels);
    sum->estimated_bpp += found->estimated_bpp * (double)n_pixels;
    sum->n_pixels += n_pixels;
}

static void begin(PictureSearch *search, int level, int effort)
{
    search->level = level;
    search->effort = effort;
    search->n_found = 0;
    search->found = (PictureFound){0};
    search->has_deltas = false;
    search->deltas = (PictureDeltas){.gain.n = 0};
}

RsdStatus picture_search_row(PictureSearch *search, int64_t first, int level, int effort, RsdError *err)
{
    const PictureInfo *info = search->options.objective.info;
    RsdStatus status = RSD_OK;

    if (level != search->level || effort != search->effort || (first == 0 && !search->keeps_all))
        begin(search, level, effort);
    if (search->n_found > first)
        return RSD_OK;
    for (int64_t i = first; i < first + info->n_across; i++) {
        const PictureTile tile = picture_tile(info, i);
        TileFound found;

        TRY(tile_search_run(search->tiles, i, level, search->stopped ? SEARCH_FIRST_EFFORT - 1 : effort,
                            search->z + z_at(search, &tile), search->y + y_at(search, &tile), &found, err));
        search->stopped = search->stopped || found.stopped;
        add_found(&search->found, &found, tile.w * tile.h);
    }
    search->n_found = first + info->n_across;
fail:
    return status;
}

/* ---- changes of the synthesis ---- */

typedef struct Loading {
    PictureSearch *search;
    TileObjective *objective;
} Loading;

static RsdStatus load_found(void *ctx, int64_t number, RsdError *err)
{
    const Loading *loading = ctx;
    const PictureSearch *search = loading->search;
    const PictureTile tile = picture_tile(search->options.objective.info, number);
    TileValue value;
    RsdStatus status = RSD_OK;

    TRY(tile_objective_begin(loading->objective, number, search->level, err));
    TRY(tile_objective_code(loading->objective, &(TileRounding){.strength = 0}, search->z + z_at(search, &tile),
                            search->y + y_at(search, &tile), &value, err));
fail:
    return status;
}

/* The last step of the last tile goes on. */
static bool may_go_on(void *ctx)
{
    const Loading *loading = ctx;
    PictureSearch *search = loading->search;
    const PictureFound found = picture_search_found(search);
    const int n_steps = tile_search_steps(search->effort);
    const int64_t n_tiles = search->options.objective.info->n_tiles;
    const SearchProgress progress = {.tile = n_tiles - 1, .n_tiles = n_tiles, .step = n_steps, .n_steps = n_steps,
                                     .rounded = found.rounded, .best = found.best};

    if (search->options.on_progress && !search->options.on_progress(search->options.progress_ctx, &progress))
        search->stopped = true;
    return !search->stopped;
}

static RsdStatus find_deltas(PictureSearch *search, RsdError *err)
{
    Loading loading = {search, tile_search_objective(search->tiles)};
    const DeltaSearchOptions options = {.objective = loading.objective,
                                        .n_tiles = search->options.objective.info->n_tiles,
                                        .load = load_found,
                                        .load_ctx = &loading,
                                        .goes_on = may_go_on,
                                        .goes_on_ctx = &loading};
    TileValue *best = &search->found.best;
    const double n = (double)search->found.n_pixels;
    DeltasFound found;
    RsdStatus status = RSD_OK;

    search->has_deltas = true;
    TRY(delta_search_run(&options, &found, err));
    if (picture_deltas_are_none(&found.deltas))
        return RSD_OK;
    search->deltas = found.deltas;
    best->bpp += n * found.after.bpp;
    best->mse += n * (found.after.mse - found.before.mse);
    best->loss += n * (found.after.loss - found.before.loss);
    best->objective += n * (found.after.objective - found.before.objective);
    search->found.estimated_bpp += n * found.after.bpp;
fail:
    return status;
}

RsdStatus picture_search_all(PictureSearch *search, int level, int effort, RsdError *err)
{
    const PictureInfo *info = search->options.objective.info;
    RsdStatus status = RSD_OK;

    for (int64_t first = 0; first < info->n_tiles; first += info->n_across)
        TRY(picture_search_row(search, first, level, effort, err));
    if (effort == SEARCH_LAST_EFFORT && !search->has_deltas && !search->stopped)
        TRY(find_deltas(search, err));
fail:
    return status;
}

const PictureDeltas *picture_search_deltas(const PictureSearch *search)
{
    return &search->deltas;
}

PictureFound picture_search_found(const PictureSearch *search)
{
    PictureFound mean = {.stopped = search->stopped, .n_pixels = search->found.n_pixels};
    const double scale = 1.0 / (double)(mean.n_pixels ? mean.n_pixels : 1);

    add_value(&mean.rounded, &search->found.rounded, scale);
    add_value(&mean.best, &search->found.best, scale);
    mean.estimated_bpp = search->found.estimated_bpp * scale;
    return mean;
}
