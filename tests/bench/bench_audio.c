/* bench_audio.c - audio metrics and the mel loss on 60 s of one channel, on one thread, beside the same formulas in PyTorch
 * (tests/peers/audio_metrics.py). ViSQOL has no such form; its figure stands alone. Times are the least processor time, which other
 * work on the machine does not lengthen.
 *
 * Metrics are in double here, float32 there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "losses/audio_loss.h"
#include "losses/audio_metric.h"
#include "tests/bench/bench.h"

#define RATE 24000
#define SECONDS 60
#define LEN (RATE * SECONDS)
#define TARGET 3.0

typedef struct AudioRun {
    const AudioMetric *metric;
    AudioLoss *loss;
    Tape *tape;
    Tensor *ref, *dist; /* [1, 1, LEN], buffers of their own */
    bool gradient;
} AudioRun;

static void run_metric(void *ctx)
{
    AudioRun *run = ctx;
    MetricValue value;
    RsdError err;

    bench_must(audio_metric_apply(&value, run->metric, run->ref->data, LEN, run->dist->data, LEN, 1, LEN, RATE, &err), &err);
}

static void run_loss(void *ctx)
{
    AudioRun *run = ctx;
    Tensor *estimate, *value;
    RsdError err;

    tape_reset(run->tape);
    run->tape->recording = run->gradient;
    bench_must(tape_leaf(run->tape, run->dist, run->gradient, &estimate, &err), &err);
    bench_must(audio_loss_apply(run->tape, run->loss, estimate, run->ref, &value, &err), &err);
    if (run->gradient)
        bench_must(tape_backward(run->tape, value, &err), &err);
}

/* memory_bytes: of the tape, or of the program so far. */
static void print(Bench *bench, BenchRun work, AudioRun *run, const char *what, const json_t *peer, const char *key)
{
    BenchFigure figure = {.part = "audio", .unit = "x real", .what = what};
    const double peer_s = json_number_value(json_object_get(peer, key));
    struct rusage usage;

    work(run); /* memory is taken once */
    figure.seconds = bench_time(bench, work, run).cpu_s;
    figure.rate = SECONDS / figure.seconds;
    getrusage(RUSAGE_SELF, &usage);
    figure.memory_bytes = work == run_loss ? arena_peak_size(run->tape->arena) : 1024 * (size_t)usage.ru_maxrss;
    if (peer_s > 0.0) {
        figure.ratio = peer_s / figure.seconds;
        figure.ratio_to = "PyTorch";
        figure.target = TARGET;
    }
    bench_print(bench, &figure);
}

/* Sound with pauses, and a little noise on it. */
static void fill(AudioRun *run)
{
    const int64_t shape[] = {1, 1, LEN};
    RsdError err;

    bench_must(tensor_create(&run->ref, 3, shape, &err), &err);
    bench_must(tensor_create(&run->dist, 3, shape, &err), &err);
    bench_fill(run->ref->data, LEN, 1);
    bench_fill(run->dist->data, LEN, 2);
    for (int64_t i = 0; i < LEN; i++) {
        run->ref->data[i] *= 0.2f * (1.0f + sinf(20.0f * (float)i / RATE));
        run->dist->data[i] = run->ref->data[i] + 0.02f * run->dist->data[i];
    }
}

void bench_audio(Bench *bench)
{
    AudioRun run = {.tape = bench->tape};
    json_t *peer;
    RsdError err;

    bench_heading(bench, "Audio metrics, 60 s at 24 kHz, one thread, beside PyTorch");
    peer = bench_peer(bench, "audio_metrics.py --seconds %d --rate %d", SECONDS, RATE);
    fill(&run);
    bench_must(audio_loss_create(&run.loss, "mel_dac", RATE, 0, &err), &err);
    print(bench, run_loss, &run, "mel_dac, value", peer, "mel_dac_value_s_1");
    run.gradient = true;
    print(bench, run_loss, &run, "mel_dac, value and gradient", peer, "mel_dac_gradient_s_1");
    run.metric = audio_metric_find("mel");
    print(bench, run_metric, &run, "mel distance in double, value", peer, "mel_dac_value_s_1");
    run.metric = audio_metric_find("estoi");
    print(bench, run_metric, &run, "ESTOI, value", peer, "estoi_value_s_1");
    run.metric = audio_metric_find("vnsim");
    print(bench, run_metric, &run, "ViSQOL audio mode up to its similarity, value", NULL, "");
    audio_loss_destroy(&run.loss);
    tape_reset(run.tape);
    tensor_destroy(&run.ref);
    tensor_destroy(&run.dist);
    json_decref(peer);
}
