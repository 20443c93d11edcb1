/* rd_print.c - rate-distortion results as a table, CSV, JSON and the data of the page.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "cli/json_line.h"
#include "cli/rd_run.h"
#include "cli/report.h"
#include "cli/words.h"

#define CODEC_COLUMNS 12
#define RD_SCHEMA 1

static const char bd_note[] = "Mean difference of the bits at equal quality (Bjontegaard, monotone cubics of log rate "
                              "over quality, files averaged "
                              "at each setting); below 0 needs less. From and to are the qualities both reach, overlap "
                              "their share of the shorter "
                              "range; 4 points each and 60 % are asked for, otherwise n/a.";

static double value_of(const RdPoint *point, size_t m)
{
    return point->usable && point->values[m].n ? point->values[m].mean : NAN;
}

void rd_print_table(const RdRun *run)
{
    char setting[RD_SETTING_SIZE];

    printf("%-*s %-14s %8s", CODEC_COLUMNS, "codec", "setting", "kbit/s");
    for (size_t m = 0; m < run->set->n; m++)
        printf(" %13s", run->set->items[m].title);
    printf(" %10s %10s\n", "encodes", "decodes");
    for (size_t p = 0; p < run->n_points; p++) {
        const RdPoint *point = &run->points[p];

        if (!point->usable)
            continue;
        printf("%-*s %-14s %8.2f", CODEC_COLUMNS, point->codec->title, rd_setting_text(setting, point->setting),
               point->kbps);
        for (size_t m = 0; m < run->set->n; m++)
            printf(" %13.*f", run->set->items[m].n_digits, value_of(point, m));
        printf(" %8.0f x %8.0f x\n", point->encode_speed, point->decode_speed);
    }
    printf("\nBits for the same quality, against %s\n", run->codecs[run->anchor].title);
    for (size_t c = 0; c < run->n_codecs; c++)
        for (size_t m = 0; m < run->set->n; m++) {
            const BdRate *bd = &run->bd[c][m];
            int digits = run->set->items[m].n_digits;

            if (c == run->anchor)
                continue;
            printf("  %-*s %-14s ", CODEC_COLUMNS, run->codecs[c].title, run->set->items[m].title);
            if (bd->known)
                printf("%+7.1f %% between %.*f and %.*f, overlap %.0f %%\n", bd->percent, digits, bd->from, digits,
                       bd->to, 100 * bd->overlap);
            else
                printf("    n/a: %s\n", bd->why);
        }
    printf("\nBytes are those of whole files. Speeds are seconds of sound for each second of one processor.\n");
}

void rd_print_csv(const RdRun *run)
{
    char setting[RD_SETTING_SIZE];

    fputs("codec,setting,bitrate_kbps", stdout);
    for (size_t m = 0; m < run->set->n; m++)
        printf(",%s,%s_half_width_95", run->set->items[m].name, run->set->items[m].name);
    fputs(",encode_speed,decode_speed\r\n", stdout);
    for (size_t p = 0; p < run->n_points; p++) {
        const RdPoint *point = &run->points[p];

        if (!point->usable)
            continue;
        printf("%s,%s,%.6g", point->codec->name, rd_setting_text(setting, point->setting), point->kbps);
        for (size_t m = 0; m < run->set->n; m++)
            if (point->values[m].n)
                printf(",%.9g,%.9g", point->values[m].mean, point->values[m].half_width);
            else
                fputs(",,", stdout);
        printf(",%.4g,%.4g\r\n", point->encode_speed, point->decode_speed);
    }
}

static void json_point(JsonLine *line, const RdRun *run, const RdPoint *point)
{
    char setting[RD_SETTING_SIZE];

    json_line_begin(line, stdout);
    json_line_integer(line, "schema", RD_SCHEMA);
    json_line_text(line, "type", "point");
    json_line_text(line, "codec", point->codec->name);
    json_line_text(line, "setting", rd_setting_text(setting, point->setting));
    if (!point->usable) {
        json_line_text(line, "error", point->err.text);
        json_line_end(line);
        return;
    }
    json_line_real(line, "bitrate_bps", 1000 * point->kbps);
    json_line_real(line, "encode_speed", point->encode_speed);
    json_line_real(line, "decode_speed", point->decode_speed);
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

static void json_bd_fields(JsonLine *line, const BdRate *bd)
{
    json_line_real(line, "percent", bd->known ? bd->percent : NAN);
    json_line_real(line, "from", bd->overlap > 0 ? bd->from : NAN);
    json_line_real(line, "to", bd->overlap > 0 ? bd->to : NAN);
    json_line_real(line, "overlap", bd->n_test && bd->n_anchor ? bd->overlap : NAN);
    json_line_text(line, "why", bd->why);
}

void rd_print_json(const RdRun *run)
{
    JsonLine line;

    for (size_t p = 0; p < run->n_points; p++)
        json_point(&line, run, &run->points[p]);
    for (size_t c = 0; c < run->n_codecs; c++)
        for (size_t m = 0; m < run->set->n && c != run->anchor; m++) {
            json_line_begin(&line, stdout);
            json_line_integer(&line, "schema", RD_SCHEMA);
            json_line_text(&line, "type", "bd_rate");
            json_line_text(&line, "codec", run->codecs[c].name);
            json_line_text(&line, "anchor", run->codecs[run->anchor].name);
            json_line_text(&line, "metric", run->set->items[m].name);
            json_bd_fields(&line, &run->bd[c][m]);
            json_line_end(&line);
        }
}

static void write_codec(JsonLine *data, const RdRun *run, size_t c)
{
    char text[64];

    json_line_open(data, NULL, '{');
    json_line_text(data, "name", run->codecs[c].title);
    json_line_text(data, "settings", run->codecs[c].settings);
    json_line_open(data, "points", '[');
    for (size_t p = 0; p < run->n_points; p++) {
        const RdPoint *point = &run->points[p];

        if (point->codec != &run->codecs[c] || !point->usable)
            continue;
        json_line_open(data, NULL, '{');
        json_line_text(data, "setting", rd_setting_text(text, point->setting));
        json_line_real(data, "rate", point->kbps);
        json_line_real(data, "encode_rate", point->encode_speed);
        json_line_real(data, "decode_rate", point->decode_speed);
        snprintf(text, sizeof text, "%.0f x", point->encode_speed);
        json_line_text(data, "encode_speed", text);
        snprintf(text, sizeof text, "%.0f x", point->decode_speed);
        json_line_text(data, "decode_speed", text);
        json_line_open(data, "values", '[');
        for (size_t m = 0; m < run->set->n; m++)
            json_line_real(data, NULL, value_of(point, m));
        json_line_close(data, ']');
        json_line_close(data, '}');
    }
    json_line_close(data, ']');
    json_line_open(data, "bd", '[');
    for (size_t m = 0; m < run->set->n; m++) {
        json_line_open(data, NULL, '{');
        json_bd_fields(data, &run->bd[c][m]);
        json_line_close(data, '}');
    }
    json_line_close(data, ']');
    json_line_close(data, '}');
}

RsdStatus rd_fill_report(void *ctx, JsonLine *data, RsdError *err)
{
    const RdRun *run = ctx;
    char subject[160], rate[RATE_TEXT_SIZE], channels[CHANNELS_TEXT_SIZE];

    (void)err;
    snprintf(subject, sizeof subject,
             "%zu recordings, %.0f s, compared at %s %s; bytes of whole files; speeds on one processor",
             run->files->n_files, run->total_s, rate_text(rate, run->rate_hz), channels_text(channels, run->channels));
    json_line_text(data, "subject", subject);
    json_line_text(data, "rate_title", "kbit/s");
    json_line_text(data, "rate_unit", "kbit/s");
    json_line_text(data, "anchor", run->codecs[run->anchor].title);
    json_line_text(data, "bd_note", bd_note);
    report_metrics(data, run->set);
    json_line_open(data, "codecs", '[');
    for (size_t c = 0; c < run->n_codecs; c++)
        write_codec(data, run, c);
    json_line_close(data, ']');
    return RSD_OK;
}
