/* log.h - notes for the person at the terminal; the library is silent unless the program sets a sink.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOG_H
#define RESIDUA_LOG_H

#include "engine/base/status.h"

typedef enum LogLevel { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

typedef void (*LogSink)(void *ctx, LogLevel level, const char *text);

/* sink NULL silences. Call before threads start; the sink may be called from any thread. */
void log_set_sink(LogSink sink, void *ctx);
void log_note(LogLevel level, const char *format, ...) RSD_PRINTF(2, 3);

#endif
