/* conv.c - convolutions in plain C: the meaning of conv.h, and what runs where no faster set does.
 *
 * One task computes one channel of one signal of the batch (gather, scatter, input gradients) or what belongs to one channel
 * (weight and bias gradients). The input row is first copied to scratch with its activation and everything that surrounds it, so that the sums need no
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
    if (s->n_coarse > 0)
        memcpy(job->y + (b * s->c_coarse + co) * s->n_coarse, sum, (size_t)s->n_coarse * sizeof *sum);
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
    memcpy(job->y + (b * s->c_fine + cf) * s->n_fine, sum, (size_t)s->n_fine * sizeof *sum);
}

/* --- backward ---------------------------------------------------------------------------------------------------------- */

/* Gradient of one channel of x in one signal: the other sum, of dy, times the slope of the activation. */
static void input_grad(const ConvBackJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t n = job->scatters ? s->n_coarse : s->n_fine;
    const float *x = job->x + task * n;
    float *sum = scratch, *dx = job->dx + task * n, *rest = sum + n;
    ConvJob inner = {.shape = *s, .x = job->dy, .w = job->w, .y = sum - task * n};

    if (job->scatters)
        gather(&inner, task, rest);
    else
        scatter(&inner, task, rest);
    for (int64_t i = 0; i < n; i++) {
        float v = job->elu && x[i] < 0.0f ? sum[i] * expf(x[i]) : sum[i];

        dx[i] = job->add ? dx[i] + v : v;
    }
}

/* Weights of one coarse channel. */
static void weight_grad(const ConvBackJob *job, int64_t co, void *scratch)
{
    const ConvShape *s = &job->shape;
    const float *fine = job->scatters ? job->dy : job->x, *coarse = job->scatters ? job->x : job->dy;
    int64_t c_in = s->c_fine / s->groups;
    float *frames = scratch, *line = frames + s->n_coarse;

    for (int64_t b = 0; b < s->batch; b++) {
        fill_line(frames, s->n_coarse, 0, coarse + (b * s->c_coarse + co) * s->n_coarse, s->n_coarse, NULL, 0,
                  job->scatters && job->elu);
        for (int64_t c = 0; c < c_in; c++) {
            int64_t row = b * s->c_fine + co / (s->c_coarse / s->groups) * c_in + c;

            fill_line(line, line_count(s), -s->left, fine + row * s->n_fine, s->n_fine, NULL, 0, !job->scatters && job->elu);
            for (int64_t i = 0; i < s->k; i++) {
                double sum = 0.0;

                for (int64_t t = 0; t < s->n_coarse; t++)
                    sum += (double)frames[t] * (double)line[t * s->stride + i * s->dilation];
                job->dw[(co * c_in + c) * s->k + i] += (float)sum;
            }
        }
    }
}

static void bias_grad(const ConvBackJob *job, int64_t c)
{
    const ConvShape *s = &job->shape;
    int64_t channels = job->scatters ? s->c_fine : s->c_coarse, n = job->scatters ? s->n_fine : s->n_coarse;
    double sum = 0.0;

    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t t = 0; t < n; t++)
            sum += (double)job->dy[(b * channels + c) * n + t];
    job->db[c] += (float)sum;
}

/* Tasks: channels of x in each signal, then coarse channels, then channels of y. */
static ConvWork back_work(const ConvShape *s, bool scatters)
{
    int64_t x_rows = s->batch * (scatters ? s->c_coarse : s->c_fine), y_channels = scatters ? s->c_fine : s->c_coarse;
    int64_t n = s->n_fine > s->n_coarse ? s->n_fine : s->n_coarse;

    return (ConvWork){.n_tasks = x_rows + s->c_coarse + y_channels,
                      .scratch_size = (size_t)(2 * n + line_count(s) + s->n_coarse + conv_reach(s)) * sizeof(float)};
}

static void no_back_pack(const ConvBackJob *job, int64_t task)
{
    (void)job;
    (void)task;
}

static void back(const ConvBackJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t x_rows = s->batch * (job->scatters ? s->c_coarse : s->c_fine);

    if (task < x_rows) {
        if (job->dx)
            input_grad(job, task, scratch);
    } else if (task < x_rows + s->c_coarse) {
        if (job->dw)
            weight_grad(job, task - x_rows, scratch);
    } else if (job->db) {
        bias_grad(job, task - x_rows - s->c_coarse);
    }
}

const ConvKernels conv_ref = {
    .gather_work = gather_work,
    .gather_pack = no_pack,
    .gather = gather,
    .scatter_work = scatter_work,
    .scatter_pack = no_pack,
    .scatter = scatter,
    .back_work = back_work,
    .back_pack = no_back_pack,
    .back = back,
    .back_reduce = no_back_pack,
};
