/* feature_distance.c - comparisons of features, in blocks of places.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/feature_distance.h"

#include <string.h>

#include "engine/kernels/gemm.h"
#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

typedef struct UnitJob {
    const PictureKernels *picture;
    const float *x, *y, *w, *dvalue;
    float *dy;
    double *partial;
    int64_t batch, channels, count, n_blocks; /* count: places of a picture */
    bool add;
} UnitJob;

static int64_t block_len(const UnitJob *job, int64_t block)
{
    const int64_t left = job->count - block * PICTURE_PLACES;

    return left < PICTURE_PLACES ? left : PICTURE_PLACES;
}

static void unit_block(void *ctx, int64_t i, int worker)
{
    const UnitJob *job = ctx;
    const int64_t block = i % job->n_blocks, at = i / job->n_blocks * job->channels * job->count + block * PICTURE_PLACES;

    (void)worker;
    job->partial[i] = job->picture->unit_distance(job->x + at, job->y + at, job->w, job->channels, job->count,
                                                  block_len(job, block), 0.0f, NULL, false);
}

static void unit_grad_block(void *ctx, int64_t i, int worker)
{
    const UnitJob *job = ctx;
    const int64_t picture = i / job->n_blocks, block = i % job->n_blocks;
    const int64_t at = picture * job->channels * job->count + block * PICTURE_PLACES;

    (void)worker;
    job->picture->unit_distance(job->x + at, job->y + at, job->w, job->channels, job->count, block_len(job, block),
                                (float)((double)job->dvalue[picture] / (double)job->count), job->dy + at, job->add);
}

static RsdStatus unit_backward(Tape *tape, Node *node, RsdError *err)
{
    UnitJob job = *(const UnitJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dy, &job.add, err);

    if (status != RSD_OK || !job.dy)
        return status;
    job.dvalue = node->out->grad;
    threads_for(tape->threads, job.batch * job.n_blocks, unit_grad_block, &job);
    return RSD_OK;
}

RsdStatus op_unit_distance(Tape *tape, Tensor *x, Tensor *y, const Tensor *w, Tensor **value, RsdError *err)
{
    UnitJob *job;
    Tensor *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_same_shape(x, y) && tensor_count(x) > 0 && tensor_count(w) == x->shape[1], err, RSD_ERR_ARG,
          "features %s and %s with %lld weights cannot be compared", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_y, y->n_dims, y->shape), (long long)tensor_count(w));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (UnitJob){.picture = tape->kernels->picture, .x = x->data, .y = y->data, .w = w->data, .batch = x->shape[0],
                     .channels = x->shape[1], .count = x->shape[2] * x->shape[3]};
    job->n_blocks = (job->count + PICTURE_PLACES - 1) / PICTURE_PLACES;
    TRY(tape_tensor(tape, &result, 1, x->shape, err));
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)(job->batch * job->n_blocks), sizeof(double), err));
    threads_for(tape->threads, job->batch * job->n_blocks, unit_block, job);
    for (int64_t i = 0; i < job->batch; i++) {
        double total = 0.0;

        for (int64_t k = 0; k < job->n_blocks; k++)
            total += job->partial[i * job->n_blocks + k];
        tape->kernels->point->settle(&total, 1.0 / (double)job->count, result->data + i, 1, false);
    }
    TRY(tape_record(tape, unit_backward, result, 1, &y, job, err));
    *value = result;
fail:
    return status;
}

/* --- Gram matrices ------------------------------------------------------------------------------------------------------ */

/* Places are cut into pieces whose products are added in order, so that threads share the work and the bits stay. */
#define GRAM_PIECE 4096

typedef struct GramJob {
    const GemmKernels *gemm;
    const float *x;
    float *pieces; /* [pieces of one picture, C, C] */
    int64_t channels, count;
} GramJob;

static void gram_piece(void *ctx, int64_t i, int worker)
{
    const GramJob *job = ctx;
    const int64_t left = job->count - i * GRAM_PIECE;
    const float *x = job->x + i * GRAM_PIECE;

    (void)worker;
    job->gemm->product(&(GemmJob){.transpose_b = true, .m = job->channels, .n = job->channels,
                                  .k = left < GRAM_PIECE ? left : GRAM_PIECE, .a = x, .lda = job->count, .b = x,
                                  .ldb = job->count, .c = job->pieces + i * job->channels * job->channels,
                                  .ldc = job->channels});
}

typedef struct GramGrad {
    const GemmKernels *gemm;
    const float *x, *sides; /* dG + dG^T, scaled */
    float *dx;
    int64_t channels, count;
    bool add;
} GramGrad;

static void gram_grad_piece(void *ctx, int64_t i, int worker)
{
    const GramGrad *job = ctx;
    const int64_t left = job->count - i * GRAM_PIECE;

    (void)worker;
    job->gemm->product(&(GemmJob){.add = job->add, .m = job->channels, .n = left < GRAM_PIECE ? left : GRAM_PIECE,
                                  .k = job->channels, .a = job->sides, .lda = job->channels, .b = job->x + i * GRAM_PIECE,
                                  .ldb = job->count, .c = job->dx + i * GRAM_PIECE, .ldc = job->count});
}

static RsdStatus gram_backward(Tape *tape, Node *node, RsdError *err)
{
    const Tensor *x = node->in[0];
    const int64_t c = x->shape[1], count = x->shape[2] * x->shape[3], n_pieces = (count + GRAM_PIECE - 1) / GRAM_PIECE;
    const float scale = (float)(1.0 / ((double)c * (double)count));
    float *dx, *sides;
    bool add;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &dx, &add, err));
    if (!dx)
        return RSD_OK;
    TRY(arena_alloc(tape->arena, &sides, (size_t)(c * c), sizeof(float), err));
    for (int64_t b = 0; b < x->shape[0]; b++) {
        GramGrad job = {tape->kernels->gemm, x->data + b * c * count, sides, dx + b * c * count, c, count, add};
        const float *dg = node->out->grad + b * c * c;

        tape->kernels->point->transpose(dg, c, c, c, sides, c, false);
        tape->kernels->point->scale(sides, scale, sides, c * c, false);
        tape->kernels->point->scale(dg, scale, sides, c * c, true);
        threads_for(tape->threads, n_pieces, gram_grad_piece, &job);
    }
fail:
    return status;
}

RsdStatus op_gram(Tape *tape, Tensor *x, Tensor **g, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    GramJob job;
    int64_t n_pieces;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_count(x) > 0, err, RSD_ERR_ARG, "a Gram matrix needs features [B, C, H, W], not %s",
          shape_text(text, x->n_dims, x->shape));
    job = (GramJob){.gemm = tape->kernels->gemm, .channels = x->shape[1], .count = x->shape[2] * x->shape[3]};
    n_pieces = (job.count + GRAM_PIECE - 1) / GRAM_PIECE;
    TRY(tape_tensor(tape, &result, 3, (int64_t[]){x->shape[0], job.channels, job.channels}, err));
    TRY(arena_alloc(tape->arena, &job.pieces, (size_t)(n_pieces * job.channels * job.channels), sizeof(float), err));
    for (int64_t b = 0; b < x->shape[0]; b++) {
        const int64_t size = job.channels * job.channels;

        job.x = x->data + b * job.channels * job.count;
        threads_for(tape->threads, n_pieces, gram_piece, &job);
        for (int64_t i = 0; i < n_pieces; i++)
            tape->kernels->point->scale(job.pieces + i * size, (float)(1.0 / ((double)job.channels * (double)job.count)),
                                        result->data + b * size, size, i > 0);
    }
    TRY(tape_record(tape, gram_backward, result, 1, &x, NULL, err));
    *g = result;
fail:
    return status;
}
