/* bench_gan.c - a step of speech16 with an adversary beside the same step in PyTorch (tests/peers/gan_step.py).
 *
 * Encoder, quantiser with 12 stages, decoder, L1, three critics of spectrograms (windows 1024, 512 and 256, 8 filters) that judge real and
 * generated signals once for both sides, balanced gradients, backward, and Adam for both, on a batch of 8 times 0.8 s: the trainer's
 * own step (trainer/audio_step.h), on one thread and on two.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "tests/bench/bench.h"
#include "trainer/audio_step.h"

#define BATCH 8
#define N_SAMPLES 12800
#define TARGET 2.0

static const char SETTINGS[] = "[data]\nbatch = 8\nsegment = 0.8s\n[train]\nstages = all\n[loss]\nl1 = 1\n"
                               "[optim]\nmethod = adam\nema = 0\nwarmup = 0\n[adversary]\nstft = 1024,512,256\nlevel = no\nwarmup = 0\n";

typedef struct Rig {
    RsdThreads *threads;
    TrainConfig *config;
    TrainState *state;
    AudioStep *step;
    float *batch;
} Rig;

static void open_rig(Rig *rig, int n_threads)
{
    RsdError err = {0};

    *rig = (Rig){0};
    bench_must(rsd_threads_create(&rig->threads, n_threads, &err), &err);
    bench_must(mem_alloc(&rig->config, 1, sizeof *rig->config, &err), &err);
    train_config_init(rig->config);
    bench_must(train_config_parse(rig->config, SETTINGS, "bench", &err), &err);
    bench_must(train_config_check(rig->config, &err), &err);
    bench_must(train_state_create(&rig->state, rig->config, kernels_pick(), &err), &err);
    bench_must(audio_step_create(&rig->step, rig->config, rig->threads, NULL, &err), &err);
    bench_must(mem_alloc(&rig->batch, BATCH * N_SAMPLES, sizeof *rig->batch, &err), &err);
    bench_fill(rig->batch, BATCH * N_SAMPLES, 1);
}

static void close_rig(Rig *rig)
{
    mem_free(&rig->batch);
    audio_step_destroy(&rig->step);
    train_state_destroy(&rig->state);
    mem_free(&rig->config);
    rsd_threads_destroy(&rig->threads);
}

static void run_step(void *ctx)
{
    Rig *rig = ctx;
    StepReport report;
    RsdError err = {0};

    bench_must(audio_step_run(rig->step, rig->state, rig->batch, &report, &err), &err);
}

void bench_gan(Bench *bench)
{
    json_t *peer;

    bench_heading(bench, "Step of speech16 with three critics, 8 x 0.8 s, beside PyTorch");
    peer = bench_peer(bench, "gan_step.py --batch %d --seconds %g", BATCH, N_SAMPLES / 16000.0);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        BenchFigure figure = {.part = "gan", .unit = "x real", .what = n_threads > 1 ? "2 threads" : "1 thread"};
        char key[32];
        Rig rig;

        open_rig(&rig, n_threads);
        run_step(&rig); /* k-means of the first step is not part of a step */
        figure.seconds = bench_fastest(bench, run_step, &rig);
        close_rig(&rig);
        figure.rate = BATCH * N_SAMPLES / 16000.0 / figure.seconds;
        if (peer) {
            snprintf(key, sizeof key, "step_s_%d", n_threads);
            figure.ratio = json_number_value(json_object_get(peer, key)) / figure.seconds;
            figure.ratio_to = "PyTorch";
            figure.target = TARGET;
        }
        bench_print(bench, &figure);
    }
    json_decref(peer);
}
