/* import.c - names there to names here, and a list of everything that does not fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

#define LIST_SIZE (RSD_ERROR_TEXT_SIZE * 2 / 3)
#define MAX_VARIANTS 16

/* What is wrong, as far as it fits a sentence. */
typedef struct Complaints {
    char list[LIST_SIZE];
    size_t used;
    int n, n_listed;
} Complaints;

static void RSD_PRINTF(2, 3) complain(Complaints *c, const char *format, ...)
{
    char words[IMPORT_NAME_SIZE + 2 * SHAPE_TEXT_SIZE + 32];
    size_t len;
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    len = strlen(words);
    c->n++;
    if (c->n_listed + 1 < c->n || c->used + len + 3 > sizeof c->list)
        return;
    c->used += (size_t)snprintf(c->list + c->used, sizeof c->list - c->used, "%s%s", c->used ? "; " : "", words);
    c->n_listed++;
}

static const CheckpointArray *find_array(const Checkpoint *file, const ImportRules *rules, const char *param,
                                         char name[IMPORT_NAME_SIZE])
{
    char other[IMPORT_NAME_SIZE];

    if (!rules->name(name, param, 0, rules->ctx))
        snprintf(name, IMPORT_NAME_SIZE, "%s", param);
    for (int i = 0; i < MAX_VARIANTS && rules->name(other, param, i, rules->ctx); i++) {
        const CheckpointArray *array = checkpoint_find(file, other);

        if (array) {
            strcpy(name, other);
            return array;
        }
    }
    return NULL;
}

/* Axes of length 1 aside. */
static bool same_shape(const CheckpointArray *array, const Tensor *tensor)
{
    int i = 0, k = 0;

    for (;;) {
        while (i < array->n_dims && array->shape[i] == 1)
            i++;
        while (k < tensor->n_dims && tensor->shape[k] == 1)
            k++;
        if (i == array->n_dims || k == tensor->n_dims)
            return i == array->n_dims && k == tensor->n_dims;
        if (array->shape[i++] != tensor->shape[k++])
            return false;
    }
}

/* Index of an array in the file's order. */
static size_t index_of(const Checkpoint *file, const CheckpointArray *array)
{
    size_t i = 0;

    while (checkpoint_array(file, i) != array)
        i++;
    return i;
}

static RsdStatus check_names(const ParamSet *params, const Checkpoint *file, const ImportRules *rules, RsdError *err)
{
    Complaints complaints = {.n = 0};
    char name[IMPORT_NAME_SIZE], found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];
    bool *used = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&used, checkpoint_count(file), sizeof *used, err));
    for (size_t i = 0; i < params->n_items; i++) {
        const Param *param = &params->items[i];
        const CheckpointArray *array = find_array(file, rules, param->name, name);

        if (array)
            used[index_of(file, array)] = true;
        if (!array && !param->training_only)
            complain(&complaints, "%s is missing", name);
        else if (array && !same_shape(array, param->tensor))
            complain(&complaints, "%s is %s, expected %s", name, shape_text(found, array->n_dims, array->shape),
                     shape_text(expected, param->tensor->n_dims, param->tensor->shape));
    }
    for (size_t i = 0; i < checkpoint_count(file); i++)
        if (!used[i] && !(rules->may_ignore && rules->may_ignore(checkpoint_array(file, i)->name)))
            complain(&complaints, "%.120s is unexpected", checkpoint_array(file, i)->name);
    if (complaints.n > complaints.n_listed)
        status = error_set(err, RSD_ERR_CORRUPT, "%d arrays do not fit the model: %s; and %d more", complaints.n,
                           complaints.list, complaints.n - complaints.n_listed);
    else if (complaints.n > 0)
        status = error_set(err, RSD_ERR_CORRUPT, "%d arrays do not fit the model: %s", complaints.n, complaints.list);
fail:
    mem_free(&used);
    return status;
}

RsdStatus import_params(ParamSet *params, Checkpoint *file, const ImportRules *rules, RsdError *err)
{
    char name[IMPORT_NAME_SIZE];
    RsdStatus status = RSD_OK;

    TRY(check_names(params, file, rules, err));
    for (size_t i = 0; i < params->n_items; i++) {
        Tensor *tensor = params->items[i].tensor;
        const CheckpointArray *array = find_array(file, rules, params->items[i].name, name);

        if (array)
            TRY(checkpoint_read_f32(file, array, tensor->data, tensor_count(tensor), err));
    }
    return RSD_OK;
fail:
    return error_prefix(err, status, "%s", checkpoint_place(file));
}
