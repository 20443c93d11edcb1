/* folder_walk.h - the files below a set of folders.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FOLDER_WALK_H
#define RESIDUA_FOLDER_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define WALK_PATH_SIZE 4096

/* path: borrowed during the call. size: in bytes. named: the user gave this file itself, not a folder above it. */
typedef RsdStatus (*WalkVisit)(void *ctx, const char *path, int64_t size, bool named, RsdError *err);

/* Calls visit for each file of paths[n_paths] and for each regular file below those that are folders, in the system's order.
 * Hidden names and links to folders are passed over. Errors: RSD_ERR_IO (a path is missing, unreadable, longer than
 * WALK_PATH_SIZE or more than 64 folders deep) and those of visit, which end the walk. */
RsdStatus folder_walk(const char *const *paths, size_t n_paths, WalkVisit visit, void *ctx, RsdError *err);

#endif
