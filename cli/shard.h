/* shard.h - a part of many inputs, so that several processes or machines share the work: --shard 2/4.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_SHARD_H
#define RESIDUA_CLI_SHARD_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef struct Shard {
    size_t index, n; /* this is part `index` of n; input i belongs to part i % n */
} Shard;

/* For a Request with a const char *shard. */
#define SHARD_OPTION(Request)                                                                                          \
    {                                                                                                                  \
        .name = "shard", .kind = OPTION_TEXT, .value = "I/N", .offset = offsetof(Request, shard),                      \
        .help = "only every N-th input, from the I-th on: N processes share a folder; under mpirun that is the default" \
    }

/* text NULL: the part of this process among those that mpirun started, or everything. Errors: RSD_ERR_ARG. */
RsdStatus shard_parse(Shard *shard, const char *text, RsdError *err);
static inline bool shard_has(const Shard *shard, size_t i)
{
    return i % shard->n == shard->index;
}

#endif
