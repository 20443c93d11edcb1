/* outputs.h - the files that a command writes beside standard output when hours of work are done.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_OUTPUTS_H
#define RESIDUA_CLI_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/console.h"
#include "engine/base/error.h"

/* Before the work: whether each of the paths [n] (NULL: not asked for) is another file that can be written. Errors: RSD_ERR_ARG ("-", one file
 * twice), those of atomic_file_open. */
RsdStatus outputs_check(const char *const *paths, size_t n, bool overwrite, RsdError *err);
/* That none is named twice, which outputs_check looks at too. What is no regular file may be. Errors: RSD_ERR_ARG. */
RsdStatus outputs_differ(const char *const *paths, size_t n, RsdError *err);

/* After the work one failure does not keep the others from being written: the first stays in *status and err, one that comes later is said. */
void outputs_add(RsdStatus *status, RsdError *err, RsdStatus later, const RsdError *why, Console *console);

#endif
