/* train_state.c - the state of a run before its first step: random weights, or those of a model file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/train_state.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/safetensors.h"
#include "models/builtin.h"

/* ---- random weights ---- */

static void freeze(ParamSet *params, const char *prefix)
{
    for (size_t i = 0; i < params->n_items; i++)
        if (strncmp(params->items[i].name, prefix, strlen(prefix)) == 0)
            params->items[i].trainable = params->items[i].tensor->needs_grad = false;
}

static void freeze_all_but(ParamSet *params, const char *prefix)
{
    for (size_t i = 0; i < params->n_items; i++)
        if (strncmp(params->items[i].name, prefix, strlen(prefix)) != 0)
            params->items[i].trainable = false;
}

/* All that decides what is coded stays; what makes pictures of it moves. */
static void freeze_coding(ParamSet *params)
{
    static const char *const kept[] = {"encoder.", "hyper.", "prior.", "steps."};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        freeze(params, kept[i]);
    for (size_t i = 0; i < params->n_items; i++)
        if (!strcmp(params->items[i].name, "gain.log")) /* and not gain.log_inverse */
            params->items[i].trainable = params->items[i].tensor->needs_grad = false;
}

static RsdStatus create_picture(TrainState *state, const TrainConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_codec_create(&state->image, &cfg->picture.model, (uint64_t)cfg->train.seed, err));
    state->params = state->image->params;
    if (cfg->train.frozen == FROZEN_ALL_BUT_HEADS)
        freeze_all_but(state->params, "heads.");
    if (cfg->train.frozen == FROZEN_PRIOR)
        freeze(state->params, "prior.");
    if (cfg->train.frozen == FROZEN_ENCODER)
        freeze_coding(state->params);
fail:
    return status;
}

static RsdStatus create_audio(TrainState *state, const TrainConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(audio_codec_create(&state->codec, &cfg->model, (uint64_t)cfg->train.seed, err));
    state->params = state->codec->params;
    if (cfg->train.frozen != FROZEN_NOTHING)
        freeze(state->codec->params, "encoder.");
    if (cfg->train.frozen == FROZEN_ENCODER_AND_CODES)
        freeze(state->codec->params, "rvq.");
    if (cfg->train.adapter_rank > 0)
        TRY(adapter_add(state->codec, cfg->train.adapter_rank, (uint64_t)cfg->train.seed, err));
fail:
    return status;
}

static RsdStatus create_balancer(TrainState *state, const TrainConfig *cfg, RsdError *err)
{
    BalancerConfig balance = {.n_losses = train_config_n_terms(cfg),
                              .ema_decay = cfg->loss.balance_decay,
                              .total_norm = cfg->loss.balance_norm,
                              .per_batch_item = cfg->loss.balance_per_item,
                              .kind = (int)train_config_balance(cfg),
                              .n_adversarial = adversary_is_on(&cfg->adversary) ? ADVERSARY_N_TERMS : 0};

    for (int i = 0; i < balance.n_losses && i < BALANCER_MAX_LOSSES; i++)
        balance.weights[i] = train_config_term_weight(cfg, i);
    return balancer_init(&state->balancer, &balance, err);
}

RsdStatus train_state_create(TrainState **out, const TrainConfig *cfg, const struct Kernels *kernels, RsdError *err)
{
    TrainState *state = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&state, 1, sizeof *state, err));
    state->best_score = INFINITY;
    loss_scale_init(&state->loss_scale, cfg->optimizer.weights == WEIGHTS_F16);
    TRY(cfg->kind == TRAIN_PICTURE ? create_picture(state, cfg, err) : create_audio(state, cfg, err));
    TRY(create_balancer(state, cfg, err));
    if (adversary_is_on(&cfg->adversary))
        TRY(adversary_create(&state->adversary, &cfg->adversary, (uint64_t)cfg->train.seed, kernels, err));
    TRY(optimizer_create(&state->optimizer, &cfg->optimizer, state->params, kernels, err));
    *out = state;
    return RSD_OK;
fail:
    train_state_destroy(&state);
    return status;
}

RsdStatus train_state_join(TrainState *state, const TrainConfig *cfg, Group *group, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (state->codec)
        audio_codec_set_code_training(state->codec, &cfg->train.codes, group);
    TRY(optimizer_join(state->optimizer, group, err));
    if (state->adversary)
        TRY(adversary_join(state->adversary, group, err));
    if (group_size(group) > 1 && cfg->train.exchange.kind != EXCHANGE_ALL)
        TRY(exchange_create(&state->exchange, &cfg->train.exchange, state->params, group, (uint64_t)cfg->train.seed, err));
fail:
    return status;
}

void train_state_destroy(TrainState **state)
{
    if (!*state)
        return;
    exchange_destroy(&(*state)->exchange);
    adversary_destroy(&(*state)->adversary);
    optimizer_destroy(&(*state)->optimizer);
    audio_codec_destroy(&(*state)->codec);
    image_codec_destroy(&(*state)->image);
    mem_free(state);
}

void train_state_sum_grads(TrainState *state, ExchangeReport *report)
{
    if (state->exchange)
        exchange_sum(state->exchange, report);
    else
        optimizer_sum_grads(state->optimizer, 1.0f);
}

#define NORM_DECAY 0.98
#define NORM_FULL 20.0 /* steps behind an average that a norm can stand out from: about 26 steps */

/* A spike counts as the largest norm that is none, so that a lasting change is no spike for long. */
bool train_state_is_spike(TrainState *state, const TrainConfig *cfg, double norm)
{
    double limit = (double)cfg->train.spike * state->norm_total / state->norm_count;
    bool spike = cfg->train.spike > 0.0f && state->norm_count >= NORM_FULL && norm > limit;

    state->norm_total = NORM_DECAY * state->norm_total + (spike ? limit : norm);
    state->norm_count = NORM_DECAY * state->norm_count + 1.0;
    return spike;
}

/* ---- models by name ---- */

/* As everywhere, the name of a built-in model comes before a file of that name. */
static RsdStatus open_model(Safetensors **out, BuiltinKind kind, const char *path, RsdError *err)
{
    const BuiltinModel *model;
    RsdStatus status = RSD_OK;

    if (!builtin_is_meant(kind, path))
        return safetensors_open(out, path, err);
    TRY(builtin_find(&model, kind, path, err));
    TRY(safetensors_open_memory(out, model->data, (size_t)(model->end - model->data), path, err));
fail:
    return status;
}

static RsdStatus hash_audio_model(uint8_t hash[MODEL_HASH_SIZE], const char *path, RsdError *err)
{
    const BuiltinModel *model;

    if (builtin_find(&model, BUILTIN_AUDIO, path, NULL) != RSD_OK)
        return audio_codec_hash_file(hash, path, err);
    memcpy(hash, model->hash, MODEL_HASH_SIZE);
    return RSD_OK;
}

/* ---- the weights of a model ---- */

bool train_state_keeps_coding(const TrainState *state, const TrainConfig *cfg)
{
    if (state->codec)
        return cfg->train.frozen == FROZEN_ENCODER_AND_CODES || cfg->train.adapter_rank > 0;
    return cfg->train.frozen == FROZEN_ENCODER || cfg->train.frozen == FROZEN_ALL_BUT_HEADS;
}

bool train_state_keeps_prior(const TrainState *state, const TrainConfig *cfg)
{
    return state->image && cfg->train.frozen != FROZEN_NOTHING;
}

static RsdStatus keep_prior_of(TrainState *state, const char *path, RsdError *err)
{
    Safetensors *st = NULL;
    RsdStatus status = RSD_OK;

    TRY(open_model(&st, BUILTIN_IMAGE, path, err));
    TRY(image_codec_keep_prior(state->image, st, err));
fail:
    safetensors_close(&st);
    return status;
}

RsdStatus train_state_load_prior(TrainState *state, const char *path, RsdError *err)
{
    ImageCodec *from = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_codec_load_named(&from, path, IMAGE_USE_ALL, err));
    for (size_t i = 0; i < state->params->n_items; i++) {
        const Param *own = &state->params->items[i];
        const Tensor *found = params_find(from->params, own->name);

        if (strncmp(own->name, "prior.", strlen("prior.")) == 0)
            CHECK(found && tensor_count(found) == tensor_count(own->tensor) &&
                      memcmp(found->data, own->tensor->data, (size_t)tensor_count(found) * sizeof *found->data) == 0,
                  err, RSD_ERR_MODEL, "%s: not the model that the run began from: its %s is another", path, own->name);
    }
    TRY(keep_prior_of(state, path, err));
fail:
    image_codec_destroy(&from);
    return status;
}

RsdStatus train_state_take_prior(TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err)
{
    ImageCodec *from = NULL;
    RsdStatus status = RSD_OK;

    CHECK(state->image && cfg->train.frozen == FROZEN_PRIOR, err, RSD_ERR_ARG,
          "%s: the prior of another model is for pictures whose prior is left as it is: train.freeze = prior", path);
    TRY(image_codec_load_named(&from, path, IMAGE_USE_ALL, err));
    for (size_t i = 0; i < state->params->n_items; i++) {
        const Param *own = &state->params->items[i];
        const Tensor *found = params_find(from->params, own->name);

        if (strncmp(own->name, "prior.", strlen("prior.")) != 0)
            continue;
        CHECK(found && tensor_count(found) == tensor_count(own->tensor), err, RSD_ERR_MODEL,
              "%s: its prior has other sizes than the configuration's: %s", path, own->name);
        memcpy(own->tensor->data, found->data, (size_t)tensor_count(found) * sizeof *found->data);
    }
    TRY(keep_prior_of(state, path, err));
fail:
    image_codec_destroy(&from);
    return status;
}

/* A picture codec from a model file: the prior is in it as integers, which say nearly the same as the float weights did. */
static RsdStatus load_picture_model(TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err)
{
    ImageCodec *from = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_codec_load_named(&from, path, IMAGE_USE_ALL, err));
    memcpy(from->config.name, cfg->picture.model.name, sizeof from->config.name);
    from->config.heads = cfg->picture.model.heads; /* heads that it lacks keep their first weights */
    if (!from->config.steps)
        from->config.steps = cfg->picture.model.steps; /* they begin as those of 1 */
    from->config.codebook_decay = state->image->config.codebook_decay; /* of training alone */
    from->config.dead_below = state->image->config.dead_below;
    CHECK(!memcmp(&from->config, &state->image->config, sizeof from->config), err, RSD_ERR_MODEL,
          "%s: a model of other sizes than the configuration's", path);
    for (size_t i = 0; i < state->params->n_items; i++) {
        Tensor *to = state->params->items[i].tensor, *found = params_find(from->params, state->params->items[i].name);

        if (found)
            memcpy(to->data, found->data, (size_t)tensor_count(to) * sizeof *to->data);
    }
    if (state->image->rvq)
        rvq_refresh(state->image->rvq);
    if (train_state_keeps_prior(state, cfg))
        TRY(keep_prior_of(state, path, err));
    if (train_state_keeps_coding(state, cfg))
        TRY(model_bases_follow(&state->image->bases, &from->bases, from->hash, from->config.name, err));
fail:
    image_codec_destroy(&from);
    return status;
}

/* Streams of the model of this file stay valid. */
static RsdStatus follow_audio_model(TrainState *state, const TrainConfig *cfg, const Safetensors *st, const char *path, RsdError *err)
{
    uint8_t hash[MODEL_HASH_SIZE];
    ModelBases bases;
    RsdStatus status = RSD_OK;

    TRY(model_bases_read(&bases, st, err));
    TRY(hash_audio_model(hash, path, err));
    TRY(model_bases_follow(&state->codec->bases, &bases, hash, cfg->model.name, err));
fail:
    return status;
}

/* The configuration has some keys once for all quantisers, and keys of those that the model does not have. */
static void take_unsaid(AudioCodecConfig *found, const AudioCodecConfig *from)
{
    if (found->quantizer == AUDIO_RVQ) {
        found->projected_rvq = from->projected_rvq;
        return;
    }
    found->rvq.n_q = found->projected_rvq.n_q;
    found->rvq.codebook_size = found->quantizer == AUDIO_PROJECTED ? found->projected_rvq.codebook_size : from->rvq.codebook_size;
    if (found->quantizer != AUDIO_FSQ) {
        found->projected_rvq.n_levels = from->projected_rvq.n_levels;
        memcpy(found->projected_rvq.levels, from->projected_rvq.levels, sizeof found->projected_rvq.levels);
    }
}

RsdStatus train_state_load_model(TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err)
{
    AudioCodecConfig found;
    TrainConfig *other = NULL;
    Safetensors *st = NULL;
    char key[64];
    RsdStatus status = RSD_OK;

    if (state->image)
        return load_picture_model(state, cfg, path, err);
    TRY(open_model(&st, BUILTIN_AUDIO, path, err));
    TRY(audio_codec_read_config(&found, st, err));
    /* Its name and the way its codebooks were moved are no part of the architecture. */
    memcpy(found.name, cfg->model.name, sizeof found.name);
    found.rvq.ema_decay = cfg->model.rvq.ema_decay;
    found.rvq.dead_below = cfg->model.rvq.dead_below;
    take_unsaid(&found, &cfg->model);
    TRY(mem_alloc(&other, 1, sizeof *other, err));
    *other = *cfg;
    other->model = found;
    CHECK(!train_config_difference(cfg, other, "model", key), err, RSD_ERR_MODEL,
          "%s: a model with another %s than the configuration", path, key);
    TRY(params_load(state->codec->params, st, "", err));
    if (cfg->train.adapter_rank > 0) /* an adapter's file names the model that it belongs to */
        TRY(hash_audio_model(state->codec->hash, path, err));
    else if (train_state_keeps_coding(state, cfg))
        TRY(follow_audio_model(state, cfg, st, path, err));
    audio_codec_refresh_codes(state->codec); /* moving averages that the file has not start anew */
    optimizer_take_masters(state->optimizer, false);
fail:
    mem_free(&other);
    safetensors_close(&st);
    return status;
}
