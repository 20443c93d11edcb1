/* dct8.c - the cosine transform of blocks; being orthonormal, each direction is the gradient of the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/dct8.h"

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

typedef struct DctJob {
    const Kernels *kernels;
    RsdThreads *threads;
    const float *in;
    float *out;
    int64_t h, w; /* blocks of a plane */
    bool inverse, add;
} DctJob;

/* Task i is one row of blocks. */
static void transform_row(void *ctx, int64_t i, int worker)
{
    const DctJob *job = ctx;
    const int64_t plane = i / job->h, row = i % job->h, size = job->h * job->w * PICTURE_DCT * PICTURE_DCT;
    const int64_t pixels = plane * size + row * job->w * PICTURE_DCT * PICTURE_DCT, blocks = plane * size + row * job->w;
    float *work = job->add ? threads_scratch(job->threads, worker) : NULL;

    if (!job->inverse) {
        job->kernels->picture->dct8(job->in + pixels, job->w * PICTURE_DCT, job->w, work ? work : job->out + blocks,
                                  work ? job->w : job->h * job->w);
        for (int k = 0; work && k < PICTURE_DCT * PICTURE_DCT; k++)
            job->kernels->point->scale(work + k * job->w, 1.0f, job->out + blocks + k * job->h * job->w, job->w, true);
    } else {
        job->kernels->picture->dct8_inverse(job->in + blocks, job->h * job->w, job->w, work ? work : job->out + pixels,
                                          job->w * PICTURE_DCT);
        if (work)
            job->kernels->point->scale(work, 1.0f, job->out + pixels, job->w * PICTURE_DCT * PICTURE_DCT, true);
    }
}

static RsdStatus run(Tape *tape, DctJob *job, int64_t count, RsdError *err)
{
    RsdStatus status = RSD_OK;

    job->threads = tape->threads;
    if (job->add)
        TRY(threads_scratch_reserve(tape->threads, (size_t)(job->w * PICTURE_DCT * PICTURE_DCT) * sizeof(float), err));
    threads_for(tape->threads, count / (job->w * PICTURE_DCT * PICTURE_DCT), transform_row, job);
fail:
    return status;
}

static RsdStatus dct_backward(Tape *tape, Node *node, RsdError *err)
{
    DctJob job = *(const DctJob *)node->saved;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    if (!job.out)
        return RSD_OK;
    job.in = node->out->grad;
    job.inverse = !job.inverse;
    TRY(run(tape, &job, tensor_count(node->in[0]), err));
fail:
    return status;
}

static RsdStatus transform(Tape *tape, DctJob *job, Tensor *x, const int64_t shape[4], Tensor **y, RsdError *err)
{
    DctJob *saved = NULL;
    Tensor *result;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, 4, shape, err));
    job->kernels = tape->kernels;
    job->in = x->data;
    job->out = result->data;
    TRY(run(tape, job, tensor_count(x), err));
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = *job;
    }
    TRY(tape_record(tape, dct_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_dct8(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    DctJob job;

    if (x->n_dims != 4 || tensor_count(x) == 0 || x->shape[2] % PICTURE_DCT || x->shape[3] % PICTURE_DCT)
        return error_set(err, RSD_ERR_ARG, "a block transform needs pictures whose sides are multiples of 8, not %s",
                         shape_text(text, x->n_dims, x->shape));
    job = (DctJob){.h = x->shape[2] / PICTURE_DCT, .w = x->shape[3] / PICTURE_DCT};
    return transform(tape, &job, x, (int64_t[]){x->shape[0] * x->shape[1], PICTURE_DCT * PICTURE_DCT, job.h, job.w}, y, err);
}

RsdStatus op_dct8_inverse(Tape *tape, Tensor *y, Tensor **x, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    DctJob job;

    if (y->n_dims != 4 || tensor_count(y) == 0 || y->shape[1] != PICTURE_DCT * PICTURE_DCT)
        return error_set(err, RSD_ERR_ARG, "an inverse block transform needs 64 channels of coefficients, not %s",
                         shape_text(text, y->n_dims, y->shape));
    job = (DctJob){.h = y->shape[2], .w = y->shape[3], .inverse = true};
    return transform(tape, &job, y, (int64_t[]){y->shape[0], 1, job.h * PICTURE_DCT, job.w * PICTURE_DCT}, x, err);
}
