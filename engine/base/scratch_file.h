/* scratch_file.h - what is too long for memory and read again later: a file without a name that goes with its handle.
 *
 * It lies in the folder that TMPDIR names, else in /var/tmp, which unlike /tmp is on a disk, else in /tmp.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SCRATCH_FILE_H
#define RESIDUA_SCRATCH_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct ScratchFile ScratchFile;

/* One thread at a time. Errors: RSD_ERR_IO (the system's reason and the folder), RSD_ERR_MEMORY. */
RsdStatus scratch_file_create(ScratchFile **out, RsdError *err);
void scratch_file_destroy(ScratchFile **file);

/* Appends data [size]. Errors: RSD_ERR_IO, for example a full disk. */
RsdStatus scratch_file_append(ScratchFile *file, const void *data, size_t size, RsdError *err);
/* What was appended, size bytes from offset on; they must be there. Errors: RSD_ERR_IO. */
RsdStatus scratch_file_read(const ScratchFile *file, int64_t offset, void *data, size_t size, RsdError *err);

/* The same without a copy, read-only until scratch_file_unmap; several threads may map at once while nobody appends. offset: a
 * multiple of SCRATCH_FILE_ALIGN. Errors: RSD_ERR_IO (also: it is not there), RSD_ERR_MEMORY. */
#define SCRATCH_FILE_ALIGN 65536 /* the largest page of any system that runs this */
RsdStatus scratch_file_map(const ScratchFile *file, int64_t offset, size_t size, const void **data, RsdError *err);
void scratch_file_unmap(const void *data, size_t size);
/* Bytes appended so far. */
int64_t scratch_file_size(const ScratchFile *file);

#endif
