/* test_scratch_file.c - what is appended comes back from any place; no name is left; errors name the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/scratch_file.h"
#include "tests/shared.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
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

Test(scratch_file, what_was_appended_can_be_mapped_in_pieces)
{
    static uint8_t block[SCRATCH_FILE_ALIGN];
    const void *data;
    ScratchFile *file;

    ASSERT_OK(scratch_file_create(&file, &err), err);
    for (int i = 0; i < 3; i++) {
        memset(block, 'a' + i, sizeof block);
        cr_assert_eq(scratch_file_size(file), i * SCRATCH_FILE_ALIGN);
        ASSERT_OK(scratch_file_append(file, block, sizeof block, &err), err);
    }
    ASSERT_OK(scratch_file_map(file, SCRATCH_FILE_ALIGN, 2 * sizeof block, &data, &err), err);
    cr_assert_arr_eq((const uint8_t *)data + sizeof block, block, sizeof block);
    cr_assert_eq(*(const char *)data, 'b');
    scratch_file_unmap(data, 2 * sizeof block);
    ASSERT_FAILS(scratch_file_map(file, 2 * SCRATCH_FILE_ALIGN, sizeof block + 1, &data, &err), RSD_ERR_IO, err, "cannot be mapped");
    cr_assert_null(data);
    ASSERT_FAILS(scratch_file_map(file, 3 * SCRATCH_FILE_ALIGN, 1, &data, &err), RSD_ERR_IO, err, "cannot be mapped");
    scratch_file_destroy(&file);
}

Test(scratch_file, a_folder_that_is_not_there_is_named)
{
    ScratchFile *file;

    setenv("TMPDIR", "/nonexistent/folder", 1);
    ASSERT_FAILS(scratch_file_create(&file, &err), RSD_ERR_IO, err, "/nonexistent/folder");
}
