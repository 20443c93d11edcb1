/* by_picture.c - a measure of two pictures given as a function of plain arrays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/by_picture.h"

#include <math.h>

#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"

typedef struct Outcome {
    double value;
    RsdStatus status;
    RsdError error;
} Outcome;

typedef struct PictureJob {
    PictureMeasure measure; /* or, when NULL, */
    ThreadedMeasure threaded;
    RsdThreads *inside; /* what the latter gets */
    const float *x, *y;
    float *dy; /* NULL when nothing is recorded */
    int64_t h, w, count; /* of samples of a picture */
    Outcome *each;
} PictureJob;

static bool is_finite(const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static void picture_task(void *ctx, int64_t i, int worker)
{
    const PictureJob *job = ctx;
    const float *x = job->x + i * job->count, *y = job->y + i * job->count;
    float *dy = job->dy ? job->dy + i * job->count : NULL;
    Outcome *out = &job->each[i];

    (void)worker;
    if (is_finite(x, job->count) && is_finite(y, job->count)) {
        out->status = job->measure ? job->measure(&out->value, dy, x, y, job->h, job->w, &out->error)
                                   : job->threaded(&out->value, dy, x, y, job->h, job->w, job->inside, &out->error);
        return;
    }
    out->value = NAN;
    for (int64_t k = 0; dy && k < job->count; k++)
        dy[k] = NAN;
}

static RsdStatus by_picture_backward(Tape *tape, Node *node, RsdError *err)
{
    const float *slopes = node->saved;
    const int64_t batch = tensor_count(node->out), each = tensor_count(node->in[0]) / batch;
    float *dy;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dy, &add, err);

    for (int64_t i = 0; status == RSD_OK && dy && i < batch; i++)
        tape->kernels->point->scale(slopes + i * each, node->out->grad[i], dy + i * each, each, add);
    return status;
}

static RsdStatus measure_all(Tape *tape, PictureJob job, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    Tensor *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && tensor_same_shape(x, y) && tensor_count(x) > 0, err, RSD_ERR_ARG,
          "a measure needs two pictures of one shape, not %s and %s", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_y, y->n_dims, y->shape));
    job.x = x->data;
    job.y = y->data;
    job.h = x->shape[2];
    job.w = x->shape[3];
    job.count = tensor_count(x) / x->shape[0];
    TRY(tape_tensor(tape, &result, 1, x->shape, err));
    if (tape_will_record(tape, 1, &y))
        TRY(arena_alloc(tape->arena, &job.dy, (size_t)tensor_count(y), sizeof(float), err));
    TRY(arena_calloc(tape->arena, &job.each, (size_t)x->shape[0], sizeof(Outcome), err));
    if (job.threaded && x->shape[0] < rsd_threads_count(tape->threads))
        job.inside = tape->threads;
    threads_for(job.inside ? NULL : tape->threads, x->shape[0], picture_task, &job);
    for (int64_t i = 0; i < x->shape[0]; i++) {
        CHECK(job.each[i].status == RSD_OK, err, job.each[i].status, "%s", job.each[i].error.text);
        tape->kernels->point->settle(&job.each[i].value, 1.0, result->data + i, 1, false);
    }
    TRY(tape_record(tape, by_picture_backward, result, 1, &y, job.dy, err));
    *value = result;
fail:
    return status;
}

RsdStatus op_by_picture(Tape *tape, PictureMeasure measure, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    return measure_all(tape, (PictureJob){.measure = measure}, x, y, value, err);
}

RsdStatus op_by_threaded_picture(Tape *tape, ThreadedMeasure measure, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    return measure_all(tape, (PictureJob){.threaded = measure}, x, y, value, err);
}
