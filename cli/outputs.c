/* outputs.c - see outputs.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/outputs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/atomic_file.h"

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The last part of a path, and the folder that it is in; NULL: there is none. */
static const char *split(struct stat *folder, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char text[PATH_MAX];

    snprintf(text, sizeof text, "%.*s", (int)(name - path), path);
    return stat(*text ? text : ".", folder) == 0 ? name : NULL;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat at_a, at_b;
    const char *name_a, *name_b;

    if (stat(a, &at_a) == 0 && stat(b, &at_b) == 0)
        return S_ISREG(at_a.st_mode) && is_same(&at_a, &at_b);
    name_a = split(&at_a, a);
    name_b = split(&at_b, b);
    return name_a && name_b && strcmp(name_a, name_b) == 0 && is_same(&at_a, &at_b);
}

RsdStatus outputs_differ(const char *const *paths, size_t n, RsdError *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (paths[i] && paths[k] && is_same_file(paths[i], paths[k]))
                return error_set(err, RSD_ERR_ARG, "%s: is named for two outputs", paths[i]);
    return RSD_OK;
}

RsdStatus outputs_check(const char *const *paths, size_t n, bool overwrite, RsdError *err)
{
    AtomicFile *file = NULL;
    struct stat info;
    RsdStatus status = RSD_OK;

    TRY(outputs_differ(paths, n, err));
    for (size_t i = 0; i < n; i++) {
        if (!paths[i])
            continue;
        CHECK(strcmp(paths[i], "-") != 0, err, RSD_ERR_ARG, "standard output cannot be one of the files; name another");
        if (stat(paths[i], &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
            continue; /* to open a pipe is more than a look */
        TRY(atomic_file_open(&file, paths[i], overwrite, err));
        atomic_file_close(&file);
    }
fail:
    return status;
}

void outputs_add(RsdStatus *status, RsdError *err, RsdStatus later, const RsdError *why, Console *console)
{
    if (later == RSD_OK)
        return;
    if (*status != RSD_OK) {
        console_say(console, LOG_ERROR, "%s", why->text);
        return;
    }
    *status = later;
    if (err)
        *err = *why;
}
