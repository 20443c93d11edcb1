/* image_transforms.c - the transforms of network F: pictures to latents and hyper latents, latents to pictures of three sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "engine/chain.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"
#include "models/image_net.h"

/* x is a result that nothing else reads. */
static RsdStatus run_block(Tape *tape, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    const ImageBlock *block = ctx;
    const ArenaMark mark = arena_mark(tape->arena);
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(conv2d(tape, &block->taps, x, &h, err));
    TRY(conv2d(tape, &block->in, h, &h, err));
    TRY(op_hard_swish(tape, h, &h, err));
    TRY(conv2d(tape, &block->out, h, &h, err));
    TRY(op_add(tape, x, h, y, err));
    if (!tape->recording) { /* the sum takes the place of x, and the memory of the block is free for the next */
        memcpy(x->data, (*y)->data, (size_t)tensor_count(x) * sizeof *x->data);
        arena_rewind(tape->arena, mark);
        *y = x;
    }
fail:
    return status;
}

static RsdStatus run_blocks(Tape *tape, const ImageScale *scale, Tensor *x, Tensor **y, RsdError *err)
{
    ChainBlock blocks[IMAGE_MAX_BLOCKS];

    for (int j = 0; j < scale->n_blocks; j++)
        blocks[j] = (ChainBlock){run_block, &scale->blocks[j]};
    *y = x;
    return scale->n_blocks ? chain_run(tape, blocks, scale->n_blocks, x, y, err) : RSD_OK;
}

RsdStatus image_codec_analyse(Tape *tape, const ImageCodec *codec, Tensor *x, Tensor **y, RsdError *err)
{
    const ImageNet *net = codec->net;
    char text[SHAPE_TEXT_SIZE];
    Tensor *h;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4 && x->shape[1] == 3 && x->shape[2] % IMAGE_STRIDE == 0 && x->shape[3] % IMAGE_STRIDE == 0, err,
          RSD_ERR_ARG, "a picture of %s; its sides must be multiples of %d", shape_text(text, x->n_dims, x->shape),
          IMAGE_STRIDE);
    TRY(op_add_scalar(tape, x, -0.5f, &h, err));
    for (int i = 0; i < IMAGE_SCALES; i++) {
        TRY(op_pixel_unshuffle(tape, h, i ? 2 : 4, &h, err));
        TRY(conv2d(tape, &net->encoder[i].resample, h, &h, err));
        TRY(run_blocks(tape, &net->encoder[i], h, &h, err));
    }
    TRY(conv2d(tape, &net->encoder_out, h, y, err));
fail:
    return status;
}

/* As far as scale `last`: features[i] is what the blocks of scale i make. */
static RsdStatus run_decoder(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, int last,
                             Tensor *features[IMAGE_SCALES], RsdError *err)
{
    const ImageNet *net = codec->net;
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(image_codec_unscale(tape, codec, level, y, &h, err));
    TRY(conv2d(tape, &net->decoder_in, h, &h, err));
    for (int i = IMAGE_SCALES - 1;; i--) {
        TRY(run_blocks(tape, &net->decoder[i], h, &h, err));
        features[i] = h;
        if (i == last)
            break;
        TRY(conv2d(tape, &net->decoder[i].resample, h, &h, err));
        TRY(op_pixel_shuffle(tape, h, 2, &h, err));
    }
fail:
    return status;
}

RsdStatus image_codec_synthesise_with_features(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y,
                                               Tensor *features[IMAGE_HEADS], Tensor **x, RsdError *err)
{
    Tensor *all[IMAGE_SCALES], *h;
    RsdStatus status = RSD_OK;

    *x = NULL;
    TRY(run_decoder(tape, codec, level, y, 0, all, err));
    for (int i = 0; features && i < IMAGE_HEADS; i++)
        features[i] = all[i];
    TRY(conv2d(tape, &codec->net->decoder[0].resample, all[0], &h, err));
    TRY(op_pixel_shuffle(tape, h, 4, &h, err));
    TRY(op_add_scalar(tape, h, 0.5f, x, err));
fail:
    return status;
}

RsdStatus image_codec_synthesise(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, Tensor **x, RsdError *err)
{
    return image_codec_synthesise_with_features(tape, codec, level, y, NULL, x, err);
}

RsdStatus image_codec_run_head(Tape *tape, const ImageCodec *codec, int head, Tensor *features, Tensor **x, RsdError *err)
{
    Tensor *h;
    RsdStatus status = RSD_OK;

    *x = NULL;
    assert(codec->net->n_heads == IMAGE_HEADS && head >= 0 && head < IMAGE_HEADS);
    TRY(conv2d(tape, &codec->net->heads[head], features, &h, err));
    TRY(op_pixel_shuffle(tape, h, 2, &h, err));
    TRY(op_add_scalar(tape, h, 0.5f, x, err));
fail:
    return status;
}

RsdStatus image_codec_synthesise_small(Tape *tape, const ImageCodec *codec, int head, const int *level, Tensor *y, Tensor **x,
                                       RsdError *err)
{
    Tensor *all[IMAGE_SCALES];
    RsdStatus status = RSD_OK;

    *x = NULL;
    TRY(run_decoder(tape, codec, level, y, head, all, err));
    TRY(image_codec_run_head(tape, codec, head, all[head], x, err));
fail:
    return status;
}

/* Zeros at the bottom and on the right, up to multiples of 4. */
static RsdStatus complete(Tape *tape, Tensor *y, Tensor **out, RsdError *err)
{
    const int bottom = (int)((4 - y->shape[2] % 4) % 4), right = (int)((4 - y->shape[3] % 4) % 4);
    int64_t shape[4];
    Tensor *zeros;
    RsdStatus status = RSD_OK;

    *out = y;
    for (int axis = 2; axis < 4; axis++) {
        const int n = axis == 2 ? bottom : right;

        if (n == 0)
            continue;
        memcpy(shape, (*out)->shape, sizeof shape);
        shape[axis] = n;
        TRY(tape_tensor(tape, &zeros, 4, shape, err));
        memset(zeros->data, 0, (size_t)tensor_count(zeros) * sizeof *zeros->data);
        TRY(op_concat(tape, 2, (Tensor *[]){*out, zeros}, axis, out, err));
    }
fail:
    return status;
}

RsdStatus image_codec_hyper(Tape *tape, const ImageCodec *codec, Tensor *y, Tensor **z, RsdError *err)
{
    const ImageNet *net = codec->net;
    Tensor *h;
    RsdStatus status = RSD_OK;

    *z = NULL;
    TRY(complete(tape, y, &h, err));
    TRY(conv2d(tape, &net->hyper_in, h, &h, err));
    for (int i = 0; i < IMAGE_HYPER_STAGES; i++) {
        TRY(conv2d(tape, &net->hyper_taps[i], h, &h, err));
        TRY(op_hard_swish(tape, h, &h, err));
        TRY(op_pixel_unshuffle(tape, h, 2, &h, err));
        TRY(conv2d(tape, &net->hyper_down[i], h, &h, err));
    }
    *z = h;
fail:
    return status;
}
