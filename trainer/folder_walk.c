/* folder_walk.c - walks folders in depth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/folder_walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_DEPTH_MAX 64

static RsdStatus walk(const char *folder, int depth, WalkVisit visit, void *ctx, RsdError *err)
{
    DIR *dir = NULL;
    struct dirent *item;
    RsdStatus status = RSD_OK;

    CHECK(depth < FOLDER_DEPTH_MAX, err, RSD_ERR_IO, "%s: more than %d folders deep", folder, FOLDER_DEPTH_MAX);
    dir = opendir(folder);
    CHECK(dir, err, RSD_ERR_IO, "%s: cannot read the folder: %s", folder, strerror(errno));
    while ((item = readdir(dir))) {
        char path[WALK_PATH_SIZE];
        struct stat info;

        if (item->d_name[0] == '.')
            continue;
        CHECK(snprintf(path, sizeof path, "%s/%s", folder, item->d_name) < (int)sizeof path, err, RSD_ERR_IO,
              "%s: the path is longer than %d bytes", folder, WALK_PATH_SIZE);
        if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
            TRY(walk(path, depth + 1, visit, ctx, err));
        else if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
            TRY(visit(ctx, path, (int64_t)info.st_size, false, err));
    }
fail:
    if (dir)
        closedir(dir);
    return status;
}

RsdStatus folder_walk(const char *const *paths, size_t n_paths, WalkVisit visit, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < n_paths; i++) {
        struct stat info;

        CHECK(stat(paths[i], &info) == 0, err, RSD_ERR_IO, "%s: %s", paths[i], strerror(errno));
        if (S_ISDIR(info.st_mode))
            TRY(walk(paths[i], 0, visit, ctx, err));
        else
            TRY(visit(ctx, paths[i], (int64_t)info.st_size, true, err));
    }
fail:
    return status;
}
