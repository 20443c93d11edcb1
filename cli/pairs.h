/* pairs.h - which reconstruction belongs to which original.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PAIRS_H
#define RESIDUA_CLI_PAIRS_H

#include "cli/console.h"
#include "cli/shard.h"

struct EvalKind;

typedef struct Pair {
    char *ref, *dist, *name; /* name: the path below the folders without its ending; of two files: dist */
    const struct EvalKind *kind; /* of ref, cli/eval_kind.h */
} Pair;

typedef struct PairList {
    Pair *items; /* sorted by kind, then by name */
    size_t n_items;
} PairList;

/* Two files make one pair. Two folders are walked in depth, and recordings, and pictures, whose paths below them differ in
 * nothing but the ending belong together; those without a partner, and the second of two with one name, are named in a warning.
 * only: NULL for both kinds. Errors: RSD_ERR_ARG (a file and a folder), RSD_ERR_IO (cannot be read), RSD_ERR_CORRUPT (no pair
 * at all), RSD_ERR_MEMORY. */
RsdStatus pairs_find(PairList **out, const char *ref, const char *dist, const struct EvalKind *only, Console *console,
                     RsdError *err);
void pairs_destroy(PairList **pairs);
/* Leaves the pairs of one part. */
void pairs_keep_shard(PairList *pairs, const Shard *shard);

#endif
