/* bench_dac.c - encoding and decoding one second of DAC 44.1 kHz at its published width, with drawn weights, beside the same
 * network in PyTorch (tests/peers/dac.py) on as many threads.
 *
 * The network runs as streams run it, with carried state. The share of the peak is that of a large matrix product of OpenBLAS on
 * as many threads as the network runs on, taken as the one-thread product times the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/stream.h"
#include "models/audio_codec_file.h"
#include "tests/bench/bench.h"

#define RATE_HZ 44100
#define HOP 512
#define N_FRAMES 86 /* one second, in whole frames */
#define N_STAGES 9
#define PRODUCT_SIDE 1024

typedef struct Run {
    RsdThreads *threads;
    Tape *tape;
    AudioCodec *codec;
    StreamState *encoder, *decoder;
    float *signal;
    uint16_t *codes;
} Run;

static void draw_weights(ParamSet *params)
{
    for (size_t i = 0; i < params->n_items; i++) {
        Tensor *tensor = params->items[i].tensor;
        Rng rng = rng_at(1, RNG_TEST, 0, (uint32_t)i);
        int64_t fan_in = tensor->n_dims > 1 ? tensor_count(tensor) / tensor->shape[0] : 1;

        if (tensor->n_dims == 1)
            params_fill_constant(tensor, 0.5f); /* alpha and biases */
        else
            params_fill_uniform(tensor, &rng, 0.5f / sqrtf((float)fan_in));
    }
}

static void open_codec(AudioCodec **codec)
{
    AudioCodecConfig cfg = {.name = "dac_44khz",
                            .rate_hz = RATE_HZ,
                            .network = AUDIO_DAC,
                            .dac = {.encoder_dim = 64,
                                    .n_encoder_rates = 4,
                                    .encoder_rates = {2, 4, 8, 8},
                                    .latent_dim = 1024,
                                    .decoder_dim = 1536,
                                    .n_decoder_rates = 4,
                                    .decoder_rates = {8, 8, 4, 2}},
                            .projected_rvq = {.n_q = N_STAGES, .codebook_size = 1024, .code_dim = 8, .dim = 1024}};
    RsdError err;

    bench_must(audio_codec_create_empty(codec, &cfg, &err), &err);
    draw_weights((*codec)->params);
    bench_must(audio_codec_freeze(*codec, &err), &err);
}

static void run_encode(void *ctx)
{
    Run *run = ctx;
    Tensor *x;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->encoder;
    stream_rewind(run->encoder);
    stream_place(run->encoder, (int64_t)1 << 20, STREAM_UNKNOWN_LENGTH);
    bench_must(tape_input(run->tape, &x, 3, (int64_t[]){1, 1, N_FRAMES * HOP}, run->signal, &err), &err);
    bench_must(audio_codec_encode(run->tape, run->codec, x, N_STAGES, run->codes, &err), &err);
}

static void run_decode(void *ctx)
{
    Run *run = ctx;
    Tensor *z, *y;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->decoder;
    stream_rewind(run->decoder);
    stream_place(run->decoder, (int64_t)1 << 20, STREAM_UNKNOWN_LENGTH);
    bench_must(audio_codec_latents(run->tape, run->codec, run->codes, 1, N_STAGES, N_FRAMES, &z, &err), &err);
    bench_must(audio_codec_decode(run->tape, run->codec, z, &y, &err), &err);
}

/* The peer's object, NULL when it does not run. */
static json_t *run_peer(void)
{
    const char *source = getenv("RESIDUA_SOURCE"), *python = getenv("RESIDUA_PYTHON");
    char command[4096];
    json_t *result = NULL;
    FILE *pipe;

    snprintf(command, sizeof command, "'%s' '%s/tests/peers/dac.py' --frames %d 2>/dev/null",
             python ? python : "/usr/bin/python3", source ? source : ".", N_FRAMES);
    pipe = popen(command, "r");
    if (!pipe)
        return NULL;
    result = json_loadf(pipe, 0, NULL);
    pclose(pipe);
    return result;
}

static void print_figures(const Bench *bench, Run *run, int n_threads, const json_t *peer, double product_s, double one_s[2])
{
    const struct {
        const char *name;
        BenchRun run;
        bool decoder;
    } halves[] = {{"encode", run_encode, false}, {"decode", run_decode, true}};
    double peak = (double)PRODUCT_SIDE * PRODUCT_SIDE * PRODUCT_SIDE / product_s * n_threads;

    for (int i = 0; i < 2; i++) {
        BenchFigure figure = {.part = "dac", .unit = "x real"};
        double macs = dac_macs_per_second(&run->codec->config.dac, RATE_HZ, halves[i].decoder) * N_FRAMES * HOP / RATE_HZ;
        char what[64], key[32];

        halves[i].run(run); /* takes its memory */
        figure.seconds = bench_fastest(bench, halves[i].run, run);
        snprintf(what, sizeof what, "%s, %d thread%s", halves[i].name, n_threads, n_threads > 1 ? "s" : "");
        snprintf(key, sizeof key, "%s_s_%d", halves[i].name, n_threads);
        figure.what = what;
        figure.rate = (double)N_FRAMES * HOP / RATE_HZ / figure.seconds;
        if (peer) {
            figure.ratio = json_number_value(json_object_get(peer, key)) / figure.seconds;
            figure.ratio_to = "PyTorch";
            figure.target = n_threads == 1 ? 1.25 : 0.0;
        }
        bench_print(bench, &figure);
        snprintf(what, sizeof what, "  the same, beside the peak");
        figure = (BenchFigure){.part = "dac", .what = what, .seconds = figure.seconds, .rate = macs / figure.seconds / 1e9,
                               .unit = "GMAC/s", .ratio = macs / figure.seconds / peak, .ratio_to = "sgemm peak"};
        bench_print(bench, &figure);
        if (n_threads == 1)
            one_s[i] = figure.seconds;
        else
            bench_print(bench, &(BenchFigure){.part = "dac", .what = "  scaling to two threads", .seconds = figure.seconds,
                                              .ratio = one_s[i] / figure.seconds, .ratio_to = "1 thread", .target = 1.7});
    }
}

void bench_dac(Bench *bench)
{
    Run run = {.threads = NULL};
    BenchProduct product;
    double product_s, one_s[2];
    json_t *peer;
    RsdError err;

    bench_heading(bench, "One second of DAC 44.1 kHz, published width, 9 stages, beside PyTorch");
    peer = bench->peer ? run_peer() : NULL;
    if (bench->peer && !peer)
        fprintf(stderr, "bench: PyTorch does not run here (Debian package python3-torch); its figures are left out\n");
    bench_product_init(&product, PRODUCT_SIDE, PRODUCT_SIDE, PRODUCT_SIDE, false);
    product_s = bench_fastest(bench, bench_product_run, &product);
    bench_product_clear(&product);
    open_codec(&run.codec);
    bench_must(mem_alloc(&run.signal, N_FRAMES * HOP, sizeof(float), &err), &err);
    bench_must(mem_calloc(&run.codes, N_STAGES * N_FRAMES, sizeof *run.codes, &err), &err);
    bench_fill(run.signal, N_FRAMES * HOP, 1);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        bench_must(rsd_threads_create(&run.threads, n_threads, &err), &err);
        bench_must(tape_create(&run.tape, run.threads, 0, &err), &err);
        bench_must(stream_create(&run.encoder, &err), &err);
        bench_must(stream_create(&run.decoder, &err), &err);
        print_figures(bench, &run, n_threads, peer, product_s, one_s);
        tape_destroy(&run.tape);
        stream_destroy(&run.encoder);
        stream_destroy(&run.decoder);
        rsd_threads_destroy(&run.threads);
    }
    mem_free(&run.signal);
    mem_free(&run.codes);
    audio_codec_destroy(&run.codec);
    json_decref(peer);
}
