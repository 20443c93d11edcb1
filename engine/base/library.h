/* library.h - a shared library that is loaded when it is first needed, because loading it at every start costs milliseconds.
 *
 * A door to such a library lists the functions it calls once, as X(name) lines, and calls them through pointers of the
 * library's own types:
 *
 *   #define ZIP_FUNCTIONS(X) X(zip_fread) X(zip_fclose)
 *   static LibraryTable(ZIP_FUNCTIONS) libzip;
 *   static const char *const zip_names[] = {LibraryNames(ZIP_FUNCTIONS)};
 *   static Library zip_library = {"libzip.so.4", "libzip4", zip_names, &libzip, sizeof libzip};
 *   ...
 *   TRY(library_need(&zip_library, err));
 *   libzip.zip_fread(...)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LIBRARY_H
#define RESIDUA_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

#define LIBRARY_POINTER(name) __typeof__(&name) name;
#define LIBRARY_NAME(name) #name,
#define LibraryTable(functions) struct { functions(LIBRARY_POINTER) }
#define LibraryNames(functions) functions(LIBRARY_NAME)

typedef struct Library {
    const char *file, *package; /* what dlopen gets; the Debian package that has it */
    const char *const *names;
    void *table; /* of `size` bytes: one pointer for each name, in their order; nothing else */
    size_t size;
    bool loaded; /* library.c's own */
} Library;

/* Opens the library on the first call and fills its table; any thread. It stays open, because others may hold its code.
 * Errors: RSD_ERR_UNSUPPORTED with the loader's reason and the package. */
RsdStatus library_need(Library *library, RsdError *err);

#endif
