/* train_audio.c - sound in the loop of a training run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/train_audio.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "trainer/loss_sums.h"

typedef struct AudioRun {
    MediaList *train_list, *valid_list;
    Dataset *data;
    Validation *validation;
    ValidReport validated; /* the last */
    AudioStep *step;
    StepReport report; /* of the last step */
    /* since the last line of the log */
    LossSums sums;
    double sum_commitment;
} AudioRun;

/* ---- opening ---- */

static RsdStatus open_data(AudioRun *run, const TrainConfig *cfg, const TrainOptions *options, RsdError *err)
{
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
    CHECK(run->validation || !options->n_valid_dirs, err, RSD_ERR_CORRUPT, "none of the recordings of --valid that were looked at can be used");
    if (run->valid_list && !run->validation)
        log_note(LOG_WARNING, "none of the recordings held out can be used; there is no validation");
fail:
    return status;
}

static RsdStatus make_crop(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    const TrainLoop *loop = ctx;
    const AudioRun *run = loop->own;

    return dataset_crop(run->data, (uint64_t)loop->config->train.seed, step, sample, (size_t)run->step->segment_len, dst, err);
}

static RsdStatus open_audio(TrainLoop *loop, RsdError *err)
{
    const TrainConfig *cfg = loop->config;
    const TrainOptions *options = loop->options;
    AudioRun *run = loop->own;
    RsdStatus status = RSD_OK;

    TRY(open_data(run, cfg, options, err));
    TRY(audio_step_create(&run->step, cfg, options->threads, options->group, err));
    TRY(train_state_create(&loop->state, cfg, kernels_pick(), err));
    TRY(train_state_join(loop->state, cfg, options->group, err));
    loop->crops = (CropSource){.ctx = loop, .make = make_crop, .len = (size_t)run->step->segment_len};
    loop->crop_worth = (double)run->step->segment_len / cfg->model.rate_hz;
    loop->fingerprint = media_list_fingerprint(run->train_list);
fail:
    return status;
}

static void close_audio(TrainLoop *loop)
{
    AudioRun *run = loop->own;

    validation_destroy(&run->validation);
    dataset_destroy(&run->data);
    audio_step_destroy(&run->step);
    media_list_destroy(&run->train_list);
    media_list_destroy(&run->valid_list);
}

static RsdStatus begin_audio(TrainLoop *loop, RsdError *err)
{
    const TrainRunConfig *cfg = &loop->config->train;
    RsdStatus status = RSD_OK;

    CHECK(cfg->adapter_rank == 0 || loop->options->init_path || loop->folder.last_saved_step >= 0, err, RSD_ERR_ARG,
          "train.adapter_rank = %d adds to a trained model: name it with --init MODEL", cfg->adapter_rank);
fail:
    return status;
}

static RsdStatus save_audio(TrainLoop *loop, const char *path, Dtype stored_as, const char *const *notes, RsdError *err)
{
    if (loop->config->train.adapter_rank > 0)
        return adapter_save(loop->state->codec, path, stored_as, notes, err);
    return audio_codec_save(loop->state->codec, path, stored_as, false, notes, err);
}

/* ---- validation ---- */

static bool can_validate(const TrainLoop *loop)
{
    const AudioRun *run = loop->own;

    return run->validation != NULL;
}

static RsdStatus validate_audio(TrainLoop *loop, double *score, RsdError *err)
{
    AudioRun *run = loop->own;
    RsdStatus status = validation_run(run->validation, run->step, loop->state, &run->validated, err);

    *score = run->validated.score;
    return status;
}

/* To be heard later; nothing depends on them. */
static void write_samples(TrainLoop *loop)
{
    AudioRun *run = loop->own;
    RsdError err = {0};

    if (loop->config->train.samples &&
        validation_write_samples(run->validation, run->step, loop->state, loop->options->run_dir, &err) != RSD_OK)
        log_note(LOG_WARNING, "step %lld: no samples were written: %s", (long long)loop->state->step, err.text);
}

static void tell_validation(TrainLoop *loop, bool best)
{
    const TrainConfig *cfg = loop->config;
    const AudioRun *run = loop->own;
    char text[256];
    size_t used = 0;

    validation_log(&loop->folder.log, cfg, loop->state->step, &run->validated, best);
    for (int i = 0; i < cfg->train.n_rates && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.4f at %g kbit/s", i ? ", " : "",
                                 run->validated.distance[i], cfg->train.rates_bps[i] / 1000.0);
    log_note(LOG_INFO, "step %lld: mel distance %s%s", (long long)loop->state->step, text, best ? " (best so far)" : "");
    write_samples(loop);
}

/* ---- a step, its line in the log, and progress ---- */

static RsdStatus step_audio(TrainLoop *loop, const float *batch, StepOutcome *outcome, RsdError *err)
{
    AudioRun *run = loop->own;
    StepReport *report = &run->report;
    RsdStatus status = RSD_OK;

    TRY(audio_step_init_codebooks(run->step, loop->state, run->data, err));
    run->step->measure_layers = train_loop_is_first(loop) && train_loop_is_logged(loop->config, loop->state->step + 1);
    TRY(audio_step_run(run->step, loop->state, batch, report, err));
    loss_sums_add(&run->sums, loop->config, report->losses, &report->adversary);
    run->sum_commitment += report->commitment;
    *outcome = (StepOutcome){report->spike, report->skipped, report->overflow ? 0.0 : report->grad_norm, report->phase_s};
fail:
    return status;
}

static void log_data(TrainLoop *loop)
{
    const AudioRun *run = loop->own;
    char report[MEDIA_REPORT_SIZE];

    run_log_text(&loop->folder.log, "data", media_list_report(report, run->train_list));
    run_log_int(&loop->folder.log, "valid_clips", validation_count(run->validation));
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

static void log_step(TrainLoop *loop)
{
    AudioRun *run = loop->own;
    const StepReport *report = &run->report;
    RunLog *log = &loop->folder.log;

    loss_sums_log_means(log, &run->sums, loop->config, "loss");
    run_log_number(log, "commitment", run->sum_commitment / run->sums.n_steps);
    loss_sums_log_balance(log, &run->sums, loop->config, &report->balance, &report->adversary);
    run_log_number(log, "grad_norm", loop->sum_grad_norm / loop->n_logged);
    log_layers(log, run->step->layers);
    run_log_number(log, "lr", (double)report->lr);
    if (loop->state->loss_scale.is_used)
        run_log_number(log, "loss_scale", (double)report->loss_scale);
    run_log_int(log, "stages", report->n_q);
    run_log_number(log, "perplexity_first", (double)report->rvq.perplexity[0]);
    run_log_number(log, "perplexity_last", (double)report->rvq.perplexity[report->n_q - 1]);
    run_log_numbers(log, "perplexity", report->rvq.perplexity, report->rvq.n_q);
    run_log_numbers(log, "usage", report->rvq.usage, report->rvq.n_q);
    run_log_number(log, "quantizer_error", (double)report->rvq.relative_error);
    train_loop_log_exchange(loop, &report->exchange);
    run_log_number(log, "audio_per_s", loop->speed);
    run->sums = (LossSums){0};
    run->sum_commitment = 0.0;
}

static void show(TrainLoop *loop, TrainProgress *progress)
{
    const AudioRun *run = loop->own;
    size_t used = 0;

    progress->report = &run->report;
    for (int i = 0; i < train_config_n_terms(loop->config) && used < sizeof progress->losses; i++)
        used += (size_t)snprintf(progress->losses + used, sizeof progress->losses - used, "%s%s %.4g", i ? "  " : "",
                                 train_config_term_name(loop->config, i), loss_sums_mean(&run->sums, loop->config, i));
}

static const LoopKind AUDIO_KIND = {.data_name = "recordings",
                                    .speed_unit = "audio-s/s",
                                    .phase_names = STEP_PHASE_NAMES,
                                    .n_phases = N_PHASES,
                                    .open = open_audio,
                                    .close = close_audio,
                                    .begin = begin_audio,
                                    .log_data = log_data,
                                    .step = step_audio,
                                    .show = show,
                                    .log_step = log_step,
                                    .can_validate = can_validate,
                                    .validate = validate_audio,
                                    .tell_validation = tell_validation,
                                    .save_model = save_audio};

RsdStatus train_audio(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err)
{
    AudioRun run = {0};

    return train_loop_run(&AUDIO_KIND, &run, cfg, options, summary, err);
}

/* ---- plan ---- */

static size_t cached_size(const MediaList *list, int64_t limit)
{
    double size = media_list_hours(list) * 3600.0 * list->rate_hz * (double)sizeof(int16_t);

    return size < (double)limit ? (size_t)size : (size_t)limit;
}

RsdStatus train_audio_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, TrainPlan *plan,
                           RsdError *err)
{
    TrainConfig quick = *cfg;
    AudioRun run = {0};
    TrainLoop loop = {.kind = &AUDIO_KIND, .own = &run, .config = &quick, .options = options, .folder.lock = -1};
    int64_t *steps = NULL;
    size_t n_steps = 0;
    RsdStatus status = RSD_OK;

    memset(plan, 0, sizeof *plan);
    quick.train.kmeans_batches = 1; /* the first codebooks are not what is measured */
    quick.train.quantizer_start = quick.adversary.start = quick.adversary.warmup = 0;
    TRY(train_config_check(cfg, err));
    TRY(open_audio(&loop, err));
    if (options->run_dir)
        TRY(checkpoint_list(&steps, &n_steps, options->run_dir, err));
    plan->resume_step = n_steps ? steps[0] : 0;
    media_list_report(plan->data_report, run.train_list);
    if (run.valid_list)
        media_list_report(plan->valid_report, run.valid_list);
    plan->data_hours = media_list_hours(run.train_list);
    plan->n_valid_clips = validation_count(run.validation);
    plan->valid_seconds = validation_seconds(run.validation);
    plan->n_parameters = loop.state->optimizer->n_elements;
    if (loop.state->adversary) {
        plan->n_critics = adversary_count(loop.state->adversary);
        plan->n_critic_parameters = loop.state->adversary->n_sets * loop.state->adversary->set->optimizer->n_elements;
        plan->critic_macs_per_s = audio_critics_macs_per_second(loop.state->adversary->set->critics, cfg->model.rate_hz);
    }
    plan->n_codebook_numbers = cfg->model.quantizer == AUDIO_RVQ /* others are parameters, or no numbers at all */
                                   ? (int64_t)cfg->model.rvq.n_q * cfg->model.rvq.codebook_size * cfg->model.rvq.dim
                                   : 0;
    plan->encoder_macs_per_s = seanet_macs_per_second(&cfg->model.seanet, cfg->model.rate_hz, false);
    plan->decoder_macs_per_s = seanet_macs_per_second(&cfg->model.seanet, cfg->model.rate_hz, true);
    plan->state_size = (size_t)(5 * (plan->n_parameters + plan->n_critic_parameters) + 2 * plan->n_codebook_numbers +
                                (cfg->optimizer.weights != WEIGHTS_F32) * plan->n_parameters) * sizeof(float);
    plan->cache_size = cached_size(run.train_list, cfg->data.cache_size);
    if (n_measured > 0)
        TRY(train_loop_measure(&loop, n_measured, &plan->step_s, plan->phase_s, err));
    plan->step_size = arena_peak_size(run.step->tape->arena);
    plan->total_s = plan->step_s * (double)(cfg->train.steps - plan->resume_step);
fail:
    mem_free(&steps);
    close_audio(&loop);
    train_state_destroy(&loop.state);
    return status;
}
