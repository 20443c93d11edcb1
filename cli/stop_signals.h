/* stop_signals.h - what asks a command to end: Ctrl-C, SIGTERM, and a terminal that is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_STOP_SIGNALS_H
#define RESIDUA_CLI_STOP_SIGNALS_H

/* SIGINT, SIGTERM and SIGHUP call the handler, except those that whoever started the program has it ignore: SIGHUP under nohup,
 * SIGINT in what a script runs in the background. */
void stop_signals_catch(void (*handler)(int));

#endif
