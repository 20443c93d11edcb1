/* by_lines.c - each task makes some lines of the result from the lines of x that they see.
 *
 *   x [c, h, n] ─ lines, and those beside them ─> scratch of a worker: layer after layer ─> lines of y [c', h', n']
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/by_lines.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/depthwise.h"
#include "engine/kernels/point.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/conv_run.h"
#include "engine/ops/resize2d.h"

#define SCRATCH_FLOATS 98304 /* of what lies between the layers: 384 KiB */

typedef struct Lines {
    RsdThreads *threads;
    const PointKernels *point;
    const DepthwiseKernels *depthwise;
    ConvPart in, out; /* of a block; `in` alone for a convolution with a shuffle */
    DepthwiseShape shape; /* of a plane of x */
    const float *taps, *taps_bias;
    const float *x;
    float *y;
    int64_t batch, c, lines, n_parts; /* lines of a task; tasks of a picture */
    size_t at_middle, at_rest, scratch_size; /* floats, floats, bytes */
    int64_t r;
    float offset;
} Lines;

static size_t aligned(size_t floats)
{
    return (floats * sizeof(float) + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN / sizeof(float);
}

/* Lines of a task, of which each takes `floats` of scratch, and the tasks that this makes. */
static void cut(Lines *job, int64_t floats)
{
    const int64_t most = SCRATCH_FLOATS / (floats > 0 ? floats : 1);

    job->lines = most < 1 ? 1 : most < job->shape.h ? most : job->shape.h;
    job->n_parts = job->shape.h > 0 ? (job->shape.h + job->lines - 1) / job->lines : 0;
}

static int64_t lines_of(const Lines *job, int64_t first)
{
    return job->shape.h - first < job->lines ? job->shape.h - first : job->lines;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for two stretches of floats and the kernels. */
static RsdStatus take_scratch(Lines *job, size_t first, size_t second, size_t kernels, RsdError *err)
{
    job->at_middle = aligned(first);
    job->at_rest = job->at_middle + aligned(second);
    job->scratch_size = job->at_rest * sizeof(float) + kernels;
    return threads_scratch_reserve(job->threads, job->scratch_size, err);
}

/* Scratch of the kernels for the lines of any task: the last one may have fewer. */
static size_t part_scratch(const Lines *job, const ConvPart *part)
{
    const int64_t last = job->n_parts > 0 ? lines_of(job, (job->n_parts - 1) * job->lines) : job->lines;

    return larger(conv_part_scratch(part, job->lines, job->shape.n), conv_part_scratch(part, last, job->shape.n));
}

static RsdStatus tensor_in(Tape *tape, Tensor **out, const int64_t shape[4], float *room, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!room)
        return tape_tensor(tape, out, 4, shape, err);
    TRY(arena_calloc(tape->arena, out, 1, sizeof **out, err));
    (*out)->n_dims = 4;
    memcpy((*out)->shape, shape, 4 * sizeof *shape);
    (*out)->data = room;
fail:
    return status;
}

/* What ordinary ops made since the mark becomes *y alone, in the room if there is one. */
static RsdStatus settle(Tape *tape, ArenaMark mark, float *room, Tensor **y, RsdError *err)
{
    const Tensor made = **y;

    if (tape->recording)
        return RSD_OK;
    if (!room)
        return tape_keep(tape, mark, y, err);
    memcpy(room, made.data, (size_t)tensor_count(&made) * sizeof *room);
    arena_rewind(tape->arena, mark);
    return tensor_in(tape, y, made.shape, room, err);
}

/* --- blocks ----------------------------------------------------------------------------------------------------------------- */

static void block_task(void *ctx, int64_t i, int worker)
{
    const Lines *job = ctx;
    float *outer = threads_scratch(job->threads, worker), *middle = outer + job->at_middle, *rest = outer + job->at_rest;
    const int64_t first = i % job->n_parts * job->lines, lines = lines_of(job, first), n = job->shape.n, count = lines * n;
    const int64_t plane = job->shape.h * n, start = i / job->n_parts * job->c * plane, taps = job->shape.k * job->shape.k;
    DepthwiseShape shape = job->shape;

    shape.first = first;
    shape.lines = lines;
    for (int64_t c = 0; c < job->c; c++)
        job->depthwise->plane(&shape, job->x + start + c * plane, job->taps + c * taps, job->taps_bias ? job->taps_bias[c] : 0.0f,
                              outer + c * count, false, rest);
    conv_part_run(&job->in, outer, lines, n, middle, rest);
    job->point->map(POINT_HARD_SWISH, 0.0f, 0.0f, middle, middle, job->in.c_out * count);
    conv_part_run(&job->out, middle, lines, n, outer, rest);
    for (int64_t c = 0; c < job->c; c++) {
        const int64_t at = start + c * plane + first * n;

        job->point->pair(PAIR_ADD, job->x + at, outer + c * count, false, job->y + at, count);
    }
}

static RsdStatus block_by_ops(Tape *tape, Tensor *x, const SeparableBlock *block, float *room, Tensor **y, RsdError *err)
{
    const ArenaMark mark = arena_mark(tape->arena);
    const int half = (int)(block->taps.weight->shape[3] / 2);
    const Conv2dParams taps = {.pad = SIDES(half), .groups = (int)x->shape[1]}, point = {.groups = 1};
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(op_conv2d(tape, x, block->taps.weight, block->taps.bias, &taps, &h, err));
    TRY(op_conv2d(tape, h, block->in.weight, block->in.bias, &point, &h, err));
    TRY(op_hard_swish(tape, h, &h, err));
    TRY(op_conv2d(tape, h, block->out.weight, block->out.bias, &point, &h, err));
    TRY(op_add(tape, x, h, y, err));
    TRY(settle(tape, mark, room, y, err));
fail:
    return status;
}

static bool block_fits(const Lines *job, const Tensor *x, const SeparableBlock *block)
{
    const int64_t k = block->taps.weight->shape[3];

    return x->n_dims == 4 && (k == 3 || k == 5 || k == 7) && block->taps.weight->shape[0] == x->shape[1] &&
           job->in.c_in == x->shape[1] && job->in.k == 1 && job->out.k == 1 && job->out.c_in == job->in.c_out &&
           job->out.c_out == x->shape[1];
}

RsdStatus op_separable_block(Tape *tape, Tensor *x, const SeparableBlock *block, float *room, Tensor **y, RsdError *err)
{
    Lines job = {.threads = tape->threads,
                 .point = tape->kernels->point,
                 .depthwise = tape->kernels->depthwise,
                 .taps = block->taps.weight->data,
                 .taps_bias = block->taps.bias ? block->taps.bias->data : NULL,
                 .x = x->data};
    size_t kernels;
    RsdStatus status = RSD_OK;

    *y = NULL;
    if (!conv_part_begin(&job.in, tape, block->in.weight, block->in.bias) ||
        !conv_part_begin(&job.out, tape, block->out.weight, block->out.bias) || !block_fits(&job, x, block))
        return block_by_ops(tape, x, block, room, y, err);
    job.shape = (DepthwiseShape){.h = x->shape[2], .n = x->shape[3], .k = block->taps.weight->shape[3]};
    job.batch = x->shape[0];
    job.c = x->shape[1];
    cut(&job, (job.c + job.in.c_out) * job.shape.n);
    kernels = larger((size_t)depthwise_scratch_count(&job.shape) * sizeof(float),
                     larger(part_scratch(&job, &job.in), part_scratch(&job, &job.out)));
    TRY(take_scratch(&job, (size_t)(job.c * job.lines * job.shape.n), (size_t)(job.in.c_out * job.lines * job.shape.n), kernels, err));
    TRY(tensor_in(tape, y, x->shape, room, err));
    job.y = (*y)->data;
    threads_for(tape->threads, job.batch * job.n_parts, block_task, &job);
fail:
    return status;
}

/* --- convolution and shuffle --------------------------------------------------------------------------------------------------- */

/* Lines first .. first + lines - 1 of all channels; zeros beyond the picture. */
static void take_lines(const Lines *job, const float *x, int64_t first, int64_t lines, float *to)
{
    const int64_t h = job->shape.h, n = job->shape.n, top = first < 0 ? -first : 0, end = first + lines > h ? h - first : lines;

    for (int64_t c = 0; c < job->c; c++, x += h * n, to += lines * n) {
        memset(to, 0, (size_t)(top * n) * sizeof *to);
        memcpy(to + top * n, x + (first + top) * n, (size_t)((end - top) * n) * sizeof *to);
        memset(to + end * n, 0, (size_t)((lines - end) * n) * sizeof *to);
    }
}

static void shuffle_task(void *ctx, int64_t i, int worker)
{
    const Lines *job = ctx;
    float *outer = threads_scratch(job->threads, worker), *middle = outer + job->at_middle, *rest = outer + job->at_rest;
    const int64_t first = i % job->n_parts * job->lines, lines = lines_of(job, first), n = job->shape.n, h = job->shape.h;
    const int64_t r = job->r, item = i / job->n_parts, channels = job->in.c_out / (r * r), half = job->in.k / 2;

    take_lines(job, job->x + item * job->c * h * n, first - half, lines + 2 * half, outer);
    conv_part_run(&job->in, outer, lines, n, middle, rest);
    if (job->offset != 0.0f)
        job->point->map(POINT_AFFINE, 1.0f, job->offset, middle, middle, job->in.c_out * lines * n);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t line = 0; line < lines; line++)
            for (int64_t q = 0; q < r; q++)
                job->point->transpose(middle + ((c * r + q) * r * lines + line) * n, r, n, lines * n,
                                      job->y + (((item * channels + c) * h + first + line) * r + q) * r * n, r, false);
}

static RsdStatus shuffle_by_ops(Tape *tape, Tensor *x, const WeightPair *w, int r, float offset, float *room, Tensor **y, RsdError *err)
{
    const ArenaMark mark = arena_mark(tape->arena);
    const Conv2dParams p = {.pad = SIDES((int)(w->weight->shape[3] / 2)), .groups = 1};
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(op_conv2d(tape, x, w->weight, w->bias, &p, &h, err));
    TRY(op_pixel_shuffle(tape, h, r, &h, err));
    *y = h;
    if (offset != 0.0f)
        TRY(op_add_scalar(tape, h, offset, y, err));
    TRY(settle(tape, mark, room, y, err));
fail:
    return status;
}

RsdStatus op_conv2d_shuffle(Tape *tape, Tensor *x, const WeightPair *w, int r, float offset, float *room, Tensor **y, RsdError *err)
{
    Lines job = {.threads = tape->threads, .point = tape->kernels->point, .x = x->data, .r = r, .offset = offset};
    RsdStatus status = RSD_OK;

    *y = NULL;
    if (!conv_part_begin(&job.in, tape, w->weight, w->bias) || x->n_dims != 4 || job.in.c_in != x->shape[1] || r < 1 ||
        job.in.c_out % ((int64_t)r * r) != 0)
        return shuffle_by_ops(tape, x, w, r, offset, room, y, err);
    job.shape = (DepthwiseShape){.h = x->shape[2], .n = x->shape[3]};
    job.batch = x->shape[0];
    job.c = x->shape[1];
    cut(&job, (job.c + job.in.c_out) * job.shape.n);
    TRY(take_scratch(&job, (size_t)(job.c * (job.lines + job.in.k - 1) * job.shape.n), (size_t)(job.in.c_out * job.lines * job.shape.n),
                     part_scratch(&job, &job.in), err));
    TRY(tensor_in(tape, y, (int64_t[]){job.batch, job.in.c_out / ((int64_t)r * r), job.shape.h * r, job.shape.n * r}, room, err));
    job.y = (*y)->data;
    threads_for(tape->threads, job.batch * job.n_parts, shuffle_task, &job);
fail:
    return status;
}
