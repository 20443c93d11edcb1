/* checkpoint.c - the state of a run to and from a file, and the files of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/weights/safetensors.h"

static const char *const KINDS[] = {"audio-codec-checkpoint", "image-codec-checkpoint"}; /* by TrainKind */
#define VERSION 1
#define NAME_FORMAT "checkpoint-%09" PRId64 ".safetensors"

/* ---- the model under an adapter ---- */

#define BASE_KEY "adapter.base"

static RsdStatus put_base(SafetensorsWriter *writer, const uint8_t hash[MODEL_HASH_SIZE], RsdError *err)
{
    char text[MODEL_HASH_TEXT_SIZE];

    model_hash_print(text, hash);
    return safetensors_writer_metadata(writer, BASE_KEY, text, err);
}

static RsdStatus get_base(uint8_t hash[MODEL_HASH_SIZE], const Safetensors *st, const char *path, RsdError *err)
{
    const char *text = safetensors_metadata(st, BASE_KEY);

    if (!text || strlen(text) != MODEL_HASH_TEXT_SIZE - 1 || !model_hash_parse(hash, text))
        return error_set(err, RSD_ERR_MODEL, "%s: was trained without an adapter; train.adapter_rank needs a run of its own with --init",
                         path);
    return RSD_OK;
}

/* ---- names of critics ---- */

#define CRITIC_KEY_SIZE 48

/* "critic.updates" of the first set, "critic.1.updates" of the next. */
static const char *critic_key(char key[CRITIC_KEY_SIZE], int set, const char *name)
{
    if (set)
        snprintf(key, CRITIC_KEY_SIZE, "critic.%d.%s", set, name);
    else
        snprintf(key, CRITIC_KEY_SIZE, "critic.%s", name);
    return key;
}

/* ---- saving ---- */

/* What the balancer keeps, one number per loss. */
static const struct {
    const char *name;
    size_t at;
} BALANCER_ARRAYS[] = {
    {"balancer.total", offsetof(Balancer, total)},
    {"balancer.count", offsetof(Balancer, count)},
    {"balancer.value_total", offsetof(Balancer, value_total)},
    {"balancer.value_count", offsetof(Balancer, value_count)},
    {"balancer.first_value", offsetof(Balancer, first_value)},
    {"balancer.log_variance", offsetof(Balancer, log_variance)},
};
#define N_BALANCER_ARRAYS (sizeof BALANCER_ARRAYS / sizeof *BALANCER_ARRAYS)

/* A picture codec without critics adds up its losses. */
static bool keeps_balancer(const TrainState *state)
{
    return state->codec || state->adversary;
}

static RsdStatus put_int(SafetensorsWriter *writer, const char *key, int64_t value, RsdError *err)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, value);
    return safetensors_writer_metadata(writer, key, text, err);
}

/* An optimiser's arrays as PREFIX.m and so on, its count of updates as the metadata KEY. */
static RsdStatus put_optimizer(SafetensorsWriter *writer, const Optimizer *opt, const char *prefix, const char *key,
                               RsdError *err)
{
    const struct {
        const char *name;
        const float *data;
    } arrays[] = {{"m", opt->m}, {"v", opt->v}, {"average", opt->average}, {"master", opt->master}};
    RsdStatus status = RSD_OK;

    TRY(put_int(writer, key, opt->n_updates, err));
    if (opt->config.kind == OPTIMIZER_MOMO) {
        char name[64], text[64];

        snprintf(name, sizeof name, "%s.momo", prefix);
        snprintf(text, sizeof text, "%a %a", opt->momo.loss, opt->momo.product);
        TRY(safetensors_writer_metadata(writer, name, text, err));
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && arrays[i].data; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s.%s", prefix, arrays[i].name);
        TRY(safetensors_writer_f32(writer, name, 1, &opt->n_elements, arrays[i].data, DTYPE_F32, err));
    }
fail:
    return status;
}

RsdStatus checkpoint_save(const TrainState *state, const TrainConfig *cfg, const char *path, RsdError *err)
{
    SafetensorsWriter *writer = NULL;
    int64_t n_losses = state->balancer.config.n_losses;
    char *config_text = NULL, best[40];
    char key[CRITIC_KEY_SIZE], updates[CRITIC_KEY_SIZE];
    RsdStatus status = RSD_OK;

    TRY(train_config_print(&config_text, cfg, false, err));
    TRY(safetensors_writer_create(&writer, err));
    TRY(safetensors_writer_metadata(writer, "residua.kind", KINDS[cfg->kind], err));
    TRY(put_int(writer, "residua.version", VERSION, err));
    TRY(put_int(writer, "train.step", state->step, err));
    TRY(put_int(writer, "train.best_step", state->best_step, err));
    snprintf(best, sizeof best, "%a", state->best_score);
    TRY(safetensors_writer_metadata(writer, "train.best_score", best, err));
    snprintf(best, sizeof best, "%a", state->norm_total);
    TRY(safetensors_writer_metadata(writer, "train.norm_total", best, err));
    snprintf(best, sizeof best, "%a", state->norm_count);
    TRY(safetensors_writer_metadata(writer, "train.norm_count", best, err));
    if (state->loss_scale.is_used) {
        snprintf(best, sizeof best, "%a %d", (double)state->loss_scale.value, state->loss_scale.n_steps);
        TRY(safetensors_writer_metadata(writer, "train.loss_scale", best, err));
    }
    TRY(put_int(writer, "data.fingerprint", state->data_fingerprint, err));
    TRY(safetensors_writer_metadata(writer, "config", config_text, err));
    if (cfg->train.adapter_rank > 0)
        TRY(put_base(writer, state->codec->hash, err));
    TRY(model_bases_write(state->codec ? &state->codec->bases : &state->image->bases, writer, err));
    TRY(params_save(state->params, writer, "model.", DTYPE_F32, err));
    if (state->image && state->image->keeps_prior)
        TRY(image_codec_write_prior(state->image, writer, err));
    TRY(put_optimizer(writer, state->optimizer, "optim", "train.updates", err));
    for (int i = 0; state->adversary && i < state->adversary->n_sets; i++) {
        TRY(params_save(state->adversary->sets[i].params, writer, critic_key(key, i, ""), DTYPE_F32, err));
        TRY(put_optimizer(writer, state->adversary->sets[i].optimizer, critic_key(key, i, "optim"), critic_key(updates, i, "updates"), err));
    }
    if (state->exchange)
        TRY(exchange_save(state->exchange, writer, err));
    for (size_t i = 0; i < N_BALANCER_ARRAYS && keeps_balancer(state); i++)
        TRY(safetensors_writer_raw(writer, BALANCER_ARRAYS[i].name, DTYPE_F64, 1, &n_losses,
                                   (const char *)&state->balancer + BALANCER_ARRAYS[i].at, err));
    TRY(safetensors_writer_finish(writer, path, err));
fail:
    safetensors_writer_destroy(&writer);
    mem_free(&config_text);
    return status;
}

/* ---- loading ---- */

static RsdStatus get_text(const char **value, const Safetensors *st, const char *path, const char *key, RsdError *err)
{
    *value = safetensors_metadata(st, key);
    if (!*value)
        return error_set(err, RSD_ERR_CORRUPT, "%s: the metadata lack '%s'", path, key);
    return RSD_OK;
}

static RsdStatus get_int(int64_t *value, const Safetensors *st, const char *path, const char *key, RsdError *err)
{
    const char *text;
    char *end;
    RsdStatus status = RSD_OK;

    TRY(get_text(&text, st, path, key, err));
    errno = 0;
    *value = strtoll(text, &end, 10);
    CHECK(end != text && !*end && !errno && *value >= 0, err, RSD_ERR_CORRUPT, "%s: %s is '%.40s', not a number", path,
          key, text);
fail:
    return status;
}

static RsdStatus get_floats(float *dst, int64_t count, const Safetensors *st, const char *path, const char *name,
                            RsdError *err)
{
    const SafetensorsEntry *entry = safetensors_find(st, name);

    if (!entry || entry->dtype != DTYPE_F32)
        return error_set(err, RSD_ERR_CORRUPT, "%s: there is no float32 array '%s'", path, name);
    return safetensors_read_f32(st, entry, dst, count, err);
}

static RsdStatus get_doubles(double *dst, int64_t count, const Safetensors *st, const char *path, const char *name,
                             RsdError *err)
{
    const SafetensorsEntry *entry = safetensors_find(st, name);

    if (!entry || entry->dtype != DTYPE_F64 || entry->size != (size_t)count * sizeof *dst)
        return error_set(err, RSD_ERR_CORRUPT, "%s: there is no array '%s' of %" PRId64 " doubles", path, name, count);
    memcpy(dst, entry->data, entry->size);
    return RSD_OK;
}

/* The keys of [picture] that describe the network; the others may change. */
static bool picture_differs(const TrainConfig *cfg, const TrainConfig *was, char key[64])
{
    TrainConfig *other;
    bool differs;

    if (cfg->kind != TRAIN_PICTURE || mem_alloc(&other, 1, sizeof *other, NULL) != RSD_OK)
        return false;
    *other = *cfg;
    other->picture.model = was->picture.model;
    differs = train_config_difference(cfg, other, "picture", key) != NULL;
    mem_free(&other);
    return differs;
}

static RsdStatus check_same_model(const TrainConfig *cfg, const TrainConfig *was, const char *path, RsdError *err)
{
    char key[64];

    if (train_config_difference(cfg, was, "model", key) || picture_differs(cfg, was, key))
        return error_set(
            err, RSD_ERR_MODEL,
            "%s: belongs to a model with another %s than the configuration; go on with the old configuration, or "
            "train into another --out folder",
            path, key);
    return RSD_OK;
}

static RsdStatus get_optimizer(Optimizer *opt, const Safetensors *st, const char *path, const char *prefix,
                               const char *key, RsdError *err)
{
    const struct {
        const char *name;
        float *data;
    } arrays[] = {{"m", opt->m}, {"v", opt->v}, {"average", opt->average}};
    char momo[64];
    const char *text;
    RsdStatus status = RSD_OK;

    TRY(get_int(&opt->n_updates, st, path, key, err));
    snprintf(momo, sizeof momo, "%s.momo", prefix);
    text = safetensors_metadata(st, momo); /* another optimiser has none: the averages start anew */
    if (text)
        CHECK(sscanf(text, "%la %la", &opt->momo.loss, &opt->momo.product) == 2 && isfinite(opt->momo.loss) &&
                  isfinite(opt->momo.product), err, RSD_ERR_CORRUPT, "%s: %s is '%.40s', not two numbers", path, momo, text);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s.%s", prefix, arrays[i].name);
        TRY(get_floats(arrays[i].data, opt->n_elements, st, path, name, err));
    }
    if (opt->master) { /* a run may go over to 16-bit weights */
        char name[64];
        bool known;

        snprintf(name, sizeof name, "%s.master", prefix);
        known = safetensors_find(st, name) != NULL;
        if (known)
            TRY(get_floats(opt->master, opt->n_elements, st, path, name, err));
        optimizer_take_masters(opt, known);
    }
fail:
    return status;
}

/* A factor between 1 and the largest; older checkpoints have none. */
static RsdStatus load_loss_scale(LossScale *scale, const Safetensors *st, const char *path, RsdError *err)
{
    const char *text = safetensors_metadata(st, "train.loss_scale");
    float value;
    int n_steps;

    if (!text || !scale->is_used)
        return RSD_OK;
    if (sscanf(text, "%a %d", &value, &n_steps) != 2 || !(value >= 1.0f && value <= LOSS_SCALE_MOST) || n_steps < 0 ||
        n_steps > LOSS_SCALE_GROWS_AFTER)
        return error_set(err, RSD_ERR_CORRUPT, "%s: train.loss_scale is '%.40s', expected 1 to %g and a number of steps", path, text,
                         (double)LOSS_SCALE_MOST);
    scale->value = value;
    scale->n_steps = n_steps;
    return RSD_OK;
}

/* All sets of critics; *found: whether the file has such. */
static RsdStatus load_critics(Adversary *adversary, bool *found, const Safetensors *st, const char *path, RsdError *err)
{
    char key[CRITIC_KEY_SIZE], updates[CRITIC_KEY_SIZE];
    RsdError reason = {0};
    RsdStatus status = RSD_OK;

    *found = false;
    for (int i = 0; i < adversary->n_sets; i++) {
        const CriticSet *set = &adversary->sets[i];
        /* Where all rates had the same critics, those of each rate go on as they. */
        const int from = safetensors_metadata(st, critic_key(key, i, "updates")) ? i : 0;

        status = params_load(set->params, st, critic_key(key, from, ""), &reason);
        if (status == RSD_ERR_CORRUPT)
            return RSD_OK;
        if (status != RSD_OK && err)
            *err = reason;
        TRY(status);
        TRY(get_optimizer(set->optimizer, st, path, critic_key(key, from, "optim"), critic_key(updates, from, "updates"), err));
        if (set->kinds)
            rvq_refresh(set->kinds);
    }
    *found = true;
fail:
    return status;
}

/* A run may get its adversary, or another one, in the middle. What a file has of critics is taken as a whole or not at all: those of
 * the state wait until all sets have been read. */
static RsdStatus load_adversary(TrainState *state, const TrainConfig *cfg, const Safetensors *st, const char *path, RsdError *err)
{
    Adversary *read = NULL, *unread;
    bool found;
    RsdStatus status = RSD_OK;

    if (!state->adversary)
        return RSD_OK;
    if (!safetensors_metadata(st, "critic.updates")) {
        log_note(LOG_INFO, "%s: was trained without an adversary; the critics start anew", path);
        return RSD_OK;
    }
    TRY(adversary_create(&read, &cfg->adversary, (uint64_t)cfg->train.seed, state->optimizer->kernels, err));
    TRY(adversary_join(read, state->adversary->group, err));
    TRY(load_critics(read, &found, st, path, err));
    if (found) {
        unread = state->adversary;
        state->adversary = read;
        read = unread;
    } else {
        log_note(LOG_WARNING, "%s: was trained with other critics; they start anew", path);
    }
fail:
    adversary_destroy(&read);
    return status;
}

/* What was held back belongs to the processes that did so. */
static RsdStatus load_exchange(TrainState *state, const Safetensors *st, const char *path, RsdError *err)
{
    bool found;
    RsdStatus status = RSD_OK;

    if (!state->exchange)
        return RSD_OK;
    status = exchange_load(state->exchange, st, &found, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "%s", path);
    if (!found)
        log_note(LOG_WARNING, "%s: has nothing that these processes held back of their gradients (train.exchange); they start without",
                 path);
    return RSD_OK;
}

/* The balancer's averages belong to losses by name; those of a new loss start anew. */
static RsdStatus load_balancer(TrainState *state, const TrainConfig *cfg, const TrainConfig *was, const Safetensors *st,
                               const char *path, RsdError *err)
{
    int n = train_config_n_terms(cfg), n_was = train_config_n_terms(was), n_found = 0;
    RsdStatus status = RSD_OK;

    CHECK(n_was <= BALANCER_MAX_LOSSES, err, RSD_ERR_CORRUPT, "%s: was trained with %d losses", path, n_was);
    for (size_t k = 0; k < N_BALANCER_ARRAYS; k++) {
        double old[BALANCER_MAX_LOSSES] = {0}, *now = (double *)((char *)&state->balancer + BALANCER_ARRAYS[k].at);

        /* Checkpoints from before there were several kinds of balancing hold the first two only. */
        if (k < 2 || safetensors_find(st, BALANCER_ARRAYS[k].name))
            TRY(get_doubles(old, n_was, st, path, BALANCER_ARRAYS[k].name, err));
        memset(now, 0, BALANCER_MAX_LOSSES * sizeof *now);
        n_found = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n_was; j++)
                if (!strcmp(train_config_term_name(cfg, i), train_config_term_name(was, j))) {
                    now[i] = old[j];
                    n_found++;
                }
    }
    if (n_found < n)
        log_note(LOG_WARNING, "%s: was trained with other losses; the balancer starts anew with %d of them", path,
                 n - n_found);
fail:
    return status;
}

/* The optimiser's arrays are those of what moves. */
static RsdStatus check_frozen(const TrainState *state, const TrainConfig *cfg, const TrainConfig *was, const Safetensors *st,
                              const char *path, RsdError *err)
{
    const SafetensorsEntry *m = safetensors_find(st, "optim.m");

    if (cfg->train.frozen != was->train.frozen && m && m->size != (size_t)state->optimizer->n_elements * sizeof(float))
        return error_set(err, RSD_ERR_MODEL, "%s: was trained with another train.freeze than the configuration's; train into another --out "
                                             "folder with --init", path);
    return RSD_OK;
}

/* Older checkpoints have no integers of a prior. */
static bool holds_prior(const ImageCodec *codec, const Safetensors *st)
{
    return safetensors_find(st, codec->config.quantizer != IMAGE_SCALAR ? "rvq.0.embed_q" : "prior.z_weight") != NULL;
}

RsdStatus checkpoint_load(TrainState *state, const TrainConfig *cfg, const char *path, TrainConfig *was, RsdError *err)
{
    Safetensors *st = NULL;
    const char *text;
    int64_t version, fingerprint;
    RsdStatus status = RSD_OK;

    TRY(safetensors_open(&st, path, err));
    text = safetensors_metadata(st, "residua.kind");
    CHECK(text && (!strcmp(text, KINDS[0]) || !strcmp(text, KINDS[1])), err, RSD_ERR_CORRUPT,
          "%s: is not a checkpoint of `residua train` (kind %.40s)", path, text ? text : "missing");
    CHECK(!strcmp(text, KINDS[cfg->kind]), err, RSD_ERR_MODEL, "%s: is of kind %s, the configuration's is %s", path, text,
          KINDS[cfg->kind]);
    TRY(get_int(&version, st, path, "residua.version", err));
    CHECK(version == VERSION, err, RSD_ERR_UNSUPPORTED,
          "%s: is a checkpoint of version %" PRId64 ", this program reads %d", path, version, VERSION);
    TRY(get_text(&text, st, path, "config", err));
    train_config_init(was);
    TRY(train_config_parse(was, text, path, err));
    TRY(check_same_model(cfg, was, path, err));
    TRY(get_int(&state->step, st, path, "train.step", err));
    TRY(get_int(&state->best_step, st, path, "train.best_step", err));
    TRY(get_text(&text, st, path, "train.best_score", err));
    state->best_score = strtod(text, NULL);
    text = safetensors_metadata(st, "train.norm_total"); /* older checkpoints have none: the average starts anew */
    state->norm_total = text ? strtod(text, NULL) : 0.0;
    text = safetensors_metadata(st, "train.norm_count");
    state->norm_count = text ? strtod(text, NULL) : 0.0;
    TRY(get_int(&fingerprint, st, path, "data.fingerprint", err));
    state->data_fingerprint = (uint32_t)fingerprint;
    CHECK(cfg->train.adapter_rank == was->train.adapter_rank, err, RSD_ERR_MODEL,
          "%s: was trained with train.adapter_rank = %d, and the configuration says %d; train into another --out folder", path,
          was->train.adapter_rank, cfg->train.adapter_rank);
    if (cfg->train.adapter_rank > 0)
        TRY(get_base(state->codec->hash, st, path, err));
    if (train_state_keeps_coding(state, cfg))
        TRY(model_bases_read(state->codec ? &state->codec->bases : &state->image->bases, st, err));
    TRY(params_load(state->params, st, "model.", err));
    if (train_state_keeps_prior(state, cfg) && holds_prior(state->image, st))
        TRY(image_codec_keep_prior(state->image, st, err));
    TRY(check_frozen(state, cfg, was, st, path, err));
    TRY(get_optimizer(state->optimizer, st, path, "optim", "train.updates", err));
    TRY(load_exchange(state, st, path, err));
    TRY(load_loss_scale(&state->loss_scale, st, path, err));
    if (state->image && state->image->rvq)
        rvq_refresh(state->image->rvq);
    if (state->codec)
        audio_codec_refresh_codes(state->codec);
    if (keeps_balancer(state) && (state->codec || safetensors_find(st, BALANCER_ARRAYS[0].name)))
        TRY(load_balancer(state, cfg, was, st, path, err));
    TRY(load_adversary(state, cfg, st, path, err)); /* the last: an earlier checkpoint that is tried next may have none */
fail:
    safetensors_close(&st);
    return status;
}

/* ---- files of a run ---- */

RsdStatus checkpoint_path(char path[CHECKPOINT_PATH_SIZE], const char *run_dir, int64_t step, RsdError *err)
{
    if (snprintf(path, CHECKPOINT_PATH_SIZE, "%s/" NAME_FORMAT, run_dir, step) >= CHECKPOINT_PATH_SIZE)
        return error_set(err, RSD_ERR_ARG, "%.80s...: the path is too long", run_dir);
    return RSD_OK;
}

/* The step in a checkpoint's file name, -1 for any other name. */
static int64_t step_of(const char *name)
{
    char expected[64];
    int64_t step;

    if (sscanf(name, "checkpoint-%" SCNd64, &step) != 1 || step < 0)
        return -1;
    snprintf(expected, sizeof expected, NAME_FORMAT, step);
    return strcmp(name, expected) ? -1 : step;
}

static int compare_descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

RsdStatus checkpoint_list(int64_t **steps, size_t *n_steps, const char *run_dir, RsdError *err)
{
    DIR *dir = opendir(run_dir);
    struct dirent *item;
    size_t capacity = 0;
    RsdStatus status = RSD_OK;

    *steps = NULL;
    *n_steps = 0;
    if (!dir && errno == ENOENT)
        return RSD_OK;
    CHECK(dir, err, RSD_ERR_IO, "%s: cannot read the folder: %s", run_dir, strerror(errno));
    while ((item = readdir(dir))) {
        int64_t step = step_of(item->d_name);

        if (step < 0)
            continue;
        if (*n_steps == capacity) {
            TRY(mem_resize(steps, capacity, capacity ? 2 * capacity : 16, sizeof **steps, err));
            capacity = capacity ? 2 * capacity : 16;
        }
        (*steps)[(*n_steps)++] = step;
    }
    if (*n_steps)
        qsort(*steps, *n_steps, sizeof **steps, compare_descending);
fail:
    if (dir)
        closedir(dir);
    if (status != RSD_OK)
        mem_free(steps);
    return status;
}

RsdStatus checkpoint_load_newest(TrainState *state, const TrainConfig *cfg, const char *run_dir,
                                 char path[CHECKPOINT_PATH_SIZE], TrainConfig *was, RsdError *err)
{
    int64_t *steps = NULL;
    size_t n_steps;
    RsdError reason = {0};
    RsdStatus status = RSD_OK;

    path[0] = '\0';
    TRY(checkpoint_list(&steps, &n_steps, run_dir, err));
    for (size_t i = 0; i < n_steps; i++) {
        TRY(checkpoint_path(path, run_dir, steps[i], err));
        status = checkpoint_load(state, cfg, path, was, &reason);
        if (status != RSD_ERR_CORRUPT && status != RSD_ERR_NUMERIC)
            break;
        log_note(LOG_WARNING, "%s; an earlier checkpoint is tried", reason.text);
    }
    if (status != RSD_OK && err)
        *err = reason;
fail:
    mem_free(&steps);
    return status;
}

RsdStatus checkpoint_prune(const char *run_dir, int keep, RsdError *err)
{
    int64_t *steps = NULL;
    size_t n_steps;
    char path[CHECKPOINT_PATH_SIZE];
    RsdStatus status = RSD_OK;

    TRY(checkpoint_list(&steps, &n_steps, run_dir, err));
    for (size_t i = (size_t)keep; i < n_steps; i++) {
        TRY(checkpoint_path(path, run_dir, steps[i], err));
        if (unlink(path) != 0 && errno != ENOENT)
            log_note(LOG_WARNING, "%s: cannot be removed: %s", path, strerror(errno));
    }
fail:
    mem_free(&steps);
    return status;
}
