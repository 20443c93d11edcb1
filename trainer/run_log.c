/* run_log.c - writes the lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/run_log.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "engine/base/log.h"

#define PATH_SIZE 4096

/* A full disk or a kill may have left part of a line. */
static bool ends_within_line(FILE *file)
{
    return fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n';
}

RsdStatus run_log_open(RunLog *log, const char *path, RsdError *err)
{
    *log = (RunLog){.file = fopen(path, "a+e")};
    if (!log->file)
        return error_set(err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    if (ends_within_line(log->file)) {
        fseek(log->file, 0, SEEK_END); /* between reading and writing */
        fputc('\n', log->file);
    }
    return RSD_OK;
}

void run_log_close(RunLog *log)
{
    if (log->file)
        fclose(log->file);
    log->file = NULL;
    event_file_close(&log->events);
}

RsdStatus run_log_open_events(RunLog *log, const char *run_dir, RsdError *err)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof path, "%s/events.out." EVENT_FILE_WORD ".%lld.residua", run_dir, (long long)time(NULL)) >=
        PATH_SIZE)
        return error_set(err, RSD_ERR_ARG, "%.80s...: the path is too long", run_dir);
    return event_file_open(&log->events, path, (double)time(NULL), err);
}

static void tell_event(RunLog *log, const char *key, double value)
{
    char tag[128];

    if (!log->tells_events)
        return;
    snprintf(tag, sizeof tag, "%s%s", log->tag[log->depth], key);
    for (char *c = tag; *c; c++)
        *c = *c == '.' ? '/' : *c;
    event_file_scalar(log->events, tag, (float)value);
}

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c == '\n')
            fputs("\\n", file);
        else if (*c < 0x20)
            fprintf(file, "\\u%04x", *c);
        else
            fputc(*c, file);
    }
    fputc('"', file);
}

static void write_key(RunLog *log, const char *key)
{
    if (log->n_in_object[log->depth]++)
        fputs(", ", log->file);
    write_text(log->file, key);
    fputs(": ", log->file);
}

void run_log_begin(RunLog *log, const char *type)
{
    struct timespec now;

    if (!log->file)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    log->depth = 0;
    log->n_in_object[0] = 0;
    log->time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    log->tells_events = log->events && (!strcmp(type, "step") || !strcmp(type, "valid"));
    snprintf(log->tag[0], sizeof log->tag[0], "%s", strcmp(type, "valid") ? "" : "valid/");
    if (log->tells_events)
        event_file_begin(log->events, log->time, 0);
    fputc('{', log->file);
    run_log_text(log, "type", type);
    write_key(log, "time");
    fprintf(log->file, "%lld.%03ld", (long long)now.tv_sec, now.tv_nsec / 1000000);
}

static void write_number(FILE *file, double value)
{
    if (isfinite(value))
        fprintf(file, "%.6g", value);
    else
        fputs("null", file);
}

void run_log_number(RunLog *log, const char *key, double value)
{
    if (!log->file)
        return;
    write_key(log, key);
    write_number(log->file, value);
    tell_event(log, key, value);
}

void run_log_numbers(RunLog *log, const char *key, const float *values, int n)
{
    char numbered[64];

    if (!log->file)
        return;
    write_key(log, key);
    fputc('[', log->file);
    for (int i = 0; i < n; i++) {
        if (i)
            fputs(", ", log->file);
        write_number(log->file, (double)values[i]);
        snprintf(numbered, sizeof numbered, "%.40s/%d", key, i + 1);
        tell_event(log, numbered, (double)values[i]);
    }
    fputc(']', log->file);
}

void run_log_int(RunLog *log, const char *key, int64_t value)
{
    if (!log->file)
        return;
    write_key(log, key);
    fprintf(log->file, "%lld", (long long)value);
    if (!strcmp(key, "step") && !log->depth && log->tells_events)
        event_file_begin(log->events, log->time, value);
    else
        tell_event(log, key, (double)value);
}

void run_log_text(RunLog *log, const char *key, const char *value)
{
    if (!log->file)
        return;
    write_key(log, key);
    write_text(log->file, value);
}

void run_log_open_object(RunLog *log, const char *key)
{
    char tag[sizeof log->tag[0]];

    if (!log->file)
        return;
    write_key(log, key);
    fputc('{', log->file);
    log->n_in_object[++log->depth] = 0;
    snprintf(tag, sizeof tag, "%.30s%.30s/", log->tag[log->depth - 1], key);
    memcpy(log->tag[log->depth], tag, sizeof tag);
}

void run_log_close_object(RunLog *log)
{
    if (!log->file)
        return;
    fputc('}', log->file);
    log->depth--;
}

void run_log_end(RunLog *log)
{
    RsdError err = {0};

    if (!log->file)
        return;
    fputs("}\n", log->file);
    if (log->tells_events && event_file_end(log->events, &err) != RSD_OK) {
        log_note(LOG_WARNING, "%s; training goes on without the event file", err.text);
        event_file_close(&log->events);
    }
    if (fflush(log->file) != 0 || ferror(log->file)) {
        log_note(LOG_WARNING, "the log cannot be written: %s; training goes on without it", strerror(errno));
        run_log_close(log);
    }
}
