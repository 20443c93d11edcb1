/* text.c - numbers with units and the distance between words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64 /* longer words are never suggested */

typedef struct UnitName {
    Unit unit;
    const char *name;
    double factor;
    bool printed; /* text_print_quantity may use it */
} UnitName;

static const UnitName UNIT_NAMES[] = {
    {UNIT_NONE, "k", 1e3, false},      {UNIT_NONE, "M", 1e6, false},         {UNIT_NONE, "G", 1e9, false},
    {UNIT_SECONDS, "us", 1e-6, false}, {UNIT_SECONDS, "ms", 1e-3, true},     {UNIT_SECONDS, "s", 1, true},
    {UNIT_SECONDS, "m", 60, true},     {UNIT_SECONDS, "min", 60, false},     {UNIT_SECONDS, "h", 3600, true},
    {UNIT_SECONDS, "d", 86400, false}, {UNIT_BYTES, "B", 1, false},          {UNIT_BYTES, "kB", 1e3, false},
    {UNIT_BYTES, "MB", 1e6, false},    {UNIT_BYTES, "GB", 1e9, false},       {UNIT_BYTES, "KiB", 0x1p10, true},
    {UNIT_BYTES, "MiB", 0x1p20, true}, {UNIT_BYTES, "GiB", 0x1p30, true},    {UNIT_BYTES, "k", 0x1p10, false},
    {UNIT_BYTES, "M", 0x1p20, false},  {UNIT_BYTES, "G", 0x1p30, false},     {UNIT_BITRATE, "k", 1e3, true},
    {UNIT_BITRATE, "M", 1e6, false},   {UNIT_BITRATE, "bps", 1, false},      {UNIT_BITRATE, "kbps", 1e3, false},
    {UNIT_BITRATE, "bit/s", 1, false}, {UNIT_BITRATE, "kbit/s", 1e3, false}, {UNIT_HZ, "Hz", 1, true},
    {UNIT_HZ, "kHz", 1e3, true},       {UNIT_HZ, "MHz", 1e6, false},         {UNIT_HZ, "k", 1e3, false},
    {UNIT_DB, "dB", 1, true},
};
#define N_UNIT_NAMES (sizeof UNIT_NAMES / sizeof *UNIT_NAMES)

/* Exact spelling first, because "M" (mega) and "m" (minutes) live side by side; then any case. */
static const UnitName *find_unit(const char *name, Unit unit)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < N_UNIT_NAMES; i++)
            if (UNIT_NAMES[i].unit == unit && !(pass ? strcasecmp : strcmp)(UNIT_NAMES[i].name, name))
                return &UNIT_NAMES[i];
    return NULL;
}

static RsdStatus refuse(const char *text, Unit unit, RsdError *err)
{
    char known[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < N_UNIT_NAMES && used < sizeof known - 16; i++)
        if (UNIT_NAMES[i].unit == unit)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", UNIT_NAMES[i].name);
    return error_set(err, RSD_ERR_ARG, "'%.60s' is not a number with an optional unit (%s)", text, known);
}

RsdStatus text_parse_quantity(double *out, const char *text, Unit unit, RsdError *err)
{
    char *end;
    const char *start = text + strspn(text, " \t");
    double value = strtod(start, &end);
    const UnitName *found;

    /* strtod also takes "inf", "nan" and hexadecimal; none of them is meant here. */
    if (end == start || !isfinite(value) || strspn(start, "0123456789+-.eE") < (size_t)(end - start))
        return refuse(text, unit, err);
    end += strspn(end, " \t");
    if (*end) {
        found = find_unit(end, unit);
        if (!found)
            return refuse(text, unit, err);
        value *= found->factor;
    }
    if (!isfinite(value))
        return refuse(text, unit, err);
    *out = value;
    return RSD_OK;
}

const char *text_print_quantity(char text[QUANTITY_TEXT_SIZE], double value, Unit unit)
{
    size_t best_len = QUANTITY_TEXT_SIZE;

    text[0] = '\0';
    for (size_t i = 0; i <= N_UNIT_NAMES; i++) {
        bool plain = i == N_UNIT_NAMES;
        double factor = plain ? 1.0 : UNIT_NAMES[i].factor;
        const char *name = plain ? "" : UNIT_NAMES[i].name;
        char attempt[QUANTITY_TEXT_SIZE], with_exponent[QUANTITY_TEXT_SIZE] = "";

        if (!plain && (UNIT_NAMES[i].unit != unit || !UNIT_NAMES[i].printed))
            continue;
        bool found = false;
        for (int digits = 1; digits <= 17; digits++) {
            double back = NAN;

            snprintf(attempt, sizeof attempt, "%.*g%s", digits, value / factor, name);
            if (text_parse_quantity(&back, attempt, unit, NULL) != RSD_OK || back != value)
                continue;
            found = !strchr(attempt, 'e');
            if (found)
                break;
            if (!with_exponent[0])
                strcpy(with_exponent, attempt);
        }
        /* "2.5e+02ms" reads badly: only when the number is too small or too large to be written out. */
        if (!found)
            strcpy(attempt, with_exponent);
        size_t len = strlen(attempt) + (plain && unit != UNIT_NONE ? 3 : 0);

        if (!len)
            continue; /* this unit rounds the number */
        if (len < best_len) {
            best_len = len;
            strcpy(text, attempt);
        }
    }
    return text;
}

bool text_is_name(const char *typed, const char *name)
{
    for (; *typed && *name; typed++, name++)
        if (*typed != *name && !(*typed == '-' && *name == '_'))
            return false;
    return *typed == *name;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* Optimal string alignment; words of WORD_MAX letters at most. */
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1], n = strlen(b);
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= n; j++)
        above[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[n];
}

const char *text_nearest(const char *word, const char *const *names, size_t n_names)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 1; /* one slip in three letters, and one more */

    if (strlen(word) > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (!names[i] || strlen(names[i]) > WORD_MAX)
            continue;
        size_t distance = word_distance(word, names[i]);

        if (distance < best_distance || (distance == best_distance && !best)) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}

bool text_next_item(TextItem *item, const char **rest)
{
    if (!*rest)
        return false;
    *item = (TextItem){.text = *rest, .len = strcspn(*rest, ",")};
    *rest = item->text[item->len] ? item->text + item->len + 1 : NULL;
    return true;
}

char *text_make_printable(char *text)
{
    for (char *c = text; *c; c++) {
        const unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];

        if (first < ' ' || first == 0x7f) {
            c[0] = '?';
        } else if (first == 0xc2 && second >= 0x80 && second <= 0x9f) {
            c[0] = c[1] = '?';
            c++;
        }
    }
    return text;
}
