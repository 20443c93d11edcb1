/* image_step.c - forward, loss, backward, update.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_step.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/pool2d.h"
#include "engine/ops/quantise.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "models/image_prior.h"
#include "trainer/step_clock.h"
#include "trainer/picture_kinds.h"

const char *const IMAGE_PHASE_NAMES[IMAGE_N_PHASES] = {"data", "encode", "prior", "decode", "loss", "backward", "update", "critic"};
enum { PHASE_ANALYSE = 1, PHASE_PRIOR, PHASE_SYNTHESISE, PHASE_OUTPUT, PHASE_BACK, PHASE_OPTIMISE, PHASE_LEARN };

#define HEAD_WEIGHT 0.1  /* [image.md 8.3] */

RsdStatus image_step_create(ImageStep **out, const TrainConfig *config, RsdThreads *threads, Group *group, RsdError *err)
{
    ImageStep *step = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&step, 1, sizeof *step, err));
    step->config = config;
    step->threads = threads;
    step->group = group;
    TRY(tape_create(&step->tape, threads, 0, err));
    step->tape->chain = (ChainPolicy)config->train.memory;
    step->tape->precision = (TapePrecision)config->train.precision;
    for (int i = 0; i < config->loss.n_losses; i++)
        TRY(image_loss_create(&step->losses[i], config->loss.names[i], NULL, err));
    *out = step;
    return RSD_OK;
fail:
    image_step_destroy(&step);
    return status;
}

void image_step_destroy(ImageStep **step)
{
    if (!*step)
        return;
    tape_destroy(&(*step)->tape);
    for (int i = 0; i < BALANCER_MAX_LOSSES; i++)
        image_loss_destroy(&(*step)->losses[i]);
    mem_free(step);
}

/* ---- heads ---- */

/* Means over squares of n x n pixels: x [batch, 3, h, w], sides multiples of n. */
static RsdStatus shrink(Tape *tape, Tensor *x, int n, Tensor **out, RsdError *err)
{
    return op_mean_pool2d(tape, x, &(Pool2dParams){.size = {n, n}}, out, err);
}

/* The losses of both heads, added to *loss, which may be NULL yet. */
static RsdStatus add_heads(Tape *tape, const ImageCodec *codec, const ImageWeights *weights, Tensor *x,
                           Tensor *features[IMAGE_HEADS], Tensor **loss, ImageStepReport *report, RsdError *err)
{
    const int64_t batch = x->shape[0], n = tensor_count(x) / batch;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < IMAGE_HEADS; i++) {
        const int64_t side = (int64_t)2 << i, n_small = n / (side * side);
        Tensor *target, *small, *weight, *part;

        TRY(shrink(tape, x, (int)side, &target, err));
        TRY(image_codec_run_head(tape, codec, i, features[i], &small, err));
        TRY(tape_tensor(tape, &weight, 4, target->shape, err));
        for (int64_t b = 0; b < batch; b++)
            tape->kernels->point->fill(weight->data + b * n_small, (float)HEAD_WEIGHT * weights->of_square->data[b * n],
                                       n_small, false);
        TRY(op_mse(tape, small, target, weight, &part, err));
        if (*loss)
            TRY(op_add(tape, *loss, part, loss, err));
        else
            *loss = part;
        report->head_mse[i] = tape->kernels->point->sum_sq_diff(small->data, target->data, NULL, tensor_count(target)) /
                              (double)tensor_count(target);
    }
fail:
    return status;
}

/* ---- the step ---- */

static void end_phase(ImageStepReport *report, int phase, double *since)
{
    const double now = step_clock();

    report->phase_s[phase] += now - *since;
    *since = now;
}

static void fill_report(const Tape *tape, const Quantised *quantised, Tensor *x, Tensor *back, ImageStepReport *report)
{
    const double pixels = (double)(x->shape[0] * x->shape[2] * x->shape[3]);

    report->z_bpp = quantised->z_bits / pixels;
    report->bpp = quantised->bits / pixels;
    report->mse = tape->kernels->point->sum_sq_diff(x->data, back->data, NULL, tensor_count(x)) / (double)tensor_count(x);
    report->max_activation = quantised->max_activation;
    report->integer = quantised->integer;
    report->codes = quantised->codes;
}

/* What was measured on the crops of this process becomes that of the crops of all. */
static void share_report(Group *group, ImageStepReport *report)
{
    const int n = group_size(group);
    double sums[4 + IMAGE_HEADS] = {report->loss, report->bpp / n, report->z_bpp / n, report->mse / n};

    for (int i = 0; i < IMAGE_HEADS; i++)
        sums[4 + i] = report->head_mse[i] / n;
    group_sum_f64(group, sums, 4 + IMAGE_HEADS);
    report->loss = sums[0], report->bpp = sums[1], report->z_bpp = sums[2], report->mse = sums[3];
    memcpy(report->head_mse, sums + 4, sizeof report->head_mse);
}

/* What a step makes of its crops. */
typedef struct Pass {
    ImageWeights weights;
    Tensor *x, *back; /* real, made */
    Quantised quantised;
    CriticContext context; /* until the critics have learned */
    Tensor *rest;          /* the loss but for the picture's error: bits, heads. NULL: nothing */
} Pass;

static RsdStatus run_forward(ImageStep *step, TrainState *state, const float *batch, Pass *pass, ImageStepReport *report, double *since,
                             RsdError *err)
{
    const TrainConfig *cfg = step->config;
    const ImageCodec *codec = state->image;
    const int64_t shape[4] = {cfg->data.batch, 3, cfg->picture.crop, cfg->picture.crop};
    Tape *tape = step->tape;
    Tensor *y, *features[IMAGE_HEADS];
    RsdStatus status = RSD_OK;

    tape->recording = !image_quantise_is_fixed(cfg);
    TRY(image_weights_make(&pass->weights, tape, cfg, step->group, state->step, err));
    TRY(tape_input(tape, &pass->x, 4, shape, batch, err));
    TRY(image_codec_analyse(tape, codec, pass->x, &y, err));
    if (state->adversary && state->adversary->set->kinds)
        TRY(picture_kinds_find(tape, state->adversary->set->kinds, y, &pass->context.kinds, err));
    end_phase(report, PHASE_ANALYSE, since);
    TRY(image_quantise(tape, cfg, state, step->group, &pass->weights, y, &pass->quantised, err));
    if (!image_quantise_is_fixed(cfg))
        pass->rest = pass->quantised.loss;
    end_phase(report, PHASE_PRIOR, since);
    tape->recording = cfg->train.frozen != FROZEN_ALL_BUT_HEADS;
    TRY(image_codec_synthesise_with_features(tape, codec, pass->weights.level, pass->quantised.y_hat, features, &pass->back, err));
    tape->recording = true;
    if (codec->config.heads)
        TRY(add_heads(tape, codec, &pass->weights, pass->x, features, &pass->rest, report, err));
    end_phase(report, PHASE_SYNTHESISE, since);
    report->loss = pass->rest ? (double)pass->rest->data[0] : 0.0;
    fill_report(tape, &pass->quantised, pass->x, pass->back, report);
    share_report(step->group, report);
fail:
    return status;
}

/* The gradient of the picture that was made, when it is to be trained. */
static RsdStatus press(ImageStep *step, TrainState *state, Pass *pass, const float **grad, ImageStepReport *report, RsdError *err)
{
    Tensor *y_hat, *latent;
    const ImageOutputInput input = {.config = step->config, .losses = step->losses, .group = step->group, .weights = &pass->weights,
                                    .x = pass->x, .y = pass->back, .context = &pass->context};
    RsdStatus status = RSD_OK;

    *grad = NULL;
    if (step->config->train.frozen == FROZEN_ALL_BUT_HEADS)
        return RSD_OK;
    if (state->adversary) {
        TRY(tape_leaf(step->tape, pass->quantised.y_hat, false, &y_hat, err));
        TRY(image_codec_unscale(step->tape, state->image, pass->weights.level, y_hat, &latent, err));
        TRY(tape_leaf(step->tape, latent, false, &pass->context.latent, err));
    }
    TRY(image_output_press(step->tape, state, &input, grad, &report->output, err));
    report->loss += report->output.error;
fail:
    return status;
}

/* Of the rest of the loss and of the picture, in one replay. */
static RsdStatus run_backward(Tape *tape, const Pass *pass, const float *grad, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!grad)
        return tape_backward(tape, pass->rest, err);
    if (pass->rest)
        TRY(tape_seed(tape, pass->rest, 1.0f, err));
    TRY(tape_backward_from(tape, pass->back, grad, err));
fail:
    return status;
}

RsdStatus image_step_run(ImageStep *step, TrainState *state, const float *batch, ImageStepReport *report, RsdError *err)
{
    const TrainConfig *cfg = step->config;
    Tape *tape = step->tape;
    double since = step_clock();
    Pass pass = {0};
    const float *grad;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    report->lr = schedule_lr(&cfg->schedule, state->step, cfg->train.steps);
    tape_reset(tape);
    TRY(run_forward(step, state, batch, &pass, report, &since, err));
    params_zero_grad(state->params);
    TRY(press(step, state, &pass, &grad, report, err));
    end_phase(report, PHASE_OUTPUT, &since);
    CHECK(isfinite(report->loss), err, RSD_ERR_NUMERIC, "step %lld: the loss is not finite (%g)", (long long)state->step,
          report->loss);
    TRY(run_backward(tape, &pass, grad, err));
    train_state_sum_grads(state, &report->exchange);
    end_phase(report, PHASE_BACK, &since);
    report->grad_norm = optimizer_grad_norm(state->optimizer, step->threads);
    report->skipped = !isfinite(report->grad_norm);
    report->spike = !report->skipped && train_state_is_spike(state, cfg, report->grad_norm);
    state->optimizer->loss = report->loss;
    if (!report->skipped && !report->spike)
        optimizer_update(state->optimizer, report->lr, report->grad_norm, step->threads);
    end_phase(report, PHASE_OPTIMISE, &since);
    if (state->adversary)
        TRY(adversary_learn(state->adversary, tape, state->step, cfg->train.steps, &report->output.adversary, err));
    end_phase(report, PHASE_LEARN, &since);
    state->step++;
fail:
    tape->recording = false;
    return status;
}

/* ---- evaluation ---- */

/* Samples of 8 bits, as a decoder writes them. */
static double mse_of_bytes(const float *x, const float *y, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        const float v = y[i] < 0.0f ? 0.0f : y[i] > 1.0f ? 1.0f : y[i];
        const double d = (double)(floorf(v * 255.0f + 0.5f) - floorf(x[i] * 255.0f + 0.5f));

        sum += d * d;
    }
    return sum / (double)n;
}

static double db_of(const Tensor *a, const Tensor *b)
{
    return 10.0 * log10(255.0 * 255.0 / fmax(mse_of_bytes(a->data, b->data, tensor_count(a)), 1e-10));
}

static RsdStatus evaluate_heads(Tape *tape, const ImageCodec *codec, Tensor *x, Tensor *back,
                                Tensor *features[IMAGE_HEADS], PictureReport *report, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < IMAGE_HEADS; i++) {
        Tensor *target, *shrunk, *small;

        TRY(shrink(tape, x, 2 << i, &target, err));
        TRY(shrink(tape, back, 2 << i, &shrunk, err));
        TRY(image_codec_run_head(tape, codec, i, features[i], &small, err));
        report->head_db[i] += db_of(target, small) / report->n_levels;
        report->shrunk_db[i] += db_of(target, shrunk) / report->n_levels;
    }
fail:
    return status;
}

/* One level; x and y stay in the arena, so nothing is reset. */
static RsdStatus evaluate_level(const ImageStep *step, Tape *tape, const ImageCodec *codec, int level, Tensor *x, Tensor *y,
                                PictureReport *report, uint8_t *alive, RsdError *err)
{
    const double pixels = (double)(x->shape[2] * x->shape[3]);
    const int l = level / 16;
    QuantisedPicture quantised;
    Tensor *back, *features[IMAGE_HEADS], *error;
    RsdStatus status = RSD_OK;

    TRY(image_quantise_held_out(tape, codec, level, y, &quantised, alive + l * image_quantise_n_alive(&codec->config), err));
    report->float_bpp[l] = quantised.float_bits / pixels;
    report->bpp[l] = quantised.bits / pixels;
    report->z_bpp += quantised.z_bits / pixels / report->n_levels;
    if (quantised.max_activation > report->max_activation)
        report->max_activation = quantised.max_activation;
    TRY(image_codec_synthesise_with_features(tape, codec, &level, quantised.y_hat, features, &back, err));
    if (codec->config.heads)
        TRY(evaluate_heads(tape, codec, x, back, features, report, err));
    report->mse[l] = mse_of_bytes(x->data, back->data, tensor_count(x));
    report->psnr_db[l] = 10.0 * log10(WHITE_SQUARED / fmax(report->mse[l], 1e-10));
    report->error[l] = report->mse[l];
    if (step->config->loss.n_losses > 0) {
        TRY(op_bound(tape, back, 0.0f, 1.0f, &back, err));
        TRY(image_output_weigh(tape, step->config, step->losses, back, x, &error, err));
        report->error[l] = WHITE_SQUARED * (double)error->data[0];
    }
fail:
    return status;
}

RsdStatus image_step_evaluate(ImageStep *step, const TrainState *state, const float *picture, int64_t h, int64_t w,
                              PictureReport *report, uint8_t *alive, RsdError *err)
{
    const int64_t shape[4] = {1, 3, h, w};
    const ImageCodec *codec = state->image;
    Tape *tape = step->tape;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    report->n_levels = image_quantise_n_levels(&codec->config);
    tape->recording = false;
    for (int l = 0; l < report->n_levels; l++) {
        Tensor *x, *y;

        tape_reset(tape);
        TRY(tape_input(tape, &x, 4, shape, picture, err));
        TRY(image_codec_analyse(tape, codec, x, &y, err));
        TRY(evaluate_level(step, tape, codec, 16 * l, x, y, report, alive, err));
    }
fail:
    tape_reset(tape);
    return status;
}
