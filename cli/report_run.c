/* report_run.c - the data of the page about training runs.
 *
 * A long run has more points than a page has columns: neighbours are put together by their mean, REPORT_POINTS are left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/report_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "trainer/samples.h"

#define REPORT_POINTS 1000
#define PATH_SIZE 4096

static bool has_same_steps(const HistorySeries *a, const HistorySeries *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->points[i].step != b->points[i].step)
            return false;
    return true;
}

/* steps: null when they are those of the series before. */
static void write_series(JsonLine *data, const HistorySeries *series, const HistorySeries *before)
{
    size_t group = (series->n + REPORT_POINTS - 1) / REPORT_POINTS;

    json_line_open(data, NULL, '{');
    json_line_text(data, "name", series->name);
    if (before && has_same_steps(series, before)) {
        json_line_text(data, "steps", NULL);
    } else {
        json_line_open(data, "steps", '[');
        for (size_t i = 0; i < series->n; i += group)
            json_line_integer(data, NULL, series->points[(i + group < series->n ? i + group : series->n) - 1].step);
        json_line_close(data, ']');
    }
    json_line_open(data, "values", '[');
    for (size_t i = 0; i < series->n; i += group) {
        size_t n = series->n - i < group ? series->n - i : group;
        double sum = 0.0;
        char text[32];

        for (size_t j = 0; j < n; j++)
            sum += (double)series->points[i + j].value;
        snprintf(text, sizeof text, "%.5g", sum / (double)n); /* what a picture shows of it */
        json_line_real(data, NULL, strtod(text, NULL));
    }
    json_line_close(data, ']');
    json_line_close(data, '}');
}

static RsdStatus write_samples(JsonLine *data, const char *dir, RsdError *err)
{
    SampleName *names = NULL;
    size_t n = 0;
    RsdStatus status = RSD_OK;

    TRY(samples_list(&names, &n, dir, err));
    json_line_open(data, "samples", '[');
    for (size_t i = 0; i < n; i++) {
        FileMap map = {0};
        char path[PATH_SIZE];

        snprintf(path, sizeof path, "%s/samples/%s", dir, names[i].name);
        if (file_map_open(&map, path, NULL) != RSD_OK)
            continue; /* a run at work thins them out */
        json_line_open(data, NULL, '{');
        json_line_integer(data, "step", names[i].step);
        json_line_integer(data, "clip", names[i].clip);
        json_line_integer(data, "rate_bps", names[i].rate_bps);
        json_line_data_uri(data, "sound", "audio/flac", map.data, map.size);
        json_line_close(data, '}');
        file_map_close(&map);
    }
    json_line_close(data, ']');
fail:
    mem_free(&names);
    return status;
}

static void write_events(JsonLine *data, const RunHistory *history)
{
    json_line_open(data, "events", '[');
    for (size_t i = 0; i < history->n_events; i++) {
        json_line_open(data, NULL, '{');
        json_line_integer(data, "step", history->events[i].step);
        json_line_number(data, "time", history->events[i].time, 0);
        json_line_text(data, "type", history->events[i].type);
        json_line_text(data, "text", history->events[i].text);
        json_line_close(data, '}');
    }
    json_line_close(data, ']');
}

/* The settings the run was started with; without the file there are none. */
static void write_config(JsonLine *data, const char *dir)
{
    char path[PATH_SIZE], *text = NULL;
    FileMap map = {0};

    snprintf(path, sizeof path, "%s/config.ini", dir);
    if (file_map_open(&map, path, NULL) == RSD_OK && mem_calloc(&text, map.size + 1, 1, NULL) == RSD_OK)
        memcpy(text, map.data, map.size);
    json_line_text(data, "config", text);
    mem_free(&text);
    file_map_close(&map);
}

/* Places where the loss is not finite are null. */
static void write_landscape(JsonLine *data, const Landscape *landscape)
{
    json_line_open(data, "landscape", '{');
    json_line_integer(data, "step", landscape->step);
    json_line_integer(data, "crops", landscape->n_crops);
    json_line_real(data, "reach", landscape->reach);
    json_line_number(data, "seconds", landscape->seconds, 1);
    json_line_open(data, "line", '[');
    for (int i = 0; i < landscape->n_points; i++)
        json_line_real(data, NULL, landscape->line[i]);
    json_line_close(data, ']');
    json_line_open(data, "plane", '[');
    for (int j = 0; j < landscape->n_grid; j++) {
        json_line_open(data, NULL, '[');
        for (int i = 0; i < landscape->n_grid; i++)
            json_line_real(data, NULL, landscape->plane[j][i]);
        json_line_close(data, ']');
    }
    json_line_close(data, ']');
    json_line_close(data, '}');
}

static RsdStatus write_run(JsonLine *data, const char *dir, const RunHistory *history, bool with_sound, const Landscape *landscape,
                           RsdError *err)
{
    RsdStatus status = RSD_OK;

    json_line_open(data, NULL, '{');
    json_line_text(data, "name", dir);
    json_line_text(data, "model", history->model);
    json_line_text(data, "data", history->data);
    json_line_integer(data, "step", history->step);
    json_line_integer(data, "steps", history->n_steps);
    json_line_bool(data, "ended", history->ended);
    json_line_number(data, "first_time", history->first_time, 0);
    json_line_number(data, "last_time", history->last_time, 0);
    json_line_integer(data, "damaged_lines", (int64_t)history->n_damaged);
    write_config(data, dir);
    write_events(data, history);
    json_line_open(data, "series", '[');
    for (size_t i = 0; i < history->n_series; i++)
        if (history->series[i].n)
            write_series(data, &history->series[i], i ? &history->series[i - 1] : NULL);
    json_line_close(data, ']');
    if (landscape)
        write_landscape(data, landscape);
    if (with_sound)
        TRY(write_samples(data, dir, err));
fail:
    json_line_close(data, '}');
    return status;
}

RsdStatus report_fill_run(void *ctx, JsonLine *data, RsdError *err)
{
    const RunReport *report = ctx;
    RsdStatus status = RSD_OK;

    json_line_number(data, "refresh_s", report->refresh_s, 1);
    json_line_open(data, "runs", '[');
    for (size_t i = 0; i < report->n; i++)
        TRY(write_run(data, report->dirs[i], &report->histories[i], report->with_sound,
                      report->landscapes ? &report->landscapes[i] : NULL, err));
    json_line_close(data, ']');
fail:
    return status;
}
