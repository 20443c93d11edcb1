/* first_bytes.h - the first bytes of a stream, looked at to tell its kind and then read again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FIRST_BYTES_H
#define RESIDUA_FIRST_BYTES_H

#include "codec/residua.h"

#define FIRST_BYTES_SIZE 4

typedef struct FirstBytes {
    RsdReadFn read;
    void *ctx;
    uint8_t bytes[FIRST_BYTES_SIZE];
    size_t n, at;
} FirstBytes;

/* Reads up to FIRST_BYTES_SIZE bytes. Errors: those of read. */
RsdStatus first_bytes_look(FirstBytes *first, RsdReadFn read, void *ctx, RsdError *err);
/* RsdReadFn; ctx is the FirstBytes: these bytes, then what follows. */
RsdStatus first_bytes_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);
/* Whether they begin an .ecdc file. */
bool first_bytes_are_ecdc(const FirstBytes *first);

#endif
