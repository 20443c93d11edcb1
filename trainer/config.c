/* config.c - the table of keys, and reading, checking and printing from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/config.h"

#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "losses/audio_loss.h"

typedef enum KeyType {
    KEY_INT,       /* int */
    KEY_INT64,     /* int64_t */
    KEY_FLOAT,     /* float */
    KEY_DOUBLE,    /* double */
    KEY_BOOL,      /* bool: yes/no, true/false, on/off, 1/0 */
    KEY_NAME,      /* char[MODEL_NAME_SIZE]: letters, digits, - and _ */
    KEY_CHOICE,    /* int: place in `choices` */
    KEY_INTS       /* int[high count] with an int count at count_at: comma-separated */
} KeyType;

#define N_CHOICES_MAX 5

typedef struct Key {
    const char *section, *name;
    KeyType type;
    Unit unit;
    double low, high;
    const char *standard; /* default */
    size_t at;            /* offset in TrainConfig */
    const char *help;
    const char *choices[N_CHOICES_MAX];
    size_t count_at;      /* KEY_INTS */
    int max_count;
} Key;

#define AT(field) offsetof(TrainConfig, field)

/* The order is that of the printed configuration. */
static const Key KEYS[] = {
    {"model", "name", KEY_NAME, UNIT_NONE, 0, 0, "speech16", AT(model.name), "name in the model file", {0}, 0, 0},
    {"model", "rate", KEY_INT, UNIT_HZ, 4000, 192000, "16kHz", AT(model.rate_hz), "sample rate", {0}, 0, 0},
    {"model", "channels", KEY_INT, UNIT_NONE, 1, 1, "1", AT(model.seanet.channels), "audio channels", {0}, 0, 0},
    {"model", "base_channels", KEY_INT, UNIT_NONE, 1, 512, "16", AT(model.seanet.base_channels), "feature channels at the signal's rate; doubled at each stage", {0}, 0, 0},
    {"model", "ratios", KEY_INTS, UNIT_NONE, 1, 64, "8,5,4,2", AT(model.seanet.ratios), "strides in decoder order; their product is the hop", {0}, AT(model.seanet.n_ratios), SEANET_MAX_STAGES},
    {"model", "latent_dim", KEY_INT, UNIT_NONE, 1, 4096, "64", AT(model.seanet.latent_dim), "dimension of what is quantised", {0}, 0, 0},
    {"model", "kernel", KEY_INT, UNIT_NONE, 1, 127, "7", AT(model.seanet.kernel), "width of the first convolution", {0}, 0, 0},
    {"model", "last_kernel", KEY_INT, UNIT_NONE, 1, 127, "7", AT(model.seanet.last_kernel), "width of the last convolution", {0}, 0, 0},
    {"model", "residual_kernel", KEY_INT, UNIT_NONE, 1, 127, "3", AT(model.seanet.residual_kernel), "width inside residual units", {0}, 0, 0},
    {"model", "residual_units", KEY_INT, UNIT_NONE, 1, 8, "1", AT(model.seanet.n_residual), "residual units per stage", {0}, 0, 0},
    {"model", "dilation_base", KEY_INT, UNIT_NONE, 1, 8, "2", AT(model.seanet.dilation_base), "residual unit j has dilation base^j", {0}, 0, 0},
    {"model", "compress", KEY_INT, UNIT_NONE, 1, 16, "2", AT(model.seanet.compress), "residual units have this many times fewer channels inside", {0}, 0, 0},
    {"model", "lstm_layers", KEY_INT, UNIT_NONE, 0, 8, "0", AT(model.seanet.n_lstm), "LSTM layers in the middle", {0}, 0, 0},
    {"model", "causal", KEY_BOOL, UNIT_NONE, 0, 1, "yes", AT(model.seanet.causal), "no look-ahead: the model can stream", {0}, 0, 0},
    {"model", "true_skip", KEY_BOOL, UNIT_NONE, 0, 1, "yes", AT(model.seanet.true_skip), "residual units add their input as it is", {0}, 0, 0},
    {"model", "padding", KEY_CHOICE, UNIT_NONE, 0, 0, "zero", AT(model.seanet.pad), "what lies beyond the ends", {"zero", "reflect"}, 0, 0},
    {"model", "norm", KEY_CHOICE, UNIT_NONE, 0, 0, "weight", AT(model.seanet.norm), "normalisation of convolutions", {"none", "weight", "group"}, 0, 0},
    {"model", "codebooks", KEY_INT, UNIT_NONE, 1, RVQ_MAX_STAGES, "12", AT(model.rvq.n_q), "quantiser stages", {0}, 0, 0},
    {"model", "codebook_size", KEY_INT, UNIT_NONE, 2, 65536, "1024", AT(model.rvq.codebook_size), "entries per codebook, a power of two", {0}, 0, 0},
    {"model", "codebook_decay", KEY_FLOAT, UNIT_NONE, 0, 0.99999, "0.99", AT(model.rvq.ema_decay), "decay of the codebooks' moving averages", {0}, 0, 0},
    {"model", "dead_below", KEY_FLOAT, UNIT_NONE, 0, 1, "0.1", AT(model.rvq.dead_below), "an entry used less than this share of its fair part is drawn anew", {0}, 0, 0},

    {"data", "batch", KEY_INT, UNIT_NONE, 1, 4096, "16", AT(data.batch), "crops per step", {0}, 0, 0},
    {"data", "segment", KEY_DOUBLE, UNIT_SECONDS, 0.01, 60, "1s", AT(data.segment_s), "length of a crop, rounded to whole frames", {0}, 0, 0},
    {"data", "min_level", KEY_FLOAT, UNIT_DB, -200, 0, "-50dB", AT(data.min_level_db), "quieter crops are drawn again, 8 times at most", {0}, 0, 0},
    {"data", "cache", KEY_INT64, UNIT_BYTES, 0, 0x1p40, "1GiB", AT(data.cache_size), "memory for decoded recordings; beyond it files are decoded each time", {0}, 0, 0},
    {"data", "max_broken", KEY_INT, UNIT_NONE, 0, 1e9, "100", AT(data.max_broken), "recordings that may prove broken before the run stops", {0}, 0, 0},
    {"data", "workers", KEY_INT, UNIT_NONE, 0, 64, "1", AT(data.workers), "threads that prepare crops; 0 prepares them between steps", {0}, 0, 0},
    {"data", "prefetch", KEY_INT, UNIT_NONE, 1, 64, "4", AT(data.prefetch), "batches prepared ahead", {0}, 0, 0},
    {"data", "valid_every", KEY_INT, UNIT_NONE, 0, 1e6, "50", AT(data.valid_every), "every k-th file is held out for validation; 0 holds none out", {0}, 0, 0},
    {"data", "valid_clips", KEY_INT, UNIT_NONE, 1, 10000, "24", AT(data.valid_clips), "clips in a validation", {0}, 0, 0},
    {"data", "valid_clip", KEY_DOUBLE, UNIT_SECONDS, 0.1, 60, "3s", AT(data.valid_clip_s), "length of these clips", {0}, 0, 0},
    {"data", "level_low", KEY_FLOAT, UNIT_DB, -100, 0, "-30dB", AT(data.augment.level_low_db), "crops are brought to a random level from here", {0}, 0, 0},
    {"data", "level_high", KEY_FLOAT, UNIT_DB, -100, 0, "-16dB", AT(data.augment.level_high_db), "to here", {0}, 0, 0},
    {"data", "max_gain", KEY_FLOAT, UNIT_DB, 0, 100, "24dB", AT(data.augment.max_gain_db), "but amplified by no more than this", {0}, 0, 0},
    {"data", "mix", KEY_FLOAT, UNIT_NONE, 0, 1, "0.2", AT(data.augment.mix_probability), "probability that two crops are added", {0}, 0, 0},
    {"data", "mix_low", KEY_FLOAT, UNIT_DB, -100, 0, "-12dB", AT(data.augment.mix_low_db), "level of the second against the first, from here to 0 dB", {0}, 0, 0},
    {"data", "polarity", KEY_FLOAT, UNIT_NONE, 0, 1, "0.5", AT(data.augment.polarity_probability), "probability of a flipped sign", {0}, 0, 0},
    {"data", "phase", KEY_FLOAT, UNIT_NONE, 0, 1, "0.2", AT(data.augment.phase_probability), "probability of random all-pass filters", {0}, 0, 0},
    {"data", "tilt", KEY_FLOAT, UNIT_DB, 0, 24, "3dB", AT(data.augment.tilt_db), "random treble against bass, up to +- this", {0}, 0, 0},
    {"data", "dither", KEY_FLOAT, UNIT_DB, -300, 0, "-90dB", AT(data.augment.dither_db), "level of added noise; below -140 dB there is none", {0}, 0, 0},

    {"train", "steps", KEY_INT64, UNIT_NONE, 1, 1e12, "100000", AT(train.steps), "steps in all", {0}, 0, 0},
    {"train", "seed", KEY_INT64, UNIT_NONE, 0, 0x1p53, "1", AT(train.seed), "of all random choices", {0}, 0, 0},
    {"train", "stages", KEY_CHOICE, UNIT_NONE, 0, 0, "mixed", AT(train.stages), "quantiser stages of a step: all, uniform 1..codebooks, those of the rates, or half uniform and half rates", {"all", "uniform", "rates", "mixed"}, 0, 0},
    {"train", "rates", KEY_INTS, UNIT_BITRATE, 1, 1e9, "1.5k,3k,6k", AT(train.rates_bps), "target bitrates: weighted in training, reported in validation", {0}, AT(train.n_rates), TRAIN_MAX_RATES},
    {"train", "kmeans_batches", KEY_INT, UNIT_NONE, 1, 1000, "8", AT(train.kmeans_batches), "batches from which the first codebooks are made", {0}, 0, 0},
    {"train", "max_bad_steps", KEY_INT, UNIT_NONE, 0, 1000, "3", AT(train.max_bad_steps), "steps in a row that may be skipped because a gradient is not finite", {0}, 0, 0},
    {"train", "log_every", KEY_INT, UNIT_NONE, 1, 1e6, "20", AT(train.log_every), "steps per line of the log", {0}, 0, 0},
    {"train", "valid_steps", KEY_INT, UNIT_NONE, 0, 1e9, "1000", AT(train.valid_steps), "steps between validations; 0 goes by time alone", {0}, 0, 0},
    {"train", "valid_period", KEY_DOUBLE, UNIT_SECONDS, 0, 1e7, "0s", AT(train.valid_period_s), "time between validations; 0 goes by steps alone", {0}, 0, 0},
    {"train", "checkpoint_steps", KEY_INT, UNIT_NONE, 0, 1e9, "0", AT(train.checkpoint_steps), "steps between checkpoints; 0 goes by time alone", {0}, 0, 0},
    {"train", "checkpoint_period", KEY_DOUBLE, UNIT_SECONDS, 0, 1e7, "5m", AT(train.checkpoint_period_s), "time between checkpoints; 0 goes by steps alone", {0}, 0, 0},
    {"train", "keep", KEY_INT, UNIT_NONE, 1, 1000, "3", AT(train.keep), "latest checkpoints that are kept, beside the best one", {0}, 0, 0},
    {"train", "time_limit", KEY_DOUBLE, UNIT_SECONDS, 0, 1e8, "0s", AT(train.time_limit_s), "saves and ends after this time; 0 is no limit", {0}, 0, 0},

    {"loss", "commitment", KEY_FLOAT, UNIT_NONE, 0, 1e6, "1", AT(loss.commitment), "weight of the commitment loss, outside the balancer", {0}, 0, 0},
    {"loss", "balance", KEY_BOOL, UNIT_NONE, 0, 1, "yes", AT(loss.balance), "each loss gets its weight's share of the gradient, whatever its scale", {0}, 0, 0},
    {"loss", "balance_decay", KEY_FLOAT, UNIT_NONE, 0, 0.99999, "0.999", AT(loss.balance_decay), "decay of the balancer's averages", {0}, 0, 0},
    {"loss", "balance_norm", KEY_FLOAT, UNIT_NONE, 1e-9, 1e9, "1", AT(loss.balance_norm), "norm of the balanced gradient", {0}, 0, 0},
    {"loss", "balance_per_item", KEY_BOOL, UNIT_NONE, 0, 1, "yes", AT(loss.balance_per_item), "the balancer takes norms per crop", {0}, 0, 0},

    {"optim", "method", KEY_CHOICE, UNIT_NONE, 0, 0, "adam", AT(optimizer.kind), "adam or adamw (decoupled weight decay)", {"adam", "adamw"}, 0, 0},
    {"optim", "lr", KEY_FLOAT, UNIT_NONE, 0, 10, "0.0005", AT(schedule.lr), "highest learning rate", {0}, 0, 0},
    {"optim", "lr_final", KEY_FLOAT, UNIT_NONE, 0, 10, "0.0001", AT(schedule.lr_final), "learning rate of the last step (cosine, hold)", {0}, 0, 0},
    {"optim", "schedule", KEY_CHOICE, UNIT_NONE, 0, 0, "cosine", AT(schedule.kind), "constant, cosine, or hold and fall over the last decay_steps", {"constant", "cosine", "hold"}, 0, 0},
    {"optim", "warmup", KEY_INT64, UNIT_NONE, 0, 1e9, "500", AT(schedule.warmup_steps), "steps of linear rise at the start", {0}, 0, 0},
    {"optim", "decay_steps", KEY_INT64, UNIT_NONE, 0, 1e12, "5000", AT(schedule.decay_steps), "steps of the fall with schedule = hold", {0}, 0, 0},
    {"optim", "beta1", KEY_FLOAT, UNIT_NONE, 0, 0.99999, "0.8", AT(optimizer.beta1), "decay of the mean gradient", {0}, 0, 0},
    {"optim", "beta2", KEY_FLOAT, UNIT_NONE, 0, 0.99999, "0.99", AT(optimizer.beta2), "decay of the mean squared gradient", {0}, 0, 0},
    {"optim", "epsilon", KEY_FLOAT, UNIT_NONE, 1e-30, 1, "1e-08", AT(optimizer.epsilon), "keeps the division finite", {0}, 0, 0},
    {"optim", "weight_decay", KEY_FLOAT, UNIT_NONE, 0, 10, "0", AT(optimizer.weight_decay), "pull of weights towards zero", {0}, 0, 0},
    {"optim", "clip", KEY_FLOAT, UNIT_NONE, 0, 1e9, "5", AT(optimizer.clip_norm), "gradients are scaled down to this norm; 0 is off", {0}, 0, 0},
    {"optim", "ema", KEY_FLOAT, UNIT_NONE, 0, 0.999999, "0.999", AT(optimizer.ema_decay), "decay of the averaged weights, which are validated and exported; 0 is off", {0}, 0, 0},
};
#define N_KEYS (sizeof KEYS / sizeof *KEYS)

static const char *const SECTIONS[] = {"model", "data", "train", "loss", "optim"};
#define N_SECTIONS (sizeof SECTIONS / sizeof *SECTIONS)

/* ---- one value ---- */

static RsdStatus parse_bool(bool *out, const char *text, RsdError *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) {
            *out = i % 2 == 1;
            return RSD_OK;
        }
    return error_set(err, RSD_ERR_ARG, "'%.60s' is neither yes nor no", text);
}

static RsdStatus parse_number(double *out, const char *text, const Key *key, bool whole, RsdError *err)
{
    char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(text_parse_quantity(out, text, key->unit, err));
    CHECK(*out >= key->low && *out <= key->high, err, RSD_ERR_ARG, "%.60s is out of range; %s to %s are possible", text,
          text_print_quantity(low, key->low, key->unit), text_print_quantity(high, key->high, key->unit));
    CHECK(!whole || *out == floor(*out), err, RSD_ERR_ARG, "%.60s is not a whole number", text);
fail:
    return status;
}

static RsdStatus parse_ints(TrainConfig *cfg, const Key *key, const char *text, RsdError *err)
{
    int values[16], n = 0, *dst = (int *)((char *)cfg + key->at);
    const char *at = text;
    RsdStatus status = RSD_OK;

    for (;;) {
        char item[64];
        size_t len = strcspn(at, ",");
        double value;

        CHECK(n < key->max_count, err, RSD_ERR_ARG, "'%.60s' has more than %d numbers", text, key->max_count);
        CHECK(len < sizeof item, err, RSD_ERR_ARG, "'%.60s' is not a list of numbers", text);
        memcpy(item, at, len);
        item[len] = '\0';
        TRY(parse_number(&value, item, key, true, err));
        values[n++] = (int)value;
        if (!at[len])
            break;
        at += len + 1;
    }
    memset(dst, 0, (size_t)key->max_count * sizeof *dst);
    memcpy(dst, values, (size_t)n * sizeof *dst);
    *(int *)((char *)cfg + key->count_at) = n;
fail:
    return status;
}

static RsdStatus parse_choice(int *out, const Key *key, const char *text, RsdError *err)
{
    char known[128] = "";
    size_t used = 0;

    for (int i = 0; i < N_CHOICES_MAX && key->choices[i]; i++) {
        if (!strcasecmp(text, key->choices[i])) {
            *out = i;
            return RSD_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
    return error_set(err, RSD_ERR_ARG, "'%.60s' is not one of %s", text, known);
}

static RsdStatus parse_name(char *out, const char *text, RsdError *err)
{
    size_t len = strlen(text);

    if (!len || len >= MODEL_NAME_SIZE ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != len)
        return error_set(err, RSD_ERR_ARG, "'%.60s' is not a name of 1 to %d letters, digits, - and _", text, MODEL_NAME_SIZE - 1);
    memset(out, 0, MODEL_NAME_SIZE);
    memcpy(out, text, len);
    return RSD_OK;
}

static RsdStatus parse_value(TrainConfig *cfg, const Key *key, const char *text, RsdError *err)
{
    void *dst = (char *)cfg + key->at;
    double value = 0.0;
    RsdStatus status = RSD_OK;

    switch (key->type) {
    case KEY_INT:
        TRY(parse_number(&value, text, key, true, err));
        *(int *)dst = (int)value;
        break;
    case KEY_INT64:
        TRY(parse_number(&value, text, key, true, err));
        *(int64_t *)dst = (int64_t)value;
        break;
    case KEY_FLOAT:
        TRY(parse_number(&value, text, key, false, err));
        *(float *)dst = (float)value;
        break;
    case KEY_DOUBLE:
        TRY(parse_number(&value, text, key, false, err));
        *(double *)dst = value;
        break;
    case KEY_BOOL:
        return parse_bool(dst, text, err);
    case KEY_NAME:
        return parse_name(dst, text, err);
    case KEY_CHOICE:
        return parse_choice(dst, key, text, err);
    case KEY_INTS:
        return parse_ints(cfg, key, text, err);
    }
fail:
    return status;
}

/* Shortest decimal that reads back as the same float. */
static void print_float(char *text, float value, Unit unit)
{
    for (int digits = 1; digits <= 9; digits++) {
        char attempt[32];

        snprintf(attempt, sizeof attempt, "%.*g", digits, (double)value);
        if (strtof(attempt, NULL) == value) {
            text_print_quantity(text, strtod(attempt, NULL), unit);
            return;
        }
    }
    text_print_quantity(text, (double)value, unit);
}

#define VALUE_TEXT_SIZE 512

static void print_value(char text[VALUE_TEXT_SIZE], const TrainConfig *cfg, const Key *key)
{
    const void *src = (const char *)cfg + key->at;
    size_t used = 0;

    switch (key->type) {
    case KEY_INT:
        text_print_quantity(text, *(const int *)src, key->unit);
        break;
    case KEY_INT64:
        text_print_quantity(text, (double)*(const int64_t *)src, key->unit);
        break;
    case KEY_FLOAT:
        print_float(text, *(const float *)src, key->unit);
        break;
    case KEY_DOUBLE:
        text_print_quantity(text, *(const double *)src, key->unit);
        break;
    case KEY_BOOL:
        strcpy(text, *(const bool *)src ? "yes" : "no");
        break;
    case KEY_NAME:
        snprintf(text, VALUE_TEXT_SIZE, "%s", (const char *)src);
        break;
    case KEY_CHOICE:
        strcpy(text, key->choices[*(const int *)src]);
        break;
    case KEY_INTS:
        for (int i = 0; i < *(const int *)((const char *)cfg + key->count_at); i++) {
            char item[QUANTITY_TEXT_SIZE];

            text_print_quantity(item, ((const int *)src)[i], key->unit);
            used += (size_t)snprintf(text + used, VALUE_TEXT_SIZE - used, "%s%s", used ? "," : "", item);
        }
        break;
    }
}

/* ---- keys by name ---- */

static const Key *find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (!strcmp(KEYS[i].section, section) && !strcmp(KEYS[i].name, name))
            return &KEYS[i];
    return NULL;
}

static bool is_loss_name(const char *name)
{
    for (size_t i = 0; audio_loss_name(i); i++)
        if (!strcmp(audio_loss_name(i), name))
            return true;
    return false;
}

#define N_NAMES_MAX (N_KEYS + 64)

static RsdStatus refuse_key(const char *section, const char *name, RsdError *err)
{
    const char *names[N_NAMES_MAX], *near;
    size_t n = 0;
    bool known_section = false;

    for (size_t i = 0; i < N_SECTIONS; i++)
        known_section = known_section || !strcmp(section, SECTIONS[i]);
    if (!known_section) {
        near = text_nearest(section, SECTIONS, N_SECTIONS);
        return error_set(err, RSD_ERR_ARG, "there is no section [%.40s]%s%s%s; sections are model, data, train, loss and optim",
                         section, near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    }
    for (size_t i = 0; i < N_KEYS; i++)
        if (!strcmp(KEYS[i].section, section))
            names[n++] = KEYS[i].name;
    for (size_t i = 0; !strcmp(section, "loss") && audio_loss_name(i) && n < N_NAMES_MAX; i++)
        names[n++] = audio_loss_name(i);
    near = text_nearest(name, names, n);
    if (near)
        return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; did you mean '%s'?", section, name, near);
    for (size_t i = 0; i < N_KEYS; i++)
        if (!strcmp(KEYS[i].name, name))
            return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; it belongs to [%s]", section, name, KEYS[i].section);
    return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; `residua train --print-config` lists all of them", section, name);
}

/* Switches a loss on, changes its weight, or switches it off with weight 0. */
static RsdStatus set_loss(LossConfig *loss, const char *name, const char *text, RsdError *err)
{
    static const Key rule = {.unit = UNIT_NONE, .low = 0, .high = 1e9};
    double weight;
    int i = 0;
    RsdStatus status = RSD_OK;

    TRY(parse_number(&weight, text, &rule, false, err));
    while (i < loss->n_losses && strcmp(loss->names[i], name))
        i++;
    if (weight > 0) {
        CHECK(i < BALANCER_MAX_LOSSES, err, RSD_ERR_ARG, "more than %d losses", BALANCER_MAX_LOSSES);
        if (i == loss->n_losses)
            loss->n_losses++;
        memset(loss->names[i], 0, sizeof loss->names[i]);
        snprintf(loss->names[i], sizeof loss->names[i], "%s", name);
        loss->weights[i] = (float)weight;
    } else if (i < loss->n_losses) {
        loss->n_losses--;
        for (; i < loss->n_losses; i++) {
            memcpy(loss->names[i], loss->names[i + 1], sizeof loss->names[i]);
            loss->weights[i] = loss->weights[i + 1];
        }
    }
fail:
    return status;
}

static RsdStatus assign(TrainConfig *cfg, const char *section, const char *name, const char *value, RsdError *err)
{
    const Key *key = find_key(section, name);
    RsdStatus status = RSD_OK;

    if (key)
        TRY(parse_value(cfg, key, value, err));
    else if (!strcmp(section, "loss") && is_loss_name(name))
        TRY(set_loss(&cfg->loss, name, value, err));
    else
        return refuse_key(section, name, err);
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s.%s", section, name);
}

void train_config_init(TrainConfig *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    for (size_t i = 0; i < N_KEYS; i++)
        parse_value(cfg, &KEYS[i], KEYS[i].standard, NULL);
    cfg->model.rvq.dim = cfg->model.seanet.latent_dim;
}

/* ---- inih ---- */

#define LINE_SIZE INI_MAX_LINE /* of inih's buffer, the end mark included */

typedef struct Reading {
    TrainConfig *config;
    const char *text, *name;
    int line;
    int first_line[N_KEYS]; /* where a key was given, 0: nowhere */
    RsdStatus status;       /* of the first mistake; later lines are not looked at */
    RsdError error;
} Reading;

/* inih asks for lines one at a time, so counting them here tells the handler where it is. */
static char *next_line(char *buffer, int size, void *stream)
{
    Reading *reading = stream;
    size_t len = strcspn(reading->text, "\n");

    if (!*reading->text || reading->status != RSD_OK)
        return NULL;
    reading->line++;
    if (len + 2 > (size_t)size) {
        reading->status = error_set(&reading->error, RSD_ERR_ARG, "%s:%d: the line is longer than %d bytes", reading->name,
                                    reading->line, LINE_SIZE - 2);
        return NULL;
    }
    memcpy(buffer, reading->text, len);
    buffer[len] = '\n';
    buffer[len + 1] = '\0';
    reading->text += len + (reading->text[len] == '\n');
    return buffer;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    Reading *reading = user;
    const Key *key = find_key(section, name);

    if (reading->status != RSD_OK)
        return 1;
    if (key && reading->first_line[key - KEYS]) {
        reading->status = error_set(&reading->error, RSD_ERR_ARG, "%s:%d: %s.%s was given on line %d already", reading->name,
                                    reading->line, section, name, reading->first_line[key - KEYS]);
        return 1;
    }
    if (key)
        reading->first_line[key - KEYS] = reading->line;
    reading->status = assign(reading->config, section, name, value ? value : "", &reading->error);
    if (reading->status != RSD_OK)
        error_prefix(&reading->error, reading->status, "%s:%d", reading->name, reading->line);
    return 1;
}

RsdStatus train_config_parse(TrainConfig *cfg, const char *text, const char *name, RsdError *err)
{
    Reading reading = {.config = cfg, .text = text, .name = name};
    int bad_line = ini_parse_stream(next_line, &reading, take_pair, &reading);

    if (reading.status != RSD_OK) {
        if (err)
            *err = reading.error;
        return reading.status;
    }
    if (bad_line)
        return error_set(err, RSD_ERR_ARG, "%s:%d: expected '[section]', 'key = value' or a comment", name, bad_line);
    cfg->model.rvq.dim = cfg->model.seanet.latent_dim;
    return RSD_OK;
}

#define CONFIG_SIZE_MAX (1 << 20)

RsdStatus train_config_load(TrainConfig *cfg, const char *path, RsdError *err)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(file, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    TRY(mem_alloc(&text, CONFIG_SIZE_MAX + 1, 1, err));
    errno = 0;
    size = fread(text, 1, CONFIG_SIZE_MAX + 1, file);
    CHECK(!ferror(file), err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    CHECK(size <= CONFIG_SIZE_MAX && !memchr(text, '\0', size), err, RSD_ERR_ARG, "%s: is not a configuration file", path);
    text[size] = '\0';
    TRY(train_config_parse(cfg, text, path, err));
fail:
    if (file)
        fclose(file);
    mem_free(&text);
    return status;
}

RsdStatus train_config_set(TrainConfig *cfg, const char *assignment, RsdError *err)
{
    const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
    char section[64], name[64];
    RsdStatus status = RSD_OK;

    CHECK(equals && dot && dot < equals && (size_t)(dot - assignment) < sizeof section && (size_t)(equals - dot) <= sizeof name, err,
          RSD_ERR_ARG, "--set %.80s: expected section.key=value, such as model.base_channels=16", assignment);
    snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    snprintf(name, sizeof name, "%.*s", (int)(equals - dot - 1), dot + 1);
    status = assign(cfg, section, name, equals + 1, err);
    if (status != RSD_OK)
        error_prefix(err, status, "--set %.80s", assignment);
    cfg->model.rvq.dim = cfg->model.seanet.latent_dim;
fail:
    return status;
}

/* ---- rules between keys ---- */

int64_t train_config_segment_len(const TrainConfig *cfg)
{
    int64_t hop = seanet_hop(&cfg->model.seanet);
    int64_t n_frames = llround(cfg->data.segment_s * cfg->model.rate_hz / (double)hop);

    return (n_frames < 1 ? 1 : n_frames) * hop;
}

RsdStatus train_config_check(const TrainConfig *cfg, RsdError *err)
{
    double lowest = audio_codec_bitrate_bps(&cfg->model, 1), highest = audio_codec_bitrate_bps(&cfg->model, cfg->model.rvq.n_q);
    int k = cfg->model.rvq.codebook_size;
    RsdStatus status = RSD_OK;

    CHECK((k & (k - 1)) == 0, err, RSD_ERR_ARG, "model.codebook_size = %d is not a power of two", k);
    CHECK(cfg->loss.n_losses, err, RSD_ERR_ARG, "[loss] switches no loss on; add for example 'mel_dac = 1'");
    CHECK(cfg->data.augment.level_low_db <= cfg->data.augment.level_high_db, err, RSD_ERR_ARG,
          "data.level_low = %g dB is above data.level_high = %g dB", (double)cfg->data.augment.level_low_db,
          (double)cfg->data.augment.level_high_db);
    CHECK(cfg->data.valid_every != 1, err, RSD_ERR_ARG, "data.valid_every = 1 would hold every file out; use 2 or more, or 0 for none");
    CHECK(cfg->schedule.kind == SCHEDULE_CONSTANT || cfg->schedule.lr_final <= cfg->schedule.lr, err, RSD_ERR_ARG,
          "optim.lr_final = %g is above optim.lr = %g", (double)cfg->schedule.lr_final, (double)cfg->schedule.lr);
    for (int i = 0; i < cfg->train.n_rates; i++)
        CHECK(cfg->train.rates_bps[i] >= lowest && cfg->train.rates_bps[i] <= highest, err, RSD_ERR_ARG,
              "train.rates: %d bit/s is not possible; the model reaches %g to %g bit/s", cfg->train.rates_bps[i], lowest, highest);
fail:
    return status;
}

/* ---- printing ---- */

#define PRINT_SIZE 32768 /* of the longest possible text, with room to spare */

RsdStatus train_config_print(char **text, const TrainConfig *cfg, bool with_help, RsdError *err)
{
    char *out = NULL;
    const char *section = "";
    size_t used = 0;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&out, PRINT_SIZE, 1, err));
    for (size_t i = 0; i < N_KEYS; i++) {
        char value[VALUE_TEXT_SIZE];

        if (strcmp(section, KEYS[i].section)) {
            section = KEYS[i].section;
            used += (size_t)snprintf(out + used, PRINT_SIZE - used, "%s[%s]\n", used ? "\n" : "", section);
            for (int j = 0; !strcmp(section, "loss") && j < cfg->loss.n_losses; j++) {
                print_float(value, cfg->loss.weights[j], UNIT_NONE);
                if (with_help)
                    used += (size_t)snprintf(out + used, PRINT_SIZE - used, "; %s\n", audio_loss_summary(cfg->loss.names[j]));
                used += (size_t)snprintf(out + used, PRINT_SIZE - used, "%s = %s\n", cfg->loss.names[j], value);
            }
        }
        print_value(value, cfg, &KEYS[i]);
        if (with_help)
            used += (size_t)snprintf(out + used, PRINT_SIZE - used, "; %s\n", KEYS[i].help);
        used += (size_t)snprintf(out + used, PRINT_SIZE - used, "%s = %s\n", KEYS[i].name, value);
    }
    *text = out;
    return RSD_OK;
fail:
    mem_free(&out);
    return status;
}

const char *train_config_difference(const TrainConfig *a, const TrainConfig *b, const char *section, char key[64])
{
    for (size_t i = 0; i < N_KEYS; i++) {
        char text_a[VALUE_TEXT_SIZE], text_b[VALUE_TEXT_SIZE];

        if (strcmp(KEYS[i].section, section))
            continue;
        print_value(text_a, a, &KEYS[i]);
        print_value(text_b, b, &KEYS[i]);
        if (strcmp(text_a, text_b)) {
            snprintf(key, 64, "%s.%s", section, KEYS[i].name);
            return key;
        }
    }
    if (!strcmp(section, "loss"))
        for (int i = 0; i < a->loss.n_losses || i < b->loss.n_losses; i++)
            if (strcmp(a->loss.names[i], b->loss.names[i]) || a->loss.weights[i] != b->loss.weights[i]) {
                snprintf(key, 64, "loss.%s", a->loss.names[i][0] ? a->loss.names[i] : b->loss.names[i]);
                return key;
            }
    return NULL;
}
