/* shape.c - reshape, transpose, concatenation and slices.
 *
 * Concatenation and slicing move strips: with the axis at [outer, len, inner], the part of one outer index is one
 * contiguous strip of len * inner elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/shape.h"

#include <string.h>

#include "engine/ops/axis.h"
#include "engine/ops/pointwise.h"

static RsdStatus reshape_backward(Tape *tape, Node *node, RsdError *err)
{
    return tape_grad_pass(tape, node, node->in[0], err);
}

RsdStatus op_reshape(Tape *tape, Tensor *x, int n_dims, const int64_t *shape, Tensor **y, RsdError *err)
{
    int64_t resolved[TENSOR_MAX_DIMS], known = 1, count;
    int open = -1;
    char from[SHAPE_TEXT_SIZE], to[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    CHECK(n_dims >= 0 && n_dims <= TENSOR_MAX_DIMS, err, RSD_ERR_ARG, "reshape to %d axes; 0 to %d are possible", n_dims,
          TENSOR_MAX_DIMS);
    for (int i = 0; i < n_dims; i++) {
        resolved[i] = shape[i];
        if (shape[i] == -1 && open < 0)
            open = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known))
            known = 0; /* refused below, or empty like x */
    }
    if (open >= 0)
        resolved[open] = known > 0 ? tensor_count(x) / known : 0;
    status = shape_count(&count, n_dims, resolved, NULL);
    CHECK(status == RSD_OK && count == tensor_count(x), err, RSD_ERR_ARG, "cannot reshape %s to %s",
          shape_text(from, x->n_dims, x->shape), shape_text(to, n_dims, shape));
    TRY(tape_leaf(tape, x, false, &result, err));
    result->n_dims = n_dims;
    memcpy(result->shape, resolved, (size_t)n_dims * sizeof *shape);
    TRY(tape_record(tape, reshape_backward, result, 1, &x, NULL, err));
    *y = result;
fail:
    return status;
}

#define TRANSPOSE_ROWS 64 /* rows of one task: 64 floats are four cache lines of the destination */

typedef struct TransposeJob {
    const PointKernels *point;
    const float *src;
    float *dst;
    int64_t batch, rows, cols, n_strips;
    bool add;
} TransposeJob;

static void transpose_task(void *ctx, int64_t i, int worker)
{
    const TransposeJob *job = ctx;
    const int64_t first = i % job->n_strips * TRANSPOSE_ROWS, left = job->rows - first;
    const int64_t at = i / job->n_strips * job->rows * job->cols;

    (void)worker;
    job->point->transpose(job->src + at + first * job->cols, left < TRANSPOSE_ROWS ? left : TRANSPOSE_ROWS, job->cols,
                          job->cols, job->dst + at + first, job->rows, job->add);
}

static void transpose_all(Tape *tape, const float *src, float *dst, int64_t batch, int64_t rows, int64_t cols, bool add)
{
    TransposeJob job = {.point = tape->kernels->point, .src = src, .dst = dst, .batch = batch, .rows = rows, .cols = cols,
                        .n_strips = (rows + TRANSPOSE_ROWS - 1) / TRANSPOSE_ROWS, .add = add};

    threads_for(tape->threads, batch * job.n_strips, transpose_task, &job);
}

static int64_t batch_of(const Tensor *x)
{
    int64_t batch = 1;

    for (int i = 0; i < x->n_dims - 2; i++)
        batch *= x->shape[i];
    return batch;
}

static RsdStatus transpose_backward(Tape *tape, Node *node, RsdError *err)
{
    Tensor *y = node->out;
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status == RSD_OK && dx)
        transpose_all(tape, y->grad, dx, batch_of(y), y->shape[y->n_dims - 2], y->shape[y->n_dims - 1], add);
    return status;
}

RsdStatus op_transpose(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    int64_t shape[TENSOR_MAX_DIMS];
    char text[SHAPE_TEXT_SIZE];
    const int n = x->n_dims;
    Tensor *result;
    RsdStatus status = RSD_OK;

    CHECK(n >= 2, err, RSD_ERR_ARG, "cannot transpose %s: two axes are needed", shape_text(text, n, x->shape));
    memcpy(shape, x->shape, sizeof shape);
    shape[n - 2] = x->shape[n - 1];
    shape[n - 1] = x->shape[n - 2];
    TRY(tape_tensor(tape, &result, n, shape, err));
    transpose_all(tape, x->data, result->data, batch_of(x), x->shape[n - 2], x->shape[n - 1], false);
    TRY(tape_record(tape, transpose_backward, result, 1, &x, NULL, err));
    *y = result;
fail:
    return status;
}

/* Strips of `len` elements, one per outer index, between two arrays of different pitch; long strips are cut in blocks. */
typedef struct StripJob {
    const PointKernels *point;
    const float *src;
    float *dst;
    int64_t len, src_pitch, dst_pitch, n_blocks;
    bool add;
} StripJob;

static void strip_task(void *ctx, int64_t i, int worker)
{
    const StripJob *job = ctx;
    const int64_t outer = i / job->n_blocks, block = i % job->n_blocks, at = block * POINT_BLOCK;

    (void)worker;
    job->point->scale(job->src + outer * job->src_pitch + at, 1.0f, job->dst + outer * job->dst_pitch + at,
                      point_block_len(job->len, block), job->add);
}

static void move_strips(Tape *tape, const float *src, int64_t src_pitch, float *dst, int64_t dst_pitch, int64_t len,
                        int64_t outer, bool add)
{
    StripJob job = {.point = tape->kernels->point, .src = src, .dst = dst, .len = len, .src_pitch = src_pitch,
                    .dst_pitch = dst_pitch, .n_blocks = point_n_blocks(len), .add = add};

    threads_for(tape->threads, outer * job.n_blocks, strip_task, &job);
}

static RsdStatus concat_backward(Tape *tape, Node *node, RsdError *err)
{
    const AxisView *out = node->saved;
    int64_t at = 0;

    for (int i = 0; i < node->n_inputs; i++) {
        Tensor *x = node->in[i];
        const int64_t len = x->shape[out->axis] * out->inner;
        float *dx;
        bool add;
        RsdStatus status = tape_grad(tape, x, &dx, &add, err);

        if (status != RSD_OK)
            return status;
        if (dx)
            move_strips(tape, node->out->grad + at, out->len * out->inner, dx, len, len, out->outer, add);
        at += len;
    }
    return RSD_OK;
}

RsdStatus op_concat(Tape *tape, int n_inputs, Tensor *const *x, int axis, Tensor **y, RsdError *err)
{
    int64_t shape[TENSOR_MAX_DIMS], at = 0;
    char text[SHAPE_TEXT_SIZE], text_first[SHAPE_TEXT_SIZE];
    AxisView *view;
    Tensor *result;
    RsdStatus status = RSD_OK;

    CHECK(n_inputs >= 1, err, RSD_ERR_ARG, "nothing to concatenate");
    TRY(arena_alloc(tape->arena, &view, 1, sizeof *view, err));
    TRY(axis_view(view, x[0], axis, err));
    memcpy(shape, x[0]->shape, sizeof shape);
    for (int i = 1; i < n_inputs; i++) {
        bool fits = x[i]->n_dims == x[0]->n_dims;

        for (int k = 0; fits && k < x[0]->n_dims; k++)
            fits = k == view->axis || x[i]->shape[k] == x[0]->shape[k];
        CHECK(fits, err, RSD_ERR_ARG, "cannot put %s behind %s along axis %d",
              shape_text(text, x[i]->n_dims, x[i]->shape), shape_text(text_first, x[0]->n_dims, x[0]->shape), axis);
        shape[view->axis] += x[i]->shape[view->axis];
    }
    view->len = shape[view->axis];
    TRY(tape_tensor(tape, &result, x[0]->n_dims, shape, err));
    for (int i = 0; i < n_inputs; i++) {
        const int64_t len = x[i]->shape[view->axis] * view->inner;

        move_strips(tape, x[i]->data, len, result->data + at, view->len * view->inner, len, view->outer, false);
        at += len;
    }
    TRY(tape_record(tape, concat_backward, result, n_inputs, x, view, err));
    *y = result;
fail:
    return status;
}

typedef struct SliceSaved {
    AxisView view;
    int64_t start, len;
} SliceSaved;

static RsdStatus slice_backward(Tape *tape, Node *node, RsdError *err)
{
    const SliceSaved *s = node->saved;
    const AxisView *v = &s->view;
    const int64_t pitch = v->len * v->inner, len = s->len * v->inner, before = s->start * v->inner;
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status != RSD_OK || !dx)
        return status;
    move_strips(tape, node->out->grad, len, dx + before, pitch, len, v->outer, add);
    for (int64_t outer = 0; !add && outer < v->outer; outer++) {
        float *strip = dx + outer * pitch;

        tape->kernels->point->fill(strip, 0.0f, before, false);
        tape->kernels->point->fill(strip + before + len, 0.0f, pitch - before - len, false);
    }
    return RSD_OK;
}

RsdStatus op_slice(Tape *tape, Tensor *x, int axis, int64_t start, int64_t len, Tensor **y, RsdError *err)
{
    SliceSaved *saved;
    int64_t shape[TENSOR_MAX_DIMS];
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
    TRY(axis_view(&saved->view, x, axis, err));
    CHECK(start >= 0 && len >= 0 && start <= saved->view.len && len <= saved->view.len - start, err, RSD_ERR_ARG,
          "cannot take %lld elements from %lld of axis %d of %s", (long long)len, (long long)start, axis,
          shape_text(text, x->n_dims, x->shape));
    saved->start = start;
    saved->len = len;
    memcpy(shape, x->shape, sizeof shape);
    shape[saved->view.axis] = len;
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    move_strips(tape, x->data + start * saved->view.inner, saved->view.len * saved->view.inner, result->data,
                len * saved->view.inner, len * saved->view.inner, saved->view.outer, false);
    TRY(tape_record(tape, slice_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
