/* console.c - notes and the line of progress.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/console.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "media/av_module.h"

#define REDRAW_PERIOD_S 0.2
#define FIRST_DRAW_S 0.4 /* what ends sooner shows no progress */
#define LINE_SIZE 1024

static void take_note(void *ctx, LogLevel level, const char *text)
{
    console_say(ctx, level, "%s", text);
}

void console_open(Console *console, const CommonRequest *common)
{
    *console = (Console){.quiet = common->quiet,
                         .verbose = common->verbose,
                         .terminal = isatty(STDERR_FILENO) == 1,
                         .last_shown_s = console_clock() + FIRST_DRAW_S - REDRAW_PERIOD_S};
    log_set_sink(take_note, console);
}

void console_close(Console *console)
{
    console_clear_line(console);
    if (console->n_without_module > 1)
        console_say(console, LOG_ERROR, "%zu files failed for want of %s", console->n_without_module, AV_MODULE_FILE);
    log_set_sink(NULL, NULL);
}

void console_clear_line(Console *console)
{
    if (console->line_shown)
        fputs("\r\033[K", stderr);
    console->line_shown = false;
}

void console_say(Console *console, LogLevel level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;

    if ((level == LOG_INFO && console->quiet) || (level == LOG_DEBUG && !console->verbose))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    console_clear_line(console);
    fprintf(stderr, "residua: %s%s\n", level == LOG_WARNING ? "warning: " : "", text);
}

void console_say_rest(Console *console, const char *name, int64_t n_bytes)
{
    if (n_bytes > 0)
        console_say(console, LOG_WARNING, "%s: %lld bytes after the end packet are no part of the stream: another one may stand there", name,
                    (long long)n_bytes);
}

void console_say_failure(Console *console, const RsdError *err)
{
    if (err->status != RSD_ERR_MODULE || console->n_without_module++ == 0 || console->verbose)
        console_say(console, LOG_ERROR, "%s", err->text);
}

bool console_wants_progress(Console *console)
{
    return console->terminal && !console->quiet && console_clock() - console->last_shown_s >= REDRAW_PERIOD_S;
}

void console_progress(Console *console, const char *format, ...)
{
    va_list args;

    fputs("\r\033[K", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
    console->line_shown = true;
    console->last_shown_s = console_clock();
}

double console_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *console_duration(char text[DURATION_TEXT_SIZE], double seconds)
{
    int64_t s = (int64_t)seconds;

    if (s >= 3600)
        snprintf(text, DURATION_TEXT_SIZE, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else
        snprintf(text, DURATION_TEXT_SIZE, "%d:%02d", (int)(s / 60), (int)(s % 60));
    return text;
}
