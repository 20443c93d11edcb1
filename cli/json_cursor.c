/* json_cursor.c - a place in a line of JSON that moves on as its parts are recognised.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/json_cursor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 40

JsonCursor json_cursor_line(const uint8_t *data, size_t size, size_t *at)
{
    const uint8_t *newline = memchr(data + *at, '\n', size - *at);
    const size_t end = newline ? (size_t)(newline - data) : size;
    const JsonCursor c = {(const char *)data + *at, (const char *)data + end};

    *at = end + 1;
    return c;
}

static void skip_blanks(JsonCursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

bool json_cursor_take(JsonCursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

bool json_cursor_find(JsonCursor *c, const char *key)
{
    const size_t size = strlen(key);

    for (const char *p = c->at; (size_t)(c->end - p) >= size + 2; p++)
        if (p[0] == '"' && p[size + 1] == '"' && memcmp(p + 1, key, size) == 0) {
            JsonCursor behind = {p + size + 2, c->end};

            if (!json_cursor_take(&behind, ':'))
                continue;
            *c = behind;
            return true;
        }
    return false;
}

bool json_cursor_code(JsonCursor *c, uint16_t *code)
{
    int value = 0, n_digits = 0;

    skip_blanks(c);
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && value <= UINT16_MAX; n_digits++)
        value = value * 10 + (*c->at++ - '0');
    *code = (uint16_t)value;
    return n_digits > 0 && value <= UINT16_MAX;
}

bool json_cursor_number(JsonCursor *c, double *value)
{
    char text[NUMBER_SIZE];
    size_t n = 0;
    char *end;

    skip_blanks(c);
    while (n < sizeof text - 1 && c->at + n < c->end && c->at[n] && strchr("0123456789+-.eE", c->at[n])) {
        text[n] = c->at[n];
        n++;
    }
    text[n] = '\0';
    *value = strtod(text, &end);
    c->at += end - text;
    return end != text && isfinite(*value);
}
