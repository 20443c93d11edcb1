/* shard.c - "2/4", or what mpirun says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_SHARDS 1000000

RsdStatus shard_parse(Shard *shard, const char *text, RsdError *err)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *size = getenv("OMPI_COMM_WORLD_SIZE");
    long index = 1, n = 1;
    char rest;
    RsdStatus status = RSD_OK;

    if (text)
        CHECK(sscanf(text, "%ld/%ld%c", &index, &n, &rest) == 2, err, RSD_ERR_ARG,
              "--shard %.40s: is not I/N, such as 2/4 for the second of four parts", text);
    else if (rank && size) {
        index = atol(rank) + 1;
        n = atol(size);
    }
    CHECK(n >= 1 && n <= MAX_SHARDS && index >= 1 && index <= n, err, RSD_ERR_ARG,
          "--shard %ld/%ld: there is no such part; the first of four is 1/4, the last 4/4", index, n);
    *shard = (Shard){(size_t)index - 1, (size_t)n};
fail:
    return status;
}
