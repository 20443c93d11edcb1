/* commands.h - the commands of the program and how each of them begins.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_COMMANDS_H
#define RESIDUA_CLI_COMMANDS_H

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/options.h"

extern const Command cli_encode, cli_decode, cli_info, cli_cut, cli_tokens, cli_eval, cli_bench, cli_losses, cli_train;
extern const Command cli_report, cli_convert;

/* All of them in the order in which help shows them; NULL at the end. */
extern const Command *const COMMANDS[];
/* NULL when there is none. */
const Command *command_find(const char *name);
/* The first that has the option --NAME; NULL when none has. */
const Command *command_with_option(const char *name);
/* Says that there is none and which was probably meant. Returns the exit code. */
int command_refuse(const char *name);

/* Parses the arguments into *request, whose first member is a CommonRequest, and opens the console. False when that is
 * the end already, --help or wrong usage, with *code set. Operands are argv[0 .. *n_operands - 1] afterwards. */
bool command_begin(const Command *command, void *request, int argc, char **argv, size_t *n_operands, Console *console,
                   int *code);

/* Wrong usage found after parsing: the sentence, and where to read more. Returns the exit code. */
int command_misused(const Command *command, const char *format, ...) RSD_PRINTF(2, 3);

#endif
