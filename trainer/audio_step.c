/* audio_step.c - forward, losses, backward, update.
 *
 * [1] audio.md 1.6, 1.9, 7.5.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/audio_step.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "trainer/tape_mark.h"

const char *const STEP_PHASE_NAMES[N_PHASES] = {"data", "encode", "quantize", "decode", "loss", "critic", "backward", "update"};

#define VALID_LOSS "mel_dac"
#define STAGES_SAMPLE 0                 /* of RNG_QUANTIZER; the quantiser's own start at RVQ_FIRST_SAMPLE */
#define KMEANS_STEP ((uint64_t)1 << 40) /* batches for the first codebooks come from steps no run reaches */

RsdStatus audio_step_create(AudioStep **out, const TrainConfig *config, RsdThreads *threads, Group *group, RsdError *err)
{
    AudioStep *step = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&step, 1, sizeof *step, err));
    step->config = config;
    step->threads = threads;
    step->group = group;
    step->segment_len = train_config_segment_len(config);
    TRY(tape_create(&step->tape, threads, 0, err));
    step->tape->chain = (ChainPolicy)config->train.memory;
    step->tape->precision = (TapePrecision)config->train.precision;
    for (int i = 0; i < config->loss.n_losses; i++)
        TRY(audio_loss_create(&step->losses[i], config->loss.names[i], config->model.rate_hz, (int)step->segment_len,
                              err));
    /* Clips may be as short as half a second. */
    TRY(audio_loss_create(&step->distance, VALID_LOSS, config->model.rate_hz, config->model.rate_hz / 2, err));
    *out = step;
    return RSD_OK;
fail:
    audio_step_destroy(&step);
    return status;
}

void audio_step_destroy(AudioStep **step)
{
    if (!*step)
        return;
    for (int i = 0; i < BALANCER_MAX_LOSSES; i++)
        audio_loss_destroy(&(*step)->losses[i]);
    audio_loss_destroy(&(*step)->distance);
    layer_norms_destroy(&(*step)->layers);
    tape_destroy(&(*step)->tape);
    mem_free(step);
}

int audio_step_stages(const TrainConfig *cfg, int64_t step)
{
    Rng rng = rng_at((uint64_t)cfg->train.seed, RNG_QUANTIZER, (uint64_t)step, STAGES_SAMPLE);
    bool heads = rng_below(&rng, 2) == 1;
    int n_q = cfg->model.rvq.n_q;

    if (cfg->train.stages == STAGES_ALL)
        return n_q;
    if (cfg->train.stages == STAGES_RATES || (cfg->train.stages == STAGES_MIXED && heads))
        return audio_codec_stages_for(&cfg->model, cfg->train.rates_bps[rng_below(&rng, (uint32_t)cfg->train.n_rates)]);
    return 1 + (int)rng_below(&rng, (uint32_t)n_q);
}

/* ---- first codebooks ---- */

typedef struct CropJob {
    Dataset *data;
    uint64_t seed, step;
    uint32_t first_sample;
    size_t len;
    float *crops;
    RsdStatus *statuses;
    RsdError *errors;
} CropJob;

static void crop_task(void *ctx, int64_t i, int worker)
{
    CropJob *job = ctx;

    (void)worker;
    job->statuses[i] = dataset_crop(job->data, job->seed, job->step, job->first_sample + (uint32_t)i,
                                    job->len, job->crops + (size_t)i * job->len, &job->errors[i]);
}

static RsdStatus make_batch(AudioStep *step, Dataset *data, uint64_t at_step, float *crops, RsdError *err)
{
    int batch = step->config->data.batch;
    CropJob job = {.data = data, .seed = (uint64_t)step->config->train.seed, .step = at_step, .crops = crops};
    RsdStatus status = RSD_OK;

    job.len = (size_t)step->segment_len;
    job.first_sample = (uint32_t)(group_rank(step->group) * batch);
    TRY(arena_calloc(step->tape->arena, &job.statuses, (size_t)batch, sizeof *job.statuses, err));
    TRY(arena_calloc(step->tape->arena, &job.errors, (size_t)batch, sizeof *job.errors, err));
    threads_for(step->threads, batch, crop_task, &job);
    for (int i = 0; i < batch; i++) {
        if (job.statuses[i] != RSD_OK && err)
            *err = job.errors[i];
        TRY(job.statuses[i]);
    }
fail:
    return status;
}

RsdStatus audio_step_init_codebooks(AudioStep *step, TrainState *state, Dataset *data, RsdError *err)
{
    const TrainConfig *cfg = step->config;
    int64_t shape[3] = {cfg->data.batch, 1, step->segment_len}, z_count = 0;
    int64_t n_members = group_size(step->group), rank = group_rank(step->group);
    int64_t z_shape[3] = {n_members * cfg->data.batch * cfg->train.kmeans_batches, cfg->model.rvq.dim, 0};
    float *crops = NULL, *all_z = NULL;
    Tensor *x, *z;
    RsdStatus status = RSD_OK;

    if (state->step < cfg->train.quantizer_start || audio_codec_has_codes(state->codec))
        return RSD_OK;
    step->tape->recording = false;
    TRY(mem_alloc(&crops, (size_t)(shape[0] * shape[2]), sizeof *crops, err));
    for (int i = 0; i < cfg->train.kmeans_batches; i++) {
        tape_reset(step->tape);
        TRY(make_batch(step, data, KMEANS_STEP + (uint64_t)i, crops, err));
        TRY(tape_input(step->tape, &x, 3, shape, crops, err));
        TRY(seanet_encode(step->tape, state->codec->net, x, &z, err));
        if (!all_z) {
            z_count = tensor_count(z);
            z_shape[2] = z->shape[2];
            TRY(mem_calloc(&all_z, (size_t)(n_members * z_count * cfg->train.kmeans_batches), sizeof *all_z, err));
        }
        memcpy(all_z + (i * n_members + rank) * z_count, z->data, (size_t)z_count * sizeof *all_z);
    }
    /* Each member takes the means of all vectors: the same ones. */
    group_sum_f32(step->group, all_z, (size_t)(n_members * z_count * cfg->train.kmeans_batches));
    tape_reset(step->tape);
    TRY(tape_input(step->tape, &z, 3, z_shape, all_z, err));
    TRY(rvq_init_codebooks(step->tape, state->codec->rvq, z, (uint64_t)cfg->train.seed, err));
fail:
    tape_reset(step->tape);
    mem_free(&crops);
    mem_free(&all_z);
    return status;
}

/* ---- training ---- */

/* Losses are means over the items of a batch: those of the whole batch are means over the group. */
static RsdStatus share_losses(AudioStep *step, const Tensor *y, StepReport *report, const float **grads, int64_t at_step,
                              RsdError *err)
{
    int n = step->config->loss.n_losses, n_members = group_size(step->group);
    int n_parts = n_members * step->config->train.accumulate; /* that the whole batch is cut into */
    RsdStatus status = RSD_OK;

    group_sum_f64(step->group, report->losses, (size_t)n);
    for (int i = 0; i < n; i++) {
        report->losses[i] /= n_members;
        CHECK(isfinite(report->losses[i]), err, RSD_ERR_NUMERIC, "step %lld: the loss %s is not finite (%g)",
              (long long)at_step, step->config->loss.names[i], report->losses[i]);
        if (n_parts > 1)
            step->tape->kernels->point->scale(grads[i], 1.0f / (float)n_parts, (float *)grads[i], tensor_count(y), false);
    }
fail:
    return status;
}

/* The value of each loss of y against x, and its gradient with respect to y. */
static RsdStatus run_losses(AudioStep *step, Tensor *x, const Tensor *y, StepReport *report, const float **grads,
                            int64_t at_step, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < step->config->loss.n_losses; i++) {
        Tensor *leaf, *value;
        float *grad;
        TapeMark mark;

        TRY(arena_calloc(step->tape->arena, &grad, (size_t)tensor_count(y), sizeof *grad, err));
        mark = tape_mark(step->tape);
        TRY(tape_leaf(step->tape, y, true, &leaf, err));
        leaf->grad = grad;
        TRY(audio_loss_apply(step->tape, step->losses[i], leaf, x, &value, err));
        report->losses[i] = (double)value->data[0];
        TRY(tape_backward(step->tape, value, err));
        grads[i] = grad;
        tape_rewind(step->tape, mark);
    }
    TRY(share_losses(step, y, report, grads, at_step, err));
fail:
    return status;
}

/* The rate of so many stages: the lowest one that has them, else the highest. */
static int rate_of_stages(const TrainConfig *cfg, int n_q)
{
    int best = 0;

    for (int i = 1; i < cfg->train.n_rates; i++) {
        const int here = audio_codec_stages_for(&cfg->model, cfg->train.rates_bps[i]);
        const int there = audio_codec_stages_for(&cfg->model, cfg->train.rates_bps[best]);

        if (there < n_q ? here > there : here >= n_q && here < there)
            best = i;
    }
    return best;
}

/* The adversary's terms follow the losses. */
static RsdStatus run_adversary(const TrainConfig *cfg, TrainState *state, Tape *tape, Tensor *x, const Tensor *y, StepReport *report,
                               const float **grads, RsdError *err)
{
    const int n_losses = cfg->loss.n_losses;
    RsdStatus status = RSD_OK;

    if (!state->adversary)
        return RSD_OK;
    adversary_choose_rate(state->adversary, rate_of_stages(cfg, report->n_q));
    TRY(adversary_judge(state->adversary, tape, x, y, NULL, state->step, grads + n_losses, &report->adversary, err));
    for (int i = 0; i < ADVERSARY_N_TERMS; i++)
        report->losses[n_losses + i] = report->adversary.terms[i];
fail:
    return status;
}

/* What the gradient belongs to when losses are added up by their weights. */
static double total_loss(const TrainConfig *cfg, const StepReport *report)
{
    double sum = (double)cfg->loss.commitment * report->commitment;

    for (int i = 0; i < cfg->loss.n_losses; i++)
        sum += (double)cfg->loss.weights[i] * report->losses[i];
    return sum;
}

static void end_phase(StepReport *report, StepPhase phase, double *since)
{
    double now = step_clock();

    report->phase_s[phase] += now - *since;
    *since = now;
}

/* Forward, losses and backward of one part of a batch; gradients of the weights add up over the parts. */
static RsdStatus run_part(AudioStep *step, TrainState *state, const float *crops, int i_part, bool keep_codes,
                          StepReport *report, RsdError *err)
{
    const TrainConfig *cfg = step->config;
    const float part_share = 1.0f / (float)(cfg->train.accumulate * group_size(step->group));
    Tape *tape = step->tape;
    AudioCodec *codec = state->codec;
    int64_t shape[3] = {cfg->data.batch / cfg->train.accumulate, 1, step->segment_len};
    const float *grads[BALANCER_MAX_LOSSES] = {0};
    float *combined;
    double since = step_clock();
    Tensor *x, *z, *zq, *commitment = NULL, *y;
    RsdStatus status = RSD_OK;

    tape_reset(tape);
    tape->recording = true;
    TRY(tape_input(tape, &x, 3, shape, crops, err));
    tape->recording = cfg->train.frozen == FROZEN_NOTHING;
    TRY(seanet_encode(tape, codec->net, x, &z, err));
    tape->recording = true;
    end_phase(report, PHASE_ENCODE, &since);
    zq = z;
    if (state->step >= cfg->train.quantizer_start) {
        status = audio_codec_quantize(tape, codec, z, report->n_q, (uint64_t)cfg->train.seed,
                                      (uint64_t)(state->step * cfg->train.accumulate + i_part),
                                      keep_codes || cfg->train.frozen == FROZEN_ENCODER_AND_CODES, &zq, &commitment,
                                      &report->rvq, err);
        if (status != RSD_OK)
            error_prefix(err, status, "step %lld", (long long)state->step);
        TRY(status);
        report->commitment = (double)commitment->data[0];
    }
    end_phase(report, PHASE_QUANTIZE, &since);
    TRY(seanet_decode(tape, codec->net, zq, &y, err));
    end_phase(report, PHASE_DECODE, &since);

    TRY(run_losses(step, x, y, report, grads, state->step, err));
    end_phase(report, PHASE_LOSS, &since);
    TRY(run_adversary(cfg, state, tape, x, y, report, grads, err));
    end_phase(report, PHASE_CRITIC, &since);
    TRY(arena_alloc(tape->arena, &combined, (size_t)tensor_count(y), sizeof *combined, err));
    TRY(balancer_apply(&state->balancer,
                       &(BalancerInput){.grads = grads, .values = report->losses, .batch = shape[0],
                                        .item_count = shape[2], .last_layer_norm = last_layer_norm,
                                        .ctx = &(LastLayer){tape, y, step->group}, .group = step->group},
                       combined, &report->balance, err));
    if (state->loss_scale.is_used)
        tape->kernels->point->scale(combined, state->loss_scale.value, combined, tensor_count(y), false);
    end_phase(report, PHASE_LOSS, &since);

    if (commitment) /* of a frozen encoder it moves learned codes, or nothing */
        TRY(tape_seed(tape, commitment, state->loss_scale.value * cfg->loss.commitment * part_share, err));
    TRY(tape_backward_from(tape, y, combined, err));
    end_phase(report, PHASE_BACKWARD, &since);
fail:
    return status;
}

/* All parts: values are means over them, times add up; the rest is that of the last. */
static RsdStatus run_parts(AudioStep *step, TrainState *state, const float *batch, bool keep_codes, StepReport *report,
                           RsdError *err)
{
    const TrainConfig *cfg = step->config;
    int n_parts = cfg->train.accumulate;
    int64_t part_count = cfg->data.batch / n_parts * step->segment_len;
    double losses[BALANCER_MAX_LOSSES] = {0}, commitment = 0.0;
    RsdStatus status = RSD_OK;

    params_zero_grad(state->codec->params);
    for (int i = 0; i < n_parts; i++) {
        TRY(run_part(step, state, batch + i * part_count, i, keep_codes, report, err));
        for (int j = 0; j < BALANCER_MAX_LOSSES; j++)
            losses[j] += report->losses[j] / n_parts;
        commitment += report->commitment / n_parts;
    }
    memcpy(report->losses, losses, sizeof losses);
    report->commitment = commitment;
    optimizer_round_grads(state->optimizer, state->loss_scale.value, step->threads);
fail:
    return status;
}

/* The gradient of the batch at weights that are moved towards a higher loss. What else learns does so once per step: the
 * report, the balancer and the codebooks are those of the unmoved weights. */
static RsdStatus look_uphill(AudioStep *step, TrainState *state, const float *batch, const StepReport *report, RsdError *err)
{
    StepReport unread = {.n_q = report->n_q};
    Balancer balancer = state->balancer;
    double norm = optimizer_grad_norm(state->optimizer, step->threads);
    RsdStatus status = RSD_OK;

    TRY(optimizer_climb(state->optimizer, norm, err));
    status = run_parts(step, state, batch, true, &unread, err);
    optimizer_climb_back(state->optimizer);
    state->balancer = balancer;
    TRY(status);
    optimizer_sum_grads(state->optimizer, 1.0f);
fail:
    return status;
}

RsdStatus audio_step_run(AudioStep *step, TrainState *state, const float *batch, StepReport *report, RsdError *err)
{
    const TrainConfig *cfg = step->config;
    Tape *tape = step->tape;
    AudioCodec *codec = state->codec;
    double since;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    report->n_q = audio_step_stages(cfg, state->step);
    report->lr = schedule_lr(&cfg->schedule, state->step, cfg->train.steps);
    TRY(run_parts(step, state, batch, false, report, err));
    since = step_clock();
    train_state_sum_grads(state, &report->exchange);
    if (state->optimizer->config.sam_radius > 0.0f)
        TRY(look_uphill(step, state, batch, report, err));
    report->grad_norm = optimizer_grad_norm(state->optimizer, step->threads);
    report->loss_scale = state->loss_scale.value;
    report->overflow = loss_scale_follow(&state->loss_scale, isfinite(report->grad_norm));
    report->skipped = !report->overflow && !isfinite(report->grad_norm);
    report->spike = isfinite(report->grad_norm) && train_state_is_spike(state, cfg, report->grad_norm);
    if (step->measure_layers && !step->layers)
        TRY(layer_norms_create(&step->layers, codec->params, err));
    if (step->measure_layers)
        layer_norms_before(step->layers, codec->params);
    state->optimizer->loss = total_loss(cfg, report);
    if (isfinite(report->grad_norm) && !report->spike)
        optimizer_update(state->optimizer, report->lr, report->grad_norm, step->threads);
    if (step->measure_layers)
        layer_norms_after(step->layers, codec->params);
    end_phase(report, PHASE_UPDATE, &since);
    if (state->adversary)
        TRY(adversary_learn(state->adversary, tape, state->step, cfg->train.steps, &report->adversary, err));
    end_phase(report, PHASE_CRITIC, &since);
    state->step++;
fail:
    tape->recording = false;
    return status;
}

/* ---- evaluation ---- */

static RsdStatus measure(AudioStep *step, AudioLoss *loss, const char *name, Tensor *y, Tensor *x, double *value,
                         RsdError *err)
{
    Tensor *out;
    RsdStatus status = RSD_OK;

    TRY(audio_loss_apply(step->tape, loss, y, x, &out, err));
    *value = (double)out->data[0];
    CHECK(isfinite(*value), err, RSD_ERR_NUMERIC, "validation: %s is not finite", name);
fail:
    return status;
}

RsdStatus audio_step_evaluate(AudioStep *step, const TrainState *state, const float *clip, int64_t n,
                              float *decoded, ClipReport *report, RsdError *err)
{
    const TrainConfig *cfg = step->config;
    AudioCodec *codec = state->codec;
    const bool has_codes = audio_codec_has_codes(codec) && state->step >= cfg->train.quantizer_start;
    int64_t shape[3] = {1, 1, n}, n_frames;
    uint16_t *codes;
    Tensor *x, *z, *zq, *y;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    tape_reset(step->tape);
    step->tape->recording = false;
    TRY(tape_input(step->tape, &x, 3, shape, clip, err));
    TRY(seanet_encode(step->tape, codec->net, x, &z, err));
    n_frames = z->shape[2];
    TRY(arena_alloc(step->tape->arena, &codes, (size_t)(n_frames * cfg->model.rvq.n_q), sizeof *codes, err));
    audio_codec_refresh_codes(codec); /* learned ones may be averages now */
    for (int i = 0; i < cfg->train.n_rates; i++) {
        int n_q = audio_codec_stages_for(&cfg->model, cfg->train.rates_bps[i]);

        zq = z;
        if (has_codes) {
            TRY(audio_codec_find_codes(step->tape, codec, z, n_q, cfg->train.codes.paths, codes, err));
            TRY(audio_codec_latents(step->tape, codec, codes, 1, n_q, n_frames, &zq, err));
        }
        TRY(seanet_decode(step->tape, codec->net, zq, &y, err));
        if (decoded)
            memcpy(decoded + i * n, y->data, (size_t)n * sizeof *decoded);
        TRY(measure(step, step->distance, VALID_LOSS, y, x, &report->distance[i], err));
        for (int j = 0; j < cfg->loss.n_losses; j++) {
            double value;

            TRY(measure(step, step->losses[j], cfg->loss.names[j], y, x, &value, err));
            report->losses[j] += value / cfg->train.n_rates;
        }
    }
fail:
    tape_reset(step->tape);
    return status;
}
