/* filter2d.c - separable filters: a weighted sum of rows, then a filter along the row that results.
 *
 * Forward, output row q needs input rows q stride + k - before: one weighted sum of them into a row with room for the
 * padding, then the filter along it. Backward is the same walk: input row r collects every row of dy it went into, each with
 * the sum of its taps (a padded row counts for the row it copies), and the filter with reversed taps runs over the row that
 * results, with zeros between its samples when the stride is above 1. What falls on padding is added to the sample it copies.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/filter2d.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

typedef struct FilterJob {
    const PictureKernels *picture;
    Filter2d f;
    float reversed[FILTER2D_MAX_TAPS]; /* taps across */
    const float *x, *dy;
    float *out; /* y forward, dx backward */
    int64_t n_planes, h, w, h_out, w_out;
    int64_t max_rows; /* of one weighted sum */
    int64_t rows_per_task;
    RsdThreads *threads;
    bool add;
} FilterJob;

/* The sample that stands at place i of an axis of n samples, -1 for zero. */
static int64_t source_of(FilterEdge edge, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    switch (edge) {
    case EDGE_ZERO: return -1;
    case EDGE_REPLICATE: return i < 0 ? 0 : n - 1;
    case EDGE_REFLECT:
        if (n == 1)
            return 0;
        i = (i < 0 ? -i : i) % (2 * n - 2);
        return i < n ? i : 2 * n - 2 - i;
    case EDGE_SYMMETRIC:
        i = (i < 0 ? -1 - i : i) % (2 * n);
        return i < n ? i : 2 * n - 1 - i;
    }
    return -1;
}

int64_t filter_axis_len(const FilterAxis *axis, int64_t n)
{
    const int64_t room = n + axis->before + axis->after - (axis->n ? axis->n : 1);

    return room < 0 ? 0 : room / (axis->stride ? axis->stride : 1) + 1;
}

void filter_axis_gaussian(FilterAxis *axis, int n, double sigma)
{
    double total = 0.0, taps[FILTER2D_MAX_TAPS];

    axis->n = n;
    for (int k = 0; k < n; k++) {
        const double at = k - 0.5 * (n - 1);

        taps[k] = exp(-at * at / (2.0 * sigma * sigma));
        total += taps[k];
    }
    for (int k = 0; k < n; k++)
        axis->taps[k] = (float)(taps[k] / total);
}

void filter_axis_mean(FilterAxis *axis, int n)
{
    axis->n = axis->stride = n;
    for (int k = 0; k < n; k++)
        axis->taps[k] = (float)(1.0 / n);
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

/* Work memory of one worker: the list of rows of a sum, and three rows of numbers. */
typedef struct Work {
    const float **rows;
    float *taps;
    float *a, *b, *c;
} Work;

static int64_t padded_width(const FilterJob *job)
{
    return job->w + job->f.across.before + job->f.across.after;
}

static int64_t row_room(const FilterJob *job)
{
    return (padded_width(job) + job->w_out + 2 * job->f.across.n + 31) / 16 * 16;
}

static size_t work_size(const FilterJob *job)
{
    const size_t list = (size_t)job->max_rows * (sizeof(float *) + sizeof(float));

    return (list + 127) / 64 * 64 + 3 * (size_t)row_room(job) * sizeof(float);
}

static Work work_of(const FilterJob *job, int worker)
{
    Work w = {.rows = threads_scratch(job->threads, worker)};

    w.taps = (float *)(void *)(w.rows + job->max_rows);
    w.a = (float *)(void *)((char *)w.rows +
                            ((size_t)job->max_rows * (sizeof(float *) + sizeof(float)) + 127) / 64 * 64);
    w.b = w.a + row_room(job);
    w.c = w.b + row_room(job);
    return w;
}

static void pad_ends(const FilterJob *job, float *row)
{
    const FilterAxis *across = &job->f.across;

    for (int64_t i = -across->before; i < 0; i++) {
        const int64_t from = source_of(job->f.edge, i, job->w);

        row[across->before + i] = from < 0 ? 0.0f : row[across->before + from];
    }
    for (int64_t i = job->w; i < job->w + across->after; i++) {
        const int64_t from = source_of(job->f.edge, i, job->w);

        row[across->before + i] = from < 0 ? 0.0f : row[across->before + from];
    }
}

static void forward_row(const FilterJob *job, const Work *work, int64_t plane, int64_t q)
{
    const FilterAxis *down = &job->f.down, *across = &job->f.across;
    const float *x = job->x + plane * job->h * job->w;
    float *y = job->out + (plane * job->h_out + q) * job->w_out;
    int n = 0;

    for (int k = 0; k < down->n; k++) {
        const int64_t r = source_of(job->f.edge, q * down->stride + k - down->before, job->h);

        if (r >= 0) {
            work->rows[n] = x + r * job->w;
            work->taps[n++] = down->taps[k];
        }
    }
    if (across->n == 1 && across->taps[0] == 1.0f && across->stride == 1 && !across->before && !across->after) {
        job->picture->blend_rows(work->rows, work->taps, n, 0.0f, y, job->w, false);
        return;
    }
    job->picture->blend_rows(work->rows, work->taps, n, 0.0f, work->a + across->before, job->w, false);
    pad_ends(job, work->a);
    job->picture->filter_row(work->a, across->taps, across->n, across->stride, y, job->w_out, false);
}

/* Adds the output rows that the padded row p went into to the list. */
static int list_users(const FilterJob *job, const Work *work, const float *dy, int64_t p, int n)
{
    const FilterAxis *down = &job->f.down;

    for (int k = 0; k < down->n; k++) {
        const int64_t at = p + down->before - k, q = at / down->stride;
        int i = 0;

        if (at < 0 || at % down->stride || q >= job->h_out)
            continue;
        while (i < n && work->rows[i] != dy + q * job->w_out)
            i++;
        if (i == n) {
            work->rows[n] = dy + q * job->w_out;
            work->taps[n++] = 0.0f;
        }
        work->taps[i] += down->taps[k];
    }
    return n;
}

static void backward_row(const FilterJob *job, const Work *work, int64_t plane, int64_t r)
{
    const FilterAxis *down = &job->f.down, *across = &job->f.across;
    const float *dy = job->dy + plane * job->h_out * job->w_out;
    float *dx = job->out + (plane * job->h + r) * job->w, *spread = work->b + across->n - 1;
    const int64_t width = padded_width(job);
    int n = list_users(job, work, dy, r, 0);

    if (job->f.edge != EDGE_ZERO) {
        for (int64_t p = -down->before; p < 0; p++)
            if (source_of(job->f.edge, p, job->h) == r)
                n = list_users(job, work, dy, p, n);
        for (int64_t p = job->h; p < job->h + down->after; p++)
            if (source_of(job->f.edge, p, job->h) == r)
                n = list_users(job, work, dy, p, n);
    }
    memset(work->b, 0, (size_t)(width + across->n - 1) * sizeof(float));
    if (across->stride == 1) {
        job->picture->blend_rows(work->rows, work->taps, n, 0.0f, spread, job->w_out, false);
    } else {
        job->picture->blend_rows(work->rows, work->taps, n, 0.0f, work->a, job->w_out, false);
        for (int64_t i = 0; i < job->w_out; i++)
            spread[i * across->stride] = work->a[i];
    }
    if (job->f.edge == EDGE_ZERO) {
        job->picture->filter_row(work->b + across->before, job->reversed, across->n, 1, dx, job->w, job->add);
        return;
    }
    job->picture->filter_row(work->b, job->reversed, across->n, 1, work->c, width, false);
    for (int64_t i = -across->before; i < 0; i++)
        work->c[across->before + source_of(job->f.edge, i, job->w)] += work->c[across->before + i];
    for (int64_t i = job->w; i < job->w + across->after; i++)
        work->c[across->before + source_of(job->f.edge, i, job->w)] += work->c[across->before + i];
    job->picture->blend_rows(&(const float *){work->c + across->before}, &(const float){1.0f}, 1, 0.0f, dx, job->w, job->add);
}

static void forward_task(void *ctx, int64_t i, int worker)
{
    const FilterJob *job = ctx;
    const Work work = work_of(job, worker);
    const int64_t n = job->n_planes * job->h_out;

    for (int64_t row = i * job->rows_per_task; row < (i + 1) * job->rows_per_task && row < n; row++)
        forward_row(job, &work, row / job->h_out, row % job->h_out);
}

static void backward_task(void *ctx, int64_t i, int worker)
{
    const FilterJob *job = ctx;
    const Work work = work_of(job, worker);
    const int64_t n = job->n_planes * job->h;

    for (int64_t row = i * job->rows_per_task; row < (i + 1) * job->rows_per_task && row < n; row++)
        backward_row(job, &work, row / job->h, row % job->h);
}

/* --- the op ----------------------------------------------------------------------------------------------------------- */

static void run(Tape *tape, FilterJob *job, int64_t n_rows, int64_t width, ThreadTask task)
{
    job->threads = tape->threads;
    job->rows_per_task = width > 0 && width < POINT_BLOCK ? POINT_BLOCK / width : 1;
    threads_for(tape->threads, (n_rows + job->rows_per_task - 1) / job->rows_per_task, task, job);
}

static RsdStatus filter_backward(Tape *tape, Node *node, RsdError *err)
{
    FilterJob job = *(const FilterJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.dy = node->out->grad;
    status = threads_scratch_reserve(tape->threads, work_size(&job), err);
    if (status == RSD_OK)
        run(tape, &job, job.n_planes * job.h, job.w, backward_task);
    return status;
}

static void complete_axis(FilterAxis *axis)
{
    if (axis->n == 0) {
        axis->n = 1;
        axis->taps[0] = 1.0f;
    }
    axis->stride = axis->stride ? axis->stride : 1;
}

RsdStatus op_filter2d(Tape *tape, const Filter2d *filter, Tensor *x, Tensor **y, RsdError *err)
{
    FilterJob job = {.picture = tape->kernels->picture, .f = *filter, .x = x->data}, *saved = NULL;
    FilterAxis *down = &job.f.down, *across = &job.f.across;
    int64_t shape[TENSOR_MAX_DIMS];
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    complete_axis(down);
    complete_axis(across);
    CHECK(x->n_dims >= 2, err, RSD_ERR_ARG, "a picture filter needs two axes, not %s", shape_text(text, x->n_dims, x->shape));
    memcpy(shape, x->shape, sizeof shape);
    job.h = shape[x->n_dims - 2];
    job.w = shape[x->n_dims - 1];
    job.h_out = shape[x->n_dims - 2] = filter_axis_len(down, job.h);
    job.w_out = shape[x->n_dims - 1] = filter_axis_len(across, job.w);
    CHECK(job.h >= 1 && job.w >= 1 && job.h_out >= 1 && job.w_out >= 1, err, RSD_ERR_ARG,
          "a filter of %d x %d taps does not fit into %s", down->n, across->n, shape_text(text, x->n_dims, x->shape));
    job.n_planes = tensor_count(x) / (job.h * job.w);
    job.max_rows = (int64_t)4 * (down->n + down->before + down->after) + 8;
    for (int k = 0; k < across->n; k++)
        job.reversed[k] = across->taps[across->n - 1 - k];
    TRY(tape_tensor(tape, &result, x->n_dims, shape, err));
    TRY(threads_scratch_reserve(tape->threads, work_size(&job), err));
    job.out = result->data;
    run(tape, &job, job.n_planes * job.h_out, job.w_out, forward_task);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, filter_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
