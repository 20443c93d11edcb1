/* rd_report.c - the data of the page of `residua bench rd --report` (docs/report.md).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "cli/rd_run.h"
#include "cli/report.h"
#include "cli/words.h"

static const char bd_note[] = "Mean difference of the bits at equal quality (Bjontegaard, monotone cubics of log rate "
                              "over quality, files averaged "
                              "at each setting); below 0 needs less. From and to are the qualities both reach, overlap "
                              "their share of the shorter "
                              "range; 4 points each and 60 % are asked for, otherwise n/a. Each by itself: the mean over "
                              "files of what comes out for each of them alone, and its 95 % interval.";

static void write_point(JsonLine *data, const RdRun *run, const RdPoint *point)
{
    const RdKind *kind = run->kind;
    char text[64];

    json_line_open(data, NULL, '{');
    json_line_text(data, "setting", rd_setting_text(text, point->codec, point->setting));
    json_line_real(data, "rate", point->rate);
    json_line_real(data, "encode_rate", point->encode_speed);
    json_line_real(data, "decode_rate", point->decode_speed);
    snprintf(text, sizeof text, "%.*f %s", kind->speed_digits, point->encode_speed, kind->speed_unit);
    json_line_text(data, "encode_speed", text);
    snprintf(text, sizeof text, "%.*f %s", kind->speed_digits, point->decode_speed, kind->speed_unit);
    json_line_text(data, "decode_speed", text);
    json_line_open(data, "values", '[');
    for (size_t m = 0; m < run->set->n; m++)
        json_line_real(data, NULL, point->values[m].n ? point->values[m].mean : NAN);
    json_line_close(data, ']');
    json_line_close(data, '}');
}

/* For each metric a list over the marks: the mean of the files' own curves, or, without a codec, how many files these are. */
static void write_each_at_marks(JsonLine *data, const char *name, const RdRun *run, const size_t *codec)
{
    json_line_open(data, name, '[');
    for (size_t m = 0; m < run->set->n; m++) {
        json_line_open(data, NULL, '[');
        for (size_t k = 0; k < RD_N_MARKS; k++) {
            const Interval *each = codec ? rd_each_at_mark(run, *codec, m, k) : NULL;

            if (each)
                json_line_real(data, NULL, each->n ? each->mean : NAN);
            else
                json_line_integer(data, NULL, (int64_t)rd_count_at_mark(run, m, k));
        }
        json_line_close(data, ']');
    }
    json_line_close(data, ']');
}

static void write_codec(JsonLine *data, const RdRun *run, size_t c)
{
    json_line_open(data, NULL, '{');
    json_line_text(data, "name", run->codecs[c].title);
    json_line_text(data, "settings", run->codecs[c].settings);
    json_line_open(data, "points", '[');
    for (size_t p = 0; p < run->n_points; p++)
        if (run->points[p].codec == &run->codecs[c] && run->points[p].usable)
            write_point(data, run, &run->points[p]);
    json_line_close(data, ']');
    json_line_open(data, "at_marks", '[');
    for (size_t m = 0; m < run->set->n; m++) {
        json_line_open(data, NULL, '[');
        for (size_t k = 0; k < RD_N_MARKS; k++)
            json_line_real(data, NULL, rd_at_mark(run, c, m, k));
        json_line_close(data, ']');
    }
    json_line_close(data, ']');
    write_each_at_marks(data, "each_at_marks", run, &c);
    json_line_open(data, "bd", '[');
    for (size_t a = 0; a < run->n_anchors; a++) {
        json_line_open(data, NULL, '[');
        for (size_t m = 0; m < run->set->n; m++) {
            json_line_open(data, NULL, '{');
            rd_json_comparison(data, rd_comparison(run, a, c, m));
            json_line_close(data, '}');
        }
        json_line_close(data, ']');
    }
    json_line_close(data, ']');
    json_line_close(data, '}');
}

static void write_subject(JsonLine *data, const RdRun *run)
{
    const size_t n_files = run->n_files - run->n_missing;
    char subject[240], part[48] = "", rate[RATE_TEXT_SIZE], channels[CHANNELS_TEXT_SIZE];

    if (run->shard)
        snprintf(part, sizeof part, "part %.32s: ", run->shard);
    if (run->kind == &rd_kind_sound)
        snprintf(subject, sizeof subject,
                 "%s%zu recordings, %.0f s, compared at %s %s; bytes of whole files; speeds on one processor", part, n_files,
                 run->total_amount, rate_text(rate, run->rate_hz), channels_text(channels, run->channels));
    else
        snprintf(subject, sizeof subject, "%s%zu pictures, %.2f million pixels; bytes of whole files; speeds on one processor",
                 part, n_files, 1e-6 * run->total_amount);
    json_line_text(data, "subject", subject);
}

RsdStatus rd_fill_report(void *ctx, JsonLine *data, RsdError *err)
{
    const RdRun *run = ctx;

    (void)err;
    write_subject(data, run);
    json_line_text(data, "rate_title", run->kind->rate_title);
    json_line_text(data, "rate_unit", run->kind->rate_unit);
    json_line_open(data, "anchors", '[');
    for (size_t a = 0; a < run->n_anchors; a++)
        json_line_text(data, NULL, run->codecs[run->anchors[a]].title);
    json_line_close(data, ']');
    json_line_open(data, "marks", '[');
    for (size_t k = 0; k < RD_N_MARKS; k++)
        json_line_real(data, NULL, run->kind->marks[k]);
    json_line_close(data, ']');
    write_each_at_marks(data, "each_n", run, NULL);
    json_line_text(data, "thing", run->kind->eval->thing);
    json_line_text(data, "things", run->kind->eval->things);
    json_line_text(data, "bd_note", bd_note);
    report_metrics(data, run->set);
    json_line_open(data, "codecs", '[');
    for (size_t c = 0; c < run->n_codecs; c++)
        write_codec(data, run, c);
    json_line_close(data, ']');
    return RSD_OK;
}
