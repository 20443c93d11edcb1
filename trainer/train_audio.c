/* train_audio.c - the loop around the step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/train_audio.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "trainer/loader.h"
#include "trainer/run_folder.h"

#define SAVE_RESERVE_S 2.0 /* a run with a time limit starts no step later than this before it */

typedef struct Run {
    const TrainConfig *config;
    const TrainOptions *options;
    MediaList *train_list, *valid_list;
    Dataset *data;
    Loader *loader;
    Validation *validation;
    AudioStep *step;
    TrainState *state;
    RunFolder folder;
    double started, last_valid;
    int64_t last_valid_step;
    /* since the last line of the log */
    int n_logged;
    double sum_losses[BALANCER_MAX_LOSSES], mean_losses[BALANCER_MAX_LOSSES], sum_grad_norm, sum_commitment,
        sum_phase_s[N_PHASES];
    int n_pressed, n_learned; /* steps in which the adversary's terms had values, in which the critics were updated */
    double sum_critic_loss, sum_critic_norm;
    double log_started, audio_per_s, step_s;
} Run;

/* ---- the processes of a run ---- */

/* The one that writes, validates and tells. */
static bool is_first(const Run *run)
{
    return group_rank(run->options->group) == 0;
}

/* Whether any process says so. */
static bool any(const Run *run, bool here)
{
    double n = here;

    group_sum_f64(run->options->group, &n, 1);
    return n > 0.0;
}

/* What one process cannot do, none does. */
static RsdStatus agree(const Run *run, RsdStatus status, RsdError *err)
{
    if (any(run, status != RSD_OK) && status == RSD_OK)
        return error_set(err, RSD_ERR_IO, "another process of this run failed; its message says why");
    return status;
}

/* Processes that see other recordings or start elsewhere would not be one run. */
static RsdStatus check_same_start(const Run *run, RsdError *err)
{
    double here[2] = {(double)media_list_fingerprint(run->train_list), (double)run->state->step}, sums[2];
    int n = group_size(run->options->group);
    RsdStatus status = RSD_OK;

    memcpy(sums, here, sizeof sums);
    group_sum_f64(run->options->group, sums, 2);
    status = sums[0] == n * here[0] && sums[1] == n * here[1]
                 ? RSD_OK
                 : error_set(err, RSD_ERR_ARG, "the processes of this run see other recordings or checkpoints; "
                                               "all of them need the same folders");
    return agree(run, status, err);
}

/* ---- opening ---- */

static RsdStatus open_data(Run *run, RsdError *err)
{
    const TrainConfig *cfg = run->config;
    const TrainOptions *options = run->options;
    RsdStatus status = RSD_OK;

    TRY(media_list_scan(&run->train_list, options->dirs, options->n_dirs, cfg->model.rate_hz, options->threads, err));
    if (options->n_valid_dirs)
        TRY(media_list_scan(&run->valid_list, options->valid_dirs, options->n_valid_dirs, cfg->model.rate_hz,
                            options->threads, err));
    else if (cfg->data.valid_every && run->train_list->n_files >= (size_t)cfg->data.valid_every)
        TRY(media_list_split(run->train_list, cfg->data.valid_every, &run->valid_list, err));
    CHECK(
        media_list_hours(run->train_list) * 3600.0 >= cfg->data.segment_s, err, RSD_ERR_ARG,
        "the recordings last %.2f s in all, less than one crop of data.segment = %g s; give more data or shorter crops",
        media_list_hours(run->train_list) * 3600.0, cfg->data.segment_s);
    TRY(dataset_create(&run->data, run->train_list, &cfg->data, err));
    TRY(validation_create(&run->validation, run->valid_list, cfg, err));
fail:
    return status;
}

static RsdStatus open_model(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(audio_step_create(&run->step, run->config, run->options->threads, run->options->group, err));
    TRY(train_state_create(&run->state, run->config, kernels_pick(), err));
    audio_codec_set_code_training(run->state->codec, &run->config->train.codes, run->options->group);
    if (run->state->adversary)
        run->state->adversary->group = run->options->group;
fail:
    return status;
}

static RsdStatus make_crop(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    const Run *run = ctx;

    return dataset_crop(run->data, (uint64_t)run->config->train.seed, step, sample, (size_t)run->step->segment_len, dst, err);
}

static RsdStatus open_loader(Run *run, RsdError *err)
{
    const CropSource source = {.ctx = run, .make = make_crop, .len = (size_t)run->step->segment_len,
                               .first_sample = (uint32_t)(group_rank(run->options->group) * run->config->data.batch)};

    return loader_create(&run->loader, &source, &run->config->data, (uint64_t)run->state->step, err);
}

static void close_run(Run *run)
{
    loader_destroy(&run->loader);
    validation_destroy(&run->validation);
    dataset_destroy(&run->data);
    audio_step_destroy(&run->step);
    train_state_destroy(&run->state);
    media_list_destroy(&run->train_list);
    media_list_destroy(&run->valid_list);
    run_folder_close(&run->folder);
}

/* ---- saving ---- */

/* The averaged weights as a model file, or an adapter's. */
static RsdStatus export_model(Run *run, RsdError *err)
{
    static const Dtype stored_as[] = {DTYPE_F32, DTYPE_F16, DTYPE_I8};
    static const char *const names[2][3] = {{"model.safetensors", "model-f16.safetensors", "model-i8.safetensors"},
                                            {"adapter.safetensors", "adapter-f16.safetensors", NULL}};
    const bool wanted[] = {true, run->options->export_half, run->options->export_bytes};
    char path[CHECKPOINT_PATH_SIZE], step_text[32], score_text[32];
    const char *const notes[] = {"train.step", step_text, "train.score", score_text, NULL};
    RsdStatus status = RSD_OK;

    snprintf(step_text, sizeof step_text, "%lld", (long long)run->state->step);
    snprintf(score_text, sizeof score_text, "%.6g", run->state->best_score);
    optimizer_swap_average(run->state->optimizer);
    for (int i = 0; i < 3; i++) {
        if (!wanted[i] || !names[run->config->train.adapter_rank > 0][i])
            continue;
        TRY(run_folder_path(path, &run->folder, names[run->config->train.adapter_rank > 0][i], err));
        if (run->config->train.adapter_rank > 0)
            TRY(adapter_save(run->state->codec, path, stored_as[i], notes, err));
        else
            TRY(audio_codec_save(run->state->codec, path, stored_as[i], false, notes, err));
    }
fail:
    optimizer_swap_average(run->state->optimizer);
    return status;
}

/* ---- validation ---- */

/* To be heard later; nothing depends on them. */
static void write_samples(Run *run)
{
    RsdError err = {0};

    if (run->config->train.samples &&
        validation_write_samples(run->validation, run->step, run->state, run->options->run_dir, &err) != RSD_OK)
        log_note(LOG_WARNING, "step %lld: no samples were written: %s", (long long)run->state->step, err.text);
}

static RsdStatus validate(Run *run, RsdError *err)
{
    ValidReport report;
    char path[CHECKPOINT_PATH_SIZE], text[256];
    size_t used = 0;
    bool best;
    RsdStatus status = RSD_OK;

    if (!run->validation || run->last_valid_step == run->state->step || !is_first(run))
        return RSD_OK;
    TRY(validation_run(run->validation, run->step, run->state, &report, err));
    /* What was measured before the quantiser joined is no rival: that was not yet a codec. */
    best = report.score < run->state->best_score || (run->state->best_step <= run->config->train.quantizer_start &&
                                                     run->state->step > run->config->train.quantizer_start);
    if (best) {
        run->state->best_score = report.score;
        run->state->best_step = run->state->step;
        TRY(run_folder_path(path, &run->folder, "checkpoint-best.safetensors", err));
        TRY(checkpoint_save(run->state, run->config, path, err));
        if (run->config->train.exported == EXPORT_BEST)
            TRY(export_model(run, err));
    }
    if (run->config->train.exported == EXPORT_LAST)
        TRY(export_model(run, err));
    validation_log(&run->folder.log, run->config, run->state->step, &report, best);
    for (int i = 0; i < run->config->train.n_rates && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.4f at %g kbit/s", i ? ", " : "",
                                 report.distance[i], run->config->train.rates_bps[i] / 1000.0);
    log_note(LOG_INFO, "step %lld: mel distance %s%s", (long long)run->state->step, text, best ? " (best so far)" : "");
    write_samples(run);
    run->last_valid = step_clock();
    run->last_valid_step = run->state->step;
fail:
    return status;
}

/* ---- log and progress ---- */

static void log_start(Run *run)
{
    const TrainConfig *cfg = run->config;
    char report[MEDIA_REPORT_SIZE];

    run_log_begin(&run->folder.log, run->folder.first_step ? "resume" : "start");
    run_log_int(&run->folder.log, "step", run->folder.first_step);
    run_log_int(&run->folder.log, "steps", cfg->train.steps);
    run_log_text(&run->folder.log, "model", cfg->model.name);
    run_log_int(&run->folder.log, "parameters", run->state->optimizer->n_elements);
    run_log_text(&run->folder.log, "data", media_list_report(report, run->train_list));
    run_log_int(&run->folder.log, "valid_clips", validation_count(run->validation));
    run_log_text(&run->folder.log, "kernels", kernels_pick()->name);
    run_log_int(&run->folder.log, "threads", rsd_threads_count(run->options->threads));
    run_log_int(&run->folder.log, "processes", group_size(run->options->group));
    run_log_end(&run->folder.log);
}

static void log_critics(Run *run, const StepReport *report)
{
    run_log_open_object(&run->folder.log, "critics");
    run_log_number(&run->folder.log, "loss", run->n_learned ? run->sum_critic_loss / run->n_learned : 0.0);
    run_log_number(&run->folder.log, "grad_norm", run->n_learned ? run->sum_critic_norm / run->n_learned : 0.0);
    run_log_number(&run->folder.log, "lr", (double)report->adversary.lr);
    run_log_int(&run->folder.log, "updates", run->n_learned);
    run_log_close_object(&run->folder.log);
}

static void log_layers(RunLog *log, const LayerNorms *layers)
{
    if (!layers)
        return;
    run_log_open_object(log, "layer_norm");
    for (int i = 0; i < layers->n; i++)
        run_log_number(log, layers->names[i], (double)layers->grads[i]);
    run_log_close_object(log);
    run_log_open_object(log, "update_ratio");
    for (int i = 0; i < layers->n; i++)
        run_log_number(log, layers->names[i], (double)layers->ratios[i]);
    run_log_close_object(log);
}

static void log_step(Run *run, const StepReport *report)
{
    int n_terms = train_config_n_terms(run->config);
    RunLog *log = &run->folder.log;
    double n = run->n_logged;

    run_log_begin(log, "step");
    run_log_int(log, "step", run->state->step);
    run_log_open_object(log, "loss");
    for (int i = 0; i < n_terms; i++)
        run_log_number(log, train_config_term_name(run->config, i), run->mean_losses[i]);
    run_log_close_object(log);
    run_log_number(log, "commitment", run->sum_commitment / n);
    run_log_open_object(log, "share");
    for (int i = 0; i < n_terms; i++)
        run_log_number(log, train_config_term_name(run->config, i), (double)report->balance.shares[i]);
    run_log_close_object(log);
    run_log_open_object(log, "ratio");
    for (int i = 0; i < n_terms; i++)
        run_log_number(log, train_config_term_name(run->config, i), (double)report->balance.ratios[i]);
    run_log_close_object(log);
    if (run->state->adversary)
        log_critics(run, report);
    run_log_number(log, "grad_norm", run->sum_grad_norm / n);
    log_layers(log, run->step->layers);
    run_log_number(log, "lr", (double)report->lr);
    run_log_int(log, "stages", report->n_q);
    run_log_number(log, "perplexity_first", (double)report->rvq.perplexity[0]);
    run_log_number(log, "perplexity_last", (double)report->rvq.perplexity[report->n_q - 1]);
    run_log_numbers(log, "perplexity", report->rvq.perplexity, report->rvq.n_q);
    run_log_numbers(log, "usage", report->rvq.usage, report->rvq.n_q);
    run_log_number(log, "quantizer_error", (double)report->rvq.relative_error);
    if (report->exchange.whole > 0.0) {
        run_log_open_object(log, "exchange");
        run_log_number(log, "sent", report->exchange.sent);
        run_log_number(log, "whole", report->exchange.whole);
        run_log_number(log, "held_back", report->exchange.error);
        run_log_close_object(log);
    }
    run_log_number(log, "audio_per_s", run->audio_per_s);
    run_log_open_object(log, "ms");
    for (int i = 0; i < N_PHASES; i++)
        run_log_number(log, STEP_PHASE_NAMES[i], 1000.0 * run->sum_phase_s[i] / n);
    run_log_close_object(log);
    run_log_end(log);
}

static double seconds_left(const Run *run)
{
    double left = (double)(run->config->train.steps - run->state->step) * run->step_s;
    double limit = run->config->train.time_limit_s - (step_clock() - run->started);

    return run->config->train.time_limit_s > 0 && limit < left ? fmax(limit, 0.0) : left;
}

/* Whether this many steps make a line of the log. */
static bool is_logged(const TrainConfig *cfg, int64_t step)
{
    return step % cfg->train.log_every == 0 || step == cfg->train.steps;
}

static void account(Run *run, const StepReport *report)
{
    const TrainConfig *cfg = run->config;
    bool due = is_logged(cfg, run->state->step);
    double now = step_clock();

    run->n_logged++;
    run->n_pressed += report->adversary.pressed;
    for (int i = 0; i < train_config_n_terms(cfg); i++) {
        int n_steps = i < cfg->loss.n_losses ? run->n_logged : run->n_pressed;

        run->sum_losses[i] += report->losses[i];
        run->mean_losses[i] = n_steps ? run->sum_losses[i] / n_steps : 0.0;
    }
    if (report->adversary.learned) {
        run->n_learned++;
        run->sum_critic_loss += report->adversary.critic_loss;
        run->sum_critic_norm += report->adversary.grad_norm;
    }
    for (int i = 0; i < N_PHASES; i++)
        run->sum_phase_s[i] += report->phase_s[i];
    run->sum_grad_norm += report->grad_norm;
    run->sum_commitment += report->commitment;
    run->step_s = (now - run->log_started) / run->n_logged;
    run->audio_per_s = group_size(run->options->group) * cfg->data.batch * (double)run->step->segment_len / cfg->model.rate_hz / run->step_s;
    if (run->options->progress) {
        TrainProgress progress = {.step = run->state->step,
                                  .n_steps = cfg->train.steps,
                                  .config = cfg,
                                  .report = report,
                                  .mean_grad_norm = run->sum_grad_norm / run->n_logged,
                                  .speed = run->audio_per_s,
                                  .speed_unit = "audio-s/s",
                                  .left_s = seconds_left(run),
                                  .score = run->state->best_score,
                                  .phase_names = STEP_PHASE_NAMES,
                                  .phase_s = report->phase_s,
                                  .n_phases = N_PHASES,
                                  .logged = due};
        size_t used = 0;

        for (int i = 0; i < train_config_n_terms(cfg) && used < sizeof progress.losses; i++)
            used += (size_t)snprintf(progress.losses + used, sizeof progress.losses - used, "%s%s %.4g", i ? "  " : "",
                                     train_config_term_name(cfg, i), run->mean_losses[i]);
        run->options->progress(run->options->progress_ctx, &progress);
    }
    if (!due)
        return;
    log_step(run, report);
    run->n_logged = run->n_pressed = run->n_learned = 0;
    run->sum_grad_norm = run->sum_commitment = run->sum_critic_loss = run->sum_critic_norm = 0.0;
    memset(run->sum_losses, 0, sizeof run->sum_losses);
    memset(run->sum_phase_s, 0, sizeof run->sum_phase_s);
    run->log_started = now;
}

/* ---- the loop ---- */

static bool is_due(int64_t step, int every, double now, double last, double period_s)
{
    return (every > 0 && step % every == 0) || (period_s > 0 && now - last >= period_s);
}

static RsdStatus run_steps(Run *run, TrainEnd *end, RsdError *err)
{
    const TrainRunConfig *cfg = &run->config->train;
    double spent_elsewhere;
    RsdStatus status = RSD_OK;

    *end = TRAIN_FINISHED;
    while (run->state->step < cfg->steps) {
        StepReport report;
        const float *batch;
        double since = step_clock(), waited;

        if (any(run, run->options->stop && *run->options->stop)) {
            *end = TRAIN_STOPPED;
            break;
        }
        if (any(run, cfg->time_limit_s > 0 && since - run->started + run->step_s + SAVE_RESERVE_S > cfg->time_limit_s)) {
            *end = TRAIN_TIME_LIMIT;
            break;
        }
        TRY(audio_step_init_codebooks(run->step, run->state, run->data, err));
        since = step_clock();
        TRY(loader_next(run->loader, &batch, err));
        waited = step_clock() - since;
        run->step->measure_layers = is_first(run) && is_logged(run->config, run->state->step + 1);
        TRY(audio_step_run(run->step, run->state, batch, &report, err));
        report.phase_s[PHASE_DATA] = waited;
        account(run, &report);
        TRY(run_folder_check_step(&run->folder, run->state, report.spike, report.skipped, report.grad_norm, err));
        spent_elsewhere = step_clock();
        if (is_due(run->state->step, cfg->valid_steps, spent_elsewhere, run->last_valid, cfg->valid_period_s))
            TRY(validate(run, err));
        if (is_due(run->state->step, cfg->checkpoint_steps, spent_elsewhere, run->folder.last_saved, cfg->checkpoint_period_s))
            run_folder_save_or_warn(&run->folder, run->state);
        /* Speed and time left are those of steps alone. */
        run->log_started += step_clock() - spent_elsewhere;
    }
fail:
    return status;
}

static RsdStatus finish(Run *run, TrainEnd end, RsdError *err)
{
    static const char *const reasons[] = {"finished", "stopped", "time limit"};
    RsdStatus status = RSD_OK;

    /* A stop wants to be quick: what is validated then is validated on resume. */
    if (end != TRAIN_STOPPED)
        TRY(validate(run, err));
    TRY(run_folder_save(&run->folder, run->state, err));
    if (!run->validation && is_first(run))
        TRY(export_model(run, err));
    run_log_begin(&run->folder.log, "end");
    run_log_int(&run->folder.log, "step", run->state->step);
    run_log_text(&run->folder.log, "reason", reasons[end]);
    run_log_number(&run->folder.log, "seconds", step_clock() - run->started);
    run_log_number(&run->folder.log, "best_score", run->state->best_score);
    run_log_int(&run->folder.log, "best_step", run->state->best_step);
    run_log_end(&run->folder.log);
fail:
    return status;
}

static RsdStatus open_all(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(train_config_check(run->config, err));
    CHECK(group_size(run->options->group) == 1 || run->config->loss.balance != BALANCE_ADAPTIVE, err, RSD_ERR_ARG,
          "loss.balance = adaptive works with one process only; choose encodec");
    TRY(open_data(run, err));
    TRY(open_model(run, err));
fail:
    return status;
}

static RsdStatus open_log(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(run_folder_begin(&run->folder, err));
    log_start(run);
fail:
    return status;
}

static RsdStatus resume(Run *run, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(run_folder_resume(&run->folder, run->state, run->options->resume, run->options->init_path,
                          media_list_fingerprint(run->train_list), "recordings", err));
    if (run->folder.first_step > 0 && run->config->train.exchange.kind != EXCHANGE_ALL && is_first(run) &&
        group_size(run->options->group) > 1)
        log_note(LOG_WARNING, "train.exchange: what the processes held back of their gradients is not in the checkpoint; the run goes on "
                              "without it, and differs from one that never stopped");
    CHECK(run->config->train.adapter_rank == 0 || run->options->init_path || run->folder.first_step > 0, err, RSD_ERR_ARG,
          "train.adapter_rank = %d adds to a trained model: name it with --init MODEL", run->config->train.adapter_rank);
fail:
    return status;
}

RsdStatus train_audio(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err)
{
    Run run = {.config = cfg, .options = options, .folder.lock = -1, .last_valid_step = -1};
    TrainEnd end = TRAIN_FINISHED;
    RsdStatus status = RSD_OK;

    memset(summary, 0, sizeof *summary);
    run.started = run.last_valid = run.log_started = step_clock();
    TRY(agree(&run, open_all(&run, err), err));
    TRY(agree(&run, run_folder_open(&run.folder, options->run_dir, cfg, is_first(&run), err), err));
    TRY(agree(&run, resume(&run, err), err));
    TRY(check_same_start(&run, err));
    TRY(agree(&run, is_first(&run) ? open_log(&run, err) : RSD_OK, err));
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

static size_t cached_size(const MediaList *list, int64_t limit)
{
    double size = media_list_hours(list) * 3600.0 * list->rate_hz * (double)sizeof(int16_t);

    return size < (double)limit ? (size_t)size : (size_t)limit;
}

static RsdStatus measure_steps(Run *run, int n_measured, TrainPlan *plan, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(open_loader(run, err));
    TRY(audio_step_init_codebooks(run->step, run->state, run->data, err));
    for (int i = 0; i < n_measured; i++) {
        const float *batch;
        StepReport report;
        double since = step_clock(), waited, total;

        TRY(loader_next(run->loader, &batch, err));
        waited = step_clock() - since;
        TRY(audio_step_run(run->step, run->state, batch, &report, err));
        report.phase_s[PHASE_DATA] = waited;
        total = step_clock() - since - waited;
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

RsdStatus train_audio_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, TrainPlan *plan,
                           RsdError *err)
{
    TrainConfig quick = *cfg;
    Run run = {.config = &quick, .options = options, .folder.lock = -1};
    int64_t *steps = NULL;
    size_t n_steps = 0;
    RsdStatus status = RSD_OK;

    memset(plan, 0, sizeof *plan);
    quick.train.kmeans_batches = 1; /* the first codebooks are not what is measured */
    quick.train.quantizer_start = quick.adversary.start = quick.adversary.warmup = 0;
    TRY(train_config_check(cfg, err));
    TRY(open_data(&run, err));
    TRY(open_model(&run, err));
    if (options->run_dir)
        TRY(checkpoint_list(&steps, &n_steps, options->run_dir, err));
    plan->resume_step = n_steps ? steps[0] : 0;
    media_list_report(plan->data_report, run.train_list);
    if (run.valid_list)
        media_list_report(plan->valid_report, run.valid_list);
    plan->data_hours = media_list_hours(run.train_list);
    plan->n_valid_clips = validation_count(run.validation);
    plan->valid_seconds = validation_seconds(run.validation);
    plan->n_parameters = run.state->optimizer->n_elements;
    if (run.state->adversary) {
        plan->n_critics = audio_critics_count(run.state->adversary->critics);
        plan->n_critic_parameters = run.state->adversary->optimizer->n_elements;
        plan->critic_macs_per_s = audio_critics_macs_per_second(run.state->adversary->critics, cfg->model.rate_hz);
    }
    plan->n_codebook_numbers = (int64_t)cfg->model.rvq.n_q * cfg->model.rvq.codebook_size * cfg->model.rvq.dim;
    plan->encoder_macs_per_s = seanet_macs_per_second(&cfg->model.seanet, cfg->model.rate_hz, false);
    plan->decoder_macs_per_s = seanet_macs_per_second(&cfg->model.seanet, cfg->model.rate_hz, true);
    plan->state_size = (size_t)(5 * (plan->n_parameters + plan->n_critic_parameters) + 2 * plan->n_codebook_numbers) * sizeof(float);
    plan->cache_size = cached_size(run.train_list, cfg->data.cache_size);
    if (n_measured > 0)
        TRY(measure_steps(&run, n_measured, plan, err));
    plan->total_s = plan->step_s * (double)(cfg->train.steps - plan->resume_step);
fail:
    mem_free(&steps);
    close_run(&run);
    return status;
}
