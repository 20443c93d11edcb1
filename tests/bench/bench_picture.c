/* bench_picture.c - the picture codec's network: a training step and the synthesis of a picture of 768 x 512, beside the same in
 * PyTorch (tests/peers/picture_step.py) and beside products of OpenBLAS on one thread.
 *
 * A step is forward, bits, squared error, backward and Adam on 8 crops of 128 x 128. PyTorch's threads are ours; where it is not
 * installed its figures are left out, and the note says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "models/image_codec.h"
#include "tests/bench/bench.h"
#include "trainer/image_step.h"

#define BATCH 8
#define CROP 128
#define WIDTH 768
#define HEIGHT 512

typedef struct Rig {
    RsdThreads *threads;
    TrainConfig *config;
    TrainState *state;
    ImageStep *step;
    float *batch;
} Rig;

static void open_rig(Rig *rig, int n_threads)
{
    RsdError err = {0};

    *rig = (Rig){0};
    bench_must(rsd_threads_create(&rig->threads, n_threads, &err), &err);
    bench_must(mem_calloc(&rig->config, 1, sizeof *rig->config, &err), &err);
    train_config_init(rig->config);
    bench_must(train_config_parse(rig->config, "[model]\nkind = picture\n[data]\nbatch = 8\n[optim]\nmethod = adam\nema = 0\n", "bench", &err),
               &err);
    bench_must(train_state_create(&rig->state, rig->config, kernels_pick(), &err), &err);
    bench_must(image_step_create(&rig->step, rig->config, rig->threads, NULL, &err), &err);
    bench_must(mem_alloc(&rig->batch, BATCH * 3 * CROP * CROP, sizeof(float), &err), &err);
    bench_fill(rig->batch, BATCH * 3 * CROP * CROP, 1);
    for (int64_t i = 0; i < BATCH * 3 * CROP * CROP; i++)
        rig->batch[i] = 0.5f + 0.5f * rig->batch[i];
}

static void close_rig(Rig *rig)
{
    mem_free(&rig->batch);
    image_step_destroy(&rig->step);
    train_state_destroy(&rig->state);
    mem_free(&rig->config);
    rsd_threads_destroy(&rig->threads);
}

static void run_step(void *ctx)
{
    Rig *rig = ctx;
    ImageStepReport report;
    RsdError err = {0};

    bench_must(image_step_run(rig->step, rig->state, rig->batch, &report, &err), &err);
}

static void run_synthesis(void *ctx)
{
    Rig *rig = ctx;
    Tape *tape = rig->step->tape;
    const int level = 64;
    Tensor *y, *x;
    RsdError err = {0};

    tape_reset(tape);
    tape->recording = false;
    bench_must(tape_tensor(tape, &y, 4, (int64_t[]){1, 192, HEIGHT / 16, WIDTH / 16}, &err), &err);
    bench_fill(y->data, tensor_count(y), 2);
    bench_must(image_codec_synthesise(tape, rig->state->image, &level, y, &x, &err), &err);
}

static void print(const Bench *bench, const json_t *peer, const char *what, const char *key, double seconds, double rate,
                  const char *unit, double target)
{
    BenchFigure figure = {.part = "picture", .what = what, .seconds = seconds, .rate = rate, .unit = unit};

    if (peer) {
        figure.ratio = json_number_value(json_object_get(peer, key)) / seconds;
        figure.ratio_to = "PyTorch";
        figure.target = target;
    }
    bench_print(bench, &figure);
}

/* One thread beside a product of OpenBLAS, multiply-accumulates for multiply-accumulates. */
static void print_share(const Bench *bench, Rig *rig)
{
    const double macs = image_codec_macs(&rig->config->picture.model).synthesis * WIDTH * HEIGHT;
    BenchProduct product;
    double ours, blas;

    bench_product_init(&product, 384, 1536, 384, false);
    bench_fastest_two(bench, run_synthesis, rig, bench_product_run, &product, &ours, &blas);
    bench_print(bench, &(BenchFigure){.part = "picture", .what = "synthesis, 1 thread, share of sgemm", .seconds = ours,
                                      .rate = macs / ours / 1e9, .unit = "GMAC/s",
                                      .ratio = macs / ours / (384.0 * 1536.0 * 384.0 / blas), .ratio_to = "sgemm",
                                      .target = 0.75});
    bench_product_clear(&product);
}

void bench_picture(Bench *bench)
{
    json_t *peer;

    bench_heading(bench, "Picture codec: training step of 8 x 128 x 128, synthesis of 768 x 512, beside PyTorch");
    peer = bench_peer(bench, "picture_step.py --batch %d --crop %d --repeat 1", BATCH, CROP);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        const char *step_key = n_threads == 1 ? "step_s_1" : "step_s_2";
        const char *synthesis_key = n_threads == 1 ? "synthesis_s_1" : "synthesis_s_2";
        double seconds;
        Rig rig;

        open_rig(&rig, n_threads);
        run_step(&rig);
        seconds = bench_fastest(bench, run_step, &rig);
        print(bench, peer, n_threads == 1 ? "training step, 1 thread" : "training step, 2 threads", step_key, seconds,
              BATCH / seconds, "crops/s", 2.0);
        for (int i = TAPE_BF16_GRADIENTS; i <= TAPE_BF16; i++) {
            char what[64];

            snprintf(what, sizeof what, "the same, train.precision = %s", i == TAPE_BF16 ? "bf16" : "bf16_gradients");
            rig.step->tape->precision = (TapePrecision)i;
            seconds = bench_fastest(bench, run_step, &rig);
            bench_print(bench, &(BenchFigure){.part = "picture", .what = what, .seconds = seconds, .rate = BATCH / seconds, .unit = "crops/s"});
        }
        rig.step->tape->precision = TAPE_F32;
        seconds = bench_fastest(bench, run_synthesis, &rig);
        print(bench, peer, n_threads == 1 ? "synthesis, 1 thread" : "synthesis, 2 threads", synthesis_key, seconds,
              WIDTH * HEIGHT / seconds / 1e6, "Mpx/s", 1.5);
        if (n_threads == 1)
            print_share(bench, &rig);
        close_rig(&rig);
    }
    json_decref(peer);
}
