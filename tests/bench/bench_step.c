/* bench_step.c - a training step of speech16 beside the same step in PyTorch (tests/peers/train_step.py).
 *
 * Both run encoder, quantiser with 12 stages, decoder, L1 and commitment losses, backward and Adam on a batch of 16 times
 * 0.8 s. PyTorch's threads are ours; where it is not installed its figures are left out, and the note says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "models/audio_codec.h"
#include "tests/bench/bench.h"

#define BATCH 16
#define N_SAMPLES 12800

typedef struct Step {
    RsdThreads *threads;
    Tape *tape;
    AudioCodec *codec;
    float *signal, **m, **v;
    uint64_t number;
} Step;

static void open_step(Step *step, int n_threads)
{
    AudioCodecConfig cfg;
    ParamSet *params;
    RsdError err;

    *step = (Step){.number = 0};
    audio_codec_default_config(&cfg);
    bench_must(rsd_threads_create(&step->threads, n_threads, &err), &err);
    bench_must(tape_create(&step->tape, step->threads, 0, &err), &err);
    bench_must(audio_codec_create(&step->codec, &cfg, 1, &err), &err);
    params = step->codec->params;
    bench_must(mem_alloc(&step->signal, BATCH * N_SAMPLES, sizeof(float), &err), &err);
    bench_fill(step->signal, BATCH * N_SAMPLES, 1);
    bench_must(mem_calloc(&step->m, params->n_items, sizeof *step->m, &err), &err);
    bench_must(mem_calloc(&step->v, params->n_items, sizeof *step->v, &err), &err);
    for (size_t i = 0; i < params->n_items; i++) {
        size_t count = (size_t)tensor_count(params->items[i].tensor);

        bench_must(mem_calloc(&step->m[i], count, sizeof(float), &err), &err);
        bench_must(mem_calloc(&step->v[i], count, sizeof(float), &err), &err);
    }
}

static void close_step(Step *step)
{
    for (size_t i = 0; i < step->codec->params->n_items; i++) {
        mem_free(&step->m[i]);
        mem_free(&step->v[i]);
    }
    mem_free(&step->m);
    mem_free(&step->v);
    mem_free(&step->signal);
    audio_codec_destroy(&step->codec);
    tape_destroy(&step->tape);
    rsd_threads_destroy(&step->threads);
}

typedef struct Update {
    Step *step;
    AdamStep adam;
} Update;

static void update_param(void *ctx, int64_t i, int worker)
{
    Update *update = ctx;
    Param *param = &update->step->codec->params->items[i];

    (void)worker;
    if (param->trainable)
        update->step->tape->kernels->point->adam(param->tensor->data, update->step->m[i], update->step->v[i],
                                                 param->tensor->grad, tensor_count(param->tensor), &update->adam);
}

static void run_step(void *ctx)
{
    Step *step = ctx;
    Tape *tape = step->tape;
    Update update = {step, {.lr = 3e-4f, .beta1 = 0.5f, .beta2 = 0.9f, .eps = 1e-8f, .correct1 = 1.0f, .correct2 = 1.0f,
                            .grad_scale = 1.0f}};
    Tensor *x, *z, *zq, *y, *commitment, *loss;
    RsdError err;

    tape_reset(tape);
    tape->recording = true;
    params_zero_grad(step->codec->params);
    bench_must(tape_input(tape, &x, 3, (int64_t[]){BATCH, 1, N_SAMPLES}, step->signal, &err), &err);
    bench_must(seanet_encode(tape, step->codec->net, x, &z, &err), &err);
    bench_must(rvq_train(tape, step->codec->rvq, z, step->codec->config.rvq.n_q, 1, step->number++, false, &zq, &commitment,
                         NULL, &err),
               &err);
    bench_must(seanet_decode(tape, step->codec->net, zq, &y, &err), &err);
    bench_must(op_l1(tape, y, x, NULL, &loss, &err), &err);
    bench_must(op_add(tape, loss, commitment, &loss, &err), &err);
    bench_must(tape_backward(tape, loss, &err), &err);
    threads_for(step->threads, (int64_t)step->codec->params->n_items, update_param, &update);
}

void bench_step(Bench *bench)
{
    const double targets[] = {2.0, 2.5};
    json_t *peer;

    bench_heading(bench, "Training step of speech16, 16 x 0.8 s, beside PyTorch");
    peer = bench_peer(bench, "train_step.py --batch %d --seconds %g", BATCH, N_SAMPLES / 16000.0);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        BenchFigure figure = {.part = "step", .unit = "x real"};
        char what[64], key[32];
        Step step;

        open_step(&step, n_threads);
        run_step(&step); /* k-means of the first step is not part of a step */
        figure.seconds = bench_fastest(bench, run_step, &step);
        close_step(&step);
        snprintf(what, sizeof what, "%d thread%s", n_threads, n_threads > 1 ? "s" : "");
        snprintf(key, sizeof key, "step_s_%d", n_threads);
        figure.what = what;
        figure.rate = BATCH * N_SAMPLES / 16000.0 / figure.seconds;
        if (peer) {
            figure.ratio = json_number_value(json_object_get(peer, key)) / figure.seconds;
            figure.ratio_to = "PyTorch";
            figure.target = targets[n_threads - 1];
        }
        bench_print(bench, &figure);
    }
    json_decref(peer);
}
