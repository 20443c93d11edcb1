/* info.c - `residua info`: what a stream, a model, a recording or a picture is, and with --test whether it is sound.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec/dac_file.h"
#include "cli/byte_source.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/model_choice.h"
#include "cli/picture_info.h"
#include "cli/picture_job.h"
#include "cli/words.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "media/audio_reader.h"
#include "media/image_reader.h"
#include "models/code_lm.h"

#define BLOCK_LEN ((size_t)16384)
#define NOTE_SIZE 1024

typedef struct InfoRequest {
    CommonRequest common;
    bool test, json;
} InfoRequest;

static const Option OPTIONS[] = {
    {.name = "test",
     .offset = offsetof(InfoRequest, test),
     .help = "read everything and check all numbers and checksums; damage is an error"},
    {.name = "json", .offset = offsetof(InfoRequest, json), .help = "one JSON object per input on standard output"},
    COMMON_OPTIONS(InfoRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.rsd", "rate, length, layers and model of a stream"},
    {"--test *.rsd", "whether streams are whole"},
    {"speech16", "a built-in model"},
    {"encodec_24khz.th", "published weights"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, kind", "name; stream, picture, ecdc, dac, model, picture-model, language-model, media or image"},
    {"rate_hz, channels", "of the signal"},
    {"samples, seconds", "length per channel; null when only reading everything would tell"},
    {"format_version, model, hash", "stream: version, name and hash of its model"},
    {"layers, stages, frames_per_packet, hop_samples", "stream: how it is divided"},
    {"code_bitrate_bps, bytes, bitrate_bps", "stream: rate of the codes; size, and size by duration"},
    {"packets, packets_lost, layers_lost, complete", "stream with --test"},
    {"name, parameters, stages, stage_bitrate_bps", "model"},
    {"delay_samples, segment_samples, streams", "model: algorithmic delay; whether it codes .rsd streams"},
    {"language_model", "ecdc: whether it was coded with one"},
    {"frames, frames_per_window, padded, input_db", "dac: how it is divided; loudness of the recording"},
    {"container, codec", "media"},
    {"width, height, bits, alpha, profile, exif, xmp", "picture and image: pixels, and bytes of what is carried beside them"},
    {"level, tiles, tile_side, bpp", "picture: as coded; bpp: bits per pixel"},
    {"stages, codebooks, codebook_size", "picture of codes, and picture-model that makes such: how many of them there are"},
    {"latents, own_steps", "picture-model of rounded latents: how many for 16 x 16 pixels; whether their steps differ"},
    {"tiles_lost, alpha_lost, complete", "picture with --test"},
    {"status, error", "what is wrong, when something is"},
    {NULL, NULL},
};

typedef struct Inspection {
    const InfoRequest *request;
    const char *input;
    JsonLine *json; /* NULL: text for people */
    Console *console;
} Inspection;

static void print_length(const Inspection *in, int rate_hz, int channels, int64_t n_samples)
{
    char channels_words[CHANNELS_TEXT_SIZE], duration[DURATION_TEXT_SIZE];

    if (in->json) {
        json_line_integer(in->json, "rate_hz", rate_hz);
        json_line_integer(in->json, "channels", channels);
        if (n_samples >= 0) {
            json_line_integer(in->json, "samples", n_samples);
            json_line_number(in->json, "seconds", rate_hz > 0 ? (double)n_samples / rate_hz : NAN, 4);
        } else {
            json_line_text(in->json, "samples", NULL);
            json_line_text(in->json, "seconds", NULL);
        }
        return;
    }
    printf("  signal   %d Hz, %s", rate_hz, channels_text(channels_words, channels));
    if (n_samples >= 0)
        printf(", %.3f s (%s), %lld samples\n", (double)n_samples / rate_hz,
               console_duration(duration, (double)n_samples / rate_hz), (long long)n_samples);
    else
        printf(", length unknown\n");
}

/* ---- streams ---- */

/* A file of the EnCodec tool; without its model, rates are known of the published models alone. */
static void print_ecdc(const Inspection *in, const RsdStreamInfo *s, int64_t n_bytes, double real)
{
    if (in->json) {
        json_line_text(in->json, "kind", "ecdc");
        json_line_text(in->json, "model", s->model_name);
        json_line_bool(in->json, "language_model", s->has_language_model);
        print_length(in, s->rate_hz, s->channels, s->n_samples);
        json_line_integer(in->json, "stages", s->n_stages);
        json_line_integer(in->json, "bytes", n_bytes);
        json_line_number(in->json, "bitrate_bps", real, 1);
        return;
    }
    printf("%s\n  stream   EnCodec .ecdc, model %s, %s\n", in->input, s->model_name,
           s->has_language_model ? "coded with its language model" : "packed codes");
    if (s->rate_hz > 0)
        print_length(in, s->rate_hz, s->channels, s->n_samples);
    else
        printf("  signal   %lld samples at the rate of its model\n", (long long)s->n_samples);
    printf("  rate     %d stages; %lld bytes", s->n_stages, (long long)n_bytes);
    if (real > 0)
        printf(", %.3f kbit/s in all", real / 1000.0);
    printf("\n");
}

static void print_stream(const Inspection *in, const RsdStreamInfo *s, const RsdStreamReport *report, int64_t n_samples,
                         int64_t n_bytes)
{
    char hash[HASH_TEXT_SIZE];
    double real = n_samples > 0 && n_bytes > 0 ? 8.0 * (double)n_bytes * s->rate_hz / (double)n_samples : 0.0;

    if (s->container == RSD_CONTAINER_ECDC) {
        print_ecdc(in, s, n_bytes, real);
        return;
    }
    if (in->json) {
        json_line_text(in->json, "kind", "stream");
        json_line_integer(in->json, "format_version", s->format_version);
        json_line_text(in->json, "model", s->model_name);
        json_line_hex(in->json, "hash", s->model_hash, sizeof s->model_hash);
        print_length(in, s->rate_hz, s->channels, n_samples);
        json_line_integer(in->json, "layers", s->n_layers);
        json_line_integer(in->json, "stages", s->n_stages);
        json_line_integer(in->json, "frames_per_packet", s->frames_per_packet);
        json_line_integer(in->json, "hop_samples", s->hop_samples);
        json_line_number(in->json, "code_bitrate_bps", s->bitrate_bps, 1);
        json_line_integer(in->json, "bytes", n_bytes);
        json_line_number(in->json, "bitrate_bps", real, 1);
        if (report) {
            json_line_integer(in->json, "packets", report->n_packets);
            json_line_integer(in->json, "packets_lost", report->n_lost);
            json_line_integer(in->json, "layers_lost", report->n_layers_lost);
            json_line_bool(in->json, "complete", report->has_end);
        }
        return;
    }
    printf("%s\n  stream   residua format %d, model %s, hash %s\n", in->input, s->format_version, s->model_name,
           hash_text(hash, s->model_hash));
    print_length(in, s->rate_hz, s->channels, n_samples);
    printf("  rate     %g kbit/s of codes", s->bitrate_bps / 1000.0);
    if (real > 0)
        printf("; %lld bytes, %.3f kbit/s in all", (long long)n_bytes, real / 1000.0);
    printf("\n  layers   ");
    for (int i = 0, stages = 0; i < s->n_layers; i++) {
        stages += s->layer_stages[i];
        printf("%s%g", i ? ", " : "", s->bitrate_bps * stages / s->n_stages / 1000.0);
    }
    printf(" kbit/s; %d stages of %d bits, %d samples per frame, %d frames per packet\n", s->n_stages, s->bits_per_code,
           s->hop_samples, s->frames_per_packet);
    if (report)
        printf("  test     %lld packets, %lld lost, %lld at a lower rate; %s\n", (long long)report->n_packets,
               (long long)report->n_lost, (long long)report->n_layers_lost,
               report->has_end ? "the end is there" : "the end is missing");
}

/* A file of the DAC tool; codes of 10 bits, as all published models have, in 16. */
static RsdStatus inspect_dac(const Inspection *in, ByteSource *source, RsdError *err)
{
    DacFile dac = {0};
    uint8_t *data = NULL;
    size_t size;
    double seconds, real;
    RsdStatus status = RSD_OK;

    TRY(byte_source_read_all(source, &data, &size, DAC_FILE_MAX_SIZE, err));
    TRY(dac_file_parse(&dac, data, size, source->name, err));
    seconds = (double)dac.original_length / dac.sample_rate_hz;
    real = seconds > 0 ? 8.0 * (double)size / seconds : 0.0;
    if (in->json) {
        json_line_text(in->json, "kind", "dac");
        print_length(in, dac.sample_rate_hz, dac.channels, dac.original_length);
        json_line_integer(in->json, "stages", dac.n_stages);
        json_line_integer(in->json, "frames", dac.n_frames);
        json_line_integer(in->json, "frames_per_window", dac.chunk_length);
        json_line_bool(in->json, "padded", dac.padding);
        json_line_number(in->json, "input_db", (double)dac.input_db, 3);
        json_line_integer(in->json, "bytes", (int64_t)size);
        json_line_number(in->json, "bitrate_bps", real, 1);
    } else {
        printf("%s\n  stream   DAC .dac, loudness %.2f LUFS\n", in->input, (double)dac.input_db);
        print_length(in, dac.sample_rate_hz, dac.channels, dac.original_length);
        printf("  rate     %d stages; %zu bytes", dac.n_stages, size);
        if (real > 0)
            printf(", %.3f kbit/s in all", real / 1000.0);
        printf("\n  windows  of %lld frames, %s; %lld frames of each channel\n", (long long)dac.chunk_length,
               dac.padding ? "with zeros around them" : "without padding", (long long)dac.n_frames);
    }
fail:
    dac_file_clear(&dac);
    mem_free(&data);
    return status;
}

/* The end of a stream tells what its header may not know, so a stream without a length is read through, too, and so is a file that is
 * larger than its stream should be. */
static RsdStatus inspect_stream(const Inspection *in, ByteSource *source, RsdError *err)
{
    RsdStreamInfo info;
    RsdStreamReport report = {0};
    bool read_all = in->request->test;
    int64_t n_samples, n_bytes = source->file_size;
    RsdStatus status = RSD_OK;

    TRY(rsd_stream_probe(&info, byte_source_read, source, source->name, err));
    n_samples = info.n_samples;
    if (info.container == RSD_CONTAINER_ECDC) {
        CHECK(!read_all, err, RSD_ERR_UNSUPPORTED,
              "%s: an .ecdc file has no checksums; decode it to see whether it is whole", source->name);
        print_stream(in, &info, NULL, n_samples, source->file_size >= 0 ? source->file_size : 0);
        return RSD_OK;
    }
    if (read_all || n_samples < 0 || n_bytes < 0 || n_bytes > stream_size_for(&info, n_samples)) {
        byte_source_rewind(source);
        status = rsd_stream_scan(&info, &report, byte_source_read, source, source->name, err);
        n_samples = n_samples < 0 && (report.has_end || read_all) ? report.n_samples : n_samples;
        if (!read_all && status == RSD_ERR_CORRUPT)
            status = RSD_OK; /* only --test judges */
        if (report.has_end || n_bytes < 0)
            n_bytes = report.n_bytes;
    }
    print_stream(in, &info, read_all ? &report : NULL, n_samples, n_bytes);
    console_say_rest(in->console, source->name, source->file_size - n_bytes);
fail:
    return status;
}

/* ---- models ---- */

static void print_note(const char *name, const char *note, const char *after)
{
    char text[NOTE_SIZE];

    if (note && snprintf(text, sizeof text, "%s", note) >= 0)
        printf("  %-8s %s%s\n", name, text_make_printable(text), after);
}

/* Notes that a model file carries. */
static void print_notes(const Checkpoint *file)
{
    static const char *const notes[][2] = {{"licence", "licence"},     {"origin", "origin"},    {"  sha256", "origin_sha256"},
                                           {"copy of", "copy_of_sha256"}, {"made of", "base_sha256"}, {"trained_on", "trained_on"}};

    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        print_note(notes[i][0], checkpoint_metadata(file, notes[i][1]), "");
    print_note("merged   decodes streams of the models with hash", checkpoint_metadata(file, "residua.bases"), ", too");
}

static RsdStatus inspect_lm(const Inspection *in, Checkpoint *file, RsdError *err)
{
    CodeLm *lm = NULL;
    const CodeLmConfig *c;
    RsdStatus status = RSD_OK;

    TRY(code_lm_import(&lm, file, err));
    c = code_lm_config(lm);
    if (in->json) {
        json_line_text(in->json, "kind", "language-model");
        json_line_integer(in->json, "stages", c->n_q);
        json_line_integer(in->json, "codes", c->n_codes);
        json_line_integer(in->json, "parameters", code_lm_count_parameters(lm));
    } else {
        printf("%s\n  model    language model of codes, %.2f M parameters\n", in->input,
               (double)code_lm_count_parameters(lm) / 1e6);
        printf("  codes    %d stages of %d; width %d, %d layers of %d heads\n", c->n_q, c->n_codes, c->dim, c->n_layers,
               c->n_heads);
        print_notes(file);
    }
fail:
    code_lm_destroy(&lm);
    return status;
}

static RsdStatus inspect_codec(const Inspection *in, const Checkpoint *file, RsdError *err);

static RsdStatus inspect_model(const Inspection *in, RsdError *err)
{
    Checkpoint *file = NULL;
    RsdStatus status = RSD_OK;

    TRY(checkpoint_open(&file, in->input, err));
    if (model_choice_is_picture(in->input))
        TRY(picture_info_model(in->input, in->json, err));
    else if (code_lm_is_model(file))
        TRY(inspect_lm(in, file, err));
    else
        TRY(inspect_codec(in, file, err));
fail:
    checkpoint_close(&file);
    return status;
}

/* file: of the model, NULL for a built-in one. */
static RsdStatus inspect_codec(const Inspection *in, const Checkpoint *file, RsdError *err)
{
    RsdModel *model = NULL;
    const RsdModelInfo *info;
    char hash[HASH_TEXT_SIZE], channels[CHANNELS_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(model_choice_open(&model, in->input, AUDIO_USE_RUN, err));
    info = rsd_model_info(model);
    if (in->json) {
        json_line_text(in->json, "kind", "model");
        json_line_text(in->json, "name", info->name);
        json_line_hex(in->json, "hash", info->hash, sizeof info->hash);
        json_line_integer(in->json, "rate_hz", info->rate_hz);
        json_line_integer(in->json, "channels", info->channels);
        json_line_integer(in->json, "hop_samples", info->hop_samples);
        json_line_integer(in->json, "stages", info->n_stages);
        json_line_number(in->json, "stage_bitrate_bps", info->stage_bitrate_bps, 1);
        json_line_integer(in->json, "parameters", info->n_parameters);
        json_line_integer(in->json, "delay_samples", info->delay_samples);
        json_line_integer(in->json, "segment_samples", info->segment_samples);
        json_line_bool(in->json, "streams", info->can_stream);
    } else {
        printf("%s\n  model    %s, hash %s, %.2f M parameters\n", in->input, info->name, hash_text(hash, info->hash),
               (double)info->n_parameters / 1e6);
        printf("  signal   %d Hz, %s, delay %.1f ms\n", info->rate_hz, channels_text(channels, info->channels),
               1000.0 * info->delay_samples / info->rate_hz);
        if (info->segment_samples)
            printf("  segments %.3g s each, coded by themselves: .ecdc files, no .rsd streams\n",
                   (double)info->segment_samples / info->rate_hz);
        printf("  rate     %g to %g kbit/s: 1 to %d stages of %d bits, %d samples per frame\n",
               info->stage_bitrate_bps / 1000.0, info->bitrate_bps / 1000.0, info->n_stages,
               info->bits_per_code, info->hop_samples);
        if (file)
            print_notes(file);
    }
fail:
    rsd_model_close(&model);
    return status;
}

/* ---- media ---- */

/* Decodes to the end. */
static RsdStatus read_through(AudioReader *reader, int64_t *n_samples, RsdError *err)
{
    float *block = NULL;
    size_t n_read;
    RsdStatus status = RSD_OK;

    *n_samples = 0;
    TRY(mem_alloc(&block, BLOCK_LEN * (size_t)audio_reader_info(reader)->channels, sizeof *block, err));
    do {
        status = audio_reader_read(reader, block, BLOCK_LEN, &n_read, err);
        *n_samples += (int64_t)n_read;
    } while (status == RSD_OK && n_read > 0);
fail:
    mem_free(&block);
    return status;
}

static RsdStatus inspect_media(const Inspection *in, RsdError *err)
{
    AudioReader *reader = NULL;
    const AudioInfo *info;
    int64_t n_samples;
    RsdStatus status = RSD_OK;

    TRY(audio_reader_open(&reader, in->input, NULL, err));
    info = audio_reader_info(reader);
    n_samples = info->exact ? info->n_samples : -1;
    if (in->request->test)
        status = read_through(reader, &n_samples, err);
    if (in->json) {
        json_line_text(in->json, "kind", "media");
        json_line_text(in->json, "container", info->container);
        json_line_text(in->json, "codec", info->codec);
    } else {
        printf("%s\n  media    %s, %s\n", in->input, info->container, info->codec);
    }
    print_length(in, info->rate_hz, info->channels, n_samples);
    if (!in->json && in->request->test)
        printf("  test     %s\n", status == RSD_OK ? "can be decoded to the end" : "damaged");
fail:
    audio_reader_close(&reader);
    return status;
}

/* ---- the command ---- */

static bool is_builtin_name(const char *input)
{
    for (size_t i = 0; rsd_model_builtin_name(i); i++)
        if (!strcmp(rsd_model_builtin_name(i), input))
            return true;
    return false;
}

/* A safetensors file begins with the length of its header, which begins with a brace. */
static bool is_model(const uint8_t *first, size_t n, const char *input)
{
    const char *dot = strrchr(input, '.');

    if (n >= 4 && !memcmp(first, "PK\3\4", 4)) /* a zip archive, as torch writes */
        return true;
    return (n >= 9 && first[8] == '{' && !first[7] && !first[6]) || (dot && !strcmp(dot, ".safetensors"));
}

static RsdStatus inspect(const Inspection *in, RsdError *err)
{
    ByteSource source;
    uint8_t first[16];
    size_t n = 0, got;
    RsdStatus status = RSD_OK;

    if (is_builtin_name(in->input))
        return inspect_codec(in, NULL, err);
    if (model_choice_is_builtin_picture(in->input))
        return picture_info_model(in->input, in->json, err);
    TRY(byte_source_open(&source, in->input, err));
    do {
        TRY(byte_source_read(&source, first + n, sizeof first - n, &got, err));
        n += got;
    } while (got && n < sizeof first);
    CHECK(n > 0, err, RSD_ERR_CORRUPT, "%s: the file is empty", source.name);
    byte_source_rewind(&source);
    if (picture_is_stream_head(first, n)) {
        TRY(picture_info_stream(&source, in->request->test, in->json, err));
    } else if (n >= 3 && (!memcmp(first, "RSD", 3) || !memcmp(first, "ECD", 3))) {
        TRY(inspect_stream(in, &source, err));
    } else if (n >= 6 && !memcmp(first, "\x93NUMPY", 6)) {
        TRY(inspect_dac(in, &source, err));
    } else if (is_model(first, n, in->input)) {
        TRY(inspect_model(in, err));
    } else if (image_format_of(first, n)) {
        TRY(picture_info_image(in->input, in->json, err));
    } else {
        CHECK(source.file_size >= 0, err, RSD_ERR_UNSUPPORTED,
              "%s: is no .rsd stream, and others cannot be looked at in a "
              "pipe; name the file",
              source.name);
        TRY(inspect_media(in, err));
    }
fail:
    byte_source_close(&source);
    return status;
}

static int run(int argc, char **argv)
{
    InfoRequest r = {0};
    Console console;
    size_t n_inputs;
    int code = EXIT_DONE;

    if (!command_begin(&cli_info, &r, argc, argv, &n_inputs, &console, &code))
        return code;
    if (!n_inputs)
        code = command_misused(&cli_info, "no input was given: residua info %s", cli_info.usage);
    for (size_t i = 0; i < n_inputs; i++) {
        JsonLine line;
        Inspection in = {.request = &r, .input = argv[i], .json = r.json ? &line : NULL, .console = &console};
        RsdError err = {0};
        RsdStatus status;

        if (r.json) {
            json_line_begin(&line, stdout);
            json_line_text(&line, "input", argv[i]);
        }
        status = inspect(&in, &err);
        if (r.json) {
            json_line_text(&line, "status", status == RSD_OK ? "ok" : rsd_status_name(status));
            if (status != RSD_OK)
                json_line_text(&line, "error", err.text);
            json_line_end(&line);
        }
        fflush(stdout);
        if (status != RSD_OK) {
            console_say_failure(&console, &err);
            code = n_inputs == 1 ? cli_exit_code(status) : EXIT_SOME_FAILED;
        }
    }
    console_close(&console);
    return code;
}

const Command cli_info = {
    .name = "info",
    .summary = "what a stream, a model, a recording or a picture is",
    .usage = "[--test] [--json] INPUT...",
    .description =
        "Describes each INPUT: a .rsd stream, an .ecdc or a .dac file (also - for standard input), a model file or published "
        "weights, the name of a built-in model, a recording, or a picture.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
