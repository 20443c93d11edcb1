/* picture_fit.c - the setting that comes closest to a size from below, by real sizes.
 *
 * Size grows with the level and shrinks with the strength, as a rule. The level is found by halving; then the next higher level is
 * made small enough by its strength. What is kept is always the largest stream seen that fits, so an exception to the rule costs
 * bytes, never the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture.h"

typedef struct Search {
    PictureEncoder *encoder;
    int64_t max_size;
    PictureTrialFn on_trial;
    void *trial_ctx;
    PictureSetting best;
    int64_t best_size; /* 0: nothing fits yet */
    int64_t least_size;
} Search;

static RsdStatus try(Search *search, PictureSetting setting, bool *fits, RsdError *err)
{
    int64_t size;
    RsdError local;
    RsdStatus status = RSD_OK;

    TRY(picture_encoder_run(search->encoder, setting, NULL, NULL, &size, err));
    *fits = size <= search->max_size;
    if (*fits && size > search->best_size) {
        search->best = setting;
        search->best_size = size;
    }
    if (search->least_size == 0 || size < search->least_size)
        search->least_size = size;
    if (search->on_trial)
        TRY(search->on_trial(search->trial_ctx, setting, size, err ? err : &local));
fail:
    return status;
}

/* Close enough: within half a percent. */
static bool is_done(const Search *search)
{
    return search->best_size * 200 >= search->max_size * 199;
}

RsdStatus picture_fit(PictureEncoder *encoder, int64_t max_size, int strength, PictureTrialFn on_trial, void *trial_ctx,
                      PictureSetting *setting, int64_t *size, RsdError *err)
{
    Search search = {.encoder = encoder, .max_size = max_size, .on_trial = on_trial, .trial_ctx = trial_ctx};
    int low = -1, high = IMAGE_LEVEL_MAX + 1; /* low fits, high does not */
    bool fits;
    RsdStatus status = RSD_OK;

    while (high - low > 1 && !is_done(&search)) {
        int middle = (low + high) / 2;

        TRY(try(&search, (PictureSetting){middle, strength}, &fits, err));
        *(fits ? &low : &high) = middle;
    }
    if (low < 0) {
        TRY(try(&search, (PictureSetting){0, TILE_MAX_STRENGTH}, &fits, err));
        CHECK(fits, err, RSD_ERR_ARG, "%lld bytes are too few: the smallest possible is %lld", (long long)max_size,
              (long long)search.least_size);
    }
    if (high <= IMAGE_LEVEL_MAX && !is_done(&search)) {
        int weak = strength, strong = TILE_MAX_STRENGTH; /* weak does not fit */

        while (strong - weak > 1 && !is_done(&search)) {
            int middle = (weak + strong) / 2;

            TRY(try(&search, (PictureSetting){high, middle}, &fits, err));
            *(fits ? &strong : &weak) = middle;
        }
    }
    *setting = search.best;
    *size = search.best_size;
fail:
    return status;
}
