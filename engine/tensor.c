/* tensor.c - shapes, counted buffers and views.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/tensor.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

struct TensorBuffer {
    _Atomic int n_handles;
    float *data, *grad;
};

RsdStatus shape_count(int64_t *out, int n_dims, const int64_t *shape, RsdError *err)
{
    int64_t count = 1;
    char text[SHAPE_TEXT_SIZE];

    if (n_dims < 0 || n_dims > TENSOR_MAX_DIMS)
        return error_set(err, RSD_ERR_ARG, "%d dimensions; 0 to %d are possible", n_dims, TENSOR_MAX_DIMS);
    for (int i = 0; i < n_dims; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(count, shape[i], &count) || count > TENSOR_MAX_ELEMENTS)
            return error_set(err, RSD_ERR_ARG, "impossible shape %s", shape_text(text, n_dims, shape));
    *out = count;
    return RSD_OK;
}

const char *shape_text(char text[SHAPE_TEXT_SIZE], int n_dims, const int64_t *shape)
{
    size_t used = 1;

    strcpy(text, "[");
    for (int i = 0; i < n_dims && used < SHAPE_TEXT_SIZE - 2; i++)
        used += (size_t)snprintf(text + used, SHAPE_TEXT_SIZE - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (used > SHAPE_TEXT_SIZE - 2)
        used = SHAPE_TEXT_SIZE - 2;
    strcpy(text + used, "]");
    return text;
}

static void release_buffer(TensorBuffer *buffer)
{
    if (!buffer || atomic_fetch_sub(&buffer->n_handles, 1) > 1)
        return;
    mem_free(&buffer->data);
    mem_free(&buffer->grad);
    mem_free(&buffer);
}

static RsdStatus create(Tensor **out, int n_dims, const int64_t *shape, bool with_grad, RsdError *err)
{
    Tensor *tensor = NULL;
    int64_t count;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(shape_count(&count, n_dims, shape, err));
    TRY(mem_calloc(&tensor, 1, sizeof *tensor, err));
    TRY(mem_calloc(&tensor->buffer, 1, sizeof *tensor->buffer, err));
    tensor->buffer->n_handles = 1;
    TRY(mem_calloc(&tensor->buffer->data, (size_t)count, sizeof(float), err));
    if (with_grad)
        TRY(mem_calloc(&tensor->buffer->grad, (size_t)count, sizeof(float), err));
    tensor->n_dims = n_dims;
    if (n_dims > 0) /* no axes: shape may be NULL */
        memcpy(tensor->shape, shape, (size_t)n_dims * sizeof *shape);
    tensor->data = tensor->buffer->data;
    tensor->grad = tensor->buffer->grad;
    tensor->needs_grad = with_grad;
    *out = tensor;
    return RSD_OK;
fail:
    tensor_destroy(&tensor);
    return status;
}

RsdStatus tensor_create(Tensor **out, int n_dims, const int64_t *shape, RsdError *err)
{
    return create(out, n_dims, shape, false, err);
}

RsdStatus tensor_create_param(Tensor **out, int n_dims, const int64_t *shape, RsdError *err)
{
    return create(out, n_dims, shape, true, err);
}

void tensor_destroy(Tensor **tensor)
{
    if (!*tensor)
        return;
    release_buffer((*tensor)->buffer);
    mem_free(tensor);
}

RsdStatus tensor_view(Tensor **out, const Tensor *tensor, int n_dims, const int64_t *shape, RsdError *err)
{
    int64_t count;
    Tensor *view = NULL;
    char from[SHAPE_TEXT_SIZE], to[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(shape_count(&count, n_dims, shape, err));
    CHECK(tensor->buffer && count == tensor_count(tensor), err, RSD_ERR_ARG, "cannot view %s as %s",
          shape_text(from, tensor->n_dims, tensor->shape), shape_text(to, n_dims, shape));
    TRY(mem_alloc(&view, 1, sizeof *view, err));
    *view = *tensor;
    view->prepared = NULL;
    view->n_dims = n_dims;
    if (n_dims > 0)
        memcpy(view->shape, shape, (size_t)n_dims * sizeof *shape);
    atomic_fetch_add(&view->buffer->n_handles, 1);
    *out = view;
fail:
    return status;
}

int64_t tensor_count(const Tensor *tensor)
{
    int64_t count = 1;

    for (int i = 0; i < tensor->n_dims; i++)
        count *= tensor->shape[i];
    return count;
}

bool tensor_same_shape(const Tensor *a, const Tensor *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, (size_t)a->n_dims * sizeof *a->shape) == 0;
}
