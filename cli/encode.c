/* encode.c - `residua encode`: sound of any format to .rsd or .ecdc, pictures to .rsd.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/batch.h"
#include "cli/byte_source.h"
#include "cli/dac_job.h"
#include "cli/model_choice.h"
#include "cli/picture_job.h"
#include "cli/words.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"
#include "media/image_reader.h"
#include "trainer/media_list.h"

#define BLOCK_LEN ((size_t)16384) /* samples per channel between two looks at the clock; what comes in a pipe is taken frame by frame */
#define MAX_BITRATE_BPS 1e6
#define ECDC_BITRATE_BPS 6000.0 /* what the EnCodec tool takes when it is not told, for either model [audio.md 1.13] */

typedef struct EncodeRequest {
    CommonRequest common;
    const char *shard, *output, *output_dir, *model, *lm;
    double bitrate_bps, packet_s;
    int n_threads, format, effort; /* 0: not given */
    bool recursive, force, json, keep_going;
    PictureWish picture;
} EncodeRequest;

enum { FORMAT_BY_NAME = -1 };
static const char *const FORMATS[] = {"rsd", "ecdc", NULL}; /* in the order of RsdContainer */
static const char *const SUFFIXES[] = {".rsd", ".ecdc"};

static const Option OPTIONS[] = {
    {.letter = 'o',
     .name = "output",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EncodeRequest, output),
     .help =
         "the stream's name, ending in .rsd, or in .ecdc or .dac for a file of the EnCodec or the DAC tool; without it "
         "talk.mp3 becomes talk.rsd beside it, and - goes to standard output"},
    {.name = "output-dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .offset = offsetof(EncodeRequest, output_dir),
     .help = "put the streams there; with -r folders are mirrored below it"},
    {.letter = 'r',
     .name = "recursive",
     .offset = offsetof(EncodeRequest, recursive),
     .help = "take every recording and picture in the folders named, in depth; with --model those that it is for"},
    {.letter = 'f', .name = "force", .offset = offsetof(EncodeRequest, force), .help = "overwrite streams that exist"},
    {.letter = 'b',
     .name = "bitrate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_BITRATE,
     .min = 1,
     .max = MAX_BITRATE_BPS,
     .offset = offsetof(EncodeRequest, bitrate_bps),
     .help = "most bits per second of codes, of all channels together, such as 3k; without it all that the model has, which can be cut later, and 6k for "
             ".ecdc files, as the EnCodec tool does"},
    {.name = "packet",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0.001,
     .max = 10,
     .offset = offsetof(EncodeRequest, packet_s),
     .help = "sound in a packet of a .rsd stream, such as 40ms, rounded to whole frames of the model, one at least (default about 1s): a live "
             "stream comes so much later, what is lost by damage is so long, and each packet costs 6 bytes and 6 more for each layer"},
    {.letter = 'm',
     .name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(EncodeRequest, model),
     .help = "name of a built-in model, a model file, or published EnCodec or DAC weights (.th, .pth, or .safetensors "
             "beside its config.json); without it speech16 for sound and photo for pictures"},
    {.letter = 'q',
     .name = "quality",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 0,
     .max = 100,
     .offset = offsetof(EncodeRequest, picture.quality),
     .help = "of pictures: 0 to 100 (default 50); -q without a number is --quiet"},
    {.name = "bpp",
     .kind = OPTION_QUANTITY,
     .value = "BITS",
     .min = 1e-4,
     .max = 1000,
     .offset = offsetof(EncodeRequest, picture.bpp),
     .help = "of pictures: most bits per pixel, such as 0.25, for the whole file; never exceeded"},
    {.name = "max-size",
     .kind = OPTION_QUANTITY,
     .value = "SIZE",
     .unit = UNIT_BYTES,
     .min = 1,
     .max = 1e12,
     .offset = offsetof(EncodeRequest, picture.max_size),
     .help = "of pictures: most bytes of a file, such as 40k; never exceeded, and an error when it cannot be met"},
    {.name = "target",
     .kind = OPTION_TEXT,
     .value = "NAME=VALUE",
     .offset = offsetof(EncodeRequest, picture.target),
     .help = "of pictures: as few bytes as reach this, ms-ssim=0.97, psnr=35, or another metric as `residua eval` prints it, or an image "
             "loss by its name; without --model and --tune the built-in model that is better by this measure"},
    {.name = "effort",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = SEARCH_LAST_EFFORT,
     .offset = offsetof(EncodeRequest, effort),
     .help = "of sound: 1 takes the nearest code of each stage, as published tools do, 2 (default) keeps 4 choices open from stage to "
             "stage, 3 to 6 keep 8 to 64: nearer codes at the same rate, in more time; the default is 1 for published "
             "models, and for DAC 1 is all. Of pictures: 1 rounds to the nearest, 2 (default) weighs each value's bits against its error; 3 to 9 search for values "
             "that make fewer bits of the same picture, each after all that the one before it does: 3 by 2 sweeps (RDOQ), "
             "4 and 5 by 8 and 20 with noise (straight-through), 6 by 60 steps on softly rounded values, 7 to 9 by 100, 200 and 300 of "
             "stochastic annealing; 9 also adapts the decoder's last layer to the picture, of up to 40 Mpx. 3 gains most for its time, 8 "
             "twice as much. "
             "With a model that codes vectors (picture.quantizer = rvq, fsq or bsq) 1 and 2 alone"},
    {.name = "tune",
     .kind = OPTION_TEXT,
     .value = "LOSS",
     .offset = offsetof(EncodeRequest, picture.tune),
     .help = "of pictures: what errors are measured by: mse (default; psnr is the same), ms-ssim, or another image loss that `residua losses` lists; a "
             "built-in model made for it is taken (photo-msssim for ms-ssim, ssim, ssimulacra2 and others of structure), and from --effort 3 on the "
             "search follows it"},
    {.name = "drop-profile",
     .offset = offsetof(EncodeRequest, picture.drop_profile),
     .help = "of pictures: leave out the colour profile"},
    {.name = "metadata",
     .kind = OPTION_CHOICE,
     .value = "keep|drop",
     .choices = PICTURE_METADATA,
     .offset = offsetof(EncodeRequest, picture.metadata),
     .help = "of pictures: EXIF and XMP, which may tell where and by whom a picture was taken (default keep); colours are no part of it"},
    {.name = "drop-alpha",
     .offset = offsetof(EncodeRequest, picture.drop_alpha),
     .help = "of pictures: leave out the opacity, which is kept without loss otherwise"},
    {.name = "format",
     .kind = OPTION_CHOICE,
     .value = "rsd|ecdc",
     .choices = FORMATS,
     .offset = offsetof(EncodeRequest, format),
     .help = "format of outputs that are not named with -o (default rsd)"},
    {.name = "lm",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EncodeRequest, lm),
     .help = "EnCodec's language model, which makes .ecdc files smaller; slow, and needed again to decode"},
    THREADS_OPTION(EncodeRequest,
                   "threads that compute; 0, the default, takes one per processor"),
    {.letter = 'k',
     .name = "keep-going",
     .offset = offsetof(EncodeRequest, keep_going),
     .help = "encode what can be read of a damaged recording, and NaN as zero"},
    {.name = "json", .offset = offsetof(EncodeRequest, json), .help = "one JSON object per input on standard output"},
    SHARD_OPTION(EncodeRequest),
    COMMON_OPTIONS(EncodeRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.mp3", "writes talk.rsd"},
    {"-b 3k -o small.rsd talk.flac", "at most 3 kbit/s"},
    {"-b 3k --effort 4 talk.flac", "the same, nearer to the recording after four times the search"},
    {"-r recordings --output-dir coded", "every recording below a folder"},
    {"-m weights.pth -o song.dac song.flac", "a file of the DAC tool, with published weights"},
    {"- < talk.wav | residua decode - > back.wav", "in a pipe"},
    {"-o talk.rsd -", "a recording, as arecord -f S16_LE brings it, until Ctrl-C"},
    {"-b 3k --packet 40ms - | residua decode - | aplay", "live, as arecord -f S16_LE -r 16000 brings it, 40 ms at a time"},
    {"-m encodec_24khz.th -b 6k -o song.ecdc song.flac", "with published weights, as the EnCodec tool would"},
    {"--max-size 40k photo.jpg", "a picture in at most 40 KiB"},
    {"--effort 8 --max-size 40k photo.jpg", "the same after minutes of search, and better to look at"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, output", "names; - is standard input or output"},
    {"model, hash", "name and hash of the model, as in the stream"},
    {"source_rate_hz, source_channels", "of the recording, before it was converted"},
    {"rate_hz, channels", "of the coded signal"},
    {"samples, seconds", "length per channel"},
    {"stages", "codebooks used"},
    {"bytes, bitrate_bps", "size of the stream, and size by duration"},
    {"width, height, bits, alpha, level, tiles, bpp", "of pictures, instead of what sound has; bpp: bits per pixel"},
    {"trials, measured", "of pictures: settings tried; what --target came to"},
    {"limit, unused", "of pictures, with --bpp and --max-size: bytes allowed, and those of them that were left"},
    {"effort, interrupted", "of pictures: as asked for; whether Ctrl-C ended the search"},
    {"objective, objective_rounded, search_bpp, search_psnr_db, estimated_bpp",
     "of pictures, after a search: bits per pixel + weight times loss, found and of --effort 2; bits per pixel and PSNR of what was "
     "found, without headers; what the search's estimate says of the bits"},
    {"status, error", "instead of the rest when the input failed"},
    {NULL, NULL},
};

typedef struct EncodeWork {
    const EncodeRequest *request;
    RsdContainer container;
    RsdModel *model;
    RsdLanguageModel *lm;
    RsdThreads *threads;
    Console *console;
    float *block; /* [channels, BLOCK_LEN] */
    PictureJob pictures;
} EncodeWork;

static void note_conversion(const EncodeWork *w, const char *name, const AudioInfo *info)
{
    char from_rate[RATE_TEXT_SIZE], to_rate[RATE_TEXT_SIZE], from[CHANNELS_TEXT_SIZE], to[CHANNELS_TEXT_SIZE];

    if (info->source_rate_hz == info->rate_hz && info->source_channels == info->channels)
        return;
    console_say(w->console, LOG_INFO, "%s: %s %s becomes %s %s, which is what the model codes", name,
                rate_text(from_rate, info->source_rate_hz), channels_text(from, info->source_channels),
                rate_text(to_rate, info->rate_hz), channels_text(to, info->channels));
}

/* Damage ends the signal there: with keep_going, or when Ctrl-C has cut a recording off. */
static bool ends_with_damage(const EncodeWork *w, RsdStatus status, int64_t n_done)
{
    return status == RSD_ERR_CORRUPT && (w->request->keep_going || batch_was_interrupted()) && n_done > 0;
}

/* Everything from reader to encoder. */
static RsdStatus pump(const EncodeWork *w, AudioReader *reader, RsdEncoder *encoder, const BatchItem *item,
                      RsdError *err)
{
    const AudioInfo *info = audio_reader_info(reader);
    const size_t frame_len = (size_t)rsd_encoder_info(encoder)->hop_samples;
    const size_t block_len = info->n_samples < 0 && frame_len < BLOCK_LEN ? frame_len : BLOCK_LEN;
    double started_s = console_clock(), rate = info->rate_hz;
    int64_t n_done = 0;
    size_t n_read;
    RsdStatus status = RSD_OK;

    do {
        RsdStatus read_status = audio_reader_read(reader, w->block, block_len, &n_read, err);

        TRY(rsd_encoder_write(encoder, w->block, block_len, n_read, read_status == RSD_OK ? err : NULL));
        n_done += (int64_t)n_read;
        if (ends_with_damage(w, read_status, n_done)) {
            if (!batch_was_interrupted())
                console_say(w->console, LOG_WARNING, "%s; what comes before is encoded", err->text);
            err->text[0] = '\0';
            break;
        }
        TRY(read_status);
        batch_progress(w->console, item, (double)n_done / rate, (double)info->n_samples / rate, started_s);
    } while (n_read > 0);
    if (info->n_replaced > 0)
        console_say(w->console, LOG_WARNING, "%s: %lld samples that are no numbers became zero", item->input,
                    (long long)info->n_replaced);
    TRY(rsd_encoder_finish(encoder, err));
fail:
    return status;
}

static void describe(JsonLine *json, const AudioInfo *info, const RsdStreamInfo *stream, const RsdStreamReport *report)
{
    json_line_text(json, "model", stream->model_name);
    json_line_hex(json, "hash", stream->model_hash, sizeof stream->model_hash);
    json_line_integer(json, "source_rate_hz", info->source_rate_hz);
    json_line_integer(json, "source_channels", info->source_channels);
    json_line_integer(json, "rate_hz", stream->rate_hz);
    json_line_integer(json, "channels", stream->channels);
    json_line_integer(json, "samples", report->n_samples);
    json_line_number(json, "seconds", (double)report->n_samples / stream->rate_hz, 4);
    json_line_integer(json, "stages", stream->n_stages);
    json_line_integer(json, "bytes", report->n_bytes);
    json_line_number(json, "bitrate_bps", report->bitrate_bps, 1);
}

/* ---- .dac files ---- */

static bool is_dac_name(const char *path)
{
    const char *dot = path ? strrchr(path, '.') : NULL;

    return dot && strcasecmp(dot, ".dac") == 0;
}

static void describe_dac(JsonLine *json, const RsdModelInfo *model, const DacFile *dac, const BatchResult *result)
{
    json_line_text(json, "model", model->name);
    json_line_hex(json, "hash", model->hash, sizeof model->hash);
    json_line_integer(json, "rate_hz", dac->sample_rate_hz);
    json_line_integer(json, "channels", dac->channels);
    json_line_integer(json, "samples", dac->original_length);
    json_line_number(json, "seconds", result->seconds, 4);
    json_line_integer(json, "stages", dac->n_stages);
    json_line_integer(json, "bytes", result->n_bytes);
    json_line_number(json, "bitrate_bps", result->bitrate_bps, 1);
}

typedef struct DacInput {
    const EncodeWork *work;
    const BatchItem *item;
    AudioReader *reader;
    int64_t n_done;
    double started_s;
} DacInput;

static RsdStatus read_for_dac(void *ctx, float *dst, size_t max_samples, size_t *n_read, RsdError *err)
{
    DacInput *in = ctx;
    const AudioInfo *info = audio_reader_info(in->reader);
    RsdStatus status = audio_reader_read(in->reader, dst, max_samples, n_read, err);

    in->n_done += (int64_t)*n_read;
    if (ends_with_damage(in->work, status, in->n_done)) {
        if (*n_read == 0 && !batch_was_interrupted()) /* the error comes again, with nothing to read */
            console_say(in->work->console, LOG_WARNING, "%s; what comes before is encoded", err->text);
        err->text[0] = '\0';
        return RSD_OK;
    }
    if (status == RSD_OK)
        batch_progress(in->work->console, in->item, (double)in->n_done / info->rate_hz,
                       (double)info->n_samples / info->rate_hz, in->started_s);
    return status;
}

static void warn_of_lowest_rate(const EncodeWork *w, int channels)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    const double lowest_bps = channels * model->stage_bitrate_bps;

    if (w->request->bitrate_bps > 0 && w->request->bitrate_bps + AUDIO_RATE_TOLERANCE_BPS < lowest_bps)
        console_say(w->console, LOG_WARNING, "the lowest rate of model %s is %g kbit/s", model->name, lowest_bps / 1000.0);
}

/* A file of the DAC tool: nothing of it is written before the recording's loudness is known. */
static RsdStatus encode_dac_item(const EncodeWork *w, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    AudioReaderOptions reading = {.replace_nonfinite = w->request->keep_going};
    DacInput input = {.work = w, .item = item, .started_s = console_clock()};
    DacJob job = {.model = w->model, .threads = w->threads, .name = strcmp(item->input, "-") ? item->input : "standard input",
                  .n_stages = model->n_stages, .window_s = DAC_WINDOW_SECONDS};
    DacFile dac = {0};
    AtomicFile *file = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(w->request->effort <= 1, err, RSD_ERR_ARG, "%s: --effort %d: codes of a DAC are found stage by stage, which is --effort 1",
          item->output, w->request->effort);
    TRY(audio_reader_open(&input.reader, item->input, &reading, err));
    TRY(atomic_file_open(&file, item->output, w->request->force, err));
    job.channels = audio_reader_info(input.reader)->channels;
    job.rate_hz = audio_reader_info(input.reader)->rate_hz;
    if (w->request->bitrate_bps > 0)
        job.n_stages = dac_job_stages_for(w->model, job.channels, w->request->bitrate_bps);
    warn_of_lowest_rate(w, job.channels);
    batch_end_input_at_interrupt(item);
    TRY(dac_job_encode(&dac, &job, read_for_dac, &input, err));
    TRY(dac_file_print(&bytes, &size, &dac, err));
    TRY(atomic_file_write(file, bytes, size, err));
    TRY(atomic_file_commit(file, err));
    result->seconds = (double)dac.original_length / dac.sample_rate_hz;
    result->n_bytes = (int64_t)size;
    result->bitrate_bps = (double)size * 8 / result->seconds;
    if (json)
        describe_dac(json, model, &dac, result);
fail:
    batch_defer_interrupt(false);
    atomic_file_close(&file);
    audio_reader_close(&input.reader);
    dac_file_clear(&dac);
    mem_free(&bytes);
    return status;
}

/* 0: the library's usual length. */
static int frames_per_packet(const EncodeWork *w)
{
    const RsdModelInfo *model = rsd_model_info(w->model);
    const int stride = audio_codec_stride(&w->model->codec->config, 0);
    const double n_codes = w->request->packet_s * model->rate_hz / model->hop_samples / stride;

    return w->request->packet_s <= 0 ? 0 : n_codes < 1 ? stride : (int)lrint(n_codes) * stride;
}

static RsdStatus encode_picture_item(EncodeWork *w, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(!w->model || !w->request->model, err, RSD_ERR_MODEL, "%s: is a picture, and model %s codes sound", item->input,
          rsd_model_info(w->model)->name);
    CHECK(w->request->bitrate_bps <= 0, err, RSD_ERR_ARG, "%s: is a picture: use --bpp or --max-size instead of --bitrate", item->input);
    CHECK(w->request->packet_s <= 0, err, RSD_ERR_ARG, "%s: is a picture; --packet is for sound", item->input);
    TRY(picture_job_encode(&w->pictures, &w->request->picture, item, result, json, err));
fail:
    return status;
}

static RsdStatus encode_item(void *ctx, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    EncodeWork *w = ctx;
    const RsdModelInfo *model;
    AudioReaderOptions reading = {.replace_nonfinite = w->request->keep_going};
    RsdEncoderOptions coding;
    AudioReader *reader = NULL;
    AtomicFile *file = NULL;
    RsdEncoder *encoder = NULL;
    const AudioInfo *info;
    const RsdStreamReport *report;
    RsdStatus status = RSD_OK;

    if (!w->model || picture_is_file(item->input) ||
        (!picture_wish_is_empty(&w->request->picture) && picture_is_empty_file(item->input))) /* whose reader says so */
        return encode_picture_item(w, item, result, json, err);
    CHECK(picture_wish_is_empty(&w->request->picture), err, RSD_ERR_ARG,
          "%s: is no picture; --quality, --bpp, --max-size, --target, --tune, --metadata and --drop-... are for pictures; --model photo "
          "takes the first picture of a film",
          item->input);
    if (is_dac_name(item->output))
        return encode_dac_item(w, item, result, json, err);
    model = rsd_model_info(w->model);
    reading.rate_hz = model->rate_hz;
    reading.channels = model->channels;
    TRY(audio_reader_open(&reader, item->input, &reading, err));
    info = audio_reader_info(reader);
    TRY(atomic_file_open(&file, item->output, w->request->force, err));
    note_conversion(w, strcmp(item->input, "-") ? item->input : "standard input", info);
    rsd_encoder_default_options(&coding);
    coding.model = w->model;
    coding.threads = w->threads;
    coding.write = byte_sink_write;
    coding.write_ctx = file;
    coding.bitrate_bps = w->request->bitrate_bps > 0               ? w->request->bitrate_bps
                         : w->container == RSD_CONTAINER_ECDC ? ECDC_BITRATE_BPS
                                                              : 0;
    coding.container = (int)w->container;
    coding.effort = w->request->effort > RSD_MAX_SOUND_EFFORT ? RSD_MAX_SOUND_EFFORT : w->request->effort;
    coding.frames_per_packet = frames_per_packet(w);
    coding.language_model = w->lm;
    coding.name = strcmp(item->input, "-") ? item->input : "standard input";
    if (info->exact && !w->request->keep_going)
        coding.n_samples = info->n_samples;
    TRY(rsd_encoder_open(&encoder, &coding, err));
    if (coding.n_samples == RSD_UNKNOWN_LENGTH)
        batch_end_input_at_interrupt(item);
    TRY(pump(w, reader, encoder, item, err));
    TRY(atomic_file_commit(file, err));
    report = rsd_encoder_report(encoder);
    result->seconds = (double)report->n_samples / model->rate_hz;
    result->n_bytes = report->n_bytes;
    result->bitrate_bps = report->bitrate_bps;
    if (json)
        describe(json, info, rsd_encoder_info(encoder), report);
fail:
    batch_defer_interrupt(false);
    rsd_encoder_close(&encoder);
    atomic_file_close(&file);
    audio_reader_close(&reader);
    return status;
}

static RsdStatus encode_all(void *ctx, const Batch *batch, Console *console, int *code, RsdError *err)
{
    const EncodeRequest *r = ctx;
    EncodeWork work = {.request = r, .container = (RsdContainer)r->format, .console = console};
    RsdStatus status = RSD_OK;

    TRY(rsd_threads_create(&work.threads, r->n_threads, err));
    work.pictures = (PictureJob){.model_choice = r->model, .tune = r->picture.tune, .threads = work.threads, .console = console, .force = r->force};
    if (r->model && model_choice_is_picture(r->model)) {
        TRY(picture_job_open_model(&work.pictures, NULL, IMAGE_USE_ALL, err));
    } else {
        work.pictures.model_choice = NULL;
        TRY(model_choice_open(&work.model, r->model, AUDIO_USE_ENCODE, err));
        TRY(mem_alloc(&work.block, BLOCK_LEN * (size_t)rsd_model_info(work.model)->channels, sizeof *work.block, err));
    }
    if (r->lm)
        TRY(rsd_language_model_open(&work.lm, r->lm, err));
    if (work.model && !is_dac_name(r->output)) /* whose files have the channels of the recording */
        warn_of_lowest_rate(&work, 1);
    *code = batch_run(batch, encode_item, &work, r->json, console);
fail:
    mem_free(&work.block);
    picture_job_clear(&work.pictures);
    rsd_threads_destroy(&work.threads);
    rsd_language_model_close(&work.lm);
    rsd_model_close(&work.model);
    return status;
}

/* The format that -o or --format ask for. EXIT_DONE when they do not contradict each other. */
static int choose_format(EncodeRequest *r)
{
    const char *dot = r->output ? strrchr(r->output, '.') : NULL;
    bool names_ecdc = dot && !strcasecmp(dot, SUFFIXES[RSD_CONTAINER_ECDC]);

    if (r->format != FORMAT_BY_NAME && r->output && strcmp(r->output, "-") != 0)
        return command_misused(&cli_encode,
                               "the ending of the name given with -o decides the format: leave out --format");
    if (r->format == FORMAT_BY_NAME)
        r->format = names_ecdc ? RSD_CONTAINER_ECDC : RSD_CONTAINER_RSD;
    if (picture_wish_problem(&r->picture))
        return command_misused(&cli_encode, "%s", picture_wish_problem(&r->picture));
    if (r->packet_s > 0 && (r->format == RSD_CONTAINER_ECDC || is_dac_name(r->output)))
        return command_misused(&cli_encode, "--packet is for .rsd streams");
    if (r->lm && r->format != RSD_CONTAINER_ECDC)
        return command_misused(&cli_encode, "--lm is for .ecdc files: use -o NAME.ecdc or --format ecdc");
    return EXIT_DONE;
}

static bool is_sound_or_picture(const char *path)
{
    return media_list_is_recording(path) || image_is_picture_name(path);
}

static int run(int argc, char **argv)
{
    EncodeRequest r = {.format = FORMAT_BY_NAME, .picture = {.quality = QUALITY_NOT_GIVEN}};
    Console console;
    BatchOptions plan = {.command = &cli_encode, .inputs = argv, .to_stdout = true, .accepts = is_sound_or_picture};
    int code;

    if (!command_begin(&cli_encode, &r, argc, argv, &plan.n_inputs, &console, &code))
        return code;
    code = choose_format(&r);
    if (code != EXIT_DONE) {
        console_close(&console);
        return code;
    }
    if (r.model)
        plan.accepts = model_choice_is_picture(r.model) ? image_is_picture_name : media_list_is_recording;
    else
        picture_wish_tune_by_target(&r.picture);
    r.picture.effort = r.effort ? r.effort : PICTURE_EFFORT_USUAL;
    plan.suffix = SUFFIXES[r.format];
    plan.output = r.output;
    plan.output_dir = r.output_dir;
    plan.recursive = r.recursive;
    plan.shard = &r.shard;
    return batch_command(&plan, "the stream", r.json, encode_all, &r, &console);
}

const Command cli_encode = {
    .name = "encode",
    .summary = "sound or pictures of any format to .rsd",
    .usage = "[options] INPUT...",
    .description =
        "Encodes the sound of each INPUT, a file of any format or - for standard input, into a .rsd stream, or, "
        "with an EnCodec model, into an .ecdc file, or, with a DAC, into a .dac file. Other "
        "sampling rates and channels than the model's are converted. One input that fails does not stop the others. Ctrl-C ends what a pipe "
        "brings, such as a recording that is being made: what came until then is encoded, and the exit status is 130; a second Ctrl-C leaves "
        "no output.\n\n"
        "Pictures (PNG, JPEG, WebP, AVIF, JPEG XL, TIFF, BMP and others) are coded with a picture model, photo unless --model names another. "
        "Opacity is coded without loss, grey as grey. Colour profile, EXIF and XMP (not those of HEIC, nor EXIF of TIFF) are kept, see --metadata, after the "
        "orientation was applied; of a profile that is damaged or does not fit the colours, of all pictures of an animation or film "
        "but the first, and of samples of more than 16 bits the loss is told.\n\n"
        "A search (--effort 3 to 9) changes no decoder: it looks for values whose bits and errors together weigh less, which takes seconds "
        "to many minutes for a million pixels and up to a gigabyte of memory. Ctrl-C ends it: the best found until then is written, the "
        "inputs that follow are left, and the exit status is 130. A second Ctrl-C leaves no output.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
