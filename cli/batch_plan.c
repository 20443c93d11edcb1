/* batch_plan.c - from what was typed to pairs of input and output.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/batch.h"
#include "engine/base/mem.h"

#define FOLDER_DEPTH_MAX 64
#define PATH_SIZE 4096

typedef struct Planner {
    const BatchOptions *options;
    Batch *batch;
    RsdError *err;
} Planner;

/* path with its ending replaced, below output_dir if there is one; `relative` is the part of path to keep there. */
static RsdStatus name_output(char **out, const BatchOptions *o, const char *path, const char *relative, RsdError *err)
{
    const char *suffix = o->suffix_of ? o->suffix_of(o->ctx, path) : o->suffix;
    const char *base = o->output_dir ? relative : path;
    const char *slash = strrchr(base, '/'), *dot = strrchr(base, '.');
    size_t stem = dot && dot > base && (!slash || dot > slash + 1) ? (size_t)(dot - base) : strlen(base);
    size_t size = stem + strlen(suffix) + (o->output_dir ? strlen(o->output_dir) + 1 : 0) + 1;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(out, size, 1, err));
    snprintf(*out, size, "%s%s%.*s%s", o->output_dir ? o->output_dir : "", o->output_dir ? "/" : "", (int)stem, base,
             suffix);
fail:
    return status;
}

static RsdStatus add_item(Planner *p, const char *input, const char *relative, RsdStatus problem, const char *sentence)
{
    const BatchOptions *o = p->options;
    Batch *batch = p->batch;
    BatchItem *item;
    RsdStatus status = RSD_OK;

    if (batch->n_items == batch->capacity) {
        size_t capacity = batch->capacity ? 2 * batch->capacity : 16;

        TRY(mem_resize(&batch->items, batch->capacity, capacity, sizeof *batch->items, p->err));
        batch->capacity = capacity;
    }
    item = &batch->items[batch->n_items];
    *item = (BatchItem){.status = problem};
    batch->n_items++;
    TRY(mem_strdup(&item->input, input, p->err));
    if (sentence)
        return mem_strdup(&item->problem, sentence, p->err);
    if (o->output)
        TRY(mem_strdup(&item->output, o->output, p->err));
    else if (!strcmp(input, "-") && o->to_stdout)
        TRY(mem_strdup(&item->output, "-", p->err));
    else
        TRY(name_output(&item->output, o, input, relative, p->err));
fail:
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char ***names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(&(*names)[i]);
    mem_free(names);
}

/* Names in a folder, hidden ones left out, sorted. False with errno set when it cannot be read. */
static RsdStatus list_folder(char ***names, size_t *n, const char *folder, bool *readable, RsdError *err)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t capacity = 0;
    RsdStatus status = RSD_OK;

    *names = NULL;
    *n = 0;
    *readable = dir != NULL;
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (*n == capacity) {
            TRY(mem_resize(names, capacity, capacity ? 2 * capacity : 32, sizeof **names, err));
            capacity = capacity ? 2 * capacity : 32;
        }
        TRY(mem_strdup(&(*names)[*n], entry->d_name, err));
        (*n)++;
    }
    if (*n)
        qsort(*names, *n, sizeof **names, compare_names);
fail:
    if (dir)
        closedir(dir);
    return status;
}

/* root_len: bytes of path that are not mirrored. */
static RsdStatus walk(Planner *p, const char *folder, size_t root_len, int depth)
{
    char **names = NULL, path[PATH_SIZE], sentence[PATH_SIZE + 64];
    size_t n = 0;
    bool readable;
    RsdStatus status = RSD_OK;

    TRY(list_folder(&names, &n, folder, &readable, p->err));
    if (!readable || depth == FOLDER_DEPTH_MAX) {
        snprintf(sentence, sizeof sentence, "%s: cannot read the folder: %s", folder,
                 readable ? "too many folders inside each other" : strerror(errno));
        TRY(add_item(p, folder, NULL, RSD_ERR_IO, sentence));
        goto fail;
    }
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(folder);
        struct stat info;

        if (snprintf(path, sizeof path, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", names[i]) >=
            (int)sizeof path) {
            snprintf(sentence, sizeof sentence, "%s: a path in it is longer than %d bytes", folder, PATH_SIZE);
            TRY(add_item(p, folder, NULL, RSD_ERR_IO, sentence));
            continue;
        }
        if (lstat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode))
            TRY(walk(p, path, root_len, depth + 1));
        else if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && p->options->accepts(path))
            TRY(add_item(p, path, path + root_len + strspn(path + root_len, "/"), RSD_OK, NULL));
    }
fail:
    free_names(&names, n);
    return status;
}

static RsdStatus plan_input(Planner *p, const char *input)
{
    char sentence[PATH_SIZE + 128];
    const char *slash = strrchr(input, '/');
    struct stat info;
    size_t n_before = p->batch->n_items;
    RsdStatus status = RSD_OK;

    if (!strcmp(input, "-") || stat(input, &info) != 0 || !S_ISDIR(info.st_mode))
        return add_item(p, input, slash ? slash + 1 : input, RSD_OK, NULL);
    if (!p->options->recursive) {
        snprintf(sentence, sizeof sentence, "%.4000s: is a folder; -r takes the files in it", input);
        return add_item(p, input, NULL, RSD_ERR_ARG, sentence);
    }
    TRY(walk(p, input, strlen(input), 0));
    if (p->batch->n_items == n_before) {
        snprintf(sentence, sizeof sentence, "%.4000s: holds no file whose name ends as expected", input);
        return add_item(p, input, NULL, RSD_ERR_UNSUPPORTED, sentence);
    }
fail:
    return status;
}

static int compare_outputs(const void *a, const void *b, void *ctx)
{
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    const BatchItem *items = ctx;
    int order = strcmp(items[i].output ? items[i].output : "", items[k].output ? items[k].output : "");

    return order ? order : (i > k) - (i < k);
}

/* talk.mp3 and talk.wav both become talk.rsd: the first one gets it. */
static RsdStatus refuse_doubles(Batch *batch, RsdError *err)
{
    size_t *order = NULL, first = 0;
    char sentence[2 * PATH_SIZE];
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&order, batch->n_items, sizeof *order, err));
    for (size_t i = 0; i < batch->n_items; i++)
        order[i] = i;
    qsort_r(order, batch->n_items, sizeof *order, compare_outputs, batch->items);
    for (size_t i = 1; i < batch->n_items; i++) {
        BatchItem *a = &batch->items[order[first]], *b = &batch->items[order[i]];

        if (!a->output || !b->output || strcmp(a->output, b->output) != 0) {
            first = i;
            continue;
        }
        snprintf(sentence, sizeof sentence, "%.2500s: its output %.2500s is that of %.2500s already", b->input,
                 b->output, a->input);
        b->status = RSD_ERR_EXISTS;
        TRY(mem_strdup(&b->problem, sentence, err));
    }
fail:
    mem_free(&order);
    return status;
}

static int check_usage(const BatchOptions *o)
{
    size_t n_stdin = 0;
    struct stat info;

    for (size_t i = 0; i < o->n_inputs; i++)
        n_stdin += !strcmp(o->inputs[i], "-");
    if (!o->n_inputs)
        return command_misused(o->command, "no input was given: residua %s %s", o->command->name, o->command->usage);
    if (o->output && o->output_dir)
        return command_misused(o->command, "-o names one file and --output-dir a folder: give one of them");
    if (o->output && (o->n_inputs > 1 || (stat(o->inputs[0], &info) == 0 && S_ISDIR(info.st_mode))))
        return command_misused(o->command, "-o names one file for several inputs; use --output-dir");
    if (n_stdin && o->n_inputs > 1)
        return command_misused(o->command, "standard input must be the only input");
    if (n_stdin && o->output_dir)
        return command_misused(o->command, "standard input has no name to use in --output-dir; use -o");
    if (((o->output && !strcmp(o->output, "-")) || (n_stdin && !o->output)) && isatty(STDOUT_FILENO))
        return command_misused(o->command, "standard output is a terminal; name a file with -o, or use a pipe");
    return EXIT_DONE;
}

RsdStatus batch_plan(Batch **out, const BatchOptions *options, int *code, RsdError *err)
{
    Planner planner = {.options = options, .err = err};
    RsdStatus status = RSD_OK;

    *out = NULL;
    *code = check_usage(options);
    if (*code != EXIT_DONE)
        return RSD_OK;
    TRY(mem_calloc(&planner.batch, 1, sizeof *planner.batch, err));
    for (size_t i = 0; i < options->n_inputs; i++)
        TRY(plan_input(&planner, options->inputs[i]));
    TRY(refuse_doubles(planner.batch, err));
    *out = planner.batch;
    return RSD_OK;
fail:
    batch_destroy(&planner.batch);
    return status;
}

bool batch_is_stream_name(const char *path)
{
    const char *dot = strrchr(path, '.');

    return batch_is_rsd_name(path) || (dot && (!strcasecmp(dot, ".ecdc") || !strcasecmp(dot, ".dac")));
}

bool batch_is_rsd_name(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && !strcasecmp(dot, ".rsd");
}

static void clear_item(BatchItem *item)
{
    mem_free(&item->input);
    mem_free(&item->output);
    mem_free(&item->problem);
}

void batch_keep_shard(Batch *batch, const Shard *shard)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < batch->n_items; i++)
        if (shard_has(shard, i))
            batch->items[n_kept++] = batch->items[i];
        else
            clear_item(&batch->items[i]);
    batch->n_items = n_kept;
}

void batch_destroy(Batch **batch)
{
    if (!*batch)
        return;
    for (size_t i = 0; i < (*batch)->n_items; i++)
        clear_item(&(*batch)->items[i]);
    mem_free(&(*batch)->items);
    mem_free(batch);
}
