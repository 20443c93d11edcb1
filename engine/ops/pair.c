/* pair.c - the driver of functions of two numbers, with the second one spread over the first.
 *
 * The axes of `a` are merged into as few as possible, each either "dense" (b has the same length) or "spread" (b has length
 * 1). The last merged axis is a row, on which the kernels work; what is left of it are the outer axes:
 *
 *   a [2, 16, 300], b [16]:  axes spread 2, dense 16, spread 300: 32 rows of 300, row r uses the single number b[r % 16]
 *   a [2, 16, 300], b [2, 16, 300]: one dense axis, one row of 9600
 *
 * Short rows are grouped and long rows are cut so that a task has about POINT_BLOCK elements. The gradient of b sums over
 * spread axes in the order of rows and blocks, whatever thread computed them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/ops/pointwise.h"

typedef struct Spread {
    int n_outer;
    int64_t outer_len[TENSOR_MAX_DIMS];
    int64_t b_step[TENSOR_MAX_DIMS]; /* rows of b to advance; 0 on a spread axis */
    int64_t row_len, n_rows, n_b_rows;
    bool row_is_spread;
    int64_t n_blocks, rows_per_task; /* blocks of a long row; rows of a task when rows are short */
} Spread;

typedef struct PairJob {
    const PointKernels *point;
    PairFn fn;
    Spread spread;
    const float *a, *b, *dy;
    float *out;
    double *partial; /* [n_rows, n_blocks] */
    bool add;
} PairJob;

/* Shape of b with as many axes as a. */
static bool align_shape(const Tensor *a, const Tensor *b, int64_t shape[TENSOR_MAX_DIMS])
{
    for (int i = 0; i < a->n_dims; i++)
        shape[i] = 1;
    if (b->n_dims == a->n_dims)
        memcpy(shape, b->shape, (size_t)b->n_dims * sizeof *shape);
    else if (b->n_dims == 1 && b->shape[0] != 1 && a->n_dims >= 2)
        shape[1] = b->shape[0];
    else if (tensor_count(b) != 1)
        return false;
    for (int i = 0; i < a->n_dims; i++)
        if (shape[i] != a->shape[i] && shape[i] != 1)
            return false;
    return true;
}

static bool plan_spread(Spread *plan, const Tensor *a, const Tensor *b)
{
    int64_t shape[TENSOR_MAX_DIMS], len[TENSOR_MAX_DIMS];
    bool spread[TENSOR_MAX_DIMS];
    int n = 0;

    if (!align_shape(a, b, shape))
        return false;
    for (int i = 0; i < a->n_dims; i++) {
        const bool is_spread = shape[i] == 1;

        if (a->shape[i] == 1)
            continue;
        if (n && spread[n - 1] == is_spread) {
            len[n - 1] *= a->shape[i];
        } else {
            spread[n] = is_spread;
            len[n++] = a->shape[i];
        }
    }
    *plan = (Spread){.row_len = n ? len[n - 1] : 1, .n_rows = 1, .n_b_rows = 1, .row_is_spread = n && spread[n - 1]};
    plan->n_outer = n ? n - 1 : 0;
    for (int i = plan->n_outer - 1; i >= 0; i--) {
        plan->outer_len[i] = len[i];
        plan->b_step[i] = spread[i] ? 0 : plan->n_b_rows;
        plan->n_rows *= len[i];
        plan->n_b_rows *= spread[i] ? 1 : len[i];
    }
    plan->n_blocks = point_n_blocks(plan->row_len);
    plan->rows_per_task = plan->row_len && plan->row_len < POINT_BLOCK ? POINT_BLOCK / plan->row_len : 1;
    return true;
}

static int64_t b_row_of(const Spread *plan, int64_t row)
{
    int64_t b_row = 0;

    for (int i = plan->n_outer - 1; i >= 0; i--) {
        b_row += row % plan->outer_len[i] * plan->b_step[i];
        row /= plan->outer_len[i];
    }
    return b_row;
}

/* One piece of one row: where it starts in a, where its b is, how long it is. */
typedef struct Piece {
    int64_t at, b_at, n;
} Piece;

static Piece piece_of(const Spread *plan, int64_t row, int64_t block)
{
    const int64_t b_row = b_row_of(plan, row);

    return (Piece){.at = row * plan->row_len + block * POINT_BLOCK,
                   .b_at = plan->row_is_spread ? b_row : b_row * plan->row_len + block * POINT_BLOCK,
                   .n = point_block_len(plan->row_len, block)};
}

typedef void (*PieceWork)(const PairJob *job, Piece piece, double *partial);

static int64_t n_tasks(const Spread *plan)
{
    return (plan->n_rows + plan->rows_per_task - 1) / plan->rows_per_task * plan->n_blocks;
}

static void each_piece(const PairJob *job, int64_t task, PieceWork work)
{
    const Spread *plan = &job->spread;
    const int64_t block = task % plan->n_blocks, first = task / plan->n_blocks * plan->rows_per_task;

    for (int64_t row = first; row < first + plan->rows_per_task && row < plan->n_rows; row++)
        work(job, piece_of(plan, row, block), job->partial ? &job->partial[row * plan->n_blocks + block] : NULL);
}

static void forward_piece(const PairJob *job, Piece p, double *partial)
{
    (void)partial;
    job->point->pair(job->fn, job->a + p.at, job->b + p.b_at, job->spread.row_is_spread, job->out + p.at, p.n);
}

static void grad_a_piece(const PairJob *job, Piece p, double *partial)
{
    (void)partial;
    job->point->pair_grad_a(job->fn, job->a + p.at, job->b + p.b_at, job->spread.row_is_spread, job->dy + p.at,
                            job->out + p.at, p.n, job->add);
}

static void grad_one_piece(const PairJob *job, Piece p, double *partial)
{
    *partial = job->point->pair_grad_one(job->fn, job->a + p.at, job->b[p.b_at], job->dy + p.at, p.n);
}

static void forward_task(void *ctx, int64_t i, int worker)
{
    (void)worker;
    each_piece(ctx, i, forward_piece);
}

static void grad_a_task(void *ctx, int64_t i, int worker)
{
    (void)worker;
    each_piece(ctx, i, grad_a_piece);
}

static void grad_one_task(void *ctx, int64_t i, int worker)
{
    (void)worker;
    each_piece(ctx, i, grad_one_piece);
}

/* Gradient of block i % n_blocks of row i / n_blocks of a dense b: all rows of a that use it, in order. */
static void grad_b_task(void *ctx, int64_t i, int worker)
{
    const PairJob *job = ctx;
    const Spread *plan = &job->spread;
    const int64_t b_row = i / plan->n_blocks, block = i % plan->n_blocks;
    bool add = job->add;

    (void)worker;
    for (int64_t row = 0; row < plan->n_rows; row++)
        if (b_row_of(plan, row) == b_row) {
            const Piece p = piece_of(plan, row, block);

            job->point->pair_grad_b(job->fn, job->a + p.at, job->b + p.b_at, job->dy + p.at, job->out + p.b_at, p.n, add);
            add = true;
        }
}

static RsdStatus grad_spread_b(Tape *tape, PairJob *job, RsdError *err)
{
    const Spread *plan = &job->spread;
    const ArenaMark mark = arena_mark(tape->arena);
    double *total;
    RsdStatus status = RSD_OK;

    TRY(arena_calloc(tape->arena, &total, (size_t)plan->n_b_rows, sizeof *total, err));
    TRY(arena_alloc(tape->arena, &job->partial, (size_t)(plan->n_rows * plan->n_blocks), sizeof *job->partial, err));
    threads_for(tape->threads, n_tasks(plan), grad_one_task, job);
    for (int64_t row = 0; row < plan->n_rows; row++) {
        double *sum = &total[b_row_of(plan, row)];

        for (int64_t block = 0; block < plan->n_blocks; block++)
            *sum += job->partial[row * plan->n_blocks + block];
    }
    job->point->settle(total, 1.0, job->out, plan->n_b_rows, job->add);
    arena_rewind(tape->arena, mark);
fail:
    job->partial = NULL;
    return status;
}

static RsdStatus pair_backward(Tape *tape, Node *node, RsdError *err)
{
    PairJob job = *(const PairJob *)node->saved;
    RsdStatus status = RSD_OK;

    job.dy = node->out->grad;
    TRY(tape_grad(tape, node->in[1], &job.out, &job.add, err));
    if (job.out && job.spread.row_is_spread)
        TRY(grad_spread_b(tape, &job, err));
    else if (job.out)
        threads_for(tape->threads, job.spread.n_b_rows * job.spread.n_blocks, grad_b_task, &job);
    if (job.fn == PAIR_ADD || job.fn == PAIR_SUB)
        return tape_grad_pass(tape, node, node->in[0], err);
    TRY(tape_grad(tape, node->in[0], &job.out, &job.add, err));
    if (job.out)
        threads_for(tape->threads, n_tasks(&job.spread), grad_a_task, &job);
fail:
    return status;
}

RsdStatus op_pair(Tape *tape, PairFn fn, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    PairJob job = {.point = tape->kernels->point, .fn = fn, .a = a->data, .b = b->data}, *saved = NULL;
    Tensor *inputs[] = {a, b}, *result;
    char text_a[SHAPE_TEXT_SIZE], text_b[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(plan_spread(&job.spread, a, b), err, RSD_ERR_ARG,
          "cannot combine %s with %s: the second needs the same axes or 1, or one number per channel",
          shape_text(text_a, a->n_dims, a->shape), shape_text(text_b, b->n_dims, b->shape));
    TRY(tape_tensor(tape, &result, a->n_dims, a->shape, err));
    job.out = result->data;
    threads_for(tape->threads, n_tasks(&job.spread), forward_task, &job);
    if (tape_will_record(tape, 2, inputs)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, pair_backward, result, 2, inputs, saved, err));
    *y = result;
fail:
    return status;
}
