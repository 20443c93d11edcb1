/* lstm.c - the recurrence of an LSTM and its gradient through time.
 *
 * What depends on the input alone, W x + b for all steps, is one pointwise convolution before the recurrence (op_linear, an
 * op of its own with its own gradient). The recurrence then works on arrays with time before units, so that a step is
 * contiguous:
 *
 *   gates [batch, n, 4 H]      the sums, then in their place the activations; backward turns a copy into the gradients of
 *                              the sums, so that a record can be replayed again
 *   h, c  [batch, n + 1, H]    step t is at t + 1; place 0 holds the state before the first step
 *
 * A step is cut into slices of SLICE units. Slices of one step are independent: forward each reads all of h_{t-1} and writes
 * its part of h_t, backward each reads all gate gradients of t + 1 and writes its part of t. The cut and the shapes of the
 * products depend on the layer only, hence the same bits for any number of threads and any chunk length.
 *
 * A step reads all of W to do little with it: what counts is how much of W is still in a near cache. Every other step goes
 * through the slices backwards, beginning with those that the step before used last; and slices come from both ends in turn,
 * so that two threads that take turns keep to their halves of W:
 *
 *   step t       0 7 1 6 2 5 3 4
 *   step t + 1   3 4 2 5 1 6 0 7
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/lstm.h"

#include <string.h>

#include "engine/kernels/gemm.h"
#include "engine/kernels/point.h"
#include "engine/ops/linear.h"
#include "engine/stream.h"

#define SLICE 64

typedef struct Recurrence {
    const PointKernels *point;
    const GemmKernels *gemm;
    int64_t batch, n, units, t; /* t: the step being worked on */
    const float *w, *b;         /* [4 H, H], [4 H] or NULL */
    float *gates, *h, *c;
    const float *dy; /* [batch, n, H] */
    float *dc, *dh;  /* [batch, H]: of the step being worked on */
    float *dw, *db;
    bool add_w, add_b;
} Recurrence;

static int64_t n_slices(const Recurrence *r)
{
    return (r->units + SLICE - 1) / SLICE;
}

static int64_t slice_len(const Recurrence *r, int64_t slice)
{
    const int64_t left = r->units - slice * SLICE;

    return left < SLICE ? left : SLICE;
}

/* The slice that comes i-th in this step. */
static int64_t slice_in_turn(const Recurrence *r, int64_t i)
{
    const int64_t n = n_slices(r), half = i % 2 == 0 ? (n + 1) / 2 : n / 2;
    const int64_t from_end = r->t % 2 == 0 ? i / 2 : half - 1 - i / 2;

    return i % 2 == 0 ? from_end : n - 1 - from_end;
}

/* --- one step ----------------------------------------------------------------------------------------------------- */

static void forward_slice(void *ctx, int64_t i, int worker)
{
    const Recurrence *r = ctx;
    const int64_t H = r->units, slice = slice_in_turn(r, i), first = slice * SLICE, len = slice_len(r, slice);

    (void)worker;
    for (int64_t gate = 0; gate < 4; gate++) {
        const float *rows = r->w + (gate * H + first) * H;
        float *sums = r->gates + r->t * 4 * H + gate * H + first;

        if (r->batch == 1)
            r->gemm->matrix_vector(len, H, rows, H, r->h + r->t * H, true, sums);
        else
            r->gemm->product(&(GemmJob){.transpose_b = true, .add = true, .m = r->batch, .n = len, .k = H,
                                        .a = r->h + r->t * H, .lda = (r->n + 1) * H, .b = rows, .ldb = H, .c = sums,
                                        .ldc = r->n * 4 * H});
    }
    for (int64_t item = 0; item < r->batch; item++) {
        const int64_t before = (item * (r->n + 1) + r->t) * H + first;

        r->point->lstm_cell(r->gates + (item * r->n + r->t) * 4 * H + first, H, r->c + before, r->c + before + H,
                            r->h + before + H, len);
    }
}

static void backward_slice(void *ctx, int64_t i, int worker)
{
    const Recurrence *r = ctx;
    const int64_t H = r->units, slice = slice_in_turn(r, i), first = slice * SLICE, len = slice_len(r, slice);

    (void)worker;
    for (int64_t item = 0; item < r->batch; item++)
        memcpy(r->dh + item * H + first, r->dy + (item * r->n + r->t) * H + first, (size_t)len * sizeof(float));
    if (r->t + 1 < r->n)
        r->gemm->product(&(GemmJob){.add = true, .m = r->batch, .n = len, .k = 4 * H, .a = r->gates + (r->t + 1) * 4 * H,
                                    .lda = r->n * 4 * H, .b = r->w + first, .ldb = H, .c = r->dh + first, .ldc = H});
    for (int64_t item = 0; item < r->batch; item++) {
        const int64_t before = (item * (r->n + 1) + r->t) * H + first;

        r->point->lstm_cell_grad(r->gates + (item * r->n + r->t) * 4 * H + first, H, r->c + before, r->c + before + H,
                                 r->dh + item * H + first, r->dc + item * H + first, len);
    }
}

/* --- weights ------------------------------------------------------------------------------------------------------ */

/* Rows of dw: all steps of all items, dw = sum gates_t^T h_{t-1}. */
static void weight_slice(void *ctx, int64_t slice, int worker)
{
    const Recurrence *r = ctx;
    const int64_t H = r->units, first = slice * SLICE, left = 4 * H - first, len = left < SLICE ? left : SLICE;

    (void)worker;
    for (int64_t i = 0; r->dw && i < r->batch; i++)
        r->gemm->product(&(GemmJob){.transpose_a = true, .add = r->add_w || i > 0, .m = len, .n = H, .k = r->n,
                                    .a = r->gates + i * r->n * 4 * H + first, .lda = 4 * H,
                                    .b = r->h + i * (r->n + 1) * H, .ldb = H, .c = r->dw + first * H, .ldc = H});
    if (r->db) {
        float sums[SLICE];

        r->point->sum_columns(r->gates + first, r->batch * r->n, len, 4 * H, 1.0, sums);
        r->point->scale(sums, 1.0f, r->db + first, len, r->add_b);
    }
}

/* --- layout ------------------------------------------------------------------------------------------------------- */

typedef struct TurnJob {
    const PointKernels *point;
    const float *src;
    float *dst;
    int64_t rows, cols, src_step, dst_step; /* steps from item to item */
    bool add;
} TurnJob;

static void turn_item(void *ctx, int64_t i, int worker)
{
    const TurnJob *job = ctx;

    (void)worker;
    job->point->transpose(job->src + i * job->src_step, job->rows, job->cols, job->cols, job->dst + i * job->dst_step,
                          job->rows, job->add);
}

/* --- the op ------------------------------------------------------------------------------------------------------- */

static RsdStatus recurrence_backward(Tape *tape, Node *node, RsdError *err)
{
    Recurrence r = *(const Recurrence *)node->saved;
    const int64_t H = r.units;
    TurnJob turn = {.point = r.point, .src = node->out->grad, .rows = H, .cols = r.n, .src_step = H * r.n,
                    .dst_step = H * r.n};
    const size_t n_gates = (size_t)(r.batch * r.n * 4 * H);
    float *dsums, *dy, *gates;
    bool add;
    ArenaMark mark;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, node->in[0], &dsums, &add, err));
    TRY(tape_grad(tape, node->in[1], &r.dw, &r.add_w, err));
    TRY(tape_grad(tape, node->in[2], &r.db, &r.add_b, err));
    mark = arena_mark(tape->arena);
    TRY(arena_alloc(tape->arena, &dy, (size_t)(r.batch * r.n * H), sizeof *dy, err));
    TRY(arena_alloc(tape->arena, &gates, n_gates, sizeof *gates, err));
    memcpy(gates, r.gates, n_gates * sizeof *gates);
    r.gates = gates;
    TRY(arena_alloc(tape->arena, &r.dh, (size_t)(r.batch * H), sizeof *r.dh, err));
    TRY(arena_calloc(tape->arena, &r.dc, (size_t)(r.batch * H), sizeof *r.dc, err));
    turn.dst = dy;
    threads_for(tape->threads, r.batch, turn_item, &turn);
    r.dy = dy;
    for (r.t = r.n - 1; r.t >= 0; r.t--)
        threads_for(tape->threads, n_slices(&r), backward_slice, &r);
    if (r.dw || r.db)
        threads_for(tape->threads, (4 * H + SLICE - 1) / SLICE, weight_slice, &r);
    if (dsums) {
        turn = (TurnJob){.point = r.point, .src = r.gates, .dst = dsums, .rows = r.n, .cols = 4 * H,
                         .src_step = r.n * 4 * H, .dst_step = r.n * 4 * H, .add = add};
        threads_for(tape->threads, r.batch, turn_item, &turn);
    }
    arena_rewind(tape->arena, mark);
fail:
    return status;
}

/* Places 0 of h and c: zeros, or what the stream remembers. */
static void load_state(Recurrence *r, const float *slot)
{
    const size_t size = (size_t)r->units * sizeof(float);

    for (int64_t i = 0; i < r->batch; i++) {
        float *h = r->h + i * (r->n + 1) * r->units, *c = r->c + i * (r->n + 1) * r->units;

        if (slot) {
            memcpy(h, slot + i * r->units, size);
            memcpy(c, slot + (r->batch + i) * r->units, size);
        } else {
            memset(h, 0, size);
            memset(c, 0, size);
        }
    }
}

static void keep_state(const Recurrence *r, float *slot)
{
    const size_t size = (size_t)r->units * sizeof(float);

    for (int64_t i = 0; i < r->batch; i++) {
        const int64_t last = (i * (r->n + 1) + r->n) * r->units;

        memcpy(slot + i * r->units, r->h + last, size);
        memcpy(slot + (r->batch + i) * r->units, r->c + last, size);
    }
}

/* sums [batch, 4 H, n], w [4 H, H], b [4 H] or NULL -> y [batch, H, n]. */
static RsdStatus run_recurrence(Tape *tape, Tensor *sums, Tensor *w, Tensor *b, Tensor **y, RsdError *err)
{
    Tensor *inputs[] = {sums, w, b}, *result;
    const int64_t H = w->shape[1], batch = sums->shape[0], n = sums->shape[2];
    Recurrence *r;
    TurnJob turn;
    float *slot = NULL;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, 3, (int64_t[]){batch, H, n}, err));
    TRY(arena_calloc(tape->arena, &r, 1, sizeof *r, err));
    *r = (Recurrence){.point = tape->kernels->point, .gemm = tape->kernels->gemm, .batch = batch, .n = n, .units = H,
                      .w = w->data, .b = b ? b->data : NULL};
    TRY(arena_alloc(tape->arena, &r->gates, (size_t)(batch * n * 4 * H), sizeof *r->gates, err));
    TRY(arena_alloc(tape->arena, &r->h, (size_t)(batch * (n + 1) * H), sizeof *r->h, err));
    TRY(arena_alloc(tape->arena, &r->c, (size_t)(batch * (n + 1) * H), sizeof *r->c, err));
    if (tape->stream)
        TRY(stream_slot(tape->stream, &slot, (size_t)(2 * batch * H), err));
    load_state(r, slot);
    turn = (TurnJob){.point = r->point, .src = sums->data, .dst = r->gates, .rows = 4 * H, .cols = n,
                     .src_step = 4 * H * n, .dst_step = 4 * H * n};
    threads_for(tape->threads, batch, turn_item, &turn);
    for (int64_t i = 0; r->b && i < batch * n; i++)
        r->point->pair(PAIR_ADD, r->gates + i * 4 * H, r->b, false, r->gates + i * 4 * H, 4 * H);
    for (r->t = 0; r->t < n; r->t++)
        threads_for(tape->threads, n_slices(r), forward_slice, r);
    turn = (TurnJob){.point = r->point, .src = r->h + H, .dst = result->data, .rows = n, .cols = H,
                     .src_step = (n + 1) * H, .dst_step = n * H};
    threads_for(tape->threads, batch, turn_item, &turn);
    if (slot)
        keep_state(r, slot);
    TRY(tape_record(tape, recurrence_backward, result, 3, inputs, r, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_lstm(Tape *tape, Tensor *x, const LstmWeights *weights, Tensor **y, RsdError *err)
{
    const Tensor *w_ih = weights->w_ih, *w_hh = weights->w_hh;
    char text_x[SHAPE_TEXT_SIZE], text_ih[SHAPE_TEXT_SIZE], text_hh[SHAPE_TEXT_SIZE];
    Tensor *sums;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 3 && w_ih->n_dims == 2 && w_hh->n_dims == 2 && w_ih->shape[1] == x->shape[1] &&
              w_hh->shape[0] == 4 * w_hh->shape[1] && w_ih->shape[0] == w_hh->shape[0],
          err, RSD_ERR_ARG, "lstm: input %s needs weights [4 H, C] and [4 H, H], not %s and %s",
          shape_text(text_x, x->n_dims, x->shape), shape_text(text_ih, w_ih->n_dims, w_ih->shape),
          shape_text(text_hh, w_hh->n_dims, w_hh->shape));
    CHECK((!weights->b_ih || tensor_count(weights->b_ih) == w_ih->shape[0]) &&
              (!weights->b_hh || tensor_count(weights->b_hh) == w_ih->shape[0]),
          err, RSD_ERR_ARG, "lstm: a bias does not have the %lld elements of 4 H", (long long)w_ih->shape[0]);
    CHECK(!tape->stream || !tape->recording, err, RSD_ERR_ARG, "lstm: a stream cannot be recorded for training");
    TRY(op_linear(tape, x, weights->w_ih, weights->b_ih, &sums, err));
    TRY(run_recurrence(tape, sums, weights->w_hh, weights->b_hh, y, err));
fail:
    return status;
}
