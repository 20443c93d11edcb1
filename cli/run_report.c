/* run_report.c - `residua report RUN...`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/report.h"
#include "cli/report_run.h"
#include "cli/stop_signals.h"
#include "engine/base/mem.h"
#include "trainer/event_file.h"

#define WATCH_PERIOD_S 10.0
#define LOOK_PERIOD_S 0.25 /* how soon Ctrl-C is obeyed */
#define PATH_SIZE 4096

typedef struct ReportRequest {
    CommonRequest common;
    const char *out, *tensorboard;
    bool force, watch, silent;
    TextList landscape; /* folders of recordings */
    int n_points, n_grid, n_crops;
    double limit_s;
} ReportRequest;

static const ReportRequest DEFAULTS = {.n_points = 21, .n_crops = 8, .limit_s = 300.0};

static const Option OPTIONS[] = {
    {.letter = 'o',
     .name = "out",
     .kind = OPTION_TEXT,
     .value = "PAGE",
     .offset = offsetof(ReportRequest, out),
     .help = "the page to write (default: report.html in the first RUN)"},
    {.letter = 'f', .name = "force", .offset = offsetof(ReportRequest, force), .help = "replace a page or event files that exist"},
    {.letter = 'w',
     .name = "watch",
     .offset = offsetof(ReportRequest, watch),
     .help = "write the page anew whenever there is news, until the runs have ended; an open page follows"},
    {.name = "no-sound", .offset = offsetof(ReportRequest, silent), .help = "leave the samples out: a smaller page"},
    {.name = "tensorboard",
     .kind = OPTION_TEXT,
     .value = "DIR",
     .offset = offsetof(ReportRequest, tensorboard),
     .help = "write TensorBoard event files, DIR/RUN/events.out.tfevents..., instead of a page; RUN is the last part of its path"},
    {.name = "landscape",
     .kind = OPTION_LIST,
     .value = "DIR...",
     .offset = offsetof(ReportRequest, landscape),
     .help = "also measure a slice through the loss around the newest checkpoint's weights, along a random direction of which each filter "
             "has the weights' own length, on fixed crops of the recordings in these folders"},
    {.name = "landscape-points",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 3,
     .max = LANDSCAPE_MAX_POINTS,
     .offset = offsetof(ReportRequest, n_points),
     .help = "points of the slice, an odd number (default: 21)"},
    {.name = "landscape-plane",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 3,
     .max = LANDSCAPE_MAX_GRID,
     .offset = offsetof(ReportRequest, n_grid),
     .help = "and N x N points of the plane of two such directions, an odd number"},
    {.name = "landscape-crops",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 1,
     .max = 1024,
     .offset = offsetof(ReportRequest, n_crops),
     .help = "crops that each point is measured on (default: 8)"},
    {.name = "landscape-limit",
     .kind = OPTION_QUANTITY,
     .unit = UNIT_SECONDS,
     .value = "TIME",
     .min = 1,
     .max = 1e6,
     .offset = offsetof(ReportRequest, limit_s),
     .help = "what would take longer is refused, with the time that it would take (default: 5m)"},
    COMMON_OPTIONS(ReportRequest),
};

static const Explained EXAMPLES[] = {
    {"runs/speech16", "writes runs/speech16/report.html"},
    {"runs/a runs/b -o compare.html", "both runs in the same pictures"},
    {"--watch runs/speech16", "follows a run at work; Ctrl-C ends"},
    {"--tensorboard tb runs/speech16", "then: tensorboard --logdir tb"},
    {"-f --landscape recordings --landscape-plane 11 runs/speech16", "with a slice through the loss"},
    {NULL, NULL},
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- runs ---- */

typedef struct Runs {
    const char *const *dirs;
    size_t n;
    RunHistory *histories;
    Landscape *landscapes; /* NULL: none was asked for */
} Runs;

static void clear(Runs *runs)
{
    for (size_t i = 0; runs->histories && i < runs->n; i++)
        run_history_clear(&runs->histories[i]);
}

static RsdStatus read_all(Runs *runs, RsdError *err)
{
    RsdStatus status = RSD_OK;

    clear(runs);
    for (size_t i = 0; i < runs->n; i++)
        TRY(run_history_read(&runs->histories[i], runs->dirs[i], err));
fail:
    return status;
}

static size_t count_lines(const Runs *runs)
{
    size_t n = 0;

    for (size_t i = 0; i < runs->n; i++)
        n += runs->histories[i].n_lines;
    return n;
}

static bool have_ended(const Runs *runs)
{
    bool ended = true;

    for (size_t i = 0; i < runs->n; i++)
        ended &= runs->histories[i].ended;
    return ended;
}

static void sleep_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};

    nanosleep(&time, NULL);
}

/* ---- products ---- */

static RsdStatus write_page(Runs *runs, const ReportRequest *r, const char *path, bool overwrite, bool goes_on, RsdError *err)
{
    RunReport report = {.dirs = runs->dirs,
                        .histories = runs->histories,
                        .n = runs->n,
                        .refresh_s = goes_on ? WATCH_PERIOD_S : 0.0,
                        .with_sound = !r->silent,
                        .landscapes = runs->landscapes};

    return report_write(path, overwrite, REPORT_RUN, report_fill_run, &report, err);
}

static void tell_progress(void *ctx, int n_done, int n_all, double left_s)
{
    char duration[DURATION_TEXT_SIZE];
    Console *console = ctx;

    if (console_wants_progress(console))
        console_progress(console, "loss landscape: point %d of %d, %s left", n_done, n_all, console_duration(duration, left_s));
}

static RsdStatus measure_landscapes(Runs *runs, const ReportRequest *r, Console *console, RsdError *err)
{
    LandscapeOptions options = {.dirs = r->landscape.items, .n_dirs = r->landscape.n, .n_points = r->n_points, .n_grid = r->n_grid,
                                .n_crops = r->n_crops, .reach = 1.0, .limit_s = r->limit_s, .progress = tell_progress,
                                .progress_ctx = console};
    RsdStatus status = RSD_OK;

    if (!r->landscape.n)
        return RSD_OK;
    TRY(rsd_threads_create(&options.threads, 0, err));
    TRY(mem_calloc(&runs->landscapes, runs->n, sizeof *runs->landscapes, err));
    for (size_t i = 0; i < runs->n; i++) {
        TRY(landscape_measure(&runs->landscapes[i], runs->dirs[i], &options, err));
        console_clear_line(console);
        console_say(console, LOG_INFO, "%s: %d points of its loss on %d crops in %.1f s", runs->dirs[i],
                    r->n_points + r->n_grid * r->n_grid - (r->n_grid > 0), r->n_crops, runs->landscapes[i].seconds);
    }
fail:
    rsd_threads_destroy(&options.threads);
    return status;
}

static RsdStatus watch(Runs *runs, const ReportRequest *r, const char *path, Console *console, RsdError *err)
{
    size_t n_lines = count_lines(runs);
    RsdStatus status = RSD_OK;

    stop_signals_catch(on_signal);
    while (!have_ended(runs) && !stopped) {
        double until = console_clock() + WATCH_PERIOD_S;

        while (!stopped && console_clock() < until)
            sleep_for(LOOK_PERIOD_S);
        TRY(read_all(runs, err));
        if (count_lines(runs) == n_lines && !stopped)
            continue;
        n_lines = count_lines(runs);
        TRY(write_page(runs, r, path, true, !have_ended(runs) && !stopped, err));
        console_say(console, LOG_DEBUG, "%s: %zu lines", path, n_lines);
    }
fail:
    return status;
}

typedef char RunName[256];

/* The last part of a path, without slashes at its end. */
static void base_name(RunName name, const char *path)
{
    size_t end = strlen(path), start;

    while (end > 1 && path[end - 1] == '/')
        end--;
    for (start = end; start && path[start - 1] != '/'; start--)
        ;
    snprintf(name, sizeof(RunName), "%.*s", (int)(end - start < 255 ? end - start : 255), path + start);
}

/* What the folder of each run is called under --tensorboard. */
static RsdStatus name_runs(RunName *names, const Runs *runs, RsdError *err)
{
    char path[PATH_MAX];
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < runs->n; i++) {
        base_name(names[i], runs->dirs[i]);
        if (strcmp(names[i], ".") == 0 || strcmp(names[i], "..") == 0) {
            CHECK(realpath(runs->dirs[i], path), err, RSD_ERR_IO, "%s: %s", runs->dirs[i], strerror(errno));
            base_name(names[i], path);
        }
        CHECK(*names[i], err, RSD_ERR_ARG, "%s: has no name that its folder could have", runs->dirs[i]);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(names[i], names[k]) != 0, err, RSD_ERR_ARG, "%s and %s would share the folder %s: give each a --tensorboard of its own",
                  runs->dirs[k], runs->dirs[i], names[i]);
    }
fail:
    return status;
}

static RsdStatus make_folder(const char *path, RsdError *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return RSD_OK;
    return error_set(err, RSD_ERR_IO, "%s: cannot make the folder: %s", path, strerror(errno));
}

static RsdStatus write_event_file(const RunHistory *history, const ReportRequest *r, const char *name, Console *console, RsdError *err)
{
    char path[PATH_SIZE], part[PATH_SIZE + 8];
    const size_t used = (size_t)snprintf(path, sizeof path, "%s/%s", r->tensorboard, name);
    struct stat info;
    RsdStatus status = RSD_OK;

    CHECK(used + 64 < sizeof path, err, RSD_ERR_ARG, "%.80s...: the path is too long", r->tensorboard);
    TRY(make_folder(path, err));
    snprintf(path + used, sizeof path - used, "/events.out." EVENT_FILE_WORD ".%.0f.residua", history->first_time);
    CHECK(r->force || stat(path, &info) != 0, err, RSD_ERR_EXISTS, "%s: exists already; -f overwrites it", path);
    snprintf(part, sizeof part, "%s.part", path); /* event files grow: an older one is replaced when the new one is complete */
    unlink(part);
    TRY(run_history_write_events(history, part, err));
    CHECK(rename(part, path) == 0, err, RSD_ERR_IO, "%s: cannot write here: %s", path, strerror(errno));
    console_say(console, LOG_INFO, "%s", path);
fail:
    return status;
}

static RsdStatus write_event_files(const Runs *runs, const ReportRequest *r, Console *console, RsdError *err)
{
    RunName *names = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&names, runs->n, sizeof *names, err));
    TRY(name_runs(names, runs, err));
    TRY(make_folder(r->tensorboard, err));
    for (size_t i = 0; i < runs->n; i++)
        TRY(write_event_file(&runs->histories[i], r, names[i], console, err));
fail:
    mem_free(&names);
    return status;
}

/* What makes no sense together. */
static const char *find_misuse(const ReportRequest *r)
{
    if (r->tensorboard && (r->out || r->watch || r->silent || r->landscape.n))
        return "--tensorboard writes no page, which -o, --watch, --no-sound and --landscape are for";
    if (!r->landscape.n && (r->n_points != DEFAULTS.n_points || r->n_grid || r->n_crops != DEFAULTS.n_crops || r->limit_s != DEFAULTS.limit_s))
        return "the options --landscape-... are of --landscape, which names recordings";
    if (r->watch && r->out && strcmp(r->out, "-") == 0)
        return "--watch writes the page again and again: name a file";
    return NULL;
}

static int run(int argc, char **argv)
{
    ReportRequest r = DEFAULTS;
    Runs runs = {0};
    Console console;
    char path[PATH_SIZE];
    const char *misuse;
    bool goes_on;
    int code = EXIT_DONE;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_report, &r, argc, argv, &runs.n, &console, &code))
        return code;
    if (!runs.n)
        return command_misused(&cli_report, "no run was given: residua report %s", cli_report.usage);
    if ((misuse = find_misuse(&r)) != NULL)
        return command_misused(&cli_report, "%s", misuse);
    runs.dirs = (const char *const *)argv;
    TRY(mem_calloc(&runs.histories, runs.n, sizeof *runs.histories, &err));
    TRY(read_all(&runs, &err));
    if (r.tensorboard) {
        TRY(write_event_files(&runs, &r, &console, &err));
        goto done;
    }
    CHECK(snprintf(path, sizeof path, r.out ? "%s" : "%s/report.html", r.out ? r.out : runs.dirs[0]) < PATH_SIZE, &err,
          RSD_ERR_ARG, "%.80s...: the path is too long", r.out ? r.out : runs.dirs[0]);
    if (strcmp(path, "-") != 0)
        TRY(outputs_check((const char *[]){path}, 1, r.force, &err));
    TRY(measure_landscapes(&runs, &r, &console, &err));
    goes_on = r.watch && !have_ended(&runs);
    TRY(write_page(&runs, &r, path, r.force, goes_on, &err));
    console_say(&console, LOG_INFO, "%s", path);
    if (goes_on)
        TRY(watch(&runs, &r, path, &console, &err));
fail:
    if (status != RSD_OK)
        console_say(&console, LOG_ERROR, "%s", err.text);
    code = cli_exit_code(status);
done:
    console_close(&console);
    clear(&runs);
    mem_free(&runs.histories);
    mem_free(&runs.landscapes);
    return code;
}

const Command cli_report = {
    .name = "report",
    .summary = "a page about training runs",
    .usage = "[options] RUN...",
    .description = "Makes one page for a browser from the logs of training runs: curves of losses, metrics, codebooks and "
                   "gradients, several runs in the same pictures, and the samples that validations wrote, to be heard.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .run = run,
};
