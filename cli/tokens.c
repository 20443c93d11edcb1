/* tokens.c - `residua tokens`: the codes of a recording as numbers, and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/batch.h"
#include "cli/byte_source.h"
#include "cli/model_choice.h"
#include "cli/segment_tokens.h"
#include "cli/token_file.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"
#include "media/audio_writer.h"

#define BLOCK_LEN ((size_t)16384)
#define MAX_BITRATE_BPS 1e6

enum { FORMAT_BY_NAME = -1 };
static const char *const FORMATS[] = {"npy", "jsonl", "raw", NULL}; /* in the order of TokenFormat */
static const char *const SAMPLE_NAMES[] = {"16", "24", "float", NULL};

typedef struct TokensRequest {
    CommonRequest common;
    const char *output, *model;
    double bitrate_bps;
    int n_threads, format, samples, n_stages, channels;
    bool from_tokens, force, json;
} TokensRequest;

static const Option OPTIONS[] = {
    {.letter = 'o',
     .name = "output",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(TokensRequest, output),
     .help = "needed: where to write; .npy, .jsonl and .u16 (raw) decide the format, with --from-tokens .wav and .flac; - is "
             "standard output"},
    {.name = "from-tokens",
     .offset = offsetof(TokensRequest, from_tokens),
     .help = "the other way: INPUT is a file of tokens, the output is sound"},
    {.letter = 'm',
     .name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(TokensRequest, model),
     .help = "name of a built-in model, a model file, or published weights"},
    {.letter = 'b',
     .name = "bitrate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_BITRATE,
     .min = 1,
     .max = MAX_BITRATE_BPS,
     .offset = offsetof(TokensRequest, bitrate_bps),
     .help = "as many stages as fit into this rate; without it all of the model"},
    {.name = "stages",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = TOKENS_MAX_STAGES,
     .offset = offsetof(TokensRequest, n_stages),
     .help = "that many stages; with --from-tokens those that a raw file has"},
    {.name = "channels",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = TOKENS_MAX_CHANNELS,
     .offset = offsetof(TokensRequest, channels),
     .help = "convert the recording to N channels first (a model of one channel codes each by itself); with --from-tokens those "
             "that a raw file has"},
    {.name = "format",
     .kind = OPTION_CHOICE,
     .value = "npy|jsonl|raw",
     .choices = FORMATS,
     .offset = offsetof(TokensRequest, format),
     .help = "format of the tokens when the name does not tell"},
    {.name = "bits",
     .kind = OPTION_CHOICE,
     .value = "16|24|float",
     .choices = SAMPLE_NAMES,
     .offset = offsetof(TokensRequest, samples),
     .help = "samples of the sound that --from-tokens writes (default 16)"},
    {.letter = 'f', .name = "force", .offset = offsetof(TokensRequest, force), .help = "overwrite a file that exists"},
    THREADS_OPTION(TokensRequest,
                   "threads that compute; 0, the default, takes one per processor"),
    {.name = "json", .offset = offsetof(TokensRequest, json), .help = "one JSON object on standard output"},
    COMMON_OPTIONS(TokensRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.wav -o codes.npy", "uint16 [channels, stages, frames]"},
    {"-m weights.pth song.flac -o codes.npy", "with the published weights of DAC"},
    {"talk.wav -o - --format jsonl | head", "a line for each frame"},
    {"--from-tokens codes.npy -o back.wav", "and back"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, output", "names; - is standard input or output"},
    {"model, hash", "name and hash of the model"},
    {"rate_hz, hop_samples, codebook_size", "of the model: a frame is hop_samples samples, codes are below codebook_size"},
    {"channels, stages, frames", "shape of the codes, in this order; frames vary fastest"},
    {"segments, stages, samples", "instead, of a model that codes segments: their number, that of their stages, and the signal's length"},
    {"dtype", "of .npy and raw files: uint16, little-endian"},
    {NULL, NULL},
};

typedef struct Work {
    const TokensRequest *request;
    const char *input;
    RsdModel *model;
    RsdThreads *threads;
    TokenFormat format;
    Tokens tokens;
    EcdcSegments segments; /* instead, of a model that codes segments by themselves */
} Work;

/* ---- sound to tokens ---- */

/* The codes of one channel as they come, [frames, stages]. */
typedef struct Collected {
    uint16_t *codes;
    size_t n_frames, capacity;
} Collected;

static RsdStatus collect(void *ctx, const uint16_t *codes, int n_stages, RsdError *err)
{
    Collected *all = ctx;
    size_t n = (size_t)n_stages;
    RsdStatus status = RSD_OK;

    if (all->n_frames == all->capacity) {
        size_t capacity = 2 * all->capacity + 1024;

        TRY(mem_resize(&all->codes, all->capacity * n, capacity * n, sizeof *all->codes, err));
        all->capacity = capacity;
    }
    memcpy(all->codes + all->n_frames++ * n, codes, n * sizeof *codes);
fail:
    return status;
}

static RsdStatus arrange(Tokens *tokens, const Collected *all, int channels, int n_stages, RsdError *err)
{
    size_t n_frames = all[0].n_frames, n = (size_t)n_stages;
    RsdStatus status = RSD_OK;

    tokens->channels = channels;
    tokens->n_stages = n_stages;
    tokens->n_frames = (int64_t)n_frames;
    TRY(mem_alloc(&tokens->codes, (size_t)channels * n * n_frames, sizeof *tokens->codes, err));
    for (size_t c = 0; c < (size_t)channels; c++)
        for (size_t q = 0; q < n; q++)
            for (size_t t = 0; t < n_frames; t++)
                tokens->codes[(c * n + q) * n_frames + t] = all[c].codes[t * n + q];
fail:
    return status;
}

/* One encoder for each channel of a model of one channel, one for all channels else. */
static RsdStatus encode(Work *w, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    AudioReaderOptions reading = {.rate_hz = model->rate_hz,
                                  .channels = model->channels > 1 ? model->channels : w->request->channels};
    RsdEncoder *encoders[TOKENS_MAX_CHANNELS] = {NULL};
    Collected collected[TOKENS_MAX_CHANNELS] = {{NULL, 0, 0}};
    AudioReader *reader = NULL;
    float *block = NULL;
    size_t n_read;
    int n_encoders = 0;
    RsdStatus status = RSD_OK;

    TRY(audio_reader_open(&reader, w->input, &reading, err));
    n_encoders = audio_reader_info(reader)->channels / model->channels;
    for (int i = 0; i < n_encoders; i++) {
        RsdEncoderOptions options;

        rsd_encoder_default_options(&options);
        options.model = w->model;
        options.threads = w->threads;
        options.bitrate_bps = w->request->bitrate_bps;
        options.n_stages = w->request->n_stages;
        options.effort = 1; /* the codes that published tools find */
        options.on_codes = collect;
        options.codes_ctx = &collected[i];
        options.name = strcmp(w->input, "-") ? w->input : "standard input";
        TRY(rsd_encoder_open(&encoders[i], &options, err));
    }
    TRY(mem_alloc(&block, BLOCK_LEN * (size_t)audio_reader_info(reader)->channels, sizeof *block, err));
    do {
        TRY(audio_reader_read(reader, block, BLOCK_LEN, &n_read, err));
        for (int i = 0; i < n_encoders; i++)
            TRY(rsd_encoder_write(encoders[i], block + (size_t)(i * model->channels) * BLOCK_LEN, BLOCK_LEN, n_read, err));
    } while (n_read > 0);
    for (int i = 0; i < n_encoders; i++)
        TRY(rsd_encoder_finish(encoders[i], err));
    TRY(arrange(&w->tokens, collected, n_encoders, rsd_encoder_info(encoders[0])->n_stages, err));
fail:
    for (int i = 0; i < n_encoders; i++) {
        rsd_encoder_close(&encoders[i]);
        mem_free(&collected[i].codes);
    }
    mem_free(&block);
    audio_reader_close(&reader);
    return status;
}

static RsdStatus sound_to_tokens(Work *w, RsdError *err)
{
    AtomicFile *file = NULL;
    RsdStatus status = RSD_OK;

    TRY(atomic_file_open(&file, w->request->output, w->request->force, err));
    TRY(encode(w, err));
    TRY(tokens_write(&w->tokens, w->format, rsd_model_info(w->model), file, err));
    TRY(atomic_file_commit(file, err));
fail:
    atomic_file_close(&file);
    return status;
}

/* ---- tokens to sound ---- */

static RsdStatus decode(Work *w, AudioWriter *writer, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    const Tokens *tokens = &w->tokens;
    RsdCodesDecoder *decoders[TOKENS_MAX_CHANNELS] = {NULL};
    float *block = NULL;
    size_t n_read;
    RsdStatus status = RSD_OK;

    for (int c = 0; c < tokens->channels; c++) {
        status = rsd_codes_open(&decoders[c], w->model, w->threads, tokens->codes + c * tokens->n_stages * tokens->n_frames,
                                tokens->n_stages, tokens->n_frames, err);
        if (status != RSD_OK) {
            error_prefix(err, status, "%s: channel %d", w->input, c + 1);
            goto fail;
        }
    }
    TRY(mem_alloc(&block, BLOCK_LEN * (size_t)(tokens->channels * model->channels), sizeof *block, err));
    do {
        for (int c = 0; c < tokens->channels; c++)
            TRY(rsd_codes_read(decoders[c], block + (size_t)(c * model->channels) * BLOCK_LEN, BLOCK_LEN, BLOCK_LEN, &n_read,
                               err));
        TRY(audio_writer_write(writer, block, BLOCK_LEN, n_read, err));
    } while (n_read > 0);
    TRY(audio_writer_finish(writer, err));
fail:
    for (int c = 0; c < tokens->channels; c++)
        rsd_codes_close(&decoders[c]);
    mem_free(&block);
    return status;
}

static RsdStatus tokens_to_sound(Work *w, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    AudioWriterOptions writing = {.rate_hz = model->rate_hz,
                                  .format = (SampleFormat)w->request->samples,
                                  .overwrite = w->request->force};
    AudioWriter *writer = NULL;
    RsdStatus status = RSD_OK;

    w->tokens.channels = w->request->channels;
    w->tokens.n_stages = w->request->n_stages;
    TRY(tokens_read(&w->tokens, w->input, w->format, err));
    CHECK(model->channels == 1 || w->tokens.channels == 1, err, RSD_ERR_CORRUPT,
          "%s: codes of %d channels; those of model %s stand for its %d channels together: expected [1, stages, frames]",
          w->input, w->tokens.channels, model->name, model->channels);
    writing.channels = w->tokens.channels * model->channels;
    writing.n_samples_hint = w->tokens.n_frames * model->hop_samples;
    TRY(audio_writer_open(&writer, w->request->output, &writing, err));
    TRY(decode(w, writer, err));
fail:
    audio_writer_close(&writer);
    return status;
}

/* ---- models that code segments by themselves ---- */

/* Through the .ecdc file that they are. */
static RsdStatus encode_segments(Work *w, AudioReader *reader, RsdError *err)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder = NULL;
    MemoryStream file = {0};
    float *block = NULL;
    size_t n_read;
    RsdStatus status = RSD_OK;

    rsd_encoder_default_options(&options);
    options.model = w->model;
    options.threads = w->threads;
    options.container = RSD_CONTAINER_ECDC;
    options.bitrate_bps = w->request->bitrate_bps;
    options.n_stages = w->request->n_stages;
    options.name = strcmp(w->input, "-") ? w->input : "standard input";
    options.write = memory_stream_write;
    options.write_ctx = &file;
    TRY(rsd_encoder_open(&encoder, &options, err));
    TRY(mem_alloc(&block, BLOCK_LEN * (size_t)rsd_model_info(w->model)->channels, sizeof *block, err));
    do {
        TRY(audio_reader_read(reader, block, BLOCK_LEN, &n_read, err));
        TRY(rsd_encoder_write(encoder, block, BLOCK_LEN, n_read, err));
    } while (n_read > 0);
    TRY(rsd_encoder_finish(encoder, err));
    TRY(ecdc_segments_parse(&w->segments, w->model, &file, options.name, err));
fail:
    rsd_encoder_close(&encoder);
    mem_free(&file.bytes);
    mem_free(&block);
    return status;
}

static RsdStatus sound_to_segments(Work *w, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    AudioReaderOptions reading = {.rate_hz = model->rate_hz, .channels = model->channels};
    AudioReader *reader = NULL;
    AtomicFile *file = NULL;
    RsdStatus status = RSD_OK;

    TRY(audio_reader_open(&reader, w->input, &reading, err));
    TRY(atomic_file_open(&file, w->request->output, w->request->force, err));
    TRY(encode_segments(w, reader, err));
    TRY(segment_tokens_write(&w->segments, w->model, file, err));
    TRY(atomic_file_commit(file, err));
fail:
    atomic_file_close(&file);
    audio_reader_close(&reader);
    return status;
}

static RsdStatus read_segments(Work *w, RsdError *err)
{
    ByteSource source;
    uint8_t *data = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(byte_source_open(&source, w->input, err));
    TRY(byte_source_read_all(&source, &data, &size, TOKENS_MAX_FILE_SIZE, err));
    TRY(segment_tokens_parse(&w->segments, data, size, source.name, err));
    CHECK(w->request->n_stages == 0 || w->request->n_stages == w->segments.n_stages, err, RSD_ERR_CORRUPT,
          "%s: has %d stages, not what --stages says", source.name, w->segments.n_stages);
fail:
    mem_free(&data);
    byte_source_close(&source);
    return status;
}

static RsdStatus segments_to_sound(Work *w, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    AudioWriterOptions writing = {.rate_hz = model->rate_hz,
                                  .channels = model->channels,
                                  .format = (SampleFormat)w->request->samples,
                                  .overwrite = w->request->force};
    AudioWriter *writer = NULL;
    RsdDecoderOptions decoding;
    RsdDecoder *decoder = NULL;
    MemoryStream file = {0};
    float *block = NULL;
    size_t n_read;
    RsdStatus status = RSD_OK;

    rsd_decoder_default_options(&decoding);
    decoding.model = w->model;
    decoding.threads = w->threads;
    decoding.read = memory_stream_read;
    decoding.read_ctx = &file;
    decoding.name = strcmp(w->input, "-") ? w->input : "standard input";
    TRY(read_segments(w, err));
    TRY(ecdc_segments_print(&file, w->model, &w->segments, decoding.name, err));
    writing.n_samples_hint = w->segments.n_samples;
    TRY(audio_writer_open(&writer, w->request->output, &writing, err));
    TRY(rsd_decoder_open(&decoder, &decoding, err));
    TRY(mem_alloc(&block, BLOCK_LEN * (size_t)model->channels, sizeof *block, err));
    do {
        TRY(rsd_decoder_read(decoder, block, BLOCK_LEN, BLOCK_LEN, &n_read, err));
        TRY(audio_writer_write(writer, block, BLOCK_LEN, n_read, err));
    } while (n_read > 0);
    TRY(audio_writer_finish(writer, err));
fail:
    rsd_decoder_close(&decoder);
    audio_writer_close(&writer);
    mem_free(&file.bytes);
    mem_free(&block);
    return status;
}

/* ---- the command ---- */

static void describe(const Work *w)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    JsonLine json;

    json_line_begin(&json, stdout);
    json_line_text(&json, "input", w->input);
    json_line_text(&json, "output", w->request->output);
    json_line_text(&json, "model", model->name);
    json_line_hex(&json, "hash", model->hash, sizeof model->hash);
    json_line_integer(&json, "rate_hz", model->rate_hz);
    json_line_integer(&json, "hop_samples", model->hop_samples);
    json_line_integer(&json, "codebook_size", model->codebook_size);
    if (model->can_stream) {
        json_line_integer(&json, "channels", w->tokens.channels);
        json_line_integer(&json, "stages", w->tokens.n_stages);
        json_line_integer(&json, "frames", w->tokens.n_frames);
    } else {
        json_line_integer(&json, "segments", (int64_t)w->segments.n_segments);
        json_line_integer(&json, "stages", w->segments.n_stages);
        json_line_integer(&json, "samples", w->segments.n_samples);
    }
    json_line_text(&json, "dtype", "uint16");
    json_line_end(&json);
}

static RsdStatus convert_segments(Work *w, Console *console, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    RsdStatus status = RSD_OK;

    CHECK(model->segment_samples > 0, err, RSD_ERR_UNSUPPORTED,
          "model %s is neither causal nor made for segments: it has no tokens that could be decoded piece by piece", model->name);
    CHECK(w->format == TOKENS_JSONL, err, RSD_ERR_UNSUPPORTED,
          "model %s codes segments that have a scale each, and .npy and raw files hold codes alone: use .jsonl", model->name);
    CHECK(w->request->channels == 0 || w->request->channels == model->channels, err, RSD_ERR_UNSUPPORTED,
          "model %s codes %d channels together: leave out --channels", model->name, model->channels);
    TRY((w->request->from_tokens ? segments_to_sound : sound_to_segments)(w, err));
    console_say(console, LOG_INFO, "%s -> %s: %zu segments, %d stages, %lld samples, codes below %d", w->input, w->request->output,
                w->segments.n_segments, w->segments.n_stages, (long long)w->segments.n_samples, model->codebook_size);
fail:
    return status;
}

static RsdStatus convert_frames(Work *w, Console *console, RsdError *err)
{
    RsdStatus status = (w->request->from_tokens ? tokens_to_sound : sound_to_tokens)(w, err);

    if (status == RSD_OK)
        console_say(console, LOG_INFO, "%s -> %s: %d channels, %d stages, %lld frames of %d samples, codes below %d", w->input,
                    w->request->output, w->tokens.channels, w->tokens.n_stages, (long long)w->tokens.n_frames,
                    rsd_model_info(w->model)->hop_samples, rsd_model_info(w->model)->codebook_size);
    return status;
}

static RsdStatus convert(Work *w, Console *console, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(batch_check_not_itself(w->input, w->request->output, err));
    TRY(model_choice_open(&w->model, w->request->model, w->request->from_tokens ? AUDIO_USE_DECODE : AUDIO_USE_ENCODE, err));
    TRY(rsd_threads_create(&w->threads, w->request->n_threads, err));
    TRY((rsd_model_info(w->model)->can_stream ? convert_frames : convert_segments)(w, console, err));
    if (w->request->json)
        describe(w);
fail:
    tokens_clear(&w->tokens);
    ecdc_segments_clear(&w->segments);
    rsd_threads_destroy(&w->threads);
    rsd_model_close(&w->model);
    return status;
}

static int check_usage(const TokensRequest *r, size_t n_operands, char **operands, TokenFormat *format)
{
    int by_name;

    if (n_operands != 1)
        return command_misused(&cli_tokens, "one INPUT is needed, %zu were given", n_operands);
    if (!r->output)
        return command_misused(&cli_tokens, "where to? Give -o FILE");
    if (r->json && strcmp(r->output, "-") == 0)
        return command_misused(&cli_tokens, "--json and the output cannot both go to standard output; use -o");
    if (r->bitrate_bps > 0 && r->n_stages > 0)
        return command_misused(&cli_tokens, "give --bitrate or --stages, not both");
    if (r->from_tokens && r->bitrate_bps > 0)
        return command_misused(&cli_tokens, "--bitrate is for making tokens; --from-tokens takes all that there are");
    if (!r->from_tokens && r->samples != 0)
        return command_misused(&cli_tokens, "--bits is for the sound of --from-tokens");
    by_name = token_format_of(r->from_tokens ? operands[0] : r->output);
    if (r->format == FORMAT_BY_NAME && by_name < 0)
        return command_misused(&cli_tokens, "the name of the tokens ends neither in .npy nor .jsonl nor .u16: give --format");
    *format = (TokenFormat)(r->format == FORMAT_BY_NAME ? by_name : r->format);
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    TokensRequest r = {.format = FORMAT_BY_NAME};
    Work work = {.request = &r};
    Console console;
    size_t n_operands;
    int code;
    RsdError err = {0};

    if (!command_begin(&cli_tokens, &r, argc, argv, &n_operands, &console, &code))
        return code;
    code = check_usage(&r, n_operands, argv, &work.format);
    if (code == EXIT_DONE) {
        RsdStatus status;

        work.input = argv[0];
        status = convert(&work, &console, &err);
        if (status != RSD_OK) {
            console_say(&console, LOG_ERROR, "%s", err.text);
            code = cli_exit_code(status);
        }
    }
    console_close(&console);
    return code;
}

const Command cli_tokens = {
    .name = "tokens",
    .summary = "codes of a recording as numbers, and back",
    .usage = "[options] INPUT -o FILE",
    .description =
        "Writes the codes that a model gives for INPUT, a recording of any format or - for standard input, as an array of "
        "numbers: uint16 [channels, stages, frames], the last axis varying fastest, stage 0 being the coarsest. With "
        "--from-tokens it makes sound of such an array, frames times hop samples of it: the exact length of the recording is "
        "not among the codes.\n\n"
        "A model of one channel codes each channel of the recording by itself; codes of a model of several channels are "
        "[1, stages, frames].\n\n"
        "A model that codes segments by themselves, such as EnCodec's at 48 kHz, has a scale for each of them: its tokens are "
        "JSON lines, one for a segment, {\"scale\": ..., \"codes\": [stages, frames]}, and they make the exact length of the recording.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
