/* exit_code.h - what the program returns to whoever called it; the same for every command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EXIT_CODE_H
#define RESIDUA_CLI_EXIT_CODE_H

#include "engine/base/error.h"

enum {
    EXIT_DONE = 0,
    EXIT_SOME_FAILED = 1, /* some input failed */
    EXIT_USAGE = 2,       /* wrong usage */
    EXIT_DAMAGED = 3,     /* damaged or unsupported input */
    EXIT_SYSTEM = 4,      /* input, output or memory */
    EXIT_INTERRUPTED = 130 /* Ctrl-C ended a search early, and its output is complete; what follows was left */
};

int cli_exit_code(RsdStatus status);

#endif
