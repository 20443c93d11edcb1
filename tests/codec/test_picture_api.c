/* test_picture_api.c - pictures by residua.h alone: from memory and by functions, tiles and pixels, sizes, damage, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/residua.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/codec/tiny_picture.h"

static RsdPictureModel *model;
static RsdError err;

static void set_up(void)
{
    char path[] = "/tmp/residua-api-XXXXXX";
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    close(fd);
    cr_assert_eq(tiny_picture_save(path, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(rsd_picture_model_open_file(&model, path, &err), RSD_OK, "%s", err.text);
    unlink(path);
    err.text[0] = '\0';
}

static void tear_down(void)
{
    rsd_picture_model_close(&model);
}

TestSuite(picture_api, .init = set_up, .fini = tear_down);

#define EXPECT_OK(call)                                                                                                \
    do {                                                                                                               \
        RsdStatus status_ = (call);                                                                                    \
        cr_assert_eq(status_, RSD_OK, "%s", err.text);                                                                 \
    } while (0)
#define EXPECT_ERROR(call, expected, part)                                                                             \
    do {                                                                                                               \
        RsdStatus status_ = (call);                                                                                    \
        cr_assert(status_ == (expected) && strstr(err.text, part), "status %d: %s", (int)status_, err.text);          \
    } while (0)

/* Interleaved, with `pad` bytes behind each line. */
static uint8_t *make_pixels(int64_t w, int64_t h, int n_samples, int bits, size_t pad)
{
    const size_t line = (size_t)(w * n_samples * bits / 8) + pad;
    uint8_t *pixels = malloc((size_t)h * line);

    for (size_t i = 0; i < (size_t)h * line; i++)
        pixels[i] = (uint8_t)(i % line * 5 + i / line * 3);
    return pixels;
}

static RsdPictureEncodeOptions options_for(int64_t w, int64_t h, TinyStream *stream)
{
    RsdPictureEncodeOptions options;

    rsd_picture_encode_default_options(&options);
    options.model = model;
    options.width = w;
    options.height = h;
    options.write = tiny_stream_write;
    options.write_ctx = stream;
    return options;
}

static RsdPictureDecoder *open_decoder(TinyStream *stream, bool keep_going, int shrink)
{
    RsdPictureDecoderOptions options;
    RsdPictureDecoder *decoder;

    rsd_picture_decoder_default_options(&options);
    options.model = model;
    options.read = tiny_stream_read;
    options.read_ctx = stream;
    options.keep_going = keep_going;
    options.shrink = shrink;
    stream->at = 0;
    EXPECT_OK(rsd_picture_decoder_open(&decoder, &options, &err));
    return decoder;
}

/* As the memory of the test below, asked for by rectangles. */
static RsdStatus read_pixels(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                             int64_t plane, RsdError *error)
{
    const uint8_t *pixels = ctx;

    (void)error;
    for (int c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                rgb[c * plane + row * pitch + col] = (1.0f / 255.0f) * (float)pixels[((y + row) * 90 + x + col) * 4 + c];
    return RSD_OK;
}

static RsdStatus read_alpha(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *error)
{
    const uint8_t *pixels = ctx;

    (void)error;
    for (int64_t i = 0; i < w * h; i++)
        alpha[i] = pixels[((y + i / w) * 90 + x + i % w) * 4 + 3];
    return RSD_OK;
}

Test(picture_api, memory_lines_with_gaps_and_functions_give_the_same_stream_and_pixels_come_back)
{
    uint8_t *pixels = make_pixels(90, 70, 4, 8, 0), *gapped = malloc(70 * 377), *back = malloc(90 * 70 * 4);
    TinyStream streams[3] = {{0}};
    RsdPictureInfo info;
    RsdPictureReport report;
    RsdPictureDecoder *decoder;
    RsdBytes exif;

    for (int y = 0; y < 70; y++)
        memcpy(gapped + y * 377, pixels + y * 360, 360);
    for (int i = 0; i < 3; i++) {
        RsdPictureEncodeOptions options = options_for(90, 70, &streams[i]);

        options.has_alpha = true;
        options.quality = 40;
        options.is_srgb = true;
        options.gamma = 0.45455;
        options.chunks[RSD_PICTURE_EXIF] = (RsdBytes){(const uint8_t *)"II*", 3};
        options.pixels = i == 0 ? pixels : i == 1 ? gapped : NULL;
        options.pitch = i == 1 ? 377 : 0;
        options.read = read_pixels;
        options.read_alpha = read_alpha;
        options.read_ctx = pixels;
        EXPECT_OK(rsd_picture_encode(&options, &info, &report, &err));
        cr_assert(report.n_bytes == (int64_t)streams[i].size && report.complete && info.width == 90 && info.has_alpha);
        cr_assert(streams[i].size == streams[0].size && memcmp(streams[i].bytes, streams[0].bytes, streams[0].size) == 0,
                  "source %d gives another stream", i);
    }
    EXPECT_OK(rsd_picture_scan(&info, &report, tiny_stream_read, &streams[1], "x", &err));
    cr_assert(info.quality > 39 && info.quality < 41 && info.is_srgb && report.complete && report.n_tiles == info.n_tiles);
    decoder = open_decoder(&streams[0], false, 1);
    exif = rsd_picture_decoder_chunk(decoder, RSD_PICTURE_EXIF);
    cr_assert(exif.size == 3 && memcmp(exif.data, "II*", 3) == 0);
    cr_assert_null(rsd_picture_decoder_chunk(decoder, RSD_PICTURE_XMP).data);
    EXPECT_OK(rsd_picture_decoder_read(decoder, back, 0, &err));
    for (int i = 3; i < 90 * 70 * 4; i += 4)
        cr_assert_eq(back[i], pixels[i]);
    cr_assert(rsd_picture_decoder_report(decoder)->complete);
    rsd_picture_decoder_close(&decoder);
    for (int i = 0; i < 3; i++)
        free(streams[i].bytes);
    free(pixels);
    free(gapped);
    free(back);
}

Test(picture_api, tiles_are_the_pixels_for_grey_16_bits_and_thumbnails)
{
    enum { W = 140, H = 75 };
    uint8_t *pixels = make_pixels(W, H, 1, 16, 0);
    TinyStream stream = {0};
    RsdPictureEncodeOptions options = options_for(W, H, &stream);

    options.channels = 1;
    options.bits = 16;
    options.pixels = pixels;
    EXPECT_OK(rsd_picture_encode(&options, NULL, NULL, &err));
    for (int shrink = 1; shrink <= 4; shrink *= 2) {
        const int64_t w = (W + shrink - 1) / shrink, h = (H + shrink - 1) / shrink;
        uint16_t *whole = calloc((size_t)(w * h), sizeof *whole);
        RsdPictureDecoder *decoder = open_decoder(&stream, false, shrink);
        RsdPictureTile tile;
        int64_t n_pixels = 0;
        bool found;

        EXPECT_OK(rsd_picture_decoder_read(decoder, whole, 0, &err));
        rsd_picture_decoder_close(&decoder);
        decoder = open_decoder(&stream, false, shrink);
        for (;;) {
            EXPECT_OK(rsd_picture_decoder_next(decoder, &tile, &found, &err));
            if (!found)
                break;
            n_pixels += tile.w * tile.h;
            for (int64_t i = 0; i < tile.w * tile.h; i++)
                cr_assert_eq((uint16_t)(tile.rgb[i] * 65535.0f + 0.5f), whole[(tile.y + i / tile.w) * w + tile.x + i % tile.w]);
        }
        cr_assert_eq(n_pixels, w * h);
        rsd_picture_decoder_close(&decoder);
        free(whole);
    }
    free(stream.bytes);
    free(pixels);
}

Test(picture_api, a_size_is_kept_or_the_least_is_named)
{
    uint8_t *pixels = make_pixels(128, 128, 3, 8, 0);
    TinyStream stream = {0};
    RsdPictureEncodeOptions options = options_for(128, 128, &stream);

    options.pixels = pixels;
    options.max_size = 600;
    EXPECT_OK(rsd_picture_encode(&options, NULL, NULL, &err));
    cr_assert(stream.size <= 600 && stream.size > 500, "%zu bytes", stream.size);
    options.max_size = 20;
    EXPECT_ERROR(rsd_picture_encode(&options, NULL, NULL, &err), RSD_ERR_ARG, "smallest");
    free(stream.bytes);
    free(pixels);
}

Test(picture_api, damage_is_an_error_that_is_repeated_or_is_passed_over)
{
    uint8_t *pixels = make_pixels(60, 60, 3, 8, 0), *back = malloc(60 * 60 * 3);
    TinyStream stream = {0};
    RsdPictureEncodeOptions options = options_for(60, 60, &stream);
    RsdPictureDecoder *decoder;

    options.pixels = pixels;
    EXPECT_OK(rsd_picture_encode(&options, NULL, NULL, &err));
    stream.bytes[stream.size - 3] ^= 1;
    decoder = open_decoder(&stream, true, 1);
    EXPECT_OK(rsd_picture_decoder_read(decoder, back, 0, &err));
    cr_assert_eq(rsd_picture_decoder_report(decoder)->n_lost, 1);
    rsd_picture_decoder_close(&decoder);
    stream.at = 0;
    {
        RsdPictureDecoderOptions strict;

        rsd_picture_decoder_default_options(&strict);
        strict.model = model;
        strict.read = tiny_stream_read;
        strict.read_ctx = &stream;
        EXPECT_ERROR(rsd_picture_decoder_open(&decoder, &strict, &err), RSD_ERR_CORRUPT, "stream: tile 1 of 1");
        cr_assert_null(decoder);
        strict.shrink = 3;
        stream.at = 0;
        EXPECT_ERROR(rsd_picture_decoder_open(&decoder, &strict, &err), RSD_ERR_ARG, "shrunk by 3");
        strict.shrink = 1;
        strict.model = NULL;
        strict.keep_going = true;
        stream.at = 0;
        EXPECT_ERROR(rsd_picture_decoder_open(&decoder, &strict, &err), RSD_ERR_MODEL, "model");
    }
    free(stream.bytes);
    free(pixels);
    free(back);
}

Test(picture_api, misuse_is_named)
{
    uint8_t pixel[4] = {0};
    TinyStream stream = {0};
    RsdPictureEncodeOptions good = options_for(1, 1, &stream), bad;
    RsdPictureModel *none = NULL;
    RsdPictureDecoder *decoder = NULL;

    good.pixels = pixel;
#define EXPECT_MISUSE(change, part)                                                                                    \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        change;                                                                                                        \
        EXPECT_ERROR(rsd_picture_encode(&bad, NULL, NULL, &err), RSD_ERR_ARG, part);                                   \
    } while (0)
    EXPECT_MISUSE(bad.model = NULL, "needs a model");
    EXPECT_MISUSE(bad.write = NULL, "write function");
    EXPECT_MISUSE(bad.pixels = NULL, "needs pixels");
    EXPECT_MISUSE(bad.channels = 4, "4 channels");
    EXPECT_MISUSE(bad.bits = 12, "12 bits");
    EXPECT_MISUSE(bad.quality = 101, "quality 101");
    EXPECT_MISUSE(bad.width = 0, "0 x 1 pixels");
    EXPECT_MISUSE(bad.height = INT64_MAX, "pixels");
    EXPECT_MISUSE(bad.pitch = 2, "2 bytes apart");
    EXPECT_ERROR(rsd_picture_model_open_file(&none, "/nowhere/m.safetensors", &err), RSD_ERR_IO, "/nowhere");
    rsd_picture_model_close(&none);
    rsd_picture_decoder_close(&decoder);
    cr_assert_str_eq(rsd_picture_model_name(model), "tiny");
    cr_assert_not_null(rsd_picture_model_hash(model));
    free(stream.bytes);
}
