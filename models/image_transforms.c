/* image_transforms.c - the transforms of network F: pictures to latents and hyper latents, latents to pictures of three sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "engine/chain.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/by_lines.h"
#include "engine/ops/resize2d.h"
#include "engine/ops/shape.h"
#include "models/image_lattice.h"
#include "models/image_net.h"

/* Two places for planes, which the results of steps take in turn while nothing is recorded: each step reads the one that the step
 * before it made. */
typedef struct Rooms {
    float *place[2]; /* NULL: results stay where the tape puts them */
    int next;
} Rooms;

/* most: numbers of the largest result. */
static RsdStatus open_rooms(Rooms *rooms, Tape *tape, int64_t most, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *rooms = (Rooms){.next = 0};
    for (int i = 0; i < 2 && !tape->recording; i++)
        TRY(arena_alloc(tape->arena, &rooms->place[i], (size_t)most, sizeof(float), err));
fail:
    return status;
}

static float *next_room(Rooms *rooms)
{
    rooms->next = 1 - rooms->next;
    return rooms->place[rooms->next];
}

static WeightPair pair_of(const Conv2dLayer *layer)
{
    return (WeightPair){layer->weight, layer->bias};
}

static RsdStatus run_block_in(Tape *tape, const ImageBlock *block, float *room, Tensor *x, Tensor **y, RsdError *err)
{
    const SeparableBlock parts = {pair_of(&block->taps), pair_of(&block->in), pair_of(&block->out)};
    const RsdStatus status = op_separable_block(tape, x, &parts, room, y, err);

    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", block->taps.name);
}

/* As a part of a chain, which records. */
static RsdStatus run_block(Tape *tape, const void *ctx, Tensor *x, Tensor **y, RsdError *err)
{
    return run_block_in(tape, ctx, NULL, x, y, err);
}

static RsdStatus run_blocks(Tape *tape, const ImageScale *scale, Rooms *rooms, Tensor *x, Tensor **y, RsdError *err)
{
    ChainBlock blocks[IMAGE_MAX_BLOCKS];
    RsdStatus status = RSD_OK;

    *y = x;
    if (!tape->recording) {
        for (int j = 0; j < scale->n_blocks; j++)
            TRY(run_block_in(tape, &scale->blocks[j], next_room(rooms), *y, y, err));
        return RSD_OK;
    }
    for (int j = 0; j < scale->n_blocks; j++)
        blocks[j] = (ChainBlock){run_block, &scale->blocks[j]};
    if (scale->n_blocks)
        TRY(chain_run(tape, blocks, scale->n_blocks, x, y, err));
fail:
    return status;
}

static RsdStatus shuffle_out(Tape *tape, const Conv2dLayer *layer, int r, float offset, float *room, Tensor *x, Tensor **y, RsdError *err)
{
    const WeightPair pair = pair_of(layer);
    const RsdStatus status = op_conv2d_shuffle(tape, x, &pair, r, offset, room, y, err);

    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", layer->name);
}

/* Numbers of the largest features of a picture of `pixels` at scale `last` and those that are coarser. */
static int64_t largest_features(const ImageCodecConfig *cfg, int64_t pixels, int last)
{
    int64_t most = 0;

    for (int i = last; i < IMAGE_SCALES; i++) {
        const int64_t count = cfg->widths[i] * (pixels >> (4 + 2 * i));

        most = count > most ? count : most;
    }
    return most;
}

RsdStatus image_codec_analyse(Tape *tape, const ImageCodec *codec, Tensor *x, Tensor **y, RsdError *err)
{
    const ImageNet *net = codec->net;
    char text[SHAPE_TEXT_SIZE];
    ArenaMark mark;
    Rooms rooms;
    Tensor *h;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(x->n_dims == 4 && x->shape[1] == 3 && x->shape[2] % IMAGE_STRIDE == 0 && x->shape[3] % IMAGE_STRIDE == 0, err,
          RSD_ERR_ARG, "a picture of %s; its sides must be multiples of %d", shape_text(text, x->n_dims, x->shape),
          IMAGE_STRIDE);
    mark = arena_mark(tape->arena);
    TRY(op_add_scalar(tape, x, -0.5f, &h, err));
    for (int i = 0; i < IMAGE_SCALES; i++) {
        TRY(op_pixel_unshuffle(tape, h, i ? 2 : 4, &h, err));
        TRY(conv2d(tape, &net->encoder[i].resample, h, &h, err));
        TRY(tape_keep(tape, mark, &h, err));
        TRY(open_rooms(&rooms, tape, tensor_count(h), err));
        TRY(run_blocks(tape, &net->encoder[i], &rooms, h, &h, err));
    }
    TRY(conv2d(tape, &net->encoder_out, h, y, err));
    TRY(image_lattice_bound(tape, &codec->config, *y, y, err));
    TRY(tape_keep(tape, mark, y, err));
fail:
    return status;
}

/* As far as scale `last`: features[i] is what the blocks of scale i make; while nothing is recorded only that of `last` stays. */
static RsdStatus run_decoder(Tape *tape, const ImageCodec *codec, const int *level, Rooms *rooms, Tensor *y, int last,
                             Tensor *features[IMAGE_SCALES], RsdError *err)
{
    const ImageNet *net = codec->net;
    Tensor *h;
    RsdStatus status = RSD_OK;

    TRY(image_codec_unscale(tape, codec, level, y, &h, err));
    TRY(conv2d(tape, &net->decoder_in, h, &h, err));
    for (int i = IMAGE_SCALES - 1;; i--) {
        TRY(run_blocks(tape, &net->decoder[i], rooms, h, &h, err));
        features[i] = h;
        if (i == last)
            break;
        TRY(shuffle_out(tape, &net->decoder[i].resample, 2, 0.0f, next_room(rooms), h, &h, err));
    }
fail:
    return status;
}

static int64_t pixels_of(const Tensor *y)
{
    return y->n_dims == 4 ? y->shape[0] * y->shape[2] * y->shape[3] * IMAGE_STRIDE * IMAGE_STRIDE : 0;
}

RsdStatus image_codec_synthesise_with_features(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y,
                                               Tensor *features[IMAGE_HEADS], Tensor **x, RsdError *err)
{
    const int64_t most = largest_features(&codec->config, pixels_of(y), 0), n_out = 3 * pixels_of(y);
    Tensor *all[IMAGE_SCALES];
    Rooms rooms = {.next = 0};
    RsdStatus status = RSD_OK;

    *x = NULL;
    if (!features)
        TRY(open_rooms(&rooms, tape, most > n_out ? most : n_out, err));
    TRY(run_decoder(tape, codec, level, &rooms, y, 0, all, err));
    for (int i = 0; features && i < IMAGE_HEADS; i++)
        features[i] = all[i];
    TRY(shuffle_out(tape, &codec->net->decoder[0].resample, 4, 0.5f, next_room(&rooms), all[0], x, err));
fail:
    return status;
}

static RsdStatus change_features(Tape *tape, const ImageDeltas *deltas, Tensor *h, Tensor **y, RsdError *err)
{
    Tensor *factor;
    RsdStatus status = RSD_OK;

    *y = h;
    if (!deltas->gain)
        return RSD_OK;
    TRY(op_add_scalar(tape, deltas->gain, 1.0f, &factor, err));
    TRY(op_mul(tape, h, factor, y, err));
fail:
    return status;
}

RsdStatus image_codec_synthesise_changed(Tape *tape, const ImageCodec *codec, const int *level, Tensor *y, const ImageDeltas *deltas,
                                         Tensor **x, RsdError *err)
{
    const int64_t most = largest_features(&codec->config, pixels_of(y), 0), n_out = 3 * pixels_of(y);
    Conv2dLayer last = codec->net->decoder[0].resample;
    Tensor *all[IMAGE_SCALES], *h;
    Rooms rooms = {.next = 0};
    RsdStatus status = RSD_OK;

    *x = NULL;
    TRY(open_rooms(&rooms, tape, most > n_out ? most : n_out, err));
    TRY(run_decoder(tape, codec, level, &rooms, y, 0, all, err));
    TRY(change_features(tape, deltas, all[0], &h, err));
    if (deltas->bias)
        TRY(op_add(tape, last.bias, deltas->bias, &last.bias, err));
    TRY(shuffle_out(tape, &last, 4, 0.5f, next_room(&rooms), h, x, err));
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
    Rooms rooms;
    RsdStatus status = RSD_OK;

    *x = NULL;
    TRY(open_rooms(&rooms, tape, largest_features(&codec->config, pixels_of(y), head), err));
    TRY(run_decoder(tape, codec, level, &rooms, y, head, all, err));
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
