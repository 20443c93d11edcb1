/* picture_tune.c - see picture_tune.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_tune.h"

#include <math.h>
#include <string.h>

#define NAME_SIZE 64

RsdStatus picture_tune_apply(void *loss, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    return image_loss_apply(tape, loss, estimate, target, value, err);
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

/* Found by trying two to four shares of each at --effort 4, on crops of seven pictures, for the fewest bits at the same value. Where none is
 * known a search by SSIMULACRA 2 brings half as much. */
typedef struct LossShare {
    const char *loss;
    double share;
} LossShare;

static const LossShare SHARES[] = {{"ms_ssim", 0.03}, {"ssim", 0.02},  {"iw_ssim", 0.02},    {"ssimulacra2", 0.003}, {"gmsd", 0.017}, {"mdsi", 0.015},
                                   {"fsim", 0.025},   {"vsi", 0.08},   {"haarpsi", 0.0055}, {"dss", 0.0076},        {"nlpd", 0.0073}};

static double share_of(const char *loss)
{
    for (size_t i = 0; i < sizeof SHARES / sizeof *SHARES; i++)
        if (strcmp(loss, SHARES[i].loss) == 0)
            return SHARES[i].share;
    return 0;
}

RsdStatus picture_tune_loss(ImageLoss **out, double *share, const char *name, RsdError *err)
{
    char plain[NAME_SIZE]; /* as the list of losses has it */
    RsdStatus status = RSD_OK;

    CHECK(strlen(name) < sizeof plain, err, RSD_ERR_ARG, "--tune %.80s: no loss has such a name", name);
    strcpy(plain, name);
    for (char *c = plain; *c; c++)
        *c = *c == '-' ? '_' : *c;
    *share = share_of(plain);
    status = image_loss_create(out, plain, NULL, err);
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
        TRY(picture_tune_loss(&tune->loss, &options->loss_share, wish->tune, err));
    CHECK(!tune->loss || wish->effort >= SEARCH_FIRST_EFFORT || picture_is_twin(job->codec, wish->tune), err, RSD_ERR_ARG,
          "--tune %s: the model was not made for it, and --effort %d does not search: give --effort %d or more", wish->tune,
          wish->effort, SEARCH_FIRST_EFFORT);
    options->searches = wish->effort >= SEARCH_FIRST_EFFORT;
    if (tune->loss) {
        options->loss = picture_tune_apply;
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
