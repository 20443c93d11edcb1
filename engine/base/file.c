/* file.c - mappings, and new files that get their name last.
 *
 * Life of an OutFile:
 *   open:    directory known, O_TMPFILE there; where that is impossible ".residua-<pid>-<n>.part" with O_EXCL
 *   write:   to the descriptor
 *   commit:  fsync; a nameless file is linked to its part name; rename to the target (without replacing when the caller
 *            does not want it); fsync of the directory, so that the new name survives a power cut
 *   close:   the part name, if it still exists, is removed
 * The way through the part name is needed because linkat cannot replace a file and rename can.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define BUFFER_SIZE ((size_t)1 << 16)
#define PART_NAME_SIZE 64
#define N_NAME_TRIES 100

struct OutFile {
    int fd;
    mode_t mode; /* of the file to be replaced, else 0 */
    bool overwrite, direct, nameless, part_exists;
    char *target; /* links resolved */
    char *folder; /* of the target */
    char *part;   /* temporary name in that folder; short, because the target's name may be as long as names can be */
    size_t n_buffered;
    uint8_t buffer[BUFFER_SIZE];
};

/* --- mapping ------------------------------------------------------------------------------------------------------ */

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
        CHECK(mapping != MAP_FAILED, err, errno == ENOMEM ? RSD_ERR_MEMORY : RSD_ERR_IO, "%s: cannot map %lld bytes: %s", path,
              (long long)info.st_size, strerror(errno));
        *map = (FileMap){mapping, (size_t)info.st_size, mapping};
    }
fail:
    if (fd >= 0)
        close(fd);
    return status;
}

void file_map_close(FileMap *map)
{
    if (map->mapping)
        munmap(map->mapping, map->size);
    *map = (FileMap){0};
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* The path that a rename may replace: links followed, so that a link to a file stays a link. */
static RsdStatus resolve_target(OutFile *file, const char *path, RsdError *err)
{
    struct stat info;
    char *resolved;
    RsdStatus status = RSD_OK;

    CHECK(*path, err, RSD_ERR_ARG, "the name of the output is empty");
    if (stat(path, &info) == 0) {
        CHECK(!S_ISDIR(info.st_mode), err, RSD_ERR_IO, "%s: is a directory; a file name is needed", path);
        file->direct = !S_ISREG(info.st_mode);
        CHECK(file->direct || file->overwrite, err, RSD_ERR_EXISTS, "%s: exists already", path);
        file->mode = info.st_mode & 07777;
        resolved = realpath(path, NULL);
        CHECK(resolved, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
        status = mem_strdup(&file->target, resolved, err);
        free(resolved);
        return status;
    }
    CHECK(errno == ENOENT, err, RSD_ERR_IO, "%s: cannot create: %s", path, strerror(errno));
    CHECK(lstat(path, &info) != 0, err, RSD_ERR_IO, "%s: is a symbolic link to a file that does not exist", path);
    TRY(mem_strdup(&file->target, path, err));
fail:
    return status;
}

/* Linking a nameless file goes through /proc, which a confined process may lack. */
static bool has_proc_link(int fd)
{
    char link[PART_NAME_SIZE];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return access(link, F_OK) == 0;
}

static void next_part_name(OutFile *file)
{
    static _Atomic unsigned number;
    size_t len = strlen(file->folder);

    memcpy(file->part, file->folder, len);
    snprintf(file->part + len, PART_NAME_SIZE, "/.residua-%ld-%u.part", (long)getpid(), atomic_fetch_add(&number, 1u));
}

/* "." for a bare name, "" for a file in the root: the part name adds the slash. */
static RsdStatus split_folder(OutFile *file, RsdError *err)
{
    char *slash;
    RsdStatus status = RSD_OK;

    TRY(mem_strdup(&file->folder, strchr(file->target, '/') ? file->target : "./", err));
    slash = strrchr(file->folder, '/');
    *slash = '\0';
    TRY(mem_alloc(&file->part, strlen(file->folder) + PART_NAME_SIZE, 1, err));
fail:
    return status;
}

static int open_folder(const OutFile *file, int flags)
{
    return open(*file->folder ? file->folder : "/", flags | O_CLOEXEC, 0666);
}

static RsdStatus open_part(OutFile *file, const char *path, RsdError *err)
{
    RsdStatus status = RSD_OK;

    file->fd = open_folder(file, O_TMPFILE | O_RDWR);
    if (file->fd >= 0 && has_proc_link(file->fd)) {
        file->nameless = true;
        return RSD_OK;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    for (int i = 0; i < N_NAME_TRIES && file->fd < 0; i++) {
        next_part_name(file);
        file->fd = open(file->part, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        CHECK(file->fd >= 0 || errno == EEXIST, err, RSD_ERR_IO, "%s: cannot create: %s", path, strerror(errno));
    }
    CHECK(file->fd >= 0, err, RSD_ERR_IO, "%s: cannot create: too many unfinished files beside it", path);
    file->part_exists = true;
fail:
    return status;
}

RsdStatus out_file_open(OutFile **out, const char *path, bool overwrite, RsdError *err)
{
    OutFile *file = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_alloc(&file, 1, sizeof *file, err));
    memset(file, 0, offsetof(OutFile, buffer));
    file->fd = -1;
    file->overwrite = overwrite;
    TRY(resolve_target(file, path, err));
    TRY(split_folder(file, err));
    if (file->direct) {
        file->fd = open(file->target, O_WRONLY | O_CLOEXEC);
        CHECK(file->fd >= 0, err, RSD_ERR_IO, "%s: cannot open for writing: %s", path, strerror(errno));
    } else {
        TRY(open_part(file, path, err));
        if (file->mode)
            (void)!fchmod(file->fd, file->mode); /* a file system without permissions is no reason to stop */
    }
    *out = file;
    return RSD_OK;
fail:
    out_file_close(&file);
    return status;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static RsdStatus write_all(OutFile *file, const uint8_t *data, size_t size, RsdError *err)
{
    while (size > 0) {
        ssize_t n = write(file->fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->target, strerror(n < 0 ? errno : ENOSPC));
        data += n;
        size -= (size_t)n;
    }
    return RSD_OK;
}

static RsdStatus flush(OutFile *file, RsdError *err)
{
    size_t size = file->n_buffered;

    file->n_buffered = 0;
    return write_all(file, file->buffer, size, err);
}

RsdStatus out_file_write(OutFile *file, const void *data, size_t size, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (size > BUFFER_SIZE - file->n_buffered)
        TRY(flush(file, err));
    if (size >= BUFFER_SIZE)
        return write_all(file, data, size, err);
    if (size > 0)
        memcpy(file->buffer + file->n_buffered, data, size);
    file->n_buffered += size;
fail:
    return status;
}

int out_file_descriptor(OutFile *file)
{
    return file->fd;
}

/* --- commit ------------------------------------------------------------------------------------------------------- */

static RsdStatus name_part(OutFile *file, RsdError *err)
{
    char link[PART_NAME_SIZE];

    snprintf(link, sizeof link, "/proc/self/fd/%d", file->fd);
    for (int i = 0; i < N_NAME_TRIES; i++) {
        next_part_name(file);
        if (linkat(AT_FDCWD, link, AT_FDCWD, file->part, AT_SYMLINK_FOLLOW) == 0) {
            file->part_exists = true;
            return RSD_OK;
        }
        if (errno != EEXIST)
            break;
    }
    return error_set(err, RSD_ERR_IO, "%s: cannot create: %s", file->target, strerror(errno));
}

static int rename_part(OutFile *file)
{
    if (file->overwrite)
        return rename(file->part, file->target);
    if (renameat2(AT_FDCWD, file->part, AT_FDCWD, file->target, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* A file system without that flag: a hard link refuses an existing name as well. */
    return link(file->part, file->target) == 0 ? unlink(file->part) : -1;
}

static void sync_folder(OutFile *file)
{
    int fd = open_folder(file, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return; /* a folder one may write but not read: the data are safe, the name soon is */
    fsync(fd);
    close(fd);
}

RsdStatus out_file_commit(OutFile *file, RsdError *err)
{
    bool linked;
    RsdStatus status = RSD_OK;

    TRY(flush(file, err));
    /* Special files cannot be synced; that is no error. */
    CHECK(fsync(file->fd) == 0 || ((errno == EINVAL || errno == EROFS) && file->direct), err, RSD_ERR_IO, "%s: cannot write: %s",
          file->target, strerror(errno));
    if (file->direct)
        return RSD_OK;
    if (file->nameless)
        TRY(name_part(file, err));
    linked = rename_part(file) == 0;
    CHECK(linked || errno != EEXIST, err, RSD_ERR_EXISTS, "%s: exists already (made by another program meanwhile)",
          file->target);
    CHECK(linked, err, RSD_ERR_IO, "%s: cannot rename the finished file: %s", file->target, strerror(errno));
    file->part_exists = false;
    sync_folder(file);
fail:
    return status;
}

void out_file_close(OutFile **out)
{
    OutFile *file = *out;

    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->part_exists)
        unlink(file->part);
    mem_free(&file->part);
    mem_free(&file->folder);
    mem_free(&file->target);
    mem_free(out);
}
