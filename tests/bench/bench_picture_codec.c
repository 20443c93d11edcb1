/* bench_picture_codec.c - a picture of 768 x 512 to a stream and back with the built-in model: all of it, from packets to pixels
 * (entropy decoder, integer prior, synthesis), beside the network alone in PyTorch and beside products; then the program itself.
 *
 * On one thread processor time is compared with processor time; on two threads the clock decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/in_memory.h"
#include "codec/picture.h"
#include "engine/base/mem.h"
#include "tests/bench/bench.h"

#define WIDTH 768
#define HEIGHT 512
#define LEVEL 56 /* quality 50 */
#define TARGET 1.5
#define TARGET_PROGRAM_S 0.150

typedef struct Rig {
    RsdThreads *threads;
    const PictureModel *model;
    PictureSetting setting;
    float *rgb; /* [3, HEIGHT, WIDTH] */
    MemoryStream stream;
} Rig;

/* --- the picture ---------------------------------------------------------------------------------------------------- */

/* Edges, slow waves and fine ones. */
static void paint(float *rgb)
{
    bench_fill(rgb, 3 * WIDTH * HEIGHT, 3);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                const float slow = sinf(0.011f * (float)(x + 40 * c)) * cosf(0.017f * (float)y);
                const float fine = (x / 96 + y / 64) % 3 == 0 ? sinf(0.9f * (float)x + 0.4f * (float)y) : 0.0f;
                float *at = &rgb[(c * HEIGHT + y) * WIDTH + x];

                *at = 0.5f + 0.25f * slow + 0.1f * fine + ((x - 2 * y) / 128 % 2 ? 0.08f : -0.08f) + 0.02f * *at;
            }
}

static RsdStatus read_picture(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch, int64_t plane,
                              RsdError *err)
{
    const float *picture = ctx;

    (void)err;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            for (int64_t col = 0; col < w; col++)
                rgb[c * plane + row * pitch + col] = picture[(c * HEIGHT + y + row) * WIDTH + x + col];
    return RSD_OK;
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

static void encode(void *ctx)
{
    Rig *rig = ctx;
    PictureEncoderOptions options = {.model = rig->model,
                                     .threads = rig->threads,
                                     .source = {.width = WIDTH,
                                                .height = HEIGHT,
                                                .channels = 3,
                                                .bits = 8,
                                                .colour = PICTURE_COLOUR_SRGB,
                                                .read = read_picture,
                                                .ctx = rig->rgb}};
    PictureEncoder *encoder;
    int64_t size;
    RsdError err;

    rig->stream.size = 0;
    bench_must(picture_encoder_open(&encoder, &options, &err), &err);
    bench_must(picture_encoder_run(encoder, rig->setting, memory_stream_write, &rig->stream, &size, &err), &err);
    picture_encoder_close(&encoder);
}

static void decode(void *ctx)
{
    Rig *rig = ctx;
    PictureDecoderOptions options = {
        .read = memory_stream_read, .read_ctx = &rig->stream, .name = "bench", .threads = rig->threads};
    PictureDecoder *decoder;
    PicturePixels pixels;
    bool found = true;
    RsdError err;

    rig->stream.at = 0;
    bench_must(picture_decoder_open(&decoder, &options, &err), &err);
    bench_must(picture_decoder_use(decoder, rig->model, &err), &err);
    while (found)
        bench_must(picture_decoder_next(decoder, &pixels, &found, &err), &err);
    picture_decoder_close(&decoder);
}

/* --- figures -------------------------------------------------------------------------------------------------------- */

static double peer_seconds(const json_t *peer, const char *what, int n_threads)
{
    return json_number_value(json_object_get(json_object_get(json_object_get(peer, what), n_threads == 1 ? "1" : "2"),
                                             n_threads == 1 ? "cpu_s" : "clock_s"));
}

/* Returns the time by the clock. */
static double print_run(const Bench *bench, const char *name, BenchRun run, Rig *rig, const json_t *peer, double macs, double one_thread_s)
{
    const int n_threads = rsd_threads_count(rig->threads);
    BenchTime time = bench_time(bench, run, rig);
    const double seconds = n_threads == 1 ? time.cpu_s : time.clock_s, peer_s = peer_seconds(peer, name, n_threads);
    char what[64];
    BenchFigure figure = {.part = "picture-codec",
                          .what = what,
                          .seconds = seconds,
                          .rate = WIDTH * HEIGHT / seconds / 1e6,
                          .unit = "Mpx/s"};

    snprintf(what, sizeof what, "%s, %d thread%s", name, n_threads, n_threads > 1 ? "s" : "");
    if (peer_s > 0.0) {
        figure.ratio = peer_s / seconds;
        figure.ratio_to = "PyTorch";
        figure.target = n_threads == 1 ? TARGET : 0.0;
    }
    bench_print(bench, &figure);
    figure = (BenchFigure){.part = "picture-codec", .seconds = seconds};
    if (n_threads == 1) {
        figure.what = "  the same, beside the peak of products";
        figure.rate = macs / seconds / 1e9;
        figure.unit = "GMAC/s";
        figure.ratio = macs / seconds / bench_product_peak(bench);
        figure.ratio_to = "sgemm peak";
    } else {
        figure.what = "  scaling to two threads";
        figure.ratio = one_thread_s / seconds;
        figure.ratio_to = "1 thread";
    }
    bench_print(bench, &figure);
    return time.clock_s;
}

/* `residua decode` of a file to PNG on two threads, which is what a user waits for. */
static void print_program(const Bench *bench, const MemoryStream *stream)
{
    char from[] = "/tmp/residua-bench-XXXXXX", to[sizeof from + 4];
    char *const arguments[] = {"residua", "decode", "--quiet", "--force", "--threads", "2", "-o", to, from, NULL};
    int file = mkstemp(from);
    BenchTime best;

    snprintf(to, sizeof to, "%s.png", from);
    if (file < 0 || write(file, stream->bytes, stream->size) != (ssize_t)stream->size) {
        fprintf(stderr, "bench: cannot write %s\n", from);
        exit(1);
    }
    close(file);
    if (bench_program(bench, arguments, &best)) {
        bench_print(bench, &(BenchFigure){.part = "picture-codec", .what = "residua decode to PNG, by the clock", .seconds = best.clock_s,
                                          .ratio = TARGET_PROGRAM_S / best.clock_s, .ratio_to = "150 ms", .target = 1.0});
        bench_print(bench, &(BenchFigure){.part = "picture-codec", .what = "residua decode to PNG, processor time", .seconds = best.cpu_s});
    }
    unlink(from);
    unlink(to);
}

static json_t *run_peer(const Bench *bench, const ImageCodecConfig *cfg)
{
    const int *w = cfg->widths, *e = cfg->encoder_blocks, *d = cfg->decoder_blocks;

    return bench_peer(bench, "picture_codec.py %d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d --width %d --height %d", cfg->latent, cfg->hyper,
                      w[0], w[1], w[2], e[0], e[1], e[2], d[0], d[1], d[2], cfg->context, cfg->entropy, WIDTH, HEIGHT);
}

void bench_picture_codec(Bench *bench)
{
    const double pixels = WIDTH * HEIGHT;
    Rig rig = {.setting = {.level = LEVEL, .effort = 2, .strength = SEARCH_ROUNDING}};
    double encode_s = 0.0, decode_s = 0.0;
    ImageCodecMacs macs;
    ImageCodec *codec;
    PictureModel *model;
    json_t *peer;
    RsdError err;

    bench_heading(bench, "Picture codec: 768 x 512 to a stream and back with the built-in model, beside its network in PyTorch");
    bench_must(image_codec_load_builtin(&codec, NULL, IMAGE_USE_ALL, &err), &err);
    bench_must(picture_model_create(&model, codec, &err), &err);
    bench_must(mem_alloc(&rig.rgb, 3 * WIDTH * HEIGHT, sizeof *rig.rgb, &err), &err);
    paint(rig.rgb);
    rig.model = model;
    macs = image_codec_macs(&codec->config);
    peer = run_peer(bench, &codec->config);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        bench_must(rsd_threads_create(&rig.threads, n_threads, &err), &err);
        encode_s = print_run(bench, "encode", encode, &rig, peer, (macs.analysis + macs.prior) * pixels, encode_s);
        decode_s = print_run(bench, "decode", decode, &rig, peer, (macs.prior + macs.synthesis) * pixels, decode_s);
        rsd_threads_destroy(&rig.threads);
    }
    print_program(bench, &rig.stream);
    json_decref(peer);
    mem_free(&rig.rgb);
    mem_free(&rig.stream.bytes);
    picture_model_destroy(&model);
    image_codec_destroy(&codec);
}
