/* image_codec_file.c - files of picture codecs: the configuration as metadata, float weights, the prior as integers
 * (docs/model-file.md).
 *
 * The float prior is not in a file: it is made of the integers when a codec is loaded, so that both always say the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/checkpoint.h"
#include "models/builtin.h"
#include "models/image_net.h"
#include "models/image_prior.h"
#include "models/image_steps.h"
#include "models/stage_prior.h"

#define KEY_PREFIX "residua."
#define KEY_KIND KEY_PREFIX "kind"
#define KEY_VERSION KEY_PREFIX "version"
#define KEY_NAME KEY_PREFIX "name"
#define KIND "image-codec"
#define VERSION "1"
#define VALUE_SIZE 64
#define KEY_QUANTIZER KEY_PREFIX "image.quantizer" /* not there: scalar */
static const char *const quantizer_names[] = {[IMAGE_RVQ] = "rvq", [IMAGE_FSQ] = "fsq", [IMAGE_BSQ] = "bsq"};

/* Codecs that have a field. */
typedef enum FieldUse { USE_ALL, USE_SCALAR, USE_CODES } FieldUse;

/* A key holds one number, or one for each scale with commas between. */
typedef struct Field {
    const char *key;
    size_t at;
    int n;
    bool optional; /* not there: 0 */
    FieldUse use;
} Field;

#define AT(member) offsetof(ImageCodecConfig, member)
static const Field fields[] = {{KEY_PREFIX "image.latent", AT(latent), 1, false, USE_ALL},
                               {KEY_PREFIX "image.hyper", AT(hyper), 1, false, USE_SCALAR},
                               {KEY_PREFIX "image.widths", AT(widths), IMAGE_SCALES, false, USE_ALL},
                               {KEY_PREFIX "image.encoder_blocks", AT(encoder_blocks), IMAGE_SCALES, false, USE_ALL},
                               {KEY_PREFIX "image.decoder_blocks", AT(decoder_blocks), IMAGE_SCALES, false, USE_ALL},
                               {KEY_PREFIX "image.context", AT(context), 1, false, USE_ALL},
                               {KEY_PREFIX "image.entropy", AT(entropy), 1, false, USE_SCALAR},
                               {KEY_PREFIX "image.steps", AT(steps), 1, true, USE_SCALAR},
                               {KEY_PREFIX "image.heads", AT(heads), 1, true, USE_ALL},
                               {KEY_PREFIX "image.codebooks", AT(codebooks), 1, false, USE_CODES},
                               {KEY_PREFIX "image.codebook_size", AT(codebook_size), 1, false, USE_CODES}};
#define N_FIELDS (sizeof fields / sizeof *fields)

/* ---- configuration ---- */

static bool has_field(const ImageCodecConfig *cfg, const Field *field)
{
    return field->use == USE_ALL || (field->use == USE_CODES) == (cfg->quantizer != IMAGE_SCALAR);
}

RsdStatus image_codec_write_config(const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(image_codec_check_config(cfg, err));
    TRY(safetensors_writer_metadata(writer, KEY_KIND, KIND, err));
    TRY(safetensors_writer_metadata(writer, KEY_VERSION, VERSION, err));
    TRY(safetensors_writer_metadata(writer, KEY_NAME, cfg->name, err));
    if (cfg->quantizer != IMAGE_SCALAR)
        TRY(safetensors_writer_metadata(writer, KEY_QUANTIZER, quantizer_names[cfg->quantizer], err));
    for (size_t i = 0; i < N_FIELDS; i++) {
        const int *values = (const int *)((const char *)cfg + fields[i].at);
        char text[VALUE_SIZE];
        size_t used = 0;

        if (!has_field(cfg, &fields[i]) || (fields[i].optional && values[0] == 0))
            continue;
        for (int k = 0; k < fields[i].n; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", k ? "," : "", values[k]);
        TRY(safetensors_writer_metadata(writer, fields[i].key, text, err));
    }
fail:
    return status;
}

static bool read_numbers(int *values, int n, const char *text)
{
    for (int i = 0; i < n; i++) {
        char *end;
        long value;

        if (*text < '0' || *text > '9')
            return false;
        errno = 0;
        value = strtol(text, &end, 10);
        if (errno || value > INT32_MAX || *end != (i + 1 < n ? ',' : '\0'))
            return false;
        values[i] = (int)value;
        text = end + 1;
    }
    return true;
}

static bool is_known_key(const char *key)
{
    if (strcmp(key, KEY_KIND) == 0 || strcmp(key, KEY_VERSION) == 0 || strcmp(key, KEY_NAME) == 0 || strcmp(key, KEY_QUANTIZER) == 0 ||
        strcmp(key, MODEL_BASES_KEY) == 0)
        return true;
    for (size_t i = 0; i < N_FIELDS; i++)
        if (strcmp(key, fields[i].key) == 0)
            return true;
    return false;
}

/* Kind, version, and no key that this program does not know: it may change what the weights mean. */
static RsdStatus check_keys(const Safetensors *st, RsdError *err)
{
    const char *kind = safetensors_metadata(st, KEY_KIND), *version = safetensors_metadata(st, KEY_VERSION);
    RsdStatus status = RSD_OK;

    CHECK(kind, err, RSD_ERR_UNSUPPORTED, "not a residua model: its metadata have no " KEY_KIND);
    CHECK(strcmp(kind, KIND) == 0, err, RSD_ERR_UNSUPPORTED, KEY_KIND " is %.40s, expected " KIND, kind);
    CHECK(version, err, RSD_ERR_CORRUPT, KEY_VERSION " is missing");
    CHECK(strcmp(version, VERSION) == 0, err, RSD_ERR_UNSUPPORTED,
          KEY_VERSION " is %.40s, this program reads version " VERSION, version);
    for (size_t i = 0; i < safetensors_metadata_count(st); i++) {
        const char *key, *value;

        safetensors_metadata_at(st, i, &key, &value);
        CHECK(strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) != 0 || is_known_key(key), err, RSD_ERR_UNSUPPORTED,
              "unknown key %.80s; was the file made by a newer version?", key);
    }
fail:
    return status;
}

RsdStatus image_codec_read_config(ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    const char *name, *quantizer;
    RsdStatus status = RSD_OK;

    memset(cfg, 0, sizeof *cfg);
    TRY(check_keys(st, err));
    name = safetensors_metadata(st, KEY_NAME);
    CHECK(name && strlen(name) < MODEL_NAME_SIZE, err, RSD_ERR_CORRUPT, KEY_NAME " is missing or too long");
    strcpy(cfg->name, name);
    quantizer = safetensors_metadata(st, KEY_QUANTIZER);
    cfg->quantizer = quantizer ? IMAGE_RVQ : IMAGE_SCALAR;
    while (quantizer && cfg->quantizer <= IMAGE_BSQ && strcmp(quantizer, quantizer_names[cfg->quantizer]) != 0)
        cfg->quantizer++;
    CHECK(cfg->quantizer <= IMAGE_BSQ, err, RSD_ERR_UNSUPPORTED, KEY_QUANTIZER " is %.40s, this program knows rvq, fsq and bsq", quantizer);
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *text = safetensors_metadata(st, fields[i].key);

        CHECK(!text || has_field(cfg, &fields[i]), err, RSD_ERR_CORRUPT, "%s does not belong to its quantizer", fields[i].key);
        if (!text && (fields[i].optional || !has_field(cfg, &fields[i])))
            continue;
        CHECK(text, err, RSD_ERR_CORRUPT, "key %s is missing", fields[i].key);
        CHECK(read_numbers((int *)((char *)cfg + fields[i].at), fields[i].n, text), err, RSD_ERR_CORRUPT,
              "%s is \"%.40s\", expected %s", fields[i].key, text,
              fields[i].n == 1 ? "a whole number" : "three whole numbers with commas between");
    }
    if (image_codec_check_config(cfg, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "impossible configuration");
fail:
    return status;
}

/* ---- writing ---- */

RsdStatus image_codec_write_prior(const ImageCodec *codec, SafetensorsWriter *writer, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (codec->config.quantizer != IMAGE_SCALAR)
        return stage_prior_save(codec->stage_prior, writer, err);
    TRY(integer_prior_save(codec->prior, &codec->config, writer, err));
    if (codec->steps)
        TRY(integer_steps_save(codec->steps, &codec->config, writer, err));
fail:
    return status;
}

RsdStatus image_codec_save(ImageCodec *codec, const char *path, Dtype stored_as, const char *const *notes, RsdError *err)
{
    SafetensorsWriter *writer = NULL;
    RsdStatus status = RSD_OK;

    if (!codec->params->for_inference)
        TRY(image_codec_make_prior(codec, err));
    TRY(safetensors_writer_create(&writer, err));
    TRY(image_codec_write_config(&codec->config, writer, err));
    TRY(model_bases_write(&codec->bases, writer, err)); /* whatever stored_as says: what is coded is in the prior's integers */
    for (size_t i = 0; notes && notes[i]; i += 2) {
        CHECK(notes[i + 1], err, RSD_ERR_ARG, "note %s has no value", notes[i]);
        CHECK(strncmp(notes[i], KEY_PREFIX, strlen(KEY_PREFIX)) != 0, err, RSD_ERR_ARG,
              "note %s begins like a configuration key", notes[i]);
        TRY(safetensors_writer_metadata(writer, notes[i], notes[i + 1], err));
    }
    TRY(params_save_for_inference(codec->params, writer, "", stored_as, err));
    TRY(image_codec_write_prior(codec, writer, err));
    TRY(safetensors_writer_finish(writer, path, err));
fail:
    safetensors_writer_destroy(&writer);
    return status;
}

/* ---- reading ---- */

/* Before memory is taken: what the file holds bounds what its configuration may ask for. */
static RsdStatus check_size(const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    const int64_t n_needed = image_codec_count_parameters(cfg);
    int64_t n_held = 0;

    for (size_t i = 0; i < safetensors_count(st); i++) {
        const SafetensorsEntry *entry = safetensors_entry(st, i);

        n_held += (int64_t)(entry->size / dtype_size(entry->dtype));
    }
    if (n_held < n_needed)
        return error_set(err, RSD_ERR_CORRUPT, "the arrays hold %lld numbers, the configuration needs %lld", (long long)n_held,
                         (long long)n_needed);
    return RSD_OK;
}

/* And, for other uses than decoding, the float forms of it. */
static RsdStatus load_prior(ImageCodec *codec, const Safetensors *st, bool decodes, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (codec->config.quantizer != IMAGE_SCALAR) {
        TRY(stage_prior_load(&codec->stage_prior, &codec->config, st, err));
        if (decodes)
            return RSD_OK;
        stage_prior_to_float(codec->stage_prior, codec);
        rvq_refresh(codec->rvq);
    } else {
        TRY(integer_prior_load(&codec->prior, &codec->config, st, err));
        if (!decodes)
            integer_prior_to_float(codec->prior, codec);
        if (codec->config.steps) {
            TRY(integer_steps_load(&codec->steps, &codec->config, st, err));
            codec->prior->steps = codec->steps;
            if (!decodes)
                integer_steps_to_float(codec->steps, codec);
        }
    }
fail:
    return status;
}

RsdStatus image_codec_keep_prior(ImageCodec *codec, const Safetensors *st, RsdError *err)
{
    IntegerPrior *prior = NULL;
    StagePrior *stage_prior = NULL;
    RsdStatus status = RSD_OK;

    if (codec->config.quantizer != IMAGE_SCALAR)
        TRY(stage_prior_load(&stage_prior, &codec->config, st, err));
    else
        TRY(integer_prior_load(&prior, &codec->config, st, err));
    integer_prior_destroy(&codec->prior);
    stage_prior_destroy(&codec->stage_prior);
    codec->prior = prior;
    codec->stage_prior = stage_prior;
    codec->keeps_prior = true;
fail:
    return status;
}

static RsdStatus take_weight(void *ctx, Tensor *weight, RsdError *err)
{
    ImageCodec *codec = ctx;

    return image_net_take(codec->net, weight, err);
}

/* What a set of weights for decoding is without. */
static void leave_out_encoder(ImageCodec *codec)
{
    static const char *const names[] = {"encoder.", "hyper.", "prior.", "steps.", NULL};

    codec->params->left_out = names;
    codec->params->take = take_weight;
    codec->params->take_ctx = codec;
}

static RsdStatus from_safetensors(ImageCodec **out, const Safetensors *st, const uint8_t hash[MODEL_HASH_SIZE], ImageCodecUse use,
                                  RsdError *err)
{
    const bool decodes = use == IMAGE_USE_DECODE;
    ImageCodec *codec = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&codec, 1, sizeof *codec, err));
    TRY(image_codec_read_config(&codec->config, st, err));
    TRY(check_size(&codec->config, st, err));
    TRY(model_bases_read(&codec->bases, st, err));
    TRY(params_create_for_inference(&codec->params, decodes ? 0 : image_codec_count_parameters(&codec->config), err));
    if (decodes)
        leave_out_encoder(codec);
    TRY(image_codec_add_params(codec, 0, err));
    TRY(params_load(codec->params, st, "", err));
    TRY(load_prior(codec, st, decodes, err));
    if (!decodes)
        TRY(image_codec_freeze(codec, err));
    memcpy(codec->hash, hash, MODEL_HASH_SIZE);
    *out = codec;
    return RSD_OK;
fail:
    image_codec_destroy(&codec);
    return status;
}

RsdStatus image_codec_load_for(ImageCodec **out, const char *path, ImageCodecUse use, RsdError *err)
{
    Safetensors *st = NULL;
    uint8_t digest[32];
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(safetensors_open(&st, path, err));
    safetensors_hash(st, digest);
    status = from_safetensors(out, st, digest, use, err);
    if (status != RSD_OK && err && strncmp(err->text, path, strlen(path)) != 0)
        error_prefix(err, status, "%s", path);
fail:
    safetensors_close(&st);
    return status;
}

RsdStatus image_codec_load(ImageCodec **out, const char *path, RsdError *err)
{
    return image_codec_load_for(out, path, IMAGE_USE_ALL, err);
}

/* ---- inside the program ---- */

const char *image_codec_builtin_name(size_t i)
{
    for (const BuiltinModel *model = builtin_models; model->name; model++)
        if (model->kind == BUILTIN_IMAGE && i-- == 0)
            return model->name;
    return NULL;
}

RsdStatus image_codec_load_builtin(ImageCodec **out, const char *name, ImageCodecUse use, RsdError *err)
{
    Safetensors *st = NULL;
    const BuiltinModel *model;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(builtin_find(&model, BUILTIN_IMAGE, name, err));
    TRY(safetensors_open_memory(&st, model->data, (size_t)(model->end - model->data), model->name, err));
    TRY(from_safetensors(out, st, model->hash, use, err));
fail:
    safetensors_close(&st);
    return status;
}

RsdStatus image_codec_load_named(ImageCodec **out, const char *name, ImageCodecUse use, RsdError *err)
{
    if (builtin_is_meant(BUILTIN_IMAGE, name))
        return image_codec_load_builtin(out, name, use, err);
    return image_codec_load_for(out, name, use, err);
}
