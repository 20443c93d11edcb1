/* image_scales.c - see image_scales.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/image_scales.h"

#include <string.h>

#include "codec/picture_net.h"
#include "codec/tile_search.h"
#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"

#define N_CROPS 48
#define N_ROUNDS 2
#define N_WEIGHTS ((size_t)IMAGE_SCALE_TABLES * IMAGE_SCALE_WEIGHTS)

typedef struct Counting {
    ImageStep *step;
    Pictures *pictures;
    const ImageCodec *codec;
    int64_t side;   /* pixels of a crop */
    float *pixels;  /* [3, side, side] */
    int32_t *y;     /* of a crop, as the coder takes them */
    int16_t *z;
    TileModel *model;
    TileCoder *coder;
    ScaleCounts counts;
} Counting;

static int64_t latents(const Counting *c)
{
    return (c->side + IMAGE_STRIDE - 1) / IMAGE_STRIDE;
}

static RsdStatus start(Counting *c, RsdError *err)
{
    const size_t side = (size_t)c->side, n = (size_t)latents(c), n_z = (n + 3) / 4;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&c->pixels, 3 * side * side, sizeof *c->pixels, err));
    TRY(mem_alloc(&c->y, (size_t)c->codec->config.latent * n * n, sizeof *c->y, err));
    TRY(mem_alloc(&c->z, (size_t)c->codec->config.hyper * n_z * n_z, sizeof *c->z, err));
fail:
    return status;
}

static void stop(Counting *c)
{
    mem_free(&c->pixels);
    mem_free(&c->y);
    mem_free(&c->z);
    tile_coder_destroy(&c->coder);
    tile_model_destroy(&c->model);
}

/* ---- a crop ---- */

static RsdStatus code_at(Counting *c, int level, Tensor *latent, RsdError *err)
{
    Tape *tape = c->step->tape;
    const ArenaMark mark = arena_mark(tape->arena);
    Tensor *y, *z;
    TileCode code;
    RsdStatus status = RSD_OK;

    TRY(image_codec_scale(tape, c->codec, &level, latent, &y, err));
    TRY(image_codec_hyper(tape, c->codec, y, &z, err));
    for (int64_t i = 0; i < tensor_count(y); i++)
        c->y[i] = tile_latent(y->data[i]);
    for (int64_t i = 0; i < tensor_count(z); i++)
        c->z[i] = tile_hyper_latent(z->data[i]);
    TRY(tile_encode(c->coder, level, &(TileRounding){.strength = SEARCH_ROUNDING}, c->z, c->y, latents(c), latents(c), &code, err));
    tile_count(c->coder, latents(c), latents(c), &c->counts);
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

static RsdStatus code_crop(Counting *c, uint32_t number, RsdError *err)
{
    Tape *tape = c->step->tape;
    Tensor *x, *y;
    RsdStatus status = RSD_OK;

    TRY(pictures_crop(c->pictures, 0, number, c->pixels, err));
    tape_reset(tape);
    TRY(tape_input(tape, &x, 4, (int64_t[]){1, 3, c->side, c->side}, c->pixels, err));
    TRY(image_codec_analyse(tape, c->codec, x, &y, err));
    for (int l = 0; l < IMAGE_LEVELS; l++)
        TRY(code_at(c, 16 * l, y, err));
fail:
    return status;
}

/* ---- all ---- */

/* With the tables that the prior has now. */
static RsdStatus code_crops(Counting *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    tile_coder_destroy(&c->coder);
    tile_model_destroy(&c->model);
    TRY(tile_model_create(&c->model, c->codec->prior, err));
    TRY(tile_coder_create(&c->coder, c->model, latents(c), latents(c), kernels_pick(), err));
    tile_coder_share(c->coder, c->step->threads);
    memset(&c->counts, 0, sizeof c->counts);
    for (uint32_t i = 0; i < N_CROPS; i++)
        TRY(code_crop(c, i, err));
fail:
    return status;
}

RsdStatus image_scales_count(ImageStep *step, Pictures *pictures, TrainState *state, RsdError *err)
{
    ImageCodec *codec = state->image;
    Counting counting = {.step = step, .pictures = pictures, .codec = codec, .side = step->config->picture.crop};
    int16_t *before = codec->scale_weights;
    RsdStatus status = RSD_OK;

    if (codec->config.quantizer != IMAGE_SCALAR || codec->keeps_prior)
        return RSD_OK;
    codec->scale_weights = NULL;
    TRY(start(&counting, err));
    for (int round = 0; round < N_ROUNDS; round++) {
        TRY(image_codec_make_prior(codec, err));
        TRY(code_crops(&counting, err));
        if (!codec->scale_weights)
            TRY(mem_alloc(&codec->scale_weights, N_WEIGHTS, sizeof *codec->scale_weights, err));
        scale_counts_to_weights(&counting.counts, codec->scale_weights);
    }
    mem_free(&before);
fail:
    if (status != RSD_OK) {
        mem_free(&codec->scale_weights);
        codec->scale_weights = before;
    }
    tape_reset(step->tape);
    stop(&counting);
    return status;
}
