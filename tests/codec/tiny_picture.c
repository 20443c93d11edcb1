/* tiny_picture.c - see tiny_picture.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/tiny_picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static RsdStatus make_codec(ImageCodec **codec, RsdError *err)
{
    const ImageCodecConfig config = {.name = "tiny",
                                     .latent = 8,
                                     .hyper = 4,
                                     .widths = {4, 6, 8},
                                     .encoder_blocks = {1, 1, 1},
                                     .decoder_blocks = {1, 1, 1},
                                     .context = 6,
                                     .entropy = 12};
    RsdStatus status = RSD_OK;

    TRY(image_codec_create(codec, &config, 7, err));
    TRY(image_codec_make_prior(*codec, err));
    TRY(image_codec_freeze(*codec, err));
fail:
    return status;
}

const PictureModel *tiny_picture_model(void)
{
    static PictureModel *model;
    ImageCodec *codec;

    if (!model && (make_codec(&codec, NULL) != RSD_OK || picture_model_create(&model, codec, NULL) != RSD_OK))
        abort();
    return model;
}

RsdStatus tiny_picture_save(const char *path, RsdError *err)
{
    ImageCodec *codec = NULL;
    RsdStatus status = RSD_OK;

    TRY(make_codec(&codec, err));
    TRY(image_codec_save(codec, path, DTYPE_F32, NULL, err));
fail:
    image_codec_destroy(&codec);
    return status;
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

static float sample(int64_t x, int64_t y, int c)
{
    float wave = (float)((x * (3 + c) + y * 5) % 97) / 97.0f;

    return x + 2 * y > 90 ? 0.2f + 0.6f * wave : 0.9f - 0.3f * wave;
}

static RsdStatus read_picture(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                              int64_t plane, RsdError *err)
{
    const TinyPicture *picture = ctx;

    if (x < 0 || y < 0 || x + w > picture->width || y + h > picture->height || w < 1 || h < 1)
        return error_set(err, RSD_ERR_ARG, "outside of the picture");
    for (int c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                rgb[c * plane + row * pitch + col] = sample(x + col, y + row, c);
    return RSD_OK;
}

uint16_t tiny_picture_alpha(const TinyPicture *picture, int64_t x, int64_t y)
{
    int64_t dx = x - 20, dy = y - 15;
    int most = picture->bits == 8 ? 255 : 65535;

    return (uint16_t)(dx * dx + dy * dy < 100   ? 0
                      : dx * dx + dy * dy < 140 ? most / 3 + (int)((x * 7 + y) % 100)
                                                : most);
}

static RsdStatus read_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err)
{
    (void)err;
    for (int64_t row = 0; row < h; row++)
        for (int64_t col = 0; col < w; col++)
            *alpha++ = tiny_picture_alpha(ctx, x + col, y + row);
    return RSD_OK;
}

void tiny_picture_source(PictureSource *source, const TinyPicture *picture)
{
    *source = (PictureSource){.width = picture->width,
                              .height = picture->height,
                              .channels = 3,
                              .bits = picture->bits,
                              .colour = PICTURE_COLOUR_SRGB,
                              .read = read_picture,
                              .read_alpha = picture->has_alpha ? read_alpha : NULL,
                              .ctx = (void *)(uintptr_t)picture};
    for (int i = 0; picture->has_chunks && i < PICTURE_N_CHUNKS; i++)
        source->chunks[i] = (PictureChunk){(const uint8_t *)"contents" + i, 8 - (size_t)i};
}

/* --- with codes ----------------------------------------------------------------------------------------------------- */

#define TRAINING_SIDE 256

/* Odds of the nodes of each stage, beside what the network says of its neighbours. */
static void draw_odds(ImageCodec *codec)
{
    Rng rng = rng_at(7, RNG_TEST, 1, 0);
    char name[64];

    for (int q = 0; q < codec->config.codebooks; q++) {
        snprintf(name, sizeof name, "prior.%d.out.bias", q);
        params_fill_uniform(params_find(codec->params, name), &rng, 2.0f);
    }
}

static RsdStatus make_codes(ImageCodec *codec, RsdThreads *threads, RsdError *err)
{
    const TinyPicture picture = {.width = TRAINING_SIDE, .height = TRAINING_SIDE, .bits = 8};
    Tape *tape = NULL;
    Tensor *x, *y;
    RsdStatus status = RSD_OK;

    TRY(tape_create(&tape, threads, 0, err));
    TRY(tape_tensor(tape, &x, 4, (int64_t[]){1, 3, TRAINING_SIDE, TRAINING_SIDE}, err));
    TRY(read_picture((void *)(uintptr_t)&picture, 0, 0, TRAINING_SIDE, TRAINING_SIDE, x->data, TRAINING_SIDE,
                     TRAINING_SIDE * TRAINING_SIDE, err));
    TRY(image_codec_init_transforms(codec, x->data, 1, TRAINING_SIDE, err));
    TRY(image_codec_analyse(tape, codec, x, &y, err));
    TRY(image_codec_init_codes(tape, codec, y, 3, err));
fail:
    tape_destroy(&tape);
    return status;
}

RsdStatus tiny_rvq_codec(ImageCodec **codec, RsdError *err)
{
    const ImageCodecConfig config = {.name = "tiny-rvq",
                                     .quantizer = IMAGE_RVQ,
                                     .latent = 4,
                                     .widths = {4, 6, 8},
                                     .encoder_blocks = {1, 1, 1},
                                     .decoder_blocks = {1, 1, 1},
                                     .context = 6,
                                     .codebooks = 3,
                                     .codebook_size = 16,
                                     .codebook_decay = 0.9f,
                                     .dead_below = 0.1f};
    RsdThreads *threads = NULL;
    RsdStatus status = RSD_OK;

    *codec = NULL;
    TRY(rsd_threads_create(&threads, 1, err));
    TRY(image_codec_create(codec, &config, 7, err));
    TRY(make_codes(*codec, threads, err));
    draw_odds(*codec);
    TRY(image_codec_make_prior(*codec, err));
    TRY(image_codec_freeze(*codec, err));
fail:
    rsd_threads_destroy(&threads);
    return status;
}

/* --- streams -------------------------------------------------------------------------------------------------------- */

RsdStatus tiny_stream_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    TinyStream *stream = ctx;

    (void)err;
    stream->bytes = realloc(stream->bytes, stream->size + size + 1);
    memcpy(stream->bytes + stream->size, data, size);
    stream->size += size;
    return RSD_OK;
}

RsdStatus tiny_stream_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    TinyStream *stream = ctx;

    (void)err;
    *n_read = stream->size - stream->at < size ? stream->size - stream->at : size;
    if (*n_read > 0)
        memcpy(data, stream->bytes + stream->at, *n_read);
    stream->at += *n_read;
    return RSD_OK;
}

RsdStatus tiny_picture_encode(TinyStream *stream, const TinyPicture *picture, int tile_exponent, PictureSetting setting,
                              RsdThreads *threads, RsdError *err)
{
    return tiny_picture_encode_by(stream, tiny_picture_model(), picture, tile_exponent, setting, threads, err);
}

RsdStatus tiny_picture_encode_by(TinyStream *stream, const PictureModel *model, const TinyPicture *picture, int tile_exponent,
                                 PictureSetting setting, RsdThreads *threads, RsdError *err)
{
    PictureEncoderOptions options = {.model = model, .threads = threads, .tile_exponent = tile_exponent};
    PictureEncoder *encoder = NULL;
    int64_t size;
    RsdStatus status = RSD_OK;

    tiny_picture_source(&options.source, picture);
    TRY(picture_encoder_open(&encoder, &options, err));
    TRY(picture_encoder_run(encoder, setting, tiny_stream_write, stream, &size, err));
    CHECK(size == (int64_t)stream->size, err, RSD_ERR_ARG, "%lld bytes, %zu were written", (long long)size,
          stream->size);
fail:
    picture_encoder_close(&encoder);
    return status;
}
