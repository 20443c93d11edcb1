/* report.c - the page with the data in its middle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/colour_map.h"
#include "codec/residua.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"

#define DATA_MARK "@DATA@"
#define SCRIPT_MARK "@SCRIPT@" /* behind the other one */
#define REPORT_SCHEMA 3

/* The files as they are, copied by the assembler. */
#define EMBED(symbol, path)                                                                                            \
    __asm__(".pushsection .rodata\n.hidden " #symbol "\n.globl " #symbol "\n" #symbol ":\n.incbin \"" path            \
            "\"\n.byte 0\n.popsection\n");                                                                            \
    extern const char symbol[] __attribute__((visibility("hidden")))
EMBED(report_page, "cli/report.html");
EMBED(report_eval_script, "cli/report_eval.js");
EMBED(report_rd_script, "cli/report_rd.js");
EMBED(report_run_script, "cli/report_run.js");

static const struct {
    const char *name, *script;
} KINDS[] = {[REPORT_EVAL] = {"eval", report_eval_script},
             [REPORT_RD] = {"rd", report_rd_script},
             [REPORT_RUN] = {"run", report_run_script}};

/* ---- the page ---- */

static RsdStatus collect(char **text, size_t *size, ReportKind kind, ReportFill fill, void *ctx, RsdError *err)
{
    FILE *memory = open_memstream(text, size);
    JsonLine data;
    RsdStatus status;
    bool failed;

    if (!memory)
        return error_set(err, RSD_ERR_MEMORY, "no memory for the report");
    json_line_begin(&data, memory);
    json_line_integer(&data, "schema", REPORT_SCHEMA);
    json_line_text(&data, "version", RSD_VERSION);
    json_line_text(&data, "kind", KINDS[kind].name);
    status = fill(ctx, &data, err);
    json_line_end(&data);
    failed = ferror(memory) != 0;
    failed |= fclose(memory) != 0;
    if (failed && status == RSD_OK)
        status = error_set(err, RSD_ERR_MEMORY, "no memory for the report");
    return status;
}

static RsdStatus write_text(AtomicFile *file, const char *from, const char *to, RsdError *err)
{
    return atomic_file_write(file, from, (size_t)(to - from), err);
}

RsdStatus report_write(const char *path, bool overwrite, ReportKind kind, ReportFill fill, void *ctx, RsdError *err)
{
    const char *data_mark = strstr(report_page, DATA_MARK), *between = data_mark + strlen(DATA_MARK);
    const char *script_mark = strstr(between, SCRIPT_MARK), *rest = script_mark + strlen(SCRIPT_MARK);
    const char *script = KINDS[kind].script;
    AtomicFile *file = NULL;
    char *text = NULL;
    size_t size = 0;
    RsdStatus status = RSD_OK;

    TRY(atomic_file_open(&file, path, overwrite, err));
    TRY(collect(&text, &size, kind, fill, ctx, err));
    TRY(write_text(file, report_page, data_mark, err));
    TRY(atomic_file_write(file, text, size, err));
    TRY(write_text(file, between, script_mark, err));
    TRY(write_text(file, script, script + strlen(script), err));
    TRY(write_text(file, rest, rest + strlen(rest), err));
    TRY(atomic_file_commit(file, err));
fail:
    free(text);
    atomic_file_close(&file);
    return status;
}

void report_metrics(JsonLine *data, const EvalSet *set)
{
    json_line_open(data, "metrics", '[');
    for (size_t m = 0; m < set->n; m++) {
        json_line_open(data, NULL, '{');
        json_line_text(data, "name", set->items[m].name);
        json_line_text(data, "title", set->items[m].title);
        json_line_text(data, "unit", set->items[m].unit);
        json_line_text(data, "better", eval_better_text(set->items[m].better));
        json_line_integer(data, "digits", set->items[m].n_digits);
        json_line_text(data, "summary", set->items[m].summary);
        json_line_close(data, '}');
    }
    json_line_close(data, ']');
}

/* ---- eval ---- */

typedef struct Ranked {
    size_t pair;
    double badness;
} Ranked;

static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;

    if (x->badness != y->badness)
        return x->badness > y->badness ? -1 : 1;
    return (x->pair > y->pair) - (x->pair < y->pair);
}

/* Worst first; pairs that failed are last. */
static void rank_pairs(Ranked *order, const EvalReportPart *part)
{
    const EvalRun *run = part->run;
    MetricBetter better = run->set->items[part->rank].better;

    for (size_t i = 0; i < run->pairs.n_items; i++) {
        const EvalResult *r = &run->results[i];
        double value = r->status == RSD_OK ? r->values[part->rank].value : 0;

        order[i].pair = i;
        order[i].badness = r->status != RSD_OK          ? -INFINITY
                           : better == METRIC_HIGHER    ? -value
                           : better == METRIC_NEAR_ZERO ? fabs(value)
                                                        : value;
    }
    qsort(order, run->pairs.n_items, sizeof *order, compare_ranked);
}

typedef struct DetailWork {
    const EvalRun *run;
    const Ranked *order;
    EvalDetail *details; /* [n_pairs]; nothing in those that have none */
    RsdStatus status;
    RsdError err;
    _Atomic int failed;
} DetailWork;

static void detail_task(void *ctx, int64_t i, int worker)
{
    DetailWork *work = ctx;
    const EvalRun *run = work->run;
    size_t pair = work->order[i].pair;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    (void)worker;
    if (run->results[pair].status == RSD_OK)
        status = run->set->kind->detail(&work->details[pair], &run->pairs.items[pair], &run->options, &err);
    if (status != RSD_OK && !work->failed++) {
        work->status = status;
        work->err = err;
    }
}

static void write_pair(JsonLine *data, const EvalRun *run, size_t i, const EvalDetail *detail)
{
    const EvalResult *r = &run->results[i];
    char text[EVAL_VALUE_SIZE];

    json_line_open(data, NULL, '{');
    eval_json_pair(data, &run->pairs.items[i], r, run->set);
    if (r->status == RSD_OK) {
        json_line_open(data, "texts", '[');
        for (size_t m = 0; m < run->set->n; m++)
            json_line_text(data, NULL, eval_value_text(text, &run->set->items[m], &r->values[m]));
        json_line_close(data, ']');
    }
    if (detail->n_files) {
        json_line_open(data, run->set->kind->detail_key, '{');
        eval_detail_write(data, detail);
        json_line_close(data, '}');
    }
    json_line_close(data, '}');
}

static void write_means(JsonLine *data, const EvalRun *run)
{
    json_line_open(data, "means", '[');
    for (size_t m = 0; m < run->set->n; m++) {
        json_line_open(data, NULL, '{');
        json_line_real(data, "mean", run->means[m].n ? run->means[m].mean : NAN);
        json_line_real(data, "half_width_95", run->means[m].n > 1 ? run->means[m].half_width : NAN);
        json_line_integer(data, "n", (int64_t)run->means[m].n);
        json_line_close(data, '}');
    }
    json_line_close(data, ']');
}

static RsdStatus write_part(JsonLine *data, const EvalReport *report, const EvalReportPart *part, RsdError *err)
{
    const EvalRun *run = part->run;
    size_t n_pairs = run->pairs.n_items;
    int64_t n_details = report->n_details < (int64_t)n_pairs ? report->n_details : (int64_t)n_pairs;
    Ranked *order = NULL;
    DetailWork work = {.run = run};
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&order, n_pairs, sizeof *order, err));
    TRY(mem_calloc(&work.details, n_pairs, sizeof *work.details, err));
    rank_pairs(order, part);
    work.order = order;
    threads_for(report->threads, n_details, detail_task, &work);
    CHECK(work.status == RSD_OK, err, work.status, "%s", work.err.text);
    json_line_open(data, NULL, '{');
    json_line_text(data, "kind", run->set->kind->name);
    json_line_text(data, "things", run->set->kind->things);
    json_line_integer(data, "rank", (int64_t)part->rank);
    report_metrics(data, run->set);
    write_means(data, run);
    json_line_open(data, "pairs", '[');
    for (size_t i = 0; i < n_pairs; i++)
        write_pair(data, run, i, &work.details[i]);
    json_line_close(data, ']');
    json_line_close(data, '}');
fail:
    for (size_t i = 0; work.details && i < n_pairs; i++)
        eval_detail_clear(&work.details[i]);
    mem_free(&work.details);
    mem_free(&order);
    return status;
}

/* Some of the colours of error maps, for their scale. */
static void write_heat(JsonLine *data)
{
    PngColour colours[256];
    char text[8];

    colour_map_heat(colours);
    json_line_open(data, "heat", '[');
    for (int i = 0; i < 256; i += 15) {
        snprintf(text, sizeof text, "#%02x%02x%02x", colours[i].red, colours[i].green, colours[i].blue);
        json_line_text(data, NULL, text);
    }
    json_line_close(data, ']');
}

RsdStatus report_fill_eval(void *ctx, JsonLine *data, RsdError *err)
{
    const EvalReport *report = ctx;
    RsdStatus status = RSD_OK;

    json_line_text(data, "ref", report->ref);
    json_line_text(data, "dist", report->dist);
    json_line_text(data, "shard", report->shard);
    write_heat(data);
    json_line_open(data, "parts", '[');
    for (size_t i = 0; i < report->n_parts; i++)
        TRY(write_part(data, report, &report->parts[i], err));
    json_line_close(data, ']');
fail:
    return status;
}
