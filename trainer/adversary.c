/* adversary.c - judging and learning.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/adversary.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

const char *const ADVERSARY_TERM_NAMES[ADVERSARY_N_TERMS] = {"adversarial", "feature"};

#define LEARNS_SAMPLE 1000 /* of RNG_CRITIC; smaller ones are the critics' first weights */

/* ---- configuration ---- */

/* Lists come with 0 for none. */
static void drop_zeros(int *n, int values[CRITICS_MAX_SCALES])
{
    int kept = 0;

    for (int i = 0; i < *n; i++)
        if (values[i] > 0)
            values[kept++] = values[i];
    *n = kept;
}

static AudioCriticsConfig critics_of(const AdversaryConfig *config)
{
    AudioCriticsConfig critics = config->critics;

    critics.channels = 1;
    drop_zeros(&critics.n_periods, critics.periods);
    return critics;
}

bool adversary_is_on(const AdversaryConfig *config)
{
    AudioCriticsConfig critics = critics_of(config);

    return critics.n_periods + critics.n_scales > 0;
}

RsdStatus adversary_check_config(const AdversaryConfig *config, int64_t segment_len, RsdError *err)
{
    AudioCriticsConfig critics = critics_of(config);
    RsdStatus status = RSD_OK;

    if (!adversary_is_on(config))
        return RSD_OK;
    status = audio_critics_check_config(&critics, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "[adversary]");
    CHECK(config->weight > 0.0f || config->feature_weight > 0.0f, err, RSD_ERR_ARG,
          "adversary.weight and adversary.feature are both 0: the critics would learn for nothing");
    CHECK(segment_len >= audio_critics_min_len(&critics), err, RSD_ERR_ARG,
          "the critics of [adversary] need %lld samples; a crop of data.segment has %lld",
          (long long)audio_critics_min_len(&critics), (long long)segment_len);
    CHECK(config->schedule.kind == SCHEDULE_CONSTANT || config->schedule.lr_final <= config->schedule.lr, err,
          RSD_ERR_ARG, "adversary.lr_final = %g is above adversary.lr = %g", (double)config->schedule.lr_final,
          (double)config->schedule.lr);
fail:
    return status;
}

/* ---- life ---- */

RsdStatus adversary_create(Adversary **out, const AdversaryConfig *config, uint64_t seed, const struct Kernels *kernels,
                           RsdError *err)
{
    AudioCriticsConfig critics = critics_of(config);
    Adversary *adversary = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&adversary, 1, sizeof *adversary, err));
    adversary->config = *config;
    adversary->seed = seed;
    TRY(params_create(&adversary->params, err));
    TRY(audio_critics_create(&adversary->critics, &critics, adversary->params, seed, err));
    TRY(optimizer_create(&adversary->optimizer, &config->optimizer, adversary->params, kernels, err));
    *out = adversary;
    return RSD_OK;
fail:
    adversary_destroy(&adversary);
    return status;
}

void adversary_destroy(Adversary **adversary)
{
    if (!*adversary)
        return;
    optimizer_destroy(&(*adversary)->optimizer);
    audio_critics_destroy(&(*adversary)->critics);
    params_destroy(&(*adversary)->params);
    mem_free(adversary);
}

/* ---- a step ---- */

static RsdStatus check_finite(const Tensor *value, const char *name, int64_t step, double *out, RsdError *err)
{
    *out = (double)value->data[0];
    if (!isfinite(*out))
        return error_set(err, RSD_ERR_NUMERIC, "step %lld: the %s loss is not finite (%g)", (long long)step, name, *out);
    return RSD_OK;
}

static RsdStatus term_value(const Adversary *adversary, Tape *tape, int term, Tensor **value, RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    int n = audio_critics_count(adversary->critics);

    if (term == TERM_FEATURE)
        return feature_matching_loss(tape, (FeatureForm)config->feature_form, adversary->real, adversary->fake, n, value,
                                     err);
    return adversarial_generator_loss(tape, (AdversarialForm)config->form, adversary->real, adversary->fake, n, value,
                                      err);
}

/* Gradients of the terms with respect to the generated signal, through critics that stay as they are. */
static RsdStatus press(Adversary *adversary, Tape *tape, int64_t step, const float *grads[ADVERSARY_N_TERMS],
                       AdversaryReport *report, RsdError *err)
{
    const float weights[ADVERSARY_N_TERMS] = {adversary->config.weight, adversary->config.feature_weight};
    RsdStatus status = RSD_OK;

    audio_critics_freeze(adversary->critics, true);
    for (int i = 0; i < ADVERSARY_N_TERMS; i++) {
        Tensor *value;

        if (weights[i] <= 0.0f)
            continue;
        TRY(term_value(adversary, tape, i, &value, err));
        TRY(check_finite(value, ADVERSARY_TERM_NAMES[i], step, &report->terms[i], err));
        adversary->signal->grad = NULL; /* each term's own; the arena keeps the one before */
        TRY(tape_backward(tape, value, err));
        grads[i] = adversary->signal->grad;
    }
    report->pressed = true;
fail:
    audio_critics_freeze(adversary->critics, false);
    return status;
}

RsdStatus adversary_judge(Adversary *adversary, Tape *tape, Tensor *x, const Tensor *y, int64_t step,
                          const float *grads[ADVERSARY_N_TERMS], AdversaryReport *report, RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    size_t n = (size_t)audio_critics_count(adversary->critics);
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    for (int i = 0; i < ADVERSARY_N_TERMS; i++)
        grads[i] = NULL;
    if (step < config->start)
        return RSD_OK;
    report->judged = true;
    TRY(arena_alloc(tape->arena, &adversary->real, n, sizeof *adversary->real, err));
    TRY(arena_alloc(tape->arena, &adversary->fake, n, sizeof *adversary->fake, err));
    TRY(audio_critics_begin(adversary->critics, tape, err));
    TRY(audio_critics_judge(adversary->critics, tape, x, adversary->real, err));
    TRY(tape_leaf(tape, y, true, &adversary->signal, err));
    TRY(audio_critics_judge(adversary->critics, tape, adversary->signal, adversary->fake, err));
    if (step >= config->start + config->warmup)
        TRY(press(adversary, tape, step, grads, report, err));
fail:
    return status;
}

static bool learns(const Adversary *adversary, int64_t step)
{
    const AdversaryConfig *config = &adversary->config;
    Rng rng = rng_at(adversary->seed, RNG_CRITIC, (uint64_t)step, LEARNS_SAMPLE);

    return step < config->start + config->warmup || rng_uniform(&rng) < config->probability;
}

RsdStatus adversary_learn(Adversary *adversary, Tape *tape, int64_t step, int64_t n_steps, AdversaryReport *report,
                          RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    Tensor *value;
    RsdStatus status = RSD_OK;

    if (!report->judged || !learns(adversary, step))
        return RSD_OK;
    report->lr = schedule_lr(&config->schedule, step - config->start, n_steps - config->start);
    TRY(adversarial_critic_loss(tape, (AdversarialForm)config->form, adversary->real, adversary->fake,
                                audio_critics_count(adversary->critics), &value, err));
    TRY(check_finite(value, "critics'", step, &report->critic_loss, err));
    adversary->signal->needs_grad = false;
    params_zero_grad(adversary->params);
    TRY(tape_backward(tape, value, err));
    report->grad_norm = optimizer_grad_norm(adversary->optimizer, tape->threads);
    report->learned = isfinite(report->grad_norm);
    if (report->learned)
        optimizer_update(adversary->optimizer, report->lr, report->grad_norm, tape->threads);
fail:
    return status;
}
