/* run_log.h - the log of a training run: one JSON object per line, appended, never rewritten.
 *
 * Every line has "type", "time" (seconds since 1970) and the keys of its type, listed in docs/training.md. Numbers that
 * are not finite are written as null. The numbers of the lines "step" and "valid" also go to a TensorBoard event file when
 * there is one, with tags as run_history.h names its series, but for "/" in the place of the dots.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RUN_LOG_H
#define RESIDUA_RUN_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "trainer/event_file.h"

typedef struct RunLog {
    FILE *file;
    int depth, n_in_object[4];
    EventFile *events; /* may be NULL */
    bool tells_events; /* this line goes there */
    double time;
    char tag[4][64]; /* of each depth: what the keys begin with */
} RunLog;

/* Opens for appending, on a line of its own where the last one was cut off. Errors: RSD_ERR_IO. */
RsdStatus run_log_open(RunLog *log, const char *path, RsdError *err);
void run_log_close(RunLog *log);
/* From now on RUN/events.out.tfevents.SECONDS.residua is written, too. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus run_log_open_events(RunLog *log, const char *run_dir, RsdError *err);

/* A line: begin, any number of keys, end (which flushes, so that a killed run loses nothing). Without an open file all
 * of them do nothing. A full disk is no reason to stop training: it is noted once as a warning. */
void run_log_begin(RunLog *log, const char *type);
void run_log_number(RunLog *log, const char *key, double value);
void run_log_numbers(RunLog *log, const char *key, const float *values, int n); /* an array */
void run_log_int(RunLog *log, const char *key, int64_t value);
void run_log_text(RunLog *log, const char *key, const char *value);
void run_log_open_object(RunLog *log, const char *key);
void run_log_close_object(RunLog *log);
void run_log_end(RunLog *log);

#endif
