/* first_bytes.c - looking ahead in a stream that cannot be rewound.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/first_bytes.h"

#include <string.h>

#include "codec/ecdc.h"
#include "engine/base/error.h"

RsdStatus first_bytes_look(FirstBytes *first, RsdReadFn read, void *ctx, RsdError *err)
{
    RsdStatus status = RSD_OK;
    RsdError local;
    size_t got = 1;

    *first = (FirstBytes){.read = read, .ctx = ctx};
    while (first->n < sizeof first->bytes && got > 0) {
        TRY(read(ctx, first->bytes + first->n, sizeof first->bytes - first->n, &got, err ? err : &local));
        first->n += got;
    }
fail:
    return status;
}

RsdStatus first_bytes_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    FirstBytes *first = ctx;

    if (first->at == first->n)
        return first->read(first->ctx, data, size, n_read, err);
    *n_read = first->n - first->at < size ? first->n - first->at : size;
    memcpy(data, first->bytes + first->at, *n_read);
    first->at += *n_read;
    return RSD_OK;
}

bool first_bytes_are_ecdc(const FirstBytes *first)
{
    return first->n == ECDC_MAGIC_SIZE && memcmp(first->bytes, ECDC_MAGIC, ECDC_MAGIC_SIZE) == 0;
}
