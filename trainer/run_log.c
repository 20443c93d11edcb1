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

RsdStatus run_log_open(RunLog *log, const char *path, RsdError *err)
{
    *log = (RunLog){.file = fopen(path, "ae")};
    if (!log->file)
        return error_set(err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    return RSD_OK;
}

void run_log_close(RunLog *log)
{
    if (log->file)
        fclose(log->file);
    log->file = NULL;
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
}

void run_log_numbers(RunLog *log, const char *key, const float *values, int n)
{
    if (!log->file)
        return;
    write_key(log, key);
    fputc('[', log->file);
    for (int i = 0; i < n; i++) {
        if (i)
            fputs(", ", log->file);
        write_number(log->file, (double)values[i]);
    }
    fputc(']', log->file);
}

void run_log_int(RunLog *log, const char *key, int64_t value)
{
    if (!log->file)
        return;
    write_key(log, key);
    fprintf(log->file, "%lld", (long long)value);
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
    if (!log->file)
        return;
    write_key(log, key);
    fputc('{', log->file);
    log->n_in_object[++log->depth] = 0;
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
    if (!log->file)
        return;
    fputs("}\n", log->file);
    if (fflush(log->file) != 0 || ferror(log->file)) {
        log_note(LOG_WARNING, "the log cannot be written: %s; training goes on without it", strerror(errno));
        run_log_close(log);
    }
}
