/* conv_run.c - convolution kernels on the threads of a tape, forward and backward.
 *
 *   forward   y  = gather(x)  or scatter(x)
 *   backward  dx = scatter(dy) or gather(dy), times ELU'(x) where x went in through ELU
 *             dw = weights(fine, coarse): (x, dy) for gather, (dy, x) for scatter
 *             db = sums of dy
 * Padding that is not zero makes a padded copy of x, whose gradient is folded back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv_run.h"

#include <string.h>

#include "engine/kernels/kernels.h"

#define BIAS_CHANNELS_PER_TASK 8

typedef struct Saved {
    ConvKind kind;
    ConvShape shape;
    bool elu, is_padded;
    ConvPad pad;
    float *x_padded; /* x->data without padding */
} Saved;

/* --- kernels as threaded loops ------------------------------------------------------------------------------------ */

typedef struct Run {
    const ConvKernels *kernels;
    RsdThreads *threads;
    ConvKind kind;
    ConvJob job;
    ConvWeightJob weight_job;
    const float *dy;
    int64_t batch, c, n;
    float *db;
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

static void weights_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    run->kernels->weights(&run->weight_job, i, threads_scratch(run->threads, worker));
}

static void reduce_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;

    (void)worker;
    run->kernels->weights_reduce(&run->weight_job, i);
}

static void bias_task(void *ctx, int64_t i, int worker)
{
    Run *run = ctx;
    int64_t first = i * BIAS_CHANNELS_PER_TASK, end = first + BIAS_CHANNELS_PER_TASK;

    (void)worker;
    run->kernels->bias_grad(run->dy, run->batch, run->c, run->n, first, end < run->c ? end : run->c, run->db);
}

/* Fills job->y. job->packed is taken from the arena and given back. */
static RsdStatus run_sum(Tape *tape, ConvKind kind, const ConvJob *job, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .kind = kind, .job = *job};
    ConvWork work = (kind == CONV_GATHER ? kernels->gather_work : kernels->scatter_work)(&job->shape);
    ArenaMark mark = arena_mark(tape->arena);
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &run.job.packed, work.packed_count, sizeof(float), err));
    TRY(threads_scratch_reserve(tape->threads, work.scratch_size, err));
    threads_for(tape->threads, work.n_pack_tasks, pack_task, &run);
    threads_for(tape->threads, work.n_tasks, sum_task, &run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

static RsdStatus run_weights(Tape *tape, const ConvWeightJob *job, RsdError *err)
{
    const ConvKernels *kernels = tape->kernels->conv;
    Run run = {.kernels = kernels, .threads = tape->threads, .weight_job = *job};
    ConvWork work = kernels->weights_work(&job->shape);
    ArenaMark mark = arena_mark(tape->arena);
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(tape->arena, &run.weight_job.partial, work.partial_count, sizeof(float), err));
    TRY(threads_scratch_reserve(tape->threads, work.scratch_size, err));
    threads_for(tape->threads, work.n_tasks, weights_task, &run);
    threads_for(tape->threads, work.n_reduce_tasks, reduce_task, &run);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

static void run_bias(Tape *tape, const Tensor *y, float *db)
{
    Run run = {.kernels = tape->kernels->conv, .dy = y->grad, .batch = y->shape[0], .c = y->shape[1],
               .n = y->shape[2], .db = db};

    threads_for(tape->threads, (run.c + BIAS_CHANNELS_PER_TASK - 1) / BIAS_CHANNELS_PER_TASK, bias_task, &run);
}

/* --- backward ------------------------------------------------------------------------------------------------------- */

static RsdStatus input_grad(Tape *tape, const Node *node, const Saved *saved, RsdError *err)
{
    Tensor *x = node->in[0];
    const Tensor *w = node->in[1];
    ConvJob job = {.shape = saved->shape, .x = node->out->grad, .w = w->data,
                   .slope_at = saved->elu ? saved->x_padded : NULL};
    ConvKind kind = saved->kind == CONV_GATHER ? CONV_SCATTER : CONV_GATHER;
    int64_t rows = x->shape[0] * x->shape[1];
    ArenaMark mark;
    float *dx;
    bool add;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, x, &dx, &add, err));
    if (!dx)
        return RSD_OK;
    if (!saved->is_padded) {
        job.y = dx;
        job.add = add;
        return run_sum(tape, kind, &job, err);
    }
    mark = arena_mark(tape->arena);
    TRY(arena_alloc(tape->arena, &job.y, (size_t)(rows * saved->shape.n_fine), sizeof(float), err));
    TRY(run_sum(tape, kind, &job, err));
    if (!add)
        memset(dx, 0, (size_t)tensor_count(x) * sizeof *dx);
    conv_pad_rows_grad(&saved->pad, rows, job.y, dx);
    arena_rewind(tape->arena, mark);
fail:
    return status;
}

/* Makes sure that parameters computed in the step (weight norm) start from zero: the kernels add. */
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
    bool gathers = saved->kind == CONV_GATHER;
    ConvWeightJob job = {.shape = saved->shape, .elu_fine = gathers && saved->elu, .elu_coarse = !gathers && saved->elu};
    float *db;
    RsdStatus status = RSD_OK;

    job.fine = gathers ? saved->x_padded : node->out->grad;
    job.coarse = gathers ? node->out->grad : saved->x_padded;
    TRY(added_grad(tape, node->in[1], &job.dw, err));
    if (job.dw)
        TRY(run_weights(tape, &job, err));
    TRY(added_grad(tape, node->in[2], &db, err));
    if (db)
        run_bias(tape, node->out, db);
    TRY(input_grad(tape, node, saved, err));
fail:
    return status;
}

/* --- forward -------------------------------------------------------------------------------------------------------- */

RsdStatus conv_call(Tape *tape, const ConvCall *call, Tensor **y, RsdError *err)
{
    const ConvShape *s = &call->shape;
    Tensor *const inputs[] = {call->x, call->w, call->b};
    bool gathers = call->kind == CONV_GATHER;
    int64_t shape[] = {s->batch, gathers ? s->c_coarse : s->c_fine, gathers ? s->n_coarse : s->n_fine};
    int64_t rows = call->x->shape[0] * call->x->shape[1];
    Tensor *out = NULL;
    float *x_padded = call->x->data;
    RsdStatus status = RSD_OK;

    *y = NULL;
    TRY(tape_tensor(tape, &out, 3, shape, err));
    if (call->pad) {
        TRY(arena_alloc(tape->arena, &x_padded, (size_t)(rows * s->n_fine), sizeof(float), err));
        conv_pad_rows(call->pad, rows, call->x->data, x_padded);
    }
    TRY(run_sum(tape, call->kind,
                &(ConvJob){.shape = *s,
                           .x = x_padded,
                           .context = call->context,
                           .elu = call->elu,
                           .w = call->w->data,
                           .bias = call->b ? call->b->data : NULL,
                           .y = out->data},
                err));
    if (call->context)
        conv_keep_context(call->context, gathers ? s->left : conv_reach(s), rows, call->x->data, call->x->shape[2]);
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
