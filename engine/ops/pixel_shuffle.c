/* pixel_shuffle.c - pixels to channels and back: each line of the fine picture is a transpose of r coarse lines.
 *
 *   coarse  channels (c, i, 0 .. r - 1), line h: r rows of n, planes apart      fine  channel c, line r h + i: n cells of r
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/point.h"
#include "engine/ops/resize2d.h"

typedef struct ShuffleJob {
    const PointKernels *point;
    int64_t n_planes, lines, n, r; /* fine planes; size of a coarse one */
    const float *src;
    float *dst;
    bool to_fine, add;
} ShuffleJob;

static void shuffle_task(void *ctx, int64_t plane, int worker)
{
    const ShuffleJob *job = ctx;
    const int64_t r = job->r, n = job->n, count = job->lines * n;

    (void)worker;
    for (int64_t h = 0; h < job->lines; h++)
        for (int64_t i = 0; i < r; i++) {
            const int64_t coarse = (plane * r + i) * r * count + h * n, fine = plane * r * r * count + (r * h + i) * r * n;

            if (job->to_fine)
                job->point->transpose(job->src + coarse, r, n, count, job->dst + fine, r, job->add);
            else
                job->point->transpose(job->src + fine, n, r, r, job->dst + coarse, count, job->add);
        }
}

static RsdStatus shuffle_backward(Tape *tape, Node *node, RsdError *err)
{
    ShuffleJob job = *(const ShuffleJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dst, &job.add, err);

    if (status != RSD_OK || !job.dst)
        return status;
    job.src = node->out->grad;
    job.to_fine = !job.to_fine;
    threads_for(tape->threads, job.n_planes, shuffle_task, &job);
    return RSD_OK;
}

static RsdStatus shuffle(Tape *tape, Tensor *x, int r, bool to_fine, Tensor **y, RsdError *err)
{
    const bool has_planes = x->n_dims == 4 && r >= 1 && r <= 1024;
    char text[SHAPE_TEXT_SIZE];
    ShuffleJob *job;
    Tensor *result;
    int64_t square = (int64_t)r * r;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(has_planes && (to_fine ? x->shape[1] % square == 0 : x->shape[2] % r == 0 && x->shape[3] % r == 0), err,
          RSD_ERR_ARG, "cannot move %s of %s by %d", to_fine ? "channels to pixels" : "pixels to channels",
          shape_text(text, x->n_dims, x->shape), r);
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (ShuffleJob){.point = tape->kernels->point, .r = r, .src = x->data, .to_fine = to_fine};
    job->n_planes = x->shape[0] * (to_fine ? x->shape[1] / square : x->shape[1]);
    job->lines = to_fine ? x->shape[2] : x->shape[2] / r;
    job->n = to_fine ? x->shape[3] : x->shape[3] / r;
    TRY(tape_tensor(tape, &result, 4,
                    to_fine ? (int64_t[]){x->shape[0], x->shape[1] / square, job->lines * r, job->n * r}
                            : (int64_t[]){x->shape[0], x->shape[1] * square, job->lines, job->n},
                    err));
    job->dst = result->data;
    threads_for(tape->threads, job->n_planes, shuffle_task, job);
    TRY(tape_record(tape, shuffle_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_pixel_shuffle(Tape *tape, Tensor *x, int r, Tensor **y, RsdError *err)
{
    return shuffle(tape, x, r, true, y, err);
}

RsdStatus op_pixel_unshuffle(Tape *tape, Tensor *x, int r, Tensor **y, RsdError *err)
{
    return shuffle(tape, x, r, false, y, err);
}
