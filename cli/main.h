/* main.h - the commands of the program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_MAIN_H
#define RESIDUA_CLI_MAIN_H

/* argv[0] is the command's name. Each returns an exit code. */
int cli_train(int argc, char **argv);

#endif
