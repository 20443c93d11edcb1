/* version.h - `residua --version`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_VERSION_H
#define RESIDUA_CLI_VERSION_H

#include <stdbool.h>

/* With verbose: compiler, kernel set, format, libraries and built-in models, each on a line. Returns the exit code. */
int version_print(bool verbose);

#endif
