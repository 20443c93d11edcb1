/* eval_print.c - three ways to show the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_print.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define NAME_COLUMNS 32
#define VALUE_COLUMNS 13

const char *eval_flag_words(const EvalKind *kind, unsigned flags)
{
    return flags & METRIC_NOT_APPLICABLE     ? "not applicable"
           : flags & METRIC_SILENT_REFERENCE ? "silent reference"
           : flags & METRIC_TOO_SHORT        ? kind->tiny
           : flags & METRIC_IDENTICAL        ? "identical"
                                             : NULL;
}

/* "-0.00" becomes "0.00". */
static void drop_sign_of_zero(char *text)
{
    char *sign = strchr(text, '-');

    if (sign && strcspn(text, "123456789") == strlen(text) && strchr(text, '0'))
        memmove(sign, sign + 1, strlen(sign));
}

const char *eval_value_text(char text[EVAL_VALUE_SIZE], const EvalMetric *metric, const MetricValue *value)
{
    if (value->flags & METRIC_NOT_APPLICABLE)
        return strcpy(text, "-");
    snprintf(text, EVAL_VALUE_SIZE, value->flags ? "(%.*f)" : "%.*f", metric->n_digits, value->value);
    drop_sign_of_zero(text);
    return text;
}

/* ---- table ---- */

static void print_row_heading(const EvalSet *set)
{
    printf("%-*s %9s", NAME_COLUMNS, "", set->kind->column);
    for (size_t m = 0; m < set->n; m++)
        printf(" %*s", VALUE_COLUMNS, set->items[m].title);
    printf("\n%-*s %9s", NAME_COLUMNS, "better is", "");
    for (size_t m = 0; m < set->n; m++)
        printf(" %*s", VALUE_COLUMNS, eval_better_text(set->items[m].better));
    putchar('\n');
}

static void print_values(const MetricValue *values, const EvalSet *set)
{
    char text[EVAL_VALUE_SIZE];

    for (size_t m = 0; m < set->n; m++)
        printf(" %*s", VALUE_COLUMNS, eval_value_text(text, &set->items[m], &values[m]));
    putchar('\n');
}

/* A line for each frame or tile, and for each band. */
static void print_parts(const EvalResult *r, const EvalSet *set)
{
    char text[EVAL_TEXT_SIZE];

    for (int64_t i = 0; i < r->places.n; i++) {
        printf("  %-*s %9s", NAME_COLUMNS - 2, set->kind->place_name(text, r, i), "");
        print_values(r->places.values + (size_t)i * set->n, set);
    }
    for (int64_t i = 0; i < r->bands.n; i++) {
        printf("  %-*s %9s", NAME_COLUMNS - 2, set->kind->band_name(text, r, i), "");
        print_values(r->bands.values + (size_t)i * set->n, set);
    }
}

static void print_row(const Pair *pair, const EvalResult *r, const EvalSet *set, bool per_channel)
{
    char text[EVAL_TEXT_SIZE];

    printf("%-*s %9s", NAME_COLUMNS, pair->name, set->kind->column_text(text, r));
    print_values(r->values, set);
    for (int c = 0; per_channel && r->channels > 1 && c < r->channels; c++) {
        printf("  channel %-*s %9s", NAME_COLUMNS - 10, set->kind->channel_name(text, r, c), "");
        print_values(r->each + (size_t)c * set->n, set);
    }
    print_parts(r, set);
}

static void print_list_quantiles(const EvalResult *r, const EvalSet *set, size_t m)
{
    const Quantiles *q = &r->place_quantiles[m];

    if (!r->places.n || !q->n)
        return;
    printf("    %zu %-8s", q->n, set->kind->places);
    for (int i = 0; i < N_QUANTILES; i++)
        printf(" %s %.*f", quantile_names[i], set->items[m].n_digits, q->at[i]);
    putchar('\n');
}

/* One pair has room for a line per metric. */
static void print_list(const Pair *pair, const EvalResult *r, const EvalSet *set, bool per_channel)
{
    char text[EVAL_VALUE_SIZE], channel[EVAL_TEXT_SIZE];

    printf("%s: ", pair->name);
    set->kind->print_facts(r);
    putchar('\n');
    for (size_t m = 0; m < set->n; m++) {
        const EvalMetric *metric = &set->items[m];
        const char *why = eval_flag_words(set->kind, r->values[m].flags);

        printf("  %-14s %*s %-12s %s; better: %s%s%s%s\n", metric->title, VALUE_COLUMNS,
               eval_value_text(text, metric, &r->values[m]), metric->unit, metric->summary,
               eval_better_text(metric->better), why ? " [" : "", why ? why : "", why ? "]" : "");
        for (int c = 0; per_channel && metric->by_channel && r->channels > 1 && c < r->channels; c++)
            printf("    channel %-5s %*s\n", set->kind->channel_name(channel, r, c), VALUE_COLUMNS,
                   eval_value_text(text, metric, &r->each[(size_t)c * set->n + m]));
        print_list_quantiles(r, set, m);
    }
    if (r->places.n) {
        putchar('\n');
        print_row_heading(set);
        print_parts(r, set);
    }
}

static void print_means(const EvalSet *set, const Interval *means, const Quantiles *quantiles)
{
    printf("%-*s %9s", NAME_COLUMNS, "mean", "");
    for (size_t m = 0; m < set->n; m++)
        if (means[m].n)
            printf(" %*.*f", VALUE_COLUMNS, set->items[m].n_digits, means[m].mean);
        else
            printf(" %*s", VALUE_COLUMNS, "-");
    printf("\n%-*s %9s", NAME_COLUMNS, "+- (95 %)", "");
    for (size_t m = 0; m < set->n; m++)
        if (means[m].n > 1)
            printf(" %*.*f", VALUE_COLUMNS, set->items[m].n_digits, means[m].half_width);
        else
            printf(" %*s", VALUE_COLUMNS, "-");
    putchar('\n');
    for (int i = 0; i < N_QUANTILES; i++) {
        printf("%-*s %9s", NAME_COLUMNS, quantile_names[i], "");
        for (size_t m = 0; m < set->n; m++)
            if (quantiles[m].n)
                printf(" %*.*f", VALUE_COLUMNS, set->items[m].n_digits, quantiles[m].at[i]);
            else
                printf(" %*s", VALUE_COLUMNS, "-");
        putchar('\n');
    }
}

/* ---- JSON ---- */

static void json_quantiles(JsonLine *line, const Quantiles *q)
{
    json_line_open(line, "quantiles", '{');
    for (int i = 0; i < N_QUANTILES; i++)
        json_line_real(line, quantile_names[i], q->n ? q->at[i] : NAN);
    json_line_close(line, '}');
}

/* Conventions are null. */
static void json_parts(JsonLine *line, const char *key, const EvalParts *parts, const EvalSet *set, size_t m)
{
    json_line_open(line, key, '[');
    for (int64_t i = 0; i < parts->n; i++) {
        const MetricValue *value = &parts->values[(size_t)i * set->n + m];

        json_line_real(line, NULL, value->flags ? NAN : value->value);
    }
    json_line_close(line, ']');
}

static void json_metric(JsonLine *line, const EvalResult *r, const EvalSet *set, size_t m)
{
    const EvalMetric *metric = &set->items[m];
    const MetricValue *value = &r->values[m];
    bool applies = !(value->flags & METRIC_NOT_APPLICABLE);

    json_line_open(line, metric->name, '{');
    json_line_real(line, "value", applies ? value->value : NAN);
    json_line_text(line, "unit", metric->unit);
    json_line_text(line, "flag", eval_flag_words(set->kind, value->flags));
    if (r->channels > 1 && metric->by_channel) {
        json_line_open(line, "channels", '[');
        for (int c = 0; c < r->channels; c++)
            json_line_real(line, NULL, r->each[(size_t)c * set->n + m].value);
        json_line_close(line, ']');
    }
    if (r->places.n) {
        json_quantiles(line, &r->place_quantiles[m]);
        json_parts(line, set->kind->places, &r->places, set, m);
    }
    if (r->bands.n && !(r->bands.values[m].flags & METRIC_NOT_APPLICABLE))
        json_parts(line, "bands", &r->bands, set, m);
    json_line_close(line, '}');
}

void eval_json_pair(JsonLine *line, const Pair *pair, const EvalResult *r, const EvalSet *set)
{
    json_line_text(line, "name", pair->name);
    json_line_text(line, "ref", pair->ref);
    json_line_text(line, "dist", pair->dist);
    if (r->status != RSD_OK) {
        json_line_text(line, "status", rsd_status_name(r->status));
        json_line_text(line, "error", r->err.text);
        return;
    }
    set->kind->json_facts(line, r);
    if (r->places.n) {
        json_line_open(line, set->kind->places, '{');
        json_line_integer(line, "n", r->places.n);
        set->kind->json_places(line, r);
        json_line_close(line, '}');
    }
    json_line_open(line, "metrics", '{');
    for (size_t m = 0; m < set->n; m++)
        json_metric(line, r, set, m);
    json_line_close(line, '}');
}

static void print_json_pair(const Pair *pair, const EvalResult *r, const EvalSet *set)
{
    JsonLine line;

    json_line_begin(&line, stdout);
    json_line_integer(&line, "schema", EVAL_SCHEMA);
    json_line_text(&line, "type", "pair");
    json_line_text(&line, "kind", set->kind->name);
    eval_json_pair(&line, pair, r, set);
    json_line_end(&line);
}

static void print_json_summary(const char *shard, const EvalSet *set, const Interval *means, const Quantiles *quantiles, size_t n_pairs,
                               size_t n_failed, size_t n_missed)
{
    JsonLine line;

    json_line_begin(&line, stdout);
    json_line_integer(&line, "schema", EVAL_SCHEMA);
    json_line_text(&line, "type", "summary");
    json_line_text(&line, "kind", set->kind->name);
    if (shard)
        json_line_text(&line, "shard", shard);
    json_line_integer(&line, "pairs", (int64_t)n_pairs);
    json_line_integer(&line, "failed", (int64_t)n_failed);
    json_line_integer(&line, "limits_missed", (int64_t)n_missed);
    json_line_open(&line, "metrics", '{');
    for (size_t m = 0; m < set->n; m++) {
        json_line_open(&line, set->items[m].name, '{');
        json_line_real(&line, "mean", means[m].n ? means[m].mean : NAN);
        json_line_real(&line, "half_width_95", means[m].n > 1 ? means[m].half_width : NAN);
        json_quantiles(&line, &quantiles[m]);
        json_line_integer(&line, "n", (int64_t)means[m].n);
        json_line_text(&line, "unit", set->items[m].unit);
        json_line_text(&line, "better", eval_better_text(set->items[m].better));
        json_line_close(&line, '}');
    }
    json_line_close(&line, '}');
    json_line_end(&line);
}

/* ---- CSV ---- */

/* RFC 4180. */
static void print_csv_text(const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;

    if (!quoted) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

/* "snr_db", "lsd_log10_power": the name and the unit in small letters. */
static void print_csv_column(const EvalMetric *metric)
{
    printf(",%s%s", metric->name, *metric->unit ? "_" : "");
    for (const char *c = metric->unit; *c; c++)
        putchar(isalnum((unsigned char)*c) ? tolower((unsigned char)*c) : '_');
}

static void print_csv_heading(const EvalSet *set)
{
    printf("name,channel%s", set->kind->csv_columns);
    for (size_t m = 0; m < set->n; m++)
        print_csv_column(&set->items[m]);
    fputs(",error\r\n", stdout);
}

static void print_csv_line(const Pair *pair, const EvalResult *r, const EvalSet *set, const char *channel,
                           const MetricValue *values)
{
    print_csv_text(pair->name);
    if (r->status != RSD_OK) {
        for (const char *c = set->kind->csv_columns; *c; c++)
            if (*c == ',')
                putchar(',');
        for (size_t m = 0; m < set->n + 2; m++)
            putchar(',');
        print_csv_text(r->err.text);
        fputs("\r\n", stdout);
        return;
    }
    putchar(',');
    print_csv_text(channel);
    set->kind->csv_facts(r);
    for (size_t m = 0; m < set->n; m++)
        if (values[m].flags & METRIC_NOT_APPLICABLE)
            putchar(',');
        else
            printf(",%.9g", values[m].value);
    fputs(",\r\n", stdout);
}

static void print_csv_pair(const Pair *pair, const EvalResult *r, const EvalSet *set, bool per_channel)
{
    char channel[EVAL_TEXT_SIZE];

    print_csv_line(pair, r, set, "all", r->values);
    for (int c = 0; per_channel && r->status == RSD_OK && r->channels > 1 && c < r->channels; c++) {
        print_csv_line(pair, r, set, set->kind->channel_name(channel, r, c), r->each + (size_t)c * set->n);
    }
    for (int64_t i = 0; r->status == RSD_OK && i < r->places.n; i++)
        print_csv_line(pair, r, set, set->kind->place_name(channel, r, i), r->places.values + (size_t)i * set->n);
    for (int64_t i = 0; r->status == RSD_OK && i < r->bands.n; i++)
        print_csv_line(pair, r, set, set->kind->band_name(channel, r, i), r->bands.values + (size_t)i * set->n);
}

/* ---- all of them ---- */

void eval_print_heading(EvalForm form, const EvalSet *set, size_t n_pairs)
{
    if (form == EVAL_CSV)
        print_csv_heading(set);
    else if (form == EVAL_TABLE && n_pairs > 1)
        print_row_heading(set);
}

void eval_print_pair(EvalForm form, const Pair *pair, const EvalResult *r, const EvalSet *set, size_t n_pairs,
                     bool per_channel)
{
    if (form == EVAL_JSON)
        print_json_pair(pair, r, set);
    else if (form == EVAL_CSV)
        print_csv_pair(pair, r, set, per_channel);
    else if (r->status == RSD_OK)
        (n_pairs > 1 ? print_row : print_list)(pair, r, set, per_channel);
}

void eval_print_summary(EvalForm form, const char *shard, const EvalSet *set, const Interval *means, const Quantiles *quantiles, size_t n_pairs,
                        size_t n_failed, size_t n_missed)
{
    if (form == EVAL_JSON)
        print_json_summary(shard, set, means, quantiles, n_pairs, n_failed, n_missed);
    else if (form == EVAL_TABLE && n_pairs > 1)
        print_means(set, means, quantiles);
}
