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
#include "engine/ops/pad.h"

const ConvPadMode conv_pad_modes[] = {
    [PAD_ZERO] = CONV_PAD_ZERO, [PAD_REFLECT] = CONV_PAD_REFLECT, [PAD_REPLICATE] = CONV_PAD_REPLICATE};

typedef struct Saved {
    ConvKind kind;
    ConvShape shape;
    bool elu, is_padded;
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

/* A weight packed ahead. The layout depends on what is named here and on the tensor's shape. */
typedef struct Prepared {
    const ConvKernels *kernels;
    ConvKind kind;
    int64_t groups, stride[2], dilation[2]; /* of y and x */
    size_t count;
    bool is_half; /* packed holds IEEE binary16 */
    _Alignas(MEM_ALIGN) float packed[];
} Prepared;

static bool is_prepared(const Prepared *prepared, const ConvKernels *kernels, ConvKind kind, const ConvShape *s, size_t count)
{
    return prepared && prepared->kernels == kernels && prepared->kind == kind && prepared->groups == s->groups &&
           prepared->stride[0] == s->y.stride && prepared->stride[1] == s->x.stride &&
           prepared->dilation[0] == s->y.dilation && prepared->dilation[1] == s->x.dilation && prepared->count == count;
}

RsdStatus conv_prepare(Tape *tape, ConvKind kind, const ConvShape *shape, Tensor *w, RsdError *err)
{
    Run run = {.kernels = tape->kernels->conv, .threads = tape->threads, .kind = kind, .job = {.shape = *shape, .w = w->data}};
    ConvWork work = work_of(run.kernels, kind, shape);
    Prepared *prepared;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &prepared, 1, sizeof *prepared + work.packed_count * sizeof(float), err));
    *prepared = (Prepared){.kernels = run.kernels, .kind = kind, .groups = shape->groups, .count = work.packed_count,
                           .stride = {shape->y.stride, shape->x.stride},
                           .dilation = {shape->y.dilation, shape->x.dilation}};
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

bool conv_is_packed(const Tensor *w)
{
    const Prepared *prepared = w->prepared;

    return prepared && prepared->count > 0;
}

/* Fills job->y from a packed weight: the one prepared with w, or one made here in the arena and given back. */
static RsdStatus run_sum(Tape *tape, ConvKind kind, const ConvJob *job, const Tensor *w, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .kind = kind, .job = *job};
    ConvWork work = work_of(kernels, kind, &job->shape);
    ArenaMark mark = arena_mark(tape->arena);
    const Prepared *prepared = tape->recording ? NULL : w->prepared;
    RsdStatus status = RSD_OK;

    TRY(threads_scratch_reserve(tape->threads, work.scratch_size, err));
    if (is_prepared(prepared, kernels, kind, &job->shape, work.packed_count)) {
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

static RsdStatus run_back(Tape *tape, const ConvBackJob *job, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .back = *job};
    ConvWork work = kernels->back_work(&job->shape, job->scatters);
    ArenaMark mark = arena_mark(tape->arena);
    RsdStatus status = RSD_OK;

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
    Tensor *out = call->onto;
    float *x_padded = call->x->data;
    RsdStatus status = RSD_OK;

    *y = NULL;
    if (call->onto)
        TRY(check_onto(tape, call->onto, 2 + call->n_axes, shape, err));
    else
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
                           .add = call->onto != NULL},
                call->w, err));
    if (call->context)
        conv_keep_context(call->context, gathers ? s->x.left : conv_reach(&s->x), rows, call->x->data, call->x->shape[2]);
    if (tape_will_record(tape, 3, inputs)) {
        Saved *saved;

        TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
        saved->kind = call->kind;
        saved->shape = *s;
        saved->elu = call->elu;
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
