/* eval.c - `residua eval REF DIST`: how far a recording is from its original.
 *
 * Both are read at one rate and one number of channels, the delay between them is found and taken away, and each metric
 * looks at what they have in common (eval_pair.c). Pairs are shared out among threads (eval_run.c) and printed in their
 * order (eval_print.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/eval_embeddings.h"
#include "cli/report.h"
#include "cli/spectrogram.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "losses/svr.h"

#define DEFAULT_MAX_DELAY_S 0.5
#define DEFAULT_DETAILS 12
#define REPORT_RANK "mel" /* says which pairs are worst unless metrics were chosen */

typedef struct EvalRequest {
    CommonRequest common;
    const char *shard, *metrics;
    TextList below, above;
    double rate_hz, max_delay_s;
    const char *report, *spectrogram, *visqol_model;
    int n_threads, n_details;
    bool no_align, per_channel, json, csv, force, embeddings;
} EvalRequest;

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(EvalRequest, metrics),
     .help = "names divided by commas, or all; `residua losses` lists them (default: a usual choice)"},
    {.name = "rate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_HZ,
     .min = 1000,
     .max = 384000,
     .offset = offsetof(EvalRequest, rate_hz),
     .help = "compare at this sampling rate (default that of REF)"},
    {.name = "max-delay",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0,
     .max = 10,
     .offset = offsetof(EvalRequest, max_delay_s),
     .help = "look for a delay up to this (default 0.5s)"},
    {.name = "no-align",
     .offset = offsetof(EvalRequest, no_align),
     .help = "compare sample by sample, without a search"},
    {.name = "visqol-model",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, visqol_model),
     .help =
         "the regression model of ViSQOL's audio mode, libsvm_nu_svr_model.txt of github.com/google/visqol; without it "
         "the metric visqol does not apply"},
    {.letter = 'c',
     .name = "per-channel",
     .offset = offsetof(EvalRequest, per_channel),
     .help = "show the values of single channels too (--json always does)"},
    {.name = "fail-below",
     .kind = OPTION_LIST,
     .value = "NAME=VALUE",
     .offset = offsetof(EvalRequest, below),
     .help = "exit 1 when the mean of that metric is lower (may be repeated)"},
    {.name = "fail-above",
     .kind = OPTION_LIST,
     .value = "NAME=VALUE",
     .offset = offsetof(EvalRequest, above),
     .help = "exit 1 when it is higher; of metrics that are best near 0 the mean magnitude counts"},
    THREADS_OPTION(EvalRequest,
                   "pairs measured at once; 0, the default, takes one per processor; values do not depend on it"),
    {.name = "report",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, report),
     .help = "write a page for a browser: means, distributions, a table that sorts, spectrograms, players"},
    {.name = "report-details",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 0,
     .max = 1000,
     .offset = offsetof(EvalRequest, n_details),
     .help = "how many of the worst pairs get pictures and players on it, about 1 MB each (default 12)"},
    {.name = "spectrogram",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, spectrogram),
     .help = "of one pair: write a PNG with the spectrograms of REF and DIST, and below them the difference, red where "
             "DIST has more"},
    {.name = "embeddings",
     .offset = offsetof(EvalRequest, embeddings),
     .help = "REF and DIST are .npy files of embeddings, [rows, numbers] from a network of yours: print the Frechet distance (FID, FAD) "
             "and the unbiased kernel distance (KID), which is better for fewer than 5000 rows"},
    {.letter = 'f', .name = "force", .offset = offsetof(EvalRequest, force), .help = "overwrite files that exist"},
    {.name = "json",
     .offset = offsetof(EvalRequest, json),
     .help = "one JSON object per pair, and one of the means, on standard output"},
    {.name = "csv", .offset = offsetof(EvalRequest, csv), .help = "a table for spreadsheets on standard output"},
    SHARD_OPTION(EvalRequest),
    COMMON_OPTIONS(EvalRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.wav decoded.wav", "the usual metrics of one recording"},
    {"-m estoi,mel --rate 16k originals decoded", "two of them for two folders paired by name"},
    {"-q --fail-below estoi=0.9 originals decoded", "for scripts: exit 1 when the mean is lower"},
    {"--report page.html originals decoded", "to look at and to listen"},
    {"-m all --csv originals decoded > values.csv", "everything, for a spreadsheet"},
    {"--embeddings originals.npy decoded.npy", "Frechet and kernel distance of two sets of embeddings"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"schema", "1; a field changes its meaning only together with this number"},
    {"type", "pair or summary, or embeddings with ref_rows, dist_rows, dim, frechet and kernel"},
    {"name, ref, dist", "of a pair"},
    {"rate_hz, channels, samples", "of what was compared, samples per channel"},
    {"ref_samples, dist_samples", "lengths at that rate"},
    {"delay_samples, correlation", "by how much dist is late, and how alike they are there"},
    {"ref_loudness_lufs, dist_loudness_lufs, ref_true_peak_dbtp, dist_true_peak_dbtp", "by BS.1770; null for silence"},
    {"metrics", "for each name an object: value (null when infinite or not applicable), unit, flag (why the value is a "
                "convention: too short, silent reference, identical, not applicable; else null), channels (values of "
                "single channels, where there are several)"},
    {"status, error", "instead of the rest when the pair could not be compared"},
    {"pairs, failed, limits_missed", "of the summary; its metrics have mean, half_width_95, n, unit and better"},
    {NULL, NULL},
};

/* ---- files besides the values ---- */

static RsdStatus write_spectrogram(const EvalRequest *r, const EvalRun *run, RsdError *err)
{
    EvalSignals s = {0};
    SpectrogramSet set = {0};
    AtomicFile *file = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(run->pairs->n_items == 1, err, RSD_ERR_ARG,
          "--spectrogram shows one pair, and there are %zu; --report shows many", run->pairs->n_items);
    TRY(atomic_file_open(&file, r->spectrogram, r->force, err));
    TRY(eval_signals_load(&s, &run->pairs->items[0], &run->options, NULL, err));
    TRY(spectrogram_create(&set, s.ref + s.ref_from, s.dist + s.dist_from, s.n_common, s.rate_hz, err));
    TRY(spectrogram_png(&bytes, &size, &set, err));
    TRY(atomic_file_write(file, bytes, size, err));
    TRY(atomic_file_commit(file, err));
fail:
    mem_free(&bytes);
    spectrogram_clear(&set);
    eval_signals_clear(&s);
    atomic_file_close(&file);
    return status;
}

static RsdStatus write_report(const EvalRequest *r, char **operands, const EvalRun *run, RsdThreads *threads,
                              RsdError *err)
{
    EvalReport report = {
        .run = run, .ref = operands[0], .dist = operands[1], .n_details = r->n_details, .threads = threads};

    for (size_t m = 0; !r->metrics && m < run->set->n; m++)
        if (!strcmp(run->set->items[m].name, REPORT_RANK))
            report.rank = m;
    return report_write(r->report, r->force, REPORT_EVAL, report_fill_eval, &report, err);
}

/* Before hours of work, not after them. */
static RsdStatus check_outputs(const EvalRequest *r, RsdError *err)
{
    const char *paths[] = {r->report, r->spectrogram};
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i]) {
            CHECK(strcmp(paths[i], "-") != 0, err, RSD_ERR_ARG, "standard output is for the values; name a file");
            CHECK(r->force || access(paths[i], F_OK) != 0, err, RSD_ERR_EXISTS, "%s: exists already; -f overwrites it",
                  paths[i]);
        }
    if (r->report || r->spectrogram)
        TRY(png_is_available(err));
fail:
    return status;
}

/* ---- the command ---- */

static int exit_code(const EvalRun *run)
{
    if (run->pairs->n_items == 1 && run->n_failed)
        return cli_exit_code(run->results[0].status);
    return run->n_failed || run->n_missed ? EXIT_SOME_FAILED : EXIT_DONE;
}

static RsdStatus evaluate(const EvalRequest *r, char **operands, Console *console, int *code, RsdError *err)
{
    EvalSet set;
    EvalLimits limits;
    PairList *pairs = NULL;
    RsdThreads *threads = NULL;
    Svr *visqol = NULL;
    EvalRun run = {.set = &set,
                   .limits = &limits,
                   .options = {.rate_hz = r->rate_hz, .max_delay_s = r->max_delay_s, .no_align = r->no_align},
                   .form = r->json  ? EVAL_JSON
                           : r->csv ? EVAL_CSV
                                    : EVAL_TABLE,
                   .per_channel = r->per_channel,
                   .console = console};
    Shard shard;
    RsdStatus status = RSD_OK;

    TRY(eval_set_choose(&set, r->metrics, err));
    TRY(eval_limits_parse(&limits, &set, &r->below, &r->above, err));
    TRY(check_outputs(r, err));
    if (r->visqol_model)
        TRY(svr_open(&visqol, r->visqol_model, err));
    run.options.aids.visqol = visqol;
    TRY(shard_parse(&shard, r->shard, err));
    TRY(pairs_find(&pairs, operands[0], operands[1], console, err));
    pairs_keep_shard(pairs, &shard);
    CHECK(pairs->n_items, err, RSD_ERR_ARG, "--shard %zu/%zu: there are fewer pairs than parts", shard.index + 1, shard.n);
    TRY(rsd_threads_create(&threads, r->n_threads, err));
    run.pairs = pairs;
    TRY(eval_run(&run, threads, err));
    if (pairs->n_items > 1)
        console_say(console, LOG_INFO, "%zu pairs compared, %zu failed", pairs->n_items - run.n_failed, run.n_failed);
    if (r->report)
        TRY(write_report(r, operands, &run, threads, err));
    if (r->spectrogram && !run.n_failed)
        TRY(write_spectrogram(r, &run, err));
    *code = exit_code(&run);
fail:
    if (pairs)
        eval_run_clear(&run);
    rsd_threads_destroy(&threads);
    pairs_destroy(&pairs);
    svr_close(&visqol);
    return status;
}

static int run(int argc, char **argv)
{
    EvalRequest r = {.max_delay_s = DEFAULT_MAX_DELAY_S, .n_details = DEFAULT_DETAILS};
    Console console;
    size_t n_operands;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_eval, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands != 2)
        code = command_misused(&cli_eval, "two names are needed, the original and the other: residua eval %s",
                               cli_eval.usage);
    else if (r.json && r.csv)
        code = command_misused(&cli_eval, "--json and --csv both write to standard output: give one of them");
    else if (r.embeddings)
        status = eval_embeddings(argv[0], argv[1], r.json, &err);
    else
        status = evaluate(&r, argv, &console, &code, &err);
    if (status != RSD_OK) {
        console_say(&console, LOG_ERROR, "%s", err.text);
        code = cli_exit_code(status);
    }
    console_close(&console);
    return code;
}

const Command cli_eval = {
    .name = "eval",
    .summary = "how far decoded sound is from the original",
    .usage = "[options] REF DIST",
    .description =
        "Compares DIST with the original REF: two recordings, or two folders whose recordings are paired by name. The "
        "delay between them is found and taken away first. Other rates are resampled to that of REF, and other "
        "numbers of channels mixed to mono. Values in brackets are conventions (silence, too short, no difference) "
        "and do not count for the mean; +- is half of its 95 % confidence interval (Student's t over files).\n\n"
        "The exit code is 0 when every pair was compared and every limit kept, and 1 when a pair of several failed or "
        "a limit was missed.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
