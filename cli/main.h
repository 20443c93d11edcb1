/* main.h - what the commands of the program share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MAIN_H
#define RESIDUA_CLI_MAIN_H

#include "engine/base/error.h"

/* Exit codes of every command. */
enum {
    EXIT_DONE = 0,
    EXIT_SOME_FAILED = 1, /* some input failed */
    EXIT_USAGE = 2,       /* wrong usage */
    EXIT_DAMAGED = 3,     /* damaged or unsupported input */
    EXIT_SYSTEM = 4       /* input, output or memory */
};

int cli_exit_code(RsdStatus status);

/* argv[0] is the command's name. Each returns an exit code. */
int cli_train(int argc, char **argv);

#endif
