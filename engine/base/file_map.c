/* file_map.c - mappings of regular files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

RsdStatus file_map_open(FileMap *map, const char *path, RsdError *err)
{
    static const uint8_t nothing[1];
    struct stat info;
    void *mapping;
    int fd = -1;
    RsdStatus status = RSD_OK;

    *map = (FileMap){.data = nothing};
    /* O_NONBLOCK: opening a pipe without a writer must not wait for one. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CHECK(fd >= 0, err, RSD_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    CHECK(fstat(fd, &info) == 0, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    CHECK(S_ISREG(info.st_mode), err, RSD_ERR_IO, "%s: %s; a regular file is needed", path,
          S_ISDIR(info.st_mode) ? "is a directory" : "is a pipe or a device");
    if (info.st_size > 0) {
        mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        CHECK(mapping != MAP_FAILED, err, errno == ENOMEM ? RSD_ERR_MEMORY : RSD_ERR_IO,
              "%s: cannot map %lld bytes: %s", path, (long long)info.st_size, strerror(errno));
        *map = (FileMap){mapping, (size_t)info.st_size, mapping};
    }
fail:
    if (fd >= 0)
        close(fd);
    return status;
}

void file_map_release(const FileMap *map, const void *bytes, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)bytes + page - 1) / page * page, end = ((uintptr_t)bytes + size) / page * page;
    uintptr_t begin = (uintptr_t)map->mapping;

    if (map->mapping && (uintptr_t)bytes >= begin && (uintptr_t)bytes + size <= begin + map->size && first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

void file_map_close(FileMap *map)
{
    if (map->mapping)
        munmap(map->mapping, map->size);
    *map = (FileMap){0};
}
