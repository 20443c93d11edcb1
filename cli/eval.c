/* eval.c - `residua eval REF DIST`: how far a recording is from its original.
 *
 * Both are read at one rate and one number of channels, the delay between them is found and taken away, and each metric
 * looks at what they have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/pairs.h"
#include "cli/words.h"
#include "engine/base/mem.h"
#include "losses/align.h"
#include "losses/audio_metric.h"
#include "media/audio_reader.h"

#define MAX_METRICS 32
#define MAX_SAMPLES ((int64_t)1 << 28) /* per channel: an hour and a half at 48 kHz; both signals are in memory */
#define DEFAULT_MAX_DELAY_S 0.5
#define NAME_COLUMNS 32

typedef struct EvalRequest {
    CommonRequest common;
    const char *metrics;
    double rate_hz, max_delay_s;
    bool no_align, json;
} EvalRequest;

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(EvalRequest, metrics),
     .help = "some of snr, segsnr, sisdr, mel, lsd, stoi, estoi, divided by commas (default all)"},
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
    {.name = "json", .offset = offsetof(EvalRequest, json), .help = "one JSON object per pair on standard output"},
    COMMON_OPTIONS(EvalRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.wav decoded.wav", "all metrics of one recording"},
    {"-m estoi,mel --rate 16k originals decoded", "two of them for two folders paired by name"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"ref, dist", "names"},
    {"rate_hz, channels", "at which both were compared"},
    {"samples", "per channel, compared"},
    {"delay_samples, correlation", "by how much dist is late, and how alike they are there"},
    {"snr, segsnr, sisdr, mel, lsd, stoi, estoi", "values; null when infinite"},
    {"flags", "metrics whose value is a convention: too short, silent reference, identical"},
    {"status, error", "instead of the rest when the pair could not be compared"},
    {NULL, NULL},
};

typedef struct MetricSet {
    const AudioMetric *items[MAX_METRICS];
    size_t n;
} MetricSet;

/* Both recordings in one form, and what came out. */
typedef struct Comparison {
    float *ref, *dist; /* planar [channels, n_ref], [channels, n_dist] */
    int64_t n_ref, n_dist, n_common;
    int rate_hz, channels;
    Alignment alignment;
    MetricValue values[MAX_METRICS];
} Comparison;

static RsdStatus add_metric(MetricSet *set, const char *name, RsdError *err)
{
    const char *names[MAX_METRICS], *near;
    const AudioMetric *metric = audio_metric_find(name);
    size_t n = 0;

    if (metric && set->n < MAX_METRICS) {
        set->items[set->n++] = metric;
        return RSD_OK;
    }
    for (; n < MAX_METRICS && audio_metric_at(n); n++)
        names[n] = audio_metric_at(n)->name;
    near = text_nearest(name, names, n);
    return error_set(err, RSD_ERR_ARG, "--metrics: there is no metric '%.40s'%s%s%s", name,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static RsdStatus choose_metrics(MetricSet *set, const char *list, RsdError *err)
{
    char name[32];
    RsdStatus status = RSD_OK;

    for (size_t i = 0; !list && audio_metric_at(i); i++)
        TRY(add_metric(set, audio_metric_at(i)->name, err));
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ",");

        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), at);
        TRY(add_metric(set, name, err));
        at += len + (at[len] == ',');
    }
fail:
    return status;
}

/* ---- one pair ---- */

static RsdStatus read_source_form(AudioInfo *info, const char *path, RsdError *err)
{
    AudioReader *reader = NULL;
    RsdStatus status = audio_reader_open(&reader, path, NULL, err);

    if (status == RSD_OK)
        *info = *audio_reader_info(reader);
    audio_reader_close(&reader);
    return status;
}

/* Both at the rate asked for or that of the original, and in mono unless they have the same channels. */
static RsdStatus read_both(Comparison *c, const Pair *pair, const EvalRequest *r, Console *console, RsdError *err)
{
    AudioInfo ref, dist;
    AudioReaderOptions form = {0};
    char rates[3][RATE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(read_source_form(&ref, pair->ref, err));
    TRY(read_source_form(&dist, pair->dist, err));
    form.rate_hz = c->rate_hz = r->rate_hz > 0 ? (int)r->rate_hz : ref.rate_hz;
    form.channels = c->channels = ref.channels == dist.channels ? ref.channels : 1;
    if (ref.rate_hz != c->rate_hz || dist.rate_hz != c->rate_hz)
        console_say(console, LOG_INFO, "%s: %s against %s, compared at %s", pair->name,
                    rate_text(rates[0], ref.rate_hz), rate_text(rates[1], dist.rate_hz),
                    rate_text(rates[2], c->rate_hz));
    if (ref.channels != dist.channels)
        console_say(console, LOG_INFO, "%s: %d channels against %d, compared in mono", pair->name, ref.channels,
                    dist.channels);
    TRY(audio_read_all(pair->ref, &form, MAX_SAMPLES, &c->ref, &c->n_ref, NULL, err));
    TRY(audio_read_all(pair->dist, &form, MAX_SAMPLES, &c->dist, &c->n_dist, NULL, err));
    CHECK(c->n_ref > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", pair->ref);
    CHECK(c->n_dist > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", pair->dist);
fail:
    return status;
}

static RsdStatus compare(Comparison *c, const Pair *pair, const MetricSet *set, const EvalRequest *r, RsdError *err)
{
    int64_t ref_from, dist_from;
    RsdStatus status = RSD_OK;

    if (!r->no_align)
        TRY(align_find(&c->alignment, c->ref, c->n_ref, c->dist, c->n_dist, c->rate_hz,
                       (int64_t)ceil(r->max_delay_s * c->rate_hz), err));
    align_overlap(c->alignment.lag_samples, c->n_ref, c->n_dist, &ref_from, &dist_from, &c->n_common);
    CHECK(c->n_common > 0, err, RSD_ERR_CORRUPT, "%s and %s have nothing in common at a delay of %lld samples",
          pair->ref, pair->dist, (long long)c->alignment.lag_samples);
    for (size_t i = 0; i < set->n; i++)
        TRY(audio_metric_apply(&c->values[i], set->items[i], c->ref + ref_from, (size_t)c->n_ref, c->dist + dist_from,
                               (size_t)c->n_dist, c->channels, c->n_common, c->rate_hz, err));
fail:
    return status;
}

/* ---- what is shown ---- */

static const char *flag_words(unsigned flags)
{
    return flags & METRIC_SILENT_REFERENCE ? "silent reference"
           : flags & METRIC_TOO_SHORT      ? "too short"
           : flags & METRIC_IDENTICAL      ? "identical"
                                           : NULL;
}

static void print_json(const Pair *pair, const Comparison *c, const MetricSet *set, RsdStatus status,
                       const RsdError *err)
{
    JsonLine line;
    char flags[256] = "";
    size_t used = 0;

    json_line_begin(&line, stdout);
    json_line_text(&line, "ref", pair->ref);
    json_line_text(&line, "dist", pair->dist);
    if (status != RSD_OK) {
        json_line_text(&line, "status", rsd_status_name(status));
        json_line_text(&line, "error", err->text);
        json_line_end(&line);
        return;
    }
    json_line_integer(&line, "rate_hz", c->rate_hz);
    json_line_integer(&line, "channels", c->channels);
    json_line_integer(&line, "samples", c->n_common);
    json_line_integer(&line, "delay_samples", c->alignment.lag_samples);
    json_line_number(&line, "correlation", c->alignment.correlation, 4);
    for (size_t i = 0; i < set->n; i++) {
        json_line_number(&line, set->items[i]->name, c->values[i].value, 6);
        if (flag_words(c->values[i].flags) && used < sizeof flags)
            used += (size_t)snprintf(flags + used, sizeof flags - used, "%s%s: %s", used ? ", " : "",
                                     set->items[i]->name, flag_words(c->values[i].flags));
    }
    json_line_text(&line, "flags", flags);
    json_line_end(&line);
}

static void print_heading(const MetricSet *set)
{
    printf("%-*s %9s", NAME_COLUMNS, "", "delay ms");
    for (size_t i = 0; i < set->n; i++)
        printf(" %13s", set->items[i]->title);
    printf("\n%-*s %9s", NAME_COLUMNS, "better is", "");
    for (size_t i = 0; i < set->n; i++)
        printf(" %13s", set->items[i]->better == METRIC_HIGHER ? "higher" : "lower");
    putchar('\n');
}

/* Values that are only a convention stand in brackets and are left out of the mean. */
static void print_row(const char *name, const Comparison *c, const MetricSet *set)
{
    printf("%-*s %9.2f", NAME_COLUMNS, name, 1000.0 * (double)c->alignment.lag_samples / c->rate_hz);
    for (size_t i = 0; i < set->n; i++) {
        char text[32];

        snprintf(text, sizeof text, c->values[i].flags ? "(%.*f)" : "%.*f", set->items[i]->n_digits,
                 c->values[i].value);
        printf(" %13s", text);
    }
    putchar('\n');
}

typedef struct Means {
    double sums[MAX_METRICS];
    int counts[MAX_METRICS];
} Means;

static void add_to_means(Means *means, const Comparison *c, const MetricSet *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (!c->values[i].flags && isfinite(c->values[i].value)) {
            means->sums[i] += c->values[i].value;
            means->counts[i]++;
        }
}

static void print_means(const Means *means, const MetricSet *set)
{
    printf("%-*s %9s", NAME_COLUMNS, "mean", "");
    for (size_t i = 0; i < set->n; i++)
        if (means->counts[i])
            printf(" %13.*f", set->items[i]->n_digits, means->sums[i] / means->counts[i]);
        else
            printf(" %13s", "-");
    putchar('\n');
}

/* ---- the command ---- */

static int evaluate(const PairList *pairs, const MetricSet *set, const EvalRequest *r, Console *console)
{
    Means means = {0};
    size_t n_failed = 0;
    RsdStatus status = RSD_OK;

    if (!r->json)
        print_heading(set);
    for (size_t i = 0; i < pairs->n_items; i++) {
        const Pair *pair = &pairs->items[i];
        Comparison c = {0};
        RsdError err = {0};

        if (console_wants_progress(console))
            console_progress(console, "%zu of %zu  %s", i + 1, pairs->n_items, pair->name);
        status = read_both(&c, pair, r, console, &err);
        if (status == RSD_OK)
            status = compare(&c, pair, set, r, &err);
        console_clear_line(console);
        if (r->json)
            print_json(pair, &c, set, status, &err);
        else if (status == RSD_OK)
            print_row(pair->name, &c, set);
        fflush(stdout);
        if (status == RSD_OK)
            add_to_means(&means, &c, set);
        else
            console_say(console, LOG_ERROR, "%s", err.text);
        n_failed += status != RSD_OK;
        mem_free(&c.ref);
        mem_free(&c.dist);
    }
    if (pairs->n_items == 1)
        return cli_exit_code(status);
    if (!r->json)
        print_means(&means, set);
    fflush(stdout);
    console_say(console, LOG_INFO, "%zu pairs compared, %zu failed", pairs->n_items - n_failed, n_failed);
    return n_failed ? EXIT_SOME_FAILED : EXIT_DONE;
}

static int run(int argc, char **argv)
{
    EvalRequest r = {.max_delay_s = DEFAULT_MAX_DELAY_S};
    Console console;
    MetricSet set = {0};
    PairList *pairs = NULL;
    size_t n_operands;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_eval, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands != 2) {
        code = command_misused(&cli_eval, "two names are needed, the original and the other: residua eval %s",
                               cli_eval.usage);
        goto done;
    }
    TRY(choose_metrics(&set, r.metrics, &err));
    TRY(pairs_find(&pairs, argv[0], argv[1], &console, &err));
    code = evaluate(pairs, &set, &r, &console);
    goto done;
fail:
    console_say(&console, LOG_ERROR, "%s", err.text);
    code = cli_exit_code(status);
done:
    pairs_destroy(&pairs);
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
        "and do not count for the mean.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
