/* conv_run.c - convolution kernels on the threads of a tape, forward and backward.
 *
 *   forward   y  = gather(x)  or scatter(x)
 *   backward  dx, dw and db in one pass over x and dy
 * Padding that is not zero makes a padded copy of x, whose gradient is folded back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv_run.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/conv_point.h"
#include "engine/ops/pad.h"
#include "engine/ops/pointwise.h"

const ConvPadMode conv_pad_modes[] = {
    [PAD_ZERO] = CONV_PAD_ZERO, [PAD_REFLECT] = CONV_PAD_REFLECT, [PAD_REPLICATE] = CONV_PAD_REPLICATE};

typedef struct Saved {
    ConvKind kind;
    ConvShape shape;
    bool elu, relu, is_padded;
    ConvPad2d pad;
    float *x_padded; /* x->data without padding */
} Saved;

/* --- kernels as threaded loops ------------------------------------------------------------------------------------ */

typedef struct Run {
    const ConvKernels *kernels;
    RsdThreads *threads;
    ConvKind kind;
    ConvJob job;
    ConvBackJob back;
} Run;

static void pack_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    (void)worker;
    (run->kind == CONV_GATHER ? run->kernels->gather_pack : run->kernels->scatter_pack)(&run->job, i);
}

static void sum_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;
    void *scratch = threads_scratch(run->threads, worker);

    (run->kind == CONV_GATHER ? run->kernels->gather : run->kernels->scatter)(&run->job, i, scratch);
}

static void back_pack_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    (void)worker;
    run->kernels->back_pack(&run->back, i);
}

static void back_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    run->kernels->back(&run->back, i, threads_scratch(run->threads, worker));
}

static void reduce_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    (void)worker;
    run->kernels->back_reduce(&run->back, i);
}

static ConvWork work_of(const ConvKernels *kernels, ConvKind kind, const ConvShape *shape)
{
    return (kind == CONV_GATHER ? kernels->gather_work : kernels->scatter_work)(shape);
}

/* Where a packed weight waits: parts of some output channels, each packed as if there were no others. */
typedef struct Aside {
    const ScratchFile *file; /* NULL: it is in memory */
    int64_t offset, channels; /* of the first part; output channels of all parts but the last */
    size_t part_size;         /* bytes from part to part */
} Aside;

/* A weight packed ahead. The layout depends on what is named here and on the tensor's shape. */
typedef struct Prepared {
    const ConvKernels *kernels;
    ConvKind kind;
    int64_t groups, stride[2], dilation[2]; /* of y and x */
    size_t count;
    bool is_half; /* packed holds IEEE binary16 */
    Aside aside;
    _Alignas(MEM_ALIGN) float packed[];
} Prepared;

static bool is_prepared(const Prepared *prepared, const ConvKernels *kernels, ConvKind kind, const ConvShape *s, size_t count)
{
    return prepared && prepared->kernels == kernels && prepared->kind == kind && prepared->groups == s->groups &&
           prepared->stride[0] == s->y.stride && prepared->stride[1] == s->x.stride &&
           prepared->dilation[0] == s->y.dilation && prepared->dilation[1] == s->x.dilation && prepared->count == count;
}

static Prepared prepared_for(const ConvKernels *kernels, ConvKind kind, const ConvShape *shape)
{
    return (Prepared){.kernels = kernels, .kind = kind, .groups = shape->groups,
                      .count = work_of(kernels, kind, shape).packed_count,
                      .stride = {shape->y.stride, shape->x.stride},
                      .dilation = {shape->y.dilation, shape->x.dilation}};
}

RsdStatus conv_prepare(Tape *tape, ConvKind kind, const ConvShape *shape, Tensor *w, RsdError *err)
{
    Run run = {.kernels = tape->kernels->conv, .threads = tape->threads, .kind = kind, .job = {.shape = *shape, .w = w->data}};
    ConvWork work = work_of(run.kernels, kind, shape);
    Prepared *prepared;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &prepared, 1, sizeof *prepared + work.packed_count * sizeof(float), err));
    *prepared = prepared_for(run.kernels, kind, shape);
    run.job.packed = prepared->packed;
    threads_for(tape->threads, work.n_pack_tasks, pack_task, &run);
    w->prepared = prepared;
fail:
    return status;
}

#define HALF_BLOCK 4096

/* Whether halves hold all of x. */
static bool are_halves(const PointKernels *point, const float *x, size_t count)
{
    uint16_t halves[HALF_BLOCK];
    float back[HALF_BLOCK];

    for (size_t i = 0; i < count; i += HALF_BLOCK) {
        size_t n = count - i < HALF_BLOCK ? count - i : HALF_BLOCK;

        point->to_half(x + i, halves, (int64_t)n);
        point->from_half(halves, back, (int64_t)n);
        if (memcmp(back, x + i, n * sizeof *back) != 0)
            return false;
    }
    return true;
}

/* In the place of the floats: what is written has been read. */
static void narrow(const PointKernels *point, float *x, size_t count)
{
    uint16_t halves[HALF_BLOCK];

    for (size_t i = 0; i < count; i += HALF_BLOCK) {
        size_t n = count - i < HALF_BLOCK ? count - i : HALF_BLOCK;

        point->to_half(x + i, halves, (int64_t)n);
        memcpy((uint16_t *)x + i, halves, n * sizeof *halves);
    }
}

RsdStatus conv_prepare_halves(Tape *tape, Tensor *w, ArenaMark before, RsdError *err)
{
    Prepared *wide, *halves;
    size_t size;
    RsdStatus status = RSD_OK;

    memcpy(&wide, &w->prepared, sizeof wide);
    if (wide->count == 0 || !are_halves(tape->kernels->point, wide->packed, wide->count))
        return RSD_OK;
    narrow(tape->kernels->point, wide->packed, wide->count);
    wide->is_half = true;
    size = sizeof *wide + wide->count * sizeof(uint16_t);
    arena_rewind(tape->arena, before);
    TRY(arena_alloc(tape->arena, &halves, 1, size, err)); /* smaller than before: it fits, there or in an earlier block */
    memmove(halves, wide, size);
    w->prepared = halves;
fail:
    return status;
}

bool conv_holds_halves(const Tape *tape, const Tensor *w)
{
    return are_halves(tape->kernels->point, w->data, (size_t)tensor_count(w));
}

bool conv_is_packed(const Tensor *w)
{
    const Prepared *prepared = w->prepared;

    return prepared && prepared->count > 0;
}

/* --- weights that wait in a file -------------------------------------------------------------------------------------- */

#define PART_SIZE ((size_t)8 << 20) /* bytes: few enough for memory, and enough that nothing is lost between two parts */
#define PART_UNIT 32                /* output channels: whole panels and whole tiles of rows */

static int64_t *output_channels(ConvShape *shape, ConvKind kind)
{
    return kind == CONV_GATHER ? &shape->c_coarse : &shape->c_fine;
}

static Aside divide(ConvKind kind, const ConvShape *shape, const ScratchFile *file)
{
    ConvShape s = *shape;
    const int64_t c_out = *output_channels(&s, kind), c_in = kind == CONV_GATHER ? s.c_fine : s.c_coarse;
    const size_t channel_size = (size_t)(c_in * s.y.k * s.x.k) * sizeof(float);
    Aside aside = {.file = file, .offset = scratch_file_size(file)};

    aside.channels = (int64_t)(PART_SIZE / channel_size) / PART_UNIT * PART_UNIT;
    aside.channels = aside.channels < PART_UNIT ? PART_UNIT : aside.channels;
    aside.channels = aside.channels > c_out ? c_out : aside.channels;
    return aside;
}

/* Those of output channels first .. first + n - 1, [n, c_in, k], or a copy [c_in, n, k]. */
static const float *weights_of_part(ConvKind kind, const ConvShape *s, const float *w, int64_t first, int64_t n, float *copy)
{
    const int64_t k = s->y.k * s->x.k;

    if (kind == CONV_GATHER)
        return w + first * s->c_fine * k;
    for (int64_t c = 0; c < s->c_coarse; c++)
        memcpy(copy + c * n * k, w + (c * s->c_fine + first) * k, (size_t)(n * k) * sizeof *copy);
    return copy;
}

static RsdStatus pack_part(Tape *tape, ConvKind kind, const ConvShape *shape, const float *w, int64_t first, int64_t n,
                           float *packed, size_t *size, RsdError *err)
{
    Run run = {.kernels = tape->kernels->conv, .threads = tape->threads, .kind = kind, .job = {.shape = *shape, .packed = packed}};
    const ArenaMark mark = arena_mark(tape->arena);
    float *copy = NULL;
    ConvWork work;
    RsdStatus status = RSD_OK;

    *output_channels(&run.job.shape, kind) = n;
    if (kind == CONV_SCATTER)
        TRY(arena_alloc(tape->arena, &copy, (size_t)(shape->c_coarse * n * shape->y.k * shape->x.k), sizeof *copy, err));
    run.job.w = weights_of_part(kind, shape, w, first, n, copy);
    work = work_of(run.kernels, kind, &run.job.shape);
    *size = work.packed_count * sizeof *packed;
    threads_for(tape->threads, work.n_pack_tasks, pack_task, &run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

/* Parts begin where they can be mapped, whatever the file holds before them. */
static RsdStatus align_end(ScratchFile *file, RsdError *err)
{
    static const char zeros[4096];
    RsdStatus status = RSD_OK;

    for (int64_t over; status == RSD_OK && (over = scratch_file_size(file) % SCRATCH_FILE_ALIGN) > 0;) {
        const int64_t missing = SCRATCH_FILE_ALIGN - over, size = sizeof zeros;

        status = scratch_file_append(file, zeros, (size_t)(missing < size ? missing : size), err);
    }
    return status;
}

RsdStatus conv_prepare_aside(Tape *tape, ConvKind kind, const ConvShape *shape, Tensor *w, ScratchFile *file, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    ConvShape part = *shape;
    const int64_t c_out = *output_channels(&part, kind);
    Prepared *prepared;
    ArenaMark mark;
    char *packed;
    Aside aside;
    RsdStatus status = RSD_OK;

    w->prepared = NULL;
    if (shape->groups != 1 || work_of(kernels, kind, shape).packed_count == 0)
        return RSD_OK;
    TRY(align_end(file, err));
    aside = divide(kind, shape, file);
    *output_channels(&part, kind) = aside.channels;
    aside.part_size = work_of(kernels, kind, &part).packed_count * sizeof(float);
    aside.part_size = (aside.part_size + SCRATCH_FILE_ALIGN - 1) / SCRATCH_FILE_ALIGN * SCRATCH_FILE_ALIGN;
    TRY(arena_alloc(tape->arena, &prepared, 1, sizeof *prepared, err));
    *prepared = prepared_for(kernels, kind, shape);
    prepared->aside = aside;
    mark = arena_mark(tape->arena);
    TRY(arena_alloc(tape->arena, &packed, aside.part_size, 1, err));
    for (int64_t first = 0; first < c_out; first += aside.channels) {
        size_t size;

        TRY(pack_part(tape, kind, shape, w->data, first, c_out - first < aside.channels ? c_out - first : aside.channels,
                      (float *)(void *)packed, &size, err));
        memset(packed + size, 0, aside.part_size - size);
        TRY(scratch_file_append(file, packed, aside.part_size, err));
    }
    arena_rewind(tape->arena, mark);
    w->prepared = prepared;
fail:
    return status;
}

/* Output channels first .. first + n - 1 of an item, as a job of its own. */
static ConvJob part_of(const ConvJob *job, ConvKind kind, int64_t item, int64_t first, int64_t n)
{
    const ConvShape *s = &job->shape;
    const bool gathers = kind == CONV_GATHER;
    const int64_t c_x = gathers ? s->c_fine : s->c_coarse, n_x = gathers ? conv_fine_count(s) : conv_coarse_count(s);
    const int64_t c_y = gathers ? s->c_coarse : s->c_fine, n_y = gathers ? conv_coarse_count(s) : conv_fine_count(s);
    ConvJob part = *job;

    part.shape.batch = 1;
    *output_channels(&part.shape, kind) = n;
    part.x += item * c_x * n_x;
    if (part.context)
        part.context += item * c_x * (gathers ? s->x.left : conv_reach(&s->x));
    if (part.bias)
        part.bias += first;
    part.y += (item * c_y + first) * n_y;
    return part;
}

static RsdStatus run_aside(Tape *tape, const Run *run, const Aside *aside, RsdError *err)
{
    ConvShape shape = run->job.shape;
    const int64_t c_out = *output_channels(&shape, run->kind);
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i * aside->channels < c_out; i++) {
        const int64_t first = i * aside->channels, n = c_out - first < aside->channels ? c_out - first : aside->channels;
        Run part = *run;
        const void *packed;

        TRY(scratch_file_map(aside->file, aside->offset + i * (int64_t)aside->part_size, aside->part_size, &packed, err));
        for (int64_t item = 0; item < shape.batch; item++) {
            part.job = part_of(&run->job, run->kind, item, first, n);
            part.job.ready = packed;
            threads_for(tape->threads, work_of(run->kernels, run->kind, &part.job.shape).n_tasks, sum_task, &part);
        }
        scratch_file_unmap(packed, aside->part_size);
    }
fail:
    return status;
}

/* --- the sum ------------------------------------------------------------------------------------------------------- */

/* Fills job->y from a packed weight: the one prepared with w, or one made here in the arena and given back. */
static RsdStatus run_sum(Tape *tape, ConvKind kind, const ConvJob *job, const Tensor *w, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .kind = kind, .job = *job};
    ConvWork work;
    ArenaMark mark = arena_mark(tape->arena);
    const Prepared *prepared = tape->recording ? NULL : w->prepared;
    RsdStatus status = RSD_OK;

    if (kind == CONV_GATHER && !job->elu && !job->context && !job->add && conv_point_takes(tape, &job->shape, false)) {
        conv_point_run(tape, job);
        return RSD_OK;
    }
    run.job.shape.pairs = job->shape.pairs && !tape->recording; /* weights that change are packed anew: it would not pay */
    work = work_of(kernels, kind, &run.job.shape);
    TRY(threads_scratch_reserve(tape->threads, work.scratch_size, err));
    if (is_prepared(prepared, kernels, kind, &job->shape, work.packed_count)) {
        if (prepared->aside.file)
            return run_aside(tape, &run, &prepared->aside, err);
        run.job.ready = prepared->packed;
        run.job.ready_half = prepared->is_half ? (const uint16_t *)prepared->packed : NULL;
    } else {
        TRY(arena_alloc(tape->arena, &run.job.packed, work.packed_count, sizeof(float), err));
        threads_for(tape->threads, work.n_pack_tasks, pack_task, &run);
        run.job.ready = run.job.packed;
    }
    threads_for(tape->threads, work.n_tasks, sum_task, &run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

/* --- some lines alone ------------------------------------------------------------------------------------------------ */

static ConvShape shape_of_part(const ConvPart *part, int64_t lines, int64_t n)
{
    const int64_t k = part->k;
    ConvShape s = {.batch = 1,
                   .groups = 1,
                   .c_fine = part->c_in,
                   .c_coarse = part->c_out,
                   .y = {.n_fine = lines + k - 1, .n_coarse = lines, .k = k, .stride = 1, .dilation = 1},
                   .x = {.n_fine = n, .n_coarse = n, .k = k, .stride = 1, .dilation = 1, .left = k / 2}};

    if (k == 1) { /* one long line */
        s.x.n_fine = s.x.n_coarse = lines * n;
        s.y = CONV_ONE_LINE;
    }
    return s;
}

bool conv_part_begin(ConvPart *part, const Tape *tape, const Tensor *w, const Tensor *b)
{
    const Prepared *prepared = tape->recording ? NULL : w->prepared;
    ConvShape s;

    if (!prepared || prepared->aside.file || w->n_dims != 4 || w->shape[2] != w->shape[3] || w->shape[2] % 2 == 0)
        return false;
    *part = (ConvPart){tape->kernels->conv, w, b, w->shape[1], w->shape[0], w->shape[2]};
    s = shape_of_part(part, 1, 1);
    return is_prepared(prepared, part->kernels, CONV_GATHER, &s, part->kernels->gather_work(&s).packed_count);
}

size_t conv_part_scratch(const ConvPart *part, int64_t lines, int64_t n)
{
    const ConvShape s = shape_of_part(part, lines, n);

    return part->kernels->gather_work(&s).scratch_size;
}

void conv_part_run(const ConvPart *part, const float *x, int64_t lines, int64_t n, float *y, void *scratch)
{
    const Prepared *prepared = part->w->prepared;
    const ConvJob job = {.shape = shape_of_part(part, lines, n),
                         .x = x,
                         .w = part->w->data,
                         .ready = prepared->packed,
                         .ready_half = prepared->is_half ? (const uint16_t *)prepared->packed : NULL,
                         .bias = part->b ? part->b->data : NULL,
                         .y = y};
    const int64_t n_tasks = part->kernels->gather_work(&job.shape).n_tasks;

    for (int64_t i = 0; i < n_tasks; i++)
        part->kernels->gather(&job, i, scratch);
}

static RsdStatus run_back(Tape *tape, const ConvBackJob *job, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .back = *job};
    ConvWork work = kernels->back_work(&job->shape, job->scatters);
    ArenaMark mark = arena_mark(tape->arena);
    RsdStatus status = RSD_OK;

    if (!job->scatters && !job->elu && conv_point_takes(tape, &job->shape, true))
        return conv_point_back(tape, job, err);
    TRY(arena_alloc(tape->arena, &run.back.packed, work.packed_count, sizeof(float), err));
    TRY(arena_alloc(tape->arena, &run.back.partial, work.partial_count, sizeof(float), err));
    TRY(threads_scratch_reserve(tape->threads, work.scratch_size, err));
    threads_for(tape->threads, work.n_pack_tasks, back_pack_task, &run);
    threads_for(tape->threads, work.n_tasks, back_task, &run);
    threads_for(tape->threads, work.n_reduce_tasks, reduce_task, &run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

/* --- backward ------------------------------------------------------------------------------------------------------- */

/* Gradients of weights computed in the step (weight norm) start from zero: the kernels add. */
static RsdStatus added_grad(Tape *tape, Tensor *x, float **dx, RsdError *err)
{
    bool add;
    RsdStatus status = tape_grad(tape, x, dx, &add, err);

    if (status == RSD_OK && *dx && !add)
        memset(*dx, 0, (size_t)tensor_count(x) * sizeof **dx);
    return status;
}

typedef struct MaskJob {
    const PointKernels *point;
    const float *y;
    float *dy;
    int64_t count;
} MaskJob;

static void mask_block(void *ctx, int64_t i, int worker)
{
    const MaskJob *job = ctx;
    const int64_t at = i * POINT_BLOCK;

    (void)worker;
    job->point->map_grad(POINT_RELU, 0.0f, 0.0f, job->y + at, job->y + at, job->dy + at, job->dy + at,
                         point_block_len(job->count, i), false);
}

/* The gradient of what the rectifier left 0 is 0: y tells, and dy is nobody else's. */
static void mask_gradient(Tape *tape, const Tensor *y)
{
    MaskJob job = {tape->kernels->point, y->data, y->grad, tensor_count(y)};

    threads_for(tape->threads, point_n_blocks(job.count), mask_block, &job);
}

static RsdStatus conv_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    Tensor *x = node->in[0];
    ConvBackJob job = {.shape = saved->shape, .scatters = saved->kind == CONV_SCATTER, .x = saved->x_padded,
                       .dy = node->out->grad, .elu = saved->elu, .w = node->in[1]->data};
    int64_t rows = x->shape[0] * x->shape[1];
    float *dx;
    bool add;
    ArenaMark mark;
    RsdStatus status = RSD_OK;

    if (saved->relu)
        mask_gradient(tape, node->out);
    TRY(added_grad(tape, node->in[1], &job.dw, err));
    TRY(added_grad(tape, node->in[2], &job.db, err));
    TRY(tape_grad(tape, x, &dx, &add, err));
    mark = arena_mark(tape->arena);
    job.dx = dx;
    job.add = add;
    if (dx && saved->is_padded) {
        TRY(arena_alloc(tape->arena, &job.dx, (size_t)(rows * conv_fine_count(&saved->shape)), sizeof(float), err));
        job.add = false;
    }
    TRY(run_back(tape, &job, err));
    if (dx && saved->is_padded) {
        if (!add)
            memset(dx, 0, (size_t)tensor_count(x) * sizeof *dx);
        conv_pad_planes_grad(&saved->pad, rows, job.dx, dx);
    }
    arena_rewind(tape->arena, mark);
fail:
    return status;
}

/* --- forward -------------------------------------------------------------------------------------------------------- */

static RsdStatus check_onto(const Tape *tape, const Tensor *onto, int n_dims, const int64_t *shape, RsdError *err)
{
    char have[SHAPE_TEXT_SIZE], want[SHAPE_TEXT_SIZE];

    if (tape->recording)
        return error_set(err, RSD_ERR_ARG, "convolution in place: a tape that records needs what this would overwrite");
    if (onto->n_dims != n_dims || memcmp(onto->shape, shape, (size_t)n_dims * sizeof *shape) != 0)
        return error_set(err, RSD_ERR_ARG, "convolution in place: %s cannot be added to %s", shape_text(want, n_dims, shape),
                         shape_text(have, onto->n_dims, onto->shape));
    return RSD_OK;
}

RsdStatus conv_call(Tape *tape, const ConvCall *call, Tensor **y, RsdError *err)
{
    const ConvShape *s = &call->shape;
    Tensor *const inputs[] = {call->x, call->w, call->b};
    bool gathers = call->kind == CONV_GATHER;
    int64_t shape[] = {s->batch, gathers ? s->c_coarse : s->c_fine, call->axes[0], call->axes[1]};
    int64_t rows = call->x->shape[0] * call->x->shape[1];
    Tensor *out = call->onto ? call->onto : call->into;
    float *x_padded = call->x->data;
    RsdStatus status = RSD_OK;

    *y = NULL;
    if (call->onto)
        TRY(check_onto(tape, call->onto, 2 + call->n_axes, shape, err));
    else if (!out)
        TRY(tape_tensor(tape, &out, 2 + call->n_axes, shape, err));
    if (call->pad) {
        TRY(arena_alloc(tape->arena, &x_padded, (size_t)(rows * conv_fine_count(s)), sizeof(float), err));
        conv_pad_planes(call->pad, rows, call->x->data, x_padded);
    }
    TRY(run_sum(tape, call->kind,
                &(ConvJob){.shape = *s,
                           .x = x_padded,
                           .context = call->context,
                           .elu = call->elu,
                           .w = call->w->data,
                           .bias = call->b ? call->b->data : NULL,
                           .y = out->data,
                           .add = call->onto != NULL,
                           .relu = call->relu},
                call->w, err));
    if (call->context)
        conv_keep_context(call->context, gathers ? s->x.left : conv_reach(&s->x), rows, call->x->data, call->x->shape[2]);
    if (tape_will_record(tape, 3, inputs)) {
        Saved *saved;

        TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
        saved->kind = call->kind;
        saved->shape = *s;
        saved->elu = call->elu;
        saved->relu = call->relu;
        saved->is_padded = call->pad != NULL;
        if (call->pad)
            saved->pad = *call->pad;
        saved->x_padded = x_padded;
        TRY(tape_record(tape, conv_backward, out, 3, inputs, saved, err));
    }
    *y = out;
fail:
    return status;
}
