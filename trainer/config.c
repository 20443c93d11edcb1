/* config.c - files, assignments, rules between keys, and printing. This is the one place that sees inih.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/config.h"

#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "losses/audio_loss.h"
#include "losses/image_loss.h"
#include "trainer/config_table.h"

/* ---- keys by name ---- */

static bool is_audio_loss(const char *name)
{
    for (size_t i = 0; audio_loss_name(i); i++)
        if (!strcmp(audio_loss_name(i), name))
            return true;
    return false;
}

/* Whether it suits what is trained shows when the whole configuration is checked. */
static bool is_loss_name(const char *name)
{
    return is_audio_loss(name) || image_loss_find(name);
}

#define N_NAMES_MAX (CONFIG_N_KEYS + 128)

static RsdStatus refuse_key(const char *section, const char *name, RsdError *err)
{
    const char *names[N_NAMES_MAX], *near;
    size_t n = 0;
    bool known_section = false;

    for (size_t i = 0; i < CONFIG_N_SECTIONS; i++)
        known_section = known_section || !strcmp(section, CONFIG_SECTIONS[i]);
    if (!known_section) {
        near = text_nearest(section, CONFIG_SECTIONS, CONFIG_N_SECTIONS);
        return error_set(err, RSD_ERR_ARG,
                         "there is no section [%.40s]%s%s%s; sections are model, picture, data, train, loss, optim and adversary", section,
                         near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
    }
    for (size_t i = 0; i < CONFIG_N_KEYS; i++)
        if (!strcmp(CONFIG_KEYS[i].section, section))
            names[n++] = CONFIG_KEYS[i].name;
    for (size_t i = 0; !strcmp(section, "loss") && audio_loss_name(i) && n < N_NAMES_MAX; i++)
        names[n++] = audio_loss_name(i);
    for (size_t i = 0; !strcmp(section, "loss") && image_loss_at(i) && n < N_NAMES_MAX; i++)
        names[n++] = image_loss_at(i)->name;
    near = text_nearest(name, names, n);
    if (near)
        return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; did you mean '%s'?", section, name, near);
    for (size_t i = 0; i < CONFIG_N_KEYS; i++)
        if (!strcmp(CONFIG_KEYS[i].name, name))
            return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; it belongs to [%s]", section, name,
                             CONFIG_KEYS[i].section);
    return error_set(err, RSD_ERR_ARG, "[%s] has no key '%.40s'; `residua train --print-config` lists all of them",
                     section, name);
}

/* Switches a loss on, changes its weight, or switches it off with weight 0. */
static RsdStatus set_loss(LossConfig *loss, const char *name, const char *text, RsdError *err)
{
    static const ConfigKey rule = {.unit = UNIT_NONE, .low = 0, .high = 1e9};
    double weight;
    int i = 0;
    RsdStatus status = RSD_OK;

    TRY(config_number_parse(&weight, text, &rule, false, err));
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
    const ConfigKey *key = config_key_find(section, name);
    RsdStatus status = RSD_OK;

    if (key)
        TRY(config_value_parse(cfg, key, value, err));
    else if (!strcmp(section, "loss") && is_loss_name(name))
        TRY(set_loss(&cfg->loss, name, value, err));
    else
        return refuse_key(section, name, err);
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s.%s", section, name);
}

/* What follows from other keys. */
static void complete(TrainConfig *cfg)
{
    cfg->model.rvq.dim = cfg->model.projected_rvq.dim = cfg->model.seanet.latent_dim;
    cfg->model.projected_rvq.n_q = cfg->model.rvq.n_q;
    cfg->model.projected_rvq.codebook_size = cfg->model.rvq.codebook_size;
    cfg->model.projected_rvq.codes = cfg->model.quantizer > AUDIO_PROJECTED ? cfg->model.quantizer - AUDIO_PROJECTED : PROJECTED_LEARNED;
    projected_rvq_complete(&cfg->model.projected_rvq);
    if (cfg->train.adapter_rank > 0)
        cfg->train.frozen = FROZEN_ENCODER_AND_CODES;
    memcpy(cfg->picture.model.name, cfg->model.name, sizeof cfg->picture.model.name);
    cfg->adversary.pictures.latent_channels = cfg->picture.model.latent;
    cfg->adversary.n_rates = cfg->train.n_rates;
}

void train_config_init(TrainConfig *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    for (size_t i = 0; i < CONFIG_N_KEYS; i++)
        config_value_parse(cfg, &CONFIG_KEYS[i], CONFIG_KEYS[i].standard, NULL);
    complete(cfg);
}

/* ---- inih ---- */

#define LINE_SIZE INI_MAX_LINE /* of inih's buffer, the end mark included */

typedef struct Reading {
    TrainConfig *config;
    const char *text, *name;
    int line;
    int first_line[CONFIG_N_KEYS]; /* where a key was given, 0: nowhere */
    RsdStatus status;              /* of the first mistake; later lines are not looked at */
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
        reading->status = error_set(&reading->error, RSD_ERR_ARG, "%s:%d: the line is longer than %d bytes",
                                    reading->name, reading->line, LINE_SIZE - 2);
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
    const ConfigKey *key = config_key_find(section, name);

    if (reading->status != RSD_OK)
        return 1;
    if (key && reading->first_line[key - CONFIG_KEYS]) {
        reading->status =
            error_set(&reading->error, RSD_ERR_ARG, "%s:%d: %s.%s was given on line %d already", reading->name,
                      reading->line, section, name, reading->first_line[key - CONFIG_KEYS]);
        return 1;
    }
    if (key)
        reading->first_line[key - CONFIG_KEYS] = reading->line;
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
    complete(cfg);
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
    CHECK(size <= CONFIG_SIZE_MAX && !memchr(text, '\0', size), err, RSD_ERR_ARG, "%s: is not a configuration file",
          path);
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

    CHECK(equals && dot && dot < equals && (size_t)(dot - assignment) < sizeof section &&
              (size_t)(equals - dot) <= sizeof name,
          err, RSD_ERR_ARG, "--set %.80s: expected section.key=value, such as model.base_channels=16", assignment);
    snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    snprintf(name, sizeof name, "%.*s", (int)(equals - dot - 1), dot + 1);
    status = assign(cfg, section, name, equals + 1, err);
    if (status != RSD_OK)
        error_prefix(err, status, "--set %.80s", assignment);
    complete(cfg);
fail:
    return status;
}

/* ---- rules between keys ---- */

int64_t train_config_segment_len(const TrainConfig *cfg)
{
    int64_t hop = seanet_hop(&cfg->model.seanet) * audio_codec_stride(&cfg->model, 0); /* codes are whole */
    int64_t n_frames = llround(cfg->data.segment_s * cfg->model.rate_hz / (double)hop);

    return (n_frames < 1 ? 1 : n_frames) * hop;
}

int train_config_n_losses(const TrainConfig *cfg)
{
    return cfg->kind == TRAIN_PICTURE && cfg->loss.n_losses == 0 ? 1 : cfg->loss.n_losses;
}

int train_config_n_terms(const TrainConfig *cfg)
{
    return train_config_n_losses(cfg) + (adversary_is_on(&cfg->adversary) ? ADVERSARY_N_TERMS : 0);
}

const char *train_config_term_name(const TrainConfig *cfg, int i)
{
    if (i >= train_config_n_losses(cfg))
        return ADVERSARY_TERM_NAMES[i - train_config_n_losses(cfg)];
    return cfg->loss.n_losses ? cfg->loss.names[i] : "mse";
}

float train_config_term_weight(const TrainConfig *cfg, int i)
{
    const float adversarial[ADVERSARY_N_TERMS] = {cfg->adversary.weight, cfg->adversary.feature_weight};

    if (i >= train_config_n_losses(cfg))
        return adversarial[i - train_config_n_losses(cfg)];
    return cfg->loss.n_losses ? cfg->loss.weights[i] : 1.0f;
}

BalanceKind train_config_balance(const TrainConfig *cfg)
{
    return cfg->kind == TRAIN_PICTURE && !adversary_is_on(&cfg->adversary) ? BALANCE_FIXED : (BalanceKind)cfg->loss.balance;
}

/* What holds whatever is trained. */
static RsdStatus check_run(const TrainConfig *cfg, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(cfg->data.valid_every != 1, err, RSD_ERR_ARG,
          "data.valid_every = 1 would hold every file out; use 2 or more, or 0 for none");
    CHECK(cfg->schedule.kind == SCHEDULE_CONSTANT || cfg->schedule.lr_final <= cfg->schedule.lr, err, RSD_ERR_ARG,
          "optim.lr_final = %g is above optim.lr = %g", (double)cfg->schedule.lr_final, (double)cfg->schedule.lr);
fail:
    return status;
}

/* What moves codes of sound, of which those of pictures know a part. */
static RsdStatus check_picture_codes(const CodeTraining *codes, int quantizer, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(codes->paths == 1, err, RSD_ERR_ARG, "train.codes_paths = %d is for sound; the codes of pictures are searched stage by stage",
          codes->paths);
    CHECK(codes->sync <= 0.0f, err, RSD_ERR_ARG, "train.codes_sync = %g is for sound; no gradient moves codes of pictures",
          (double)codes->sync);
    CHECK(quantizer == IMAGE_RVQ || (codes->follow <= 0.0f && codes->ahead == 0), err, RSD_ERR_ARG,
          "train.codes_follow and train.codes_ahead move codes, which picture.quantizer = rvq alone learns");
fail:
    return status;
}

/* Critics of pictures, and what of the training of sound they do not share. */
static RsdStatus check_picture_step(const TrainConfig *cfg, RsdError *err)
{
    const bool is_on = adversary_is_on(&cfg->adversary);
    const BalanceKind balance = train_config_balance(cfg);
    RsdStatus status = RSD_OK;

    CHECK(cfg->train.accumulate == 1, err, RSD_ERR_ARG, "train.accumulate = %d is for sound; for pictures use a smaller data.batch",
          cfg->train.accumulate);
    CHECK(cfg->optimizer.sam_radius <= 0.0f, err, RSD_ERR_ARG, "optim.sam = %g is for sound; for pictures set it to 0",
          (double)cfg->optimizer.sam_radius);
    CHECK(cfg->optimizer.kind != OPTIMIZER_MOMO || !is_on, err, RSD_ERR_ARG,
          "optim.method = momo needs the loss that its gradient belongs to: no adversary");
    CHECK(!is_on || cfg->train.frozen != FROZEN_ALL_BUT_HEADS, err, RSD_ERR_ARG,
          "train.freeze = trunk trains the heads alone, which no critic of [adversary] judges; use train.freeze = encoder");
    CHECK(!cfg->adversary.pictures.patch_kinds || cfg->train.frozen == FROZEN_ENCODER, err, RSD_ERR_ARG,
          "adversary.patch_kinds needs an encoder that stays, which says the kinds: train.freeze = encoder");
    CHECK(balance == BALANCE_FIXED || balance == BALANCE_ADAPTIVE || cfg->train.frozen == FROZEN_ENCODER, err, RSD_ERR_ARG,
          "loss.balance = %s changes what an error weighs beside a bit; use fixed or adaptive, or keep the encoder: train.freeze = encoder",
          BALANCE_NAMES[balance]);
    CHECK(train_config_n_terms(cfg) <= BALANCER_MAX_LOSSES, err, RSD_ERR_ARG,
          "%d losses, the adversary's included; %d are possible", train_config_n_terms(cfg), BALANCER_MAX_LOSSES);
    TRY(check_picture_codes(&cfg->train.codes, cfg->picture.model.quantizer, err));
    TRY(adversary_check_config(&cfg->adversary, true, cfg->picture.crop, err));
fail:
    return status;
}

static RsdStatus check_picture(const PictureConfig *cfg, int frozen, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(cfg->n_widths == IMAGE_SCALES && cfg->n_encoder_blocks == IMAGE_SCALES && cfg->n_decoder_blocks == IMAGE_SCALES, err,
          RSD_ERR_ARG, "picture.widths, encoder_blocks and decoder_blocks need %d numbers each", IMAGE_SCALES);
    CHECK(cfg->crop % IMAGE_HYPER_STRIDE == 0 && cfg->valid_side % IMAGE_HYPER_STRIDE == 0, err, RSD_ERR_ARG,
          "picture.crop = %d and picture.valid_side = %d must be multiples of %d", cfg->crop, cfg->valid_side,
          IMAGE_HYPER_STRIDE);
    CHECK(frozen != FROZEN_ALL_BUT_HEADS || cfg->model.heads, err, RSD_ERR_ARG,
          "train.freeze = trunk leaves nothing to train without picture.heads = 1");
    CHECK(cfg->model.quantizer != IMAGE_RVQ || cfg->start_batches > 0, err, RSD_ERR_ARG,
          "picture.quantizer = rvq needs picture.start_batches > 0, of which the first codes are made");
    TRY(image_codec_check_config(&cfg->model, err));
fail:
    return status;
}

/* Losses and frozen parts of the kind of run. */
static RsdStatus check_kind(const TrainConfig *cfg, RsdError *err)
{
    const bool is_picture = cfg->kind == TRAIN_PICTURE;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < cfg->loss.n_losses; i++)
        CHECK(is_picture ? image_loss_find(cfg->loss.names[i]) != NULL : is_audio_loss(cfg->loss.names[i]), err, RSD_ERR_ARG,
              "loss.%s is no loss of %s; `residua losses` lists them", cfg->loss.names[i], is_picture ? "pictures" : "sound");
    CHECK(cfg->train.frozen == FROZEN_NOTHING || cfg->train.frozen == FROZEN_ENCODER ||
              is_picture == (cfg->train.frozen == FROZEN_PRIOR || cfg->train.frozen == FROZEN_ALL_BUT_HEADS),
          err, RSD_ERR_ARG,
          "train.freeze: a picture codec can keep its encoder, its prior or its trunk, a sound codec its encoder or encoder and codes");
fail:
    return status;
}

RsdStatus train_config_check(const TrainConfig *cfg, RsdError *err)
{
    double lowest = audio_codec_bitrate_bps(&cfg->model, 1),
           highest = audio_codec_bitrate_bps(&cfg->model, cfg->model.rvq.n_q);
    const bool is_lattice = cfg->model.quantizer == AUDIO_FSQ || cfg->model.quantizer == AUDIO_BSQ;
    int k = cfg->model.rvq.codebook_size;
    RsdStatus status = RSD_OK;

    TRY(check_run(cfg, err));
    CHECK(cfg->kind != TRAIN_PICTURE || cfg->train.adapter_rank == 0, err, RSD_ERR_ARG,
          "train.adapter_rank = %d: adapters are for sound; a picture model has none", cfg->train.adapter_rank);
    TRY(check_kind(cfg, err));
    CHECK(cfg->kind != TRAIN_PICTURE || cfg->optimizer.weights == WEIGHTS_F32, err, RSD_ERR_ARG,
          "optim.weights: 16-bit weights are for sound; a picture codec is trained with f32");
    if (cfg->kind == TRAIN_PICTURE) {
        TRY(check_picture(&cfg->picture, cfg->train.frozen, err));
        return check_picture_step(cfg, err);
    }
    CHECK(is_lattice || (k & (k - 1)) == 0, err, RSD_ERR_ARG, "model.codebook_size = %d is not a power of two", k);
    if (is_lattice && projected_rvq_check_config(&cfg->model.projected_rvq, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_ARG, "model.quantizer = %s", cfg->model.quantizer == AUDIO_FSQ ? "fsq" : "bsq");
    CHECK(cfg->loss.n_losses, err, RSD_ERR_ARG, "[loss] switches no loss on; add for example 'mel_dac = 1'");
    CHECK(cfg->train.codes.sync <= 0.0f || cfg->model.quantizer == AUDIO_PROJECTED, err, RSD_ERR_ARG,
          "train.codes_sync = %g needs codes that are learned by gradient: model.quantizer = projected",
          (double)cfg->train.codes.sync);
    CHECK(!is_lattice || (cfg->train.codes.follow <= 0.0f && cfg->train.codes.ahead == 0), err, RSD_ERR_ARG,
          "train.codes_follow and train.codes_ahead move codes; those of model.quantizer = fsq and bsq stay where they are");
    CHECK(cfg->train.codes.paths == 1 || cfg->model.quantizer == AUDIO_RVQ, err, RSD_ERR_ARG,
          "train.codes_paths = %d needs model.quantizer = rvq, whose codes alone are searched along several paths", cfg->train.codes.paths);
    CHECK(cfg->model.projected_rvq.strides[0] == 1 || cfg->model.quantizer != AUDIO_RVQ, err, RSD_ERR_ARG,
          "model.strides needs model.quantizer = projected, fsq or bsq");
    CHECK(cfg->data.batch % cfg->train.accumulate == 0, err, RSD_ERR_ARG,
          "data.batch = %d cannot be cut into train.accumulate = %d equal parts", cfg->data.batch, cfg->train.accumulate);
    CHECK(cfg->train.accumulate == 1 || !adversary_is_on(&cfg->adversary), err, RSD_ERR_ARG,
          "train.accumulate = %d does not work with an adversary, whose critics judge whole batches", cfg->train.accumulate);
    CHECK(cfg->optimizer.sam_radius <= 0.0f || !adversary_is_on(&cfg->adversary), err, RSD_ERR_ARG,
          "optim.sam = %g does not work with an adversary, whose critics judge a batch once",
          (double)cfg->optimizer.sam_radius);
    CHECK(cfg->optimizer.sam_radius <= 0.0f || cfg->train.exchange.kind == EXCHANGE_ALL, err, RSD_ERR_ARG,
          "train.exchange does not work with optim.sam, which exchanges two gradients a step; use train.exchange = all");
    CHECK(!cfg->train.exchange.adaptive || cfg->train.exchange.kind == EXCHANGE_TOP ||
              cfg->train.exchange.kind == EXCHANGE_LOW_RANK, err, RSD_ERR_ARG,
          "train.exchange_adaptive has a choice with train.exchange = top or low_rank only");
    CHECK(cfg->optimizer.kind != OPTIMIZER_MOMO ||
              (cfg->loss.balance == BALANCE_FIXED && !adversary_is_on(&cfg->adversary)), err, RSD_ERR_ARG,
          "optim.method = momo needs the loss that its gradient belongs to: loss.balance = fixed and no adversary");
    CHECK(cfg->data.augment.level_low_db <= cfg->data.augment.level_high_db, err, RSD_ERR_ARG,
          "data.level_low = %g dB is above data.level_high = %g dB", (double)cfg->data.augment.level_low_db,
          (double)cfg->data.augment.level_high_db);
    CHECK(train_config_n_terms(cfg) <= BALANCER_MAX_LOSSES, err, RSD_ERR_ARG,
          "%d losses, the adversary's included; %d are possible", train_config_n_terms(cfg), BALANCER_MAX_LOSSES);
    TRY(adversary_check_config(&cfg->adversary, false, train_config_segment_len(cfg), err));
    for (int i = 0; i < cfg->train.n_rates; i++)
        CHECK(cfg->train.rates_bps[i] >= lowest && cfg->train.rates_bps[i] <= highest, err, RSD_ERR_ARG,
              "train.rates: %d bit/s is not possible; the model reaches %g to %g bit/s", cfg->train.rates_bps[i],
              lowest, highest);
fail:
    return status;
}

/* ---- printing ---- */

#define PRINT_SIZE 32768 /* of the longest possible text, with room to spare */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

/* Keys that say nothing about what is trained are neither written nor compared. */
static bool concerns(const TrainConfig *cfg, const ConfigKey *key)
{
    static const char *const of_models[] = {"name", "kind"};
    static const char *const of_sound[] = {"periods", "period_channels", "scales", "scale_channels", "scale_max_channels", "stft",
                                           "stft_channels", "bands", "band_channels", "level"};
    static const char *const of_pictures[] = {"patch", "patch_layers", "patch_context", "patch_kinds", "r3_widths",
                                              "r3_blocks", "r3_group", "penalty"};
    const bool is_critic = !strcmp(key->section, "adversary");

    if (cfg->kind == TRAIN_AUDIO)
        return strcmp(key->section, "picture") != 0 && !(is_critic && is_one_of(key->name, of_pictures, sizeof of_pictures / sizeof *of_pictures));
    if (is_critic)
        return !is_one_of(key->name, of_sound, sizeof of_sound / sizeof *of_sound);
    if (!strcmp(key->section, "loss"))
        return strcmp(key->name, "commitment") != 0;
    return strcmp(key->section, "model") != 0 || is_one_of(key->name, of_models, sizeof of_models / sizeof *of_models);
}

static const char *loss_summary(const TrainConfig *cfg, const char *name)
{
    return cfg->kind == TRAIN_PICTURE && image_loss_find(name) ? image_loss_find(name)->summary : audio_loss_summary(name);
}

/* Returns the bytes added. */
static size_t print_losses(char *out, size_t size, const TrainConfig *cfg, bool with_help)
{
    char value[CONFIG_VALUE_SIZE];
    size_t used = 0;

    for (int i = 0; i < cfg->loss.n_losses; i++) {
        config_float_print(value, cfg->loss.weights[i], UNIT_NONE);
        if (with_help)
            used += (size_t)snprintf(out + used, size - used, "; %s\n", loss_summary(cfg, cfg->loss.names[i]));
        used += (size_t)snprintf(out + used, size - used, "%s = %s\n", cfg->loss.names[i], value);
    }
    return used;
}

RsdStatus train_config_print(char **text, const TrainConfig *cfg, bool with_help, RsdError *err)
{
    char *out = NULL;
    const char *section = "";
    size_t used = 0;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&out, PRINT_SIZE, 1, err));
    for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
        char value[CONFIG_VALUE_SIZE];

        if (!concerns(cfg, &CONFIG_KEYS[i]))
            continue;
        if (strcmp(section, CONFIG_KEYS[i].section)) {
            section = CONFIG_KEYS[i].section;
            used += (size_t)snprintf(out + used, PRINT_SIZE - used, "%s[%s]\n", used ? "\n" : "", section);
            if (!strcmp(section, "loss"))
                used += print_losses(out + used, PRINT_SIZE - used, cfg, with_help);
        }
        config_value_print(value, cfg, &CONFIG_KEYS[i]);
        if (with_help)
            used += (size_t)snprintf(out + used, PRINT_SIZE - used, "; %s\n", CONFIG_KEYS[i].help);
        used += (size_t)snprintf(out + used, PRINT_SIZE - used, "%s = %s\n", CONFIG_KEYS[i].name, value);
    }
    *text = out;
    return RSD_OK;
fail:
    mem_free(&out);
    return status;
}

const char *train_config_difference(const TrainConfig *a, const TrainConfig *b, const char *section, char key[64])
{
    for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
        char text_a[CONFIG_VALUE_SIZE], text_b[CONFIG_VALUE_SIZE];

        if (strcmp(CONFIG_KEYS[i].section, section) || !concerns(a, &CONFIG_KEYS[i]))
            continue;
        config_value_print(text_a, a, &CONFIG_KEYS[i]);
        config_value_print(text_b, b, &CONFIG_KEYS[i]);
        if (strcmp(text_a, text_b)) {
            snprintf(key, 64, "%s.%s", section, CONFIG_KEYS[i].name);
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
