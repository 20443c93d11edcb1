/* conv.c - convolutions in plain C: the meaning of conv.h, and what runs where no faster set does.
 *
 * One task computes one channel of one signal of the batch (gather, scatter) or the weights of one coarse channel. The
 * input row is first copied to scratch with its activation and everything that surrounds it, so that the sums need no
 * conditions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/conv.h"

static float activate(float x, bool elu)
{
    return elu && x < 0.0f ? expm1f(x) : x;
}

/* line[i] = sample first + i of a signal of n samples, with `context` [n_context] before it and zeros outside. */
static void fill_line(float *line, int64_t count, int64_t first, const float *x, int64_t n, const float *context,
                      int64_t n_context, bool elu)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t at = first + i;
        float v = 0.0f;

        if (at >= 0 && at < n)
            v = x[at];
        else if (at < 0 && context && at >= -n_context)
            v = context[n_context + at];
        line[i] = activate(v, elu);
    }
}

static void finish_row(const float *sum, int64_t n, const ConvJob *job, int64_t offset)
{
    for (int64_t i = 0; i < n; i++) {
        float v = sum[i];

        if (job->slope_at && job->slope_at[offset + i] < 0.0f)
            v *= expf(job->slope_at[offset + i]);
        job->y[offset + i] = job->add ? job->y[offset + i] + v : v;
    }
}

/* Fine samples that all frames of a signal meet, the first at -left. */
static int64_t line_count(const ConvShape *s)
{
    return s->n_coarse > 0 ? (s->n_coarse - 1) * s->stride + conv_span(s) : 0;
}

static ConvWork gather_work(const ConvShape *s)
{
    return (ConvWork){.n_tasks = s->batch * s->c_coarse,
                      .scratch_size = (size_t)(line_count(s) + s->n_coarse) * sizeof(float)};
}

static void no_pack(const ConvJob *job, int64_t task)
{
    (void)job;
    (void)task;
}

static void gather(const ConvJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t b = task / s->c_coarse, co = task % s->c_coarse, c_in = s->c_fine / s->groups;
    int64_t n_context = s->left > 0 ? s->left : 0;
    float *sum = scratch, *line = sum + s->n_coarse;

    for (int64_t t = 0; t < s->n_coarse; t++)
        sum[t] = job->bias ? job->bias[co] : 0.0f;
    for (int64_t c = 0; c < c_in; c++) {
        int64_t row = b * s->c_fine + co / (s->c_coarse / s->groups) * c_in + c;

        fill_line(line, line_count(s), -s->left, job->x + row * s->n_fine, s->n_fine,
                  job->context ? job->context + row * n_context : NULL, n_context, job->elu);
        for (int64_t i = 0; i < s->k; i++) {
            float w = job->w[(co * c_in + c) * s->k + i];

            for (int64_t t = 0; t < s->n_coarse; t++)
                sum[t] += w * line[t * s->stride + i * s->dilation];
        }
    }
    finish_row(sum, s->n_coarse, job, (b * s->c_coarse + co) * s->n_coarse);
}

static ConvWork scatter_work(const ConvShape *s)
{
    return (ConvWork){.n_tasks = s->batch * s->c_fine,
                      .scratch_size = (size_t)(s->n_fine + s->n_coarse + conv_reach(s)) * sizeof(float)};
}

static void scatter(const ConvJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t b = task / s->c_fine, cf = task % s->c_fine, c_in = s->c_fine / s->groups, c_out = s->c_coarse / s->groups;
    int64_t reach = conv_reach(s);
    float *sum = scratch, *line = sum + s->n_fine;

    for (int64_t u = 0; u < s->n_fine; u++)
        sum[u] = job->bias ? job->bias[cf] : 0.0f;
    for (int64_t c = 0; c < c_out; c++) {
        int64_t co = cf / c_in * c_out + c, row = b * s->c_coarse + co;

        fill_line(line, s->n_coarse + reach, -reach, job->x + row * s->n_coarse, s->n_coarse,
                  job->context ? job->context + row * reach : NULL, reach, job->elu);
        for (int64_t i = 0; i < s->k; i++) {
            float w = job->w[(co * c_in + cf % c_in) * s->k + i];

            for (int64_t t = -reach; t < s->n_coarse; t++) {
                int64_t u = t * s->stride - s->left + i * s->dilation;

                if (u >= 0 && u < s->n_fine)
                    sum[u] += w * line[t + reach];
            }
        }
    }
    finish_row(sum, s->n_fine, job, (b * s->c_fine + cf) * s->n_fine);
}

static ConvWork weights_work(const ConvShape *s)
{
    return (ConvWork){.n_tasks = s->c_coarse, .scratch_size = (size_t)(line_count(s) + s->n_coarse) * sizeof(float)};
}

static void weights(const ConvWeightJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t c_in = s->c_fine / s->groups;
    float *coarse = scratch, *line = coarse + s->n_coarse;

    for (int64_t b = 0; b < s->batch; b++) {
        fill_line(coarse, s->n_coarse, 0, job->coarse + (b * s->c_coarse + task) * s->n_coarse, s->n_coarse, NULL, 0,
                  job->elu_coarse);
        for (int64_t c = 0; c < c_in; c++) {
            int64_t row = b * s->c_fine + task / (s->c_coarse / s->groups) * c_in + c;

            fill_line(line, line_count(s), -s->left, job->fine + row * s->n_fine, s->n_fine, NULL, 0, job->elu_fine);
            for (int64_t i = 0; i < s->k; i++) {
                double sum = 0.0;

                for (int64_t t = 0; t < s->n_coarse; t++)
                    sum += (double)coarse[t] * (double)line[t * s->stride + i * s->dilation];
                job->dw[(task * c_in + c) * s->k + i] += (float)sum;
            }
        }
    }
}

static void no_reduce(const ConvWeightJob *job, int64_t task)
{
    (void)job;
    (void)task;
}

static void bias_grad(const float *dy, int64_t batch, int64_t c, int64_t n, int64_t c_first, int64_t c_end, float *db)
{
    for (int64_t ch = c_first; ch < c_end; ch++) {
        double sum = 0.0;

        for (int64_t b = 0; b < batch; b++)
            for (int64_t t = 0; t < n; t++)
                sum += (double)dy[(b * c + ch) * n + t];
        db[ch] += (float)sum;
    }
}

const ConvKernels conv_ref = {
    .gather_work = gather_work,
    .gather_pack = no_pack,
    .gather = gather,
    .scatter_work = scatter_work,
    .scatter_pack = no_pack,
    .scatter = scatter,
    .weights_work = weights_work,
    .weights = weights,
    .weights_reduce = no_reduce,
    .bias_grad = bias_grad,
};
