/* weight_norm.c - w = g v / |v| and its gradient:
 *
 *   dg = dw . v / |v|,   dv = g / |v| (dw - v (dw . v) / |v|^2)
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/weight_norm.h"

#include <math.h>

#include "engine/kernels/point.h"

typedef struct WeightNormJob {
    const PointKernels *point;
    const float *v, *g, *dw;
    float *out, *dg; /* out: w forward, dv backward */
    double *norm;    /* [n] */
    int64_t n, len;
    bool add, add_g;
} WeightNormJob;

static void forward_row(void *ctx, int64_t i, int worker)
{
    const WeightNormJob *job = ctx;
    const float *v = job->v + i * job->len;
    const double norm = sqrt(job->point->dot(v, v, job->len));

    (void)worker;
    job->norm[i] = norm;
    job->point->scale(v, norm > 0.0 ? (float)((double)job->g[i] / norm) : 0.0f, job->out + i * job->len, job->len, false);
}

static void backward_row(void *ctx, int64_t i, int worker)
{
    const WeightNormJob *job = ctx;
    const float *v = job->v + i * job->len, *dw = job->dw + i * job->len;
    const double norm = job->norm[i], inverse = norm > 0.0 ? 1.0 / norm : 0.0;
    const double along = job->point->dot(dw, v, job->len) * inverse; /* dw along the direction of v */

    (void)worker;
    if (job->dg)
        job->point->settle(&along, 1.0, job->dg + i, 1, job->add_g);
    if (job->out) {
        const double p = (double)job->g[i] * inverse;

        job->point->blend(dw, (float)p, v, (float)(-p * along * inverse), 0.0f, job->out + i * job->len, job->len, job->add);
    }
}

static RsdStatus weight_norm_backward(Tape *tape, Node *node, RsdError *err)
{
    WeightNormJob job = *(const WeightNormJob *)node->saved;
    RsdStatus status = RSD_OK;

    job.dw = node->out->grad;
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    TRY(tape_grad(tape, node->in[1], &job.dg, &job.add_g, err));
    threads_for(tape->threads, job.n, backward_row, &job);
fail:
    return status;
}

RsdStatus op_weight_norm(Tape *tape, Tensor *v, Tensor *g, Tensor **w, RsdError *err)
{
    Tensor *inputs[] = {v, g}, *result;
    WeightNormJob *job;
    char text_v[SHAPE_TEXT_SIZE], text_g[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(v->n_dims >= 1 && tensor_count(g) == v->shape[0], err, RSD_ERR_ARG,
          "weight norm of %s needs one length per slice of the first axis, not %s", shape_text(text_v, v->n_dims, v->shape),
          shape_text(text_g, g->n_dims, g->shape));
    TRY(tape_tensor(tape, &result, v->n_dims, v->shape, err));
    TRY(arena_calloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (WeightNormJob){.point = tape->kernels->point, .v = v->data, .g = g->data, .out = result->data,
                           .n = v->shape[0], .len = v->shape[0] ? tensor_count(v) / v->shape[0] : 0};
    TRY(arena_alloc(tape->arena, &job->norm, (size_t)job->n, sizeof *job->norm, err));
    threads_for(tape->threads, job->n, forward_row, job);
    TRY(tape_record(tape, weight_norm_backward, result, 2, inputs, job, err));
    *w = result;
fail:
    return status;
}
