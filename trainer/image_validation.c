/* image_validation.c - held-out pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_validation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "trainer/step_clock.h"

typedef struct HeldOut {
    float *pixels; /* [3, h, w] */
    int64_t h, w;
} HeldOut;

struct ImageValidation {
    HeldOut *pictures;
    int n_pictures;
};

RsdStatus image_validation_create(ImageValidation **out, const PictureList *list, const TrainConfig *cfg, RsdError *err)
{
    ImageValidation *v = NULL;
    size_t n_wanted = (size_t)cfg->data.valid_clips;
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (!list || !list->n_files)
        return RSD_OK;
    if (n_wanted > list->n_files)
        n_wanted = list->n_files;
    TRY(mem_calloc(&v, 1, sizeof *v, err));
    TRY(mem_calloc(&v->pictures, n_wanted, sizeof *v->pictures, err));
    for (size_t i = 0; i < n_wanted; i++) {
        HeldOut *picture = &v->pictures[v->n_pictures];
        RsdError reason = {0};

        status = pictures_middle(&list->files[i * list->n_files / n_wanted], cfg, &picture->pixels, &picture->h, &picture->w,
                                 &reason);
        CHECK(status != RSD_ERR_MEMORY, err, status, "%s", reason.text);
        if (status == RSD_OK)
            v->n_pictures++;
        else
            log_note(LOG_WARNING, "%s; the validation goes without it", reason.text);
        status = RSD_OK;
    }
    if (v->n_pictures) {
        *out = v;
        v = NULL;
    }
fail:
    image_validation_destroy(&v);
    return status;
}

void image_validation_destroy(ImageValidation **validation)
{
    if (!*validation)
        return;
    for (int i = 0; (*validation)->pictures && i < (*validation)->n_pictures; i++)
        mem_free(&(*validation)->pictures[i].pixels);
    mem_free(&(*validation)->pictures);
    mem_free(validation);
}

int image_validation_count(const ImageValidation *validation)
{
    return validation ? validation->n_pictures : 0;
}

static void add_picture(ImageValidReport *report, const PictureReport *one, int n)
{
    PictureReport *mean = &report->mean;

    mean->n_levels = one->n_levels;
    for (int l = 0; l < one->n_levels; l++) {
        mean->bpp[l] += one->bpp[l] / n;
        mean->float_bpp[l] += one->float_bpp[l] / n;
        mean->psnr_db[l] += one->psnr_db[l] / n;
        mean->mse[l] += one->mse[l] / n;
        mean->error[l] += one->error[l] / n;
    }
    for (int i = 0; i < IMAGE_HEADS; i++) {
        mean->head_db[i] += one->head_db[i] / n;
        mean->shrunk_db[i] += one->shrunk_db[i] / n;
    }
    mean->z_bpp += one->z_bpp / n;
    if (one->max_activation > mean->max_activation)
        mean->max_activation = one->max_activation;
}

/* What the heads lose against a whole decode that is shrunk; the trunk's score does not move while they alone are trained. */
static double loss_of_heads(const PictureReport *mean)
{
    double sum = 0.0;

    for (int i = 0; i < IMAGE_HEADS; i++)
        sum += (mean->shrunk_db[i] - mean->head_db[i]) / IMAGE_HEADS;
    return sum;
}

static void summarise(ImageValidReport *report, const ImageCodecConfig *cfg, const uint8_t *alive, bool heads_alone)
{
    const PictureReport *mean = &report->mean;
    const int64_t channels = image_quantise_n_alive(cfg);

    for (int l = 0; l < mean->n_levels; l++) {
        const double lambda = image_quantise_lambda(cfg, 16 * l);
        int64_t n_alive = 0;

        for (int64_t c = 0; c < channels; c++)
            n_alive += alive[l * channels + c];
        report->dead[l] = 1.0 - (double)n_alive / (double)channels;
        report->integer_gap += (mean->bpp[l] / mean->float_bpp[l] - 1.0) / mean->n_levels;
        report->score += (mean->bpp[l] + lambda * mean->error[l]) / sqrt(lambda / image_codec_lambda(64)) / mean->n_levels;
    }
    if (heads_alone)
        report->score = loss_of_heads(mean);
}

RsdStatus image_validation_run(const ImageValidation *validation, ImageStep *step, ImageRounding *rounding, TrainState *state,
                               ImageValidReport *report, RsdError *err)
{
    const ImageCodecConfig *cfg = &state->image->config;
    const double since = step_clock();
    uint8_t *alive = NULL;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    report->n_pictures = validation->n_pictures;
    optimizer_swap_average(state->optimizer);
    TRY(image_rounding_apply(rounding, state, DTYPE_F32, err));
    TRY(mem_calloc(&alive, (size_t)(image_quantise_n_levels(cfg) * image_quantise_n_alive(cfg)), 1, err));
    for (int i = 0; i < validation->n_pictures; i++) {
        const HeldOut *picture = &validation->pictures[i];
        PictureReport one;

        TRY(image_step_evaluate(step, state, picture->pixels, picture->h, picture->w, &one, alive, err));
        add_picture(report, &one, validation->n_pictures);
    }
    summarise(report, cfg, alive, step->config->train.frozen == FROZEN_ALL_BUT_HEADS);
    report->seconds = step_clock() - since;
fail:
    image_rounding_undo(rounding);
    optimizer_swap_average(state->optimizer);
    mem_free(&alive);
    return status;
}

static void log_levels(RunLog *log, const char *key, const double *values, int n)
{
    float row[IMAGE_LEVELS];

    for (int l = 0; l < n; l++)
        row[l] = (float)values[l];
    run_log_numbers(log, key, row, n);
}

void image_validation_log(RunLog *log, int64_t step, const ImageValidReport *report, bool best)
{
    run_log_begin(log, "valid");
    run_log_int(log, "step", step);
    run_log_number(log, "score", report->score);
    run_log_int(log, "best", best);
    run_log_int(log, "pictures", report->n_pictures);
    log_levels(log, "bpp", report->mean.bpp, report->mean.n_levels);
    log_levels(log, "psnr_db", report->mean.psnr_db, report->mean.n_levels);
    log_levels(log, "error", report->mean.error, report->mean.n_levels);
    log_levels(log, "dead", report->dead, report->mean.n_levels);
    for (int i = 0; i < IMAGE_HEADS && report->mean.shrunk_db[0] > 0.0; i++) {
        run_log_number(log, i ? "quarter_db" : "half_db", report->mean.head_db[i]);
        run_log_number(log, i ? "quarter_shrunk_db" : "half_shrunk_db", report->mean.shrunk_db[i]);
    }
    run_log_number(log, "z_bpp", report->mean.z_bpp);
    run_log_number(log, "integer_gap", report->integer_gap);
    run_log_number(log, "max_activation", (double)report->mean.max_activation);
    run_log_number(log, "seconds", report->seconds);
    run_log_end(log);
}
