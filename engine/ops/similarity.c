/* similarity.c - comparisons of two arrays in blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/similarity.h"

#include "engine/kernels/picture.h"
#include "engine/kernels/spectrum.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/pointwise.h"

#define GRAD_CHUNK 1024

typedef struct PairwiseJob {
    const Kernels *kernels;
    const float *a, *b, *y, *dy;
    float *out, *da, *db;
    float c, alpha;
    int64_t count;
    bool is_length, add_a, add_b;
} PairwiseJob;

static void forward_block(void *ctx, int64_t i, int worker)
{
    const PairwiseJob *job = ctx;
    const int64_t at = i * POINT_BLOCK, n = point_block_len(job->count, i);

    (void)worker;
    if (job->is_length)
        job->kernels->spectrum->magnitude(job->a + at, job->b + at, 0.0f, job->out + at, n);
    else
        job->kernels->picture->dissimilarity(job->a + at, job->b + at, job->c, job->alpha, job->out + at, n);
}

static float *from(float *array, int64_t at)
{
    return array ? array + at : NULL;
}

/* The kernel writes both gradients the same way, so they pass through memory of their own. */
static void length_grad(const PairwiseJob *job, int64_t at, int64_t n)
{
    float da[GRAD_CHUNK], db[GRAD_CHUNK];

    for (int64_t end = at + n; at < end; at += GRAD_CHUNK) {
        const int64_t len = end - at < GRAD_CHUNK ? end - at : GRAD_CHUNK;

        job->kernels->spectrum->magnitude_grad(job->a + at, job->b + at, job->y + at, 0.0f, job->dy + at, da, db, len, false);
        if (job->da)
            job->kernels->point->scale(da, 1.0f, job->da + at, len, job->add_a);
        if (job->db)
            job->kernels->point->scale(db, 1.0f, job->db + at, len, job->add_b);
    }
}

static void backward_block(void *ctx, int64_t i, int worker)
{
    const PairwiseJob *job = ctx;
    const int64_t at = i * POINT_BLOCK, n = point_block_len(job->count, i);

    (void)worker;
    if (job->is_length)
        length_grad(job, at, n);
    else
        job->kernels->picture->dissimilarity_grad(job->a + at, job->b + at, job->c, job->alpha, job->dy + at,
                                                from(job->da, at), job->add_a, from(job->db, at), job->add_b, n);
}

/* With a and b the same tensor both places are one, written for a and then added to for b, element by element. */
static RsdStatus pairwise_backward(Tape *tape, Node *node, RsdError *err)
{
    PairwiseJob job = *(const PairwiseJob *)node->saved;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &job.da, &job.add_a, err));
    TRY(tape_grad(tape, node->in[1], &job.db, &job.add_b, err));
    if (job.da || job.db)
        threads_for(tape->threads, point_n_blocks(job.count), backward_block, &job);
fail:
    return status;
}

static RsdStatus pairwise(Tape *tape, PairwiseJob *job, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {a, b}, *result;
    PairwiseJob *saved = NULL;
    char text_a[SHAPE_TEXT_SIZE], text_b[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(tensor_same_shape(a, b), err, RSD_ERR_ARG, "a comparison needs two tensors of one shape, not %s and %s",
          shape_text(text_a, a->n_dims, a->shape), shape_text(text_b, b->n_dims, b->shape));
    TRY(tape_tensor(tape, &result, a->n_dims, a->shape, err));
    job->kernels = tape->kernels;
    job->a = a->data;
    job->b = b->data;
    job->y = job->out = result->data;
    job->count = tensor_count(a);
    threads_for(tape->threads, point_n_blocks(job->count), forward_block, job);
    if (tape_will_record(tape, 2, inputs)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = *job;
    }
    TRY(tape_record(tape, pairwise_backward, result, 2, inputs, saved, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_dissimilarity(Tape *tape, Tensor *a, Tensor *b, float c, float alpha, Tensor **y, RsdError *err)
{
    return pairwise(tape, &(PairwiseJob){.c = c, .alpha = alpha}, a, b, y, err);
}

RsdStatus op_length(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    return pairwise(tape, &(PairwiseJob){.is_length = true}, a, b, y, err);
}

RsdStatus op_max(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    Tensor *above;
    RsdStatus status = RSD_OK;

    TRY(op_sub(tape, a, b, &above, err));
    TRY(op_relu(tape, above, &above, err));
    TRY(op_add(tape, above, b, y, err));
fail:
    return status;
}
