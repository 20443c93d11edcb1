/* json_cursor.h - takes from a line of JSON what files of tokens need: keys, numbers and lists of codes, and nothing else.
 *
 * A line is looked at where it lies, without memory of its own, and may be as long as a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_JSON_CURSOR_H
#define RESIDUA_CLI_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonCursor {
    const char *at, *end;
} JsonCursor;

/* The line that begins at data[*at], of at most size - *at bytes; *at moves behind it. */
JsonCursor json_cursor_line(const uint8_t *data, size_t size, size_t *at);

/* Moves behind `"key":`; false, and nowhere, when the line has none. */
bool json_cursor_find(JsonCursor *c, const char *key);
/* Past blanks and this character; false, past the blanks, when another one comes. */
bool json_cursor_take(JsonCursor *c, char wanted);
/* A number from 0 to 65535. */
bool json_cursor_code(JsonCursor *c, uint16_t *code);
/* Any finite number. */
bool json_cursor_number(JsonCursor *c, double *value);

#endif
