/* bench.h - what the benchmarks share: timing, comparison with OpenBLAS, and printing.
 *
 * A machine is never quiet, so two things are compared by running them in turns, many times, and taking the fastest run of
 * each. Figures are ratios wherever there is something to compare with.
 *
 *   build/tests/bench/bench [--json] [--only PART] [--seconds S] [--no-peer]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_BENCH_H
#define RESIDUA_TESTS_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/tape.h"
#include "models/audio_codec.h"

typedef struct Bench {
    bool json;
    bool peer;      /* run PyTorch beside us */
    double seconds; /* spent on each figure */
    int n_runs;     /* at least so many runs, 0: three */
    RsdThreads *threads;
    Tape *tape;     /* on one thread */
} Bench;

typedef void (*BenchRun)(void *ctx);

double bench_now(void); /* seconds */
/* Fastest of the runs that fit into the time: of one thing, or of two things in turns. At least three runs. */
double bench_fastest(const Bench *bench, BenchRun run, void *ctx);
void bench_fastest_two(const Bench *bench, BenchRun a, void *a_ctx, BenchRun b, void *b_ctx, double *a_s, double *b_s);

/* The fastest run by the clock, and the least processor time that the calling thread spent in a run. Other work on the machine
 * makes runs longer but takes no processor time from them; of several threads only the clock tells. */
typedef struct BenchTime {
    double clock_s, cpu_s;
} BenchTime;
BenchTime bench_time(const Bench *bench, BenchRun run, void *ctx);
/* The same for the program `residua` of this build, all of its threads together; arguments end with NULL, the first is its name, and
 * what it prints on standard output goes nowhere. false: there is no program, or it fails, which is told. */
bool bench_program(const Bench *bench, char *const arguments[], BenchTime *best);

/* A product c [m, n] = a [m, k] b [k, n] by OpenBLAS on one thread; transpose_b for the form of a weight gradient. */
typedef struct BenchProduct {
    int64_t m, n, k;
    bool transpose_b;
    float *a, *b, *c;
} BenchProduct;
void bench_product_init(BenchProduct *p, int64_t m, int64_t n, int64_t k, bool transpose_b);
void bench_product_clear(BenchProduct *p);
void bench_product_run(void *ctx);
/* Multiply-accumulates per second of a product on one thread: the faster of OpenBLAS and our own, because the OpenBLAS
 * of a distribution may not know the processor and fall back on a narrower instruction set. */
double bench_product_peak(const Bench *bench);

/* Prints one figure: what, seconds, its rate in `unit` (0: none), and the ratio to a reference (0: none), with the target
 * the ratio should reach (0: none). */
typedef struct BenchFigure {
    const char *part, *what;
    double seconds, rate;
    const char *unit;
    double ratio;
    const char *ratio_to;
    double target;
    size_t memory_bytes; /* at most, 0: not said */
} BenchFigure;
void bench_print(const Bench *bench, const BenchFigure *figure);
void bench_heading(const Bench *bench, const char *text);

/* What a script in tests/peers says, one JSON object, with arguments as in printf; NULL without peers, or when PyTorch does not run here,
 * which is told. RESIDUA_PYTHON: the Python that has it. The caller's (json_decref). */
json_t *bench_peer(const Bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Stops with a sentence when status is not RSD_OK. */
void bench_must(RsdStatus status, const RsdError *err);
/* Uniform values in [-1, 1) that are the same in every run. */
void bench_fill(float *x, int64_t n, uint32_t seed);

/* An audio codec beside the same network in PyTorch. */
typedef struct BenchCodec {
    const char *part;
    AudioCodec *codec; /* frozen */
    int n_stages, n_frames; /* coded in each run */
    double macs[2];    /* multiply-accumulates of the network in a run of the encoder and the decoder */
    double target;     /* times PyTorch's speed, on one thread */
    const char *peer;  /* script and arguments, in tests/peers */
} BenchCodec;
/* Prints encoding and decoding on one thread and on two: rate, ratio to PyTorch, share of the peak of products, scaling.
 * cpu_s: processor time on one thread of encoder and decoder. */
void bench_codec_network(const Bench *bench, const BenchCodec *c, double cpu_s[2]);
/* Prints how long a stream takes from 20 ms of samples to bytes, and from bytes to samples. */
void bench_codec_latency(const Bench *bench, const BenchCodec *c);
/* An inference codec with weights drawn for a signal that neither fades nor grows much. */
AudioCodec *bench_draw_codec(const AudioCodecConfig *cfg);

/* The parts. */
void bench_conv(Bench *bench);
void bench_conv2d(Bench *bench);
void bench_search(Bench *bench);
void bench_ops(Bench *bench);
void bench_step(Bench *bench);
void bench_gan(Bench *bench);
void bench_codec(Bench *bench);
void bench_dac(Bench *bench);
void bench_image(Bench *bench);
void bench_audio(Bench *bench);
void bench_encodec(Bench *bench);
void bench_picture(Bench *bench);
void bench_effort(Bench *bench);
void bench_picture_codec(Bench *bench);
void bench_rans(Bench *bench);
void bench_integer(Bench *bench);
void bench_start(Bench *bench);

#endif
