/* test_scratch_file.c - what is appended comes back from any place; no name is left; errors name the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/scratch_file.h"
#include "tests/shared.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static RsdError err;

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    cr_assert_not_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

Test(scratch_file, gives_back_what_was_appended_and_leaves_no_name)
{
    char folder[] = "/tmp/residua-scratch-XXXXXX", text[8] = "";
    ScratchFile *file;

    cr_assert_not_null(mkdtemp(folder));
    setenv("TMPDIR", folder, 1);
    ASSERT_OK(scratch_file_create(&file, &err), err);
    cr_assert_eq(count_entries(folder), 0);
    ASSERT_OK(scratch_file_append(file, "abc", 3, &err), err);
    ASSERT_OK(scratch_file_append(file, "defg", 4, &err), err);
    ASSERT_OK(scratch_file_read(file, 2, text, 3, &err), err);
    cr_assert_str_eq(text, "cde");
    ASSERT_FAILS(scratch_file_read(file, 5, text, 3, &err), RSD_ERR_IO, err, "cannot be read");
    scratch_file_destroy(&file);
    cr_assert_null(file);
    scratch_file_destroy(&file);
    rmdir(folder);
}

Test(scratch_file, a_folder_that_is_not_there_is_named)
{
    ScratchFile *file;

    setenv("TMPDIR", "/nonexistent/folder", 1);
    ASSERT_FAILS(scratch_file_create(&file, &err), RSD_ERR_IO, err, "/nonexistent/folder");
}
