/* report.h - pages for a browser, each one file that needs no network: what `residua eval` and `residua bench rd` found,
 * and what `residua train` did.
 *
 * A page is cli/report.html (frame, style, tools) with the script of its kind, cli/report_KIND.js, which the build puts into
 * the program, and one JSON object, which docs/report.md describes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_REPORT_H
#define RESIDUA_CLI_REPORT_H

#include "cli/eval_run.h"

/* Writes the fields of the page's data into an object that is open. */
typedef RsdStatus (*ReportFill)(void *ctx, JsonLine *data, RsdError *err);

typedef enum ReportKind { REPORT_EVAL, REPORT_RD, REPORT_RUN } ReportKind;

/* The page at `path`, complete or not at all. Errors: RSD_ERR_EXISTS (overwrite is false), RSD_ERR_IO, RSD_ERR_MEMORY,
 * those of fill. */
RsdStatus report_write(const char *path, bool overwrite, ReportKind kind, ReportFill fill, void *ctx, RsdError *err);

/* Fields that describe metrics: list "metrics" with name, title, unit, better, digits, summary. */
void report_metrics(JsonLine *data, const EvalSet *set);

/* One kind of things that were compared. */
typedef struct EvalReportPart {
    const EvalRun *run;
    size_t rank; /* the metric that says which pairs are worst */
} EvalReportPart;

typedef struct EvalReport {
    EvalReportPart parts[EVAL_N_KINDS];
    size_t n_parts;
    const char *ref, *dist; /* as they were named */
    const char *shard;      /* "2/4": the pairs are a part of them; NULL: all */
    int n_details;          /* so many of the worst of each part get pictures and players */
    RsdThreads *threads;
} EvalReport;

/* For report_write; ctx is an EvalReport. Errors: those of the readers, RSD_ERR_UNSUPPORTED (no libpng),
 * RSD_ERR_MEMORY. */
RsdStatus report_fill_eval(void *ctx, JsonLine *data, RsdError *err);

#endif
