/* codec_network.c - an audio codec beside the same network in PyTorch.
 *
 * The network runs as streams run it, with carried state, in the middle of a signal. On one thread processor time is compared
 * with processor time, because this machine is hardly ever quiet; on two threads the clock decides. What two threads gain is
 * limited by what the machine gives two networks that have nothing to do with each other: they share a clock, a cache, and other
 * people's work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/stream.h"
#include "models/audio_codec_file.h"
#include "tests/bench/bench.h"

#define MIDDLE ((int64_t)1 << 20) /* frames that came before */
#define SCALING_TARGET 1.7

typedef struct Run {
    const BenchCodec *c;
    RsdThreads *threads;
    Tape *tape;
    StreamState *encoder, *decoder;
    float *signal;
    uint16_t *codes;
} Run;

AudioCodec *bench_draw_codec(const AudioCodecConfig *cfg)
{
    AudioCodec *codec;
    RsdError err;

    bench_must(audio_codec_create_empty(&codec, cfg, AUDIO_USE_ALL, &err), &err);
    for (size_t i = 0; i < codec->params->n_items; i++) {
        Tensor *tensor = codec->params->items[i].tensor;
        Rng rng = rng_at(1, RNG_TEST, 0, (uint32_t)i);
        int64_t fan_in = tensor->n_dims > 1 ? tensor_count(tensor) / tensor->shape[0] : 1;

        if (tensor->n_dims == 1)
            params_fill_constant(tensor, 0.5f); /* biases and the like */
        else
            params_fill_uniform(tensor, &rng, 0.5f / sqrtf((float)fan_in));
    }
    bench_must(audio_codec_freeze(codec, &err), &err);
    return codec;
}

static int n_samples(const BenchCodec *c)
{
    return c->n_frames * audio_codec_hop(&c->codec->config);
}

static void open_run(Run *run, const BenchCodec *c, int n_threads)
{
    RsdError err;

    *run = (Run){.c = c};
    bench_must(rsd_threads_create(&run->threads, n_threads, &err), &err);
    bench_must(tape_create(&run->tape, run->threads, 0, &err), &err);
    bench_must(stream_create(&run->encoder, &err), &err);
    bench_must(stream_create(&run->decoder, &err), &err);
    bench_must(mem_alloc(&run->signal, (size_t)n_samples(c), sizeof(float), &err), &err);
    bench_must(mem_calloc(&run->codes, (size_t)(c->n_stages * c->n_frames), sizeof *run->codes, &err), &err);
    bench_fill(run->signal, n_samples(c), 1);
}

static void close_run(Run *run)
{
    mem_free(&run->signal);
    mem_free(&run->codes);
    stream_destroy(&run->encoder);
    stream_destroy(&run->decoder);
    tape_destroy(&run->tape);
    rsd_threads_destroy(&run->threads);
}

static void begin(Run *run, StreamState *stream)
{
    tape_reset(run->tape);
    run->tape->stream = stream;
    stream_rewind(stream);
    stream_place(stream, MIDDLE, STREAM_UNKNOWN_LENGTH);
}

static void run_encode(void *ctx)
{
    Run *run = ctx;
    Tensor *x;
    RsdError err;

    begin(run, run->encoder);
    bench_must(tape_input(run->tape, &x, 3, (int64_t[]){1, 1, n_samples(run->c)}, run->signal, &err), &err);
    bench_must(audio_codec_encode(run->tape, run->c->codec, x, run->c->n_stages, 1, run->codes, &err), &err);
}

static void run_decode(void *ctx)
{
    Run *run = ctx;
    Tensor *z, *y;
    RsdError err;

    begin(run, run->decoder);
    bench_must(audio_codec_latents(run->tape, run->c->codec, run->codes, 1, run->c->n_stages, run->c->n_frames, &z, &err), &err);
    bench_must(audio_codec_decode(run->tape, run->c->codec, z, &y, &err), &err);
}

/* ---- two networks at once ---- */

typedef struct AtOnce {
    RsdThreads *threads;
    BenchRun run;
    Run runs[2]; /* on one thread each */
} AtOnce;

static void run_one_of_two(void *ctx, int64_t i, int worker)
{
    AtOnce *both = ctx;

    (void)worker;
    both->run(&both->runs[i]);
}

static void run_at_once(void *ctx)
{
    AtOnce *both = ctx;

    threads_for(both->threads, 2, run_one_of_two, both);
}

/* Seconds by the clock of one run on one thread, one run on two threads, and two runs at once on one thread each. */
typedef struct Scaling {
    double one_s, two_s, at_once_s;
} Scaling;

static Scaling measure_scaling(const Bench *bench, const BenchCodec *c, BenchRun direction, Run *two_threads)
{
    AtOnce both = {.run = direction};
    Scaling s;
    double again_s;
    RsdError err;

    bench_must(rsd_threads_create(&both.threads, 2, &err), &err);
    open_run(&both.runs[0], c, 1);
    open_run(&both.runs[1], c, 1);
    run_at_once(&both); /* takes its memory */
    bench_fastest_two(bench, direction, &both.runs[0], direction, two_threads, &s.one_s, &s.two_s);
    bench_fastest_two(bench, direction, &both.runs[0], run_at_once, &both, &again_s, &s.at_once_s);
    s.one_s = fmin(s.one_s, again_s);
    close_run(&both.runs[0]);
    close_run(&both.runs[1]);
    rsd_threads_destroy(&both.threads);
    return s;
}

static void print_scaling(const Bench *bench, const BenchCodec *c, const Scaling *s)
{
    bench_print(bench, &(BenchFigure){.part = c->part, .what = "  scaling to two threads", .seconds = s->two_s,
                                      .ratio = s->one_s / s->two_s, .ratio_to = "1 thread", .target = SCALING_TARGET});
    bench_print(bench, &(BenchFigure){.part = c->part, .what = "  the machine's own: two networks at once", .seconds = s->at_once_s,
                                      .ratio = 2.0 * s->one_s / s->at_once_s, .ratio_to = "1 thread"});
}

/* ---- PyTorch ---- */

/* {"encode": {"1": {"clock_s": 0.1, "cpu_s": 0.1}, ...}, ...}; 0 for what is missing */
static double peer_seconds(const json_t *peer, const char *what, int n_threads)
{
    char key[16];

    snprintf(key, sizeof key, "%d", n_threads);
    return json_number_value(
        json_object_get(json_object_get(json_object_get(peer, what), key), n_threads == 1 ? "cpu_s" : "clock_s"));
}

/* ---- figures ---- */

static const char *const names[] = {"encode", "decode"};

static void print_beside_peer(const Bench *bench, const BenchCodec *c, const char *name, int n_threads, double seconds,
                              double peer_s)
{
    char what[64];
    BenchFigure figure = {.part = c->part, .what = what, .seconds = seconds, .unit = "x real"};

    snprintf(what, sizeof what, "%s, %d thread%s", name, n_threads, n_threads > 1 ? "s" : "");
    figure.rate = (double)n_samples(c) / c->codec->config.rate_hz / seconds;
    if (peer_s > 0.0) {
        figure.ratio = peer_s / seconds;
        figure.ratio_to = "PyTorch";
        figure.target = n_threads == 1 ? c->target : 0.0;
    }
    bench_print(bench, &figure);
}

void bench_codec_network(const Bench *bench, const BenchCodec *c, double cpu_s[2])
{
    const BenchRun runs[] = {run_encode, run_decode};
    json_t *peer = bench_peer(bench, "%s", c->peer);
    double peak = bench_product_peak(bench);

    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        double peer_s[2], seconds[2];
        Run run;

        open_run(&run, c, n_threads);
        for (int i = 0; i < 2; i++) {
            peer_s[i] = peer_seconds(peer, names[i], n_threads);
            runs[i](&run); /* takes its memory */
            if (n_threads == 1) {
                seconds[i] = cpu_s[i] = bench_time(bench, runs[i], &run).cpu_s;
                print_beside_peer(bench, c, names[i], n_threads, seconds[i], peer_s[i]);
                bench_print(bench, &(BenchFigure){.part = c->part, .what = "  the same, beside the peak of products",
                                                  .seconds = seconds[i], .rate = c->macs[i] / seconds[i] / 1e9,
                                                  .unit = "GMAC/s", .ratio = c->macs[i] / seconds[i] / peak,
                                                  .ratio_to = "sgemm peak"});
            } else {
                const Scaling scaling = measure_scaling(bench, c, runs[i], &run);

                seconds[i] = scaling.two_s;
                print_beside_peer(bench, c, names[i], n_threads, seconds[i], peer_s[i]);
                print_scaling(bench, c, &scaling);
            }
        }
        print_beside_peer(bench, c, "encode and decode", n_threads, seconds[0] + seconds[1], peer_s[0] + peer_s[1]);
        close_run(&run);
    }
    json_decref(peer);
}
