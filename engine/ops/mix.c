/* mix.c - linear combinations of channels, in blocks of pixels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/mix.h"

#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/ops/pointwise.h"

typedef struct MixJob {
    const PictureKernels *picture;
    Mix mix;
    const float *in; /* x forward, dy backward */
    float *out;
    int64_t count; /* pixels of a plane */
    bool add;
} MixJob;

static void mix_block(void *ctx, int64_t i, int worker)
{
    const MixJob *job = ctx;
    const Mix *m = &job->mix;
    const int64_t n_blocks = point_n_blocks(job->count), picture = i / n_blocks, block = i % n_blocks;
    const int64_t at = block * POINT_BLOCK, n = point_block_len(job->count, block);
    const float *rows[MIX_MAX_CHANNELS];

    (void)worker;
    for (int c = 0; c < m->n_in; c++)
        rows[c] = job->in + (picture * m->n_in + c) * job->count + at;
    for (int c = 0; c < m->n_out; c++)
        job->picture->blend_rows(rows, m->weights + c * m->n_in, m->n_in, m->offset[c],
                               job->out + (picture * m->n_out + c) * job->count + at, n, job->add);
}

static Mix transposed(const Mix *m)
{
    Mix t = {.n_out = m->n_in, .n_in = m->n_out};

    for (int i = 0; i < m->n_out; i++)
        for (int k = 0; k < m->n_in; k++)
            t.weights[k * m->n_out + i] = m->weights[i * m->n_in + k];
    return t;
}

static RsdStatus mix_backward(Tape *tape, Node *node, RsdError *err)
{
    MixJob job = *(const MixJob *)node->saved;
    RsdStatus status = tape_grad(tape, node->in[0], &job.out, &job.add, err);

    if (status != RSD_OK || !job.out)
        return status;
    job.mix = transposed(&job.mix);
    job.in = node->out->grad;
    threads_for(tape->threads, node->in[0]->shape[0] * point_n_blocks(job.count), mix_block, &job);
    return RSD_OK;
}

RsdStatus op_mix(Tape *tape, const Mix *mix, Tensor *x, Tensor **y, RsdError *err)
{
    MixJob job = {.picture = tape->kernels->picture, .mix = *mix, .in = x->data}, *saved = NULL;
    char text[SHAPE_TEXT_SIZE];
    Tensor *result;
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 4 && x->shape[1] == mix->n_in, err, RSD_ERR_ARG, "a mix of %d channels was given %s", mix->n_in,
          shape_text(text, x->n_dims, x->shape));
    job.count = x->shape[2] * x->shape[3];
    TRY(tape_tensor(tape, &result, 4, (int64_t[]){x->shape[0], mix->n_out, x->shape[2], x->shape[3]}, err));
    job.out = result->data;
    threads_for(tape->threads, x->shape[0] * point_n_blocks(job.count), mix_block, &job);
    if (tape_will_record(tape, 1, &x)) {
        TRY(arena_alloc(tape->arena, &saved, 1, sizeof *saved, err));
        *saved = job;
    }
    TRY(tape_record(tape, mix_backward, result, 1, &x, saved, err));
    *y = result;
fail:
    return status;
}
