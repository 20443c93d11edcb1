/* test_picture.c - pictures through streams: sizes, threads, seams, limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "tests/codec/decoded.h"

Test(picture, every_small_size_has_its_size_and_its_opacity_back)
{
    /* All sides from 1 to 130: each width once, with a height that goes round at another pace. */
    for (int64_t w = 1; w <= 130; w++) {
        TinyPicture picture = {.width = w, .height = 1 + w * 37 % 130, .bits = w % 2 ? 8 : 16, .has_alpha = w % 3 != 0};
        TinyStream stream = encode(&picture, w % 5 ? 6 : 7, NULL);
        Decoded d = decode(stream.bytes, stream.size, false, NULL);

        cr_assert_eq(d.status, RSD_OK, "%lld x %lld: %s", (long long)w, (long long)picture.height, d.err.text);
        cr_assert(d.info.width == w && d.info.height == picture.height && d.report.complete && d.report.n_lost == 0);
        cr_assert_eq(d.report.n_bytes, (int64_t)stream.size);
        for (int64_t i = 0; i < w * picture.height; i++) {
            uint16_t expected = picture.has_alpha ? tiny_picture_alpha(&picture, i % w, i / w) : picture.bits == 8 ? 255 : 65535;

            cr_assert_eq(d.alpha[i], expected, "%lld x %lld: opacity at %lld is %d, expected %d", (long long)w,
                         (long long)picture.height, (long long)i, d.alpha[i], expected);
        }
        decoded_clear(&d);
        free(stream.bytes);
    }
}

Test(picture, streams_and_pixels_are_the_same_for_any_number_of_threads)
{
    TinyPicture picture = {.width = 200, .height = 150, .bits = 8, .has_alpha = true};
    TinyStream one = encode(&picture, 6, NULL), three;
    Decoded a = decode(one.bytes, one.size, false, NULL), b;
    RsdThreads *threads;

    cr_assert_eq(rsd_threads_create(&threads, 3, NULL), RSD_OK);
    three = encode(&picture, 6, threads);
    cr_assert(one.size == three.size && memcmp(one.bytes, three.bytes, one.size) == 0);
    b = decode(one.bytes, one.size, false, threads);
    cr_assert_arr_eq(a.rgb, b.rgb, 3 * 200 * 150 * sizeof(float));
    cr_assert_arr_eq(a.alpha, b.alpha, 200 * 150 * sizeof(uint16_t));
    decoded_clear(&a);
    decoded_clear(&b);
    free(one.bytes);
    free(three.bytes);
    rsd_threads_destroy(&threads);
}

/* to [3, h, w]: what stays when the tape is reset. */
static void synthesise(const PictureModel *model, Tape *tape, const PictureInfo *info, const PictureTile *tile, const LatentRows *rows,
                       int shrink, float *to)
{
    const float *rgb;

    cr_assert_eq(picture_synthesise(model, tape, info, tile, rows, 1, shrink, &rgb, NULL), RSD_OK);
    memcpy(to, rgb, (size_t)(3 * picture_shrunk(tile->h, shrink) * picture_shrunk(tile->w, shrink)) * sizeof *to);
}

/* Runs all latents at once; tiles of 64 pixels must give the same. */
Test(picture, tiles_have_no_seams)
{
    const PictureModel *model = tiny_picture_model();
    const int64_t w = 400, h = 300, lw = 25, lh = 19, m = model->codec->config.latent;
    PictureInfo info = {.width = w, .height = h, .channels = 3, .bits = 8, .model_name = "tiny", .level = 30};
    int32_t *y = malloc((size_t)(m * lh * lw) * sizeof *y);
    float *whole = malloc((size_t)(3 * w * h) * sizeof *whole), *part = malloc(3 * 64 * 64 * sizeof *part), worst = 0;
    RsdThreads *threads;
    Tape *tape;
    LatentRows rows = {0, lh, lw, y};
    PictureTile all = {0, 0, w, h, 0, 0, lw, lh};

    for (int64_t i = 0; i < m * lh * lw; i++)
        y[i] = (int32_t)(i * 7919 % 401) - 200;
    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    synthesise(model, tape, &info, &all, &rows, 1, whole);
    info.tile_exponent = 6;
    cr_assert_eq(picture_info_complete(&info, RSD_ERR_ARG, NULL), RSD_OK);
    for (int64_t t = 0; t < info.n_tiles; t++) {
        PictureTile tile = picture_tile(&info, t);

        synthesise(model, tape, &info, &tile, &rows, 1, part);
        for (int64_t i = 0; i < 3 * tile.h * tile.w; i++) {
            int64_t c = i / (tile.h * tile.w), row = i / tile.w % tile.h, col = i % tile.w;

            worst = fmaxf(worst, fabsf(part[i] - whole[(c * h + tile.y + row) * w + tile.x + col]));
        }
    }
    cr_assert_lt(worst, 1e-5f, "tiles differ from the whole by %g", (double)worst);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(y);
    free(whole);
    free(part);
}

/* A model that differs from the others by its config. */
static PictureModel *model_of(ImageCodec **codec, const ImageCodecConfig *config)
{
    PictureModel *model;

    cr_assert_eq(image_codec_create(codec, config, 7, NULL), RSD_OK);
    cr_assert_eq(image_codec_make_prior(*codec, NULL), RSD_OK);
    cr_assert_eq(image_codec_freeze(*codec, NULL), RSD_OK);
    cr_assert_eq(picture_model_create(&model, *codec, NULL), RSD_OK);
    return model;
}

/* Random heads, as small as the rest. */
static PictureModel *model_with_heads(ImageCodec **codec)
{
    ImageCodecConfig config = tiny_picture_model()->codec->config;

    config.heads = 1;
    return model_of(codec, &config);
}

/* y [M, latents of the picture] of a sound stream without opacity. */
static void read_latents(const PictureModel *model, TinyStream *stream, int32_t *y)
{
    const PictureReaderOptions options = {.read = tiny_stream_read, .read_ctx = stream};
    const int64_t m = model->codec->config.latent;
    PictureReader *reader;
    PicturePacket packet;
    TileCoder *coder;
    bool found;

    cr_assert_eq(picture_reader_open(&reader, &options, NULL), RSD_OK);
    cr_assert_eq(tile_coder_create(&coder, model->tiles, 64, 64, kernels_pick(), NULL), RSD_OK);
    while (picture_reader_next(reader, &packet, &found, NULL) == RSD_OK && found) {
        const PictureInfo *info = picture_reader_info(reader);
        const PictureTile t = picture_tile(info, packet.number);
        const int64_t h = picture_latents(info->height), w = picture_latents(info->width);
        const TileCode code = {.data = packet.payload, .size = packet.payload_size, .n_lanes = packet.n_lanes};
        int32_t *of_tile = malloc((size_t)(m * t.latent_h * t.latent_w) * sizeof *of_tile);

        cr_assert_eq(tile_decode(coder, info->level, &code, t.latent_h, t.latent_w, of_tile, NULL), RSD_OK);
        for (int64_t row = 0; row < m * t.latent_h; row++)
            memcpy(y + (row / t.latent_h * h + t.latent_y + row % t.latent_h) * w + t.latent_x, of_tile + row * t.latent_w,
                   (size_t)t.latent_w * sizeof *y);
        free(of_tile);
    }
    tile_coder_destroy(&coder);
    picture_reader_close(&reader);
}

/* Tiles of 4 x 4 latents of a network that sees 9 around each: several rows of tiles are in sight. */
Test(picture, tiles_smaller_than_the_window_have_no_seams)
{
    enum { W = 100, H = 440, LW = 7, LH = 28 };
    const TinyPicture picture = {.width = W, .height = H, .bits = 8};
    const PictureTile all = {0, 0, W, H, 0, 0, LW, LH};
    ImageCodecConfig config = tiny_picture_model()->codec->config;
    ImageCodec *codec;
    PictureModel *model;
    TinyStream stream = {0};
    int32_t *y;
    float *whole = malloc(3 * W * H * sizeof *whole), worst = 0;
    RsdThreads *threads;
    Tape *tape;
    Decoded d;

    memcpy(config.decoder_blocks, (int[]){1, 2, 3}, sizeof config.decoder_blocks);
    model = model_of(&codec, &config);
    cr_assert_eq(model->synthesis_margin, 9);
    cr_assert_eq(tiny_picture_encode_by(&stream, model, &picture, 6, SETTING, NULL, NULL), RSD_OK);
    d = decode_by(model, stream.bytes, stream.size, false, NULL);
    cr_assert_eq(d.status, RSD_OK, "%s", d.err.text);
    y = malloc((size_t)(config.latent * LH * LW) * sizeof *y);
    read_latents(model, &stream, y);
    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    synthesise(model, tape, &d.info, &all, &(LatentRows){0, LH, LW, y}, 1, whole);
    for (int64_t i = 0; i < 3 * W * H; i++)
        worst = fmaxf(worst, fabsf(whole[i] - d.rgb[i]));
    cr_assert_lt(worst, 1e-5f, "tiles differ from the whole by %g", (double)worst);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    picture_model_destroy(&model);
    image_codec_destroy(&codec);
    decoded_clear(&d);
    free(stream.bytes);
    free(whole);
    free(y);
}

/* Thumbnails by heads: tiles fit together; without heads they are means over squares of the whole. */
Test(picture, thumbnails_have_no_seams_and_without_heads_are_means)
{
    enum { W = 203, H = 150, LW = 13, LH = 10 };
    ImageCodec *codec;
    PictureModel *with_heads = model_with_heads(&codec);
    int32_t *y = malloc((size_t)(codec->config.latent * LH * LW) * sizeof *y);
    float *whole = malloc(3 * W * H * sizeof *whole), *part = malloc(3 * 64 * 64 * sizeof *part), *small = malloc(3 * W * H * sizeof *small);
    LatentRows rows = {0, LH, LW, y};
    PictureTile all = {0, 0, W, H, 0, 0, LW, LH};
    RsdThreads *threads;
    Tape *tape;

    for (int64_t i = 0; i < codec->config.latent * LH * LW; i++)
        y[i] = (int32_t)(i * 7919 % 401) - 200;
    cr_assert_eq(rsd_threads_create(&threads, 1, NULL), RSD_OK);
    cr_assert_eq(tape_create(&tape, threads, 0, NULL), RSD_OK);
    for (int k = 0; k < 4; k++) {
        const PictureModel *model = k < 2 ? with_heads : tiny_picture_model();
        const int n = k % 2 ? 4 : 2;
        const int64_t w = picture_shrunk(W, n), h = picture_shrunk(H, n);
        PictureInfo info = {.width = W, .height = H, .channels = 3, .bits = 8, .model_name = "tiny", .level = 30, .tile_exponent = 6};
        float worst = 0;

        cr_assert_eq(picture_info_complete(&info, RSD_ERR_ARG, NULL), RSD_OK);
        synthesise(model, tape, &info, &all, &rows, n, small);
        for (int64_t t = 0; t < info.n_tiles; t++) {
            PictureTile tile = picture_tile(&info, t);
            const int64_t tw = picture_shrunk(tile.w, n), th = picture_shrunk(tile.h, n);

            synthesise(model, tape, &info, &tile, &rows, n, part);
            for (int64_t i = 0; i < 3 * th * tw; i++)
                worst = fmaxf(worst, fabsf(part[i] - small[(i / (th * tw) * h + tile.y / n + i / tw % th) * w + tile.x / n + i % tw]));
        }
        cr_assert_lt(worst, 1e-5f, "1/%d: tiles differ from the whole by %g", n, (double)worst);
        if (k < 2)
            continue;
        synthesise(model, tape, &info, &all, &rows, 1, whole);
        for (int64_t i = 0; i < 3 * h * w; i++) {
            const int64_t c = i / (h * w), top = i / w % h * n, left = i % w * n;
            double sum = 0;
            int count = 0;

            for (int64_t row = top; row < top + n && row < H; row++)
                for (int64_t col = left; col < left + n && col < W; col++, count++)
                    sum += (double)whole[(c * H + row) * W + col];
            cr_assert_lt(fabs(sum / count - (double)small[i]), 1e-5, "1/%d, sample %d", n, (int)i);
        }
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    picture_model_destroy(&with_heads);
    image_codec_destroy(&codec);
    free(y);
    free(whole);
    free(part);
    free(small);
}

/* All but that of the first tile. */
static RsdStatus refuse_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err)
{
    (void)ctx, (void)y;
    memset(alpha, 0, (size_t)(w * h) * sizeof *alpha);
    return x > 0 ? error_set(err, RSD_ERR_IO, "no opacity from %lld on", (long long)x) : RSD_OK;
}

Test(picture, an_encoder_tells_of_the_first_tile_that_fails_whichever_thread_is_first)
{
    const TinyPicture picture = {.width = 400, .height = 60, .bits = 8, .has_alpha = true};
    PictureEncoderOptions options = {.model = tiny_picture_model(), .tile_exponent = 6};
    PictureEncoder *encoder;
    RsdThreads *threads;
    int64_t size;

    cr_assert_eq(rsd_threads_create(&threads, 4, NULL), RSD_OK);
    tiny_picture_source(&options.source, &picture);
    options.threads = threads;
    options.source.read_alpha = refuse_alpha;
    cr_assert_eq(picture_encoder_open(&encoder, &options, NULL), RSD_OK);
    for (int i = 0; i < 40; i++) {
        RsdError err = {RSD_OK, ""};

        cr_assert_eq(picture_encoder_run(encoder, SETTING, NULL, NULL, &size, &err), RSD_ERR_IO);
        cr_assert_str_eq(err.text, "no opacity from 64 on", "run %d: %s", i, err.text);
    }
    picture_encoder_close(&encoder);
    rsd_threads_destroy(&threads);
}

Test(picture, long_lines_stream_through)
{
    TinyPicture pictures[] = {{.width = 30000, .height = 2, .bits = 8},
                              {.width = 1, .height = 3000, .bits = 8, .has_alpha = true}};

    for (int i = 0; i < 2; i++) {
        TinyStream stream = encode(&pictures[i], 10, NULL);
        Decoded d = decode(stream.bytes, stream.size, false, NULL);

        cr_assert_eq(d.status, RSD_OK, "%s", d.err.text);
        cr_assert(d.info.width == pictures[i].width && d.info.height == pictures[i].height && d.report.complete);
        decoded_clear(&d);
        free(stream.bytes);
    }
}

Test(picture, a_size_is_met_from_below_or_the_least_is_named)
{
    TinyPicture picture = {.width = 320, .height = 260, .bits = 8}; /* large enough that half a percent is some bytes */
    PictureEncoderOptions options = {.model = tiny_picture_model(), .tile_exponent = 7};
    PictureEncoder *encoder;
    PictureSetting setting;
    int64_t size, least, most;
    RsdError err;

    tiny_picture_source(&options.source, &picture);
    cr_assert_eq(picture_encoder_open(&encoder, &options, NULL), RSD_OK);
    cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.strength = TILE_MAX_STRENGTH}, NULL, NULL, &least, NULL),
                 RSD_OK);
    cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = IMAGE_LEVEL_MAX}, NULL, NULL, &most, NULL), RSD_OK);
    cr_assert_gt(most, 2 * least);
    for (int64_t wanted = least; wanted < most + 1000; wanted += (most - least) / 7 + 1) {
        cr_assert_eq(picture_fit(encoder, wanted, (PictureSetting){0}, NULL, NULL, &setting, &size, &err), RSD_OK, "%s", err.text);
        cr_assert_leq(size, wanted);
        if (wanted > least && wanted < most)
            cr_assert_geq((double)size, 0.995 * (double)wanted, "%lld of %lld bytes", (long long)size,
                          (long long)wanted);
        cr_assert_eq(picture_encoder_run(encoder, setting, NULL, NULL, &most, NULL), RSD_OK);
        cr_assert_eq(most, size);
        cr_assert_eq(picture_encoder_run(encoder, (PictureSetting){.level = IMAGE_LEVEL_MAX}, NULL, NULL, &most, NULL),
                     RSD_OK);
    }
    cr_assert_eq(picture_fit(encoder, least - 1, (PictureSetting){0}, NULL, NULL, &setting, &size, &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, "smallest possible"), "%s", err.text);
    picture_encoder_close(&encoder);
}

Test(picture, an_allocation_that_fails_is_a_status)
{
    TinyPicture picture = {.width = 70, .height = 20, .bits = 8, .has_alpha = true};
    TinyStream whole = encode(&picture, 6, NULL);
    int64_t before = mem_allocation_count(), n;
    Decoded d = decode(whole.bytes, whole.size, false, NULL);

    decoded_clear(&d);
    n = mem_allocation_count() - before;
    for (int64_t i = 0; i < n; i += 1 + n / 60) {
        mem_fail_after(i);
        d = decode(whole.bytes, whole.size, false, NULL);
        mem_fail_after(-1);
        cr_assert_eq(d.status, RSD_ERR_MEMORY, "allocation %lld of %lld", (long long)i, (long long)n);
        decoded_clear(&d);
    }
    free(whole.bytes);
}
