/* json_line.c - fields and escapes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/json_line.h"

#include <math.h>

/* Bytes of the UTF-8 character at `text`, 0 when it is none. */
static int utf8_len(const unsigned char *text)
{
    static const struct {
        unsigned char from, to, second_from, second_to;
        int len;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (text[0] < forms[i].from || text[0] > forms[i].to)
            continue;
        if (forms[i].len > 1 && (text[1] < forms[i].second_from || text[1] > forms[i].second_to))
            return 0;
        for (int k = 2; k < forms[i].len; k++)
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

static void print_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        int len = utf8_len(c);

        if (!len)
            fputs("\\ufffd", file);
        else if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (len == 2 && c[0] == 0xc2 && c[1] < 0xa0) /* control characters of terminals */
            fprintf(file, "\\u%04x", c[1]);
        else if (*c < 0x20 || *c == 0x7f || *c == '<') /* "</script>" must not end the page that holds the line */
            fprintf(file, "\\u%04x", *c);
        else
            fwrite(c, 1, (size_t)len, file);
        c += len ? len : 1;
    }
    fputc('"', file);
}

static void begin_field(JsonLine *line, const char *key)
{
    fputs(line->has_fields ? ", " : "", line->file);
    line->has_fields = true;
    if (!key)
        return;
    print_string(line->file, key);
    fputs(": ", line->file);
}

void json_line_begin(JsonLine *line, FILE *file)
{
    *line = (JsonLine){.file = file};
    fputc('{', file);
}

void json_line_end(JsonLine *line)
{
    fputs("}\n", line->file);
}

void json_line_open(JsonLine *line, const char *key, char bracket)
{
    begin_field(line, key);
    fputc(bracket, line->file);
    line->has_fields = false;
}

void json_line_close(JsonLine *line, char bracket)
{
    fputc(bracket, line->file);
    line->has_fields = true;
}

void json_line_text(JsonLine *line, const char *key, const char *text)
{
    begin_field(line, key);
    if (text)
        print_string(line->file, text);
    else
        fputs("null", line->file);
}

void json_line_integer(JsonLine *line, const char *key, int64_t value)
{
    begin_field(line, key);
    fprintf(line->file, "%lld", (long long)value);
}

void json_line_number(JsonLine *line, const char *key, double value, int n_digits)
{
    begin_field(line, key);
    if (isfinite(value))
        fprintf(line->file, "%.*f", n_digits, value);
    else
        fputs("null", line->file);
}

void json_line_real(JsonLine *line, const char *key, double value)
{
    begin_field(line, key);
    if (isfinite(value))
        fprintf(line->file, "%.9g", value);
    else
        fputs("null", line->file);
}

void json_line_bool(JsonLine *line, const char *key, bool value)
{
    begin_field(line, key);
    fputs(value ? "true" : "false", line->file);
}

void json_line_hex(JsonLine *line, const char *key, const uint8_t *bytes, size_t n_bytes)
{
    begin_field(line, key);
    fputc('"', line->file);
    for (size_t i = 0; i < n_bytes; i++)
        fprintf(line->file, "%02x", bytes[i]);
    fputc('"', line->file);
}

void json_line_data_uri(JsonLine *line, const char *key, const char *type, const uint8_t *bytes, size_t n_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    begin_field(line, key);
    fprintf(line->file, "\"data:%s;base64,", type);
    for (size_t i = 0; i < n_bytes; i += 3) { /* RFC 4648, section 4 */
        size_t left = n_bytes - i;
        uint32_t word =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);

        fputc(digits[word >> 18], line->file);
        fputc(digits[word >> 12 & 63], line->file);
        fputc(left > 1 ? digits[word >> 6 & 63] : '=', line->file);
        fputc(left > 2 ? digits[word & 63] : '=', line->file);
    }
    fputc('"', line->file);
}
