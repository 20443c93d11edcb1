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
#include "cli/eval_kind.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"

/* A file of one of the folders. */
typedef struct Entry {
    const char *path, *name; /* name: below the folder, without its ending */
    const EvalKind *kind;    /* by the ending */
} Entry;

typedef struct Folder {
    Batch *batch;
    Entry *entries; /* sorted, no two of one kind and name */
    size_t n;
} Folder;

static int compare_entries(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int order = strcmp(x->kind->name, y->kind->name);

    order = order ? order : strcmp(x->name, y->name);
    return order ? order : strcmp(x->path, y->path);
}

static int compare_pairs(const void *a, const void *b)
{
    const Pair *x = a, *y = b;
    int order = strcmp(x->kind->name, y->kind->name);

    return order ? order : strcmp(x->name, y->name);
}

static void folder_clear(Folder *f)
{
    mem_free(&f->entries);
    batch_destroy(&f->batch);
}

static RsdStatus folder_list(Folder *f, const char *path, const EvalKind *only, Console *console, RsdError *err)
{
    char *inputs[] = {(char *)(uintptr_t)path};
    BatchOptions options = {.command = &cli_eval,
                            .inputs = inputs,
                            .n_inputs = 1,
                            .output_dir = "",
                            .recursive = true,
                            .suffix = "",
                            .accepts = eval_kind_accepts};
    size_t n = 0;
    int code;
    RsdStatus status = RSD_OK;

    TRY(batch_plan(&f->batch, &options, &code, err));
    TRY(mem_alloc(&f->entries, f->batch->n_items, sizeof *f->entries, err));
    for (size_t i = 0; i < f->batch->n_items; i++) {
        const BatchItem *item = &f->batch->items[i];
        Entry entry = {item->input, item->output, image_is_picture_name(item->input) ? &eval_kind_image : &eval_kind_audio};

        /* that two files have one name is not the matter here that it is where they become one */
        CHECK(!item->problem || item->status == RSD_ERR_EXISTS, err, item->status, "%s", item->problem);
        if (!only || entry.kind == only)
            f->entries[f->n++] = entry;
    }
    if (f->n)
        qsort(f->entries, f->n, sizeof *f->entries, compare_entries);
    for (size_t i = 0; i < f->n; i++) {
        const Entry *last = n ? &f->entries[n - 1] : NULL, *e = &f->entries[i];

        if (last && last->kind == e->kind && !strcmp(last->name, e->name))
            console_say(console, LOG_WARNING, "%s: is left out, %s has that name too", e->path, last->path);
        else
            f->entries[n++] = *e;
    }
    f->n = n;
fail:
    return status;
}

static RsdStatus add_pair(PairList *pairs, const char *ref, const char *dist, const char *name, RsdError *err)
{
    Pair *pair;
    RsdStatus status = RSD_OK;

    TRY(mem_resize(&pairs->items, pairs->n_items, pairs->n_items + 1, sizeof *pairs->items, err));
    pair = &pairs->items[pairs->n_items++];
    *pair = (Pair){.kind = eval_kind_of(ref)};
    TRY(mem_strdup(&pair->ref, ref, err));
    TRY(mem_strdup(&pair->dist, dist, err));
    TRY(mem_strdup(&pair->name, name, err));
fail:
    return status;
}

static RsdStatus merge(PairList *pairs, const Folder *refs, const Folder *dists, Console *console, RsdError *err)
{
    size_t i = 0, k = 0;
    RsdStatus status = RSD_OK;

    while (i < refs->n || k < dists->n) {
        const Entry *ref = i < refs->n ? &refs->entries[i] : NULL, *dist = k < dists->n ? &dists->entries[k] : NULL;
        int order = !ref ? 1 : !dist ? -1 : strcmp(ref->kind->name, dist->kind->name);

        order = order ? order : strcmp(ref->name, dist->name);
        if (order == 0)
            TRY(add_pair(pairs, ref->path, dist->path, ref->name + 1, err));
        else
            console_say(console, LOG_WARNING, "%s: has no partner in the other folder", (order < 0 ? ref : dist)->path);
        i += order <= 0;
        k += order >= 0;
    }
    if (pairs->n_items) /* what is in a file may be another kind than its name says */
        qsort(pairs->items, pairs->n_items, sizeof *pairs->items, compare_pairs);
fail:
    return status;
}

RsdStatus pairs_find(PairList **out, const char *ref, const char *dist, const EvalKind *only, Console *console, RsdError *err)
{
    struct stat ref_info, dist_info;
    Folder refs = {0}, dists = {0};
    PairList *pairs = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&pairs, 1, sizeof *pairs, err));
    CHECK(stat(ref, &ref_info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", ref, strerror(errno));
    CHECK(stat(dist, &dist_info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", dist, strerror(errno));
    CHECK(S_ISDIR(ref_info.st_mode) == S_ISDIR(dist_info.st_mode), err, RSD_ERR_ARG,
          "%s and %s: one is a folder and the other is not", ref, dist);
    if (S_ISDIR(ref_info.st_mode)) {
        TRY(folder_list(&refs, ref, only, console, err));
        TRY(folder_list(&dists, dist, only, console, err));
        TRY(merge(pairs, &refs, &dists, console, err));
        CHECK(pairs->n_items, err, RSD_ERR_CORRUPT, "%s and %s hold no %s of the same name", ref, dist,
              only ? only->things : "recordings or pictures");
    } else {
        TRY(add_pair(pairs, ref, dist, dist, err));
    }
    *out = pairs;
    pairs = NULL;
fail:
    folder_clear(&refs);
    folder_clear(&dists);
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
