/* train_image.c - pictures in the loop of a training run.
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
#include "trainer/image_scales.h"
#include "trainer/loss_sums.h"
#include "trainer/picture_kinds.h"

#define GIB 0x1p30
#define START_SIZE_MAX (2.0 * GIB) /* bytes of crops; what is made of them takes about twice as much */

/* Sums since the last line of the log. */
typedef struct Sums {
    int n;
    double loss, bpp, z_bpp, mse;
    float max_activation;
    LossSums terms;
} Sums;

typedef struct ImageRun {
    PictureList *train_list, *valid_list;
    Pictures *pictures;
    ImageValidation *validation;
    ImageValidReport validated; /* the last */
    ImageStep *step;
    ImageRounding *rounding;
    ImageStepReport report; /* of the last step */
    Sums sums;
} ImageRun;

/* ---- opening ---- */

static RsdStatus open_data(ImageRun *run, const TrainConfig *cfg, const TrainOptions *options, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(picture_list_scan(&run->train_list, options->dirs, options->n_dirs, err));
    if (options->n_valid_dirs)
        TRY(picture_list_scan(&run->valid_list, options->valid_dirs, options->n_valid_dirs, err));
    else if (cfg->data.valid_every && run->train_list->n_files >= (size_t)cfg->data.valid_every)
        TRY(picture_list_split(run->train_list, cfg->data.valid_every, &run->valid_list, err));
    TRY(pictures_create(&run->pictures, run->train_list, cfg, err));
    TRY(image_validation_create(&run->validation, run->valid_list, cfg, err));
    CHECK(run->validation || !options->n_valid_dirs, err, RSD_ERR_CORRUPT, "none of the pictures of --valid that were looked at can be used");
    if (run->valid_list && !run->validation)
        log_note(LOG_WARNING, "none of the pictures held out can be used; there is no validation");
fail:
    return status;
}

static RsdStatus make_crop(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    return pictures_crop(ctx, step, sample, dst, err);
}

/* The crops that a new model begins from are all in memory at once. */
static RsdStatus check_start_size(const TrainConfig *cfg, const Group *group, RsdError *err)
{
    const double size = (double)group_size(group) * cfg->picture.start_batches * cfg->data.batch * 3 * cfg->picture.crop *
                        cfg->picture.crop * sizeof(float);

    if (size > START_SIZE_MAX)
        return error_set(err, RSD_ERR_ARG,
                         "picture.start_batches = %d batches of %d crops would take %.1f GiB; %d GiB are possible: a few hundred crops are enough",
                         cfg->picture.start_batches, group_size(group) * cfg->data.batch, size / GIB, (int)(START_SIZE_MAX / GIB));
    return RSD_OK;
}

static RsdStatus open_image(TrainLoop *loop, RsdError *err)
{
    const TrainConfig *cfg = loop->config;
    const TrainOptions *options = loop->options;
    ImageRun *run = loop->own;
    RsdStatus status = RSD_OK;

    TRY(check_start_size(cfg, options->group, err));
    TRY(open_data(run, cfg, options, err));
    TRY(image_step_create(&run->step, cfg, options->threads, options->group, err));
    TRY(image_rounding_create(&run->rounding, run->step, run->pictures, options->export_bytes, err));
    TRY(train_state_create(&loop->state, cfg, kernels_pick(), err));
    TRY(train_state_join(loop->state, cfg, options->group, err));
    loop->crops = (CropSource){.ctx = run->pictures, .make = make_crop, .len = (size_t)(3 * cfg->picture.crop * cfg->picture.crop)};
    loop->crop_worth = 1.0;
    loop->fingerprint = picture_list_fingerprint(run->train_list);
fail:
    return status;
}

static void close_image(TrainLoop *loop)
{
    ImageRun *run = loop->own;

    image_validation_destroy(&run->validation);
    image_rounding_destroy(&run->rounding);
    pictures_destroy(&run->pictures);
    image_step_destroy(&run->step);
    picture_list_destroy(&run->train_list);
    picture_list_destroy(&run->valid_list);
}

/* And the codes as means of what these transforms make of them. */
static RsdStatus start_codes(TrainLoop *loop, const float *pictures, int64_t n_pictures, RsdError *err)
{
    const ImageRun *run = loop->own;
    const int64_t side = loop->config->picture.crop, h = side / IMAGE_STRIDE;
    ImageCodec *codec = loop->state->image;
    const int64_t shape[] = {n_pictures, codec->config.latent, h, h}, n = codec->config.latent * h * h;
    Tape *tape = run->step->tape;
    float *latents = NULL;
    Tensor *x, *y;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&latents, (size_t)(n_pictures * n), sizeof *latents, err));
    tape->recording = false;
    for (int64_t i = 0; i < n_pictures; i++) {
        tape_reset(tape);
        TRY(tape_input(tape, &x, 4, (int64_t[]){1, 3, side, side}, pictures + i * 3 * side * side, err));
        TRY(image_codec_analyse(tape, codec, x, &y, err));
        memcpy(latents + i * n, y->data, (size_t)n * sizeof *latents);
    }
    tape_reset(tape);
    TRY(tape_input(tape, &y, 4, shape, latents, err));
    TRY(image_codec_init_codes(tape, codec, y, (uint64_t)loop->config->train.seed, err));
fail:
    tape_reset(tape);
    mem_free(&latents);
    return status;
}

/* The transforms of a new model begin as the best linear ones for the first batches of all processes. */
static RsdStatus start_transforms(TrainLoop *loop, RsdError *err)
{
    const TrainConfig *cfg = loop->config;
    Group *group = loop->options->group;
    const size_t n_members = (size_t)group_size(group), rank = (size_t)group_rank(group), n = (size_t)cfg->picture.start_batches;
    const size_t count = (size_t)(3 * cfg->data.batch) * (size_t)(cfg->picture.crop * cfg->picture.crop);
    float *pictures = NULL;
    RsdStatus status = RSD_OK;

    if (cfg->picture.start_batches == 0 || loop->folder.last_saved_step >= 0 || loop->options->init_path)
        return RSD_OK;
    TRY(train_loop_open_loader(loop, err));
    TRY(mem_calloc(&pictures, n * n_members * count, sizeof *pictures, err));
    for (size_t i = 0; i < n; i++) {
        const float *batch;

        TRY(loader_next(loop->loader, &batch, err));
        memcpy(pictures + (i * n_members + rank) * count, batch, count * sizeof *pictures);
    }
    group_sum_f32(group, pictures, n * n_members * count); /* the others have zeros there: all see the same */
    TRY(image_codec_init_transforms(loop->state->image, pictures, (int64_t)(n * n_members) * cfg->data.batch, cfg->picture.crop, err));
    if (cfg->picture.model.quantizer == IMAGE_RVQ)
        TRY(start_codes(loop, pictures, (int64_t)(n * n_members) * cfg->data.batch, err));
    optimizer_restart_average(loop->state->optimizer);
fail:
    mem_free(&pictures);
    loader_destroy(&loop->loader);
    return status;
}

#define KIND_BATCHES 8 /* of each process, whose places the kinds are means of */

/* Kinds of content for a critic that says them: means over the first batches of all processes. */
static RsdStatus start_kinds(TrainLoop *loop, Rvq *kinds, RsdError *err)
{
    const ImageRun *run = loop->own;
    const TrainConfig *cfg = loop->config;
    Group *group = loop->options->group;
    const int64_t batch = cfg->data.batch, side = cfg->picture.crop, places = (side / IMAGE_STRIDE) * (side / IMAGE_STRIDE);
    const int64_t n_parts = (int64_t)KIND_BATCHES * group_size(group), latent = cfg->picture.model.latent, count = batch * latent * places;
    Tape *tape = run->step->tape;
    float *all = NULL;
    Tensor *x, *y, *z;
    RsdStatus status = RSD_OK;

    TRY(train_loop_open_loader(loop, err));
    TRY(mem_calloc(&all, (size_t)(n_parts * count), sizeof *all, err));
    tape->recording = false;
    for (int64_t i = 0; i < KIND_BATCHES; i++) {
        const float *crops;

        tape_reset(tape);
        TRY(loader_next(loop->loader, &crops, err));
        TRY(tape_input(tape, &x, 4, (int64_t[]){batch, 3, side, side}, crops, err));
        TRY(image_codec_analyse(tape, loop->state->image, x, &y, err));
        TRY(picture_kinds_describe(tape, y, &z, err));
        memcpy(all + (i * group_size(group) + group_rank(group)) * count, z->data, (size_t)count * sizeof *all);
    }
    group_sum_f32(group, all, (size_t)(n_parts * count)); /* the others have zeros there: all see the same */
    tape_reset(tape);
    TRY(tape_input(tape, &z, 3, (int64_t[]){n_parts * batch, latent, places}, all, err));
    TRY(rvq_init_codebooks(tape, kinds, z, (uint64_t)cfg->train.seed, err));
fail:
    tape_reset(tape);
    mem_free(&all);
    loader_destroy(&loop->loader);
    return status;
}

static RsdStatus begin_image(TrainLoop *loop, RsdError *err)
{
    Rvq *kinds = loop->state->adversary ? loop->state->adversary->set->kinds : NULL;
    RsdStatus status = RSD_OK;

    TRY(start_transforms(loop, err));
    if (kinds && !rvq_is_initialised(kinds))
        TRY(start_kinds(loop, kinds, err));
fail:
    return status;
}

/* ---- validation and export ---- */

static RsdStatus save_image(TrainLoop *loop, const char *path, Dtype stored_as, const char *const *notes, RsdError *err)
{
    const ImageRun *run = loop->own;
    RsdStatus status = RSD_OK;

    TRY(image_rounding_apply(run->rounding, loop->state, stored_as, err));
    status = image_scales_count(run->step, run->pictures, loop->state, err);
    if (status == RSD_OK)
        status = image_codec_save(loop->state->image, path, stored_as, notes, err);
    image_rounding_undo(run->rounding);
fail:
    return status;
}

static bool can_validate(const TrainLoop *loop)
{
    const ImageRun *run = loop->own;

    return run->validation != NULL;
}

static RsdStatus validate_image(TrainLoop *loop, double *score, RsdError *err)
{
    ImageRun *run = loop->own;
    RsdStatus status = image_validation_run(run->validation, run->step, run->rounding, loop->state, &run->validated, err);

    *score = run->validated.score;
    return status;
}

static void tell_validation(TrainLoop *loop, bool best)
{
    const ImageRun *run = loop->own;
    const ImageValidReport *report = &run->validated;
    char text[256];
    size_t used = 0;

    image_validation_log(&loop->folder.log, loop->state->step, report, best);
    for (int l = 0; l < report->mean.n_levels && used < sizeof text; l++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.3f/%.2f", l ? " " : "", report->mean.bpp[l],
                                 report->mean.psnr_db[l]);
    log_note(LOG_INFO, "step %lld: bit/pixel and dB by level %s; integers cost %.1f %%%s", (long long)loop->state->step, text,
             100.0 * report->integer_gap, best ? " (best so far)" : "");
    if (loop->config->picture.model.heads)
        log_note(LOG_INFO, "step %lld: half size %.2f dB (whole decode, shrunk: %.2f), a quarter %.2f (%.2f)",
                 (long long)loop->state->step, report->mean.head_db[0], report->mean.shrunk_db[0], report->mean.head_db[1],
                 report->mean.shrunk_db[1]);
}

/* ---- a step, its line in the log, and progress ---- */

static void add_up(Sums *sums, const TrainConfig *cfg, const ImageStepReport *report)
{
    loss_sums_add(&sums->terms, cfg, report->output.terms, &report->output.adversary);
    sums->n++;
    sums->loss += report->loss;
    sums->bpp += report->bpp;
    sums->z_bpp += report->z_bpp;
    sums->mse += report->mse;
    if (report->max_activation > sums->max_activation)
        sums->max_activation = report->max_activation;
}

static RsdStatus step_image(TrainLoop *loop, const float *batch, StepOutcome *outcome, RsdError *err)
{
    ImageRun *run = loop->own;
    ImageStepReport *report = &run->report;
    RsdStatus status = image_step_run(run->step, loop->state, batch, report, err);

    if (status != RSD_OK)
        return status;
    add_up(&run->sums, loop->config, report);
    *outcome = (StepOutcome){report->spike, report->skipped, report->grad_norm, report->phase_s};
    return RSD_OK;
}

static void log_data(TrainLoop *loop)
{
    const ImageRun *run = loop->own;
    char report[PICTURE_REPORT_SIZE];

    run_log_text(&loop->folder.log, "data", picture_list_report(report, run->train_list));
    run_log_int(&loop->folder.log, "valid_pictures", image_validation_count(run->validation));
}

static void log_step(TrainLoop *loop)
{
    ImageRun *run = loop->own;
    RunLog *log = &loop->folder.log;
    const Sums *sums = &run->sums;

    run_log_number(log, "loss", sums->loss / sums->n);
    run_log_number(log, "bpp", sums->bpp / sums->n);
    run_log_number(log, "z_bpp", sums->z_bpp / sums->n);
    run_log_number(log, "psnr_db", -10.0 * log10(sums->mse / sums->n));
    if (loop->state->adversary) {
        loss_sums_log_means(log, &sums->terms, loop->config, "term");
        loss_sums_log_balance(log, &sums->terms, loop->config, &run->report.output.balance, &run->report.output.adversary);
    }
    run_log_number(log, "grad_norm", loop->sum_grad_norm / loop->n_logged);
    run_log_number(log, "max_activation", (double)sums->max_activation);
    run_log_int(log, "integer", run->report.integer);
    if (run->report.codes.n_q > 0) {
        run_log_int(log, "stages", run->report.codes.n_q);
        run_log_numbers(log, "perplexity", run->report.codes.perplexity, run->report.codes.n_q);
        run_log_numbers(log, "usage", run->report.codes.usage, run->report.codes.n_q);
        run_log_number(log, "quantizer_error", (double)run->report.codes.relative_error);
    }
    run_log_number(log, "lr", (double)run->report.lr);
    train_loop_log_exchange(loop, &run->report.exchange);
    run_log_number(log, "crops_per_s", loop->speed);
    run->sums = (Sums){0};
}

static void show(TrainLoop *loop, TrainProgress *progress)
{
    const ImageRun *run = loop->own;
    const Sums *sums = &run->sums;

    progress->picture = &run->report;
    snprintf(progress->losses, sizeof progress->losses, "loss %.4f  %.3f bit/pixel  %.2f dB", sums->loss / sums->n,
             sums->bpp / sums->n, -10.0 * log10(sums->mse / sums->n));
}

static const LoopKind IMAGE_KIND = {.data_name = "pictures",
                                    .speed_unit = "crops/s",
                                    .phase_names = IMAGE_PHASE_NAMES,
                                    .n_phases = IMAGE_N_PHASES,
                                    .open = open_image,
                                    .close = close_image,
                                    .begin = begin_image,
                                    .log_data = log_data,
                                    .step = step_image,
                                    .show = show,
                                    .log_step = log_step,
                                    .can_validate = can_validate,
                                    .validate = validate_image,
                                    .tell_validation = tell_validation,
                                    .save_model = save_image};

RsdStatus train_image(const TrainConfig *cfg, const TrainOptions *options, TrainSummary *summary, RsdError *err)
{
    ImageRun run = {0};

    return train_loop_run(&IMAGE_KIND, &run, cfg, options, summary, err);
}

/* ---- plan ---- */

RsdStatus train_image_plan(const TrainConfig *cfg, const TrainOptions *options, int n_measured, ImagePlan *plan,
                           RsdError *err)
{
    ImageRun run = {0};
    TrainConfig quick = *cfg;
    TrainLoop loop = {.kind = &IMAGE_KIND, .own = &run, .config = &quick, .options = options, .folder.lock = -1};
    int64_t *steps = NULL;
    size_t n_steps = 0;
    RsdStatus status = RSD_OK;

    memset(plan, 0, sizeof *plan);
    quick.adversary.start = quick.adversary.warmup = 0; /* a step with critics is what is measured */
    TRY(train_config_check(cfg, err));
    TRY(open_image(&loop, err));
    if (options->run_dir)
        TRY(checkpoint_list(&steps, &n_steps, options->run_dir, err));
    plan->resume_step = n_steps ? steps[0] : 0;
    picture_list_report(plan->data_report, run.train_list);
    if (run.valid_list)
        picture_list_report(plan->valid_report, run.valid_list);
    plan->n_valid = image_validation_count(run.validation);
    plan->n_parameters = loop.state->optimizer->n_elements;
    plan->macs = image_codec_macs(&cfg->picture.model);
    if (loop.state->adversary) {
        plan->n_critics = adversary_count(loop.state->adversary);
        plan->n_critic_parameters = loop.state->adversary->set->optimizer->n_elements;
    }
    plan->state_size = 5 * (size_t)(plan->n_parameters + plan->n_critic_parameters) * sizeof(float);
    if (n_measured > 0)
        TRY(train_loop_measure(&loop, n_measured, &plan->step_s, plan->phase_s, err));
    plan->step_size = arena_peak_size(run.step->tape->arena);
    plan->total_s = plan->step_s * (double)(cfg->train.steps - plan->resume_step);
fail:
    mem_free(&steps);
    close_image(&loop);
    train_state_destroy(&loop.state);
    return status;
}
