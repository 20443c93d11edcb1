/* foreign.c - looked at first, listed, then read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/foreign.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

/* One parameter's source: the array itself, or direction v and length g. */
typedef struct Source {
    const CheckpointArray *plain, *v, *g;
} Source;

/* torch.nn.utils.weight_norm, and torch.nn.utils.parametrizations.weight_norm. */
static const char *const V_NAMES[] = {"%s_v", "parametrizations.%s.original1"};
static const char *const G_NAMES[] = {"%s_g", "parametrizations.%s.original0"};

/* "a.b.weight" and "parametrizations.%s.original0" -> "a.b.parametrizations.weight.original0" */
static void inflect(char out[2 * FOREIGN_NAME_SIZE], const char *name, const char *form)
{
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    int stem = (int)(last - name), split = (int)(strchr(form, '%') - form);

    snprintf(out, 2 * FOREIGN_NAME_SIZE, "%.*s%.*s%s%s", stem, name, split, form, last, form + split + 2);
}

static Source find_source(const Checkpoint *checkpoint, const char *name)
{
    Source source = {.plain = checkpoint_find(checkpoint, name)};

    for (size_t i = 0; !source.plain && !source.v && i < sizeof V_NAMES / sizeof *V_NAMES; i++) {
        char form[2 * FOREIGN_NAME_SIZE];

        inflect(form, name, V_NAMES[i]);
        source.v = checkpoint_find(checkpoint, form);
        inflect(form, name, G_NAMES[i]);
        source.g = checkpoint_find(checkpoint, form);
    }
    return source;
}

/* The axes that are not 1. */
static int squeeze(int64_t out[TENSOR_MAX_DIMS], int n_dims, const int64_t *shape)
{
    int n = 0;

    for (int i = 0; i < n_dims; i++)
        if (shape[i] != 1)
            out[n++] = shape[i];
    return n;
}

static bool fits(const Tensor *tensor, const CheckpointArray *array)
{
    int64_t a[TENSOR_MAX_DIMS], b[TENSOR_MAX_DIMS];
    int n = squeeze(a, tensor->n_dims, tensor->shape);

    return n == squeeze(b, array->n_dims, array->shape) && memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* Lengths: one for each element of the first axis. */
static bool fits_lengths(const Tensor *tensor, const CheckpointArray *array)
{
    int64_t count = 1;

    for (int i = 0; i < array->n_dims; i++)
        count *= array->shape[i];
    return array->n_dims >= 1 && array->shape[0] == tensor->shape[0] && count == tensor->shape[0];
}

/* ---- what is wrong ---- */

typedef struct Complaints {
    char text[RSD_ERROR_TEXT_SIZE / 2];
    size_t used, n_all, n_listed;
} Complaints;

static void complain(Complaints *list, const char *words)
{
    size_t len = strlen(words);

    if (list->n_listed == list->n_all && list->used + len + 3 < sizeof list->text) {
        list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
                                       list->used ? "; " : "", words);
        list->n_listed++;
    }
    list->n_all++;
}

static void complain_of_shape(Complaints *list, const Tensor *tensor, const CheckpointArray *array)
{
    char words[FOREIGN_NAME_SIZE + 2 * SHAPE_TEXT_SIZE + 32], found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];

    snprintf(words, sizeof words, "%.*s is %s, expected %s", FOREIGN_NAME_SIZE, array->name,
             shape_text(found, array->n_dims, array->shape), shape_text(expected, tensor->n_dims, tensor->shape));
    complain(list, words);
}

static void look_at(Complaints *list, const Param *param, const char *name, const Source *source)
{
    char words[FOREIGN_NAME_SIZE + 32];

    if (source->plain) {
        if (!fits(param->tensor, source->plain))
            complain_of_shape(list, param->tensor, source->plain);
    } else if (source->v && source->g) {
        if (!fits(param->tensor, source->v))
            complain_of_shape(list, param->tensor, source->v);
        if (!fits_lengths(param->tensor, source->g))
            complain_of_shape(list, param->tensor, source->g);
    } else {
        snprintf(words, sizeof words, "%s is missing", name);
        complain(list, words);
    }
}

/* Arrays that nobody asked for: the file may be of another network. */
static void look_for_others(Complaints *list, const Checkpoint *checkpoint, const bool *is_used)
{
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        char words[FOREIGN_NAME_SIZE + 32];

        if (is_used[i])
            continue;
        snprintf(words, sizeof words, "%.*s is not expected", FOREIGN_NAME_SIZE, checkpoint_array(checkpoint, i)->name);
        complain(list, words);
    }
}

static RsdStatus report(const Complaints *list, const Checkpoint *checkpoint, RsdError *err)
{
    if (list->n_all == 0)
        return RSD_OK;
    if (list->n_listed < list->n_all)
        return error_set(err, RSD_ERR_CORRUPT, "%s: %zu arrays do not fit the network: %s; and %zu more",
                         checkpoint_place(checkpoint), list->n_all, list->text, list->n_all - list->n_listed);
    return error_set(err, RSD_ERR_CORRUPT, "%s: %zu arrays do not fit the network: %s", checkpoint_place(checkpoint),
                     list->n_all, list->text);
}

/* ---- reading ---- */

/* w [first axis, rest] = g w / |w| */
static void fold(float *w, const float *g, int64_t n_rows, int64_t n_cols)
{
    for (int64_t i = 0; i < n_rows; i++) {
        double sum = 0.0;
        float scale;

        for (int64_t j = 0; j < n_cols; j++)
            sum += (double)w[i * n_cols + j] * w[i * n_cols + j];
        scale = sum > 0.0 ? (float)(g[i] / sqrt(sum)) : 0.0f;
        for (int64_t j = 0; j < n_cols; j++)
            w[i * n_cols + j] *= scale;
    }
}

static RsdStatus read_source(Tensor *tensor, Checkpoint *checkpoint, const Source *source, RsdError *err)
{
    int64_t n_rows = tensor->shape[0], count = tensor_count(tensor);
    float *g = NULL;
    RsdStatus status = RSD_OK;

    TRY(checkpoint_read_f32(checkpoint, source->plain ? source->plain : source->v, tensor->data, count, err));
    if (!source->plain) {
        TRY(mem_alloc(&g, (size_t)n_rows, sizeof *g, err));
        TRY(checkpoint_read_f32(checkpoint, source->g, g, n_rows, err));
        fold(tensor->data, g, n_rows, count / n_rows);
    }
fail:
    mem_free(&g);
    return status;
}

static void mark_used(bool *is_used, const Checkpoint *checkpoint, const CheckpointArray *array)
{
    for (size_t i = 0; array && i < checkpoint_count(checkpoint); i++)
        if (checkpoint_array(checkpoint, i) == array)
            is_used[i] = true;
}

RsdStatus foreign_fill(ParamSet *params, Checkpoint *checkpoint, ForeignName name, const void *ctx, RsdError *err)
{
    Complaints list = {.used = 0};
    Source *sources = NULL;
    bool *is_used = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&sources, params->n_items, sizeof *sources, err));
    TRY(mem_calloc(&is_used, checkpoint_count(checkpoint), sizeof *is_used, err));
    for (size_t i = 0; i < params->n_items; i++) {
        const Param *param = &params->items[i];
        char theirs[FOREIGN_NAME_SIZE];

        if (param->training_only)
            continue;
        CHECK(name(theirs, param->name, ctx), err, RSD_ERR_CORRUPT, "%s: no array can hold %s", checkpoint_place(checkpoint),
              param->name);
        sources[i] = find_source(checkpoint, theirs);
        mark_used(is_used, checkpoint, sources[i].plain);
        mark_used(is_used, checkpoint, sources[i].v);
        mark_used(is_used, checkpoint, sources[i].g);
        look_at(&list, param, theirs, &sources[i]);
    }
    look_for_others(&list, checkpoint, is_used);
    TRY(report(&list, checkpoint, err));
    for (size_t i = 0; i < params->n_items; i++)
        if (!params->items[i].training_only)
            TRY(read_source(params->items[i].tensor, checkpoint, &sources[i], err));
fail:
    mem_free(&sources);
    mem_free(&is_used);
    return status;
}
