/* bench.c - `residua bench rd FOLDER`: rate and distortion of our codec beside others, on the user's own recordings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/eval_kind.h"
#include "cli/model_choice.h"
#include "cli/rd_run.h"
#include "cli/shard.h"
#include "cli/report.h"

#define DEFAULT_METRICS "estoi,mel,lsd,segsnr"
#define DEFAULT_SECONDS 10.0
#define DEFAULT_ANCHOR "opus"

typedef struct BenchRequest {
    CommonRequest common;
    const char *shard, *metrics, *codecs, *model, *anchor, *report;
    double rate_hz, seconds;
    int n_threads;
    bool json, csv, force;
} BenchRequest;

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, metrics),
     .help = "names divided by commas, as for residua eval (default " DEFAULT_METRICS ")"},
    {.name = "codecs",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, codecs),
     .help = "some of residua, opus, opus-speech, aac, mp3, vorbis, divided by commas (default all)"},
    {.name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(BenchRequest, model),
     .help = "name of a built-in model, or a model file"},
    {.name = "anchor",
     .kind = OPTION_TEXT,
     .value = "NAME",
     .offset = offsetof(BenchRequest, anchor),
     .help = "the codec whose bits the others are compared with (default " DEFAULT_ANCHOR ", or the first)"},
    {.name = "rate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_HZ,
     .min = 8000,
     .max = 48000,
     .offset = offsetof(BenchRequest, rate_hz),
     .help = "code and compare at this sampling rate (default that of the model, else 48k)"},
    {.name = "seconds",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0.5,
     .max = 600,
     .offset = offsetof(BenchRequest, seconds),
     .help = "use so much of each recording (default 10s)"},
    THREADS_OPTION(BenchRequest,
                   "codecs at work at once, each on one thread; 0, the default, takes one per processor"),
    {.name = "report",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, report),
     .help = "write a page for a browser with the curves"},
    {.letter = 'f', .name = "force", .offset = offsetof(BenchRequest, force), .help = "overwrite a page that exists"},
    {.name = "json",
     .offset = offsetof(BenchRequest, json),
     .help = "one JSON object per point and per comparison on standard output"},
    {.name = "csv", .offset = offsetof(BenchRequest, csv), .help = "a table for spreadsheets on standard output"},
    SHARD_OPTION(BenchRequest),
    COMMON_OPTIONS(BenchRequest),
};

static const Explained EXAMPLES[] = {
    {"rd --report curves.html recordings", "all codecs on every recording of a folder"},
    {"rd --codecs residua,opus -m estoi talk.wav", "two of them on one recording"},
    {"rd --codecs opus,aac,mp3,vorbis --rate 48k music", "only the others, in full band"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"schema", "1; a field changes its meaning only together with this number"},
    {"type", "point or bd_rate"},
    {"codec, setting, bitrate_bps", "of a point: all bytes of all files by their duration"},
    {"encode_speed, decode_speed", "seconds of sound for each second of one processor"},
    {"metrics", "for each name an object: mean over the recordings, half_width_95, unit"},
    {"error", "instead of the rest when a codec refuses the setting"},
    {"anchor, metric, percent", "of a comparison: bits more (below 0: less) than the anchor at equal quality, or null"},
    {"from, to, overlap, why", "the values both reach, their share of the shorter range, and the reason for null"},
    {NULL, NULL},
};

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);

    if (!list)
        return true;
    for (const char *at = list; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == len && !strncmp(at, name, len))
            return true;
    return false;
}

/* Every name of the list must be known. */
static RsdStatus check_names(const char *list, const char *option, RsdError *err)
{
    const char *names[RD_MAX_CODECS] = {"residua"}, *near;
    size_t n = 1;

    for (size_t i = 0; rd_peer_at(i) && n < RD_MAX_CODECS; i++)
        names[n++] = rd_peer_at(i)->name;
    for (const char *at = list; at && *at;) {
        char name[40];
        size_t len = strcspn(at, ","), i = 0;

        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), at);
        while (i < n && strcmp(names[i], name) != 0)
            i++;
        near = i < n ? NULL : text_nearest(name, names, n);
        if (i == n)
            return error_set(err, RSD_ERR_ARG, "%s: there is no codec '%s'%s%s%s", option, name,
                             near ? "; did you mean " : "; there are residua, opus, opus-speech, aac, mp3 and vorbis",
                             near ? near : "", near ? "?" : "");
        at += len + (at[len] == ',');
    }
    return RSD_OK;
}

typedef struct Codecs {
    RdCodec items[RD_MAX_CODECS];
    size_t n, anchor;
    RsdModel *model;
    char settings[160];
} Codecs;

static RsdStatus choose_codecs(Codecs *codecs, const BenchRequest *r, RsdError *err)
{
    const char *anchor = r->anchor ? r->anchor : DEFAULT_ANCHOR;
    size_t i = 0;
    RsdStatus status = RSD_OK;

    TRY(check_names(r->codecs, "--codecs", err));
    TRY(check_names(r->anchor, "--anchor", err));
    if (is_named(r->codecs, "residua")) {
        TRY(model_choice_open(&codecs->model, r->model, AUDIO_USE_RUN, err));
        rd_describe_ours(&codecs->items[codecs->n++], codecs->model, codecs->settings);
    }
    for (size_t k = 0; rd_peer_at(k); k++)
        if (is_named(r->codecs, rd_peer_at(k)->name))
            codecs->items[codecs->n++] = *rd_peer_at(k);
    CHECK(codecs->n, err, RSD_ERR_ARG, "--codecs: no name was given");
    while (i < codecs->n && strcmp(codecs->items[i].name, anchor) != 0)
        i++;
    CHECK(i < codecs->n || !r->anchor, err, RSD_ERR_ARG, "--anchor %s: is not among the codecs", anchor);
    codecs->anchor = i < codecs->n ? i : 0;
fail:
    return status;
}

static RsdStatus check_output(const BenchRequest *r, RsdError *err)
{
    if (r->report && !r->force && access(r->report, F_OK) == 0)
        return error_set(err, RSD_ERR_EXISTS, "%s: exists already; -f overwrites it", r->report);
    return RSD_OK;
}

static RsdStatus bench_rd(const BenchRequest *r, char **paths, size_t n_paths, Console *console, RsdError *err)
{
    Codecs codecs = {0};
    EvalSet set;
    EvalLimits limits;
    const EvalWishes wishes = {.metrics = r->metrics ? r->metrics : DEFAULT_METRICS};
    const EvalOptions options = {0};
    MediaList *files = NULL;
    RsdThreads *threads = NULL;
    Shard shard;
    RdRun run = {.set = &set, .seconds = r->seconds, .console = console, .channels = 1};
    RsdStatus status = RSD_OK;

    TRY(shard_parse(&shard, r->shard, err));
    TRY(check_output(r, err));
    TRY(eval_wishes_check(&wishes, (const EvalKind *const[]){&eval_kind_audio}, 1, err));
    TRY(eval_set_choose(&set, &limits, &eval_kind_audio, &wishes, &options, err));
    TRY(choose_codecs(&codecs, r, err));
    TRY(rsd_threads_create(&threads, r->n_threads, err));
    run.codecs = codecs.items;
    run.n_codecs = codecs.n;
    run.anchor = codecs.anchor;
    run.model = codecs.model;
    run.rate_hz = r->rate_hz > 0 ? (int)r->rate_hz : codecs.model ? rsd_model_info(codecs.model)->rate_hz : 48000;
    if (codecs.model)
        run.channels = rsd_model_info(codecs.model)->channels;
    TRY(media_list_scan(&files, (const char *const *)paths, n_paths, run.rate_hz, threads, err));
    media_list_keep_part(files, shard.index, shard.n);
    CHECK(files->n_files, err, RSD_ERR_ARG, "--shard %zu/%zu: there are fewer recordings than parts", shard.index + 1,
          shard.n);
    run.files = files;
    TRY(rd_run(&run, threads, err));
    (r->json ? rd_print_json : r->csv ? rd_print_csv : rd_print_table)(&run);
    fflush(stdout);
    if (r->report)
        TRY(report_write(r->report, r->force, REPORT_RD, rd_fill_report, &run, err));
fail:
    rd_run_clear(&run);
    media_list_destroy(&files);
    rsd_threads_destroy(&threads);
    rsd_model_close(&codecs.model);
    return status;
}

static int run(int argc, char **argv)
{
    BenchRequest r = {.seconds = DEFAULT_SECONDS};
    Console console;
    size_t n_operands;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_bench, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands < 2 || strcmp(argv[0], "rd") != 0)
        code = command_misused(&cli_bench, "what and on which recordings: residua bench %s", cli_bench.usage);
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
    .description = "Codes every recording of the folders (or the recordings named) with our model and with Opus, AAC, "
                   "MP3 and Vorbis "
                   "through libavcodec, each at several rates, decodes the files again and measures them. Rates are "
                   "those of whole "
                   "files. The table ends with the bits that each codec needs for the same quality as the anchor "
                   "(BD-rate), where the "
                   "curves overlap.\n\nAll codecs get the same samples, at the rate and the channels of the model; "
                   "--codecs without "
                   "residua compares the others at 48 kHz in mono.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
