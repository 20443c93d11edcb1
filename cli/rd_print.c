/* rd_print.c - rate-distortion results as a table, CSV and JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_line.h"
#include "cli/rd_run.h"

#define MIN_CODEC_COLUMNS 12
#define RD_SCHEMA 1

static double value_of(const RdPoint *point, size_t m)
{
    return point->usable && point->values[m].n ? point->values[m].mean : NAN;
}

static double each_value(const RdRun *run, size_t c, size_t m, size_t k)
{
    const Interval *each = rd_each_at_mark(run, c, m, k);

    return each->n ? each->mean : NAN;
}

/* ---- table ---- */

static int codec_columns(const RdRun *run)
{
    size_t most = MIN_CODEC_COLUMNS;

    for (size_t c = 0; c < run->n_codecs; c++)
        most = strlen(run->codecs[c].title) > most ? strlen(run->codecs[c].title) : most;
    return (int)most;
}

static void print_comparison(const RdRun *run, size_t a, size_t c, size_t m, FILE *out)
{
    const RdComparison *both = rd_comparison(run, a, c, m);
    const BdRate *bd = &both->curve;
    const int digits = run->set->items[m].n_digits;

    fprintf(out, "  %-*s %-14s ", codec_columns(run), run->codecs[c].title, run->set->items[m].title);
    if (!bd->known) {
        fprintf(out, "    n/a: %s\n", bd->why);
        return;
    }
    fprintf(out, "%+7.1f %% between %.*f and %.*f, overlap %.0f %%", bd->percent, digits, bd->from, digits, bd->to,
            100 * bd->overlap);
    if (both->each.n > 1)
        fprintf(out, "; each by itself %+.1f +- %.1f %% (%zu)", both->each.mean, both->each.half_width, both->each.n);
    fputc('\n', out);
}

static void print_value(FILE *out, int columns, int n_digits, double value)
{
    if (isfinite(value))
        fprintf(out, " %*.*f", columns, n_digits, value);
    else
        fprintf(out, " %*s", columns, "-");
}

static bool has_qualities(const RdRun *run)
{
    size_t m = 0;

    while (m < run->set->n && !rd_is_quality(run, m))
        m++;
    return m < run->set->n;
}

static void print_marks(const RdRun *run, FILE *out)
{
    fprintf(out, "\nQuality at equal rates\n  %-*s %-14s", codec_columns(run), "codec", run->kind->rate_unit);
    for (size_t k = 0; k < RD_N_MARKS; k++)
        fprintf(out, " %9g", run->kind->marks[k]);
    fputc('\n', out);
    for (size_t m = 0; m < run->set->n; m++)
        for (size_t c = 0; c < run->n_codecs && rd_is_quality(run, m); c++) {
            fprintf(out, "  %-*s %-14s", codec_columns(run), run->codecs[c].title, run->set->items[m].title);
            for (size_t k = 0; k < RD_N_MARKS; k++)
                print_value(out, 9, run->set->items[m].n_digits, rd_at_mark(run, c, m, k));
            fputc('\n', out);
        }
}

static void print_each_at_marks(const RdRun *run, FILE *out)
{
    fprintf(out, "\nQuality at equal rates, each %s by itself, over those (number) that every codec reaches there\n",
            run->kind->eval->thing);
    for (size_t m = 0; m < run->set->n; m++) {
        if (!rd_is_quality(run, m))
            continue;
        fprintf(out, "  %-*s %-14s", codec_columns(run), "codec", run->kind->rate_unit);
        for (size_t k = 0; k < RD_N_MARKS; k++) {
            char mark[32];

            snprintf(mark, sizeof mark, "%g (%zu)", run->kind->marks[k], rd_count_at_mark(run, m, k));
            fprintf(out, " %11s", mark);
        }
        fputc('\n', out);
        for (size_t c = 0; c < run->n_codecs; c++) {
            fprintf(out, "  %-*s %-14s", codec_columns(run), run->codecs[c].title, run->set->items[m].title);
            for (size_t k = 0; k < RD_N_MARKS; k++)
                print_value(out, 11, run->set->items[m].n_digits, each_value(run, c, m, k));
            fputc('\n', out);
        }
    }
}

void rd_print_table(const RdRun *run, FILE *out)
{
    const RdKind *kind = run->kind;
    char setting[RD_SETTING_SIZE];

    fprintf(out, "%-*s %-14s %8s", codec_columns(run), "codec", "setting", kind->rate_unit);
    for (size_t m = 0; m < run->set->n; m++)
        fprintf(out, " %13s", run->set->items[m].title);
    fprintf(out, " %*s %*s\n", 9 + (int)strlen(kind->speed_unit), "encodes", 9 + (int)strlen(kind->speed_unit), "decodes");
    for (size_t p = 0; p < run->n_points; p++) {
        const RdPoint *point = &run->points[p];

        if (!point->usable)
            continue;
        fprintf(out, "%-*s %-14s %8.*f", codec_columns(run), point->codec->title,
                rd_setting_text(setting, point->codec, point->setting), kind->rate_digits, point->rate);
        for (size_t m = 0; m < run->set->n; m++)
            fprintf(out, " %13.*f", run->set->items[m].n_digits, value_of(point, m));
        fprintf(out, " %8.*f %s %8.*f %s\n", kind->speed_digits, point->encode_speed, kind->speed_unit, kind->speed_digits,
                point->decode_speed, kind->speed_unit);
    }
    if (has_qualities(run)) {
        print_marks(run, out);
        print_each_at_marks(run, out);
    }
    for (size_t a = 0; a < run->n_anchors; a++) {
        fprintf(out, "\nBits for the same quality, against %s\n", run->codecs[run->anchors[a]].title);
        for (size_t c = 0; c < run->n_codecs; c++)
            for (size_t m = 0; m < run->set->n && c != run->anchors[a]; m++)
                print_comparison(run, a, c, m, out);
    }
    fputc('\n', out);
    for (size_t c = 0; c < run->n_codecs; c++)
        fprintf(out, "%-*s %s\n", codec_columns(run), run->codecs[c].title, run->codecs[c].settings);
    fprintf(out, "Bytes are those of whole files. Speeds are %s.\n", kind->speed_words);
    if (run->shard)
        fprintf(out, "These are the files of part %s alone.\n", run->shard);
}

/* ---- CSV ---- */

void rd_print_csv(const RdRun *run, FILE *out)
{
    char setting[RD_SETTING_SIZE];

    fprintf(out, "codec,setting,%s", run->kind->csv_rate);
    for (size_t m = 0; m < run->set->n; m++)
        fprintf(out, ",%s,%s_half_width_95", run->set->items[m].name, run->set->items[m].name);
    fprintf(out, ",encode_speed,decode_speed%s\r\n", run->shard ? ",shard" : "");
    for (size_t p = 0; p < run->n_points; p++) {
        const RdPoint *point = &run->points[p];

        if (!point->usable)
            continue;
        fprintf(out, "%s,%s,%.6g", point->codec->name, rd_setting_text(setting, point->codec, point->setting),
                point->rate);
        for (size_t m = 0; m < run->set->n; m++)
            if (point->values[m].n)
                fprintf(out, ",%.9g,%.9g", point->values[m].mean, point->values[m].half_width);
            else
                fputs(",,", out);
        fprintf(out, ",%.4g,%.4g%s%s\r\n", point->encode_speed, point->decode_speed, run->shard ? "," : "",
                run->shard ? run->shard : "");
    }
}

/* ---- JSON ---- */

static void begin_object(JsonLine *line, FILE *out, const char *type, const RdCodec *codec)
{
    json_line_begin(line, out);
    json_line_integer(line, "schema", RD_SCHEMA);
    json_line_text(line, "type", type);
    json_line_text(line, "codec", codec->name);
}

static void json_codec(JsonLine *line, const RdRun *run, size_t c, FILE *out)
{
    begin_object(line, out, "codec", &run->codecs[c]);
    json_line_text(line, "title", run->codecs[c].title);
    json_line_text(line, "settings", run->codecs[c].settings);
    json_line_text(line, "kind", run->kind->eval->name);
    json_line_integer(line, "files", (int64_t)(run->n_files - run->n_missing));
    if (run->shard)
        json_line_text(line, "shard", run->shard);
    json_line_end(line);
}

static void json_point(JsonLine *line, const RdRun *run, const RdPoint *point, FILE *out)
{
    char setting[RD_SETTING_SIZE];

    begin_object(line, out, "point", point->codec);
    json_line_text(line, "setting", rd_setting_text(setting, point->codec, point->setting));
    if (!point->usable) {
        json_line_text(line, "error", point->err.text);
        json_line_end(line);
        return;
    }
    json_line_real(line, run->kind->json_rate, run->kind->json_scale * point->rate);
    json_line_real(line, "encode_speed", point->encode_speed);
    json_line_real(line, "decode_speed", point->decode_speed);
    json_line_real(line, "encode_s", point->encode_s);
    json_line_real(line, "decode_s", point->decode_s);
    json_line_open(line, "metrics", '{');
    for (size_t m = 0; m < run->set->n; m++) {
        json_line_open(line, run->set->items[m].name, '{');
        json_line_real(line, "mean", value_of(point, m));
        json_line_real(line, "half_width_95", point->values[m].n > 1 ? point->values[m].half_width : NAN);
        json_line_text(line, "unit", run->set->items[m].unit);
        json_line_close(line, '}');
    }
    json_line_close(line, '}');
    json_line_end(line);
}

static void json_equal_rate(JsonLine *line, const RdRun *run, size_t c, size_t m, size_t k, FILE *out)
{
    const Interval *each = rd_each_at_mark(run, c, m, k);

    begin_object(line, out, "equal_rate", &run->codecs[c]);
    json_line_text(line, "metric", run->set->items[m].name);
    json_line_real(line, run->kind->json_rate, run->kind->json_scale * run->kind->marks[k]);
    json_line_real(line, "of_means", rd_at_mark(run, c, m, k));
    json_line_real(line, "each_mean", each_value(run, c, m, k));
    json_line_real(line, "each_half_width_95", each->n > 1 ? each->half_width : NAN);
    json_line_integer(line, "each_n", (int64_t)each->n);
    json_line_end(line);
}

void rd_json_comparison(JsonLine *line, const RdComparison *both)
{
    const BdRate *bd = &both->curve;

    json_line_real(line, "percent", bd->known ? bd->percent : NAN);
    json_line_real(line, "from", bd->overlap > 0 ? bd->from : NAN);
    json_line_real(line, "to", bd->overlap > 0 ? bd->to : NAN);
    json_line_real(line, "overlap", bd->n_test && bd->n_anchor ? bd->overlap : NAN);
    json_line_text(line, "why", bd->why);
    json_line_real(line, "each_percent", both->each.n ? both->each.mean : NAN);
    json_line_real(line, "each_half_width_95", both->each.n > 1 ? both->each.half_width : NAN);
    json_line_integer(line, "each_n", (int64_t)both->each.n);
}

void rd_print_json(const RdRun *run, FILE *out)
{
    JsonLine line;

    for (size_t c = 0; c < run->n_codecs; c++)
        json_codec(&line, run, c, out);
    for (size_t p = 0; p < run->n_points; p++)
        json_point(&line, run, &run->points[p], out);
    for (size_t c = 0; c < run->n_codecs; c++)
        for (size_t m = 0; m < run->set->n; m++)
            for (size_t k = 0; k < RD_N_MARKS && rd_is_quality(run, m); k++)
                json_equal_rate(&line, run, c, m, k, out);
    for (size_t a = 0; a < run->n_anchors; a++)
        for (size_t c = 0; c < run->n_codecs; c++)
            for (size_t m = 0; m < run->set->n && c != run->anchors[a]; m++) {
                begin_object(&line, out, "bd_rate", &run->codecs[c]);
                json_line_text(&line, "anchor", run->codecs[run->anchors[a]].name);
                json_line_text(&line, "metric", run->set->items[m].name);
                rd_json_comparison(&line, rd_comparison(run, a, c, m));
                json_line_end(&line);
            }
}
