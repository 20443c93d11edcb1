/* zip_archive.h - the door to libzip: names and contents of an archive whose entries are stored as they are.
 *
 * torch never compresses. An entry that is compressed or encrypted is refused: reading it could cost more memory than the
 * file has bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ZIP_ARCHIVE_H
#define RESIDUA_ZIP_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct ZipArchive ZipArchive;

/* Errors: RSD_ERR_IO, RSD_ERR_CORRUPT (no archive, or one that contradicts itself), RSD_ERR_MEMORY. */
RsdStatus zip_archive_open(ZipArchive **out, const char *path, RsdError *err);
/* The same from memory; data [size] is borrowed until close, `name` is used in messages. */
RsdStatus zip_archive_open_memory(ZipArchive **out, const void *data, size_t size, const char *name, RsdError *err);
void zip_archive_close(ZipArchive **archive);

int64_t zip_archive_count(const ZipArchive *archive);
/* Owned by the archive; NULL when it cannot be told. */
const char *zip_archive_name(const ZipArchive *archive, int64_t i);
/* Index of an entry, -1 when there is none; with several of that name the archive is not opened. */
int64_t zip_archive_find(const ZipArchive *archive, const char *name);

/* Bytes of an entry; never more than the whole file has. Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED (compressed). */
RsdStatus zip_archive_size(const ZipArchive *archive, int64_t i, size_t *size, RsdError *err);
/* All of an entry, its checksum verified: dst [size], size as zip_archive_size said. One thread at a time.
 * Errors: RSD_ERR_CORRUPT, RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus zip_archive_read(ZipArchive *archive, int64_t i, void *dst, size_t size, RsdError *err);

#endif
