/* make_folders.c - the folders above an output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/make_folders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096

RsdStatus make_folders_above(const char *path, RsdError *err)
{
    char folder[PATH_SIZE];
    const size_t len = strlen(path);
    RsdStatus status = RSD_OK;

    CHECK(len < sizeof folder, err, RSD_ERR_IO, "%.80s...: the path is longer than %d bytes", path, PATH_SIZE);
    memcpy(folder, path, len + 1);
    if (!len)
        return RSD_OK;
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        CHECK(mkdir(folder, 0777) == 0 || errno == EEXIST, err, RSD_ERR_IO, "%s: cannot make the folder: %s", folder,
              strerror(errno));
        *slash = '/';
    }
fail:
    return status;
}
