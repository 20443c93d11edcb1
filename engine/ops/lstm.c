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
 * A step is cut into slices of units. Slices of one step are independent: forward each reads all of h_{t-1} and writes
 * its part of h_t, backward each reads all gate gradients of t + 1 and writes its part of t. The cut and the shapes of the
 * products depend on the layer only, hence the same bits for any number of threads and any chunk length.
 *
 * A step of one signal reads all of W to do little with it: what counts is how fast W comes, and how much of it is still in a
 * near cache. So W is laid out in panels of the kernel, one for each slice, [H][4 gates][units of the slice], as wide as it has sums in
 * registers: a step reads them from end to end. Every other step goes through the slices backwards, beginning with those that
 * the step before used last, each thread in its own share of W:
 *
 *   step t       0 1 2 3   4 5 6 7
 *   step t + 1   3 2 1 0   7 6 5 4
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/lstm.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/point.h"
#include "engine/ops/linear.h"
#include "engine/stream.h"

#define SLICE 64 /* units, where a step is a product of matrices */

typedef struct Recurrence {
    const RsdThreads *threads;
    const PointKernels *point;
    const GemmKernels *gemm;
    int64_t batch, n, units, t; /* t: the step being worked on */
    int64_t slice;              /* units in a slice */
    const float *w;             /* [4 H, H] */
    char *panels;               /* the same laid out for the steps of one signal, else NULL */
    size_t panel_size;          /* bytes from panel to panel */
    float *gates, *h, *c;
    const float *dy; /* [batch, n, H] */
    float *dc, *dh;  /* [batch, H]: of the step being worked on */
    float *dw, *db;
    bool add_w, add_b;
} Recurrence;

static int64_t n_slices(const Recurrence *r)
{
    return (r->units + r->slice - 1) / r->slice;
}

/* Where a step is the product of a vector and a panel: the four gates of a slice fill the registers. */
static int64_t panel_slice(const GemmKernels *gemm)
{
    return gemm->panel_columns / 4;
}

static int64_t slice_len(const Recurrence *r, int64_t slice)
{
    const int64_t left = r->units - slice * r->slice;

    return left < r->slice ? left : r->slice;
}

/* The slice that comes i-th in this step: forwards and backwards in turn, within the share of a thread. */
static int64_t slice_in_turn(const Recurrence *r, int64_t i)
{
    int64_t first = 0, end = 0;

    if (r->t % 2 == 0)
        return i;
    for (int worker = 0; end <= i; worker++) {
        first = end;
        end = threads_share_start(r->threads, n_slices(r), worker + 1);
    }
    return first + end - 1 - i;
}

/* --- panels ------------------------------------------------------------------------------------------------------- */

static size_t panel_size(const GemmKernels *gemm, int64_t units)
{
    return (gemm->panel_size(units, 4 * panel_slice(gemm)) + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

typedef struct PanelJob {
    const Recurrence *r;
    RsdThreads *threads;
} PanelJob;

static void fill_panel(void *ctx, int64_t slice, int worker)
{
    const PanelJob *job = ctx;
    const Recurrence *r = job->r;
    const int64_t H = r->units, first = slice * r->slice, len = slice_len(r, slice);
    float *turned = threads_scratch(job->threads, worker);

    for (int64_t gate = 0; gate < 4; gate++)
        r->point->transpose(r->w + (gate * H + first) * H, len, H, H, turned + gate * len, 4 * len, false);
    r->gemm->fill_panel(H, 4 * len, turned, 4 * len, r->panels + slice * (int64_t)r->panel_size);
}

/* Memory for the panels of a layer, from the tape's arena, and what is in them. */
static RsdStatus make_panels(Tape *tape, Recurrence *r, RsdError *err)
{
    PanelJob job = {r, tape->threads};
    RsdStatus status = RSD_OK;

    TRY(threads_scratch_reserve(tape->threads, (size_t)(4 * r->slice * r->units) * sizeof(float), err));
    TRY(arena_alloc(tape->arena, &r->panels, (size_t)n_slices(r), r->panel_size, err));
    threads_for(tape->threads, n_slices(r), fill_panel, &job);
fail:
    return status;
}

RsdStatus lstm_prepare(Tape *tape, Tensor *w_hh, RsdError *err)
{
    const GemmKernels *gemm = tape->kernels->gemm;
    Recurrence r = {.point = tape->kernels->point, .gemm = gemm, .units = w_hh->shape[1], .slice = panel_slice(gemm), .w = w_hh->data,
                    .panel_size = panel_size(gemm, w_hh->shape[1])};
    RsdStatus status = make_panels(tape, &r, err);

    if (status == RSD_OK)
        w_hh->prepared = r.panels;
    return status;
}

/* --- one step ----------------------------------------------------------------------------------------------------- */

static void multiply_slice(const Recurrence *r, int64_t first, int64_t len)
{
    const int64_t H = r->units;

    for (int64_t gate = 0; gate < 4; gate++)
        r->gemm->product(&(GemmJob){.transpose_b = true, .add = true, .m = r->batch, .n = len, .k = H,
                                    .a = r->h + r->t * H, .lda = (r->n + 1) * H, .b = r->w + (gate * H + first) * H, .ldb = H,
                                    .c = r->gates + r->t * 4 * H + gate * H + first, .ldc = r->n * 4 * H});
}

/* One signal: all gates of the slice in one product. */
static void multiply_panel(const Recurrence *r, int64_t slice, int64_t first, int64_t len)
{
    const int64_t H = r->units;
    float *gates = r->gates + r->t * 4 * H + first, sums[GEMM_PANEL_COLUMNS_MAX];

    for (int64_t gate = 0; gate < 4; gate++)
        memcpy(sums + gate * len, gates + gate * H, (size_t)len * sizeof *sums);
    r->gemm->vector_panel(H, 4 * len, r->h + r->t * H, r->panels + slice * (int64_t)r->panel_size, true, sums);
    for (int64_t gate = 0; gate < 4; gate++)
        memcpy(gates + gate * H, sums + gate * len, (size_t)len * sizeof *sums);
}

static void forward_slice(void *ctx, int64_t i, int worker)
{
    const Recurrence *r = ctx;
    const int64_t H = r->units, slice = slice_in_turn(r, i), first = slice * r->slice, len = slice_len(r, slice);

    (void)worker;
    if (r->panels)
        multiply_panel(r, slice, first, len);
    else
        multiply_slice(r, first, len);
    for (int64_t item = 0; item < r->batch; item++) {
        const int64_t before = (item * (r->n + 1) + r->t) * H + first;

        r->point->lstm_cell(r->gates + (item * r->n + r->t) * 4 * H + first, H, r->c + before, r->c + before + H,
                            r->h + before + H, len);
    }
}

static void backward_slice(void *ctx, int64_t i, int worker)
{
    const Recurrence *r = ctx;
    const int64_t H = r->units, slice = slice_in_turn(r, i), first = slice * r->slice, len = slice_len(r, slice);

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

/* Between [batch, units, n], as tensors are, and [batch, n, units] of the steps, where a bias [units] is added. */
typedef struct TurnJob {
    const PointKernels *point;
    const float *src, *bias;
    float *dst;
    int64_t n, units, src_step, dst_step; /* steps from item to item */
    bool to_steps, add;
} TurnJob;

static int64_t n_turn_blocks(const TurnJob *job)
{
    return (job->units + SLICE - 1) / SLICE;
}

/* SLICE units of one item. */
static void turn_block(void *ctx, int64_t i, int worker)
{
    const TurnJob *job = ctx;
    const int64_t item = i / n_turn_blocks(job), first = i % n_turn_blocks(job) * SLICE, left = job->units - first;
    const int64_t len = left < SLICE ? left : SLICE, to_steps = job->to_steps;
    const float *src = job->src + item * job->src_step + (to_steps ? first * job->n : first);
    float *dst = job->dst + item * job->dst_step + (to_steps ? first : first * job->n);

    (void)worker;
    if (to_steps)
        job->point->transpose(src, len, job->n, job->n, dst, job->units, job->add);
    else
        job->point->transpose(src, job->n, len, job->units, dst, job->n, job->add);
    for (int64_t t = 0; job->bias && t < job->n; t++)
        job->point->pair(PAIR_ADD, dst + t * job->units, job->bias + first, false, dst + t * job->units, len);
}

static void turn(Tape *tape, int64_t batch, TurnJob job)
{
    job.point = tape->kernels->point;
    threads_for(tape->threads, batch * n_turn_blocks(&job), turn_block, &job);
}

/* --- the op ------------------------------------------------------------------------------------------------------- */

static RsdStatus recurrence_backward(Tape *tape, Node *node, RsdError *err)
{
    Recurrence r = *(const Recurrence *)node->saved;
    const int64_t H = r.units;
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
    turn(tape, r.batch, (TurnJob){.src = node->out->grad, .dst = dy, .n = r.n, .units = H, .src_step = H * r.n,
                                  .dst_step = H * r.n, .to_steps = true});
    r.dy = dy;
    r.slice = SLICE;
    for (r.t = r.n - 1; r.t >= 0; r.t--)
        threads_for(tape->threads, n_slices(&r), backward_slice, &r);
    if (r.dw || r.db)
        threads_for(tape->threads, (4 * H + SLICE - 1) / SLICE, weight_slice, &r);
    if (dsums)
        turn(tape, r.batch, (TurnJob){.src = r.gates, .dst = dsums, .n = r.n, .units = 4 * H, .src_step = r.n * 4 * H,
                                      .dst_step = r.n * 4 * H, .add = add});
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
    float *slot = NULL;
    ArenaMark mark;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, 3, (int64_t[]){batch, H, n}, err));
    TRY(arena_calloc(tape->arena, &r, 1, sizeof *r, err));
    *r = (Recurrence){.threads = tape->threads, .point = tape->kernels->point, .gemm = tape->kernels->gemm, .batch = batch, .n = n, .units = H,
                      .slice = batch == 1 ? panel_slice(tape->kernels->gemm) : SLICE, .w = w->data,
                      .panel_size = panel_size(tape->kernels->gemm, H)};
    TRY(arena_alloc(tape->arena, &r->gates, (size_t)(batch * n * 4 * H), sizeof *r->gates, err));
    TRY(arena_alloc(tape->arena, &r->h, (size_t)(batch * (n + 1) * H), sizeof *r->h, err));
    TRY(arena_alloc(tape->arena, &r->c, (size_t)(batch * (n + 1) * H), sizeof *r->c, err));
    if (tape->stream)
        TRY(stream_slot(tape->stream, &slot, (size_t)(2 * batch * H), err));
    load_state(r, slot);
    turn(tape, batch, (TurnJob){.src = sums->data, .bias = b ? b->data : NULL, .dst = r->gates, .n = n, .units = 4 * H,
                                .src_step = 4 * H * n, .dst_step = 4 * H * n, .to_steps = true});
    mark = arena_mark(tape->arena);
    if (batch == 1 && !tape->recording && w->prepared)
        memcpy(&r->panels, &w->prepared, sizeof r->panels);
    else if (batch == 1)
        TRY(make_panels(tape, r, err));
    for (r->t = 0; r->t < n; r->t++)
        threads_for(tape->threads, n_slices(r), forward_slice, r);
    arena_rewind(tape->arena, mark);
    r->panels = NULL;
    turn(tape, batch, (TurnJob){.src = r->h + H, .dst = result->data, .n = n, .units = H, .src_step = (n + 1) * H,
                                .dst_step = n * H});
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
