/* tensor.h - float32 arrays with a shape, and optionally a gradient of the same shape.
 *
 * Data are contiguous in C order: the last axis varies fastest. Audio is [batch, channels, time], pictures are
 * [batch, channels, height, width]. A tensor's memory belongs either to a counted buffer (weights, state; views share it)
 * or to the arena of a tape (everything computed in a step). Only kernels read or write `data` and `grad`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TENSOR_H
#define RESIDUA_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

#define TENSOR_MAX_DIMS 5
#define TENSOR_MAX_ELEMENTS ((int64_t)1 << 40)

typedef struct TensorBuffer TensorBuffer;

typedef struct Tensor {
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    bool needs_grad; /* a tape records what is computed from it */
    float *data;
    float *grad;          /* NULL: no gradient has reached it (see tape_grad) */
    TensorBuffer *buffer; /* NULL: the memory is the arena's */
    const void *prepared; /* of a weight that no longer changes: a copy in the order a kernel reads (conv1d_prepare), or NULL */
} Tensor;

/* New zeroed tensor with its own counted buffer. Errors: RSD_ERR_ARG for a bad shape, RSD_ERR_MEMORY.
 * The same as tensor_create, with a zeroed persistent gradient and needs_grad set, for parameters: tensor_create_param. */
RsdStatus tensor_create(Tensor **out, int n_dims, const int64_t *shape, RsdError *err);
RsdStatus tensor_create_param(Tensor **out, int n_dims, const int64_t *shape, RsdError *err);
/* Gives up this handle; the buffer goes when its last handle goes. Accepts NULL inside. Never for arena tensors. */
void tensor_destroy(Tensor **tensor);
/* Another handle on the same counted buffer (data and gradient) with another shape of equal element count. */
RsdStatus tensor_view(Tensor **out, const Tensor *tensor, int n_dims, const int64_t *shape, RsdError *err);

int64_t tensor_count(const Tensor *tensor); /* number of elements */
bool tensor_same_shape(const Tensor *a, const Tensor *b);

/* Product of the dimensions, or RSD_ERR_ARG when one is negative, n_dims is out of range or the product is too large. */
RsdStatus shape_count(int64_t *out, int n_dims, const int64_t *shape, RsdError *err);

#define SHAPE_TEXT_SIZE 96
/* "[2, 16, 320]" for error messages; returns `text`. */
const char *shape_text(char text[SHAPE_TEXT_SIZE], int n_dims, const int64_t *shape);

#endif
