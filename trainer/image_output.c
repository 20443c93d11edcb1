/* image_output.c - weights of crops, losses and critics at the output, balanced.
 *
 * [1] image.md 3.13, 8.3, 12.3, 12.5-P.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_output.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/shape.h"
#include "trainer/tape_mark.h"

#define EARLY_LOW 32 /* levels of the first steps, in sixteenths */
#define EARLY_HIGH 80
#define BALANCE_LEVEL 64 /* whose crops count 1 */

int image_step_level(const TrainConfig *cfg, int64_t step, int sample)
{
    Rng rng = rng_at((uint64_t)cfg->train.seed, RNG_QUANTIZER, (uint64_t)step, (uint32_t)sample);

    if (cfg->train.frozen == FROZEN_NOTHING && (double)step / (double)cfg->train.steps < (double)cfg->picture.early_share)
        return EARLY_LOW + (int)rng_below(&rng, EARLY_HIGH - EARLY_LOW + 1);
    return (int)rng_below(&rng, IMAGE_LEVEL_MAX + 1);
}

RsdStatus image_weights_make(ImageWeights *weights, Tape *tape, const TrainConfig *cfg, const Group *group, int64_t step, RsdError *err)
{
    const int64_t batch = cfg->data.batch, side = cfg->picture.crop, n = 3 * side * side;
    const int64_t first = group_rank(group) * batch, whole_batch = group_size(group) * batch;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &weights->level, (size_t)batch, sizeof *weights->level, err));
    TRY(arena_alloc(tape->arena, &weights->of_error, (size_t)batch, sizeof *weights->of_error, err));
    TRY(tape_tensor(tape, &weights->of_bits, 4, (int64_t[]){batch, 1, 1, 1}, err));
    TRY(tape_tensor(tape, &weights->of_square, 4, (int64_t[]){batch, 3, side, side}, err));
    for (int64_t b = 0; b < batch; b++) {
        const int level = image_step_level(cfg, step, (int)(first + b));
        const double lambda = image_quantise_lambda(&cfg->picture.model, level);
        const double weight = pow(image_codec_lambda(BALANCE_LEVEL) / lambda, (double)cfg->picture.level_balance);

        weights->level[b] = level;
        weights->of_error[b] = weight * lambda * WHITE_SQUARED / (double)whole_batch;
        weights->of_bits->data[b] = (float)(weight / (double)(side * side * whole_batch));
        tape->kernels->point->fill(weights->of_square->data + b * n, (float)(weight * lambda * WHITE_SQUARED / group_size(group)), n,
                                   false);
    }
fail:
    return status;
}

/* ---- losses ---- */

static RsdStatus add_term(Tape *tape, Tensor **sum, Tensor *term, RsdError *err)
{
    if (*sum)
        return op_add(tape, *sum, term, sum, err);
    *sum = term;
    return RSD_OK;
}

RsdStatus image_output_weigh(Tape *tape, const TrainConfig *cfg, ImageLoss *const *losses, Tensor *estimate, Tensor *target, Tensor **sum,
                             RsdError *err)
{
    Tensor *value;
    RsdStatus status = RSD_OK;

    *sum = NULL;
    for (int i = 0; i < cfg->loss.n_losses; i++) {
        TRY(image_loss_apply(tape, losses[i], estimate, target, &value, err));
        TRY(op_scale(tape, value, cfg->loss.weights[i], &value, err));
        TRY(add_term(tape, sum, value, err));
    }
fail:
    return status;
}

/* Loss i of all crops, each weighted for its level. */
static RsdStatus loss_of_crops(Tape *tape, const ImageOutputInput *input, int i, Tensor *estimate, Tensor **sum, RsdError *err)
{
    Tensor *value, *crop, *original;
    RsdStatus status = RSD_OK;

    if (input->config->loss.n_losses == 0)
        return op_mse(tape, estimate, input->x, input->weights->of_square, sum, err);
    *sum = NULL;
    for (int64_t b = 0; b < estimate->shape[0]; b++) {
        TRY(op_slice(tape, estimate, 0, b, 1, &crop, err));
        TRY(op_slice(tape, input->x, 0, b, 1, &original, err));
        TRY(image_loss_apply(tape, input->losses[i], crop, original, &value, err));
        TRY(op_scale(tape, value, (float)input->weights->of_error[b], &value, err));
        TRY(add_term(tape, sum, value, err));
    }
fail:
    return status;
}

static RsdStatus run_losses(Tape *tape, const TrainState *state, const ImageOutputInput *input, const float **grads, ImageOutput *report,
                            RsdError *err)
{
    const int n = train_config_n_losses(input->config);
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        Tensor *leaf, *value;
        float *grad;
        TapeMark mark;

        TRY(arena_calloc(tape->arena, &grad, (size_t)tensor_count(input->y), sizeof *grad, err));
        mark = tape_mark(tape);
        TRY(tape_leaf(tape, input->y, true, &leaf, err));
        leaf->grad = grad;
        TRY(loss_of_crops(tape, input, i, leaf, &value, err));
        report->terms[i] = (double)value->data[0];
        TRY(tape_backward(tape, value, err));
        grads[i] = grad;
        tape_rewind(tape, mark);
    }
    group_sum_f64(input->group, report->terms, (size_t)n);
    for (int i = 0; i < n; i++) {
        CHECK(isfinite(report->terms[i]), err, RSD_ERR_NUMERIC, "step %lld: the loss %s is not finite (%g)", (long long)state->step,
              train_config_term_name(input->config, i), report->terms[i]);
        report->error += (double)train_config_term_weight(input->config, i) * report->terms[i];
    }
fail:
    return status;
}

/* ---- all of it ---- */

RsdStatus image_output_press(Tape *tape, TrainState *state, const ImageOutputInput *input, const float **grad, ImageOutput *report,
                             RsdError *err)
{
    const int n_losses = train_config_n_losses(input->config);
    const int64_t batch = input->y->shape[0], count = tensor_count(input->y);
    const float *grads[BALANCER_MAX_LOSSES] = {0};
    float *combined;
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    TRY(run_losses(tape, state, input, grads, report, err));
    if (state->adversary) {
        TRY(adversary_judge(state->adversary, tape, input->x, input->y, input->context, state->step, grads + n_losses, &report->adversary,
                            err));
        memcpy(report->terms + n_losses, report->adversary.terms, sizeof report->adversary.terms);
    }
    TRY(arena_alloc(tape->arena, &combined, (size_t)count, sizeof *combined, err));
    TRY(balancer_apply(&state->balancer,
                       &(BalancerInput){.grads = grads, .values = report->terms, .batch = batch, .item_count = count / batch,
                                        .last_layer_norm = last_layer_norm, .ctx = &(LastLayer){tape, input->y, input->group}, .group = input->group},
                       combined, &report->balance, err));
    *grad = combined;
fail:
    return status;
}
