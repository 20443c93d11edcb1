/* params.c - a growing array of named tensors.
 *
 * Models have some hundred parameters and look names up only when they are created or loaded, so a plain search does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/array_check.h"

#define FULL_NAME_SIZE 256
#define BYTES_FROM 16384 /* numbers of a matrix that is worth its scales */
#define BYTES_ROW 32

RsdStatus params_create(ParamSet **out, RsdError *err)
{
    return mem_calloc(out, 1, sizeof **out, err);
}

RsdStatus params_create_for_inference(ParamSet **out, int64_t n_elements, RsdError *err)
{
    ParamSet *params = NULL;
    size_t size = (size_t)n_elements * sizeof(float);
    void *reserved;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(params_create(&params, err));
    params->for_inference = true;
    TRY(arena_create(&params->memory, 0, err));
    /* Tensors and alignment come on top. The arena keeps the block and hands it out again. */
    TRY(arena_alloc(params->memory, &reserved, size + size / 16 + MEM_ALIGN, 1, err));
    arena_reset(params->memory);
    *out = params;
    return RSD_OK;
fail:
    params_destroy(&params);
    return status;
}

void params_destroy(ParamSet **params)
{
    if (!*params)
        return;
    for (size_t i = 0; i < (*params)->n_items; i++) {
        mem_free(&(*params)->items[i].name);
        if (!(*params)->memory)
            tensor_destroy(&(*params)->items[i].tensor);
    }
    arena_destroy(&(*params)->memory);
    mem_free(&(*params)->items);
    mem_free(params);
}

static RsdStatus make_room(ParamSet *params, RsdError *err)
{
    size_t capacity = params->capacity ? 2 * params->capacity : 64;
    RsdStatus status;

    if (params->n_items < params->capacity)
        return RSD_OK;
    status = mem_resize(&params->items, params->capacity, capacity, sizeof *params->items, err);
    if (status == RSD_OK)
        params->capacity = capacity;
    return status;
}

/* with_data false: a shape. */
static RsdStatus take_tensor(Tensor **out, Arena *memory, int n_dims, const int64_t *shape, bool with_data, RsdError *err)
{
    int64_t count;
    RsdStatus status = RSD_OK;

    TRY(shape_count(&count, n_dims, shape, err));
    TRY(arena_calloc(memory, out, 1, sizeof **out, err));
    if (with_data)
        TRY(arena_alloc(memory, &(*out)->data, (size_t)count, sizeof(float), err));
    (*out)->n_dims = n_dims;
    memcpy((*out)->shape, shape, (size_t)n_dims * sizeof *shape);
fail:
    return status;
}

static bool is_left_out(const ParamSet *params, const char *name)
{
    for (const char *const *begin = params->left_out; begin && *begin; begin++)
        if (strncmp(name, *begin, strlen(*begin)) == 0)
            return true;
    return false;
}

/* trainable and passing are set. */
static RsdStatus add(ParamSet *params, const char *name, int n_dims, const int64_t *shape, Param param, Tensor **out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(!params_find(params, name), err, RSD_ERR_ARG, "the model has two parameters called %s", name);
    TRY(make_room(params, err));
    TRY(mem_strdup(&param.name, name, err));
    param.left_out = is_left_out(params, name);
    if (params->memory)
        TRY(take_tensor(&param.tensor, params->memory, n_dims, shape, !param.passing && !param.left_out, err));
    else if (param.trainable)
        TRY(tensor_create_param(&param.tensor, n_dims, shape, err));
    else
        TRY(tensor_create(&param.tensor, n_dims, shape, err));
    params->items[params->n_items++] = param;
    *out = param.tensor;
    return RSD_OK;
fail:
    mem_free(&param.name);
    return error_prefix(err, status, "parameter %s", name);
}

RsdStatus params_add(ParamSet *params, const char *name, int n_dims, const int64_t *shape, bool trainable, Tensor **out,
                     RsdError *err)
{
    return add(params, name, n_dims, shape, (Param){.trainable = trainable}, out, err);
}

RsdStatus params_add_passing(ParamSet *params, const char *name, int n_dims, const int64_t *shape, Tensor **out, RsdError *err)
{
    return add(params, name, n_dims, shape, (Param){.trainable = true, .passing = params->take != NULL}, out, err);
}

RsdStatus params_add_training_state(ParamSet *params, const char *name, int n_dims, const int64_t *shape, Tensor **out,
                                    RsdError *err)
{
    RsdStatus status;

    *out = NULL;
    if (params->for_inference)
        return RSD_OK;
    status = params_add(params, name, n_dims, shape, false, out, err);
    if (status == RSD_OK)
        params->items[params->n_items - 1].training_only = true;
    return status;
}

Tensor *params_find(const ParamSet *params, const char *name)
{
    for (size_t i = 0; i < params->n_items; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return params->items[i].tensor;
    return NULL;
}

int64_t params_count_elements(const ParamSet *params, bool trainable_only)
{
    int64_t count = 0;

    for (size_t i = 0; i < params->n_items; i++)
        if (params->items[i].trainable || !trainable_only)
            count += tensor_count(params->items[i].tensor);
    return count;
}

void params_zero_grad(ParamSet *params)
{
    for (size_t i = 0; i < params->n_items; i++) {
        Tensor *tensor = params->items[i].tensor;

        if (tensor->grad)
            memset(tensor->grad, 0, (size_t)tensor_count(tensor) * sizeof(float));
    }
}

void params_fill_uniform(Tensor *tensor, Rng *rng, float bound)
{
    int64_t count = tensor_count(tensor);

    for (int64_t i = 0; i < count; i++)
        tensor->data[i] = rng_between(rng, -bound, bound);
}

void params_fill_norms(Tensor *norms, const Tensor *tensor)
{
    int64_t n_rows = tensor->shape[0], n_cols = n_rows ? tensor_count(tensor) / n_rows : 0;

    for (int64_t i = 0; i < n_rows; i++) {
        double sum = 0.0;

        for (int64_t j = 0; j < n_cols; j++)
            sum += (double)tensor->data[i * n_cols + j] * tensor->data[i * n_cols + j];
        norms->data[i] = (float)sqrt(sum);
    }
}

void params_fill_constant(Tensor *tensor, float value)
{
    int64_t count = tensor_count(tensor);

    for (int64_t i = 0; i < count; i++)
        tensor->data[i] = value;
}

/* ---- files ---- */

RsdStatus params_begin_fill(ParamSet *params, Param *param, RsdError *err)
{
    (void)params;
    return param->passing ? mem_alloc(&param->tensor->data, (size_t)tensor_count(param->tensor), sizeof(float), err) : RSD_OK;
}

RsdStatus params_end_fill(ParamSet *params, Param *param, RsdStatus status, RsdError *err)
{
    float *data = param->tensor->data;

    if (!param->passing)
        return status;
    if (status == RSD_OK)
        status = params->take(params->take_ctx, param->tensor, err);
    if (param->tensor->data == data) /* kernels that read weights as they are have been given a copy */
        param->tensor->data = NULL;
    mem_free(&data);
    return status;
}

static RsdStatus full_name(char text[FULL_NAME_SIZE], const char *prefix, const char *name, RsdError *err)
{
    if (snprintf(text, FULL_NAME_SIZE, "%s%s", prefix, name) >= FULL_NAME_SIZE)
        return error_set(err, RSD_ERR_ARG, "parameter name %s%s is longer than %d characters", prefix, name,
                         FULL_NAME_SIZE - 1);
    return RSD_OK;
}

/* What is wrong with the file's array for this parameter, as words in `text`; false when nothing is. */
static bool find_mismatch(char *text, size_t size, const Param *param, const SafetensorsEntry *entry, const char *name)
{
    const Tensor *tensor = param->tensor;
    char found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];

    if (!entry) {
        if (param->training_only)
            return false;
        snprintf(text, size, "%s is missing", name);
        return true;
    }
    if (entry->n_dims == tensor->n_dims &&
        memcmp(entry->shape, tensor->shape, (size_t)tensor->n_dims * sizeof *tensor->shape) == 0)
        return false;
    snprintf(text, size, "%s is %s, expected %s", name, shape_text(found, entry->n_dims, entry->shape),
             shape_text(expected, tensor->n_dims, tensor->shape));
    return true;
}

/* Looks at every array before the first one is read, so that the message can list all that is wrong (as far as it fits). */
static RsdStatus check_arrays(const ParamSet *params, const Safetensors *st, const char *prefix, RsdError *err)
{
    char list[RSD_ERROR_TEXT_SIZE / 2] = "", name[FULL_NAME_SIZE];
    size_t used = 0, n_wrong = 0, n_listed = 0;

    for (size_t i = 0; i < params->n_items; i++) {
        char words[FULL_NAME_SIZE + 2 * SHAPE_TEXT_SIZE + 32];
        size_t len;
        RsdStatus status = full_name(name, prefix, params->items[i].name, err);

        if (status != RSD_OK)
            return status;
        if (!find_mismatch(words, sizeof words, &params->items[i], safetensors_find(st, name), name))
            continue;
        n_wrong++;
        len = strlen(words);
        if (used + len + 3 < sizeof list && n_listed + 1 == n_wrong) {
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? "; " : "", words);
            n_listed++;
        }
    }
    if (n_wrong == 0)
        return RSD_OK;
    if (n_listed < n_wrong)
        return error_set(err, RSD_ERR_CORRUPT, "%zu arrays do not fit the model: %s; and %zu more", n_wrong, list,
                         n_wrong - n_listed);
    return error_set(err, RSD_ERR_CORRUPT, "%zu arrays do not fit the model: %s", n_wrong, list);
}

RsdStatus params_load(ParamSet *params, const Safetensors *st, const char *prefix, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(check_arrays(params, st, prefix, err));
    for (size_t i = 0; i < params->n_items; i++) {
        char name[FULL_NAME_SIZE];
        const SafetensorsEntry *entry;

        TRY(full_name(name, prefix, params->items[i].name, err));
        entry = safetensors_find(st, name);
        if (entry && params->items[i].left_out) {
            TRY(safetensors_check_f32(st, entry, err));
        } else if (entry) {
            TRY(params_begin_fill(params, &params->items[i], err));
            status = safetensors_read_f32(st, entry, params->items[i].tensor->data, tensor_count(params->items[i].tensor), err);
            TRY(params_end_fill(params, &params->items[i], status, err));
        }
    }
fail:
    return status;
}

bool params_is_stored_as_bytes(const Param *param)
{
    const Tensor *tensor = param->tensor;
    const int64_t count = tensor_count(tensor);

    return tensor->n_dims >= 2 && param->trainable && !param->elementwise && !param->fine && count >= BYTES_FROM && count / tensor->shape[0] >= BYTES_ROW;
}

static RsdStatus save_one(const Param *param, SafetensorsWriter *writer, const char *name, Dtype stored_as, RsdError *err)
{
    const Tensor *tensor = param->tensor;

    if (param->training_only)
        stored_as = DTYPE_F32;
    if (stored_as == DTYPE_I8 && params_is_stored_as_bytes(param))
        return safetensors_writer_bytes(writer, name, tensor->n_dims, tensor->shape, tensor->data, err);
    return safetensors_writer_f32(writer, name, tensor->n_dims, tensor->shape, tensor->data,
                                  stored_as == DTYPE_I8 ? DTYPE_F16 : stored_as, err);
}

static RsdStatus save(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as,
                      bool with_training_state, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < params->n_items; i++) {
        const Param *param = &params->items[i];
        char name[FULL_NAME_SIZE];

        if (param->training_only && !with_training_state)
            continue;
        TRY(full_name(name, prefix, param->name, err));
        TRY(save_one(param, writer, name, stored_as, err));
    }
fail:
    return status;
}

RsdStatus params_save(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as, RsdError *err)
{
    return save(params, writer, prefix, stored_as, true, err);
}

RsdStatus params_save_for_inference(const ParamSet *params, SafetensorsWriter *writer, const char *prefix, Dtype stored_as,
                                    RsdError *err)
{
    return save(params, writer, prefix, stored_as, false, err);
}
