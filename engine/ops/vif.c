/* vif.c - the formula of VIF, in blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/vif.h"

#include "engine/kernels/picture.h"
#include "engine/ops/pointwise.h"

typedef struct VifJob {
    const PictureKernels *picture;
    const float *vx, *vy, *vxy, *dout;
    float *out, *dvy, *dvxy;
    int64_t count;
    bool add_y, add_xy;
} VifJob;

static void vif_block(void *ctx, int64_t i, int worker)
{
    const VifJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->picture->vif(job->vx + at, job->vy + at, job->vxy + at, job->out + at, point_block_len(job->count, i));
}

static void vif_grad_block(void *ctx, int64_t i, int worker)
{
    const VifJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->picture->vif_grad(job->vx + at, job->vy + at, job->vxy + at, job->dout + at, job->dvy ? job->dvy + at : NULL,
                         job->add_y, job->dvxy ? job->dvxy + at : NULL, job->add_xy, point_block_len(job->count, i));
}

static RsdStatus vif_backward(Tape *tape, Node *node, RsdError *err)
{
    VifJob job = *(const VifJob *)node->saved;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &job.dvy, &job.add_y, err));
    TRY(tape_grad(tape, node->in[1], &job.dvxy, &job.add_xy, err));
    job.dout = node->out->grad;
    if (job.dvy || job.dvxy)
        threads_for(tape->threads, point_n_blocks(job.count), vif_grad_block, &job);
fail:
    return status;
}

RsdStatus op_vif_information(Tape *tape, Tensor *vx, Tensor *vy, Tensor *vxy, Tensor **y, RsdError *err)
{
    VifJob job = {.picture = tape->kernels->picture, .vx = vx->data, .vy = vy->data, .vxy = vxy->data, .count = tensor_count(vx)};
    VifJob *saved = NULL;
    Tensor *inputs[] = {vy, vxy}, *result;
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(tensor_same_shape(vx, vy) && tensor_same_shape(vx, vxy), err, RSD_ERR_ARG,
          "variances of different shapes: %s and %s", shape_text(text_x, vx->n_dims, vx->shape),
          shape_text(text_y, vy->n_dims, vy->shape));
    TRY(tape_tensor(tape, &result, vx->n_dims, vx->shape, err));
    job.out = result->data;
    threads_for(tape->threads, point_n_blocks(job.count), vif_block, &job);
    if (tape_will_record(tape, 2, inputs)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, vif_backward, result, 2, inputs, saved, err));
    *y = result;
fail:
    return status;
}
