/* train_loop.c - the loop, and what the processes of a run agree on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/train_loop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/kernels/kernels.h"
#include "trainer/step_clock.h"

#define SAVE_RESERVE_S 2.0 /* before a time limit, for the last checkpoint */
#define STALL_FACTOR 20.0  /* a step of so many usual ones and STALL_S more was none */
#define STALL_S 60.0

/* ---- the processes of a run ---- */

bool train_loop_is_first(const TrainLoop *loop)
{
    return group_rank(loop->options->group) == 0;
}

/* Whether any process says so. */
static bool any(const TrainLoop *loop, bool here)
{
    double n = here;

    group_sum_f64(loop->options->group, &n, 1);
    return n > 0.0;
}

/* What one process cannot do, none does. */
static RsdStatus agree(const TrainLoop *loop, RsdStatus status, RsdError *err)
{
    if (any(loop, status != RSD_OK) && status == RSD_OK)
        return error_set(err, RSD_ERR_IO, "another process of this run failed; its message says why");
    return status;
}

/* Processes that see other data or start elsewhere would not be one run. */
static RsdStatus check_same_start(const TrainLoop *loop, RsdError *err)
{
    double here[2] = {(double)loop->fingerprint, (double)loop->state->step}, sums[2];
    int n = group_size(loop->options->group);
    RsdStatus status = RSD_OK;

    memcpy(sums, here, sizeof sums);
    group_sum_f64(loop->options->group, sums, 2);
    status = sums[0] == n * here[0] && sums[1] == n * here[1]
                 ? RSD_OK
                 : error_set(err, RSD_ERR_ARG, "the processes of this run see other %s or checkpoints; all of them need the same folders",
                             loop->kind->data_name);
    return agree(loop, status, err);
}

/* ---- opening ---- */

RsdStatus train_loop_open_loader(TrainLoop *loop, RsdError *err)
{
    loop->crops.first_sample = (uint32_t)(group_rank(loop->options->group) * loop->config->data.batch);
    return loader_create(&loop->loader, &loop->crops, &loop->config->data, (uint64_t)loop->state->step, err);
}

static RsdStatus open_kind(TrainLoop *loop, RsdError *err)
{
    RsdStatus status = train_config_check(loop->config, err);

    return status == RSD_OK ? loop->kind->open(loop, err) : status;
}

static RsdStatus find_state(TrainLoop *loop, RsdError *err)
{
    const TrainOptions *options = loop->options;
    RsdStatus status = RSD_OK;

    TRY(run_folder_resume(&loop->folder, loop->state, options->resume, options->init_path, loop->fingerprint, loop->kind->data_name, err));
    if (options->prior_path && loop->folder.last_saved_step < 0) {
        TRY(train_state_take_prior(loop->state, loop->config, options->prior_path, err));
        optimizer_restart_average(loop->state->optimizer);
    }
fail:
    return status;
}

static void log_start(TrainLoop *loop)
{
    RunLog *log = &loop->folder.log;

    run_log_begin(log, loop->folder.last_saved_step >= 0 ? "resume" : "start");
    run_log_int(log, "step", loop->folder.first_step);
    run_log_int(log, "steps", loop->config->train.steps);
    run_log_text(log, "model", loop->config->model.name);
    run_log_int(log, "parameters", loop->state->optimizer->n_elements);
    loop->kind->log_data(loop);
    run_log_text(log, "kernels", kernels_pick()->name);
    run_log_int(log, "threads", rsd_threads_count(loop->options->threads));
    run_log_int(log, "processes", group_size(loop->options->group));
    run_log_end(log);
}

static RsdStatus open_log(TrainLoop *loop, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!train_loop_is_first(loop))
        return RSD_OK;
    TRY(run_folder_begin(&loop->folder, err));
    log_start(loop);
fail:
    return status;
}

static RsdStatus open_all(TrainLoop *loop, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(agree(loop, open_kind(loop, err), err));
    TRY(agree(loop, run_folder_open(&loop->folder, loop->options->run_dir, loop->config, train_loop_is_first(loop), err), err));
    TRY(agree(loop, find_state(loop, err), err));
    TRY(check_same_start(loop, err));
    TRY(agree(loop, loop->kind->begin(loop, err), err));
    TRY(agree(loop, open_log(loop, err), err));
    if (loop->state->step < loop->config->train.steps)
        TRY(train_loop_open_loader(loop, err));
fail:
    return status;
}

static void close_all(TrainLoop *loop)
{
    loader_destroy(&loop->loader); /* its threads make crops until now */
    loop->kind->close(loop);
    train_state_destroy(&loop->state);
    run_folder_close(&loop->folder);
}

/* ---- validation and export ---- */

/* The averaged weights as a model file, or an adapter's; score: theirs, infinite without a validation. */
static RsdStatus export_model(TrainLoop *loop, double score, RsdError *err)
{
    static const Dtype stored_as[] = {DTYPE_F32, DTYPE_F16, DTYPE_I8};
    static const char *const names[2][3] = {{"model.safetensors", "model-f16.safetensors", "model-i8.safetensors"},
                                            {"adapter.safetensors", "adapter-f16.safetensors", NULL}};
    const bool wanted[] = {true, loop->options->export_half, loop->options->export_bytes};
    char path[CHECKPOINT_PATH_SIZE], step_text[32], score_text[32];
    const char *const notes[] = {"train.step", step_text, "train.score", score_text, NULL};
    RsdStatus status = RSD_OK;

    snprintf(step_text, sizeof step_text, "%lld", (long long)loop->state->step);
    snprintf(score_text, sizeof score_text, "%.6g", score);
    optimizer_swap_average(loop->state->optimizer);
    for (int i = 0; i < 3; i++) {
        const char *name = names[loop->config->train.adapter_rank > 0][i];

        if (!wanted[i] || !name)
            continue;
        TRY(run_folder_path(path, &loop->folder, name, err));
        TRY(loop->kind->save_model(loop, path, stored_as[i], notes, err));
    }
fail:
    optimizer_swap_average(loop->state->optimizer);
    return status;
}

/* What was measured before the quantiser joined is no rival: that was not yet a codec. */
static bool is_best(const TrainLoop *loop, double score)
{
    const int64_t start = loop->config->train.quantizer_start;

    return score < loop->state->best_score || (loop->state->best_step <= start && loop->state->step > start);
}

/* The best is what the files say: without them it was none. */
static RsdStatus keep_best(TrainLoop *loop, double score, RsdError *err)
{
    const double best_score = loop->state->best_score;
    const int64_t best_step = loop->state->best_step;
    char path[CHECKPOINT_PATH_SIZE];
    RsdStatus status = RSD_OK;

    loop->state->best_score = score;
    loop->state->best_step = loop->state->step;
    TRY(run_folder_path(path, &loop->folder, "checkpoint-best.safetensors", err));
    TRY(checkpoint_save(loop->state, loop->config, path, err));
    TRY(export_model(loop, score, err));
    return RSD_OK;
fail:
    loop->state->best_score = best_score;
    loop->state->best_step = best_step;
    return status;
}

/* What a validation leaves on the disk. In the middle of a run a full one is no end. */
static RsdStatus keep_validated(TrainLoop *loop, double score, bool best, bool in_the_middle, RsdError *err)
{
    RsdError reason = {0};
    RsdStatus status = RSD_OK;

    if (best)
        status = keep_best(loop, score, &reason);
    else if (loop->config->train.exported == EXPORT_LAST)
        status = export_model(loop, score, &reason);
    if (status == RSD_ERR_IO && in_the_middle) {
        log_note(LOG_WARNING, "step %lld: the validated weights were not written: %s", (long long)loop->state->step, reason.text);
        return RSD_OK;
    }
    if (status != RSD_OK && err)
        *err = reason;
    return status;
}

static RsdStatus validate(TrainLoop *loop, bool in_the_middle, RsdError *err)
{
    const double since = step_clock();
    double score;
    bool best;
    RsdStatus status = RSD_OK;

    if (!loop->kind->can_validate(loop) || loop->last_valid_step == loop->state->step || !train_loop_is_first(loop))
        return RSD_OK;
    TRY(loop->kind->validate(loop, &score, err));
    best = is_best(loop, score);
    TRY(keep_validated(loop, score, best, in_the_middle, err));
    best = loop->state->best_step == loop->state->step;
    loop->kind->tell_validation(loop, best);
    loop->last_valid = step_clock();
    loop->last_valid_step = loop->state->step;
    loop->valid_s = fmax(loop->valid_s, loop->last_valid - since);
fail:
    return status;
}

/* ---- log and progress ---- */

bool train_loop_is_logged(const TrainConfig *cfg, int64_t step)
{
    return step % cfg->train.log_every == 0 || step == cfg->train.steps;
}

static double seconds_left(const TrainLoop *loop)
{
    double left = (double)(loop->config->train.steps - loop->state->step) * loop->step_s;
    double limit = loop->config->train.time_limit_s - (step_clock() - loop->started);

    return loop->config->train.time_limit_s > 0 && limit < left ? fmax(limit, 0.0) : left;
}

static void show(TrainLoop *loop, const StepOutcome *outcome, bool due)
{
    TrainProgress progress = {.step = loop->state->step,
                              .n_steps = loop->config->train.steps,
                              .config = loop->config,
                              .mean_grad_norm = loop->sum_grad_norm / loop->n_logged,
                              .speed = loop->speed,
                              .speed_unit = loop->kind->speed_unit,
                              .left_s = seconds_left(loop),
                              .score = loop->state->best_score,
                              .phase_names = loop->kind->phase_names,
                              .phase_s = outcome->phase_s,
                              .n_phases = loop->kind->n_phases,
                              .logged = due};

    loop->kind->show(loop, &progress);
    loop->options->progress(loop->options->progress_ctx, &progress);
}

void train_loop_log_exchange(TrainLoop *loop, const ExchangeReport *report)
{
    RunLog *log = &loop->folder.log;

    if (report->whole <= 0.0)
        return;
    run_log_open_object(log, "exchange");
    run_log_number(log, "sent", report->sent);
    run_log_number(log, "whole", report->whole);
    run_log_number(log, "held_back", report->error);
    run_log_close_object(log);
}

static void log_step(TrainLoop *loop)
{
    RunLog *log = &loop->folder.log;

    run_log_begin(log, "step");
    run_log_int(log, "step", loop->state->step);
    loop->kind->log_step(loop);
    run_log_open_object(log, "ms");
    for (int i = 0; i < loop->kind->n_phases; i++)
        run_log_number(log, loop->kind->phase_names[i], 1000.0 * loop->sum_phase_s[i] / loop->n_logged);
    run_log_close_object(log);
    run_log_end(log);
}

/* A machine that slept or a clock that jumped is no measure of a step: what is beyond the usual does not count. Two such in a row do. */
static void leave_stall_out(TrainLoop *loop, double now)
{
    const double took = now - loop->step_ended, usual = loop->step_s;

    loop->stalled = !loop->stalled && usual > 0.0 && took > STALL_FACTOR * usual + STALL_S;
    if (loop->stalled)
        loop->log_started += took - usual;
    loop->step_ended = now;
}

static void account(TrainLoop *loop, const StepOutcome *outcome)
{
    const bool due = train_loop_is_logged(loop->config, loop->state->step);
    const double now = step_clock();

    leave_stall_out(loop, now);
    loop->n_logged++;
    loop->sum_grad_norm += outcome->grad_norm;
    for (int i = 0; i < loop->kind->n_phases; i++)
        loop->sum_phase_s[i] += outcome->phase_s[i];
    loop->step_s = (now - loop->log_started) / loop->n_logged;
    if (loop->step_s > 0.0) /* a clock that went back stands still for a step */
        loop->speed = group_size(loop->options->group) * loop->config->data.batch * loop->crop_worth / loop->step_s;
    if (loop->options->progress)
        show(loop, outcome, due);
    if (!due)
        return;
    log_step(loop);
    loop->n_logged = 0;
    loop->sum_grad_norm = 0.0;
    memset(loop->sum_phase_s, 0, sizeof loop->sum_phase_s);
    loop->log_started = now;
}

/* ---- the loop ---- */

static bool is_due(int64_t step, int every, double now, double last, double period_s)
{
    return (every > 0 && step % every == 0) || (period_s > 0 && now - last >= period_s);
}

/* Crops, then a step on them. */
static RsdStatus take_step(TrainLoop *loop, StepOutcome *outcome, RsdError *err)
{
    const float *batch;
    double since = step_clock(), waited;
    RsdStatus status = RSD_OK;

    TRY(loader_next(loop->loader, &batch, err));
    waited = step_clock() - since;
    TRY(loop->kind->step(loop, batch, outcome, err));
    outcome->phase_s[0] = waited;
fail:
    return status;
}

/* All processes together, because each has a part of the state; a part that does not come together is left out. In the middle of a run a
 * failure is no end. */
static RsdStatus save(TrainLoop *loop, bool in_the_middle, RsdError *err)
{
    Exchange *exchange = loop->state->exchange;
    RsdStatus status = RSD_OK;

    if (exchange && exchange_collect(exchange, err) != RSD_OK && train_loop_is_first(loop))
        log_note(LOG_WARNING, "the checkpoint lacks what the processes hold back of their gradients: there is no memory to collect it");
    if (in_the_middle)
        run_folder_save_or_warn(&loop->folder, loop->state);
    else
        status = run_folder_save(&loop->folder, loop->state, err);
    if (exchange)
        exchange_forget(exchange);
    return status;
}

static RsdStatus run_step(TrainLoop *loop, RsdError *err)
{
    const TrainRunConfig *cfg = &loop->config->train;
    StepOutcome outcome;
    double since, other;
    RsdStatus status = RSD_OK;

    TRY(take_step(loop, &outcome, err));
    account(loop, &outcome);
    TRY(run_folder_check_step(&loop->folder, loop->state, outcome.spike, outcome.skipped, outcome.grad_norm, err));
    since = step_clock();
    if (is_due(loop->state->step, cfg->valid_steps, since, loop->last_valid, cfg->valid_period_s))
        TRY(validate(loop, loop->state->step < cfg->steps, err));
    if (any(loop, is_due(loop->state->step, cfg->checkpoint_steps, since, loop->folder.last_saved, cfg->checkpoint_period_s)))
        TRY(save(loop, true, err));
    other = step_clock() - since; /* speed and time left are those of steps alone */
    loop->log_started += other;
    loop->step_ended += other;
fail:
    return status;
}

/* What takes so long and would not be saved in time is not begun. */
static bool is_late_for(const TrainLoop *loop, double seconds)
{
    const double limit = loop->config->train.time_limit_s;

    return limit > 0 && step_clock() - loop->started + seconds + SAVE_RESERVE_S > limit;
}

static RsdStatus run_steps(TrainLoop *loop, TrainEnd *end, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *end = TRAIN_FINISHED;
    while (loop->state->step < loop->config->train.steps) {
        if (any(loop, loop->options->stop && *loop->options->stop)) {
            *end = TRAIN_STOPPED;
            break;
        }
        if (any(loop, is_late_for(loop, loop->step_s + loop->valid_s))) {
            *end = TRAIN_TIME_LIMIT;
            break;
        }
        TRY(run_step(loop, err));
    }
fail:
    return status;
}

/* A stop wants to be quick, and a time limit holds: who does not know how long a validation takes begins none. It comes on resume. */
static bool validates_last(const TrainLoop *loop, TrainEnd end)
{
    return end == TRAIN_FINISHED || (end == TRAIN_TIME_LIMIT && loop->last_valid_step >= 0 && !is_late_for(loop, loop->valid_s));
}

static RsdStatus finish(TrainLoop *loop, TrainEnd end, RsdError *err)
{
    static const char *const reasons[] = {"finished", "stopped", "time limit"};
    RunLog *log = &loop->folder.log;
    RsdStatus status = RSD_OK, kept;

    if (validates_last(loop, end))
        status = validate(loop, false, err);
    kept = save(loop, false, status == RSD_OK ? err : NULL); /* the state, even where there is no room for more */
    TRY(status);
    TRY(kept);
    if (!loop->kind->can_validate(loop) && train_loop_is_first(loop))
        TRY(export_model(loop, INFINITY, err));
    run_log_begin(log, "end");
    run_log_int(log, "step", loop->state->step);
    run_log_text(log, "reason", reasons[end]);
    run_log_number(log, "seconds", step_clock() - loop->started);
    run_log_number(log, "best_score", loop->state->best_score);
    run_log_int(log, "best_step", loop->state->best_step);
    run_log_end(log);
fail:
    return status;
}

RsdStatus train_loop_run(const LoopKind *kind, void *own, const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary,
                         RsdError *err)
{
    TrainLoop loop = {.kind = kind, .own = own, .config = cfg, .options = options, .folder.lock = -1, .last_valid_step = -1};
    TrainEnd end = TRAIN_FINISHED;
    RsdStatus status = RSD_OK;

    memset(summary, 0, sizeof *summary);
    loop.started = loop.last_valid = step_clock();
    TRY(open_all(&loop, err));
    loop.log_started = loop.step_ended = step_clock();
    TRY(run_steps(&loop, &end, err));
    TRY(finish(&loop, end, err));
fail:
    if (status != RSD_OK)
        run_folder_log_failure(&loop.folder, loop.state ? loop.state->step : 0, status, err);
    if (loop.state) {
        summary->end = end;
        summary->step = loop.state->step;
        summary->first_step = loop.folder.first_step;
        summary->best_score = loop.state->best_score;
        summary->best_step = loop.state->best_step;
    }
    memcpy(summary->checkpoint, loop.folder.last_checkpoint, sizeof summary->checkpoint);
    summary->seconds = step_clock() - loop.started;
    close_all(&loop);
    return status;
}

/* ---- plan ---- */

RsdStatus train_loop_measure(TrainLoop *loop, int n_steps, double *step_s, double *phase_s, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(train_loop_open_loader(loop, err));
    for (int i = 0; i < n_steps; i++) {
        StepOutcome outcome;
        double since = step_clock(), total;

        TRY(take_step(loop, &outcome, err));
        total = step_clock() - since - outcome.phase_s[0];
        /* The first step also takes memory from the system, so the fastest counts. */
        if (i == 0 || total < *step_s) {
            *step_s = total;
            memcpy(phase_s, outcome.phase_s, (size_t)loop->kind->n_phases * sizeof *phase_s);
        }
    }
fail:
    loader_destroy(&loop->loader); /* its threads use what the kind closes */
    return status;
}
