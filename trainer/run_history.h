/* run_history.h - the log of a run read back: every number in it as a series over steps, and what happened besides.
 *
 * A series is called by its keys in the log with dots between, numbers of arrays counted from 1, those of validations with
 * "valid." before: "loss.mel_dac", "usage.3", "valid.mel_distance.6000".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RUN_HISTORY_H
#define RESIDUA_RUN_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct HistoryPoint {
    int64_t step;
    double time; /* seconds since 1970 */
    float value;
} HistoryPoint;

#define HISTORY_NAME_SIZE 96
typedef struct HistorySeries {
    char name[HISTORY_NAME_SIZE];
    HistoryPoint *points; /* in the order of their steps */
    size_t n, capacity;
} HistorySeries;

/* A spike, a resume, an error, an end. */
typedef struct HistoryEvent {
    int64_t step;
    double time;
    char type[16], text[256];
} HistoryEvent;

typedef struct RunHistory {
    HistorySeries *series; /* in the order in which they appeared */
    size_t n_series, series_capacity;
    HistoryEvent *events;
    size_t n_events, events_capacity;
    char model[64], data[512];
    int64_t step, n_steps; /* of the last line; planned */
    double first_time, last_time;
    bool ended; /* its last line says so */
    size_t n_lines, n_damaged; /* lines that are no JSON: the last one of a run at work may be half written */
} RunHistory;

/* Reads RUN/log.jsonl. Where a run was resumed from a checkpoint, what it had done beyond that is taken away again.
 * Errors: RSD_ERR_IO, RSD_ERR_CORRUPT (no line is usable), RSD_ERR_MEMORY. */
RsdStatus run_history_read(RunHistory *history, const char *run_dir, RsdError *err);
void run_history_clear(RunHistory *history);

const HistorySeries *run_history_find(const RunHistory *history, const char *name); /* NULL if absent */

/* The same numbers as a TensorBoard event file. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus run_history_write_events(const RunHistory *history, const char *path, RsdError *err);

#endif
