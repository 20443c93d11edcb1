/* json_line.h - one JSON object on one line, written as its fields come.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_JSON_LINE_H
#define RESIDUA_CLI_JSON_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct JsonLine {
    FILE *file;
    bool has_fields;
} JsonLine;

void json_line_begin(JsonLine *line, FILE *file);
void json_line_end(JsonLine *line);

/* An object or a list inside: '{' or '[', then its fields, then '}' or ']'. Elements of a list have the key NULL. */
void json_line_open(JsonLine *line, const char *key, char bracket);
void json_line_close(JsonLine *line, char bracket);

/* text NULL gives null. Bytes that are no UTF-8 become U+FFFD. */
void json_line_text(JsonLine *line, const char *key, const char *text);
void json_line_integer(JsonLine *line, const char *key, int64_t value);
/* Infinity and NaN, which JSON does not have, become null. */
void json_line_number(JsonLine *line, const char *key, double value, int n_digits);
/* Nine significant digits. */
void json_line_real(JsonLine *line, const char *key, double value);
void json_line_bool(JsonLine *line, const char *key, bool value);
void json_line_hex(JsonLine *line, const char *key, const uint8_t *bytes, size_t n_bytes);
/* "data:TYPE;base64,..." */
void json_line_data_uri(JsonLine *line, const char *key, const char *type, const uint8_t *bytes, size_t n_bytes);

#endif
