/* shard.c - "2/4", or what mpirun says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SHARDS 1000000
#define MAX_DIGITS 7
#define DIGITS "0123456789"

/* "2/4" and nothing else: no sign, no space. */
static bool read_parts(long *index, long *n, const char *text)
{
    const size_t first = strspn(text, DIGITS), second = text[first] == '/' ? strspn(text + first + 1, DIGITS) : 0;

    if (!first || !second || text[first + 1 + second] || first > MAX_DIGITS || second > MAX_DIGITS)
        return false;
    *index = atol(text);
    *n = atol(text + first + 1);
    return true;
}

RsdStatus shard_parse(Shard *shard, const char *text, RsdError *err)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *size = getenv("OMPI_COMM_WORLD_SIZE");
    long index = 1, n = 1;
    RsdStatus status = RSD_OK;

    if (text)
        CHECK(read_parts(&index, &n, text), err, RSD_ERR_ARG,
              "--shard %.40s: is not I/N, such as 2/4 for the second of four parts", text);
    else if (rank && size) {
        index = atol(rank) + 1;
        n = atol(size);
    }
    CHECK(n >= 1 && n <= MAX_SHARDS && index >= 1 && index <= n, err, RSD_ERR_ARG,
          "--shard %ld/%ld: there is no such part; the first of four is 1/4, the last 4/4", index, n);
    *shard = (Shard){.index = (size_t)index - 1, .n = (size_t)n, .by_mpirun = !text && n > 1};
    if (n > 1)
        snprintf(shard->text, sizeof shard->text, "%ld/%ld", index, n);
fail:
    return status;
}

const char *shard_path(const Shard *shard, const char *path, char buffer[SHARD_PATH_SIZE])
{
    const char *slash, *dot;
    size_t stem;

    if (!path || !shard->by_mpirun)
        return path;
    slash = strrchr(path, '/');
    dot = strrchr(slash ? slash : path, '.');
    stem = dot ? (size_t)(dot - path) : strlen(path);
    snprintf(buffer, SHARD_PATH_SIZE, "%.*s-%zu-of-%zu%s", (int)(stem < SHARD_PATH_SIZE / 2 ? stem : SHARD_PATH_SIZE / 2), path,
             shard->index + 1, shard->n, dot ? dot : "");
    return buffer;
}
