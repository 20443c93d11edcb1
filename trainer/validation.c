/* validation.c - held-out clips.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/validation.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "trainer/samples.h"

typedef struct Clip {
    float *samples;
    int64_t n; /* a multiple of the hop */
} Clip;

struct Validation {
    Clip *clips;
    int n_clips, rate_hz;
};

/* A rate may stand in the list more than once, to be trained more often. */
static bool is_repeated(const TrainRunConfig *cfg, int i)
{
    for (int j = 0; j < i; j++)
        if (cfg->rates_bps[j] == cfg->rates_bps[i])
            return true;
    return false;
}

/* Leaves *clip empty when the file is of no use; a broken one is named by files. */
static RsdStatus read_clip(Clip *clip, Dataset *files, const MediaFile *file, size_t index, const TrainConfig *cfg, RsdError *err)
{
    int64_t hop = seanet_hop(&cfg->model.seanet);
    int64_t n = (int64_t)(cfg->data.valid_clip_s * cfg->model.rate_hz);
    size_t n_present = 0;
    RsdError reason = {0};
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&clip->samples, (size_t)n, sizeof *clip->samples, err));
    status = dataset_read(files, index, 0, (size_t)n, clip->samples, &n_present, &reason);
    CHECK(status != RSD_ERR_MEMORY, err, status, "%s", reason.text);
    if (status == RSD_OK && n_present >= (size_t)(VALID_SHORTEST_S * cfg->model.rate_hz))
        clip->n = (int64_t)n_present / hop * hop;
    else if (status == RSD_OK)
        log_note(LOG_WARNING, "%s: shorter than %g s; the validation goes without it", file->path, VALID_SHORTEST_S);
    if (!clip->n)
        mem_free(&clip->samples);
fail:
    return status == RSD_ERR_MEMORY ? status : RSD_OK;
}

RsdStatus validation_create(Validation **out, const MediaList *list, const TrainConfig *cfg, RsdError *err)
{
    Validation *v = NULL;
    Dataset *files = NULL;
    DataConfig uncached = cfg->data;
    size_t n_wanted = (size_t)cfg->data.valid_clips;
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (!list || !list->n_files)
        return RSD_OK;
    if (n_wanted > list->n_files)
        n_wanted = list->n_files;
    uncached.cache_size = 0;
    TRY(dataset_create(&files, list, &uncached, err));
    TRY(mem_calloc(&v, 1, sizeof *v, err));
    v->rate_hz = cfg->model.rate_hz;
    TRY(mem_calloc(&v->clips, n_wanted, sizeof *v->clips, err));
    for (size_t i = 0; i < n_wanted; i++) {
        const size_t file = i * list->n_files / n_wanted;

        TRY(read_clip(&v->clips[v->n_clips], files, &list->files[file], file, cfg, err));
        v->n_clips += v->clips[v->n_clips].n > 0;
    }
    if (v->n_clips) {
        *out = v;
        v = NULL;
    }
fail:
    validation_destroy(&v);
    dataset_destroy(&files);
    return status;
}

void validation_destroy(Validation **validation)
{
    if (!*validation)
        return;
    for (int i = 0; (*validation)->clips && i < (*validation)->n_clips; i++)
        mem_free(&(*validation)->clips[i].samples);
    mem_free(&(*validation)->clips);
    mem_free(validation);
}

int validation_count(const Validation *validation)
{
    return validation ? validation->n_clips : 0;
}

double validation_seconds(const Validation *validation)
{
    double n = 0.0;

    for (int i = 0; i < validation_count(validation); i++)
        n += (double)validation->clips[i].n;
    return validation ? n / validation->rate_hz : 0.0;
}

RsdStatus validation_run(const Validation *validation, AudioStep *step, TrainState *state, ValidReport *report,
                         RsdError *err)
{
    const TrainConfig *cfg = step->config;
    double since = step_clock();
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    report->n_clips = validation->n_clips;
    optimizer_swap_average(state->optimizer);
    for (int i = 0; i < validation->n_clips; i++) {
        ClipReport clip;

        TRY(audio_step_evaluate(step, state, validation->clips[i].samples, validation->clips[i].n, NULL, &clip,
                                err));
        for (int j = 0; j < cfg->train.n_rates; j++)
            report->distance[j] += clip.distance[j] / validation->n_clips;
        for (int j = 0; j < cfg->loss.n_losses; j++)
            report->losses[j] += clip.losses[j] / validation->n_clips;
    }
    for (int j = 0; j < cfg->train.n_rates; j++)
        report->score += report->distance[j] / cfg->train.n_rates;
    report->seconds = step_clock() - since;
fail:
    optimizer_swap_average(state->optimizer);
    return status;
}

RsdStatus validation_write_samples(const Validation *validation, AudioStep *step, TrainState *state, const char *run_dir,
                                   RsdError *err)
{
    const TrainConfig *cfg = step->config;
    int n = cfg->train.samples < validation->n_clips ? cfg->train.samples : validation->n_clips;
    float *decoded = NULL;
    RsdStatus status = RSD_OK;

    optimizer_swap_average(state->optimizer);
    for (int i = 0; i < n; i++) {
        const Clip *clip = &validation->clips[i * validation->n_clips / n];
        ClipReport unread;

        mem_free(&decoded);
        TRY(mem_alloc(&decoded, (size_t)(cfg->train.n_rates * clip->n), sizeof *decoded, err));
        TRY(audio_step_evaluate(step, state, clip->samples, clip->n, decoded, &unread, err));
        TRY(samples_write(run_dir, SAMPLES_ORIGINAL, i + 1, 0, clip->samples, clip->n, validation->rate_hz, err));
        for (int j = 0; j < cfg->train.n_rates; j++)
            if (!is_repeated(&cfg->train, j))
                TRY(samples_write(run_dir, state->step, i + 1, cfg->train.rates_bps[j], decoded + j * clip->n,
                                  clip->n, validation->rate_hz, err));
    }
    TRY(samples_prune(run_dir, err));
fail:
    optimizer_swap_average(state->optimizer);
    mem_free(&decoded);
    return status;
}

void validation_log(RunLog *log, const TrainConfig *cfg, int64_t step, const ValidReport *report, bool best)
{
    run_log_begin(log, "valid");
    run_log_int(log, "step", step);
    run_log_number(log, "score", report->score);
    run_log_int(log, "best", best);
    run_log_int(log, "clips", report->n_clips);
    run_log_open_object(log, "mel_distance");
    for (int i = 0; i < cfg->train.n_rates; i++) {
        char key[32];

        if (is_repeated(&cfg->train, i))
            continue;
        snprintf(key, sizeof key, "%d", cfg->train.rates_bps[i]);
        run_log_number(log, key, report->distance[i]);
    }
    run_log_close_object(log);
    run_log_open_object(log, "loss");
    for (int i = 0; i < cfg->loss.n_losses; i++)
        run_log_number(log, cfg->loss.names[i], report->losses[i]);
    run_log_close_object(log);
    run_log_number(log, "seconds", report->seconds);
    run_log_end(log);
}
