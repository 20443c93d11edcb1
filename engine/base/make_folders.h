/* make_folders.h - the folders above an output, like mkdir -p.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MAKE_FOLDERS_H
#define RESIDUA_MAKE_FOLDERS_H

#include "engine/base/error.h"

/* Makes those that are missing of the folders that `path` lies in, not path itself. Errors: RSD_ERR_IO. */
RsdStatus make_folders_above(const char *path, RsdError *err);

#endif
