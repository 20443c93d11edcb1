/* test_atomic_file.c - output appears complete or not at all, whatever happens on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/atomic_file.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "tests/shared.h"

#define PATH_SIZE 512

static char folder[64], path[PATH_SIZE];

static void make_folder(void)
{
    strcpy(folder, "/tmp/residua-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

static int count_files(void)
{
    DIR *dir = opendir(folder);
    int n = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; /* "." and ".." */
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_text(const char *expected)
{
    FileMap map;
    RsdError err;

    ASSERT_OK(file_map_open(&map, path, &err), err);
    cr_assert(map.size == strlen(expected) && memcmp(map.data, expected, map.size) == 0, "'%.*s', expected '%s'",
              (int)map.size, (const char *)map.data, expected);
    file_map_close(&map);
}

TestSuite(atomic_file, .init = make_folder, .fini = remove_folder);

Test(atomic_file, appears_with_commit_and_not_before)
{
    AtomicFile *file;
    RsdError err;

    ASSERT_OK(atomic_file_open(&file, path, false, &err), err);
    ASSERT_OK(atomic_file_write(file, "hello ", 6, &err), err);
    ASSERT_OK(atomic_file_write(file, "", 0, &err), err);
    ASSERT_OK(atomic_file_write(file, "world", 5, &err), err);
    cr_assert_neq(access(path, F_OK), 0);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    cr_assert_null(file);
    atomic_file_close(&file);
    assert_text("hello world");
    cr_assert_eq(count_files(), 1);
}

Test(atomic_file, without_commit_nothing_remains_and_the_old_file_stays)
{
    AtomicFile *file;
    RsdError err;

    write_text("old");
    ASSERT_OK(atomic_file_open(&file, path, true, &err), err);
    ASSERT_OK(atomic_file_write(file, "new", 3, &err), err);
    atomic_file_close(&file);
    assert_text("old");
    cr_assert_eq(count_files(), 1);
}

static void assert_permissions_are_kept(mode_t mode)
{
    AtomicFile *file;
    RsdError err;
    struct stat info;

    write_text("old and longer");
    cr_assert_eq(chmod(path, mode), 0);
    ASSERT_OK(atomic_file_open(&file, path, true, &err), err);
    ASSERT_OK(atomic_file_write(file, "new", 3, &err), err);
    assert_text("old and longer");
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    assert_text("new");
    cr_assert(stat(path, &info) == 0 && (info.st_mode & 0777) == mode);
}

Test(atomic_file, replaces_whole_and_keeps_the_permissions)
{
    umask(022);
    assert_permissions_are_kept(0640);
    assert_permissions_are_kept(0666); /* which a new file would get without the umask */
}

Test(atomic_file, refuses_an_existing_file_at_open_and_one_that_appears_meanwhile)
{
    AtomicFile *file;
    RsdError err;

    ASSERT_OK(atomic_file_open(&file, path, false, &err), err);
    write_text("theirs");
    ASSERT_FAILS(atomic_file_commit(file, &err), RSD_ERR_EXISTS, err, "meanwhile");
    atomic_file_close(&file);
    assert_text("theirs");
    cr_assert_eq(count_files(), 1);
    ASSERT_FAILS(atomic_file_open(&file, path, false, &err), RSD_ERR_EXISTS, err, "exists already");
    cr_assert_null(file);
}

Test(atomic_file, large_and_small_writes_arrive_in_order)
{
    enum { SIZE = 500000 };
    static char data[SIZE];
    AtomicFile *file;
    FileMap map;
    RsdError err;
    size_t at = 0;

    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 1000);
    ASSERT_OK(atomic_file_open(&file, path, false, &err), err);
    for (size_t step = 1; at < SIZE; at += step, step = step * 3 % 200001) {
        if (step > SIZE - at)
            step = SIZE - at;
        ASSERT_OK(atomic_file_write(file, data + at, step, &err), err);
    }
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    ASSERT_OK(file_map_open(&map, path, &err), err);
    cr_assert(map.size == SIZE && memcmp(map.data, data, SIZE) == 0);
    file_map_close(&map);
}

Test(atomic_file, full_disk_is_reported_and_leaves_nothing)
{
    static char block[200000];
    const struct rlimit limit = {100000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    AtomicFile *file;
    RsdError err;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ASSERT_OK(atomic_file_open(&file, path, false, &err), err);
    ASSERT_OK(atomic_file_write(file, block, 1000, &err), err);
    ASSERT_FAILS(atomic_file_write(file, block, sizeof block, &err), RSD_ERR_IO, err, "cannot write: File too large");
    atomic_file_close(&file);
    setrlimit(RLIMIT_FSIZE, &none);
    cr_assert_eq(count_files(), 0);

    ASSERT_OK(atomic_file_open(&file, "/dev/full", true, &err), err);
    ASSERT_FAILS(atomic_file_write(file, "x", 1, &err), RSD_ERR_IO, err,
                 "/dev/full: cannot write: No space left on device");
    atomic_file_close(&file);
}

Test(atomic_file, devices_are_written_directly_and_stay_devices)
{
    AtomicFile *file;
    RsdError err;
    struct stat info;

    ASSERT_OK(atomic_file_open(&file, "/dev/null", false, &err), err);
    ASSERT_OK(atomic_file_write(file, "x", 1, &err), err);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    cr_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
}

Test(atomic_file, a_link_stays_a_link_and_its_file_is_replaced)
{
    char link[PATH_SIZE + 8];
    AtomicFile *file;
    RsdError err;
    struct stat info;

    write_text("old");
    snprintf(link, sizeof link, "%s.link", path);
    cr_assert_eq(symlink("out", link), 0);
    ASSERT_OK(atomic_file_open(&file, link, true, &err), err);
    ASSERT_OK(atomic_file_write(file, "new", 3, &err), err);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    assert_text("new");
    cr_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    cr_assert_eq(unlink(path), 0);
    ASSERT_FAILS(atomic_file_open(&file, link, true, &err), RSD_ERR_IO, err, "is a link to a file that");
}

Test(atomic_file, a_killed_process_leaves_no_partial_file_under_the_name)
{
    pid_t child = fork();
    int wait_status;

    if (child == 0) {
        AtomicFile *file;

        if (atomic_file_open(&file, path, false, NULL) == RSD_OK &&
            atomic_file_write(file, folder, sizeof folder, NULL) == RSD_OK)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    cr_assert(waitpid(child, &wait_status, 0) == child && WIFSIGNALED(wait_status));
    cr_assert_neq(access(path, F_OK), 0);
}

/* Lets every open with O_TMPFILE fail in this process, as on a file system that has no nameless files. */
static bool forbid_nameless_files(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           open(folder, O_TMPFILE | O_RDWR, 0666) < 0;
}

Test(atomic_file, without_nameless_files_a_temporary_name_gives_the_same_promises)
{
    AtomicFile *file, *other;
    RsdError err;

    if (!forbid_nameless_files())
        cr_skip_test("this machine allows no system call filter");
    write_text("old");
    ASSERT_OK(atomic_file_open(&file, path, true, &err), err);
    ASSERT_OK(atomic_file_open(&other, path, true, &err), err);
    cr_assert_eq(count_files(), 3);
    ASSERT_OK(atomic_file_write(file, "new", 3, &err), err);
    atomic_file_close(&other);
    assert_text("old");
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    assert_text("new");
    cr_assert_eq(count_files(), 1);

    ASSERT_OK(atomic_file_open(&file, path, true, &err), err);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(count_files(), 2);
    atomic_file_remove_pending(); /* what a signal handler does */
    cr_assert_eq(count_files(), 1);
    ASSERT_FAILS(atomic_file_commit(file, &err), RSD_ERR_IO, err, "cannot rename");
    atomic_file_close(&file);
    assert_text("new");
}

Test(atomic_file, patch_completes_a_header_and_leaves_the_position)
{
    AtomicFile *file;
    RsdError err;

    ASSERT_OK(atomic_file_open(&file, path, false, &err), err);
    cr_assert(atomic_file_is_seekable(file));
    cr_assert_str_eq(atomic_file_name(file), path);
    ASSERT_OK(atomic_file_write(file, "????body", 8, &err), err);
    ASSERT_OK(atomic_file_patch(file, 0, "head", 4, &err), err);
    ASSERT_OK(atomic_file_write(file, "tail", 4, &err), err);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    assert_text("headbodytail");
}

Test(atomic_file, names_that_cannot_be_opened_are_answered_with_the_reason)
{
    char long_name[300], full[PATH_SIZE];
    AtomicFile *file;
    FileMap map;
    RsdError err;

    ASSERT_FAILS(atomic_file_open(&file, "", true, &err), RSD_ERR_ARG, err, "empty");
    ASSERT_FAILS(atomic_file_open(&file, folder, true, &err), RSD_ERR_IO, err, "is a directory");
    ASSERT_FAILS(atomic_file_open(&file, "/nonexistent/a", true, &err), RSD_ERR_IO, err,
                 "/nonexistent/a: cannot write here: No such");
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    snprintf(full, sizeof full, "%s/%s", folder, long_name);
    ASSERT_FAILS(atomic_file_open(&file, full, true, &err), RSD_ERR_IO, err, "cannot write here: File name too long");
    snprintf(full, sizeof full, "%s/%.255s", folder, long_name); /* as long as a name may be */
    ASSERT_OK(atomic_file_open(&file, full, true, &err), err);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    ASSERT_FAILS(file_map_open(&map, folder, &err), RSD_ERR_IO, err, "is a directory");
    cr_assert_eq(mkfifo(path, 0600), 0);
    ASSERT_FAILS(file_map_open(&map, path, &err), RSD_ERR_IO, err, "pipe");
    file_map_close(&map);
}

Test(atomic_file, a_bare_name_goes_to_the_working_directory)
{
    AtomicFile *file;
    RsdError err;

    cr_assert_eq(chdir(folder), 0);
    ASSERT_OK(atomic_file_open(&file, "out", false, &err), err);
    ASSERT_OK(atomic_file_write(file, "here", 4, &err), err);
    ASSERT_OK(atomic_file_commit(file, &err), err);
    atomic_file_close(&file);
    assert_text("here");
}

Test(atomic_file, an_empty_file_maps_to_no_bytes)
{
    FileMap map;
    RsdError err;

    write_text("");
    ASSERT_OK(file_map_open(&map, path, &err), err);
    cr_assert(map.size == 0 && map.data != NULL);
    file_map_close(&map);
    file_map_close(&map);
}

Test(atomic_file, allocation_failures_come_back_and_leave_nothing)
{
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n = 0;

    for (; status == RSD_ERR_MEMORY; n++) {
        AtomicFile *file;
        RsdError err;

        mem_fail_after(n);
        status = atomic_file_open(&file, path, false, &err);
        mem_fail_after(-1);
        atomic_file_close(&file);
    }
    cr_assert(status == RSD_OK && n > 3);
    cr_assert_eq(count_files(), 0);
}
