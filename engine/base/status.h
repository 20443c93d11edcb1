/* status.h - status codes and the error sentence that every fallible function of residua can fill in.
 *
 * A function that can fail returns RsdStatus; results come back through its first parameter. The sentence for a
 * person goes into the caller's RsdError. This header is installed beside residua.h and is part of the public API.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STATUS_H
#define RESIDUA_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RSD_API __attribute__((visibility("default")))
#define RSD_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#else
#define RSD_API
#define RSD_PRINTF(fmt_at, args_at)
#endif

/* Values never change: they are part of the binary interface. */
typedef enum RsdStatus {
    RSD_OK = 0,
    RSD_ERR_ARG = -1,         /* the caller broke a rule of the function's contract, or an option is out of range */
    RSD_ERR_MEMORY = -2,      /* an allocation failed or would exceed a stated bound */
    RSD_ERR_IO = -3,          /* the operating system refused to open, read or write */
    RSD_ERR_CORRUPT = -4,     /* the input is damaged or is not what it says it is */
    RSD_ERR_UNSUPPORTED = -5, /* the input is sound but needs a feature this build does not have */
    RSD_ERR_NUMERIC = -6,     /* NaN or infinity where a number was needed */
    RSD_ERR_INTERRUPTED = -7, /* stopped by the user; what was finished is kept */
    RSD_ERR_EXISTS = -8,      /* the output exists and overwriting was not asked for */
    RSD_ERR_MODEL = -9,       /* the stream needs another model than the one given */
    RSD_ERR_MODULE = -10      /* the input may be sound; the part of residua that reads or writes its format is missing */
} RsdStatus;

#define RSD_ERROR_TEXT_SIZE 512

/* Owned by the outermost caller; every function accepts NULL. `text` is always terminated, empty when all is well. */
typedef struct RsdError {
    RsdStatus status;
    char text[RSD_ERROR_TEXT_SIZE];
} RsdError;

/* A short constant name such as "damaged input"; never NULL. */
RSD_API const char *rsd_status_name(RsdStatus status);

#ifdef __cplusplus
}
#endif
#endif
