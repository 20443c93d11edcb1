/* test_file.c - output appears complete or not at all, whatever happens on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
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

TestSuite(file, .init = make_folder, .fini = remove_folder);

Test(file, appears_with_commit_and_not_before)
{
    OutFile *file;
    RsdError err;

    ASSERT_OK(out_file_open(&file, path, false, &err), err);
    ASSERT_OK(out_file_write(file, "hello ", 6, &err), err);
    ASSERT_OK(out_file_write(file, "", 0, &err), err);
    ASSERT_OK(out_file_write(file, "world", 5, &err), err);
    cr_assert_neq(access(path, F_OK), 0);
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    cr_assert_null(file);
    out_file_close(&file);
    assert_text("hello world");
    cr_assert_eq(count_files(), 1);
}

Test(file, without_commit_nothing_remains_and_the_old_file_stays)
{
    OutFile *file;
    RsdError err;

    write_text("old");
    ASSERT_OK(out_file_open(&file, path, true, &err), err);
    ASSERT_OK(out_file_write(file, "new", 3, &err), err);
    out_file_close(&file);
    assert_text("old");
    cr_assert_eq(count_files(), 1);
}

Test(file, replaces_whole_and_keeps_the_permissions)
{
    OutFile *file;
    RsdError err;
    struct stat info;

    write_text("old and longer");
    cr_assert_eq(chmod(path, 0640), 0);
    ASSERT_OK(out_file_open(&file, path, true, &err), err);
    ASSERT_OK(out_file_write(file, "new", 3, &err), err);
    assert_text("old and longer");
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    assert_text("new");
    cr_assert(stat(path, &info) == 0 && (info.st_mode & 0777) == 0640);
}

Test(file, refuses_an_existing_file_at_open_and_one_that_appears_meanwhile)
{
    OutFile *file;
    RsdError err;

    ASSERT_OK(out_file_open(&file, path, false, &err), err);
    write_text("theirs");
    ASSERT_FAILS(out_file_commit(file, &err), RSD_ERR_EXISTS, err, "meanwhile");
    out_file_close(&file);
    assert_text("theirs");
    cr_assert_eq(count_files(), 1);
    ASSERT_FAILS(out_file_open(&file, path, false, &err), RSD_ERR_EXISTS, err, "exists already");
    cr_assert_null(file);
}

Test(file, large_and_small_writes_arrive_in_order)
{
    enum { SIZE = 500000 };
    static char data[SIZE];
    OutFile *file;
    FileMap map;
    RsdError err;
    size_t at = 0;

    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 1000);
    ASSERT_OK(out_file_open(&file, path, false, &err), err);
    for (size_t step = 1; at < SIZE; at += step, step = step * 3 % 200001) {
        if (step > SIZE - at)
            step = SIZE - at;
        ASSERT_OK(out_file_write(file, data + at, step, &err), err);
    }
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    ASSERT_OK(file_map_open(&map, path, &err), err);
    cr_assert(map.size == SIZE && memcmp(map.data, data, SIZE) == 0);
    file_map_close(&map);
}

Test(file, full_disk_is_reported_and_leaves_nothing)
{
    static char block[200000];
    const struct rlimit limit = {100000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    OutFile *file;
    RsdError err;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ASSERT_OK(out_file_open(&file, path, false, &err), err);
    ASSERT_OK(out_file_write(file, block, 1000, &err), err);
    ASSERT_FAILS(out_file_write(file, block, sizeof block, &err), RSD_ERR_IO, err, "cannot write: File too large");
    out_file_close(&file);
    ASSERT_OK(out_file_open(&file, path, false, &err), err);
    for (int i = 0; i < 2; i++) /* still in the buffer: found at commit */
        ASSERT_OK(out_file_write(file, block, 60000, &err), err);
    ASSERT_FAILS(out_file_commit(file, &err), RSD_ERR_IO, err, "cannot write");
    out_file_close(&file);
    setrlimit(RLIMIT_FSIZE, &none);
    cr_assert_eq(count_files(), 0);

    ASSERT_OK(out_file_open(&file, "/dev/full", true, &err), err);
    ASSERT_OK(out_file_write(file, "x", 1, &err), err);
    ASSERT_FAILS(out_file_commit(file, &err), RSD_ERR_IO, err, "/dev/full: cannot write: No space left on device");
    out_file_close(&file);
}

Test(file, devices_are_written_directly_and_stay_devices)
{
    OutFile *file;
    RsdError err;
    struct stat info;

    ASSERT_OK(out_file_open(&file, "/dev/null", false, &err), err);
    ASSERT_OK(out_file_write(file, "x", 1, &err), err);
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    cr_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
}

Test(file, a_link_stays_a_link_and_its_file_is_replaced)
{
    char link[PATH_SIZE + 8];
    OutFile *file;
    RsdError err;
    struct stat info;

    write_text("old");
    snprintf(link, sizeof link, "%s.link", path);
    cr_assert_eq(symlink("out", link), 0);
    ASSERT_OK(out_file_open(&file, link, true, &err), err);
    ASSERT_OK(out_file_write(file, "new", 3, &err), err);
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    assert_text("new");
    cr_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    cr_assert_eq(unlink(path), 0);
    ASSERT_FAILS(out_file_open(&file, link, true, &err), RSD_ERR_IO, err, "symbolic link");
}

Test(file, a_killed_process_leaves_no_partial_file_under_the_name)
{
    pid_t child = fork();
    int wait_status;

    if (child == 0) {
        OutFile *file;

        if (out_file_open(&file, path, false, NULL) == RSD_OK && out_file_write(file, folder, sizeof folder, NULL) == RSD_OK)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    cr_assert(waitpid(child, &wait_status, 0) == child && WIFSIGNALED(wait_status));
    cr_assert_neq(access(path, F_OK), 0);
}

Test(file, names_that_cannot_be_opened_are_answered_with_the_reason)
{
    char long_name[300], full[PATH_SIZE];
    OutFile *file;
    FileMap map;
    RsdError err;

    ASSERT_FAILS(out_file_open(&file, "", true, &err), RSD_ERR_ARG, err, "empty");
    ASSERT_FAILS(out_file_open(&file, folder, true, &err), RSD_ERR_IO, err, "is a directory");
    ASSERT_FAILS(out_file_open(&file, "/nonexistent/a", true, &err), RSD_ERR_IO, err, "/nonexistent/a: cannot create: No such");
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    snprintf(full, sizeof full, "%s/%s", folder, long_name);
    ASSERT_FAILS(out_file_open(&file, full, true, &err), RSD_ERR_IO, err, "name too long");
    snprintf(full, sizeof full, "%s/%.255s", folder, long_name); /* as long as a name may be */
    ASSERT_OK(out_file_open(&file, full, true, &err), err);
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    ASSERT_FAILS(file_map_open(&map, folder, &err), RSD_ERR_IO, err, "is a directory");
    cr_assert_eq(mkfifo(path, 0600), 0);
    ASSERT_FAILS(file_map_open(&map, path, &err), RSD_ERR_IO, err, "pipe");
    file_map_close(&map);
}

Test(file, a_bare_name_goes_to_the_working_directory)
{
    OutFile *file;
    RsdError err;

    cr_assert_eq(chdir(folder), 0);
    ASSERT_OK(out_file_open(&file, "out", false, &err), err);
    ASSERT_OK(out_file_write(file, "here", 4, &err), err);
    ASSERT_OK(out_file_commit(file, &err), err);
    out_file_close(&file);
    assert_text("here");
}

Test(file, an_empty_file_maps_to_no_bytes)
{
    FileMap map;
    RsdError err;

    write_text("");
    ASSERT_OK(file_map_open(&map, path, &err), err);
    cr_assert(map.size == 0 && map.data != NULL);
    file_map_close(&map);
    file_map_close(&map);
}

Test(file, allocation_failures_come_back_and_leave_nothing)
{
    RsdStatus status = RSD_ERR_MEMORY;
    int64_t n = 0;

    for (; status == RSD_ERR_MEMORY; n++) {
        OutFile *file;
        RsdError err;

        mem_fail_after(n);
        status = out_file_open(&file, path, false, &err);
        mem_fail_after(-1);
        out_file_close(&file);
    }
    cr_assert(status == RSD_OK && n > 3);
    cr_assert_eq(count_files(), 0);
}
