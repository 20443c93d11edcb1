/* error.c - filling in the sentence of an RsdError.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"

const char *rsd_status_name(RsdStatus status)
{
    switch (status) {
    case RSD_OK:
        return "ok";
    case RSD_ERR_ARG:
        return "wrong argument";
    case RSD_ERR_MEMORY:
        return "out of memory";
    case RSD_ERR_IO:
        return "input/output error";
    case RSD_ERR_CORRUPT:
        return "damaged input";
    case RSD_ERR_UNSUPPORTED:
        return "unsupported input";
    case RSD_ERR_NUMERIC:
        return "not a number";
    case RSD_ERR_INTERRUPTED:
        return "interrupted";
    case RSD_ERR_EXISTS:
        return "output exists";
    case RSD_ERR_MODEL:
        return "another model is needed";
    case RSD_ERR_MODULE:
        return "a module is missing";
    }
    return "unknown status";
}

/* Names and values inside a sentence may come from a hostile file. A sentence that was cut does not end inside a UTF-8 character. */
static void store_text(RsdError *err, char *text)
{
    size_t len = strlen(text_make_printable(text)), last = len;

    if (len == sizeof err->text - 1) {
        while (last > 0 && ((unsigned char)text[last - 1] & 0xc0) == 0x80)
            last--;
        if (last > 0 && (unsigned char)text[last - 1] >= 0xc0)
            len = last - 1;
    }
    memcpy(err->text, text, len);
    err->text[len] = '\0';
}

RsdStatus error_set(RsdError *err, RsdStatus status, const char *format, ...)
{
    char text[RSD_ERROR_TEXT_SIZE]; /* apart from err, which may be among the arguments */
    va_list args;

    if (!err)
        return status;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        *text = '\0';
    va_end(args);
    err->status = status;
    store_text(err, text);
    return status;
}

RsdStatus error_prefix(RsdError *err, RsdStatus status, const char *format, ...)
{
    char text[RSD_ERROR_TEXT_SIZE];
    va_list args;
    int len;

    if (!err)
        return status;
    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 ||
        ((size_t)len < sizeof text && snprintf(text + len, sizeof text - (size_t)len, ": %s", err->text) < 0))
        return status;
    err->status = status;
    store_text(err, text);
    return status;
}
