/* file_map.h - a file read through a mapping.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FILE_MAP_H
#define RESIDUA_FILE_MAP_H

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
/* Gives the memory behind some bytes of the map back to the system, which reads them from the file when they are needed again.
 * Bytes outside the map are left alone. */
void file_map_release(const FileMap *map, const void *bytes, size_t size);
/* Accepts a zeroed map and one that is closed already. */
void file_map_close(FileMap *map);

#endif
