/* bench.c - `residua bench rd FOLDER`: rate and distortion of our codec beside others, on the user's own recordings or pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/rd_choice.h"
#include "cli/rd_run.h"
#include "cli/rd_trials.h"
#include "cli/report.h"
#include "cli/shard.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "trainer/folder_walk.h"
#include "trainer/media_list.h"
#include "trainer/pictures.h"

#define DEFAULT_SECONDS 10.0

typedef struct BenchRequest {
    CommonRequest common;
    RdChoice codecs;
    const char *shard, *kind, *metrics, *report, *svg, *csv_file, *trials;
    double rate_hz, seconds, max_bpp;
    int n_threads;
    bool json, csv, force;
} BenchRequest;

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, metrics),
     .help = "names divided by commas, as for residua eval (default estoi,mel,lsd,segsnr; psnr,ms-ssim,ssimulacra2)"},
    {.name = "kind",
     .kind = OPTION_TEXT,
     .value = "KIND",
     .offset = offsetof(BenchRequest, kind),
     .help = "audio or image, for folders that hold both"},
    {.name = "codecs",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, codecs.names),
     .help = "some of residua, opus, opus-speech, aac, mp3, vorbis, or of residua, jpeg, webp, jpeg2000, jxl, avif, "
             "divided by commas (default all)"},
    {.name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(BenchRequest, codecs.model),
     .help = "name of a built-in model, or a model file"},
    {.name = "tune",
     .kind = OPTION_TEXT,
     .value = "LOSS",
     .offset = offsetof(BenchRequest, codecs.tune),
     .help = "pictures: our model made for this loss, as residua encode takes it, and what searches follow (default mse)"},
    {.name = "effort",
     .kind = OPTION_TEXT,
     .value = "N[,N...]",
     .offset = offsetof(BenchRequest, codecs.efforts),
     .help = "pictures: our model at up to 3 efforts of residua encode (1 to 9), too, each a codec of its own named residua "
             "effort N beside residua, which is effort 2; searches take seconds to minutes for a million pixels at each setting"},
    {.name = "levels",
     .kind = OPTION_TEXT,
     .value = "N[,N...]",
     .offset = offsetof(BenchRequest, codecs.levels),
     .help = "pictures: our model at these levels, in steps of 1/16 (default 0,1,2.. to its highest); four across the range give a first "
             "comparison of a slow effort, and --trials keeps them for the rest"},
    {.name = "anchor",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, codecs.anchor),
     .help = "the codecs whose bits the others are compared with, up to 4 (default opus or avif, or the first)"},
    {.name = "rate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_HZ,
     .min = 8000,
     .max = 48000,
     .offset = offsetof(BenchRequest, rate_hz),
     .help = "recordings: code and compare at this sampling rate (default that of the model, else 48k)"},
    {.name = "seconds",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0.5,
     .max = 600,
     .offset = offsetof(BenchRequest, seconds),
     .help = "recordings: use so much of each (default 10s)"},
    {.name = "max-bpp",
     .kind = OPTION_QUANTITY,
     .value = "BITS",
     .unit = UNIT_NONE,
     .min = 0.01,
     .max = 24,
     .offset = offsetof(BenchRequest, max_bpp),
     .help = "pictures: leave out settings that take more bits per pixel in the mean; searches of settings that are far above are not begun"},
    THREADS_OPTION(BenchRequest,
                   "codecs at work at once, each on one thread; 0, the default, takes one per processor"),
    {.name = "report",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, report),
     .help = "write a page for a browser with the curves"},
    {.name = "svg",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, svg),
     .help = "draw the curves as an SVG picture"},
    {.name = "csv-file",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, csv_file),
     .help = "write what --csv prints to a file, beside the table"},
    {.name = "trials",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, trials),
     .help = "keep what came of each file at each setting there as soon as it is known, and take it from there when run again"},
    {.letter = 'f', .name = "force", .offset = offsetof(BenchRequest, force), .help = "overwrite files that exist"},
    {.name = "json",
     .offset = offsetof(BenchRequest, json),
     .help = "one JSON object per codec, per point, per equal rate and per comparison on standard output"},
    {.name = "csv", .offset = offsetof(BenchRequest, csv), .help = "a table for spreadsheets on standard output"},
    SHARD_OPTION(BenchRequest),
    COMMON_OPTIONS(BenchRequest),
};

static const Explained EXAMPLES[] = {
    {"rd --report curves.html recordings", "all codecs on every recording of a folder"},
    {"rd --codecs residua,opus -m estoi talk.wav", "two of them on one recording"},
    {"rd --codecs opus,aac,mp3,vorbis --rate 48k music", "only the others, in full band"},
    {"rd --svg curves.svg photos", "our model of pictures beside JPEG, WebP, AVIF and others"},
    {"rd --codecs residua,avif --effort 5,8 photos", "what searching for a smaller file gains"},
    {"rd --codecs residua,avif --tune ms-ssim --effort 5 -m ms-ssim photos", "the model made for MS-SSIM, and a search that follows it"},
    {"rd --codecs residua,avif --effort 8 --trials night.jsonl photos", "stopped and run again, it goes on where it was"},
    {"rd --codecs webp,avif,jpeg --anchor jpeg,avif photos", "two comparisons of three codecs"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"schema", "1; a field changes its meaning only together with this number"},
    {"type", "codec, point, equal_rate or bd_rate"},
    {"title, settings, kind, files", "of a codec: encoder and options; audio or image; how many were coded"},
    {"shard", "of a codec, when the files are a part of those named: 2/4"},
    {"codec, setting, bitrate_bps", "of a point of sound: all bytes of all files by their duration"},
    {"bpp", "instead of bitrate_bps for pictures: bits per pixel, the mean of the pictures"},
    {"encode_speed, decode_speed", "seconds of sound, or million pixels, for each second of one processor"},
    {"encode_s, decode_s", "mean processor time of one recording or picture"},
    {"metrics", "for each name an object: mean over the files, half_width_95, unit"},
    {"error", "instead of the rest when a codec refuses the setting, or it is above --max-bpp"},
    {"metric, of_means",
     "of an equal rate, which is its bpp or bitrate_bps, not of metrics that are best near 0: quality read off the curve of the means, or null"},
    {"each_mean, each_n",
     "the same of each file's own curve: mean with each_half_width_95, over the each_n files that every codec reaches there"},
    {"anchor, metric, percent", "of a comparison: bits more (below 0: less) than the anchor at equal quality, or null"},
    {"from, to, overlap, why", "the values both reach, their share of the shorter range, and the reason for null"},
    {"each_percent, each_n", "mean of what each file gives alone, each_half_width_95, and of how many files"},
    {NULL, NULL},
};

/* ---- recordings or pictures ---- */

typedef struct Census {
    size_t n_sounds, n_pictures;
} Census;

static RsdStatus count_file(void *ctx, const char *path, int64_t size, bool named, RsdError *err)
{
    Census *census = ctx;

    (void)size, (void)err;
    if (eval_kind_of(path) == &eval_kind_image)
        census->n_pictures++;
    else if (named || media_list_is_recording(path))
        census->n_sounds++;
    return RSD_OK;
}

static RsdStatus choose_kind(const RdKind **kind, const BenchRequest *r, const char *const *paths, size_t n_paths, RsdError *err)
{
    Census census = {0};
    RsdStatus status = RSD_OK;

    if (r->kind) {
        *kind = strcmp(r->kind, eval_kind_audio.name) == 0   ? &rd_kind_sound
                : strcmp(r->kind, eval_kind_image.name) == 0 ? &rd_kind_picture
                                                             : NULL;
        CHECK(*kind, err, RSD_ERR_ARG, "--kind %s: there are audio and image", r->kind);
    } else {
        TRY(folder_walk(paths, n_paths, count_file, &census, err));
        CHECK(!census.n_sounds || !census.n_pictures, err, RSD_ERR_ARG,
              "%zu recordings and %zu pictures cannot be compared at once: --kind audio or --kind image takes one of them",
              census.n_sounds, census.n_pictures);
        *kind = census.n_pictures ? &rd_kind_picture : &rd_kind_sound;
    }
    CHECK(*kind == &rd_kind_sound || (r->rate_hz <= 0 && r->seconds <= 0), err, RSD_ERR_ARG,
          "--rate and --seconds are for recordings, and these are pictures");
    CHECK(*kind == &rd_kind_picture || r->max_bpp <= 0, err, RSD_ERR_ARG,
          "--max-bpp is for pictures, and these are recordings");
fail:
    return status;
}

typedef struct Files {
    MediaList *sounds;
    PictureList *pictures;
    const char **paths;
} Files;

/* Those of this process. */
static RsdStatus list_files(Files *files, RdRun *run, const Shard *shard, const char *const *paths, size_t n_paths,
                            RsdThreads *threads, RsdError *err)
{
    size_t n_all;
    RsdStatus status = RSD_OK;

    if (run->kind == &rd_kind_sound)
        TRY(media_list_scan(&files->sounds, paths, n_paths, run->rate_hz, threads, err));
    else
        TRY(picture_list_scan(&files->pictures, paths, n_paths, err));
    n_all = files->sounds ? files->sounds->n_files : files->pictures->n_files;
    TRY(mem_alloc(&files->paths, n_all, sizeof *files->paths, err));
    for (size_t i = 0; i < n_all; i++)
        if (shard_has(shard, i))
            files->paths[run->n_files++] = files->sounds ? files->sounds->files[i].path : files->pictures->files[i].path;
    run->paths = files->paths;
fail:
    return status;
}

static void clear_files(Files *files)
{
    media_list_destroy(&files->sounds);
    picture_list_destroy(&files->pictures);
    mem_free(&files->paths);
}

/* ---- results ---- */

static RsdStatus check_outputs(const BenchRequest *r, RsdError *err)
{
    const char *const paths[] = {r->report, r->svg, r->csv_file, r->trials};
    const size_t n = sizeof paths / sizeof *paths;
    RsdStatus status = RSD_OK;

    TRY(outputs_differ(paths, n, err));
    TRY(outputs_check(paths, n - 1, r->force, err)); /* that of trials goes on */
fail:
    return status;
}

/* What `print` prints, at `path` (NULL: nowhere), complete or not at all. */
static RsdStatus save(const char *path, bool overwrite, void (*print)(const RdRun *, FILE *), const RdRun *run, RsdError *err)
{
    FILE *memory = NULL;
    char *text = NULL;
    size_t size = 0;
    RsdStatus status = RSD_OK;

    if (!path)
        return RSD_OK;
    memory = open_memstream(&text, &size);
    CHECK(memory, err, RSD_ERR_MEMORY, "%s: no memory", path);
    print(run, memory);
    CHECK(fclose(memory) == 0, err, RSD_ERR_MEMORY, "%s: no memory", path);
    TRY(atomic_file_write_whole(path, overwrite, text, size, err));
fail:
    free(text);
    return status;
}

static RsdStatus write_files(const BenchRequest *r, RdRun *run, Console *console, RsdError *err)
{
    RsdError why = {0};
    RsdStatus status = save(r->svg, r->force, rd_print_svg, run, err);

    outputs_add(&status, err, save(r->csv_file, r->force, rd_print_csv, run, &why), &why, console);
    if (r->report)
        outputs_add(&status, err, report_write(r->report, r->force, REPORT_RD, rd_fill_report, run, &why), &why, console);
    return status;
}

static RsdStatus bench_rd(const BenchRequest *r, char **operands, size_t n_paths, Console *console, RsdError *err)
{
    const char *const *paths = (const char *const *)operands;
    RdCompared compared;
    EvalSet set;
    EvalLimits limits;
    EvalWishes wishes = {.metrics = r->metrics};
    const EvalOptions options = {0};
    Files files = {0};
    RsdThreads *threads = NULL;
    BenchRequest mine = *r;
    char buffers[3][SHARD_PATH_SIZE];
    Shard shard;
    RdRun run = {.set = &set, .console = console, .channels = 1, .max_rate = r->max_bpp};
    RsdStatus status = RSD_OK;

    TRY(shard_parse(&shard, r->shard, err));
    run.shard = shard.text[0] ? shard.text : NULL;
    mine.report = shard_path(&shard, r->report, buffers[0]);
    mine.svg = shard_path(&shard, r->svg, buffers[1]);
    mine.csv_file = shard_path(&shard, r->csv_file, buffers[2]);
    TRY(check_outputs(&mine, err));
    TRY(choose_kind(&run.kind, r, paths, n_paths, err));
    if (!r->metrics)
        wishes.metrics = run.kind->metrics;
    TRY(eval_wishes_check(&wishes, &run.kind->eval, 1, err));
    TRY(eval_set_choose(&set, &limits, run.kind->eval, &wishes, &options, err));
    TRY(rd_choose_codecs(&run, &compared, &r->codecs, err));
    TRY(rsd_threads_create(&threads, r->n_threads, err));
    run.seconds = r->seconds > 0 ? r->seconds : DEFAULT_SECONDS;
    run.rate_hz = r->rate_hz > 0 ? (int)r->rate_hz : run.model.sound ? rsd_model_info(run.model.sound)->rate_hz : 48000;
    if (run.model.sound)
        run.channels = rsd_model_info(run.model.sound)->channels;
    TRY(list_files(&files, &run, &shard, paths, n_paths, threads, err));
    if (!run.n_files) {
        console_say(console, LOG_INFO, "--shard %s: there are fewer %s than parts, and none is in this one", shard.text, run.kind->eval->things);
        goto fail;
    }
    if (r->trials) {
        TRY(rd_trials_open(&run.trials, r->trials, err));
        if (rd_trials_count(run.trials) > 0)
            console_say(console, LOG_INFO, "%s: %zu trials are known", r->trials, rd_trials_count(run.trials));
    }
    TRY(rd_run(&run, threads, err));
    (r->json ? rd_print_json : r->csv ? rd_print_csv : rd_print_table)(&run, stdout);
    fflush(stdout);
    TRY(write_files(&mine, &run, console, err));
fail:
    rd_trials_close(&run.trials);
    rd_run_clear(&run);
    rd_model_close(&run.model);
    clear_files(&files);
    rsd_threads_destroy(&threads);
    return status;
}

static int run(int argc, char **argv)
{
    BenchRequest r = {0};
    Console console;
    size_t n_operands;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_bench, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands < 2 || strcmp(argv[0], "rd") != 0)
        code = command_misused(&cli_bench, "what and on which recordings or pictures: residua bench %s", cli_bench.usage);
    else if (r.json && r.csv)
        code = command_misused(&cli_bench, "--json and --csv both write to standard output: give one of them");
    else {
        status = bench_rd(&r, argv + 1, n_operands - 1, &console, &err);
        code = cli_exit_code(status);
    }
    if (status != RSD_OK)
        console_say(&console, LOG_ERROR, "%s", err.text);
    console_close(&console);
    return code;
}

const Command cli_bench = {
    .name = "bench",
    .summary = "rate and distortion beside other codecs",
    .usage = "rd [options] FOLDER...",
    .description = "Codes every recording or picture of the folders (or those named) with our model and with others, each at "
                   "several "
                   "settings, decodes the files again and measures them: recordings with Opus, AAC, MP3 and Vorbis, pictures "
                   "with JPEG, "
                   "WebP, JPEG 2000, JPEG XL and AVIF. Rates are those of whole files. The table ends with the quality of each "
                   "codec at equal rates, from the means at each setting and from each file's own curve (only the second "
                   "compares a dial that is a rate, the same for every file, with one that is a quality), the bits that each needs for the same quality as the anchor (BD-rate) where the curves overlap, and "
                   "the settings of "
                   "each encoder.\n\nAll codecs get the same samples: recordings at the rate and the channels of the model "
                   "(--codecs "
                   "without residua: 48 kHz, mono), pictures with 8 bits and without opacity, which is laid on grey.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
