/* train_image.c - the loop around the step of a picture codec.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/train_image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "trainer/loader.h"
#include "trainer/run_folder.h"
#include "trainer/step_clock.h"

#define SAVE_RESERVE_S 2.0 /* a run with a time limit starts no step later than this before it */

/* Sums since the last line of the log. */
typedef struct Sums {
    int n;
    double loss, bpp, z_bpp, mse, grad_norm, phase_s[IMAGE_N_PHASES];
    float max_activation;
} Sums;

typedef struct Run {
    const TrainConfig *config;
    const TrainOptions *options;
    PictureList *train_list, *valid_list;
    Pictures *pictures;
    Loader *loader;
    ImageValidation *validation;
    ImageStep *step;
    TrainState *state;
    RunFolder folder;
    double started, last_valid;
    int64_t last_valid_step;
    Sums sums;
    double log_started, crops_per_s, step_s;
} Run;

/* ---- opening ---- */

static RsdStatus open_data(Run *run, RsdError *err)
{
    const TrainConfig *cfg = run->config;
    const TrainOptions *options = run->options;
    RsdStatus status = RSD_OK;

    TRY(picture_list_scan(&run->train_list, options->dirs, options->n_dirs, err));
    if (options->n_valid_dirs)
        TRY(picture_list_scan(&run->valid_list, options->valid_dirs, options->n_valid_dirs, err));
    else if (cfg->data.valid_every && run->train_list->n_files >= (size_t)cfg->data.valid_every)
        TRY(picture_list_split(run->train_list, cfg->data.valid_every, &run->valid_list, err));
    TRY(pictures_create(&run->pictures, run->train_list, cfg, err));
    TRY(image_validation_create(&run->validation, run->valid_list, cfg, err));
fail:
    return status;
}

static RsdStatus open_model(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_step_create(&run->step, run->config, run->options->threads, err));
    TRY(train_state_create(&run->state, run->config, kernels_pick(), err));
fail:
    return status;
}

static RsdStatus make_crop(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    return pictures_crop(ctx, step, sample, dst, err);
}

static RsdStatus open_loader(Run *run, RsdError *err)
{
    const int64_t side = run->config->picture.crop;
    const CropSource source = {.ctx = run->pictures, .make = make_crop, .len = (size_t)(3 * side * side)};

    return loader_create(&run->loader, &source, &run->config->data, (uint64_t)run->state->step, err);
}

/* The transforms of a new model begin as the best linear ones for the first batches. */
static RsdStatus start_transforms(Run *run, RsdError *err)
{
    const TrainConfig *cfg = run->config;
    const size_t count = (size_t)(3 * cfg->data.batch) * (size_t)(cfg->picture.crop * cfg->picture.crop);
    float *pictures = NULL;
    RsdStatus status = RSD_OK;

    if (cfg->picture.start_batches == 0 || run->state->step > 0 || run->options->init_path)
        return RSD_OK;
    TRY(open_loader(run, err));
    TRY(mem_alloc(&pictures, (size_t)cfg->picture.start_batches * count, sizeof *pictures, err));
    for (int i = 0; i < cfg->picture.start_batches; i++) {
        const float *batch;

        TRY(loader_next(run->loader, &batch, err));
        memcpy(pictures + (size_t)i * count, batch, count * sizeof *pictures);
    }
    TRY(image_codec_init_transforms(run->state->image, pictures, (int64_t)cfg->picture.start_batches * cfg->data.batch, cfg->picture.crop, err));
fail:
    mem_free(&pictures);
    loader_destroy(&run->loader);
    return status;
}

static void close_run(Run *run)
{
    loader_destroy(&run->loader);
    image_validation_destroy(&run->validation);
    pictures_destroy(&run->pictures);
    image_step_destroy(&run->step);
    train_state_destroy(&run->state);
    picture_list_destroy(&run->train_list);
    picture_list_destroy(&run->valid_list);
    run_folder_close(&run->folder);
}

/* ---- validation and export ---- */

static RsdStatus export_as(Run *run, const char *name, Dtype stored_as, RsdError *err)
{
    char path[CHECKPOINT_PATH_SIZE], step_text[32];
    const char *const notes[] = {"train.step", step_text, NULL};
    RsdStatus status = RSD_OK;

    snprintf(step_text, sizeof step_text, "%lld", (long long)run->state->step);
    TRY(run_folder_path(path, &run->folder, name, err));
    TRY(image_codec_save(run->state->image, path, stored_as, notes, err));
fail:
    return status;
}

/* The averaged weights as a model file. */
static RsdStatus export_model(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    optimizer_swap_average(run->state->optimizer);
    TRY(export_as(run, "model.safetensors", DTYPE_F32, err));
    if (run->options->export_half)
        TRY(export_as(run, "model-f16.safetensors", DTYPE_F16, err));
    if (run->options->export_bytes)
        TRY(export_as(run, "model-i8.safetensors", DTYPE_I8, err));
fail:
    optimizer_swap_average(run->state->optimizer);
    return status;
}

static void tell_validation(const Run *run, const ImageValidReport *report, bool best)
{
    char text[256];
    size_t used = 0;

    for (int l = 0; l < IMAGE_LEVELS && used < sizeof text; l++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.3f/%.2f", l ? " " : "", report->mean.bpp[l],
                                 report->mean.psnr_db[l]);
    log_note(LOG_INFO, "step %lld: bit/pixel and dB by level %s; integers cost %.1f %%%s", (long long)run->state->step, text,
             100.0 * report->integer_gap, best ? " (best so far)" : "");
    if (run->config->picture.model.heads)
        log_note(LOG_INFO, "step %lld: half size %.2f dB (whole decode, shrunk: %.2f), a quarter %.2f (%.2f)",
                 (long long)run->state->step, report->mean.head_db[0], report->mean.shrunk_db[0], report->mean.head_db[1],
                 report->mean.shrunk_db[1]);
}

static RsdStatus validate(Run *run, RsdError *err)
{
    TrainState *state = run->state;
    ImageValidReport report;
    char path[CHECKPOINT_PATH_SIZE];
    bool best;
    RsdStatus status = RSD_OK;

    if (!run->validation || run->last_valid_step == state->step)
        return RSD_OK;
    TRY(image_validation_run(run->validation, run->step, state, &report, err));
    best = report.score < state->best_score;
    if (best) {
        state->best_score = report.score;
        state->best_step = state->step;
        TRY(run_folder_path(path, &run->folder, "checkpoint-best.safetensors", err));
        TRY(checkpoint_save(state, run->config, path, err));
    }
    TRY(export_model(run, err));
    image_validation_log(&run->folder.log, state->step, &report, best);
    tell_validation(run, &report, best);
    run->last_valid = step_clock();
    run->last_valid_step = state->step;
fail:
    return status;
}

/* ---- log and progress ---- */

static void log_start(Run *run)
{
    const TrainConfig *cfg = run->config;
    RunLog *log = &run->folder.log;
    char report[PICTURE_REPORT_SIZE];

    run_log_begin(log, run->folder.first_step ? "resume" : "start");
    run_log_int(log, "step", run->folder.first_step);
    run_log_int(log, "steps", cfg->train.steps);
    run_log_text(log, "model", cfg->model.name);
    run_log_int(log, "parameters", run->state->optimizer->n_elements);
    run_log_text(log, "data", picture_list_report(report, run->train_list));
    run_log_int(log, "valid_pictures", image_validation_count(run->validation));
    run_log_text(log, "kernels", kernels_pick()->name);
    run_log_int(log, "threads", rsd_threads_count(run->options->threads));
    run_log_end(log);
}

static void log_step(Run *run, const ImageStepReport *report)
{
    RunLog *log = &run->folder.log;
    const Sums *sums = &run->sums;

    run_log_begin(log, "step");
    run_log_int(log, "step", run->state->step);
    run_log_number(log, "loss", sums->loss / sums->n);
    run_log_number(log, "bpp", sums->bpp / sums->n);
    run_log_number(log, "z_bpp", sums->z_bpp / sums->n);
    run_log_number(log, "psnr_db", -10.0 * log10(sums->mse / sums->n));
    run_log_number(log, "grad_norm", sums->grad_norm / sums->n);
    run_log_number(log, "max_activation", (double)sums->max_activation);
    run_log_int(log, "integer", report->integer);
    run_log_number(log, "lr", (double)report->lr);
    run_log_number(log, "crops_per_s", run->crops_per_s);
    run_log_open_object(log, "ms");
    for (int i = 0; i < IMAGE_N_PHASES; i++)
        run_log_number(log, IMAGE_PHASE_NAMES[i], 1000.0 * sums->phase_s[i] / sums->n);
    run_log_close_object(log);
    run_log_end(log);
}

static double seconds_left(const Run *run)
{
    double left = (double)(run->config->train.steps - run->state->step) * run->step_s;
    double limit = run->config->train.time_limit_s - (step_clock() - run->started);

    return run->config->train.time_limit_s > 0 && limit < left ? fmax(limit, 0.0) : left;
}

static void add_to_sums(Sums *sums, const ImageStepReport *report)
{
    sums->n++;
    sums->loss += report->loss;
    sums->bpp += report->bpp;
    sums->z_bpp += report->z_bpp;
    sums->mse += report->mse;
    sums->grad_norm += report->grad_norm;
    if (report->max_activation > sums->max_activation)
        sums->max_activation = report->max_activation;
    for (int i = 0; i < IMAGE_N_PHASES; i++)
        sums->phase_s[i] += report->phase_s[i];
}

static void show(const Run *run, const ImageStepReport *report, bool due)
{
    const Sums *sums = &run->sums;
    TrainProgress progress = {.step = run->state->step,
                              .n_steps = run->config->train.steps,
                              .config = run->config,
                              .picture = report,
                              .mean_grad_norm = sums->grad_norm / sums->n,
                              .speed = run->crops_per_s,
                              .speed_unit = "crops/s",
                              .left_s = seconds_left(run),
                              .score = run->state->best_score,
                              .phase_names = IMAGE_PHASE_NAMES,
                              .phase_s = report->phase_s,
                              .n_phases = IMAGE_N_PHASES,
                              .logged = due};

    snprintf(progress.losses, sizeof progress.losses, "loss %.4f  %.3f bit/pixel  %.2f dB", sums->loss / sums->n,
             sums->bpp / sums->n, -10.0 * log10(sums->mse / sums->n));
    run->options->progress(run->options->progress_ctx, &progress);
}

static void account(Run *run, const ImageStepReport *report)
{
    const TrainConfig *cfg = run->config;
    const bool due = run->state->step % cfg->train.log_every == 0 || run->state->step == cfg->train.steps;
    const double now = step_clock();

    add_to_sums(&run->sums, report);
    run->step_s = (now - run->log_started) / run->sums.n;
    run->crops_per_s = cfg->data.batch / run->step_s;
    if (run->options->progress)
        show(run, report, due);
    if (!due)
        return;
    log_step(run, report);
    run->sums = (Sums){0};
    run->log_started = now;
}

/* ---- the loop ---- */

static bool is_due(int64_t step, int every, double now, double last, double period_s)
{
    return (every > 0 && step % every == 0) || (period_s > 0 && now - last >= period_s);
}

static RsdStatus run_step(Run *run, RsdError *err)
{
    const TrainRunConfig *cfg = &run->config->train;
    ImageStepReport report;
    const float *batch;
    double since = step_clock(), waited;
    RsdStatus status = RSD_OK;

    TRY(loader_next(run->loader, &batch, err));
    waited = step_clock() - since;
    TRY(image_step_run(run->step, run->state, batch, &report, err));
    report.phase_s[0] = waited;
    account(run, &report);
    TRY(run_folder_check_step(&run->folder, run->state, report.spike, report.skipped, report.grad_norm, err));
    since = step_clock();
    if (is_due(run->state->step, cfg->valid_steps, since, run->last_valid, cfg->valid_period_s))
        TRY(validate(run, err));
    if (is_due(run->state->step, cfg->checkpoint_steps, since, run->folder.last_saved, cfg->checkpoint_period_s))
        run_folder_save_or_warn(&run->folder, run->state);
    run->log_started += step_clock() - since; /* speed and time left are those of steps alone */
fail:
    return status;
}

static RsdStatus run_steps(Run *run, TrainEnd *end, RsdError *err)
{
    const TrainRunConfig *cfg = &run->config->train;
    RsdStatus status = RSD_OK;

    *end = TRAIN_FINISHED;
    while (run->state->step < cfg->steps) {
        if (run->options->stop && *run->options->stop) {
            *end = TRAIN_STOPPED;
            break;
        }
        if (cfg->time_limit_s > 0 && step_clock() - run->started + run->step_s + SAVE_RESERVE_S > cfg->time_limit_s) {
            *end = TRAIN_TIME_LIMIT;
            break;
        }
        TRY(run_step(run, err));
    }
fail:
    return status;
}

static RsdStatus finish(Run *run, TrainEnd end, RsdError *err)
{
    static const char *const reasons[] = {"finished", "stopped", "time limit"};
    RunLog *log = &run->folder.log;
    RsdStatus status = RSD_OK;

    /* A stop wants to be quick: what is validated then is validated on resume. */
    if (end != TRAIN_STOPPED)
        TRY(validate(run, err));
    TRY(run_folder_save(&run->folder, run->state, err));
    if (!run->validation)
        TRY(export_model(run, err));
    run_log_begin(log, "end");
    run_log_int(log, "step", run->state->step);
    run_log_text(log, "reason", reasons[end]);
    run_log_number(log, "seconds", step_clock() - run->started);
    run_log_number(log, "best_score", run->state->best_score);
    run_log_int(log, "best_step", run->state->best_step);
    run_log_end(log);
fail:
    return status;
}

RsdStatus train_image(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err)
{
    Run run = {.config = cfg, .options = options, .folder.lock = -1, .last_valid_step = -1};
    TrainEnd end = TRAIN_FINISHED;
    RsdStatus status = RSD_OK;

    memset(summary, 0, sizeof *summary);
    run.started = run.last_valid = run.log_started = step_clock();
    TRY(train_config_check(cfg, err));
    CHECK(group_size(options->group) == 1, err, RSD_ERR_UNSUPPORTED, "pictures are trained by one process only, this is one of %d",
          group_size(options->group));
    TRY(open_data(&run, err));
    TRY(open_model(&run, err));
    TRY(run_folder_open(&run.folder, options->run_dir, cfg, true, err));
    TRY(run_folder_resume(&run.folder, run.state, options->resume, options->init_path,
                          picture_list_fingerprint(run.train_list), "pictures", err));
    TRY(run_folder_begin(&run.folder, err));
    log_start(&run);
    TRY(start_transforms(&run, err));
    if (run.state->step < cfg->train.steps)
        TRY(open_loader(&run, err));
    run.log_started = step_clock();
    TRY(run_steps(&run, &end, err));
    TRY(finish(&run, end, err));
fail:
    if (status != RSD_OK)
        run_folder_log_failure(&run.folder, run.state ? run.state->step : 0, status, err);
    if (run.state) {
        summary->end = end;
        summary->step = run.state->step;
        summary->first_step = run.folder.first_step;
        summary->best_score = run.state->best_score;
        summary->best_step = run.state->best_step;
    }
    memcpy(summary->checkpoint, run.folder.last_checkpoint, sizeof summary->checkpoint);
    summary->seconds = step_clock() - run.started;
    close_run(&run);
    return status;
}

/* ---- plan ---- */

static RsdStatus measure_steps(Run *run, int n_measured, ImagePlan *plan, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(open_loader(run, err));
    for (int i = 0; i < n_measured; i++) {
        const float *batch;
        ImageStepReport report;
        double since, total;

        TRY(loader_next(run->loader, &batch, err));
        since = step_clock();
        TRY(image_step_run(run->step, run->state, batch, &report, err));
        total = step_clock() - since;
        /* The first step also takes memory from the system, so the fastest counts. */
        if (i == 0 || total < plan->step_s) {
            plan->step_s = total;
            memcpy(plan->phase_s, report.phase_s, sizeof plan->phase_s);
        }
    }
    plan->step_size = arena_peak_size(run->step->tape->arena);
fail:
    return status;
}

RsdStatus train_image_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, ImagePlan *plan,
                           RsdError *err)
{
    Run run = {.config = cfg, .options = options, .folder.lock = -1};
    int64_t *steps = NULL;
    size_t n_steps = 0;
    RsdStatus status = RSD_OK;

    memset(plan, 0, sizeof *plan);
    TRY(train_config_check(cfg, err));
    TRY(open_data(&run, err));
    TRY(open_model(&run, err));
    if (options->run_dir)
        TRY(checkpoint_list(&steps, &n_steps, options->run_dir, err));
    plan->resume_step = n_steps ? steps[0] : 0;
    picture_list_report(plan->data_report, run.train_list);
    if (run.valid_list)
        picture_list_report(plan->valid_report, run.valid_list);
    plan->n_valid = image_validation_count(run.validation);
    plan->n_parameters = run.state->optimizer->n_elements;
    plan->macs = image_codec_macs(&cfg->picture.model);
    plan->state_size = 5 * (size_t)plan->n_parameters * sizeof(float);
    if (n_measured > 0)
        TRY(measure_steps(&run, n_measured, plan, err));
    plan->total_s = plan->step_s * (double)(cfg->train.steps - plan->resume_step);
fail:
    mem_free(&steps);
    close_run(&run);
    return status;
}
