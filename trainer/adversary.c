/* adversary.c - judging and learning.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/adversary.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "trainer/picture_kinds.h"
#include "trainer/tape_mark.h"

const char *const ADVERSARY_TERM_NAMES[ADVERSARY_N_TERMS] = {"adversarial", "feature"};

#define LEARNS_SAMPLE 1000 /* of RNG_CRITIC; smaller ones are the critics' first weights */
#define NOISE_SAMPLE 2000  /* and one per item from here, of each of the two penalties */
#define MAX_ITEMS 1000000

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
    drop_zeros(&critics.n_stft, critics.stft_windows);
    drop_zeros(&critics.n_bands, critics.band_windows);
    return critics;
}

static PictureCriticsConfig pictures_of(const AdversaryConfig *config)
{
    PictureCriticsConfig pictures = config->pictures;
    int n = 0;

    for (int i = 0; i < pictures.n_r3; i++)
        if (pictures.r3_widths[i] > 0)
            pictures.r3_widths[n++] = pictures.r3_widths[i];
    pictures.n_r3 = n;
    pictures.slope = config->critics.slope;
    return pictures;
}

static bool is_on_sound(const AdversaryConfig *config)
{
    AudioCriticsConfig critics = critics_of(config);

    return critics.n_periods + critics.n_scales + critics.n_stft + critics.n_bands > 0;
}

bool adversary_is_on_pictures(const AdversaryConfig *config)
{
    return config->pictures.patch_channels > 0 || pictures_of(config).n_r3 > 0;
}

bool adversary_is_on(const AdversaryConfig *config)
{
    return is_on_sound(config) || adversary_is_on_pictures(config);
}

static RsdStatus check_sound(const AdversaryConfig *config, int64_t segment_len, RsdError *err)
{
    AudioCriticsConfig critics = critics_of(config);
    RsdStatus status = audio_critics_check_config(&critics, err);

    if (status != RSD_OK)
        return error_prefix(err, status, "[adversary]");
    CHECK(segment_len >= audio_critics_min_len(&critics), err, RSD_ERR_ARG,
          "the critics of [adversary] need %lld samples; a crop of data.segment has %lld",
          (long long)audio_critics_min_len(&critics), (long long)segment_len);
    CHECK(config->penalty == PENALTY_NOISE, err, RSD_ERR_ARG,
          "adversary.penalty = exact is for pictures, with adversary.r3_widths; of sound it is estimated by noise");
fail:
    return status;
}

/* Widths and groups are checked where the critics are made. */
static RsdStatus check_pictures(const AdversaryConfig *config, int64_t side, RsdError *err)
{
    const PictureCriticsConfig pictures = pictures_of(config);
    RsdStatus status = RSD_OK;

    CHECK(side >= picture_critics_min_side(&pictures), err, RSD_ERR_ARG,
          "the critics of [adversary] need %lld pixels each way; a crop of picture.crop has %lld",
          (long long)picture_critics_min_side(&pictures), (long long)side);
    CHECK(!pictures.patch_kinds || (pictures.patch_channels > 0 && !(pictures.patch_kinds & (pictures.patch_kinds - 1))), err, RSD_ERR_ARG,
          "adversary.patch_kinds = %d: a power of two is needed, and adversary.patch > 0", pictures.patch_kinds);
    CHECK(config->penalty == PENALTY_NOISE || !pictures.patch_channels, err, RSD_ERR_ARG,
          "adversary.penalty = exact works with adversary.r3_widths alone; set adversary.patch = 0 or adversary.penalty = noise");
fail:
    return status;
}

RsdStatus adversary_check_config(const AdversaryConfig *config, bool of_pictures, int64_t crop_len, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!adversary_is_on(config))
        return RSD_OK;
    CHECK(!of_pictures || !config->per_rate, err, RSD_ERR_ARG,
          "adversary.per_rate = yes is for sound: each crop of a step of pictures has a level of its own");
    CHECK(of_pictures ? !is_on_sound(config) : !adversary_is_on_pictures(config), err, RSD_ERR_ARG,
          "[adversary]: %s", of_pictures ? "periods, scales, stft and bands are critics of sound; pictures have patch and r3_widths"
                                         : "patch and r3_widths are critics of pictures; sound has periods, scales, stft and bands");
    CHECK(config->weight > 0.0f || config->feature_weight > 0.0f, err, RSD_ERR_ARG,
          "adversary.weight and adversary.feature are both 0: the critics would learn for nothing");
    TRY(of_pictures ? check_pictures(config, crop_len, err) : check_sound(config, crop_len, err));
    CHECK(config->schedule.kind == SCHEDULE_CONSTANT || config->schedule.lr_final <= config->schedule.lr, err,
          RSD_ERR_ARG, "adversary.lr_final = %g is above adversary.lr = %g", (double)config->schedule.lr_final,
          (double)config->schedule.lr);
fail:
    return status;
}

/* ---- life ---- */

static RsdStatus create_set(CriticSet *set, const AdversaryConfig *config, uint64_t seed, const struct Kernels *kernels, RsdError *err)
{
    const AudioCriticsConfig critics = critics_of(config);
    const PictureCriticsConfig pictures = pictures_of(config);
    RsdStatus status = RSD_OK;

    TRY(params_create(&set->params, err));
    if (adversary_is_on_pictures(config))
        TRY(picture_critics_create(&set->pictures, &pictures, set->params, seed, err));
    else
        TRY(audio_critics_create(&set->critics, &critics, set->params, seed, err));
    if (pictures.patch_channels > 0 && pictures.patch_kinds > 0)
        TRY(picture_kinds_create(&set->kinds, pictures.patch_kinds, pictures.latent_channels, set->params, err));
    TRY(optimizer_create(&set->optimizer, &config->optimizer, set->params, kernels, err));
fail:
    return status;
}

RsdStatus adversary_create(Adversary **out, const AdversaryConfig *config, uint64_t seed, const struct Kernels *kernels,
                           RsdError *err)
{
    Adversary *adversary = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&adversary, 1, sizeof *adversary, err));
    adversary->config = *config;
    adversary->seed = seed;
    adversary->n_sets = config->per_rate ? config->n_rates : 1;
    adversary->set = &adversary->sets[0];
    for (int i = 0; i < adversary->n_sets; i++)
        TRY(create_set(&adversary->sets[i], config, seed + (uint64_t)i, kernels, err));
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
    for (int i = 0; i < (*adversary)->n_sets; i++) {
        CriticSet *set = &(*adversary)->sets[i];

        optimizer_destroy(&set->optimizer);
        audio_critics_destroy(&set->critics);
        picture_critics_destroy(&set->pictures);
        rvq_destroy(&set->kinds);
        params_destroy(&set->params);
    }
    mem_free(adversary);
}

void adversary_choose_rate(Adversary *adversary, int rate)
{
    adversary->set = &adversary->sets[adversary->config.per_rate ? rate : 0];
}

RsdStatus adversary_join(Adversary *adversary, Group *group, RsdError *err)
{
    RsdStatus status = RSD_OK;

    adversary->group = group;
    for (int i = 0; i < adversary->n_sets; i++)
        TRY(optimizer_join(adversary->sets[i].optimizer, group, err));
fail:
    return status;
}

/* ---- critics of either kind ---- */

int adversary_count(const Adversary *adversary)
{
    return adversary->set->pictures ? picture_critics_count(adversary->set->pictures) : audio_critics_count(adversary->set->critics);
}

/* Those that say real or generated. */
static int count_plain(const Adversary *adversary)
{
    return adversary->set->pictures ? picture_critics_count_plain(adversary->set->pictures) : audio_critics_count(adversary->set->critics);
}

static RsdStatus begin(Adversary *adversary, Tape *tape, RsdError *err)
{
    if (adversary->set->pictures)
        return picture_critics_begin(adversary->set->pictures, tape, err);
    return audio_critics_begin(adversary->set->critics, tape, err);
}

static void freeze(Adversary *adversary, bool frozen)
{
    if (adversary->set->pictures)
        picture_critics_freeze(adversary->set->pictures, frozen);
    else
        audio_critics_freeze(adversary->set->critics, frozen);
}

static RsdStatus judge(const Adversary *adversary, Tape *tape, Tensor *x, CriticMaps *maps, RsdError *err)
{
    if (adversary->set->pictures)
        return picture_critics_judge(adversary->set->pictures, tape, x, adversary->context->latent, maps, err);
    return audio_critics_judge(adversary->set->critics, tape, x, maps, err);
}

/* A critic that says kinds comes last. */
static bool says_kinds(const Adversary *adversary)
{
    return count_plain(adversary) < adversary_count(adversary);
}

static RsdStatus find_labels(Adversary *adversary, Tape *tape, RsdError *err)
{
    const CriticContext *context = adversary->context;

    if (!says_kinds(adversary))
        return RSD_OK;
    return picture_critics_labels(adversary->set->pictures, tape, adversary->recording, adversary->real[count_plain(adversary)].logits,
                                  context->kinds, context->latent->shape[2], context->latent->shape[3], &adversary->labels, err);
}

/* Mean over critics: of those that say real or generated by the form, of the one that says kinds by cross-entropy. */
static RsdStatus adversarial_value(const Adversary *adversary, Tape *tape, bool of_critics, Tensor **value, RsdError *err)
{
    const AdversarialForm form = (AdversarialForm)adversary->config.form;
    const CriticMaps *real = adversary->real, *fake = adversary->fake;
    const int n = count_plain(adversary), n_all = adversary_count(adversary);
    Tensor *plain = NULL, *kinds;
    RsdStatus status = RSD_OK;

    if (n)
        TRY(of_critics ? adversarial_critic_loss(tape, form, real, fake, n, &plain, err)
                       : adversarial_generator_loss(tape, form, real, fake, n, &plain, err));
    if (n_all == n) {
        *value = plain;
        return RSD_OK;
    }
    TRY(of_critics ? class_critic_loss(tape, real[n].logits, fake[n].logits, adversary->labels, &kinds, err)
                   : class_generator_loss(tape, fake[n].logits, adversary->labels, &kinds, err));
    if (!n) {
        *value = kinds;
        return RSD_OK;
    }
    TRY(op_scale(tape, plain, (float)n / (float)n_all, &plain, err));
    TRY(op_scale(tape, kinds, 1.0f / (float)n_all, &kinds, err));
    TRY(op_add(tape, plain, kinds, value, err));
fail:
    return status;
}

/* Mean over critics and places; [batch, K + 1, h, w] of a critic that says kinds has `generated` first. */
static double mean_logit(const Adversary *adversary, const CriticMaps *maps)
{
    const int n = count_plain(adversary), n_all = adversary_count(adversary);
    double sum = 0.0;

    for (int i = 0; i < n_all; i++) {
        const Tensor *logits = maps[i].logits;
        const int64_t item = tensor_count(logits) / logits->shape[0], places = i < n ? item : logits->shape[2] * logits->shape[3];
        double of_critic = 0.0;

        for (int64_t b = 0; b < logits->shape[0]; b++)
            for (int64_t j = 0; j < places; j++)
                of_critic += (double)logits->data[b * item + j];
        sum += (i < n ? of_critic : -of_critic) / (double)(logits->shape[0] * places);
    }
    return sum / n_all;
}

/* ---- a step ---- */

/* *out is the mean over the group, so that all of it fails together. */
static RsdStatus check_finite(const Adversary *adversary, const Tensor *value, const char *name, int64_t step, double *out,
                              RsdError *err)
{
    *out = (double)value->data[0];
    group_sum_f64(adversary->group, out, 1);
    *out /= group_size(adversary->group);
    if (!isfinite(*out))
        return error_set(err, RSD_ERR_NUMERIC, "step %lld: the %s loss is not finite (%g)", (long long)step, name, *out);
    return RSD_OK;
}

static RsdStatus term_value(const Adversary *adversary, Tape *tape, int term, Tensor **value, RsdError *err)
{
    if (term == TERM_FEATURE)
        return feature_matching_loss(tape, (FeatureForm)adversary->config.feature_form, adversary->real, adversary->fake,
                                     adversary_count(adversary), value, err);
    return adversarial_value(adversary, tape, false, value, err);
}

/* Gradients of the terms with respect to the generated signal, through critics that stay as they are. */
static RsdStatus press(Adversary *adversary, Tape *tape, int64_t step, const float *grads[ADVERSARY_N_TERMS],
                       AdversaryReport *report, RsdError *err)
{
    const float weights[ADVERSARY_N_TERMS] = {adversary->config.weight, adversary->config.feature_weight};
    RsdStatus status = RSD_OK;

    freeze(adversary, true);
    for (int i = 0; i < ADVERSARY_N_TERMS; i++) {
        const int64_t count = tensor_count(adversary->signal);
        float *grad;
        TapeMark mark;
        Tensor *value;

        if (weights[i] <= 0.0f)
            continue;
        TRY(arena_calloc(tape->arena, &grad, (size_t)count, sizeof *grad, err));
        mark = tape_mark(tape);
        TRY(term_value(adversary, tape, i, &value, err));
        TRY(check_finite(adversary, value, ADVERSARY_TERM_NAMES[i], step, &report->terms[i], err));
        adversary->signal->grad = grad;
        TRY(tape_backward(tape, value, err));
        tape_rewind(tape, mark);
        if (group_size(adversary->group) > 1)
            tape->kernels->point->scale(grad, 1.0f / (float)group_size(adversary->group), grad, count, false);
        grads[i] = grad;
    }
    report->pressed = true;
fail:
    adversary->signal->grad = NULL;
    freeze(adversary, false);
    return status;
}

RsdStatus adversary_judge(Adversary *adversary, Tape *tape, Tensor *x, const Tensor *y, const CriticContext *context, int64_t step,
                          const float *grads[ADVERSARY_N_TERMS], AdversaryReport *report, RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    size_t n = (size_t)adversary_count(adversary);
    double logits[2];
    RsdStatus status = RSD_OK;

    memset(report, 0, sizeof *report);
    for (int i = 0; i < ADVERSARY_N_TERMS; i++)
        grads[i] = NULL;
    if (step < config->start)
        return RSD_OK;
    report->judged = true;
    adversary->recording = x;
    adversary->context = context;
    TRY(arena_alloc(tape->arena, &adversary->real, n, sizeof *adversary->real, err));
    TRY(arena_alloc(tape->arena, &adversary->fake, n, sizeof *adversary->fake, err));
    TRY(begin(adversary, tape, err));
    TRY(judge(adversary, tape, x, adversary->real, err));
    TRY(tape_leaf(tape, y, true, &adversary->signal, err));
    TRY(judge(adversary, tape, adversary->signal, adversary->fake, err));
    TRY(find_labels(adversary, tape, err));
    logits[0] = mean_logit(adversary, adversary->real) / group_size(adversary->group);
    logits[1] = mean_logit(adversary, adversary->fake) / group_size(adversary->group);
    group_sum_f64(adversary->group, logits, 2);
    report->real_logit = logits[0];
    report->fake_logit = logits[1];
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

/* ---- gradient penalties ---- */

/* Mean verdict of all critics on each item: [batch, 1]. */
static RsdStatus verdicts(Tape *tape, const CriticMaps *maps, int n, int64_t batch, Tensor **y, RsdError *err)
{
    Tensor *sum = NULL, *h;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        TRY(op_reshape(tape, maps[i].logits, 2, (const int64_t[]){batch, -1}, &h, err));
        TRY(op_mean_axis(tape, h, 1, &h, err));
        if (sum)
            TRY(op_add(tape, sum, h, &h, err));
        sum = h;
    }
    TRY(op_scale(tape, sum, 1.0f / (float)n, y, err));
fail:
    return status;
}

/* x with noise of `sigma` times the RMS of each item. */
static RsdStatus disturb(const Adversary *adversary, Tape *tape, const Tensor *x, int64_t step, uint32_t first_sample,
                         Tensor **y, RsdError *err)
{
    const int64_t len = tensor_count(x) / x->shape[0];
    RsdStatus status = tape_input(tape, y, x->n_dims, x->shape, x->data, err);

    if (status != RSD_OK)
        return status;
    for (int64_t b = 0; b < x->shape[0]; b++) {
        Rng rng = rng_at(adversary->seed, RNG_CRITIC, (uint64_t)step,
                         first_sample + (uint32_t)(group_rank(adversary->group) * x->shape[0] + b));
        float *item = (*y)->data + b * len, scale;
        double energy = 0.0;

        for (int64_t i = 0; i < len; i++)
            energy += (double)item[i] * (double)item[i];
        scale = adversary->config.noise * (float)sqrt(energy / (double)len);
        for (int64_t i = 0; i < len; i++)
            item[i] += scale * rng_normal(&rng);
    }
    return RSD_OK;
}

/* gamma / 2 E (D(x + s v) - D(x))^2 / s^2; maps are D's on x. */
static RsdStatus penalty_of(const Adversary *adversary, Tape *tape, const Tensor *x, const CriticMaps *maps, float gamma,
                            int64_t step, uint32_t first_sample, Tensor **value, RsdError *err)
{
    const float sigma = adversary->config.noise;
    int n = adversary_count(adversary);
    CriticMaps *near;
    Tensor *disturbed, *here, *there, *h;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &near, (size_t)n, sizeof *near, err));
    TRY(disturb(adversary, tape, x, step, first_sample, &disturbed, err));
    TRY(judge(adversary, tape, disturbed, near, err));
    TRY(verdicts(tape, maps, n, x->shape[0], &here, err));
    TRY(verdicts(tape, near, n, x->shape[0], &there, err));
    TRY(op_sub(tape, there, here, &h, err));
    TRY(op_square(tape, h, &h, err));
    TRY(op_mean(tape, h, &h, err));
    TRY(op_scale(tape, h, 0.5f * gamma / (sigma * sigma), value, err));
fail:
    return status;
}

static bool has_penalties(const Adversary *adversary)
{
    const AdversaryConfig *config = &adversary->config;

    return (config->r1 > 0.0f || config->r2 > 0.0f) && adversary->set->optimizer->n_updates % config->penalty_every == 0;
}

/* Those estimated by noise join the loss, because they look at its maps. */
static RsdStatus add_penalties(Adversary *adversary, Tape *tape, int64_t step, Tensor **value, double *added,
                               RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    const float gammas[2] = {config->r1, config->r2};
    const Tensor *signals[2] = {adversary->recording, adversary->signal};
    const CriticMaps *maps[2] = {adversary->real, adversary->fake};
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 2; i++) {
        Tensor *penalty;

        if (gammas[i] <= 0.0f)
            continue;
        TRY(penalty_of(adversary, tape, signals[i], maps[i], gammas[i] * (float)config->penalty_every, step,
                       NOISE_SAMPLE + (uint32_t)i * MAX_ITEMS, &penalty, err));
        *added += (double)penalty->data[0];
        TRY(op_add(tape, *value, penalty, value, err));
    }
fail:
    return status;
}

/* Exact ones have passes of their own: their gradients are added item by item, and each item's passes are forgotten. */
static RsdStatus learn_penalties(Adversary *adversary, Tape *tape, double *added, RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    const float gammas[2] = {config->r1, config->r2};
    const Tensor *signals[2] = {adversary->recording, adversary->signal};
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 2; i++) {
        const Tensor *x = signals[i];
        const int64_t n_items = x->shape[0], shape[4] = {1, x->shape[1], x->shape[2], x->shape[3]}, n = tensor_count(x) / n_items;
        const float gamma = gammas[i] * (float)config->penalty_every / (float)n_items;

        for (int64_t b = 0; b < n_items && gamma > 0.0f; b++) {
            const TapeMark mark = tape_mark(tape);
            Tensor *item, *penalty;

            TRY(tape_input(tape, &item, 4, shape, x->data + b * n, err));
            TRY(picture_critics_penalty(adversary->set->pictures, tape, item, gamma, &penalty, err));
            *added += (double)penalty->data[0];
            TRY(tape_backward(tape, penalty, err));
            tape_rewind(tape, mark);
        }
    }
    group_sum_f64(adversary->group, added, 1);
    *added /= group_size(adversary->group);
fail:
    return status;
}

RsdStatus adversary_learn(Adversary *adversary, Tape *tape, int64_t step, int64_t n_steps, AdversaryReport *report,
                          RsdError *err)
{
    const AdversaryConfig *config = &adversary->config;
    const bool exact = config->penalty == PENALTY_EXACT;
    Optimizer *optimizer = adversary->set->optimizer;
    TapeMark mark;
    Tensor *value;
    RsdStatus status = RSD_OK;

    if (!report->judged || !learns(adversary, step))
        return RSD_OK;
    report->lr = schedule_lr(&config->schedule, step - config->start, n_steps - config->start);
    report->penalty = 0.0;
    mark = tape_mark(tape);
    TRY(adversarial_value(adversary, tape, true, &value, err));
    if (has_penalties(adversary) && !exact)
        TRY(add_penalties(adversary, tape, step, &value, &report->penalty, err));
    TRY(check_finite(adversary, value, "critics'", step, &report->critic_loss, err));
    adversary->signal->needs_grad = false;
    params_zero_grad(adversary->set->params);
    TRY(tape_backward(tape, value, err));
    tape_rewind(tape, mark);
    if (has_penalties(adversary) && exact)
        TRY(learn_penalties(adversary, tape, &report->penalty, err));
    report->critic_loss += exact ? report->penalty : 0.0;
    optimizer_sum_grads(optimizer, 1.0f / (float)group_size(adversary->group));
    report->grad_norm = optimizer_grad_norm(optimizer, tape->threads);
    report->learned = isfinite(report->grad_norm);
    if (report->learned)
        optimizer_update(optimizer, report->lr, report->grad_norm, tape->threads);
fail:
    return status;
}
