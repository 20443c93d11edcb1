/* bench_codec.c - encoding and decoding speech16 on one thread, in seconds of signal for each second.
 *
 * The network runs as the encoder and the decoder of a stream run it: chunks of one second with carried state, all 12
 * stages, weights folded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/stream.h"
#include "models/audio_codec.h"
#include "tests/bench/bench.h"

typedef struct Run {
    Tape *tape;
    AudioCodec *codec;
    StreamState *encoder, *decoder;
    float *signal;
    uint16_t *codes;
    int64_t n, frames;
    int n_paths; /* of the search for codes */
} Run;

/* As trained ones: none like another, and of less and less from stage to stage. */
static void draw_codebooks(AudioCodec *codec)
{
    for (int q = 0; q < codec->config.rvq.n_q; q++) {
        Rng rng = rng_at(1, RNG_TEST, 1, (uint32_t)q);
        char name[32];

        snprintf(name, sizeof name, "rvq.%d.embed", q);
        params_fill_uniform(params_find(codec->params, name), &rng, 1.0f / (float)(1 + q));
    }
    rvq_refresh(codec->rvq);
}

static void run_encode(void *ctx)
{
    Run *run = ctx;
    Tensor *x, *z;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->encoder;
    stream_rewind(run->encoder);
    bench_must(tape_input(run->tape, &x, 3, (int64_t[]){1, 1, run->n}, run->signal, &err), &err);
    bench_must(seanet_encode(run->tape, run->codec->net, x, &z, &err), &err);
    bench_must(audio_codec_find_codes(run->tape, run->codec, z, run->codec->config.rvq.n_q, run->n_paths, run->codes, &err), &err);
}

static void run_decode(void *ctx)
{
    Run *run = ctx;
    Tensor *y, *z;
    RsdError err;

    tape_reset(run->tape);
    run->tape->stream = run->decoder;
    stream_rewind(run->decoder);
    bench_must(rvq_decode(run->tape, run->codec->rvq, run->codes, 1, run->codec->config.rvq.n_q, run->frames, &z, &err), &err);
    bench_must(seanet_decode(run->tape, run->codec->net, z, &y, &err), &err);
}

static void run_both(void *ctx)
{
    run_encode(ctx);
    run_decode(ctx);
}

void bench_codec(Bench *bench)
{
    const struct {
        const char *what;
        BenchRun run;
        int n_paths; /* 4: the usual effort */
        double target;
    } figures[] = {{"encode, --effort 1", run_encode, 1, 0.0},
                   {"encode", run_encode, 4, 0.0},
                   {"encode, --effort 4", run_encode, 16, 0.0},
                   {"decode", run_decode, 1, 0.0},
                   {"encode and decode, --effort 1", run_both, 1, 80.0},
                   {"encode and decode", run_both, 4, 80.0}};
    AudioCodecConfig cfg;
    Run run = {.tape = bench->tape, .n = 16000, .frames = 50};
    RsdError err;

    bench_heading(bench, "Coding one second of speech16, 12 stages, one thread");
    audio_codec_default_config(&cfg);
    bench_must(audio_codec_create(&run.codec, &cfg, 1, &err), &err);
    bench_must(seanet_freeze(run.codec->net, &err), &err);
    draw_codebooks(run.codec);
    bench_must(stream_create(&run.encoder, &err), &err);
    bench_must(stream_create(&run.decoder, &err), &err);
    bench_must(mem_alloc(&run.signal, (size_t)run.n, sizeof(float), &err), &err);
    bench_must(mem_alloc(&run.codes, (size_t)(run.frames * cfg.rvq.n_q), sizeof *run.codes, &err), &err);
    bench_fill(run.signal, run.n, 1);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        BenchFigure figure = {.part = "codec", .what = figures[i].what, .ratio_to = "real time", .target = figures[i].target};

        run.n_paths = figures[i].n_paths;
        figure.seconds = bench_fastest(bench, figures[i].run, &run);
        figure.ratio = (double)run.n / 16000.0 / figure.seconds;
        bench_print(bench, &figure);
    }
    tape_reset(bench->tape);
    bench->tape->stream = NULL;
    mem_free(&run.signal);
    mem_free(&run.codes);
    stream_destroy(&run.encoder);
    stream_destroy(&run.decoder);
    audio_codec_destroy(&run.codec);
}
