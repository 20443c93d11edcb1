/* checkerboard.c - packing and spreading the colours of a checkerboard; each is the other's gradient.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/checkerboard.h"

typedef struct BoardJob {
    int64_t h, n, n_packed;
    bool odd, packs, add;
    const float *src;
    float *dst;
} BoardJob;

static void put(float *y, float value, bool add)
{
    *y = add ? *y + value : value;
}

static void pack_row(const float *src, int64_t first, int64_t n, float *dst, int64_t n_packed, bool add)
{
    for (int64_t i = 0; i < n_packed; i++)
        put(&dst[i], 2 * i + first < n ? src[2 * i + first] : 0.0f, add);
}

static void spread_row(const float *src, int64_t first, int64_t n, float *dst, bool add)
{
    for (int64_t i = 0; i < n; i++)
        put(&dst[i], i % 2 == first ? src[i / 2] : 0.0f, add);
}

static void board_plane(void *ctx, int64_t plane, int worker)
{
    const BoardJob *job = ctx;

    (void)worker;
    for (int64_t row = 0; row < job->h; row++) {
        const int64_t at = plane * job->h + row, first = (row + job->odd) % 2;

        if (job->packs)
            pack_row(job->src + at * job->n, first, job->n, job->dst + at * job->n_packed, job->n_packed, job->add);
        else
            spread_row(job->src + at * job->n_packed, first, job->n, job->dst + at * job->n, job->add);
    }
}

static RsdStatus board_backward(Tape *tape, Node *node, RsdError *err)
{
    BoardJob job = *(const BoardJob *)node->saved;
    const Tensor *x = node->in[0];
    RsdStatus status = tape_grad(tape, node->in[0], &job.dst, &job.add, err);

    if (status != RSD_OK || !job.dst)
        return status;
    job.src = node->out->grad;
    job.packs = !job.packs;
    threads_for(tape->threads, x->shape[0] * x->shape[1], board_plane, &job);
    return RSD_OK;
}

static RsdStatus run_board(Tape *tape, Tensor *x, bool odd, bool packs, int64_t n, Tensor **y, RsdError *err)
{
    char text[SHAPE_TEXT_SIZE];
    BoardJob *job;
    Tensor *result;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4 && (packs || x->shape[3] == (n + 1) / 2), err, RSD_ERR_ARG,
          "checkerboard: %s has not the shape of a picture, or of half of one %lld columns wide",
          shape_text(text, x->n_dims, x->shape), (long long)n);
    TRY(arena_alloc(tape->arena, &job, 1, sizeof *job, err));
    *job = (BoardJob){.h = x->shape[2], .n = packs ? x->shape[3] : n, .odd = odd, .packs = packs, .src = x->data};
    job->n_packed = (job->n + 1) / 2;
    TRY(tape_tensor(tape, &result, 4,
                    (int64_t[]){x->shape[0], x->shape[1], job->h, packs ? job->n_packed : job->n}, err));
    job->dst = result->data;
    threads_for(tape->threads, x->shape[0] * x->shape[1], board_plane, job);
    TRY(tape_record(tape, board_backward, result, 1, &x, job, err));
    *y = result;
fail:
    return status;
}

RsdStatus op_checkerboard_pack(Tape *tape, Tensor *x, bool odd, Tensor **y, RsdError *err)
{
    return run_board(tape, x, odd, true, 0, y, err);
}

RsdStatus op_checkerboard_spread(Tape *tape, Tensor *x, bool odd, int64_t n, Tensor **y, RsdError *err)
{
    return run_board(tape, x, odd, false, n, y, err);
}
