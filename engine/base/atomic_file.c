/* atomic_file.c - temporary file, rename, and a list of temporaries that a signal handler can walk.
 *
 * The list is a fixed array of slots, because a handler may interrupt any instruction: a slot is claimed by one atomic
 * exchange, its name is written before `live` is set and stays untouched until `live` is cleared. Files beyond N_SLOTS are
 * written all the same; only a signal would leave their temporaries behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"

#define N_SLOTS 64
#define N_TRIES 100 /* names of temporaries that are taken, left behind by killed processes */

typedef struct Slot {
    atomic_flag claimed;
    atomic_bool live;
    char path[PATH_MAX];
} Slot;

static Slot slots[N_SLOTS]; /* global because a signal handler has no other way to find them; zeroed flags are clear */

struct AtomicFile {
    int fd;
    bool direct, seekable, overwrite, committed;
    char *name;       /* as the caller wrote it */
    char *target;     /* final path with links followed */
    char *temporary;  /* NULL when direct or renamed */
    Slot *slot;
};

/* --- pending temporaries ---------------------------------------------------------------------------------------------- */

static Slot *claim_slot(const char *path)
{
    char *absolute;

    for (int i = 0; i < N_SLOTS; i++) {
        if (atomic_flag_test_and_set(&slots[i].claimed))
            continue;
        /* the program may change its directory before the signal comes */
        absolute = realpath(path, slots[i].path);
        if (!absolute) {
            atomic_flag_clear(&slots[i].claimed);
            return NULL;
        }
        atomic_store(&slots[i].live, true);
        return &slots[i];
    }
    return NULL;
}

static void release_slot(Slot **slot)
{
    if (!*slot)
        return;
    atomic_store(&(*slot)->live, false);
    atomic_flag_clear(&(*slot)->claimed);
    *slot = NULL;
}

void atomic_file_remove_pending(void)
{
    for (int i = 0; i < N_SLOTS; i++)
        if (atomic_load(&slots[i].live))
            unlink(slots[i].path);
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

/* Where a name leads: through links, also a link to a file that does not exist yet. */
static RsdStatus follow_links(AtomicFile *file, const char *path, RsdError *err)
{
    char resolved[PATH_MAX];

    return mem_strdup(&file->target, realpath(path, resolved) ? resolved : path, err);
}

static RsdStatus create_temporary(AtomicFile *file, mode_t mode, RsdError *err)
{
    RsdStatus status = RSD_OK;
    const char *slash = strrchr(file->target, '/'), *base = slash ? slash + 1 : file->target;
    size_t size = strlen(file->target) + 48;

    TRY(mem_alloc(&file->temporary, size, 1, err));
    file->fd = -1;
    for (int i = 0; i < N_TRIES && file->fd < 0; i++) {
        /* a leading dot keeps scans of the folder from picking it up; long names are cut to stay within NAME_MAX */
        snprintf(file->temporary, size, "%.*s.%.200s.%ld-%d.part", (int)(base - file->target), file->target, base,
                 (long)getpid(), i);
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file->fd < 0 && errno != EEXIST)
            break;
    }
    if (file->fd < 0) {
        int problem = errno;

        mem_free(&file->temporary);
        CHECK(false, err, RSD_ERR_IO, "%s: cannot write here: %s", file->name, strerror(problem));
    }
    file->slot = claim_slot(file->temporary);
    file->seekable = true;
fail:
    return status;
}

static RsdStatus open_direct(AtomicFile *file, const char *path, RsdError *err)
{
    file->direct = true;
    file->fd = strcmp(path, "-") == 0 ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC);
    if (file->fd < 0)
        return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(errno));
    /* `program - > file` can be patched; `program - >> file` starts where the file ends, and offsets would be wrong */
    file->seekable = lseek(file->fd, 0, SEEK_CUR) == 0 && !(fcntl(file->fd, F_GETFL) & O_APPEND);
    return RSD_OK;
}

RsdStatus atomic_file_open(AtomicFile **out, const char *path, bool overwrite, RsdError *err)
{
    RsdStatus status = RSD_OK;
    AtomicFile *file = NULL;
    struct stat info;
    mode_t mode = 0666;
    bool exists, is_stdout = strcmp(path, "-") == 0;

    *out = NULL;
    TRY(mem_calloc(&file, 1, sizeof *file, err));
    file->fd = -1;
    file->overwrite = overwrite;
    TRY(mem_strdup(&file->name, is_stdout ? "standard output" : path, err));
    exists = !is_stdout && stat(path, &info) == 0;
    CHECK(!exists || !S_ISDIR(info.st_mode), err, RSD_ERR_IO, "%s: is a directory", path);
    if (is_stdout || (exists && !S_ISREG(info.st_mode))) {
        TRY(open_direct(file, path, err));
    } else {
        CHECK(!exists || overwrite, err, RSD_ERR_EXISTS, "%s: exists already; -f overwrites it", path);
        CHECK(!exists || access(path, W_OK) == 0, err, RSD_ERR_IO, "%s: cannot overwrite: %s", path, strerror(errno));
        if (exists)
            mode = info.st_mode & 0777;
        TRY(follow_links(file, path, err));
        TRY(create_temporary(file, mode, err));
    }
    *out = file;
    return RSD_OK;
fail:
    atomic_file_close(&file);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

RsdStatus atomic_file_write(AtomicFile *file, const void *data, size_t size, RsdError *err)
{
    const char *p = data;

    while (size > 0) {
        ssize_t done = write(file->fd, p, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(errno));
        p += done;
        size -= (size_t)done;
    }
    return RSD_OK;
}

RsdStatus atomic_file_patch(AtomicFile *file, int64_t offset, const void *data, size_t size, RsdError *err)
{
    const char *p = data;

    if (!file->seekable)
        return error_set(err, RSD_ERR_ARG, "%s: a pipe cannot be changed after the fact", file->name);
    while (size > 0) {
        ssize_t done = pwrite(file->fd, p, size, offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(done < 0 ? errno : ENOSPC));
        p += done;
        offset += done;
        size -= (size_t)done;
    }
    return RSD_OK;
}

int atomic_file_fd(const AtomicFile *file)
{
    return file->fd;
}

bool atomic_file_is_seekable(const AtomicFile *file)
{
    return file->seekable;
}

const char *atomic_file_name(const AtomicFile *file)
{
    return file->name;
}

/* --- finishing -------------------------------------------------------------------------------------------------------- */

/* Renames without replacing. File systems that lack the flag get a link, which has the same promise. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(from, to) == 0) {
        unlink(from);
        return 0;
    }
    return errno == EPERM || errno == EOPNOTSUPP ? rename(from, to) : -1;
}

RsdStatus atomic_file_commit(AtomicFile *file, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (file->direct) {
        if (file->fd != STDOUT_FILENO) {
            int code = close(file->fd);

            file->fd = -1;
            CHECK(code == 0, err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(errno));
        }
        return RSD_OK;
    }
    int code = close(file->fd); /* a network file system may report a full disk only now */
    file->fd = -1;
    CHECK(code == 0, err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(errno));
    code = file->overwrite ? rename(file->temporary, file->target) : rename_new(file->temporary, file->target);
    CHECK(code == 0 || errno != EEXIST, err, RSD_ERR_EXISTS, "%s: another program made this file meanwhile; it is kept",
          file->name);
    CHECK(code == 0, err, RSD_ERR_IO, "%s: cannot rename the finished file: %s", file->name, strerror(errno));
    release_slot(&file->slot);
    mem_free(&file->temporary);
    return RSD_OK;
fail:
    if (file->temporary)
        unlink(file->temporary);
    release_slot(&file->slot);
    mem_free(&file->temporary);
    return status;
}

void atomic_file_close(AtomicFile **file)
{
    AtomicFile *f = *file;

    if (!f)
        return;
    if (f->fd >= 0 && f->fd != STDOUT_FILENO)
        close(f->fd);
    if (f->temporary)
        unlink(f->temporary);
    release_slot(&f->slot);
    mem_free(&f->temporary);
    mem_free(&f->target);
    mem_free(&f->name);
    mem_free(file);
}
