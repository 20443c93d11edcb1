/* surrogate.c - rounding and clipping that let a gradient through.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/surrogate.h"

#include "engine/ops/pointwise.h"

typedef struct SurrogateJob {
    const PictureKernels *picture;
    Surrogate what;
    const float *x, *dy;
    float *out;
    int64_t count;
    bool add;
} SurrogateJob;

static void forward_block(void *ctx, int64_t i, int worker)
{
    const SurrogateJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->picture->surrogate(&job->what, job->x + at, job->out + at, point_block_len(job->count, i));
}

static void backward_block(void *ctx, int64_t i, int worker)
{
    const SurrogateJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->picture->surrogate_grad(&job->what, job->x + at, job->dy + at, job->out + at, point_block_len(job->count, i),
                                 job->add);
}

static RsdStatus surrogate_backward(Tape *tape, Node *node, RsdError *err)
{
    SurrogateJob job = *(const SurrogateJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, point_n_blocks(job.count), backward_block, &job);
    return RSD_OK;
}

RsdStatus op_surrogate(Tape *tape, const Surrogate *what, Tensor *x, Tensor **y, RsdError *err)
{
    SurrogateJob job = {.picture = tape->kernels->picture, .what = *what, .x = x->data, .count = tensor_count(x)};
    SurrogateJob *saved = NULL;
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    job.out = result->data;
    threads_for(tape->threads, point_n_blocks(job.count), forward_block, &job);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, surrogate_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
