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
    size_t index, n;  /* this is part `index` of n; input i belongs to part i % n */
    bool by_mpirun;   /* whose processes were all given the same options */
    char text[32];    /* "2/4"; empty: everything */
} Shard;

#define SHARD_PATH_SIZE 4096

/* For a Request with a const char *shard. */
#define SHARD_OPTION(Request)                                                                                          \
    {                                                                                                                  \
        .name = "shard", .kind = OPTION_TEXT, .value = "I/N", .offset = offsetof(Request, shard),                      \
        .help = "only every N-th input, from the I-th on: N processes share a folder; under mpirun that is the default" \
    }

/* text NULL: the part of this process among those that mpirun started, or everything. Errors: RSD_ERR_ARG. */
RsdStatus shard_parse(Shard *shard, const char *text, RsdError *err);
/* Where this part writes what the options call `path` (may be NULL): the processes of mpirun would write over each other, so that
 * their page.html is page-2-of-4.html; otherwise it is `path` itself. The result is `path` or buffer. */
const char *shard_path(const Shard *shard, const char *path, char buffer[SHARD_PATH_SIZE]);

static inline bool shard_has(const Shard *shard, size_t i)
{
    return i % shard->n == shard->index;
}

#endif
