/* stop_signals.c - signals that end a command, caught.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/stop_signals.h"

#include <signal.h>
#include <stddef.h>

void stop_signals_catch(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (signal(numbers[i], SIG_IGN) != SIG_IGN)
            signal(numbers[i], handler);
}
