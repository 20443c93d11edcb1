/* console.h - what a person at the terminal sees on standard error: notes, errors, and one line of progress.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_CONSOLE_H
#define RESIDUA_CLI_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/options.h"
#include "engine/base/log.h"

typedef struct Console {
    bool quiet, verbose;
    bool terminal;   /* standard error is one: only then is progress shown */
    bool line_shown; /* the cursor stands behind a line of progress */
    double last_shown_s;
    size_t n_without_module; /* failures for want of a module */
} Console;

/* Also takes the notes of the library (engine/base/log.h). */
void console_open(Console *console, const CommonRequest *common);
void console_close(Console *console);

/* One line "residua: text". LOG_INFO is left out when quiet, LOG_DEBUG unless verbose; LOG_WARNING gets its word. */
void console_say(Console *console, LogLevel level, const char *format, ...) RSD_PRINTF(3, 4);

/* A warning of n_bytes behind the end of a stream in a file; none for 0 and below. */
void console_say_rest(Console *console, const char *name, int64_t n_bytes);

/* Why an input failed. A missing module fails many in the same way: that is said once and, in the end, of how many; of each
 * when verbose. */
void console_say_failure(Console *console, const RsdError *err);

/* True a few times per second on a terminal that wants to be told: then console_progress replaces the line. */
bool console_wants_progress(Console *console);
void console_progress(Console *console, const char *format, ...) RSD_PRINTF(2, 3);
void console_clear_line(Console *console);

/* Seconds of a clock that never jumps. */
double console_clock(void);

/* "1:02:03" or "4:05". Returns `text`. */
#define DURATION_TEXT_SIZE 32
const char *console_duration(char text[DURATION_TEXT_SIZE], double seconds);

#endif
