/* picture_fit.c - the setting that comes closest to a size from below, by real sizes.
 *
 *   level      halving among the levels, each rounded with the least strength
 *   search     the lowest level that is too large once it was searched; what one search saved, or added, foretells which that is
 *   strength   the next higher level is made small enough by its strength, and what a whole step of strength leaves over goes to a
 *              share of the latents; or the level that fits is made larger by less strength
 *
 * Size grows with the level and shrinks with the strength, as a rule. What is kept is always the largest stream seen that fits, so
 * an exception to the rule costs bytes, never the limit.
 *
 * [1] image.md 9.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture.h"

#define FORETELLING_EFFORT 6 /* at most this, to learn what a search saves */
#define MAX_SEARCHES 4       /* at the effort asked for; as a rule one is enough, or two */
#define FINEST (TILE_MAX_STRENGTH * PICTURE_SHARES)

typedef struct Fit {
    PictureEncoder *encoder;
    int64_t max_size;
    int level_max; /* of the model */
    PictureTrialFn on_trial;
    void *trial_ctx;
    PictureSetting best;
    int64_t best_size; /* 0: nothing fits yet */
    int64_t least_size;
    int64_t sizes[IMAGE_LEVEL_MAX + 1]; /* rounded with the least strength; 0: not tried */
} Fit;

static RsdStatus try(Fit *fit, PictureSetting setting, int64_t *size, RsdError *err)
{
    RsdError local;
    RsdStatus status = RSD_OK;

    TRY(picture_encoder_run(fit->encoder, setting, NULL, NULL, size, err));
    if (*size <= fit->max_size && *size > fit->best_size) {
        fit->best = setting;
        fit->best_size = *size;
    }
    if (fit->least_size == 0 || *size < fit->least_size)
        fit->least_size = *size;
    if (fit->on_trial)
        TRY(fit->on_trial(fit->trial_ctx, setting, *size, err ? err : &local));
fail:
    return status;
}

/* Close enough: within half a percent. */
static bool is_done(const Fit *fit)
{
    return fit->best_size * 200 >= fit->max_size * 199;
}

static RsdStatus try_level(Fit *fit, int level, int strength, RsdError *err)
{
    return fit->sizes[level] ? RSD_OK : try(fit, (PictureSetting){.level = level, .strength = strength}, &fit->sizes[level], err);
}

/* *low: the highest level that fits, -1 for none. */
static RsdStatus find_level(Fit *fit, int strength, int *low, RsdError *err)
{
    int high = fit->level_max + 1;
    RsdStatus status = RSD_OK;

    *low = -1;
    while (high - *low > 1) {
        int middle = (*low + high) / 2;

        TRY(try_level(fit, middle, strength, err));
        *(fit->sizes[middle] <= fit->max_size ? low : &high) = middle;
    }
fail:
    return status;
}

/* Between a strength (in shares) that is too weak, or -1, and one that may be strong enough. */
static RsdStatus find_strength(Fit *fit, PictureSetting setting, int weak, int strong, RsdError *err)
{
    RsdStatus status = RSD_OK;

    while (strong - weak > 1 && !is_done(fit)) {
        int middle = weak + (strong - weak) / 2;
        int64_t size;

        setting.strength = middle / PICTURE_SHARES;
        setting.share = middle % PICTURE_SHARES;
        TRY(try(fit, setting, &size, err));
        *(size <= fit->max_size ? &strong : &weak) = middle;
    }
fail:
    return status;
}

static RsdStatus fit_rounded(Fit *fit, int low, int strength, RsdError *err)
{
    const int usual = strength * PICTURE_SHARES;
    int64_t size;
    RsdStatus status = RSD_OK;

    if (low < 0) {
        TRY(try(fit, (PictureSetting){.strength = TILE_MAX_STRENGTH}, &size, err));
        CHECK(size <= fit->max_size, err, RSD_ERR_ARG, "%lld bytes are too few: the smallest possible is %lld",
              (long long)fit->max_size, (long long)fit->least_size);
    }
    if (low == fit->level_max)
        return RSD_OK;
    TRY(find_strength(fit, (PictureSetting){.level = low + 1}, usual, FINEST, err));
    if (low >= 0)
        TRY(find_strength(fit, (PictureSetting){.level = low}, -1, usual, err));
fail:
    return status;
}

/* The level after the highest that fits when a search makes sizes `ratio` times as large: below *level where it wants more bits, as with a
 * loss that is worth more of them, above it where it saves some. */
static RsdStatus foretell(Fit *fit, double ratio, int strength, int *level, RsdError *err)
{
    RsdStatus status = RSD_OK;

    while (*level > 0) {
        TRY(try_level(fit, *level - 1, strength, err));
        if ((double)fit->sizes[*level - 1] * ratio <= (double)fit->max_size)
            break;
        --*level;
    }
    while (*level < fit->level_max) {
        TRY(try_level(fit, *level, strength, err));
        if ((double)fit->sizes[*level] * ratio > (double)fit->max_size)
            break;
        ++*level;
    }
fail:
    return status;
}

/* What was found stands for one level and effort only, so all that counts happens at the last level searched. */
static RsdStatus fit_searched(Fit *fit, int low, int strength, int effort, RsdError *err)
{
    const Fit rounded = *fit;
    int level = low < fit->level_max ? low + 1 : low;
    double ratio;
    int64_t size;
    RsdStatus status = RSD_OK;

    TRY(try_level(fit, level, strength, err));
    TRY(try(fit, (PictureSetting){.level = level, .effort = effort < FORETELLING_EFFORT ? effort : FORETELLING_EFFORT}, &size, err));
    ratio = (double)size / (double)fit->sizes[level];
    TRY(foretell(fit, ratio, strength, &level, err));
    for (int i = 0; i < MAX_SEARCHES; i++) {
        fit->best_size = 0;
        TRY(try(fit, (PictureSetting){.level = level, .effort = effort}, &size, err));
        if (size > fit->max_size || is_done(fit) || level == fit->level_max || i + 1 == MAX_SEARCHES)
            break;
        ratio = (double)size / (double)fit->sizes[level++];
        TRY(foretell(fit, ratio, strength, &level, err));
    }
    if (size > fit->max_size)
        TRY(find_strength(fit, (PictureSetting){.level = level, .effort = effort}, 0, FINEST, err));
    if (fit->best_size == 0) {
        fit->best = rounded.best;
        fit->best_size = rounded.best_size;
    }
fail:
    return status;
}

RsdStatus picture_fit(PictureEncoder *encoder, int64_t max_size, PictureSetting least, PictureTrialFn on_trial, void *trial_ctx,
                      PictureSetting *setting, int64_t *size, RsdError *err)
{
    Fit fit = {.encoder = encoder,
               .max_size = max_size,
               .level_max = picture_encoder_level_max(encoder),
               .on_trial = on_trial,
               .trial_ctx = trial_ctx};
    const bool searches = least.effort >= SEARCH_FIRST_EFFORT;
    int low;
    RsdStatus status = RSD_OK;

    TRY(find_level(&fit, least.strength, &low, err));
    if (!searches || low < 0)
        TRY(fit_rounded(&fit, low, least.strength, err));
    if (searches) {
        TRY(picture_encoder_keep_found(encoder, err));
        TRY(fit_searched(&fit, low, least.strength, least.effort, err));
    }
    *setting = fit.best;
    *size = fit.best_size;
fail:
    return status;
}
