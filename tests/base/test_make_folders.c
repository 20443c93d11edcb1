/* test_make_folders.c - the folders above an output.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/make_folders.h"
#include "tests/shared.h"

Test(make_folders, makes_all_above_and_not_the_last)
{
    char root[64] = "/tmp/residua-folders-XXXXXX", path[128], command[128];
    struct stat info;
    RsdError err = {0};

    cr_assert_not_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/a/b/c", root);
    ASSERT_OK(make_folders_above(path, &err), err);
    cr_expect_neq(stat(path, &info), 0);
    snprintf(path, sizeof path, "%s/a/b", root);
    cr_assert_eq(stat(path, &info), 0);
    cr_expect(S_ISDIR(info.st_mode));
    ASSERT_OK(make_folders_above(path, &err), err);
    ASSERT_OK(make_folders_above("here", &err), err);
    ASSERT_OK(make_folders_above("", &err), err);
    snprintf(path, sizeof path, "%s/file", root);
    fclose(fopen(path, "w"));
    snprintf(path, sizeof path, "%s/file/a/b", root);
    cr_expect_eq(make_folders_above(path, &err), RSD_ERR_IO);
    cr_expect(strstr(err.text, "file/a: cannot make the folder"), "%s", err.text);
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_expect_eq(system(command), 0);
}
