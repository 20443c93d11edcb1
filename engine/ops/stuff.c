/* stuff.c - zeros between samples.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/stuff.h"

#include <string.h>

#include "engine/kernels/picture.h"

typedef struct StuffJob {
    const PictureKernels *picture;
    const float *in;
    float *out;
    int64_t h, w, h_out, w_out;
    bool add;
} StuffJob;

/* Task i is row i of all planes of the output. */
static void stuff_row(void *ctx, int64_t i, int worker)
{
    const StuffJob *job = ctx;
    const int64_t row = i % job->h_out, plane = i / job->h_out, n = (job->w_out + 1) / 2;
    float *y = job->out + i * job->w_out;

    (void)worker;
    memset(y, 0, (size_t)job->w_out * sizeof *y);
    if (row % 2 == 0 && row / 2 < job->h)
        job->picture->spread_row(job->in + (plane * job->h + row / 2) * job->w, y, n < job->w ? n : job->w);
}

/* Task i is row i of all planes of x. */
static void stuff_row_grad(void *ctx, int64_t i, int worker)
{
    const StuffJob *job = ctx;
    const int64_t row = i % job->h, plane = i / job->h, n = (job->w_out + 1) / 2;
    const int64_t n_used = 2 * row >= job->h_out ? 0 : n < job->w ? n : job->w;
    float *dx = job->out + i * job->w;

    (void)worker;
    if (!job->add)
        memset(dx + n_used, 0, (size_t)(job->w - n_used) * sizeof *dx);
    if (n_used)
        job->picture->filter_row(job->in + (plane * job->h_out + 2 * row) * job->w_out, &(const float){1.0f}, 1, 2, dx, n_used,
                               job->add);
}

static RsdStatus stuff_backward(Tape *tape, Node *node, RsdError *err)
{
    StuffJob job = *(const StuffJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.in = node->out->grad;
    threads_for(tape->threads, tensor_count(node->in[0]) / job.w, stuff_row_grad, &job);
    return RSD_OK;
}

RsdStatus op_stuff(Tape *tape, Tensor *x, int64_t h_out, int64_t w_out, Tensor **y, RsdError *err)
{
    StuffJob job = {.picture = tape->kernels->picture, .in = x->data, .h_out = h_out, .w_out = w_out}, *saved = NULL;
    int64_t shape[TENSOR_MAX_DIMS];
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims >= 2 && tensor_count(x) > 0 && h_out >= 1 && w_out >= 1, err, RSD_ERR_ARG,
          "zeros between the samples of %s, up to %lld x %lld", shape_text(text, x->n_dims, x->shape), (long long)w_out,
          (long long)h_out);
    memcpy(shape, x->shape, sizeof shape);
    job.h = shape[x->n_dims - 2];
    job.w = shape[x->n_dims - 1];
    shape[x->n_dims - 2] = h_out;
    shape[x->n_dims - 1] = w_out;
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    job.out = result->data;
    threads_for(tape->threads, tensor_count(result) / w_out, stuff_row, &job);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, stuff_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
