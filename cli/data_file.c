/* data_file.c - looks for installed files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/data_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

static bool is_there(char path[DATA_FILE_SIZE], const char *folder, const char *below, const char *name)
{
    int len = snprintf(path, DATA_FILE_SIZE, "%s%s/%s", folder, below, name);

    return len >= 0 && len < DATA_FILE_SIZE && access(path, F_OK) == 0;
}

/* The folder above that of the program, "" when it is not known. */
static void find_prefix(char prefix[DATA_FILE_SIZE])
{
    ssize_t len = readlink("/proc/self/exe", prefix, DATA_FILE_SIZE - 1);

    prefix[len > 0 ? len : 0] = '\0';
    for (int level = 0; level < 2; level++)
        *(strrchr(prefix, '/') ? strrchr(prefix, '/') : prefix) = '\0';
}

const char *data_file_find(char path[DATA_FILE_SIZE], const char *name)
{
    char prefix[DATA_FILE_SIZE];

    if (*name == '/' || access(name, F_OK) == 0)
        return name;
    find_prefix(prefix);
    if (is_there(path, prefix, "/share/residua", name) || is_there(path, RESIDUA_DATA_DIR, "", name))
        return path;
    return name;
}
