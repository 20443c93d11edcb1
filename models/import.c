/* import.c - names there to names here, a list of everything that does not fit, then reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/import.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/array_check.h"

#define LIST_SIZE (RSD_ERROR_TEXT_SIZE * 2 / 3)
#define MAX_VARIANTS 16

/* ---- where a parameter comes from ---- */

/* One parameter's source: the array itself, or direction v and length g. */
typedef struct Source {
    const CheckpointArray *plain, *v, *g;
} Source;

/* torch.nn.utils.weight_norm, and torch.nn.utils.parametrizations.weight_norm. */
static const char *const V_NAMES[] = {"%s_v", "parametrizations.%s.original1"};
static const char *const G_NAMES[] = {"%s_g", "parametrizations.%s.original0"};

/* "a.b.weight" and "parametrizations.%s.original0" -> "a.b.parametrizations.weight.original0" */
static void inflect(char out[2 * IMPORT_NAME_SIZE], const char *name, const char *form)
{
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    int stem = (int)(last - name), split = (int)(strchr(form, '%') - form);

    snprintf(out, 2 * IMPORT_NAME_SIZE, "%.*s%.*s%s%s", stem, name, split, form, last, form + split + 2);
}

static Source source_named(const Checkpoint *file, const char *name)
{
    Source source = {.plain = checkpoint_find(file, name)};

    for (size_t i = 0; !source.plain && !source.v && i < sizeof V_NAMES / sizeof *V_NAMES; i++) {
        char form[2 * IMPORT_NAME_SIZE];

        inflect(form, name, V_NAMES[i]);
        source.v = checkpoint_find(file, form);
        inflect(form, name, G_NAMES[i]);
        source.g = checkpoint_find(file, form);
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

/* name: under which it was found, or under which the file would have it: with the spelling-th name of every parameter. */
static Source find_source(const Checkpoint *file, const ImportRules *rules, const char *param, int spelling,
                          char name[IMPORT_NAME_SIZE])
{
    Source source = {.plain = NULL};
    char other[IMPORT_NAME_SIZE];

    if (!rules->name(name, param, spelling, rules->ctx) && !rules->name(name, param, 0, rules->ctx))
        snprintf(name, IMPORT_NAME_SIZE, "%s", param);
    for (int i = 0; i < MAX_VARIANTS && rules->name(other, param, i, rules->ctx); i++) {
        source = source_named(file, other);
        if (source.plain || source.v) {
            strcpy(name, other);
            break;
        }
    }
    return source;
}

/* Which of a parameter's names the file knows, going by the first parameter that it has. */
static int spelling_of(const Checkpoint *file, const ImportRules *rules, const ParamSet *params)
{
    char name[IMPORT_NAME_SIZE];

    for (size_t p = 0; p < params->n_items; p++)
        for (int i = 0; i < MAX_VARIANTS && rules->name(name, params->items[p].name, i, rules->ctx); i++) {
            const Source source = source_named(file, name);

            if (source.plain || source.v)
                return i;
        }
    return 0;
}

/* ---- what is wrong ---- */

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

static void complain_of_shape(Complaints *c, const Tensor *tensor, const CheckpointArray *array)
{
    char found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];

    complain(c, "%.120s is %s, expected %s", array->name, shape_text(found, array->n_dims, array->shape),
             shape_text(expected, tensor->n_dims, tensor->shape));
}

static void look_at(Complaints *c, const Param *param, const char *name, const Source *source)
{
    const CheckpointArray *values = source->plain ? source->plain : source->v;

    if (!values || (!source->plain && !source->g)) {
        if (!param->training_only)
            complain(c, "%s is missing", name);
        return;
    }
    if (!fits(param->tensor, values))
        complain_of_shape(c, param->tensor, values);
    if (source->g && !fits_lengths(param->tensor, source->g))
        complain_of_shape(c, param->tensor, source->g);
}

/* Index of an array in the file's order. */
static size_t index_of(const Checkpoint *file, const CheckpointArray *array)
{
    size_t i = 0;

    while (checkpoint_array(file, i) != array)
        i++;
    return i;
}

static void mark_used(bool *used, const Checkpoint *file, const CheckpointArray *array)
{
    if (array)
        used[index_of(file, array)] = true;
}

static RsdStatus check_names(const ParamSet *params, const Checkpoint *file, const ImportRules *rules, RsdError *err)
{
    Complaints complaints = {.n = 0};
    const int spelling = spelling_of(file, rules, params);
    char name[IMPORT_NAME_SIZE];
    bool *used = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&used, checkpoint_count(file), sizeof *used, err));
    for (size_t i = 0; i < params->n_items; i++) {
        Source source = find_source(file, rules, params->items[i].name, spelling, name);

        mark_used(used, file, source.plain);
        mark_used(used, file, source.v);
        mark_used(used, file, source.g);
        look_at(&complaints, &params->items[i], name, &source);
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

/* ---- reading ---- */

/* w [first axis, rest] = g w / |w|. Returns the first row that is too short for its length g, -1 for none. */
static int64_t fold(float *w, const float *g, int64_t n_rows, int64_t n_cols)
{
    for (int64_t i = 0; i < n_rows; i++) {
        double sum = 0.0;
        float scale;

        for (int64_t j = 0; j < n_cols; j++)
            sum += (double)w[i * n_cols + j] * w[i * n_cols + j];
        scale = sum > 0.0 ? (float)(g[i] / sqrt(sum)) : 0.0f;
        if (!isfinite(scale))
            return i;
        for (int64_t j = 0; j < n_cols; j++)
            w[i * n_cols + j] *= scale;
    }
    return -1;
}

/* What is not kept must be sound all the same. */
static RsdStatus check_source(Checkpoint *file, const Source *source, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(checkpoint_check_f32(file, source->plain ? source->plain : source->v, err));
    if (!source->plain)
        TRY(checkpoint_check_f32(file, source->g, err));
fail:
    return status;
}

static RsdStatus read_source(Tensor *tensor, Checkpoint *file, const Source *source, RsdError *err)
{
    int64_t n_rows = tensor->shape[0], count = tensor_count(tensor), short_row;
    float *g = NULL;
    RsdStatus status = RSD_OK;

    TRY(checkpoint_read_f32(file, source->plain ? source->plain : source->v, tensor->data, count, err));
    if (!source->plain) {
        TRY(mem_alloc(&g, (size_t)n_rows, sizeof *g, err));
        TRY(checkpoint_read_f32(file, source->g, g, n_rows, err));
        short_row = fold(tensor->data, g, n_rows, count / n_rows);
        CHECK(short_row < 0, err, RSD_ERR_NUMERIC, "%s: tensor '%s': row %lld is too short to be given the length %g",
              checkpoint_place(file), source->v->name, (long long)short_row, (double)g[short_row]);
    }
fail:
    mem_free(&g);
    return status;
}

RsdStatus import_params(ParamSet *params, Checkpoint *file, const ImportRules *rules, RsdError *err)
{
    char name[IMPORT_NAME_SIZE];
    RsdStatus status = RSD_OK;

    status = check_names(params, file, rules, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "%s", checkpoint_place(file));
    for (size_t i = 0; i < params->n_items; i++) {
        Source source = find_source(file, rules, params->items[i].name, 0, name);

        if (!source.plain && !source.v)
            continue;
        if (params->items[i].left_out) {
            TRY(check_source(file, &source, err));
        } else {
            TRY(params_begin_fill(params, &params->items[i], err));
            status = read_source(params->items[i].tensor, file, &source, err);
            TRY(params_end_fill(params, &params->items[i], status, err));
        }
    }
fail:
    return status;
}

RsdStatus import_check_size(const Checkpoint *file, int64_t n_needed, RsdError *err)
{
    int64_t n_held = 0, count;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < checkpoint_count(file); i++) {
        const CheckpointArray *array = checkpoint_array(file, i);

        TRY(shape_count(&count, array->n_dims, array->shape, err));
        n_held += count;
    }
    CHECK(n_held >= n_needed / 2, err, RSD_ERR_CORRUPT,
          "the arrays hold %lld numbers, a network of their shapes needs %lld", (long long)n_held, (long long)n_needed);
fail:
    return status;
}
