/* pool2d.c - windows, and one task for each plane.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/pool2d.h"

#include "engine/kernels/kernels.h"
#include "engine/kernels/plane.h"

#define PLANE_MAX ((int64_t)1 << 31) /* places are 32-bit numbers */

typedef struct PoolJob {
    const PlaneKernels *plane;
    PoolShape shape;
    bool is_max;
    int64_t n_planes, n_in, n_out; /* planes, and samples of each */
    const float *src;
    float *dst;
    int32_t *at; /* of maxima, NULL when nothing is recorded */
    bool add;
} PoolJob;

static void pool_task(void *ctx, int64_t i, int worker)
{
    const PoolJob *job = ctx;
    const float *x = job->src + i * job->n_in;
    float *y = job->dst + i * job->n_out;

    (void)worker;
    if (job->is_max)
        job->plane->pool_max(&job->shape, x, y, job->at ? job->at + i * job->n_out : NULL);
    else
        job->plane->pool_mean(&job->shape, x, y);
}

static void pool_grad_task(void *ctx, int64_t i, int worker)
{
    const PoolJob *job = ctx;
    const float *dy = job->src + i * job->n_out;
    float *dx = job->dst + i * job->n_in;

    (void)worker;
    if (job->is_max)
        job->plane->pool_max_grad(&job->shape, job->at + i * job->n_out, dy, dx, job->add);
    else
        job->plane->pool_mean_grad(&job->shape, dy, dx, job->add);
}

static RsdStatus pool_backward(Tape *tape, Node *node, RsdError *err)
{
    PoolJob job = *(const PoolJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.dst, &job.add, err);

    if (status != RSD_OK || !job.dst)
        return status;
    job.src = node->out->grad;
    threads_for(tape->threads, job.n_planes, pool_grad_task, &job);
    return RSD_OK;
}

static RsdStatus set_axis(PoolAxis *axis, int64_t n, int size, int stride, int pad, bool ceil, RsdError *err)
{
    int64_t over;
    RsdStatus status = RSD_OK;

    stride = stride == 0 ? size : stride;
    over = n + 2 * (int64_t)pad - size;
    CHECK(size >= 1 && stride >= 1 && pad >= 0 && pad <= size / 2 && n >= 1 && (over >= 0 || ceil), err, RSD_ERR_ARG,
          "pooling of %lld samples by windows of %d, stride %d, padding %d", (long long)n, size, stride, pad);
    *axis = (PoolAxis){.n = n, .size = size, .stride = stride, .before = pad, .n_padded = n + 2 * (int64_t)pad};
    axis->m = over < 0 ? 1 : (ceil ? over + stride - 1 : over) / stride + 1;
    if (ceil && (axis->m - 1) * stride >= n + pad)
        axis->m--;
fail:
    return status;
}

static RsdStatus pool(Tape *tape, Tensor *x, const Pool2dParams *p, bool is_max, Tensor **y, RsdError *err)
{
    PoolJob *job;
    PoolShape *s;
    Tensor *result;
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4, err, RSD_ERR_ARG, "pooling: input %s needs four axes", shape_text(text, x->n_dims, x->shape));
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (PoolJob){.plane = tape->kernels->plane, .is_max = is_max, .src = x->data, .n_planes = x->shape[0] * x->shape[1]};
    s = &job->shape;
    s->count_pad = p->count_pad;
    TRY(set_axis(&s->y, x->shape[2], p->size.down, p->stride.down, p->pad.down, p->ceil, err));
    TRY(set_axis(&s->x, x->shape[3], p->size.across, p->stride.across, p->pad.across, p->ceil, err));
    job->n_in = s->y.n * s->x.n;
    job->n_out = s->y.m * s->x.m;
    CHECK(job->n_in < PLANE_MAX, err, RSD_ERR_ARG, "pooling: planes of %lld x %lld samples are too large", (long long)s->y.n,
          (long long)s->x.n);
    TRY(tape_tensor(tape, &result, 4, (int64_t[]){x->shape[0], x->shape[1], s->y.m, s->x.m}, err));
    job->dst = result->data;
    if (is_max && tape_will_record(tape, 1, &x))
        TRY(arena_alloc(tape->arena, &job->at, (size_t)(job->n_planes * job->n_out), sizeof *job->at, err));
    threads_for(tape->threads, job->n_planes, pool_task, job);
    TRY(tape_record(tape, pool_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_max_pool2d(Tape *tape, Tensor *x, const Pool2dParams *p, Tensor **y, RsdError *err)
{
    return pool(tape, x, p, true, y, err);
}

RsdStatus op_mean_pool2d(Tape *tape, Tensor *x, const Pool2dParams *p, Tensor **y, RsdError *err)
{
    return pool(tape, x, p, false, y, err);
}
