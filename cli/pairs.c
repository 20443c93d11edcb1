/* pairs.c - two folders, sorted by name and merged.
 *
 * The walk is that of batch_plan.c: its "output" below an empty folder is the name without the ending.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/batch.h"
#include "engine/base/mem.h"
#include "trainer/media_list.h"

static int compare_items(const void *a, const void *b)
{
    const BatchItem *x = a, *y = b;

    return strcmp(x->output ? x->output : "", y->output ? y->output : "");
}

static RsdStatus list_recordings(Batch **out, const char *folder, RsdError *err)
{
    char *inputs[] = {(char *)(uintptr_t)folder};
    BatchOptions options = {.command = &cli_eval,
                            .inputs = inputs,
                            .n_inputs = 1,
                            .output_dir = "",
                            .recursive = true,
                            .suffix = "",
                            .accepts = media_list_is_recording};
    int code;
    RsdStatus status = batch_plan(out, &options, &code, err);

    if (status != RSD_OK)
        return status;
    for (size_t i = 0; i < (*out)->n_items; i++)
        if ((*out)->items[i].problem)
            return error_set(err, (*out)->items[i].status, "%s", (*out)->items[i].problem);
    qsort((*out)->items, (*out)->n_items, sizeof *(*out)->items, compare_items);
    return RSD_OK;
}

static RsdStatus add_pair(PairList *pairs, const char *ref, const char *dist, const char *name, RsdError *err)
{
    Pair *pair;
    RsdStatus status = RSD_OK;

    TRY(mem_resize(&pairs->items, pairs->n_items, pairs->n_items + 1, sizeof *pairs->items, err));
    pair = &pairs->items[pairs->n_items++];
    *pair = (Pair){0};
    TRY(mem_strdup(&pair->ref, ref, err));
    TRY(mem_strdup(&pair->dist, dist, err));
    TRY(mem_strdup(&pair->name, name, err));
fail:
    return status;
}

static RsdStatus merge(PairList *pairs, const Batch *refs, const Batch *dists, Console *console, RsdError *err)
{
    size_t i = 0, k = 0;
    RsdStatus status = RSD_OK;

    while (i < refs->n_items || k < dists->n_items) {
        const BatchItem *ref = i < refs->n_items ? &refs->items[i] : NULL;
        const BatchItem *dist = k < dists->n_items ? &dists->items[k] : NULL;
        int order = !ref ? 1 : !dist ? -1 : strcmp(ref->output, dist->output);

        if (order == 0)
            TRY(add_pair(pairs, ref->input, dist->input, ref->output + 1, err));
        else
            console_say(console, LOG_WARNING, "%s: has no partner in the other folder",
                        (order < 0 ? ref : dist)->input);
        i += order <= 0;
        k += order >= 0;
    }
fail:
    return status;
}

RsdStatus pairs_find(PairList **out, const char *ref, const char *dist, Console *console, RsdError *err)
{
    struct stat ref_info, dist_info;
    Batch *refs = NULL, *dists = NULL;
    PairList *pairs = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&pairs, 1, sizeof *pairs, err));
    CHECK(stat(ref, &ref_info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", ref, strerror(errno));
    CHECK(stat(dist, &dist_info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", dist, strerror(errno));
    CHECK(S_ISDIR(ref_info.st_mode) == S_ISDIR(dist_info.st_mode), err, RSD_ERR_ARG,
          "%s and %s: one is a folder and the other is not", ref, dist);
    if (S_ISDIR(ref_info.st_mode)) {
        TRY(list_recordings(&refs, ref, err));
        TRY(list_recordings(&dists, dist, err));
        TRY(merge(pairs, refs, dists, console, err));
        CHECK(pairs->n_items, err, RSD_ERR_CORRUPT, "%s and %s hold no recordings of the same name", ref, dist);
    } else {
        TRY(add_pair(pairs, ref, dist, dist, err));
    }
    *out = pairs;
    pairs = NULL;
fail:
    batch_destroy(&refs);
    batch_destroy(&dists);
    pairs_destroy(&pairs);
    return status;
}

static void clear_pair(Pair *pair)
{
    mem_free(&pair->ref);
    mem_free(&pair->dist);
    mem_free(&pair->name);
}

void pairs_keep_shard(PairList *pairs, const Shard *shard)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < pairs->n_items; i++)
        if (shard_has(shard, i))
            pairs->items[n_kept++] = pairs->items[i];
        else
            clear_pair(&pairs->items[i]);
    pairs->n_items = n_kept;
}

void pairs_destroy(PairList **pairs)
{
    if (!*pairs)
        return;
    for (size_t i = 0; i < (*pairs)->n_items; i++)
        clear_pair(&(*pairs)->items[i]);
    mem_free(&(*pairs)->items);
    mem_free(pairs);
}
