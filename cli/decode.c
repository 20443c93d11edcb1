/* decode.c - `residua decode`: .rsd or .ecdc to WAV or FLAC, pictures to PNG and others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/batch.h"
#include "cli/byte_source.h"
#include "cli/dac_job.h"
#include "cli/model_choice.h"
#include "cli/picture_job.h"
#include "codec/container.h"
#include "codec/layers.h"
#include "engine/base/mem.h"
#include "media/audio_writer.h"

#define BLOCK_LEN ((size_t)16384) /* what comes in a pipe is given out frame by frame */
#define MAX_CHANNELS 64 /* of a stream, docs/format.md */
#define MAX_BITRATE_BPS 1e6

enum { FORMAT_BY_NAME = -1, FORMAT_WAV, FORMAT_FLAC, FORMAT_PNG };
static const char *const FORMATS[] = {"wav", "flac", "png", "jpg", "webp", "avif", "jxl", "tiff", "bmp", "pnm", NULL};
static const char *const SUFFIXES[] = {".wav", ".flac", ".png", ".jpg", ".webp", ".avif", ".jxl", ".tiff", ".bmp", ".pnm"};
static const char *const SAMPLE_NAMES[] = {"16", "24", "float", NULL}; /* in the order of SampleFormat */

typedef struct DecodeRequest {
    CommonRequest common;
    const char *output, *output_dir, *model, *adapter, *lm;
    double max_bitrate_bps;
    int n_threads, format, samples, quality, scale, metadata;
    bool recursive, force, json, keep_going;
} DecodeRequest;

static const Option OPTIONS[] = {
    {.letter = 'o',
     .name = "output",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(DecodeRequest, output),
     .help = "name ending in .wav or .flac, or - for a WAV on standard output; without it talk.rsd becomes talk.wav"},
    {.name = "output-dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .offset = offsetof(DecodeRequest, output_dir),
     .help = "put the sound files there; with -r folders are mirrored below it"},
    {.letter = 'r',
     .name = "recursive",
     .offset = offsetof(DecodeRequest, recursive),
     .help = "take every .rsd, .ecdc and .dac file in the folders named, in depth"},
    {.letter = 'f', .name = "force", .offset = offsetof(DecodeRequest, force), .help = "overwrite files that exist"},
    {.name = "format",
     .kind = OPTION_CHOICE,
     .value = "wav|flac|png|jpg|webp|avif|jxl|tiff|bmp|pnm",
     .choices = FORMATS,
     .offset = offsetof(DecodeRequest, format),
     .help = "format of outputs that are not named with -o (default wav; png for pictures)"},
    {.letter = 'q',
     .name = "quality",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = 100,
     .offset = offsetof(DecodeRequest, quality),
     .help = "of pictures written as JPEG, WebP, AVIF or JPEG XL: 1 to 100 (default 90); -q without a number is --quiet"},
    {.name = "scale",
     .kind = OPTION_CHOICE,
     .value = "1|1/2|1/4",
     .choices = PICTURE_SCALES,
     .offset = offsetof(DecodeRequest, scale),
     .help = "of pictures: a thumbnail of half or of a quarter of the size, in less time where the model was trained for it"},
    {.name = "metadata",
     .kind = OPTION_CHOICE,
     .value = "keep|drop",
     .choices = PICTURE_METADATA,
     .offset = offsetof(DecodeRequest, metadata),
     .help = "of pictures: write the EXIF and XMP of the stream (default keep); colours are no part of it"},
    {.name = "bits",
     .kind = OPTION_CHOICE,
     .value = "16|24|float",
     .choices = SAMPLE_NAMES,
     .offset = offsetof(DecodeRequest, samples),
     .help = "samples (default 16); float is for WAV only"},
    {.letter = 'b',
     .name = "max-bitrate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_BITRATE,
     .min = 1,
     .max = MAX_BITRATE_BPS,
     .offset = offsetof(DecodeRequest, max_bitrate_bps),
     .help = "use no more of the stream than this rate: what a cut stream sounds like"},
    {.letter = 'k',
     .name = "keep-going",
     .offset = offsetof(DecodeRequest, keep_going),
     .help = "fill damaged parts with silence of the same length, or tiles of a picture with a guess, and take a stream that ends "
             "too early"},
    {.letter = 'm',
     .name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(DecodeRequest, model),
     .help =
         "name of a built-in model, a model file, or published EnCodec or DAC weights; without it the built-in model that the "
         "stream names"},
    {.name = "adapter",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(DecodeRequest, adapter),
     .help = "with --model: an addition to its decoder that `residua train` made with train.adapter_rank"},
    {.name = "lm",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(DecodeRequest, lm),
     .help = "the language model that an .ecdc file was encoded with"},
    THREADS_OPTION(DecodeRequest,
                   "threads that compute; 0, the default, takes one per processor"),
    {.name = "json", .offset = offsetof(DecodeRequest, json), .help = "one JSON object per input on standard output"},
    COMMON_OPTIONS(DecodeRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.rsd", "writes talk.wav, 16 bit"},
    {"-o talk.flac --bits 24 talk.rsd", "24-bit FLAC"},
    {"--keep-going damaged.rsd", "what can be saved of a damaged stream"},
    {"-o - talk.rsd | aplay", "to a player"},
    {"-m encodec_24khz.th song.ecdc", "a file of the EnCodec tool"},
    {"-m weights.pth song.dac", "a file of the DAC tool"},
    {"-o photo.png photo.rsd", "a picture"},
    {"--scale 1/4 -o small.jpg photo.rsd", "a thumbnail"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, output", "names; - is standard input or output"},
    {"model, hash", "name and hash of the model"},
    {"rate_hz, channels, samples, seconds", "of the decoded signal"},
    {"stages", "codebooks used"},
    {"packets_lost, layers_lost", "what --keep-going passed over"},
    {"complete", "whether the end of the stream was there"},
    {"bytes, bitrate_bps", "size of the stream, and size by duration"},
    {"width, height, bits, alpha, tiles, bpp", "of pictures, instead of what sound has"},
    {"tiles_lost, alpha_lost", "of pictures: what --keep-going passed over"},
    {"status, error", "instead of the rest when the input failed"},
    {NULL, NULL},
};

typedef struct DecodeWork {
    const DecodeRequest *request;
    RsdModel *model; /* NULL: the stream names it */
    RsdLanguageModel *lm;
    RsdThreads *threads;
    Console *console;
    float *block; /* [MAX_CHANNELS * BLOCK_LEN]; untouched pages of it cost nothing */
    PictureJob pictures;
} DecodeWork;

static void note_damage(void *ctx, const char *text)
{
    console_say(ctx, LOG_WARNING, "%s", text);
}

/* Stages within --max-bitrate, 0 for all of them; the header is read ahead for that. */
static RsdStatus limit_stages(int *max_stages, const DecodeWork *w, ByteSource *source, RsdError *err)
{
    RsdStreamInfo info;
    RsdStatus status = RSD_OK;

    *max_stages = 0;
    if (w->request->max_bitrate_bps <= 0)
        return RSD_OK;
    TRY(rsd_stream_probe(&info, byte_source_read, source, source->name, err));
    byte_source_rewind(source);
    if (info.bitrate_bps <= 0)
        return error_set(err, RSD_ERR_UNSUPPORTED,
                         "%s: its rate depends on a model that is not known; leave out --max-bitrate", source->name);
    *max_stages = layers_stages_for_bitrate(&info, w->request->max_bitrate_bps);
    if (*max_stages < 1) {
        console_say(w->console, LOG_WARNING, "%s: its lowest rate is %g kbit/s", source->name, stream_stage_bps(&info, 0) / 1000.0);
        *max_stages = 1;
    }
fail:
    return status;
}

/* Everything from decoder to writer. With keep_going a stream that breaks off is taken as far as it goes. */
static RsdStatus pump(const DecodeWork *w, RsdDecoder *decoder, AudioWriter *writer, const BatchItem *item, bool is_pipe,
                      RsdError *err)
{
    const RsdStreamInfo *info = rsd_decoder_info(decoder);
    const size_t frame_len = (size_t)info->hop_samples, block_len = is_pipe && frame_len < BLOCK_LEN ? frame_len : BLOCK_LEN;
    double started_s = console_clock(), rate = info->rate_hz;
    int64_t n_done = 0;
    size_t n_read;
    RsdStatus status = RSD_OK;

    do {
        RsdStatus read_status = rsd_decoder_read(decoder, w->block, block_len, block_len, &n_read, err);

        TRY(audio_writer_write(writer, w->block, block_len, n_read, read_status == RSD_OK ? err : NULL));
        n_done += (int64_t)n_read;
        if (read_status == RSD_ERR_CORRUPT && w->request->keep_going) {
            console_say(w->console, LOG_WARNING, "%s", err->text);
            err->text[0] = '\0';
            break;
        }
        TRY(read_status);
        batch_progress(w->console, item, (double)n_done / rate, (double)info->n_samples / rate, started_s);
    } while (n_read > 0);
    TRY(audio_writer_finish(writer, err));
fail:
    return status;
}

static void describe(JsonLine *json, const RsdDecoder *decoder, int max_stages)
{
    const RsdStreamInfo *stream = rsd_decoder_info(decoder);
    const RsdStreamReport *report = rsd_decoder_report(decoder);

    json_line_text(json, "model", stream->model_name);
    json_line_hex(json, "hash", stream->model_hash, sizeof stream->model_hash);
    json_line_integer(json, "rate_hz", stream->rate_hz);
    json_line_integer(json, "channels", stream->channels);
    json_line_integer(json, "samples", report->n_samples);
    json_line_number(json, "seconds", (double)report->n_samples / stream->rate_hz, 4);
    json_line_integer(json, "stages", max_stages && max_stages < stream->n_stages ? max_stages : stream->n_stages);
    json_line_integer(json, "packets_lost", report->n_lost);
    json_line_integer(json, "layers_lost", report->n_layers_lost);
    json_line_bool(json, "complete", report->has_end);
    json_line_integer(json, "bytes", report->n_bytes);
    json_line_number(json, "bitrate_bps", report->bitrate_bps, 1);
}

static void note_result(BatchResult *result, const RsdDecoder *decoder)
{
    const RsdStreamReport *report = rsd_decoder_report(decoder);

    result->seconds = (double)report->n_samples / rsd_decoder_info(decoder)->rate_hz;
    result->n_bytes = report->n_bytes;
    result->bitrate_bps = report->bitrate_bps;
    if (report->n_lost || report->n_layers_lost)
        snprintf(result->details, sizeof result->details, ", %lld of %lld packets lost, %lld at a lower rate",
                 (long long)report->n_lost, (long long)report->n_packets, (long long)report->n_layers_lost);
}

/* ---- .dac files ---- */

static bool is_dac(ByteSource *source, RsdStatus *status, RsdError *err)
{
    static const char magic[] = "\x93NUMPY";
    char first[sizeof magic - 1];
    size_t n = 0, n_read = 1;

    while (n < sizeof first && n_read > 0) {
        *status = byte_source_read(source, first + n, sizeof first - n, &n_read, err);
        if (*status != RSD_OK)
            return false;
        n += n_read;
    }
    byte_source_rewind(source);
    return n == sizeof first && memcmp(first, magic, sizeof first) == 0;
}

static RsdStatus write_from_dac(void *ctx, const float *src, size_t stride, size_t n_samples, RsdError *err)
{
    return audio_writer_write(ctx, src, stride, n_samples, err);
}

static RsdStatus decode_dac_item(const DecodeWork *w, ByteSource *source, const BatchItem *item, BatchResult *result,
                                 JsonLine *json, RsdError *err)
{
    AudioWriterOptions writing = {.format = (SampleFormat)w->request->samples, .overwrite = w->request->force};
    AudioWriter *writer = NULL;
    uint8_t *data = NULL;
    DacFile dac = {0};
    DacJob job = {.model = w->model, .threads = w->threads, .name = source->name,
                  .max_bitrate_bps = w->request->max_bitrate_bps};
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(w->model, err, RSD_ERR_MODEL, "%s: a .dac file; give the DAC weights it was made with: --model FILE", source->name);
    TRY(byte_source_read_all(source, &data, &size, DAC_FILE_MAX_SIZE, err));
    TRY(dac_file_parse(&dac, data, size, source->name, err));
    mem_free(&data);
    writing.rate_hz = dac.sample_rate_hz;
    writing.channels = dac.channels;
    writing.n_samples_hint = dac.original_length;
    TRY(audio_writer_open(&writer, item->output, &writing, err));
    TRY(dac_job_decode(&dac, &job, write_from_dac, writer, err));
    TRY(audio_writer_finish(writer, err));
    result->seconds = (double)dac.original_length / dac.sample_rate_hz;
    result->n_bytes = (int64_t)size;
    result->bitrate_bps = result->seconds > 0 ? (double)size * 8 / result->seconds : 0;
    if (json) {
        json_line_text(json, "model", rsd_model_info(w->model)->name);
        json_line_hex(json, "hash", rsd_model_info(w->model)->hash, RSD_MODEL_HASH_SIZE);
        json_line_integer(json, "rate_hz", dac.sample_rate_hz);
        json_line_integer(json, "channels", dac.channels);
        json_line_integer(json, "samples", dac.original_length);
        json_line_number(json, "seconds", result->seconds, 4);
        json_line_integer(json, "stages", dac.n_stages);
        json_line_integer(json, "bytes", result->n_bytes);
        json_line_number(json, "bitrate_bps", result->bitrate_bps, 1);
    }
fail:
    audio_writer_close(&writer);
    dac_file_clear(&dac);
    mem_free(&data);
    return status;
}

/* The format asked for, if it is one of pictures. */
static const char *picture_format(const DecodeRequest *r)
{
    return r->format >= FORMAT_PNG ? FORMATS[r->format] : NULL;
}

static RsdStatus decode_item(void *ctx, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    DecodeWork *w = ctx;
    bool is_picture;
    ByteSource source;
    RsdDecoderOptions decoding;
    AudioWriterOptions writing = {.format = (SampleFormat)w->request->samples, .overwrite = w->request->force};
    RsdDecoder *decoder = NULL;
    AudioWriter *writer = NULL;
    RsdStatus status = RSD_OK;

    TRY(byte_source_open(&source, item->input, err));
    TRY(picture_is_stream(&is_picture, &source, err));
    if (is_picture) {
        CHECK(!w->model, err, RSD_ERR_MODEL, "%s: is a picture, and model %s codes sound", source.name, rsd_model_info(w->model)->name);
        const PictureOutput output = {.format = picture_format(w->request),
                                      .quality = w->request->quality,
                                      .scale = w->request->scale,
                                      .metadata = w->request->metadata};

        TRY(picture_job_decode(&w->pictures, &source, &output, item, result, json, err));
        goto fail; /* nothing failed: the source is closed there */
    }
    CHECK(!w->pictures.model, err, RSD_ERR_MODEL, "%s: is sound, and model %s codes pictures", source.name,
          w->pictures.model->codec->config.name);
    if (is_dac(&source, &status, err)) {
        TRY(decode_dac_item(w, &source, item, result, json, err));
        goto fail; /* nothing failed: the source is closed there */
    }
    TRY(status);
    rsd_decoder_default_options(&decoding);
    TRY(limit_stages(&decoding.max_stages, w, &source, err));
    decoding.model = w->model;
    decoding.language_model = w->lm;
    decoding.threads = w->threads;
    decoding.read = byte_source_read;
    decoding.read_ctx = &source;
    decoding.keep_going = w->request->keep_going;
    decoding.on_damage = note_damage;
    decoding.damage_ctx = w->console;
    decoding.name = source.name;
    TRY(rsd_decoder_open(&decoder, &decoding, err));
    writing.rate_hz = rsd_decoder_info(decoder)->rate_hz;
    writing.channels = rsd_decoder_info(decoder)->channels;
    writing.n_samples_hint = rsd_decoder_info(decoder)->n_samples;
    TRY(audio_writer_open(&writer, item->output, &writing, err));
    TRY(pump(w, decoder, writer, item, source.file_size < 0, err));
    note_result(result, decoder);
    if (rsd_decoder_info(decoder)->container == RSD_CONTAINER_RSD && rsd_decoder_report(decoder)->has_end)
        console_say_rest(w->console, source.name, source.file_size - rsd_decoder_report(decoder)->n_bytes);
    if (json)
        describe(json, decoder, decoding.max_stages);
fail:
    audio_writer_close(&writer);
    rsd_decoder_close(&decoder);
    byte_source_close(&source);
    return status;
}

/* EXIT_DONE when the options fit together. */
static int check_usage(const DecodeRequest *r, bool to_stdout)
{
    if (r->format != FORMAT_BY_NAME && r->output && strcmp(r->output, "-") != 0)
        return command_misused(&cli_decode,
                               "the ending of the name given with -o decides the format: leave out --format");
    if (r->format == FORMAT_FLAC && to_stdout)
        return command_misused(&cli_decode, "only WAV can go to standard output");
    if (r->format == FORMAT_FLAC && r->samples == SAMPLE_F32)
        return command_misused(&cli_decode, "FLAC has no float samples: --bits 16 or 24");
    if (r->adapter && (!r->model || model_choice_is_picture(r->model)))
        return command_misused(&cli_decode, "--adapter adds to a model of sound: name it with --model");
    return EXIT_DONE;
}

static RsdStatus decode_all(void *ctx, const Batch *batch, Console *console, int *code, RsdError *err)
{
    const DecodeRequest *r = ctx;
    DecodeWork work = {.request = r, .console = console};
    RsdStatus status = RSD_OK;

    *code = check_usage(r, batch_to_stdout(batch));
    if (*code != EXIT_DONE)
        return RSD_OK;
    TRY(rsd_threads_create(&work.threads, r->n_threads, err));
    work.pictures = (PictureJob){.model_choice = r->model, .threads = work.threads, .console = console, .force = r->force,
                                 .keep_going = r->keep_going};
    if (r->model && model_choice_is_picture(r->model))
        TRY(picture_job_open_model(&work.pictures, NULL, IMAGE_USE_DECODE, err));
    else if (r->model)
        TRY(model_choice_open(&work.model, r->model, AUDIO_USE_DECODE, err));
    if (r->adapter)
        TRY(rsd_model_add_adapter(work.model, r->adapter, err));
    if (r->lm)
        TRY(rsd_language_model_open(&work.lm, r->lm, err));
    TRY(mem_alloc(&work.block, BLOCK_LEN * MAX_CHANNELS, sizeof *work.block, err));
    *code = batch_run(batch, decode_item, &work, r->json, console);
fail:
    mem_free(&work.block);
    picture_job_clear(&work.pictures);
    rsd_threads_destroy(&work.threads);
    rsd_language_model_close(&work.lm);
    rsd_model_close(&work.model);
    return status;
}

/* What an input becomes when its output is not named. */
static const char *suffix_for(const void *ctx, const char *path)
{
    const DecodeRequest *r = ctx;
    int usual = picture_is_stream_file(path) ? FORMAT_PNG : FORMAT_WAV;
    bool is_fitting = (r->format >= FORMAT_PNG) == (usual == FORMAT_PNG);

    return SUFFIXES[r->format != FORMAT_BY_NAME && is_fitting ? r->format : usual];
}

static int run(int argc, char **argv)
{
    DecodeRequest r = {.format = FORMAT_BY_NAME};
    Console console;
    BatchOptions plan = {.command = &cli_decode, .inputs = argv, .to_stdout = true, .accepts = batch_is_stream_name,
                         .suffix_of = suffix_for, .ctx = &r};
    int code;

    if (!command_begin(&cli_decode, &r, argc, argv, &plan.n_inputs, &console, &code))
        return code;
    plan.output = r.output;
    plan.output_dir = r.output_dir;
    plan.recursive = r.recursive;
    return batch_command(&plan, "the result", r.json, decode_all, &r, &console);
}

const Command cli_decode = {
    .name = "decode",
    .summary = ".rsd, .ecdc or .dac to WAV or FLAC, pictures to PNG and others",
    .usage = "[options] INPUT...",
    .description =
        "Decodes each INPUT, a .rsd stream, an .ecdc or .dac file, or - for standard input, to a sound file of exactly the length that "
        "was encoded, or, when it holds a picture, to a picture file of the depth of its source. Damage ends an input with an "
        "error unless --keep-going is given. One input that fails does not stop the others.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .endings = "rsd|ecdc",
    .run = run,
};
