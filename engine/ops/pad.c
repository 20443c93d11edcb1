/* pad.c - padding of the last axis with zeros, a mirror image or the end points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/pad.h"

#include <string.h>

#include "engine/ops/pointwise.h"

typedef struct PadJob {
    const PointKernels *point;
    const float *src;
    float *dst;
    int64_t n, left, right;
    PadMode mode;
    bool add;
} PadJob;

static void pad_row(void *ctx, int64_t i, int worker)
{
    const PadJob *job = ctx;
    const int64_t n = job->n, left = job->left, right = job->right;
    const float *x = job->src + i * n;
    float *y = job->dst + i * (left + n + right);

    (void)worker;
    job->point->scale(x, 1.0f, y + left, n, false);
    if (job->mode == PAD_REFLECT) {
        job->point->reverse(x + 1, y, left, false);
        job->point->reverse(x + n - 1 - right, y + left + n, right, false);
    } else {
        job->point->fill(y, job->mode == PAD_REPLICATE ? x[0] : 0.0f, left, false);
        job->point->fill(y + left + n, job->mode == PAD_REPLICATE ? x[n - 1] : 0.0f, right, false);
    }
}

static void pad_grad_row(void *ctx, int64_t i, int worker)
{
    const PadJob *job = ctx;
    const int64_t n = job->n, left = job->left, right = job->right;
    const float *dy = job->src + i * (left + n + right);
    float *dx = job->dst + i * n;

    (void)worker;
    job->point->scale(dy + left, 1.0f, dx, n, job->add);
    if (job->mode == PAD_REFLECT) {
        job->point->reverse(dy, dx + 1, left, true);
        job->point->reverse(dy + left + n, dx + n - 1 - right, right, true);
    } else if (job->mode == PAD_REPLICATE) {
        const double first = job->point->sum(dy, left), last = job->point->sum(dy + left + n, right);

        job->point->settle(&first, 1.0, dx, 1, true);
        job->point->settle(&last, 1.0, dx + n - 1, 1, true);
    }
}

static RsdStatus pad_backward(Tape *tape, Node *node, RsdError *err)
{
    PadJob job = *(const PadJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dst, &job.add, err);

    if (status != RSD_OK || !job.dst)
        return status;
    job.src = node->out->grad;
    threads_for(tape->threads, job.n ? tensor_count(node->in[0]) / job.n : 0, pad_grad_row, &job);
    return RSD_OK;
}

RsdStatus op_pad(Tape *tape, Tensor *x, int64_t left, int64_t right, PadMode mode, Tensor **y, RsdError *err)
{
    PadJob *job;
    int64_t shape[TENSOR_MAX_DIMS], n, rows = 1;
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    shape_text(text, x->n_dims, x->shape);
    CHECK(x->n_dims >= 1 && left >= 0 && right >= 0 && left <= TENSOR_MAX_ELEMENTS && right <= TENSOR_MAX_ELEMENTS, err,
          RSD_ERR_ARG, "cannot pad %s by %lld and %lld", text, (long long)left, (long long)right);
    n = x->shape[x->n_dims - 1];
    CHECK(mode == PAD_ZERO || (mode == PAD_REPLICATE && n >= 1) || (mode == PAD_REFLECT && n > left && n > right), err,
          RSD_ERR_ARG, "%s is too short to %s %lld and %lld elements", text,
          mode == PAD_REFLECT ? "reflect" : "replicate", (long long)left, (long long)right);
    memcpy(shape, x->shape, sizeof shape);
    shape[x->n_dims - 1] = left + n + right;
    for (int i = 0; i < x->n_dims - 1; i++)
        rows *= x->shape[i];
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (PadJob){.point = tape->kernels->point, .src = x->data, .dst = result->data, .n = n, .left = left,
                    .right = right, .mode = mode};
    threads_for(tape->threads, rows, pad_row, job);
    TRY(tape_record(tape, pad_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}
