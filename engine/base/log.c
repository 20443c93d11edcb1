/* log.c - formats a note and hands it to the sink.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static struct {
    LogSink sink;
    void *ctx;
} output; /* the one mutable global: set once at start */

void log_set_sink(LogSink sink, void *ctx)
{
    output.sink = sink;
    output.ctx = ctx;
}

void log_note(LogLevel level, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (!output.sink)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    output.sink(output.ctx, level, text);
}
