/* scratch_file.c - a file without a name, by O_TMPFILE or, where the file system knows none, by mkostemp and unlink.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/scratch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define PATH_SIZE 4096

struct ScratchFile {
    int fd;
    int64_t size;
    char folder[PATH_SIZE];
};

static int open_in(const char *folder)
{
    char path[PATH_SIZE + 16];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    snprintf(path, sizeof path, "%s/residua-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static RsdStatus fail_with(const ScratchFile *file, const char *what, RsdError *err)
{
    return error_set(err, RSD_ERR_IO, "temporary file in %s: %s: %s; TMPDIR may name another folder", file->folder, what,
                     strerror(errno));
}

RsdStatus scratch_file_create(ScratchFile **out, RsdError *err)
{
    const char *named = getenv("TMPDIR"), *folders[] = {named && *named ? named : "/var/tmp", named && *named ? NULL : "/tmp"};
    ScratchFile *file = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&file, 1, sizeof *file, err));
    file->fd = -1;
    for (size_t i = 0; i < 2 && folders[i] && file->fd < 0; i++) {
        snprintf(file->folder, sizeof file->folder, "%s", folders[i]);
        file->fd = open_in(folders[i]);
    }
    if (file->fd < 0)
        TRY(fail_with(file, "cannot be made", err));
    *out = file;
    return RSD_OK;
fail:
    scratch_file_destroy(&file);
    return status;
}

void scratch_file_destroy(ScratchFile **file)
{
    if (!*file)
        return;
    if ((*file)->fd >= 0)
        close((*file)->fd);
    mem_free(file);
}

RsdStatus scratch_file_append(ScratchFile *file, const void *data, size_t size, RsdError *err)
{
    for (const char *at = data; size > 0;) {
        ssize_t n = write(file->fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_with(file, "cannot be written", err);
        at += n;
        size -= (size_t)n;
        file->size += n;
    }
    return RSD_OK;
}

RsdStatus scratch_file_read(const ScratchFile *file, int64_t offset, void *data, size_t size, RsdError *err)
{
    for (char *at = data; size > 0;) {
        ssize_t n = pread(file->fd, at, size, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENODATA;
        if (n <= 0)
            return fail_with(file, "cannot be read", err);
        at += n;
        offset += n;
        size -= (size_t)n;
    }
    return RSD_OK;
}

RsdStatus scratch_file_map(const ScratchFile *file, int64_t offset, size_t size, const void **data, RsdError *err)
{
    void *mapping = MAP_FAILED;

    *data = NULL;
    errno = ENODATA;
    /* All of it is about to be read: one call instead of a fault for every few pages. */
    if (size > 0 && offset >= 0 && offset <= file->size && size <= (uint64_t)(file->size - offset))
        mapping = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file->fd, offset);
    if (mapping == MAP_FAILED)
        return errno == ENOMEM ? error_set(err, RSD_ERR_MEMORY, "cannot map %zu bytes of a temporary file", size)
                               : fail_with(file, "cannot be mapped", err);
    *data = mapping;
    return RSD_OK;
}

void scratch_file_unmap(const void *data, size_t size)
{
    if (data)
        munmap((void *)(uintptr_t)data, size);
}

int64_t scratch_file_size(const ScratchFile *file)
{
    return file->size;
}
