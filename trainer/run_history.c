/* run_history.c - reads log.jsonl line by line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/run_history.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/metadata.h"
#include "trainer/event_file.h"

#define PATH_SIZE 4096
#define MAX_LINE ((size_t)1 << 20)

static RsdStatus grow(void *array, size_t n, size_t *capacity, size_t item_size, RsdError *err)
{
    size_t wanted = *capacity ? 2 * *capacity : 16;
    RsdStatus status;

    if (n < *capacity)
        return RSD_OK;
    status = mem_resize(array, *capacity, wanted, item_size, err);
    if (status == RSD_OK)
        *capacity = wanted;
    return status;
}

static HistorySeries *find(const RunHistory *history, const char *name)
{
    for (size_t i = 0; i < history->n_series; i++)
        if (!strcmp(history->series[i].name, name))
            return &history->series[i];
    return NULL;
}

const HistorySeries *run_history_find(const RunHistory *history, const char *name)
{
    return find(history, name);
}

static RsdStatus add_point(RunHistory *history, const char *name, const HistoryPoint *point, RsdError *err)
{
    HistorySeries *series = find(history, name);
    RsdStatus status = RSD_OK;

    if (!series) {
        TRY(grow(&history->series, history->n_series, &history->series_capacity, sizeof *history->series, err));
        series = &history->series[history->n_series++];
        memset(series, 0, sizeof *series);
        snprintf(series->name, sizeof series->name, "%s", name);
    }
    TRY(grow(&series->points, series->n, &series->capacity, sizeof *series->points, err));
    series->points[series->n++] = *point;
fail:
    return status;
}

/* An array of one number looks like a number (metadata.h): these are the log's arrays. */
static bool is_array(const char *name)
{
    return !strcmp(name, "perplexity") || !strcmp(name, "usage");
}

/* A value is a number, or numbers with commas between. Anything else is no series. */
static RsdStatus add_values(RunHistory *history, const char *name, const char *text, HistoryPoint point, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 1; *text; i++) {
        char numbered[HISTORY_NAME_SIZE], *end;
        double value = strtod(text, &end);

        if (end == text || (*end && *end != ','))
            break;
        point.value = (float)value;
        snprintf(numbered, sizeof numbered, i > 1 || *end || is_array(name) ? "%.80s.%d" : "%.80s", name, i);
        TRY(add_point(history, numbered, &point, err));
        text = *end ? end + 1 : end;
    }
fail:
    return status;
}

/* What was done after `step` was lost with the process that did it. */
static void forget_after(RunHistory *history, int64_t step)
{
    for (size_t i = 0; i < history->n_series; i++) {
        HistorySeries *series = &history->series[i];

        while (series->n && series->points[series->n - 1].step > step)
            series->n--;
    }
}

static RsdStatus add_event(RunHistory *history, const char *type, int64_t step, double time, const char *text, RsdError *err)
{
    RsdStatus status = grow(&history->events, history->n_events, &history->events_capacity, sizeof *history->events, err);
    HistoryEvent *event;

    if (status != RSD_OK)
        return status;
    event = &history->events[history->n_events++];
    *event = (HistoryEvent){.step = step, .time = time};
    snprintf(event->type, sizeof event->type, "%s", type);
    snprintf(event->text, sizeof event->text, "%s", text);
    return RSD_OK;
}

static const char *text_of(const MetadataList *line, const char *key)
{
    const char *text = metadata_find(line, key);

    return text ? text : "";
}

static RsdStatus add_numbers(RunHistory *history, const MetadataList *line, const char *prefix, HistoryPoint point,
                             RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < line->n_items; i++) {
        const MetadataPair *pair = &line->items[i];
        char name[HISTORY_NAME_SIZE];

        if (!strcmp(pair->key, "type") || !strcmp(pair->key, "time") || !strcmp(pair->key, "step"))
            continue;
        snprintf(name, sizeof name, "%s%.70s", prefix, pair->key);
        TRY(add_values(history, name, pair->value, point, err));
    }
fail:
    return status;
}

static RsdStatus add_line(RunHistory *history, const MetadataList *line, RsdError *err)
{
    const char *type = text_of(line, "type");
    int64_t step = strtoll(text_of(line, "step"), NULL, 10);
    HistoryPoint point = {.step = step, .time = strtod(text_of(line, "time"), NULL)};
    char text[256] = "";
    RsdStatus status = RSD_OK;

    if (!history->n_lines++)
        history->first_time = point.time;
    history->last_time = point.time;
    history->step = step;
    history->ended = !strcmp(type, "end") || !strcmp(type, "error");
    if (!strcmp(type, "step"))
        return add_numbers(history, line, "", point, err);
    if (!strcmp(type, "valid"))
        return add_numbers(history, line, "valid.", point, err);
    if (!strcmp(type, "start") || !strcmp(type, "resume")) {
        snprintf(history->model, sizeof history->model, "%s", text_of(line, "model"));
        snprintf(history->data, sizeof history->data, "%s", text_of(line, "data"));
        history->n_steps = strtoll(text_of(line, "steps"), NULL, 10);
        forget_after(history, step);
        if (!strcmp(type, "start"))
            return RSD_OK;
    } else if (!strcmp(type, "spike")) {
        snprintf(text, sizeof text, "gradient's norm %.20s, usually %.20s", text_of(line, "grad_norm"), text_of(line, "usual"));
    } else if (!strcmp(type, "end")) {
        snprintf(text, sizeof text, "%.100s", text_of(line, "reason"));
    } else if (!strcmp(type, "error")) {
        snprintf(text, sizeof text, "%.250s", text_of(line, "text"));
    } else {
        return RSD_OK;
    }
    TRY(add_event(history, type, step, point.time, text, err));
fail:
    return status;
}

RsdStatus run_history_read(RunHistory *history, const char *run_dir, RsdError *err)
{
    char path[PATH_SIZE], *text = NULL;
    FILE *file = NULL;
    size_t room = 0;
    ssize_t len;
    RsdStatus status = RSD_OK;

    memset(history, 0, sizeof *history);
    CHECK(snprintf(path, sizeof path, "%s/log.jsonl", run_dir) < (int)sizeof path, err, RSD_ERR_ARG,
          "%.80s...: the path is too long", run_dir);
    file = fopen(path, "re");
    CHECK(file, err, RSD_ERR_IO, "%s: %s; a folder that `residua train --out` wrote is needed", path, strerror(errno));
    while ((len = getline(&text, &room, file)) > 0) {
        MetadataList line = {0};

        if ((size_t)len > MAX_LINE || metadata_parse_json(&line, text, (size_t)len, false, path, "", NULL) != RSD_OK)
            history->n_damaged++;
        else
            status = add_line(history, &line, err);
        metadata_clear(&line);
        TRY(status);
    }
    CHECK(!ferror(file), err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    CHECK(history->n_lines, err, RSD_ERR_CORRUPT, "%s: holds no line of a training log", path);
fail:
    free(text);
    if (file)
        fclose(file);
    if (status != RSD_OK)
        run_history_clear(history);
    return status;
}

void run_history_clear(RunHistory *history)
{
    for (size_t i = 0; i < history->n_series; i++)
        mem_free(&history->series[i].points);
    mem_free(&history->series);
    mem_free(&history->events);
    memset(history, 0, sizeof *history);
}

RsdStatus run_history_write_events(const RunHistory *history, const char *path, RsdError *err)
{
    EventFile *file = NULL;
    RsdStatus status = RSD_OK;

    TRY(event_file_open(&file, path, history->first_time, err));
    for (size_t i = 0; i < history->n_series; i++) {
        const HistorySeries *series = &history->series[i];
        char tag[HISTORY_NAME_SIZE];

        snprintf(tag, sizeof tag, "%s", series->name);
        for (char *c = tag; *c; c++)
            *c = *c == '.' ? '/' : *c;
        for (size_t j = 0; j < series->n; j++) {
            event_file_begin(file, series->points[j].time, series->points[j].step);
            event_file_scalar(file, tag, series->points[j].value);
            TRY(event_file_end(file, err));
        }
    }
fail:
    event_file_close(&file);
    return status;
}
