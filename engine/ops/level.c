/* level.c - mean removed, peak set.
 *
 * With c = x - mean x, m = max |c| at place j, k = peak / (m + 1e-9) and y = k c:
 *
 *   dc = k dy,  dc_j += sign(c_j) dm,  dm = -sum_i dy_i c_i k / (m + 1e-9)
 *   dx = dc - mean dc
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/level.h"

#include <math.h>

#include "engine/ops/pointwise.h"

#define EPSILON 1e-9f /* audio.md 2.5 */

typedef struct Job {
    const PointKernels *point;
    const float *x, *y, *dy;
    float *out;
    int64_t len;
    float peak, *means, *maxima; /* [rows] */
    bool add;
} Job;

/* Sums of a long row in blocks, so that one row's rounding does not depend on another's length. */
static double sum_of(const PointKernels *point, const float *x, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < point_n_blocks(n); i++)
        sum += point->sum(x + i * POINT_BLOCK, point_block_len(n, i));
    return sum;
}

static double dot_of(const PointKernels *point, const float *a, const float *b, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < point_n_blocks(n); i++)
        sum += point->dot(a + i * POINT_BLOCK, b + i * POINT_BLOCK, point_block_len(n, i));
    return sum;
}

static void level_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    const float *x = job->x + row * job->len;
    float *y = job->out + row * job->len, k;

    (void)worker;
    job->means[row] = (float)(sum_of(job->point, x, job->len) / (double)job->len);
    job->point->blend(x, 1.0f, NULL, 0.0f, -job->means[row], y, job->len, false);
    job->maxima[row] = job->point->max_abs(y, job->len);
    k = job->peak / (job->maxima[row] + EPSILON);
    job->point->scale(y, k, y, job->len, false);
}

/* First place whose centred magnitude is the largest. */
static int64_t peak_place(const float *x, float mean, float maximum, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (fabsf(x[i] - mean) >= maximum)
            return i;
    return 0;
}

static void level_row_grad(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    const float *x = job->x + row * job->len, *y = job->y + row * job->len, *dy = job->dy + row * job->len;
    const float m = job->maxima[row] + EPSILON, k = job->peak / m;
    const int64_t j = peak_place(x, job->means[row], job->maxima[row], job->len);
    const double dm = -dot_of(job->point, dy, y, job->len) / (double)m; /* y = k c */
    const float at_peak = (float)(x[j] < job->means[row] ? -dm : dm);
    const double mean = ((double)k * sum_of(job->point, dy, job->len) + (double)at_peak) / (double)job->len;
    float *dx = job->out + row * job->len;

    (void)worker;
    job->point->blend(dy, k, NULL, 0.0f, (float)-mean, dx, job->len, job->add);
    dx[j] += at_peak;
}

static RsdStatus level_backward(Tape *tape, Node *node, RsdError *err)
{
    Job job = *(const Job *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    threads_for(tape->threads, tensor_count(node->out) / job.len, level_row_grad, &job);
    return RSD_OK;
}

RsdStatus op_peak_level(Tape *tape, Tensor *x, float peak, Tensor **y, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    int64_t n_rows;
    Tensor *result;
    Job *job;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims >= 1 && tensor_count(x) > 0, err, RSD_ERR_ARG, "the level of an empty signal %s",
          shape_text(text, x->n_dims, x->shape));
    TRY(tape_tensor(tape, &result, x->n_dims, x->shape, err));
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (Job){.point = tape->kernels->point, .x = x->data, .y = result->data, .out = result->data,
                 .len = x->shape[x->n_dims - 1], .peak = peak};
    n_rows = tensor_count(x) / job->len;
    TRY(arena_alloc(tape->arena, &job->means, (size_t)n_rows, sizeof(float), err));
    TRY(arena_alloc(tape->arena, &job->maxima, (size_t)n_rows, sizeof(float), err));
    threads_for(tape->threads, n_rows, level_row, job);
    TRY(tape_record(tape, level_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}
