/* audio_codec_file.c - model files: the configuration as safetensors metadata, loading, saving (docs/model-file.md).
 *
 * One table maps fields of AudioCodecConfig to metadata keys, in both directions. A model file may come from anywhere:
 * every key must be known, present and in range, and the arrays of the file must be at least as many numbers as the
 * configuration asks for, before memory is taken for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/audio_codec_file.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/weights/checkpoint.h"
#include "models/dac_import.h"
#include "models/encodec.h"

#define KEY_PREFIX "residua."
#define KEY_KIND KEY_PREFIX "kind"
#define KEY_VERSION KEY_PREFIX "version"
#define KIND "audio-codec"
#define KIND_PROJECTED "audio-codec-projected"
#define KIND_DAC "audio-codec-dac"
#define KIND_FSQ "audio-codec-fsq"
#define KIND_BSQ "audio-codec-bsq"
#define VERSION "1"
#define VALUE_SIZE 128
#define RATIOS_EXPECTED "whole numbers with commas between, at most 8"
#define LEVELS_EXPECTED "whole numbers with commas between, at most 16"

/* ---- fields ---- */

typedef enum FieldType { FIELD_NAME, FIELD_INT, FIELD_FLOAT, FIELD_DOUBLE, FIELD_BOOL, FIELD_PAD, FIELD_NORM, FIELD_RATIOS,
                         FIELD_ENCODER_RATES, FIELD_DECODER_RATES, FIELD_STRIDES, FIELD_LEVELS } FieldType;

typedef struct Field {
    const char *key;
    FieldType type;
    size_t at;     /* in AudioCodecConfig */
    bool optional; /* zero when it is not there; only written when it is not zero */
} Field;

#define AT(member) offsetof(AudioCodecConfig, member)
/* What all kinds with a SEANet have. */
#define SEANET_FIELDS \
    {KEY_PREFIX "name", FIELD_NAME, AT(name), false}, \
    {KEY_PREFIX "rate_hz", FIELD_INT, AT(rate_hz), false}, \
    {KEY_PREFIX "seanet.channels", FIELD_INT, AT(seanet.channels), false}, \
    {KEY_PREFIX "seanet.base_channels", FIELD_INT, AT(seanet.base_channels), false}, \
    {KEY_PREFIX "seanet.ratios", FIELD_RATIOS, AT(seanet.ratios), false}, \
    {KEY_PREFIX "seanet.latent_dim", FIELD_INT, AT(seanet.latent_dim), false}, \
    {KEY_PREFIX "seanet.kernel", FIELD_INT, AT(seanet.kernel), false}, \
    {KEY_PREFIX "seanet.last_kernel", FIELD_INT, AT(seanet.last_kernel), false}, \
    {KEY_PREFIX "seanet.residual_kernel", FIELD_INT, AT(seanet.residual_kernel), false}, \
    {KEY_PREFIX "seanet.n_residual", FIELD_INT, AT(seanet.n_residual), false}, \
    {KEY_PREFIX "seanet.dilation_base", FIELD_INT, AT(seanet.dilation_base), false}, \
    {KEY_PREFIX "seanet.compress", FIELD_INT, AT(seanet.compress), false}, \
    {KEY_PREFIX "seanet.n_lstm", FIELD_INT, AT(seanet.n_lstm), false}, \
    {KEY_PREFIX "seanet.causal", FIELD_BOOL, AT(seanet.causal), false}, \
    {KEY_PREFIX "seanet.true_skip", FIELD_BOOL, AT(seanet.true_skip), false}, \
    {KEY_PREFIX "seanet.pad", FIELD_PAD, AT(seanet.pad), false}, \
    {KEY_PREFIX "seanet.norm", FIELD_NORM, AT(seanet.norm), false},
/* Of a projected quantiser. */
#define PROJECTED_FIELDS \
    {KEY_PREFIX "rvq.n_q", FIELD_INT, AT(projected_rvq.n_q), false}, \
    {KEY_PREFIX "rvq.codebook_size", FIELD_INT, AT(projected_rvq.codebook_size), false}, \
    {KEY_PREFIX "rvq.code_dim", FIELD_INT, AT(projected_rvq.code_dim), false}, \
    {KEY_PREFIX "rvq.dim", FIELD_INT, AT(projected_rvq.dim), false},

static const Field seanet_fields[] = {
    SEANET_FIELDS
    {KEY_PREFIX "rvq.n_q", FIELD_INT, AT(rvq.n_q), false},
    {KEY_PREFIX "rvq.codebook_size", FIELD_INT, AT(rvq.codebook_size), false},
    {KEY_PREFIX "rvq.dim", FIELD_INT, AT(rvq.dim), false},
    {KEY_PREFIX "rvq.ema_decay", FIELD_FLOAT, AT(rvq.ema_decay), false},
    {KEY_PREFIX "rvq.dead_below", FIELD_FLOAT, AT(rvq.dead_below), false},
    {KEY_PREFIX "normalize", FIELD_BOOL, AT(normalize), true},
    {KEY_PREFIX "segment_seconds", FIELD_DOUBLE, AT(segment_seconds), true},
    {KEY_PREFIX "segment_overlap", FIELD_DOUBLE, AT(segment_overlap), true},
};

static const Field projected_fields[] = {
    SEANET_FIELDS PROJECTED_FIELDS
    {KEY_PREFIX "rvq.strides", FIELD_STRIDES, AT(projected_rvq.strides), true},
};

static const Field fsq_fields[] = {
    SEANET_FIELDS
    {KEY_PREFIX "rvq.n_q", FIELD_INT, AT(projected_rvq.n_q), false},
    {KEY_PREFIX "rvq.levels", FIELD_LEVELS, AT(projected_rvq.levels), false},
    {KEY_PREFIX "rvq.dim", FIELD_INT, AT(projected_rvq.dim), false},
    {KEY_PREFIX "rvq.strides", FIELD_STRIDES, AT(projected_rvq.strides), true},
};

static const Field bsq_fields[] = {
    SEANET_FIELDS
    {KEY_PREFIX "rvq.n_q", FIELD_INT, AT(projected_rvq.n_q), false},
    {KEY_PREFIX "rvq.code_dim", FIELD_INT, AT(projected_rvq.code_dim), false},
    {KEY_PREFIX "rvq.dim", FIELD_INT, AT(projected_rvq.dim), false},
    {KEY_PREFIX "rvq.strides", FIELD_STRIDES, AT(projected_rvq.strides), true},
};

static const Field dac_fields[] = {
    {KEY_PREFIX "name", FIELD_NAME, AT(name), false},
    {KEY_PREFIX "rate_hz", FIELD_INT, AT(rate_hz), false},
    {KEY_PREFIX "dac.encoder_dim", FIELD_INT, AT(dac.encoder_dim), false},
    {KEY_PREFIX "dac.encoder_rates", FIELD_ENCODER_RATES, AT(dac.encoder_rates), false},
    {KEY_PREFIX "dac.latent_dim", FIELD_INT, AT(dac.latent_dim), false},
    {KEY_PREFIX "dac.decoder_dim", FIELD_INT, AT(dac.decoder_dim), false},
    {KEY_PREFIX "dac.decoder_rates", FIELD_DECODER_RATES, AT(dac.decoder_rates), false},
    PROJECTED_FIELDS
};

/* The keys of one kind of model file. */
typedef struct Kind {
    const char *name;
    AudioNetwork network;
    AudioQuantizer quantizer;
    const Field *fields;
    size_t n_fields;
} Kind;

static const Kind kinds[] = {
    {KIND, AUDIO_SEANET, AUDIO_RVQ, seanet_fields, sizeof seanet_fields / sizeof *seanet_fields},
    {KIND_PROJECTED, AUDIO_SEANET, AUDIO_PROJECTED, projected_fields, sizeof projected_fields / sizeof *projected_fields},
    {KIND_FSQ, AUDIO_SEANET, AUDIO_FSQ, fsq_fields, sizeof fsq_fields / sizeof *fsq_fields},
    {KIND_BSQ, AUDIO_SEANET, AUDIO_BSQ, bsq_fields, sizeof bsq_fields / sizeof *bsq_fields},
    {KIND_DAC, AUDIO_DAC, AUDIO_PROJECTED, dac_fields, sizeof dac_fields / sizeof *dac_fields}};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static const char *const bool_words[] = {"false", "true"};
static const char *const pad_words[] = {"zero", "reflect"};           /* values of PadMode */
static const char *const norm_words[] = {"none", "weight", "group"};  /* values of SeanetNorm */

/* ---- writing ---- */

static void write_ratios(char text[VALUE_SIZE], const int *ratios, int n)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, VALUE_SIZE - used, "%s%d", i ? "," : "", ratios[i]);
}

static void write_field(char text[VALUE_SIZE], const AudioCodecConfig *cfg, const Field *field)
{
    const void *at = (const char *)cfg + field->at;

    switch (field->type) {
    case FIELD_NAME:
        snprintf(text, VALUE_SIZE, "%s", (const char *)at);
        break;
    case FIELD_INT:
        snprintf(text, VALUE_SIZE, "%d", *(const int *)at);
        break;
    case FIELD_FLOAT:
        snprintf(text, VALUE_SIZE, "%.9g", (double)*(const float *)at);
        break;
    case FIELD_DOUBLE:
        snprintf(text, VALUE_SIZE, "%.17g", *(const double *)at);
        break;
    case FIELD_BOOL:
        snprintf(text, VALUE_SIZE, "%s", bool_words[*(const bool *)at]);
        break;
    case FIELD_PAD:
        snprintf(text, VALUE_SIZE, "%s", pad_words[*(const PadMode *)at]);
        break;
    case FIELD_NORM:
        snprintf(text, VALUE_SIZE, "%s", norm_words[*(const SeanetNorm *)at]);
        break;
    case FIELD_RATIOS:
        write_ratios(text, cfg->seanet.ratios, cfg->seanet.n_ratios);
        break;
    case FIELD_ENCODER_RATES:
        write_ratios(text, cfg->dac.encoder_rates, cfg->dac.n_encoder_rates);
        break;
    case FIELD_DECODER_RATES:
        write_ratios(text, cfg->dac.decoder_rates, cfg->dac.n_decoder_rates);
        break;
    case FIELD_STRIDES: /* that of all stages is 1 when that of the first is */
        if (projected_rvq_stride(&cfg->projected_rvq, 0) > 1)
            write_ratios(text, cfg->projected_rvq.strides, cfg->projected_rvq.n_strides);
        else
            text[0] = '\0';
        break;
    case FIELD_LEVELS:
        write_ratios(text, cfg->projected_rvq.levels, cfg->projected_rvq.n_levels);
        break;
    }
}

static const Kind *kind_of(const AudioCodecConfig *cfg)
{
    const Kind *kind = kinds;

    while (kind->network != cfg->network || (kind->network == AUDIO_SEANET && (int)kind->quantizer != cfg->quantizer))
        kind++;
    return kind;
}

RsdStatus audio_codec_write_config(const AudioCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err)
{
    const Kind *kind;
    RsdStatus status = RSD_OK;

    TRY(audio_codec_check_config(cfg, err)); /* the words of an enum out of range do not exist */
    kind = kind_of(cfg);
    TRY(safetensors_writer_metadata(writer, KEY_KIND, kind->name, err));
    TRY(safetensors_writer_metadata(writer, KEY_VERSION, VERSION, err));
    for (size_t i = 0; i < kind->n_fields; i++) {
        char text[VALUE_SIZE];

        write_field(text, cfg, &kind->fields[i]);
        if (kind->fields[i].optional && (strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || !*text))
            continue;
        TRY(safetensors_writer_metadata(writer, kind->fields[i].key, text, err));
    }
fail:
    return status;
}

RsdStatus audio_codec_save(const AudioCodec *codec, const char *path, Dtype stored_as, bool with_training_state,
                           const char *const *notes, RsdError *err)
{
    SafetensorsWriter *writer = NULL;
    RsdStatus status = RSD_OK;

    CHECK(!with_training_state || !codec->params->for_inference, err, RSD_ERR_ARG,
          "%s: the model was loaded for inference and has no training state to save", path);
    TRY(safetensors_writer_create(&writer, err));
    TRY(audio_codec_write_config(&codec->config, writer, err));
    if (stored_as == DTYPE_F32) /* codes of rounded numbers may differ */
        TRY(model_bases_write(&codec->bases, writer, err));
    for (size_t i = 0; notes && notes[i]; i += 2) {
        CHECK(notes[i + 1], err, RSD_ERR_ARG, "note %s has no value", notes[i]);
        CHECK(strncmp(notes[i], KEY_PREFIX, strlen(KEY_PREFIX)) != 0, err, RSD_ERR_ARG,
              "note %s begins like a configuration key", notes[i]);
        TRY(safetensors_writer_metadata(writer, notes[i], notes[i + 1], err));
    }
    TRY((with_training_state ? params_save : params_save_for_inference)(codec->params, writer, "", stored_as, err));
    TRY(safetensors_writer_finish(writer, path, err));
fail:
    safetensors_writer_destroy(&writer);
    return status;
}

/* ---- reading ---- */

static bool read_int(int *out, const char *text, const char **end)
{
    char *stop;
    long value;

    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    errno = 0;
    value = strtol(text, &stop, 10);
    if (stop == text || errno || value < INT32_MIN || value > INT32_MAX)
        return false;
    *out = (int)value;
    *end = stop;
    return true;
}

static bool read_float(float *out, const char *text, const char **end)
{
    char *stop;

    if (*text != '-' && *text != '.' && (*text < '0' || *text > '9'))
        return false;
    *out = strtof(text, &stop);
    *end = stop;
    return stop != text && isfinite(*out);
}

static bool read_double(double *out, const char *text, const char **end)
{
    char *stop;

    if (*text != '.' && (*text < '0' || *text > '9'))
        return false;
    *out = strtod(text, &stop);
    *end = stop;
    return stop != text && isfinite(*out);
}

_Static_assert(SEANET_MAX_STAGES == 8 && DAC_MAX_STAGES == 8 && PROJECTED_RVQ_MAX_STRIDES == 8 && LATTICE_MAX_DIM == 16,
               "messages say how many numbers are possible");
static bool read_ratios(int *ratios, int most, int *n, const char *text, const char **end)
{
    *n = 0;
    do {
        if (*n == most || !read_int(&ratios[*n], text, end))
            return false;
        ++*n;
        text = *end + 1;
    } while (**end == ',');
    return true;
}

/* Index of text among words, or -1. */
static int read_word(const char *text, const char *const *words, int n_words)
{
    for (int i = 0; i < n_words; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

/* Returns what was expected when text is no value of the field, else NULL. */
static const char *read_field(AudioCodecConfig *cfg, const Field *field, const char *text)
{
    void *at = (char *)cfg + field->at;
    const char *end = "";
    int i;

    switch (field->type) {
    case FIELD_NAME:
        if (strlen(text) >= MODEL_NAME_SIZE)
            return "a shorter name";
        strcpy(at, text);
        break;
    case FIELD_INT:
        return read_int(at, text, &end) && !*end ? NULL : "a whole number";
    case FIELD_FLOAT:
        return read_float(at, text, &end) && !*end ? NULL : "a number";
    case FIELD_DOUBLE:
        return read_double(at, text, &end) && !*end ? NULL : "a number that is not negative";
    case FIELD_BOOL:
        if ((i = read_word(text, bool_words, 2)) < 0)
            return "true or false";
        *(bool *)at = i;
        break;
    case FIELD_PAD:
        if ((i = read_word(text, pad_words, 2)) < 0)
            return "zero or reflect";
        *(PadMode *)at = (PadMode)i;
        break;
    case FIELD_NORM:
        if ((i = read_word(text, norm_words, 3)) < 0)
            return "none, weight or group";
        *(SeanetNorm *)at = (SeanetNorm)i;
        break;
    case FIELD_RATIOS:
        return read_ratios(cfg->seanet.ratios, SEANET_MAX_STAGES, &cfg->seanet.n_ratios, text, &end) && !*end ? NULL : RATIOS_EXPECTED;
    case FIELD_ENCODER_RATES:
        return read_ratios(cfg->dac.encoder_rates, DAC_MAX_STAGES, &cfg->dac.n_encoder_rates, text, &end) && !*end ? NULL : RATIOS_EXPECTED;
    case FIELD_DECODER_RATES:
        return read_ratios(cfg->dac.decoder_rates, DAC_MAX_STAGES, &cfg->dac.n_decoder_rates, text, &end) && !*end ? NULL : RATIOS_EXPECTED;
    case FIELD_STRIDES:
        return read_ratios(cfg->projected_rvq.strides, PROJECTED_RVQ_MAX_STRIDES, &cfg->projected_rvq.n_strides, text, &end) && !*end
                   ? NULL
                   : RATIOS_EXPECTED;
    case FIELD_LEVELS:
        return read_ratios(cfg->projected_rvq.levels, LATTICE_MAX_DIM, &cfg->projected_rvq.n_levels, text, &end) && !*end
                   ? NULL
                   : LEVELS_EXPECTED;
    }
    return NULL;
}

static RsdStatus find_kind(const Kind **out, const Safetensors *st, RsdError *err)
{
    const char *kind = safetensors_metadata(st, KEY_KIND), *version = safetensors_metadata(st, KEY_VERSION);
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(kind, err, RSD_ERR_UNSUPPORTED, "not a residua model: its metadata have no " KEY_KIND);
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(kind, kinds[i].name) == 0)
            *out = &kinds[i];
    CHECK(*out, err, RSD_ERR_UNSUPPORTED, KEY_KIND " is %.40s, expected " KIND ", " KIND_PROJECTED ", " KIND_FSQ ", " KIND_BSQ " or " KIND_DAC,
          kind);
    CHECK(version, err, RSD_ERR_CORRUPT, KEY_VERSION " is missing");
    CHECK(strcmp(version, VERSION) == 0, err, RSD_ERR_UNSUPPORTED,
          KEY_VERSION " is %.40s, this program reads version " VERSION, version);
fail:
    return status;
}

static bool is_known_key(const Kind *kind, const char *key)
{
    if (strcmp(key, KEY_KIND) == 0 || strcmp(key, KEY_VERSION) == 0 || strcmp(key, MODEL_BASES_KEY) == 0)
        return true;
    for (size_t i = 0; i < kind->n_fields; i++)
        if (strcmp(key, kind->fields[i].key) == 0)
            return true;
    return false;
}

/* A key this program does not know may change what the weights mean. */
static RsdStatus check_keys(const Kind *kind, const Safetensors *st, RsdError *err)
{
    for (size_t i = 0; i < safetensors_metadata_count(st); i++) {
        const char *key, *value;

        safetensors_metadata_at(st, i, &key, &value);
        if (strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) == 0 && !is_known_key(kind, key))
            return error_set(err, RSD_ERR_UNSUPPORTED, "unknown key %.80s; was the file made by a newer version?", key);
    }
    return RSD_OK;
}

RsdStatus audio_codec_read_config(AudioCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    const Kind *kind;
    RsdStatus status = RSD_OK;

    memset(cfg, 0, sizeof *cfg);
    TRY(find_kind(&kind, st, err));
    TRY(check_keys(kind, st, err));
    cfg->network = kind->network;
    cfg->quantizer = (int)kind->quantizer;
    cfg->projected_rvq.n_strides = cfg->projected_rvq.strides[0] = 1;
    for (size_t i = 0; i < kind->n_fields; i++) {
        const Field *field = &kind->fields[i];
        const char *text = safetensors_metadata(st, field->key), *expected;

        if (!text && field->optional)
            continue;
        CHECK(text, err, RSD_ERR_CORRUPT, "key %s is missing", field->key);
        expected = read_field(cfg, field, text);
        CHECK(!expected, err, RSD_ERR_CORRUPT, "%s is \"%.40s\", expected %s", field->key, text, expected);
    }
    if (cfg->network == AUDIO_SEANET && cfg->quantizer != AUDIO_RVQ)
        cfg->projected_rvq.codes = cfg->quantizer - AUDIO_PROJECTED;
    projected_rvq_complete(&cfg->projected_rvq);
    if (audio_codec_check_config(cfg, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "impossible configuration");
fail:
    return status;
}

/* Before memory is taken: what the file holds bounds what its configuration may ask for. */
static RsdStatus check_size(const AudioCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    int64_t n_needed = audio_codec_count_parameters(cfg), n_held = 0;

    for (size_t i = 0; i < safetensors_count(st); i++) {
        const SafetensorsEntry *entry = safetensors_entry(st, i);

        n_held += (int64_t)(entry->size / dtype_size(entry->dtype));
    }
    if (n_held < n_needed)
        return error_set(err, RSD_ERR_CORRUPT, "the arrays hold %lld numbers, the configuration needs %lld", (long long)n_held,
                         (long long)n_needed);
    return RSD_OK;
}

bool audio_codec_knows_hash(const AudioCodec *codec, const uint8_t hash[MODEL_HASH_SIZE])
{
    return memcmp(codec->hash, hash, MODEL_HASH_SIZE) == 0 || model_bases_have(&codec->bases, hash);
}

RsdStatus audio_codec_from_safetensors(AudioCodec **out, const Safetensors *st, const uint8_t hash[MODEL_HASH_SIZE],
                                       AudioCodecUse use, RsdError *err)
{
    AudioCodec *codec = NULL;
    AudioCodecConfig cfg;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_codec_read_config(&cfg, st, err));
    TRY(check_size(&cfg, st, err));
    TRY(audio_codec_create_empty(&codec, &cfg, use, err));
    TRY(model_bases_read(&codec->bases, st, err));
    TRY(params_load(codec->params, st, "", err));
    TRY(audio_codec_freeze(codec, err));
    memcpy(codec->hash, hash, MODEL_HASH_SIZE);
    *out = codec;
    return RSD_OK;
fail:
    audio_codec_destroy(&codec);
    return status;
}

/* A file made of another with all numbers as they were goes by the hash of that one, its note: streams made with either are decoded
 * with either. */
RsdStatus audio_codec_digest(uint8_t digest[32], const Checkpoint *file, RsdError *err)
{
    const char *note = checkpoint_metadata(file, AUDIO_CODEC_COPY_NOTE);
    bool same;

    if (!note)
        note = checkpoint_metadata(file, AUDIO_CODEC_ORIGIN_NOTE);
    same = note && strlen(note) == 64 && strspn(note, "0123456789abcdef") == 64;
    for (size_t i = 0; same && i < checkpoint_count(file); i++)
        same = checkpoint_array(file, i)->dtype == DTYPE_F32;
    if (!same)
        return checkpoint_hash(file, digest, err);
    for (size_t i = 0; i < 32; i++) {
        const char byte[3] = {note[2 * i], note[2 * i + 1], '\0'};

        digest[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return RSD_OK;
}

RsdStatus audio_codec_hash_file(uint8_t hash[MODEL_HASH_SIZE], const char *path, RsdError *err)
{
    Checkpoint *file = NULL;
    uint8_t digest[32];
    RsdStatus status = RSD_OK;

    TRY(checkpoint_open(&file, path, err));
    TRY(audio_codec_digest(digest, file, err));
    memcpy(hash, digest, MODEL_HASH_SIZE);
fail:
    checkpoint_close(&file);
    return status;
}

/* Our own file, or one of the published codecs. */
static RsdStatus from_checkpoint(AudioCodec **out, Checkpoint *file, AudioCodecUse use, RsdError *err)
{
    uint8_t digest[32];
    RsdStatus status = RSD_OK;

    if (checkpoint_safetensors(file) && checkpoint_metadata(file, KEY_KIND)) {
        TRY(audio_codec_digest(digest, file, err));
        return audio_codec_from_safetensors(out, checkpoint_safetensors(file), digest, use, err);
    }
    if (encodec_is_model(file))
        return encodec_import(out, file, use, err);
    if (dac_import_matches(file))
        return dac_import(out, file, use, err);
    status = error_set(err, RSD_ERR_UNSUPPORTED,
                       "not a residua model (its metadata have no " KEY_KIND
                       ") and neither EnCodec nor DAC (its arrays have other names)");
fail:
    return status;
}

static RsdStatus load(AudioCodec **out, const char *path, const char *config_path, AudioCodecUse use, RsdError *err)
{
    Checkpoint *file = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(checkpoint_open(&file, path, err));
    if (config_path)
        TRY(checkpoint_add_config(file, config_path, err));
    else if (!checkpoint_metadata(file, KEY_KIND)) /* a file of ours says everything itself */
        TRY(checkpoint_add_config_beside(file, path, err));
    status = from_checkpoint(out, file, use, err);
    if (status == RSD_OK)
        (*out)->is_foreign = !checkpoint_metadata(file, KEY_KIND) || checkpoint_metadata(file, AUDIO_CODEC_ORIGIN_NOTE);
    if (status != RSD_OK && err && strncmp(err->text, path, strlen(path)) != 0)
        error_prefix(err, status, "%s", path);
fail:
    checkpoint_close(&file);
    return status;
}

RsdStatus audio_codec_load_with_config(AudioCodec **out, const char *path, const char *config_path, RsdError *err)
{
    return load(out, path, config_path, AUDIO_USE_ALL, err);
}

RsdStatus audio_codec_load(AudioCodec **out, const char *path, RsdError *err)
{
    return load(out, path, NULL, AUDIO_USE_ALL, err);
}

RsdStatus audio_codec_load_for(AudioCodec **out, const char *path, AudioCodecUse use, RsdError *err)
{
    return load(out, path, NULL, use, err);
}
