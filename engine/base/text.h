/* text.h - what people type and read: numbers with units, lists with commas, the nearest known name for a misspelt one, text made
 * safe to print.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TEXT_H
#define RESIDUA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef enum Unit {
    UNIT_NONE,    /* a plain number; k, M, G mean 10^3, 10^6, 10^9 */
    UNIT_SECONDS, /* us ms s m min h d; without a unit: seconds */
    UNIT_BYTES,   /* B kB MB GB and KiB MiB GiB; without a unit: bytes; a bare k M G is binary */
    UNIT_BITRATE, /* k M, kbps, kbit/s, bit/s; without a unit: bits per second */
    UNIT_HZ,      /* Hz kHz MHz; without a unit: hertz */
    UNIT_DB       /* dB may be written or not */
} Unit;

/* "1.5s" with UNIT_SECONDS gives 1.5. The whole text must be used up; spaces may stand between number and unit.
 * NaN and infinity are not numbers here. Errors: RSD_ERR_ARG naming the text and the units that are known. */
RsdStatus text_parse_quantity(double *out, const char *text, Unit unit, RsdError *err);

/* Shortest text that text_parse_quantity reads back as the same number, with the unit that keeps it shortest (5400 is
 * "90m"). Returns `text`. */
#define QUANTITY_TEXT_SIZE 48
const char *text_print_quantity(char text[QUANTITY_TEXT_SIZE], double value, Unit unit);

/* What stands between two commas of a list; not terminated. */
typedef struct TextItem {
    const char *text;
    size_t len;
} TextItem;

/* The next item of a list divided by commas; "" is a list of one empty item. *rest: the list at first, NULL once its last item was
 * given. false, with *item as it was, when *rest is NULL. */
bool text_next_item(TextItem *item, const char **rest);

/* Text that may come from a hostile file, in place: what could steer a terminal (control characters, also those of two bytes in
 * UTF-8) becomes '?'. Returns `text`. */
char *text_make_printable(char *text);

/* Whether `typed` is that name, in which each _ may be typed as -. */
bool text_is_name(const char *typed, const char *name);

/* The name closest to `word` by insertions, deletions, exchanges and swaps of neighbours, NULL when none is close
 * enough to be what was meant. names: n_names strings; entries may be NULL. */
const char *text_nearest(const char *word, const char *const *names, size_t n_names);

#endif
