/* rows_shape.c - rows of ops that move elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/pad.h"
#include "engine/ops/shape.h"
#include "tests/engine/op_table.h"

static RsdStatus apply_reshape(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_reshape(tape, in[0], 2, (int64_t[]){-1, in[0]->shape[2]}, y, err);
}

static void reshape_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    double *out = op_array_shape(y, 2, (int64_t[]){in[0].shape[0] * in[0].shape[1], in[0].shape[2]});

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        out[i] = in[0].data[i];
}

static RsdStatus apply_transpose(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_transpose(tape, in[0], y, err);
}

static void transpose_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t *s = in[0].shape;
    double *out = op_array_shape(y, 3, (int64_t[]){s[0], s[2], s[1]});

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        out[i / (s[1] * s[2]) * s[1] * s[2] + i % s[2] * s[1] + i / s[2] % s[1]] = in[0].data[i];
}

static RsdStatus apply_concat(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_concat(tape, row->n_inputs, in, (int)row->scalar, y, err);
}

static void concat_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int axis = (int)row->scalar < 0 ? (int)row->scalar + in[0].n_dims : (int)row->scalar;
    int64_t shape[TENSOR_MAX_DIMS], inner = 1, before = 0;
    double *out;

    for (int k = 0; k < in[0].n_dims; k++)
        shape[k] = in[0].shape[k];
    for (int k = axis + 1; k < in[0].n_dims; k++)
        inner *= shape[k];
    for (int n = 1; n < row->n_inputs; n++)
        shape[axis] += in[n].shape[axis];
    out = op_array_shape(y, in[0].n_dims, shape);
    for (int n = 0; n < row->n_inputs; n++) {
        const int64_t len = in[n].shape[axis];

        for (int64_t i = 0; i < in[n].count; i++)
            out[(i / (len * inner) * shape[axis] + before + i / inner % len) * inner + i % inner] = in[n].data[i];
        before += len;
    }
}

typedef struct SliceCall {
    int axis;
    int64_t start, len;
} SliceCall;

static RsdStatus apply_slice(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const SliceCall *s = row->attributes;

    return op_slice(tape, in[0], s->axis, s->start, s->len, y, err);
}

static void slice_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const SliceCall *s = row->attributes;
    const int axis = s->axis < 0 ? s->axis + in[0].n_dims : s->axis;
    int64_t shape[TENSOR_MAX_DIMS], inner = 1;
    double *out;

    for (int k = 0; k < in[0].n_dims; k++)
        shape[k] = k == axis ? s->len : in[0].shape[k];
    for (int k = axis + 1; k < in[0].n_dims; k++)
        inner *= shape[k];
    out = op_array_shape(y, in[0].n_dims, shape);
    for (int64_t i = 0; i < y->count; i++)
        out[i] = in[0].data[(i / (s->len * inner) * in[0].shape[axis] + s->start + i / inner % s->len) * inner + i % inner];
}

typedef struct PadCall {
    int64_t left, right;
    PadMode mode;
} PadCall;

static RsdStatus apply_pad(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const PadCall *p = row->attributes;

    return op_pad(tape, in[0], p->left, p->right, p->mode, y, err);
}

static void pad_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const PadCall *p = row->attributes;
    const int64_t n = in[0].shape[2], padded = p->left + n + p->right;
    double *out = op_array_shape(y, 3, (int64_t[]){in[0].shape[0], in[0].shape[1], padded});

    for (int64_t i = 0; i < y->count; i++) {
        int64_t at = i % padded - p->left;
        const bool inside = at >= 0 && at < n;

        if (p->mode == PAD_REFLECT)
            at = at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at;
        else
            at = at < 0 ? 0 : at >= n ? n - 1 : at;
        out[i] = inside || p->mode != PAD_ZERO ? in[0].data[i / padded * n + at] : 0;
    }
}

#define MOVE(label, op)                                                                                                \
    .name = label, .n_inputs = 1, .in = {{3, {3, 5, 23}, {8, 64, 4000}, -1, 1, false}}, .apply = apply_##op,           \
    .reference = op##_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-6

#define SLICE(label, ...) {MOVE(label, slice), .attributes = &(const SliceCall){__VA_ARGS__}}
#define PAD(label, ...) {MOVE(label, pad), .attributes = &(const PadCall){__VA_ARGS__}}

#define CONCAT(label, axis, n, ...)                                                                                    \
    {.name = label, .n_inputs = n, .in = {__VA_ARGS__}, .scalar = axis, .apply = apply_concat,                         \
     .reference = concat_in_double, .value_tolerance = 1e-7, .gradient_tolerance = 1e-6}

const OpRow op_rows_shape[] = {
    {MOVE("reshape", reshape)},
    {MOVE("transpose", transpose)},
    CONCAT("concat channels", 1, 2, {3, {2, 3, 17}, {8, 32, 4000}, -1, 1, false}, {3, {2, 1, 17}, {8, 16, 4000}, -1, 1, false}),
    CONCAT("concat time", -1, 3, {3, {2, 3, 17}, {8, 32, 2000}, -1, 1, false}, {3, {2, 3, 1}, {8, 32, 100}, -1, 1, false},
           {3, {2, 3, 8}, {8, 32, 2000}, -1, 1, false}),
    CONCAT("concat five along the batch", 0, 5, {2, {1, 9}, {4, 8000}, -1, 1, false}, {2, {2, 9}, {4, 8000}, -1, 1, false},
           {2, {1, 9}, {4, 8000}, -1, 1, false}, {2, {3, 9}, {4, 8000}, -1, 1, false}, {2, {1, 9}, {4, 8000}, -1, 1, false}),
    SLICE("slice of items", 0, 1, 2),
    SLICE("slice of channels", 1, 2, 3),
    SLICE("slice of time", -1, 4, 11),
    SLICE("slice to the end", 2, 20, 3),
    PAD("pad with zeros", 3, 5, PAD_ZERO),
    PAD("pad by reflection", 22, 7, PAD_REFLECT),
    PAD("pad by replication", 4, 1, PAD_REPLICATE),
    PAD("pad on the right only", 0, 6, PAD_REFLECT),
    {.name = NULL},
};
