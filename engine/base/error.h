/* error.h - how functions inside residua report failure: TRY, CHECK and the sentence that travels up.
 *
 * A function that uses TRY or CHECK has a local `RsdStatus status = RSD_OK;` and a label `fail:` whose clean-up accepts
 * half-built objects.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ERROR_H
#define RESIDUA_ERROR_H

#include "engine/base/status.h"

/* Writes the sentence into err (may be NULL) and returns `status`, so that `return error_set(...)` reads well. */
RsdStatus error_set(RsdError *err, RsdStatus status, const char *format, ...) RSD_PRINTF(3, 4);

/* Puts "prefix: " before the sentence that is already there: the outer function names the place. */
RsdStatus error_prefix(RsdError *err, RsdStatus status, const char *format, ...) RSD_PRINTF(3, 4);

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != RSD_OK)                                                                                          \
            goto fail;                                                                                                 \
    } while (0)

#define CHECK(condition, err, code, ...)                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            status = error_set((err), (code), __VA_ARGS__);                                                            \
            goto fail;                                                                                                 \
        }                                                                                                              \
    } while (0)

#endif
