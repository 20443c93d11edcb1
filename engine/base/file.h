/* file.h - files read through a mapping, and files that appear complete or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FILE_H
#define RESIDUA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

/* A whole file, read-only. Somebody who shortens the file while it is mapped makes reading it fatal (SIGBUS), so what must
 * survive that is copied first. */
typedef struct FileMap {
    const uint8_t *data; /* valid until file_map_close; not NULL even when size is 0 */
    size_t size;
    void *mapping; /* NULL when there is nothing to unmap */
} FileMap;

/* Maps a regular file; path is borrowed. Errors: RSD_ERR_IO (cannot open, not a regular file), RSD_ERR_MEMORY. */
RsdStatus file_map_open(FileMap *map, const char *path, RsdError *err);
/* Accepts a zeroed map and one that is closed already. */
void file_map_close(FileMap *map);

/* A new file under construction. It has no name (O_TMPFILE) where the file system allows, so that a killed process leaves
 * nothing behind; elsewhere it has a temporary name beside the target, removed by out_file_close. out_file_commit makes the
 * data durable and gives the file its name in one step; a file of that name is replaced whole or stays as it was. A target
 * that is no regular file (/dev/null, a pipe) is written directly. */
typedef struct OutFile OutFile;

/* path is copied. A symbolic link is followed. Errors: RSD_ERR_EXISTS when the file exists and !overwrite, RSD_ERR_IO,
 * RSD_ERR_MEMORY. */
RsdStatus out_file_open(OutFile **out, const char *path, bool overwrite, RsdError *err);
/* Appends at the descriptor's position, through a buffer. Errors: RSD_ERR_IO with the system's reason (full disk). */
RsdStatus out_file_write(OutFile *file, const void *data, size_t size, RsdError *err);
/* For libraries that write by themselves: an open, readable and writable descriptor owned by file. Do not mix with
 * out_file_write. */
int out_file_descriptor(OutFile *file);
/* Flushes, syncs and renames; afterwards only out_file_close may follow. Errors: RSD_ERR_IO, RSD_ERR_EXISTS when another
 * process made the file meanwhile and !overwrite. */
RsdStatus out_file_commit(OutFile *file, RsdError *err);
/* Without a commit before: removes what was written. Sets *file to NULL. */
void out_file_close(OutFile **file);

#endif
