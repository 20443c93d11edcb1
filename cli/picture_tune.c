/* picture_tune.c - see picture_tune.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_tune.h"

#include <math.h>
#include <string.h>

#include "engine/ops/arithmetic.h"
#include "losses/image_metric.h"

#define NAME_SIZE 64
#define NEPERS_PER_DB 0.23025850929940457f /* ln 10 / 10, of powers */

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

/* --- the loss ------------------------------------------------------------------------------------------------------------ */

/* Shares of ms_ssim and ssimulacra2 were tried, at --effort 4, for the fewest bits at the same value; the others are near what gives a loss the
 * weight of MS-SSIM from 0.3 to 0.5 bit per pixel, and of ssim, mdsi and haarpsi the better of two. Where no share is known a search brings less.
 * Most losses overlook something, GMSD nearly all colour: the squared error beside them does not. */
typedef struct LossShare {
    const char *loss;
    double share, mse_share; /* of lambda 255^2 */
} LossShare;

#define OF_MSE 0.6
#define TOTAL_VARIATION "tv_" /* names that begin so */

static const LossShare SHARES[] = {
    {"ms_ssim", 0.03, 0},     {"ssim", 0.02, OF_MSE},  {"iw_ssim", 0.02, OF_MSE},   {"ssimulacra2", 0.003, OF_MSE},
    {"gmsd", 0.017, OF_MSE},  {"mdsi", 0.015, OF_MSE}, {"fsim", 0.025, OF_MSE},     {"vsi", 0.08, OF_MSE},
    {"dss", 0.0076, OF_MSE},  {"nlpd", 0.0073, OF_MSE}, {"haarpsi", 0.0055, OF_MSE},
};

static const LossShare *find_share(const char *loss)
{
    for (size_t i = 0; i < sizeof SHARES / sizeof *SHARES; i++)
        if (strcmp(loss, SHARES[i].loss) == 0)
            return &SHARES[i];
    return NULL;
}

static bool is_in_db(const char *loss)
{
    const ImageMetric *metric = image_metric_find(loss);

    return metric && strcmp(metric->unit, "dB") == 0;
}

RsdStatus tune_loss_create(TuneLoss *tune, const char *name, RsdError *err)
{
    char plain[NAME_SIZE]; /* as the list of losses has it */
    const LossShare *share;
    RsdStatus status = RSD_OK;

    *tune = (TuneLoss){.named = NULL};
    CHECK(strlen(name) < sizeof plain, err, RSD_ERR_ARG, "--tune %.80s: no loss has such a name", name);
    strcpy(plain, name);
    for (char *c = plain; *c; c++)
        *c = *c == '-' ? '_' : *c;
    CHECK(strncmp(plain, TOTAL_VARIATION, strlen(TOTAL_VARIATION)) != 0, err, RSD_ERR_ARG,
          "--tune %s: total variation is of the decoded picture alone, and nothing would hold it to the original", name);
    status = image_loss_create(&tune->named, plain, NULL, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "--tune %s", name);
    tune->is_in_db = is_in_db(plain);
    share = find_share(plain);
    if (!share)
        return RSD_OK;
    tune->share = share->share;
    tune->mse_weight = (float)(share->mse_share / share->share);
    if (share->mse_share > 0)
        TRY(image_loss_create(&tune->mse, "mse", NULL, err));
    return RSD_OK;
fail:
    tune_loss_clear(tune);
    return status;
}

void tune_loss_clear(TuneLoss *tune)
{
    image_loss_destroy(&tune->named);
    image_loss_destroy(&tune->mse);
}

RsdStatus tune_loss_apply(void *ctx, Tape *tape, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    const TuneLoss *tune = ctx;
    Tensor *mse;
    RsdStatus status = RSD_OK;

    TRY(image_loss_apply(tape, tune->named, estimate, target, value, err));
    if (tune->is_in_db) {
        TRY(op_scale(tape, *value, NEPERS_PER_DB, value, err));
        TRY(op_exp(tape, *value, value, err));
    }
    if (!tune->mse)
        return RSD_OK;
    TRY(image_loss_apply(tape, tune->mse, estimate, target, &mse, err));
    TRY(op_scale(tape, mse, tune->mse_weight, &mse, err));
    TRY(op_add(tape, *value, mse, value, err));
fail:
    return status;
}

/* --- a search ------------------------------------------------------------------------------------------------------------ */

RsdStatus picture_tune_open(PictureTune *tune, const PictureJob *job, const PictureWish *wish, const char *name,
                            PictureEncoderOptions *options, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *tune = (PictureTune){.console = job->console, .name = name, .began_s = console_clock()};
    if (picture_is_tuned(wish->tune))
        TRY(tune_loss_create(&tune->loss, wish->tune, err));
    CHECK(!tune->loss.named || wish->effort >= SEARCH_FIRST_EFFORT || picture_is_twin(job->codec, wish->tune), err, RSD_ERR_ARG,
          "--tune %s: the model was not made for it, and --effort %d does not search: give --effort %d or more", wish->tune,
          wish->effort, SEARCH_FIRST_EFFORT);
    options->searches = wish->effort >= SEARCH_FIRST_EFFORT;
    if (tune->loss.named) {
        options->loss = tune_loss_apply;
        options->loss_ctx = &tune->loss;
        options->loss_share = tune->loss.share;
    }
    options->on_progress = show_progress;
    options->progress_ctx = tune;
fail:
    return status;
}

void picture_tune_close(PictureTune *tune)
{
    tune_loss_clear(&tune->loss);
}
