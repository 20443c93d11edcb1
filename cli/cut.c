/* cut.c - `residua cut`: a stream at a lower rate, without decoding it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/batch.h"
#include "cli/byte_source.h"
#include "cli/picture_job.h"
#include "codec/picture_cut.h"
#include "engine/base/atomic_file.h"

typedef struct CutRequest {
    CommonRequest common;
    const char *output, *output_dir;
    double bitrate_bps;
    int n_layers;
    bool recursive, force, json;
} CutRequest;

static const Option OPTIONS[] = {
    {.letter = 'b',
     .name = "bitrate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_BITRATE,
     .min = 1,
     .max = 1e6,
     .offset = offsetof(CutRequest, bitrate_bps),
     .help = "keep the layers whose codes need no more than this, at least one"},
    {.letter = 'l',
     .name = "layers",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = RSD_MAX_LAYERS,
     .offset = offsetof(CutRequest, n_layers),
     .help = "keep so many layers, or stages of a picture of codes; `residua info` shows them"},
    {.letter = 'o',
     .name = "output",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(CutRequest, output),
     .help = "the new stream; without it talk.rsd becomes talk.cut.rsd, and - goes to standard output"},
    {.name = "output-dir",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .offset = offsetof(CutRequest, output_dir),
     .help = "put the new streams there under the names of the old; with -r folders are mirrored below it"},
    {.letter = 'r',
     .name = "recursive",
     .offset = offsetof(CutRequest, recursive),
     .help = "take every .rsd file in the folders named, in depth"},
    {.letter = 'f', .name = "force", .offset = offsetof(CutRequest, force), .help = "overwrite streams that exist"},
    {.name = "json", .offset = offsetof(CutRequest, json), .help = "one JSON object per input on standard output"},
    COMMON_OPTIONS(CutRequest),
};

static const Explained EXAMPLES[] = {
    {"-b 1.5k -o small.rsd talk.rsd", "the layers of 1.5 kbit/s"},
    {"-l 1 -r coded --output-dir smallest", "the first layer of everything below a folder"},
    {"-l 2 photo.rsd", "two stages of a picture that a model with a residual quantiser has coded"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"input, output", "names; - is standard input or output"},
    {"layers, stages", "of the new stream; a picture has no layers"},
    {"samples, seconds", "of sound: length per channel"},
    {"width, height, bpp", "of a picture: pixels, and bits of the new stream for each"},
    {"bytes_in, bytes", "sizes of both streams"},
    {"bitrate_bps", "size of the new stream by duration"},
    {"status, error", "instead of the rest when the input failed"},
    {NULL, NULL},
};

typedef struct CutWork {
    const CutRequest *request;
    Console *console;
} CutWork;

/* Counts what goes through to the file. */
typedef struct CountingSink {
    AtomicFile *file;
    int64_t n_bytes;
} CountingSink;

static RsdStatus write_counted(void *ctx, const void *data, size_t size, RsdError *err)
{
    CountingSink *sink = ctx;

    sink->n_bytes += (int64_t)size;
    return atomic_file_write(sink->file, data, size, err);
}

static RsdStatus cut_picture(const CutRequest *r, ByteSource *source, CountingSink *sink, BatchResult *result, JsonLine *json, RsdError *err)
{
    const PictureCutOptions options = {.read = byte_source_read,
                                       .read_ctx = source,
                                       .name = source->name,
                                       .write = write_counted,
                                       .write_ctx = sink,
                                       .n_stages = r->n_layers};
    PictureInfo info;
    double stages;
    RsdStatus status = RSD_OK;

    CHECK(r->n_layers > 0, err, RSD_ERR_ARG, "%s: holds a picture, which has no bitrate; say -l STAGES", source->name);
    TRY(picture_cut(&info, &options, err));
    TRY(atomic_file_commit(sink->file, err));
    stages = 1.0 + info.level / 16.0;
    result->n_pixels = info.width * info.height;
    result->n_bytes = sink->n_bytes;
    snprintf(result->details, sizeof result->details, ", %.4g %s left of %lld bytes", stages, stages > 1.0 ? "stages" : "stage",
             (long long)source->n_read);
    if (json) {
        json_line_number(json, "stages", stages, 4);
        json_line_integer(json, "width", info.width);
        json_line_integer(json, "height", info.height);
        json_line_integer(json, "bytes_in", source->n_read);
        json_line_integer(json, "bytes", sink->n_bytes);
        json_line_number(json, "bpp", 8.0 * (double)sink->n_bytes / (double)result->n_pixels, 4);
    }
fail:
    return status;
}

static RsdStatus cut_sound(const CutWork *w, ByteSource *source, CountingSink *sink, BatchResult *result, JsonLine *json, RsdError *err)
{
    RsdStreamReport report;
    const RsdCutOptions options = {.read = byte_source_read,
                                   .read_ctx = source,
                                   .name = source->name,
                                   .write = write_counted,
                                   .write_ctx = sink,
                                   .n_layers = w->request->n_layers,
                                   .bitrate_bps = w->request->bitrate_bps,
                                   .report = &report};
    RsdStreamInfo info;
    RsdStatus status = RSD_OK;

    TRY(rsd_stream_cut(&info, &options, err));
    TRY(atomic_file_commit(sink->file, err));
    console_say_rest(w->console, source->name, source->file_size - report.n_bytes);
    result->seconds = (double)info.n_samples / info.rate_hz;
    result->n_bytes = sink->n_bytes;
    result->bitrate_bps = info.n_samples ? 8.0 * (double)sink->n_bytes / result->seconds : 0.0;
    snprintf(result->details, sizeof result->details, ", %d %s left of %lld bytes", info.n_layers,
             info.n_layers == 1 ? "layer" : "layers", (long long)report.n_bytes);
    if (json) {
        json_line_integer(json, "layers", info.n_layers);
        json_line_integer(json, "stages", info.n_stages);
        json_line_integer(json, "samples", info.n_samples);
        json_line_number(json, "seconds", result->seconds, 4);
        json_line_integer(json, "bytes_in", report.n_bytes);
        json_line_integer(json, "bytes", sink->n_bytes);
        json_line_number(json, "bitrate_bps", result->bitrate_bps, 1);
    }
fail:
    return status;
}

static RsdStatus cut_item(void *ctx, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err)
{
    const CutWork *w = ctx;
    const CutRequest *r = w->request;
    ByteSource source;
    CountingSink sink = {0};
    bool is_picture;
    RsdStatus status = RSD_OK;

    TRY(byte_source_open(&source, item->input, err));
    TRY(picture_is_stream(&is_picture, &source, err));
    TRY(atomic_file_open(&sink.file, item->output, r->force, err));
    if (is_picture)
        TRY(cut_picture(r, &source, &sink, result, json, err));
    else
        TRY(cut_sound(w, &source, &sink, result, json, err));
fail:
    atomic_file_close(&sink.file);
    byte_source_close(&source);
    return status;
}

static RsdStatus cut_all(void *ctx, const Batch *batch, Console *console, int *code, RsdError *err)
{
    CutWork work = {.request = ctx, .console = console};

    (void)err;
    *code = batch_run(batch, cut_item, &work, work.request->json, console);
    return RSD_OK;
}

static int run(int argc, char **argv)
{
    CutRequest r = {0};
    Console console;
    BatchOptions plan = {.command = &cli_cut, .inputs = argv, .to_stdout = true, .accepts = batch_is_rsd_name};
    int code;

    if (!command_begin(&cli_cut, &r, argc, argv, &plan.n_inputs, &console, &code))
        return code;
    plan.output = r.output;
    plan.output_dir = r.output_dir;
    plan.recursive = r.recursive;
    plan.suffix = r.output_dir ? ".rsd" : ".cut.rsd";
    if ((r.bitrate_bps > 0) == (r.n_layers > 0)) {
        code = command_misused(&cli_cut, "say what to keep: -b RATE or -l LAYERS, one of them");
        console_close(&console);
        return code;
    }
    return batch_command(&plan, "the stream", r.json, cut_all, &r, &console);
}

const Command cli_cut = {
    .name = "cut",
    .summary = "a .rsd stream at a lower rate, without decoding",
    .usage = "(-b RATE | -l LAYERS) [options] INPUT...",
    .description =
        "Copies each INPUT, a .rsd stream or - for standard input, without its upper layers: what encoding at that rate with "
        "--effort 1 would have given, and near to it when the stream was made with a larger effort. No model is needed. "
        "Pictures have layers when their model codes vectors in stages.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .endings = "rsd",
    .run = run,
};
