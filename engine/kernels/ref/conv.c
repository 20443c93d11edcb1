/* conv.c - convolutions in plain C: the meaning of conv.h, and what runs where no faster set does.
 *
 * One task computes one channel of one signal of the batch (gather, scatter, input gradients) or what belongs to one channel
 * (weight and bias gradients). The input row is first copied to scratch with its activation and everything that surrounds it, so that
 * the sums need no conditions.
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

/* Fine samples of an axis that all its frames meet, the first at -left. */
static int64_t met_count(const ConvAxis *axis)
{
    return axis->n_coarse > 0 ? (axis->n_coarse - 1) * axis->stride + conv_span(axis) : 0;
}

static int64_t plane_count(const ConvShape *s)
{
    return met_count(&s->y) * met_count(&s->x);
}

/* The fine samples of a channel that its frames meet. */
static void fill_plane(float *plane, const ConvShape *s, const float *x, const float *context, int64_t n_context, bool elu)
{
    const int64_t lines = met_count(&s->y), n = met_count(&s->x);

    for (int64_t l = 0; l < lines; l++) {
        const int64_t at = l - s->y.left, n_line = at >= 0 && at < s->y.n_fine ? s->x.n_fine : 0;

        fill_line(plane + l * n, n, -s->x.left, x + (n_line ? at * s->x.n_fine : 0), n_line, context, n_context, elu);
    }
}

static ConvWork gather_work(const ConvShape *s)
{
    return (ConvWork){.n_tasks = s->batch * s->c_coarse,
                      .scratch_size = (size_t)(plane_count(s) + conv_coarse_count(s)) * sizeof(float)};
}

/* The first of the samples of a plane that the frames meet through tap (v, u). */
static const float *tap_start(const ConvShape *s, const float *plane, int64_t v, int64_t u)
{
    return plane + v * s->y.dilation * met_count(&s->x) + u * s->x.dilation;
}

static void no_pack(const ConvJob *job, int64_t task)
{
    (void)job;
    (void)task;
}

static void store(const ConvJob *job, float *y, const float *sum, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = job->add ? y[i] + sum[i] : job->relu && sum[i] < 0.0f ? 0.0f : sum[i];
}

static void gather(const ConvJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t b = task / s->c_coarse, co = task % s->c_coarse, c_in = s->c_fine / s->groups;
    int64_t n_context = s->x.left > 0 ? s->x.left : 0, count = conv_coarse_count(s), pitch = s->y.stride * met_count(&s->x);
    const float *w = job->w + co * c_in * s->y.k * s->x.k;
    float *sum = scratch, *plane = sum + count;

    for (int64_t t = 0; t < count; t++)
        sum[t] = job->bias ? job->bias[co] : 0.0f;
    for (int64_t c = 0; c < c_in; c++) {
        int64_t row = b * s->c_fine + co / (s->c_coarse / s->groups) * c_in + c;

        fill_plane(plane, s, job->x + row * conv_fine_count(s), job->context ? job->context + row * n_context : NULL,
                   n_context, job->elu);
        for (int64_t v = 0; v < s->y.k; v++)
            for (int64_t u = 0; u < s->x.k; u++, w++) {
                const float *from = tap_start(s, plane, v, u);

                for (int64_t l = 0; l < s->y.n_coarse; l++)
                    for (int64_t t = 0; t < s->x.n_coarse; t++)
                        sum[l * s->x.n_coarse + t] += *w * from[l * pitch + t * s->x.stride];
            }
    }
    store(job, job->y + (b * s->c_coarse + co) * count, sum, count);
}

static ConvWork scatter_work(const ConvShape *s)
{
    return (ConvWork){.n_tasks = s->batch * s->c_fine,
                      .scratch_size = (size_t)(conv_fine_count(s) + s->x.n_coarse + conv_reach(&s->x)) * sizeof(float)};
}

/* Adds w times a line of frames [reach + n_coarse] to the line of fine samples that tap u takes them to. */
static void scatter_line(const ConvAxis *axis, float w, int64_t u, const float *frames, int64_t reach, float *sum)
{
    for (int64_t t = -reach; t < axis->n_coarse; t++) {
        int64_t at = t * axis->stride - axis->left + u * axis->dilation;

        if (at >= 0 && at < axis->n_fine)
            sum[at] += w * frames[t + reach];
    }
}

static void scatter(const ConvJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t b = task / s->c_fine, cf = task % s->c_fine, c_in = s->c_fine / s->groups, c_out = s->c_coarse / s->groups;
    int64_t reach = conv_reach(&s->x), count = conv_fine_count(s);
    float *sum = scratch, *line = sum + count;

    for (int64_t i = 0; i < count; i++)
        sum[i] = job->bias ? job->bias[cf] : 0.0f;
    for (int64_t c = 0; c < c_out; c++) {
        int64_t co = cf / c_in * c_out + c, row = b * s->c_coarse + co;

        const float *w = job->w + (co * c_in + cf % c_in) * s->y.k * s->x.k;

        for (int64_t l = 0; l < s->y.n_coarse; l++) {
            fill_line(line, s->x.n_coarse + reach, -reach, job->x + (row * s->y.n_coarse + l) * s->x.n_coarse, s->x.n_coarse,
                      job->context ? job->context + row * reach : NULL, reach, job->elu);
            for (int64_t v = 0; v < s->y.k; v++) {
                int64_t at = l * s->y.stride - s->y.left + v * s->y.dilation;

                for (int64_t u = 0; u < s->x.k && at >= 0 && at < s->y.n_fine; u++)
                    scatter_line(&s->x, w[v * s->x.k + u], u, line, reach, sum + at * s->x.n_fine);
            }
        }
    }
    store(job, job->y + (b * s->c_fine + cf) * count, sum, count);
}

/* --- backward ---------------------------------------------------------------------------------------------------------- */

/* Gradient of one channel of x in one signal: the other sum, of dy, times the slope of the activation. */
static void input_grad(const ConvBackJob *job, int64_t task, void *scratch)
{
    const ConvShape *s = &job->shape;
    int64_t n = job->scatters ? conv_coarse_count(s) : conv_fine_count(s);
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

static double dot_tap(const ConvShape *s, const float *frames, const float *from)
{
    const int64_t pitch = s->y.stride * met_count(&s->x);
    double sum = 0.0;

    for (int64_t l = 0; l < s->y.n_coarse; l++)
        for (int64_t t = 0; t < s->x.n_coarse; t++)
            sum += (double)frames[l * s->x.n_coarse + t] * (double)from[l * pitch + t * s->x.stride];
    return sum;
}

/* Weights of one coarse channel. */
static void weight_grad(const ConvBackJob *job, int64_t co, void *scratch)
{
    const ConvShape *s = &job->shape;
    const float *fine = job->scatters ? job->dy : job->x, *coarse = job->scatters ? job->x : job->dy;
    int64_t c_in = s->c_fine / s->groups, count = conv_coarse_count(s);
    float *frames = scratch, *plane = frames + count;

    for (int64_t b = 0; b < s->batch; b++) {
        float *dw = job->dw + co * c_in * s->y.k * s->x.k;

        fill_line(frames, count, 0, coarse + (b * s->c_coarse + co) * count, count, NULL, 0, job->scatters && job->elu);
        for (int64_t c = 0; c < c_in; c++) {
            int64_t row = b * s->c_fine + co / (s->c_coarse / s->groups) * c_in + c;

            fill_plane(plane, s, fine + row * conv_fine_count(s), NULL, 0, !job->scatters && job->elu);
            for (int64_t v = 0; v < s->y.k; v++)
                for (int64_t u = 0; u < s->x.k; u++)
                    *dw++ += (float)dot_tap(s, frames, tap_start(s, plane, v, u));
        }
    }
}

static void bias_grad(const ConvBackJob *job, int64_t c)
{
    const ConvShape *s = &job->shape;
    int64_t channels = job->scatters ? s->c_fine : s->c_coarse;
    int64_t n = job->scatters ? conv_fine_count(s) : conv_coarse_count(s);
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
    int64_t fine = conv_fine_count(s), coarse = conv_coarse_count(s), n = fine > coarse ? fine : coarse;

    return (ConvWork){.n_tasks = x_rows + s->c_coarse + y_channels,
                      .scratch_size = (size_t)(2 * n + plane_count(s) + coarse + conv_reach(&s->x)) * sizeof(float)};
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
