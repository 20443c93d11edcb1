/* lowest.c - the mean of the smallest elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/lowest.h"

#include "engine/kernels/picture.h"

typedef struct LowestJob {
    const PictureKernels *picture;
    RsdThreads *threads;
    const float *x, *dy;
    float *out;
    float *limits; /* [rows]: the largest that counts */
    int64_t n, k;
    bool add;
} LowestJob;

static void lowest_row(void *ctx, int64_t i, int worker)
{
    const LowestJob *job = ctx;

    job->out[i] = job->picture->mean_lowest(job->x + i * job->n, job->n, job->k, threads_scratch(job->threads, worker),
                                          &job->limits[i]);
}

static void lowest_row_grad(void *ctx, int64_t i, int worker)
{
    const LowestJob *job = ctx;

    (void)worker;
    job->picture->mean_lowest_grad(job->x + i * job->n, job->n, job->k, job->limits[i], job->dy[i], job->out + i * job->n,
                                 job->add);
}

static RsdStatus lowest_backward(Tape *tape, Node *node, RsdError *err)
{
    LowestJob job = *(const LowestJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, node->in[0]->shape[0], lowest_row_grad, &job);
    return RSD_OK;
}

RsdStatus op_mean_lowest(Tape *tape, Tensor *x, int64_t k, Tensor **y, RsdError *err)
{
    LowestJob *job;
    Tensor *result;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 2 && k >= 1 && k <= x->shape[1], err, RSD_ERR_ARG, "the mean of the lowest %lld elements of rows of %s",
          (long long)k, shape_text(text, x->n_dims, x->shape));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    TRY(arena_alloc(tape->arena, &job->limits, (size_t)x->shape[0], sizeof(float), err));
    TRY(tape_tensor(tape, &result, 1, x->shape, err));
    job->picture = tape->kernels->picture;
    job->threads = tape->threads;
    job->x = x->data;
    job->out = result->data;
    job->n = x->shape[1];
    job->k = k;
    TRY(threads_scratch_reserve(tape->threads, (size_t)job->n * sizeof(float), err));
    threads_for(tape->threads, x->shape[0], lowest_row, job);
    TRY(tape_record(tape, lowest_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}
