/* manual.h - help, manual page and completion, made from the tables of the commands.
 *
 * docs/residua.1 and docs/completion/residua.bash hold what the last two print; a test compares them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MANUAL_H
#define RESIDUA_CLI_MANUAL_H

#include <stdio.h>

#include "cli/options.h"

void manual_print_overview(FILE *file);
void manual_print_help(FILE *file, const Command *command);
void manual_print_page(FILE *file);       /* troff, man(7) */
void manual_print_completion(FILE *file); /* bash */

#endif
