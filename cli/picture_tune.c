/* picture_tune.c - see picture_tune.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_tune.h"

#include <math.h>
#include <string.h>

#define NAME_SIZE 64

static RsdStatus apply_loss(void *ctx, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    return image_loss_apply(tape, ctx, estimate, target, value, err);
}

static bool show_progress(void *ctx, const SearchProgress *progress)
{
    PictureTune *tune = ctx;
    const TileValue *best = &progress->best;
    const double done = ((double)progress->tile + (double)progress->step / progress->n_steps) / (double)progress->n_tiles;
    char left[DURATION_TEXT_SIZE];

    if (progress->tile == 0 && progress->step == 1)
        tune->began_s = console_clock();
    if (console_wants_progress(tune->console))
        console_progress(tune->console, "%s  search %3.0f%%  %.3f bits per pixel, %.2f dB, J %.4f  %s left", tune->name,
                         100.0 * done, best->bpp, -10.0 * log10(fmax(best->mse, 1e-12)), best->objective,
                         console_duration(left, (console_clock() - tune->began_s) * (1.0 / done - 1.0)));
    return !batch_was_interrupted();
}

/* "ms-ssim" as the list of losses has it. */
static RsdStatus find_loss(PictureTune *tune, const char *name, RsdError *err)
{
    char plain[NAME_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(strlen(name) < sizeof plain, err, RSD_ERR_ARG, "--tune %.80s: no loss has such a name", name);
    strcpy(plain, name);
    for (char *c = plain; *c; c++)
        *c = *c == '-' ? '_' : *c;
    status = image_loss_create(&tune->loss, plain, NULL, err);
    if (status != RSD_OK)
        error_prefix(err, status, "--tune %s", name);
fail:
    return status;
}

RsdStatus picture_tune_open(PictureTune *tune, const PictureJob *job, const PictureWish *wish, const char *name,
                            PictureEncoderOptions *options, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *tune = (PictureTune){.console = job->console, .name = name, .began_s = console_clock()};
    if (picture_is_tuned(wish->tune))
        TRY(find_loss(tune, wish->tune, err));
    CHECK(!tune->loss || wish->effort >= SEARCH_FIRST_EFFORT || picture_is_twin(job->codec, wish->tune), err, RSD_ERR_ARG,
          "--tune %s: the model was not made for it, and --effort %d does not search: give --effort %d or more", wish->tune,
          wish->effort, SEARCH_FIRST_EFFORT);
    options->searches = wish->effort >= SEARCH_FIRST_EFFORT;
    if (tune->loss) {
        options->loss = apply_loss;
        options->loss_ctx = tune->loss;
    }
    options->on_progress = show_progress;
    options->progress_ctx = tune;
fail:
    return status;
}

void picture_tune_close(PictureTune *tune)
{
    image_loss_destroy(&tune->loss);
}
