/* in_place.c - tasks over rows of [batch, channel].
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/in_place.h"

#include <string.h>

#include "engine/ops/pointwise.h"
#include "engine/stream.h"

static RsdStatus refuse_recording(const Tape *tape, const char *name, RsdError *err)
{
    if (tape->recording)
        return error_set(err, RSD_ERR_ARG, "%s: a tape that records needs what this would overwrite", name);
    return RSD_OK;
}

/* ---- activations ---- */

typedef struct MapJob {
    const PointKernels *point;
    float *x;
    const float *alpha; /* of snake; NULL: fn */
    PointFn fn;
    float a, b;
    int64_t channels, len, n_blocks;
} MapJob;

/* Task i is block i % n_blocks of row i / n_blocks. */
static void map_task(void *ctx, int64_t i, int worker)
{
    const MapJob *job = ctx;
    const int64_t row = i / job->n_blocks, block = i % job->n_blocks, n = point_block_len(job->len, block);
    float *x = job->x + row * job->len + block * POINT_BLOCK;

    (void)worker;
    if (job->alpha)
        job->point->snake(x, job->alpha[row % job->channels], x, n);
    else
        job->point->map(job->fn, job->a, job->b, x, x, n);
}

RsdStatus op_snake_in_place(Tape *tape, Tensor *x, Tensor *alpha, RsdError *err)
{
    MapJob job = {.point = tape->kernels->point, .x = x->data, .alpha = alpha->data};
    char text_x[SHAPE_TEXT_SIZE], text_alpha[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(refuse_recording(tape, "snake in place", err));
    CHECK(x->n_dims >= 2 && tensor_count(alpha) == x->shape[1], err, RSD_ERR_ARG,
          "snake of %s needs one alpha per channel (second axis), not %s", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_alpha, alpha->n_dims, alpha->shape));
    job.channels = x->shape[1];
    job.len = 1;
    for (int i = 2; i < x->n_dims; i++)
        job.len *= x->shape[i];
    job.n_blocks = point_n_blocks(job.len);
    threads_for(tape->threads, x->shape[0] * x->shape[1] * job.n_blocks, map_task, &job);
fail:
    return status;
}

static RsdStatus map_in_place(Tape *tape, const char *name, PointFn fn, float a, float b, Tensor *x, RsdError *err)
{
    MapJob job = {.point = tape->kernels->point, .x = x->data, .fn = fn, .a = a, .b = b, .channels = 1, .len = tensor_count(x)};
    RsdStatus status = RSD_OK;

    TRY(refuse_recording(tape, name, err));
    job.n_blocks = point_n_blocks(job.len);
    threads_for(tape->threads, job.n_blocks, map_task, &job);
fail:
    return status;
}

RsdStatus op_tanh_in_place(Tape *tape, Tensor *x, RsdError *err)
{
    return map_in_place(tape, "tanh in place", POINT_TANH, 0.0f, 0.0f, x, err);
}

RsdStatus op_relu_in_place(Tape *tape, Tensor *x, RsdError *err)
{
    return map_in_place(tape, "rectifier in place", POINT_RELU, 0.0f, 0.0f, x, err);
}

RsdStatus op_pow_in_place(Tape *tape, Tensor *x, float exponent, float floor, RsdError *err)
{
    return map_in_place(tape, "power in place", POINT_POW, floor, exponent, x, err);
}

/* ---- residual connections ---- */

typedef struct SkipJob {
    const PointKernels *point;
    float *x, *h;
    int64_t n, m, shift;
} SkipJob;

static void add_row(void *ctx, int64_t i, int worker)
{
    const SkipJob *job = ctx;
    float *x = job->x + i * job->n;

    (void)worker;
    job->point->pair(PAIR_ADD, x, job->h + i * job->n, false, x, job->n);
}

/* Shorter rows lie closer together: the sum is made where h is and moves when all of x has been read. */
static void add_cropped_row(void *ctx, int64_t i, int worker)
{
    const SkipJob *job = ctx;
    float *h = job->h + i * job->m;

    (void)worker;
    job->point->pair(PAIR_ADD, job->x + i * job->n + job->shift, h, false, h, job->m);
}

static void move_row(void *ctx, int64_t i, int worker)
{
    const SkipJob *job = ctx;

    (void)worker;
    memcpy(job->x + i * job->m, job->h + i * job->m, (size_t)job->m * sizeof *job->x);
}

RsdStatus op_add_skip_in_place(Tape *tape, Tensor *x, Tensor *h, int64_t shift, RsdError *err)
{
    SkipJob job = {.point = tape->kernels->point, .x = x->data, .h = h->data, .shift = shift};
    char text_x[SHAPE_TEXT_SIZE], text_h[SHAPE_TEXT_SIZE];
    int64_t rows;
    RsdStatus status = RSD_OK;

    TRY(refuse_recording(tape, "skip in place", err));
    CHECK(x->n_dims == 3 && h->n_dims == 3 && x->shape[0] == h->shape[0] && x->shape[1] == h->shape[1] &&
              shift >= 0 && x->shape[2] - h->shape[2] >= shift && h->shape[2] > 0,
          err, RSD_ERR_ARG, "skip of %s around %s, shifted by %lld", shape_text(text_x, x->n_dims, x->shape),
          shape_text(text_h, h->n_dims, h->shape), (long long)shift);
    rows = x->shape[0] * x->shape[1];
    job.n = x->shape[2];
    job.m = h->shape[2];
    if (job.m == job.n) {
        threads_for(tape->threads, rows, add_row, &job);
    } else {
        threads_for(tape->threads, rows, add_cropped_row, &job);
        threads_for(tape->threads, rows, move_row, &job);
        x->shape[2] = job.m;
    }
fail:
    return status;
}

/* ---- delay ---- */

typedef struct DelayJob {
    RsdThreads *threads;
    float *x, *waiting; /* [rows, n], [rows, delay] */
    int64_t n, delay;
} DelayJob;

/* Those that waited come first, and the last ones wait in their place. */
static void delay_row(void *ctx, int64_t i, int worker)
{
    const DelayJob *job = ctx;
    const int64_t n = job->n, delay = job->delay, moved = delay < n ? delay : n;
    float *x = job->x + i * n, *waiting = job->waiting + i * delay, *scratch = threads_scratch(job->threads, worker);

    memcpy(scratch, x + n - moved, (size_t)moved * sizeof *x);
    memmove(x + moved, x, (size_t)(n - moved) * sizeof *x);
    memcpy(x, waiting, (size_t)moved * sizeof *x);
    memmove(waiting, waiting + moved, (size_t)(delay - moved) * sizeof *x);
    memcpy(waiting + delay - moved, scratch, (size_t)moved * sizeof *x);
}

RsdStatus op_delay_in_place(Tape *tape, Tensor *x, int64_t delay, RsdError *err)
{
    DelayJob job = {.threads = tape->threads, .x = x->data, .delay = delay};
    int64_t rows;
    RsdStatus status = RSD_OK;

    TRY(refuse_recording(tape, "delay in place", err));
    CHECK(x->n_dims == 3 && tape->stream && delay >= 0, err, RSD_ERR_ARG,
          "delay of a tensor of %d axes by %lld samples: needs a stream and 3 axes", x->n_dims, (long long)delay);
    if (delay == 0)
        return RSD_OK;
    rows = x->shape[0] * x->shape[1];
    job.n = x->shape[2];
    TRY(stream_slot(tape->stream, &job.waiting, (size_t)(rows * delay), err));
    TRY(threads_scratch_reserve(tape->threads, (size_t)(delay < job.n ? delay : job.n) * sizeof(float), err));
    threads_for(tape->threads, rows, delay_row, &job);
fail:
    return status;
}

/* ---- the ends of a signal ---- */

RsdStatus op_keep_columns_in_place(Tape *tape, Tensor *x, int64_t first, int64_t end, RsdError *err)
{
    int64_t n, rows;
    RsdStatus status = RSD_OK;

    TRY(refuse_recording(tape, "columns in place", err));
    CHECK(x->n_dims == 3, err, RSD_ERR_ARG, "columns of a tensor of %d axes, expected 3", x->n_dims);
    n = x->shape[2];
    rows = x->shape[0] * x->shape[1];
    first = first < 0 ? 0 : first > n ? n : first;
    end = end > n ? n : end < first ? first : end;
    for (int64_t i = 0; i < rows && (first > 0 || end < n); i++) {
        tape->kernels->point->fill(x->data + i * n, 0.0f, first, false);
        tape->kernels->point->fill(x->data + i * n + end, 0.0f, n - end, false);
    }
fail:
    return status;
}
