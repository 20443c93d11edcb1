/* atomic_file.c - a file without a name, or with a temporary one; rename; a list of temporaries for signal handlers.
 *
 * Life of a file:
 *   open     O_TMPFILE in the target's folder: no name, so that even a killed process leaves nothing behind; where the file
 *            system cannot, ".<name>.<pid>-<n>.part" beside the target, entered in the list of pending temporaries
 *   commit   fsync; a nameless file gets a temporary name by linkat; rename to the target, because linkat cannot replace a
 *            file; fsync of the folder, so that the new name survives a power cut
 *            a target that is a mount point is written over
 *   close    without a commit the temporary name, if there is one, is removed
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
#define NEW_MODE 0666 /* less the umask */
#define DESCRIPTOR_PATH_SIZE 32
#define N_TRIES 100 /* names of temporaries that are taken, left behind by killed processes */

typedef struct Slot {
    atomic_flag claimed;
    atomic_bool live;
    char path[PATH_MAX];
} Slot;

static Slot slots[N_SLOTS]; /* global because a signal handler has no other way to find them; zeroed flags are clear */

struct AtomicFile {
    int fd;
    bool direct, seekable, overwrite, nameless;
    char *name;      /* as the caller wrote it */
    char *target;    /* final path with links followed */
    char *temporary; /* NULL when there is no file of that name */
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

/* Where a name leads through links, so that a link to a file stays a link. */
static RsdStatus follow_links(AtomicFile *file, const char *path, RsdError *err)
{
    char resolved[PATH_MAX];
    struct stat info;
    bool exists = realpath(path, resolved) != NULL;

    if (!exists && lstat(path, &info) == 0)
        return error_set(err, RSD_ERR_IO, "%s: is a link to a file that does not exist", path);
    return mem_strdup(&file->target, exists ? resolved : path, err);
}

/* The folder of the target: "." for a bare name, "/" for one in the root. Free with mem_free. */
static RsdStatus copy_folder(char **out, const AtomicFile *file, RsdError *err)
{
    const char *slash = strrchr(file->target, '/');
    RsdStatus status = mem_strdup(out, slash ? file->target : ".", err);

    if (status == RSD_OK && slash)
        (*out)[slash == file->target ? 1 : slash - file->target] = '\0';
    return status;
}

/* The place of a descriptor under /proc, from where linkat gives a nameless file a name. */
static const char *descriptor_path(char text[DESCRIPTOR_PATH_SIZE], int fd)
{
    snprintf(text, DESCRIPTOR_PATH_SIZE, "/proc/self/fd/%d", fd);
    return text;
}

/* False where the file system or a missing /proc stands against it. */
static bool open_nameless(AtomicFile *file, const char *folder, mode_t mode)
{
    char link[DESCRIPTOR_PATH_SIZE];

    file->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (file->fd >= 0 && access(descriptor_path(link, file->fd), F_OK) == 0)
        return true;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    return false;
}

/* Makes a new file under a temporary name, or links the nameless one to it. */
static RsdStatus take_temporary_name(AtomicFile *file, mode_t mode, RsdError *err)
{
    static _Atomic unsigned number;
    const char *slash = strrchr(file->target, '/'), *base = slash ? slash + 1 : file->target;
    size_t size = strlen(file->target) + 64;
    char link[DESCRIPTOR_PATH_SIZE];
    int result = -1;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&file->temporary, size, 1, err));
    for (int i = 0; i < N_TRIES && result < 0; i++) {
        /* a leading dot keeps scans of the folder from picking it up; long names are cut to stay within NAME_MAX */
        snprintf(file->temporary, size, "%.*s.%.200s.%ld-%u.part", (int)(base - file->target), file->target, base,
                 (long)getpid(), atomic_fetch_add(&number, 1u));
        if (file->nameless)
            result = linkat(AT_FDCWD, descriptor_path(link, file->fd), AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW);
        else
            result = file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (result < 0 && errno != EEXIST)
            break;
    }
    if (result < 0) {
        status = error_set(err, RSD_ERR_IO, "%s: cannot write here: %s", file->name, strerror(errno));
        mem_free(&file->temporary);
        return status;
    }
    file->slot = claim_slot(file->temporary);
fail:
    return status;
}

/* older: what stands in the target's place, NULL if nothing does. */
static RsdStatus create_file(AtomicFile *file, const struct stat *older, RsdError *err)
{
    const mode_t mode = older ? older->st_mode & 0777 : NEW_MODE;
    char *folder = NULL;
    RsdStatus status = RSD_OK;

    file->seekable = true;
    TRY(copy_folder(&folder, file, err));
    file->nameless = open_nameless(file, folder, mode);
    if (!file->nameless)
        TRY(take_temporary_name(file, mode, err));
    if (older && fchmod(file->fd, mode) != 0)
        CHECK(errno == EPERM || errno == ENOTSUP, err, RSD_ERR_IO, "%s: %s", file->name, strerror(errno));
fail:
    mem_free(&folder);
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
    bool exists, is_stdout = strcmp(path, "-") == 0;

    *out = NULL;
    TRY(mem_calloc(&file, 1, sizeof *file, err));
    file->fd = -1;
    file->overwrite = overwrite;
    TRY(mem_strdup(&file->name, is_stdout ? "standard output" : path, err));
    exists = !is_stdout && stat(path, &info) == 0;
    CHECK(*path, err, RSD_ERR_ARG, "the name of the output is empty");
    CHECK(is_stdout || exists || errno == ENOENT, err, RSD_ERR_IO, "%s: cannot write here: %s", path, strerror(errno));
    CHECK(!exists || !S_ISDIR(info.st_mode), err, RSD_ERR_IO, "%s: is a directory", path);
    if (is_stdout || (exists && !S_ISREG(info.st_mode))) {
        TRY(open_direct(file, path, err));
    } else {
        CHECK(!exists || overwrite, err, RSD_ERR_EXISTS, "%s: exists already; -f overwrites it", path);
        CHECK(!exists || access(path, W_OK) == 0, err, RSD_ERR_IO, "%s: cannot overwrite: %s", path, strerror(errno));
        TRY(follow_links(file, path, err));
        TRY(create_file(file, exists ? &info : NULL, err));
    }
    *out = file;
    return RSD_OK;
fail:
    atomic_file_close(&file);
    return status;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

/* Returns 0 or errno. */
static int write_all(int fd, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t done = write(fd, p, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        p += done;
        size -= (size_t)done;
    }
    return 0;
}

RsdStatus atomic_file_write(AtomicFile *file, const void *data, size_t size, RsdError *err)
{
    const int problem = write_all(file->fd, data, size);

    return problem ? error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->name, strerror(problem)) : RSD_OK;
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

static void remove_temporary(AtomicFile *file)
{
    if (file->temporary)
        unlink(file->temporary);
    release_slot(&file->slot);
    mem_free(&file->temporary);
}

static void sync_folder(const AtomicFile *file)
{
    char *folder;
    int fd;

    if (copy_folder(&folder, file, NULL) != RSD_OK)
        return;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) { /* else a folder one may write but not read: the data are safe, the name soon is */
        fsync(fd);
        close(fd);
    }
    mem_free(&folder);
}

/* Writes out what the system holds back and closes; a network file system may report a full disk only here. */
static RsdStatus settle(AtomicFile *file, RsdError *err)
{
    int fd = file->fd, sync_problem, close_problem;

    if (fd == STDOUT_FILENO && file->direct)
        return RSD_OK;
    sync_problem = file->direct || fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    file->fd = -1;
    close_problem = close(fd) == 0 ? 0 : errno;
    if (sync_problem || close_problem)
        return error_set(err, RSD_ERR_IO, "%s: cannot write: %s", file->name,
                         strerror(sync_problem ? sync_problem : close_problem));
    return RSD_OK;
}

/* All of `from` to `to`, on the disk. Returns 0 or errno. */
static int copy_all(int from, int to)
{
    char block[1 << 16];
    ssize_t n;
    int problem = 0;

    while (problem == 0 && (n = read(from, block, sizeof block)) != 0)
        problem = n < 0 ? errno : write_all(to, block, (size_t)n);
    if (problem == 0 && fsync(to) != 0 && errno != EINVAL)
        problem = errno;
    return problem;
}

/* For a target that is a mount point, as containers get single files: it can only be written over. When that fails, the finished
 * file stays under its temporary name. */
static RsdStatus copy_into_place(AtomicFile *file, RsdError *err)
{
    const int from = open(file->temporary, O_RDONLY | O_CLOEXEC), to = open(file->target, O_WRONLY | O_TRUNC | O_CLOEXEC);
    int problem = from < 0 || to < 0 ? errno : copy_all(from, to);

    if (from >= 0)
        close(from);
    if (to >= 0 && close(to) != 0 && problem == 0)
        problem = errno;
    if (problem == 0) {
        remove_temporary(file);
        return RSD_OK;
    }
    error_set(err, RSD_ERR_IO, "%s: cannot write over the mounted file: %s; what was made is kept as %s", file->name, strerror(problem),
              file->temporary);
    release_slot(&file->slot);
    mem_free(&file->temporary);
    return RSD_ERR_IO;
}

RsdStatus atomic_file_commit(AtomicFile *file, RsdError *err)
{
    int result, problem;
    RsdStatus status = RSD_OK;

    if (file->nameless)
        TRY(take_temporary_name(file, 0, err));
    TRY(settle(file, err));
    if (file->direct)
        return RSD_OK;
    result = file->overwrite ? rename(file->temporary, file->target) : rename_new(file->temporary, file->target);
    problem = result == 0 ? 0 : errno;
    CHECK(problem != EEXIST, err, RSD_ERR_EXISTS, "%s: another program made this file meanwhile; it is kept",
          file->name);
    if (problem == EBUSY)
        return copy_into_place(file, err);
    CHECK(problem == 0, err, RSD_ERR_IO, "%s: cannot rename the finished file: %s", file->name, strerror(problem));
    release_slot(&file->slot);
    mem_free(&file->temporary);
    sync_folder(file);
    return RSD_OK;
fail:
    remove_temporary(file);
    return status;
}

void atomic_file_close(AtomicFile **file)
{
    AtomicFile *f = *file;

    if (!f)
        return;
    if (f->fd >= 0 && f->fd != STDOUT_FILENO)
        close(f->fd);
    remove_temporary(f);
    mem_free(&f->target);
    mem_free(&f->name);
    mem_free(file);
}

RsdStatus atomic_file_write_whole(const char *path, bool overwrite, const void *data, size_t size, RsdError *err)
{
    AtomicFile *file = NULL;
    RsdStatus status = RSD_OK;

    TRY(atomic_file_open(&file, path, overwrite, err));
    TRY(atomic_file_write(file, data, size, err));
    TRY(atomic_file_commit(file, err));
fail:
    atomic_file_close(&file);
    return status;
}
