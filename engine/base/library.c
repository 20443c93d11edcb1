/* library.c - dlopen and dlsym with our errors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static RsdStatus load(Library *library, RsdError *err)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s; install the Debian package %s", dlerror(), library->package);
    for (size_t i = 0; i < library->size / sizeof(void *); i++) {
        void *symbol = dlsym(handle, library->names[i]);

        if (!symbol)
            return error_set(err, RSD_ERR_UNSUPPORTED, "%s has no function %s; install the Debian package %s", library->file,
                             library->names[i], library->package);
        memcpy((char *)library->table + i * sizeof symbol, &symbol, sizeof symbol); /* ISO C: no cast to a function */
    }
    library->loaded = true;
    return RSD_OK;
}

RsdStatus library_need(Library *library, RsdError *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    RsdStatus status;

    pthread_mutex_lock(&mutex);
    status = library->loaded ? RSD_OK : load(library, err);
    pthread_mutex_unlock(&mutex);
    return status;
}
