/* av_module.c - finds and opens residua-av.so, once per process.
 *
 * The module is never closed: libav* keep global tables, and a source that is still open holds code of the module.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/av_module.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

RsdStatus av_picture_of(AvPicture *out, const Image *image, bool drop_alpha, RsdError *err)
{
    const size_t line = (size_t)image->width * (size_t)image->bits / 8, plane = line * (size_t)image->height;

    if (image->width > INT_MAX / 16 || image->height > INT_MAX)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%lld x %lld pixels are more than libavcodec takes; write PNG",
                         (long long)image->width, (long long)image->height);
    *out = (AvPicture){
        .width = (int)image->width, .height = (int)image->height, .channels = image->channels, .bits = image->bits};
    for (int c = 0; c < image->channels; c++)
        out->plane[c] = (const uint8_t *)image->planes + (size_t)c * plane;
    if (!drop_alpha)
        out->plane[3] = image->alpha;
    for (int i = 0; i < 4; i++)
        out->stride[i] = (ptrdiff_t)line;
    return RSD_OK;
}

static struct {
    pthread_mutex_t lock;
    const AvModule *module;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER}; /* one process has one copy of libav*, so this is global by nature */

typedef struct Search {
    const AvModule *module;
    char tried[400];  /* for the error: directories, separated by commas */
    char reason[400]; /* the loader's words about a file that exists */
} Search;

static void try_directory(Search *search, const char *dir, size_t len)
{
    char path[PATH_MAX];
    void *handle, *symbol;
    AvModuleEntry entry;
    size_t used = strlen(search->tried);

    if (search->module || len == 0 || len + sizeof AV_MODULE_FILE + 1 > sizeof path)
        return;
    snprintf(path, sizeof path, "%.*s/%s", (int)len, dir, AV_MODULE_FILE);
    if (used < sizeof search->tried)
        snprintf(search->tried + used, sizeof search->tried - used, "%s%.*s", used ? ", " : "", (int)len, dir);
    if (access(path, F_OK) != 0)
        return;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(search->reason, sizeof search->reason, "%s", dlerror());
        return;
    }
    symbol = dlsym(handle, AV_MODULE_SYMBOL);
    if (!symbol) {
        snprintf(search->reason, sizeof search->reason, "%.200s is not a residua module", path);
        dlclose(handle);
        return;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from void * to a function */
    if (entry()->version != AV_MODULE_VERSION) {
        snprintf(search->reason, sizeof search->reason, "%.200s has interface %d, this residua needs %d", path,
                 entry()->version, AV_MODULE_VERSION);
        return;
    }
    search->module = entry();
}

/* path names a file: looks beside it, one and two directories above (build/tests/bench/) and in ../lib/residua. */
static void try_beside(Search *search, const char *path)
{
    char dir[PATH_MAX + 16], *slash;

    if (strlen(path) >= PATH_MAX)
        return;
    snprintf(dir, sizeof dir, "%s", path);
    for (int level = 0; level < 3 && (slash = strrchr(dir, '/')) != NULL; level++) {
        *slash = '\0';
        try_directory(search, dir, strlen(dir));
        if (level == 1) {
            strcpy(slash, "/lib/residua");
            try_directory(search, dir, strlen(dir));
            *slash = '\0';
        }
    }
}

static void search_everywhere(Search *search)
{
    const char *list = secure_getenv("RESIDUA_MODULES");
    char self[PATH_MAX] = "", library[PATH_MAX];
    Dl_info here;
    ssize_t len;

    for (const char *dir = list; dir && *dir;) {
        size_t dir_len = strcspn(dir, ":");

        try_directory(search, dir, dir_len);
        dir += dir_len + (dir[dir_len] == ':');
    }
    len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        try_beside(search, self);
    }
    if (dladdr(&loaded, &here) && here.dli_fname && strchr(here.dli_fname, '/') && realpath(here.dli_fname, library) &&
        strcmp(library, self) != 0)
        try_beside(search, library); /* libresidua.so, when another program uses it */
    try_directory(search, RESIDUA_MODULE_DIR, strlen(RESIDUA_MODULE_DIR));
}

RsdStatus av_module_get(const AvModule **out, RsdError *err)
{
    Search search = {0};

    pthread_mutex_lock(&loaded.lock);
    if (!loaded.module) {
        search_everywhere(&search);
        loaded.module = search.module;
    }
    *out = loaded.module;
    pthread_mutex_unlock(&loaded.lock);
    if (*out)
        return RSD_OK;
    if (search.reason[0])
        return error_set(err, RSD_ERR_MODULE, "this format needs %s, which cannot be loaded: %s", AV_MODULE_FILE,
                         search.reason);
    return error_set(err, RSD_ERR_MODULE,
                     "this format needs %s: install it or set RESIDUA_MODULES to its directory; it is not in %s",
                     AV_MODULE_FILE, search.tried); /* the remedy first: a long list of directories is cut */
}
