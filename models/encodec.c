/* encodec.c - the names and the sizes of published EnCodec models.
 *
 * Layers are numbered as the original code's nn.Sequential (audio.md 1.14), with r ratios:
 *
 *   encoder  0 in, then per ratio 3 i + 1 unit, 3 i + 3 down; 3 r + 1 LSTM, 3 r + 3 out (ELUs have numbers, too)
 *   decoder  0 in, 1 LSTM, then per ratio 3 i + 3 up, 3 i + 4 unit; 3 r + 3 out
 *
 * Without an LSTM the numbers behind it would be one less; no published model lacks it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/encodec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/audio_codec_file.h"
#include "models/import.h"

#define CONFIG "config."
#define PART_SIZE 64

/* ---- names ---- */

typedef struct Place {
    bool encoder;
    int number;
    const char *inner;  /* ".block.1", ".shortcut" or "" */
    const char *suffix; /* "weight_v", "norm_bias", "weight_ih_l0" */
    bool lstm, transposed;
} Place;

/* Where a parameter of ours is in the original network; false for those that are elsewhere. */
static bool find_place(Place *place, const char *param, int n_ratios)
{
    int stage, unit, used = 0, last = 3 * n_ratios + 3;
    const char *rest = param + 8; /* both directions have seven letters and a dot */

    *place = (Place){.encoder = strncmp(param, "encoder.", 8) == 0, .inner = "", .suffix = strrchr(param, '.')};
    if ((!place->encoder && strncmp(param, "decoder.", 8) != 0) || !place->suffix)
        return false;
    place->suffix++;
    if (strncmp(rest, "lstm.", 5) == 0) {
        place->lstm = true;
        place->number = place->encoder ? last - 2 : 1;
    } else if (strncmp(rest, "in.", 3) == 0) {
        place->number = 0;
    } else if (strncmp(rest, "out.", 4) == 0) {
        place->number = last;
    } else if (sscanf(rest, "stages.%d.units.%d.%n", &stage, &unit, &used) == 2 && used > 0 && unit == 0) {
        place->number = place->encoder ? 3 * stage + 1 : 3 * stage + 4;
        place->inner = strncmp(rest + used, "conv.", 5) == 0         ? ".block.1"
                       : strncmp(rest + used, "pointwise.", 10) == 0 ? ".block.3"
                                                                     : ".shortcut";
    } else if (sscanf(rest, "stages.%d.%n", &stage, &used) == 1 && used > 0) {
        place->number = 3 * stage + 3;
        place->transposed = !place->encoder;
    } else {
        return false;
    }
    return true;
}

/* The suffix in its two spellings of weight norm. */
static const char *weight_suffix(const char *suffix, bool parametrized)
{
    if (parametrized && strcmp(suffix, "weight_g") == 0)
        return "parametrizations.weight.original0";
    if (parametrized && strcmp(suffix, "weight_v") == 0)
        return "parametrizations.weight.original1";
    return suffix;
}

/* Names of the hub (i even: weight_g, or parametrizations) and of the original code. */
static bool name_there(char out[IMPORT_NAME_SIZE], const char *param, int i, const void *ctx)
{
    const bool original = i >= 2, parametrized = i & 1;
    const char *side = strncmp(param, "encoder.", 8) == 0 ? "encoder" : "decoder";
    int n_ratios = *(const int *)ctx, stage;
    Place p;

    if (i >= 4)
        return false;
    if (sscanf(param, "rvq.%d.", &stage) == 1) {
        snprintf(out, IMPORT_NAME_SIZE,
                 original ? "quantizer.vq.layers.%d._codebook.embed" : "quantizer.layers.%d.codebook.embed", stage);
        return true;
    }
    if (!find_place(&p, param, n_ratios))
        return false;
    if (p.lstm)
        snprintf(out, IMPORT_NAME_SIZE, "%s.%s.%d.lstm.%s", side, original ? "model" : "layers", p.number, p.suffix);
    else if (strncmp(p.suffix, "norm_", 5) == 0)
        snprintf(out, IMPORT_NAME_SIZE, "%s.%s.%d%s.%snorm.%s", side, original ? "model" : "layers", p.number, p.inner,
                 !original      ? ""
                 : p.transposed ? "convtr."
                                : "conv.",
                 p.suffix + 5);
    else
        snprintf(out, IMPORT_NAME_SIZE, "%s.%s.%d%s.%s.%s", side, original ? "model" : "layers", p.number, p.inner,
                 !original      ? "conv"
                 : p.transposed ? "convtr.convtr"
                                : "conv.conv",
                 weight_suffix(p.suffix, parametrized));
    return true;
}

/* State of the codebooks' training. */
static bool may_ignore(const char *array)
{
    const char *const suffixes[] = {".inited", ".cluster_size", ".embed_avg"};
    size_t len = strlen(array);

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (len > strlen(suffixes[i]) && strcmp(array + len - strlen(suffixes[i]), suffixes[i]) == 0)
            return strncmp(array, "quantizer.", 10) == 0;
    return false;
}

/* ---- sizes ---- */

/* A weight of the original code or of the hub: "encoder", 0, "", "conv". */
static const CheckpointArray *find_weight(const Checkpoint *file, const char *side, int number, const char *inner,
                                          bool up)
{
    const char *const suffixes[] = {"weight_v", "weight", "parametrizations.weight.original1"};
    char name[IMPORT_NAME_SIZE];

    for (size_t i = 0; i < 2 * sizeof suffixes / sizeof *suffixes; i++) {
        const bool original = i & 1;
        const CheckpointArray *array;

        snprintf(name, sizeof name, "%s.%s.%d%s.%s.%s", side, original ? "model" : "layers", number, inner,
                 !original ? "conv"
                 : up      ? "convtr.convtr"
                           : "conv.conv",
                 suffixes[i / 2]);
        array = checkpoint_find(file, name);
        if (array && array->n_dims == 3)
            return array;
    }
    return NULL;
}

static const CheckpointArray *find_codebook(const Checkpoint *file, int stage)
{
    const CheckpointArray *array;
    char name[IMPORT_NAME_SIZE];

    snprintf(name, sizeof name, "quantizer.layers.%d.codebook.embed", stage);
    array = checkpoint_find(file, name);
    if (!array) {
        snprintf(name, sizeof name, "quantizer.vq.layers.%d._codebook.embed", stage);
        array = checkpoint_find(file, name);
    }
    return array && array->n_dims == 2 ? array : NULL;
}

bool encodec_is_model(const Checkpoint *file)
{
    return find_codebook(file, 0) && find_weight(file, "encoder", 0, "", false) &&
           find_weight(file, "decoder", 3, "", true);
}

/* A size that fits an int, or -1, which no configuration accepts. */
static int size_at(const CheckpointArray *array, int axis)
{
    return array && array->shape[axis] <= INT32_MAX ? (int)array->shape[axis] : -1;
}

static int count_lstm_layers(const Checkpoint *file, int number)
{
    int n = 0;
    char name[2][IMPORT_NAME_SIZE];

    do {
        snprintf(name[0], sizeof name[0], "encoder.layers.%d.lstm.weight_hh_l%d", number, n);
        snprintf(name[1], sizeof name[1], "encoder.model.%d.lstm.weight_hh_l%d", number, n);
    } while ((checkpoint_find(file, name[0]) || checkpoint_find(file, name[1])) && ++n < 100);
    return n;
}

static bool has_suffix(const Checkpoint *file, const char *part)
{
    for (size_t i = 0; i < checkpoint_count(file); i++)
        if (strstr(checkpoint_array(file, i)->name, part))
            return true;
    return false;
}

static void sizes_from_shapes(AudioCodecConfig *cfg, const Checkpoint *file)
{
    const CheckpointArray *first = find_weight(file, "encoder", 0, "", false), *up;
    const CheckpointArray *inner = find_weight(file, "encoder", 1, ".block.1", false), *last;
    SeanetConfig *net = &cfg->seanet;

    net->channels = size_at(first, 1);
    net->base_channels = size_at(first, 0);
    net->kernel = size_at(first, 2);
    while (net->n_ratios < SEANET_MAX_STAGES && (up = find_weight(file, "decoder", 3 * net->n_ratios + 3, "", true)) &&
           find_weight(file, "decoder", 3 * net->n_ratios + 4, ".block.1",
                       false)) /* a unit follows; the last layer has none */
        net->ratios[net->n_ratios++] = size_at(up, 2) / 2;
    last = find_weight(file, "encoder", 3 * net->n_ratios + 3, "", false);
    net->latent_dim = size_at(last, 0);
    net->last_kernel = size_at(last, 2);
    net->residual_kernel = size_at(inner, 2);
    net->compress = size_at(inner, 0) > 0 ? net->base_channels / size_at(inner, 0) : -1;
    net->true_skip = !find_weight(file, "encoder", 1, ".shortcut", false);
    net->n_lstm = count_lstm_layers(file, 3 * net->n_ratios + 1);
    net->n_residual = 1;
    net->dilation_base = 2;
    net->norm = has_suffix(file, "conv.weight_g") || has_suffix(file, "original0") ? SEANET_NORM_WEIGHT
                : has_suffix(file, ".norm.weight")                                 ? SEANET_NORM_GROUP
                                                                                   : SEANET_NORM_NONE;
    while (cfg->rvq.n_q < RVQ_MAX_STAGES + 1 && find_codebook(file, cfg->rvq.n_q))
        cfg->rvq.n_q++;
    cfg->rvq.codebook_size = size_at(find_codebook(file, 0), 0);
    cfg->rvq.dim = size_at(find_codebook(file, 0), 1);
}

static void published_defaults(AudioCodecConfig *cfg)
{
    bool segments = cfg->seanet.norm == SEANET_NORM_GROUP;

    snprintf(cfg->name, sizeof cfg->name, "%s", segments ? "encodec_48khz" : "encodec_24khz");
    cfg->rate_hz = segments ? 48000 : 24000;
    cfg->seanet.causal = !segments;
    cfg->seanet.pad = PAD_REFLECT;
    cfg->normalize = segments;
    cfg->segment_seconds = segments ? 1.0 : 0.0;
    cfg->segment_overlap = segments ? 0.01 : 0.0;
    cfg->rvq.ema_decay = 0.99f;
    cfg->rvq.dead_below = 0.1f;
}

/* ---- what a configuration of the hub says ---- */

static bool config_number(const Checkpoint *file, const char *key, double *value)
{
    const char *text = checkpoint_metadata(file, key);
    char *end;

    if (!text)
        return false;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value);
}

static bool config_flag(const Checkpoint *file, const char *key, bool *value)
{
    const char *text = checkpoint_metadata(file, key);

    if (!text)
        return false;
    *value = strcmp(text, "true") == 0;
    return true;
}

static RsdStatus apply_config(AudioCodecConfig *cfg, const Checkpoint *file, RsdError *err)
{
    const char *type = checkpoint_metadata(file, CONFIG "model_type"),
               *pad = checkpoint_metadata(file, CONFIG "pad_mode");
    double number;
    RsdStatus status = RSD_OK;

    CHECK(!type || strcmp(type, "encodec") == 0, err, RSD_ERR_UNSUPPORTED,
          "the configuration is of model type %.40s, expected encodec", type);
    if (config_number(file, CONFIG "sampling_rate", &number))
        cfg->rate_hz = number >= 1 && number <= 1e6 ? (int)number : -1;
    if (config_number(file, CONFIG "dilation_growth_rate", &number))
        cfg->seanet.dilation_base = number >= 1 && number <= 100 ? (int)number : -1;
    config_flag(file, CONFIG "use_causal_conv", &cfg->seanet.causal);
    config_flag(file, CONFIG "normalize", &cfg->normalize);
    if (type) { /* null means whole files */
        cfg->segment_seconds = 0.0;
        cfg->segment_overlap = 0.0;
    }
    if (config_number(file, CONFIG "chunk_length_s", &number))
        cfg->segment_seconds = number;
    if (config_number(file, CONFIG "overlap", &number) && cfg->segment_seconds > 0)
        cfg->segment_overlap = number;
    CHECK(!pad || strcmp(pad, "reflect") == 0 || strcmp(pad, "constant") == 0, err, RSD_ERR_UNSUPPORTED,
          "pad_mode is %.40s; reflect and constant are known", pad);
    if (pad)
        cfg->seanet.pad = strcmp(pad, "reflect") == 0 ? PAD_REFLECT : PAD_ZERO;
    CHECK(!config_number(file, CONFIG "trim_right_ratio", &number) || number == 1.0, err, RSD_ERR_UNSUPPORTED,
          "trim_right_ratio is %g; only 1 is known", number);
    CHECK(!config_number(file, CONFIG "num_residual_layers", &number) || number == 1.0, err, RSD_ERR_UNSUPPORTED,
          "num_residual_layers is %g; only 1 is known", number);
fail:
    return status;
}

/* ---- importing ---- */

RsdStatus encodec_import(AudioCodec **out, Checkpoint *file, AudioCodecUse use, RsdError *err)
{
    AudioCodec *codec = NULL;
    AudioCodecConfig cfg = {.rate_hz = 0};
    uint8_t digest[32];
    ImportRules rules = {.name = name_there, .may_ignore = may_ignore};
    RsdStatus status = RSD_OK;

    *out = NULL;
    sizes_from_shapes(&cfg, file);
    published_defaults(&cfg);
    TRY(apply_config(&cfg, file, err));
    if (audio_codec_check_config(&cfg, err) != RSD_OK)
        TRY(error_prefix(err, RSD_ERR_CORRUPT, "no EnCodec model: impossible configuration"));
    TRY(import_check_size(file, audio_codec_count_parameters(&cfg), err));
    TRY(audio_codec_create_empty(&codec, &cfg, use, err));
    rules.ctx = &cfg.seanet.n_ratios;
    TRY(import_params(codec->params, file, &rules, err));
    rvq_refresh(codec->rvq);
    TRY(seanet_freeze(codec->net, err));
    TRY(checkpoint_hash(file, digest, err));
    memcpy(codec->hash, digest, MODEL_HASH_SIZE);
    *out = codec;
    return RSD_OK;
fail:
    audio_codec_destroy(&codec);
    return status;
}
