/* error.c - filling in the sentence of an RsdError.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    }
    return "unknown status";
}

RsdStatus error_set(RsdError *err, RsdStatus status, const char *format, ...)
{
    if (err) {
        va_list args;

        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

RsdStatus error_prefix(RsdError *err, RsdStatus status, const char *format, ...)
{
    if (err) {
        char inner[RSD_ERROR_TEXT_SIZE];
        va_list args;
        int len;

        memcpy(inner, err->text, sizeof inner);
        err->status = status;
        va_start(args, format);
        len = vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        if (len >= 0 && (size_t)len < sizeof err->text)
            snprintf(err->text + len, sizeof err->text - (size_t)len, ": %s", inner);
    }
    return status;
}
