/* atomic_file.h - an output file that appears complete or not at all.
 *
 * Bytes go to a file without a name in the same folder (where that is impossible: with a temporary name), which gets its final
 * name when everything is written and safe on the disk; until then an older file of that name stays as it was. Closing without
 * a commit, and atomic_file_remove_pending from a signal handler, remove a temporary name. "-" is standard output and what exists but is
 * no regular file (a pipe, a device) is written directly: there a commit only reports errors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ATOMIC_FILE_H
#define RESIDUA_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct AtomicFile AtomicFile;

/* overwrite false: RSD_ERR_EXISTS when a file of that name exists, at open or by the time of the commit. A link is followed,
 * so its target is replaced. Errors: RSD_ERR_EXISTS, RSD_ERR_IO (the system's reason), RSD_ERR_MEMORY. Any thread; one
 * file belongs to one thread at a time. */
RsdStatus atomic_file_open(AtomicFile **out, const char *path, bool overwrite, RsdError *err);

/* Appends data [size] at the current position. Errors: RSD_ERR_IO, for example a full disk. */
RsdStatus atomic_file_write(AtomicFile *file, const void *data, size_t size, RsdError *err);

/* Overwrites data [size] at an offset already written, to complete a header. Position unchanged.
 * Errors: RSD_ERR_IO; RSD_ERR_ARG when not seekable. */
RsdStatus atomic_file_patch(AtomicFile *file, int64_t offset, const void *data, size_t size, RsdError *err);

/* For libraries that write by descriptor. Not to be closed. */
int atomic_file_fd(const AtomicFile *file);
/* False for pipes and terminals: no patch, no second pass. */
bool atomic_file_is_seekable(const AtomicFile *file);
/* Where the bytes go, for sentences: the path, or "standard output". */
const char *atomic_file_name(const AtomicFile *file);

/* Gives the file its name. Afterwards only close may follow. Errors: RSD_ERR_IO, RSD_ERR_EXISTS; the temporary is
 * then removed. */
RsdStatus atomic_file_commit(AtomicFile *file, RsdError *err);

/* A file of these bytes. Errors: those of open, write and commit. */
RsdStatus atomic_file_write_whole(const char *path, bool overwrite, const void *data, size_t size, RsdError *err);
/* Accepts NULL; without a commit the temporary is removed. */
void atomic_file_close(AtomicFile **file);

/* Removes the temporaries of all open files of this process. Calls only unlink, so a signal handler may use it just before the
 * process ends. */
void atomic_file_remove_pending(void);

#endif
