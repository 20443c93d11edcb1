/* chain.c - blocks run once to be forgotten, and again when their gradient is due.
 *
 * The arena is a stack. Forward leaves the kept inputs in it one above the other, everything else a block took is given back; backward
 * runs each block on top of them and carries its gradient in one piece of memory as large as the largest input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/chain.h"

#include <string.h>

#include "engine/kernels/point.h"
#include "engine/weights/half.h"

/* What a block starts from. */
typedef struct Kept {
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS], count;
    const float *f32; /* one of the two */
    uint16_t *bf16;
} Kept;

typedef struct Chain {
    int n;
    ChainBlock blocks[CHAIN_MAX_BLOCKS];
    Kept kept[CHAIN_MAX_BLOCKS];
} Chain;

/* ---- 16 bits ---- */

typedef struct Conversion {
    uint16_t *half;
    float *whole;
    int64_t count;
} Conversion;

static void widen_block(void *ctx, int64_t i, int worker)
{
    const Conversion *job = ctx;
    int64_t end = (i + 1) * POINT_BLOCK < job->count ? (i + 1) * POINT_BLOCK : job->count;

    (void)worker;
    for (int64_t k = i * POINT_BLOCK; k < end; k++)
        job->whole[k] = bfloat_to_float(job->half[k]);
}

/* ---- keeping ---- */

static void describe(Kept *kept, const Tensor *x)
{
    kept->n_dims = x->n_dims;
    memcpy(kept->shape, x->shape, sizeof kept->shape);
    kept->count = tensor_count(x);
}

/* Gives back all since mark but the numbers of y, which move there. They lie behind the mark, so that going upwards never writes on what
 * has not been read. */
static RsdStatus keep(Tape *tape, ArenaMark mark, const Tensor *y, bool in_half, Kept *kept, RsdError *err)
{
    const float *src = y->data;
    float *dst;
    RsdStatus status = RSD_OK;

    describe(kept, y);
    kept->f32 = NULL;
    kept->bf16 = NULL;
    arena_rewind(tape->arena, mark);
    if (in_half) {
        TRY(arena_alloc(tape->arena, &kept->bf16, (size_t)kept->count, sizeof *kept->bf16, err));
        for (int64_t i = 0; i < kept->count; i++)
            kept->bf16[i] = bfloat_from_float(src[i]);
    } else {
        TRY(arena_alloc(tape->arena, &dst, (size_t)kept->count, sizeof *dst, err));
        memmove(dst, src, (size_t)kept->count * sizeof *dst);
        kept->f32 = dst;
    }
fail:
    return status;
}

/* A tensor of its own with what was kept. */
static RsdStatus load(Tape *tape, const Kept *kept, Tensor **x, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, x, kept->n_dims, kept->shape, err));
    if (kept->f32) {
        memcpy((*x)->data, kept->f32, (size_t)kept->count * sizeof *kept->f32);
    } else {
        Conversion job = {kept->bf16, (*x)->data, kept->count};

        threads_for(tape->threads, (kept->count + POINT_BLOCK - 1) / POINT_BLOCK, widen_block, &job);
    }
fail:
    return status;
}

/* ---- backward ---- */

/* Carries the gradient of block i's output, in `grad`, to its parameters and to *h, made anew. */
static RsdStatus replay_block(Tape *tape, const Chain *chain, int i, float *grad, float *first_grad, Tensor **h, RsdError *err)
{
    const ChainBlock *block = &chain->blocks[i];
    Tensor *y;
    RsdStatus status = RSD_OK;

    TRY(load(tape, &chain->kept[i], h, err));
    (*h)->needs_grad = true;
    (*h)->grad = first_grad;
    TRY(block->run(tape, block->ctx, *h, &y, err));
    y->grad = grad;
    TRY(tape_replay(tape, err));
fail:
    return status;
}

static RsdStatus chain_backward(Tape *tape, Node *node, RsdError *err)
{
    const Chain *chain = node->saved;
    Tensor *x = node->in[0], *h;
    Node *kept_last = tape->last;
    const bool was_recording = tape->recording;
    const ChainPolicy policy = tape->chain;
    int64_t largest = tensor_count(node->out);
    float *grad;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < chain->n; i++)
        largest = chain->kept[i].count > largest ? chain->kept[i].count : largest;
    tape->chain = CHAIN_ALL; /* a chain inside a block is recorded with it */
    tape->recording = true;
    TRY(arena_alloc(tape->arena, &grad, (size_t)largest, sizeof *grad, err));
    memcpy(grad, node->out->grad, (size_t)tensor_count(node->out) * sizeof *grad);
    for (int i = chain->n - 1; i >= 0; i--) {
        const ArenaMark mark = arena_mark(tape->arena);

        tape->last = NULL;
        /* What has reached x from elsewhere is added to in the order of an ordinary tape. */
        TRY(replay_block(tape, chain, i, grad, i == 0 ? x->grad : NULL, &h, err));
        if (i > 0 || !x->grad) {
            if (h->grad)
                memmove(grad, h->grad, (size_t)chain->kept[i].count * sizeof *grad);
            else
                memset(grad, 0, (size_t)chain->kept[i].count * sizeof *grad);
        }
        arena_rewind(tape->arena, mark);
    }
    if (!x->grad)
        x->grad = grad;
fail:
    tape->last = kept_last;
    tape->recording = was_recording;
    tape->chain = policy;
    return status;
}

/* ---- forward ---- */

static RsdStatus run_all(Tape *tape, const ChainBlock *blocks, int n, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    for (int i = 0; i < n; i++)
        TRY(blocks[i].run(tape, blocks[i].ctx, *y, y, err));
fail:
    return status;
}

RsdStatus chain_run(Tape *tape, const ChainBlock *blocks, int n, Tensor *x, Tensor **y, RsdError *err)
{
    const ChainPolicy policy = tape->chain;
    const bool in_half = policy == CHAIN_BF16;
    Node *const before = tape->last;
    Chain *chain;
    Kept last;
    RsdStatus status = RSD_OK;

    if (!tape->recording || tape->chain == CHAIN_ALL || !x->needs_grad || x->buffer || n < 1 || n > CHAIN_MAX_BLOCKS)
        return run_all(tape, blocks, n, x, y, err);
    TRY(arena_calloc(tape->arena, &chain, 1, sizeof *chain, err));
    chain->n = n;
    memcpy(chain->blocks, blocks, (size_t)n * sizeof *blocks);
    describe(&chain->kept[0], x);
    chain->kept[0].f32 = x->data;
    tape->chain = CHAIN_ALL;
    for (int i = 0; i < n; i++) {
        const ArenaMark mark = arena_mark(tape->arena);
        Tensor *h, *out;

        TRY(load(tape, &chain->kept[i], &h, err));
        h->needs_grad = true; /* recorded, to be forgotten: a block that records nothing may round in another order */
        TRY(blocks[i].run(tape, blocks[i].ctx, h, &out, err));
        tape->last = before;
        TRY(keep(tape, mark, out, in_half && i < n - 1, i < n - 1 ? &chain->kept[i + 1] : &last, err));
    }
    TRY(arena_calloc(tape->arena, y, 1, sizeof **y, err));
    (*y)->n_dims = last.n_dims;
    memcpy((*y)->shape, last.shape, sizeof last.shape);
    (*y)->data = (float *)last.f32;
    TRY(tape_record(tape, chain_backward, *y, 1, &x, chain, err));
fail:
    tape->last = status == RSD_OK ? tape->last : before;
    tape->chain = policy;
    return status;
}
