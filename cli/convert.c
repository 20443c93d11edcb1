/* convert.c - `residua convert`: weights of published models to model files of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/batch.h"
#include "cli/words.h"
#include "engine/base/mem.h"
#include "models/adapter.h"
#include "models/code_lm.h"

#define HEX_SIZE (2 * 32 + 1)
#define SUFFIX ".safetensors"
#define BASE_NOTE "base_sha256"

typedef struct ConvertRequest {
    CommonRequest common;
    const char *output, *config, *adapter, *licence, *origin;
    bool half, force, json;
} ConvertRequest;

static const Option OPTIONS[] = {
    {.letter = 'o',
     .name = "output",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(ConvertRequest, output),
     .help = "the model file's name; without it encodec_24khz.th becomes encodec_24khz.safetensors beside it"},
    {.letter = 'f', .name = "force", .offset = offsetof(ConvertRequest, force), .help = "overwrite a file that exists"},
    {.name = "config",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(ConvertRequest, config),
     .help = "configuration as the model hub has it; without it the config.json beside the weights, if there is one, "
             "or what "
             "the published models have"},
    {.name = "adapter",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(ConvertRequest, adapter),
     .help = "add this addition to the decoder, made with train.adapter_rank, to the model INPUT for good; the result has a hash of "
             "its own, and decodes streams of INPUT, too"},
    {.name = "licence",
     .kind = OPTION_TEXT,
     .value = "TEXT",
     .offset = offsetof(ConvertRequest, licence),
     .help = "licence of the weights, kept in the file; without it that of INPUT, if it says one"},
    {.name = "origin",
     .kind = OPTION_TEXT,
     .value = "TEXT",
     .offset = offsetof(ConvertRequest, origin),
     .help = "where they come from, kept in the file; without it what INPUT says, or its name"},
    {.name = "half",
     .offset = offsetof(ConvertRequest, half),
     .help = "store 16-bit numbers: half the size, and codes that may differ here and there"},
    {.name = "json", .offset = offsetof(ConvertRequest, json), .help = "one JSON object on standard output"},
    COMMON_OPTIONS(ConvertRequest),
};

static const Explained EXAMPLES[] = {
    {"encodec_24khz.th -o encodec24.safetensors", "weights of the EnCodec tool"},
    {"--licence CC-BY-NC-4.0 model.safetensors -o m.safetensors", "of the model hub, with config.json beside it"},
    {"encodec_lm_24khz.th", "its language model, for --lm"},
    {"base.safetensors --adapter adapter.safetensors -o merged.safetensors", "a model and its adapter as one"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, output", "names"},
    {"kind", "audio-codec or code-lm"},
    {"name, rate_hz, channels, stages", "of a codec"},
    {"parameters", "how many numbers there are"},
    {"origin_hash", "SHA-256 of INPUT, which the file keeps"},
    {"status, error", "instead of the rest when it failed"},
    {NULL, NULL},
};

typedef struct Notes {
    char hash[HEX_SIZE], digest[HEX_SIZE];
    const char **pairs; /* key, value..., NULL; of the request and the checkpoint */
    size_t n;
} Notes;

static void print_hex(char text[HEX_SIZE], const uint8_t digest[32])
{
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static void add_note(Notes *notes, const char *key, const char *value)
{
    notes->pairs[notes->n++] = key;
    notes->pairs[notes->n++] = value;
}

/* Of a file of ours, a note that holds for what is made of it, too, and that no option replaces. */
static bool is_kept(const char *key, const ConvertRequest *r)
{
    if (strncmp(key, "residua.", 8) == 0 || strcmp(key, AUDIO_CODEC_COPY_NOTE) == 0)
        return false;
    if (r->adapter && (strcmp(key, AUDIO_CODEC_ORIGIN_NOTE) == 0 || strcmp(key, BASE_NOTE) == 0))
        return false;
    return !(r->licence && strcmp(key, "licence") == 0) && !(r->origin && strcmp(key, "origin") == 0);
}

static RsdStatus write_notes(Notes *notes, const ConvertRequest *r, const char *input, const Checkpoint *file,
                             RsdError *err)
{
    const bool is_ours = checkpoint_metadata(file, "residua.kind") != NULL;
    const char *slash = strrchr(input, '/');
    uint8_t digest[32];
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&notes->pairs, 2 * (checkpoint_metadata_count(file) + 3) + 1, sizeof *notes->pairs, err));
    TRY(checkpoint_hash(file, digest, err));
    print_hex(notes->hash, digest);
    TRY(audio_codec_digest(digest, file, err));
    print_hex(notes->digest, digest);
    for (size_t i = 0; is_ours && i < checkpoint_metadata_count(file); i++) {
        const char *key, *value;

        checkpoint_metadata_at(file, i, &key, &value);
        if (is_kept(key, r))
            add_note(notes, key, value);
    }
    if (r->origin || !is_ours || !checkpoint_metadata(file, "origin"))
        add_note(notes, "origin", r->origin ? r->origin : slash ? slash + 1 : input);
    if (r->licence)
        add_note(notes, "licence", r->licence);
    if (r->adapter)
        add_note(notes, BASE_NOTE, notes->hash);
    else
        add_note(notes, is_ours ? AUDIO_CODEC_COPY_NOTE : AUDIO_CODEC_ORIGIN_NOTE, is_ours ? notes->digest : notes->hash);
    notes->pairs[notes->n] = NULL;
fail:
    return status;
}

/* What was made, for a person or as JSON. */
static void tell_codec(JsonLine *json, Console *console, const char *output, const AudioCodec *codec)
{
    const AudioCodecConfig *cfg = &codec->config;
    char rate[RATE_TEXT_SIZE], channels[CHANNELS_TEXT_SIZE];
    int64_t n = params_count_elements(codec->params, false);

    if (json) {
        json_line_text(json, "kind", "audio-codec");
        json_line_text(json, "name", cfg->name);
        json_line_integer(json, "rate_hz", cfg->rate_hz);
        json_line_integer(json, "channels", audio_codec_channels(cfg));
        json_line_integer(json, "stages", audio_codec_stages(cfg));
        json_line_integer(json, "parameters", n);
    } else {
        console_say(console, LOG_INFO, "%s: %s, %s %s, %d stages of %d codes, %.2f M parameters", output, cfg->name,
                    rate_text(rate, cfg->rate_hz), channels_text(channels, audio_codec_channels(cfg)), audio_codec_stages(cfg),
                    audio_codec_codebook_size(cfg), (double)n / 1e6);
    }
}

static RsdStatus convert_lm(Checkpoint *file, const char *output, const Notes *notes, JsonLine *json, Console *console,
                            RsdError *err)
{
    CodeLm *lm = NULL;
    RsdStatus status = RSD_OK;

    TRY(code_lm_import(&lm, file, err));
    TRY(code_lm_save(lm, output, notes->pairs, err));
    if (json) {
        json_line_text(json, "kind", "code-lm");
        json_line_integer(json, "parameters", code_lm_count_parameters(lm));
    } else {
        console_say(console, LOG_INFO, "%s: language model of %d stages of %d codes, %.2f M parameters", output,
                    code_lm_config(lm)->n_q, code_lm_config(lm)->n_codes, (double)code_lm_count_parameters(lm) / 1e6);
    }
fail:
    code_lm_destroy(&lm);
    return status;
}

static RsdStatus convert(const ConvertRequest *r, const char *input, const char *output, JsonLine *json,
                         Console *console, RsdError *err)
{
    Checkpoint *file = NULL;
    AudioCodec *codec = NULL;
    Notes notes = {0};
    bool is_lm;
    RsdStatus status = RSD_OK;

    TRY(batch_check_not_itself(input, output, err));
    CHECK(r->force || access(output, F_OK) != 0, err, RSD_ERR_EXISTS, "%s: exists; -f overwrites it", output);
    TRY(checkpoint_open(&file, input, err));
    is_lm = code_lm_is_model(file);
    if (is_lm && r->config)
        TRY(checkpoint_add_config(file, r->config, err));
    TRY(write_notes(&notes, r, input, file, err));
    if (json)
        json_line_text(json, "origin_hash", notes.hash);
    if (is_lm) {
        CHECK(!r->adapter, err, RSD_ERR_ARG, "%s: a language model has no decoder that %s could add to", input, r->adapter);
        CHECK(!r->half, err, RSD_ERR_ARG, "%s: files coded with a language model are read with the same numbers only: leave out --half",
              input);
        TRY(convert_lm(file, output, &notes, json, console, err));
    } else {
        TRY(audio_codec_load_with_config(&codec, input, r->config, err));
        if (r->adapter)
            TRY(adapter_merge(codec, r->adapter, err));
        TRY(audio_codec_save(codec, output, r->half ? DTYPE_F16 : DTYPE_F32, false, notes.pairs, err));
        tell_codec(json, console, output, codec);
    }
fail:
    mem_free(&notes.pairs);
    audio_codec_destroy(&codec);
    checkpoint_close(&file);
    return status;
}

/* input with its ending replaced. */
static RsdStatus name_output(char **out, const char *input, RsdError *err)
{
    const char *slash = strrchr(input, '/'), *dot = strrchr(input, '.');
    size_t stem = dot && dot > input && (!slash || dot > slash + 1) ? (size_t)(dot - input) : strlen(input);
    RsdStatus status = mem_alloc(out, stem + sizeof SUFFIX, 1, err);

    if (status == RSD_OK)
        snprintf(*out, stem + sizeof SUFFIX, "%.*s%s", (int)stem, input, SUFFIX);
    return status;
}

static int run(int argc, char **argv)
{
    ConvertRequest r = {0};
    Console console;
    JsonLine line, *json = NULL;
    char *output = NULL;
    size_t n_inputs;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_convert, &r, argc, argv, &n_inputs, &console, &code))
        return code;
    if (n_inputs != 1) {
        console_close(&console);
        return command_misused(&cli_convert, "one input is needed, %zu were given", n_inputs);
    }
    if (r.output)
        status = mem_strdup(&output, r.output, &err);
    else
        status = name_output(&output, argv[0], &err);
    if (r.json) {
        json = &line;
        json_line_begin(json, stdout);
        json_line_text(json, "input", argv[0]);
        json_line_text(json, "output", output);
    }
    if (status == RSD_OK)
        status = convert(&r, argv[0], output, json, &console, &err);
    if (json) {
        json_line_text(json, "status", status == RSD_OK ? "ok" : rsd_status_name(status));
        if (status != RSD_OK)
            json_line_text(json, "error", err.text);
        json_line_end(json);
    }
    if (status != RSD_OK)
        console_say(&console, LOG_ERROR, "%s", err.text);
    mem_free(&output);
    console_close(&console);
    return cli_exit_code(status);
}

const Command cli_convert = {
    .name = "convert",
    .summary = "published weights to a model file",
    .usage = "[options] INPUT",
    .description = "Turns the weights of a published EnCodec model, its language model or a DAC, a file of torch (.th, .pth) or of "
                   "the model hub "
                   "(.safetensors), into a model file that says all there is to know about it. Nothing in INPUT is "
                   "executed. Streams "
                   "name the model file they were encoded with: keep the one that you use.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .endings = "th|pth|pt|safetensors",
    .run = run,
};
