/* warnings.c - see warnings.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/warnings.h"

#include <stdio.h>

#include "engine/base/log.h"

Warnings warnings;

static void keep(void *ctx, LogLevel level, const char *text)
{
    (void)ctx;
    if (level != LOG_WARNING)
        return;
    warnings.n++;
    snprintf(warnings.last, sizeof warnings.last, "%s", text);
}

void warnings_keep(void)
{
    warnings = (Warnings){0};
    log_set_sink(keep, NULL);
}

void warnings_drop(void)
{
    log_set_sink(NULL, NULL);
}
