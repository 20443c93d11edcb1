/* bench_image.c - image losses at 4 Mpx, value and value with gradient, beside the same formulas in PyTorch
 * (tests/peers/image_losses.py). One run takes up to seconds, so each figure is the faster of N_RUNS, on two threads.
 *
 * LPIPS looks through SqueezeNet 1.1, whose published weights lie in ../shared; without them its figures are left out.
 * PyTorch's threads are ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "losses/image_loss.h"
#include "tests/bench/bench.h"

#define SIDE 2048
#define TARGET 3.0
#define N_RUNS 2
#define N_THREADS 2

typedef struct ImageRun {
    Tape *tape;
    ImageLoss *loss;
    Tensor *ref, *dist; /* with buffers of their own: they stay when the tape is reset */
    bool gradient;
} ImageRun;

static void run_loss(void *ctx)
{
    ImageRun *run = ctx;
    Tensor *estimate, *value;
    RsdError err;

    tape_reset(run->tape);
    run->tape->recording = run->gradient;
    bench_must(tape_leaf(run->tape, run->dist, run->gradient, &estimate, &err), &err);
    bench_must(image_loss_apply(run->tape, run->loss, estimate, run->ref, &value, &err), &err);
    if (run->gradient)
        bench_must(tape_backward(run->tape, value, &err), &err);
}

static double fastest(ImageRun *run)
{
    double best = 1e30;

    for (int i = 0; i <= N_RUNS; i++) { /* in the first the arena takes its memory */
        const double start = bench_now();

        run_loss(run);
        if (i > 0 && bench_now() - start < best)
            best = bench_now() - start;
    }
    return best;
}

static void time_loss(Bench *bench, ImageRun *run, const char *name, const json_t *peer)
{
    for (int gradient = 0; gradient < 2; gradient++) {
        BenchFigure figure = {.part = "image", .unit = "Mpx/s"};
        char what[64], key[64];
        double peer_s;

        run->gradient = gradient == 1;
        figure.seconds = fastest(run);
        snprintf(what, sizeof what, "%s, %s, %d threads", name, gradient ? "value and gradient" : "value", N_THREADS);
        snprintf(key, sizeof key, "%s_%s_s_%d", name, gradient ? "gradient" : "value", N_THREADS);
        figure.what = what;
        figure.rate = 1e-6 * SIDE * SIDE / figure.seconds;
        peer_s = json_number_value(json_object_get(peer, key));
        if (peer_s > 0.0) {
            figure.ratio = peer_s / figure.seconds;
            figure.ratio_to = "PyTorch";
            figure.target = TARGET;
        }
        bench_print(bench, &figure);
        if (!bench->json)
            printf("    memory %.0f MiB\n", (double)arena_peak_size(run->tape->arena) / 1048576.0);
    }
}

static ImageNets *open_nets(void)
{
    const char *shared = getenv("RESIDUA_SHARED");
    static const char *const files[][2] = {{"squeeze", "squeezenet1_1_f16"}, {"lpips_squeeze", "lpips_linear_v0.1"}};
    ImageNets *nets;
    RsdError err;

    bench_must(image_nets_create(&nets, &err), &err);
    for (int i = 0; i < 2; i++) {
        char path[4096];

        snprintf(path, sizeof path, "%s/weights/%s.safetensors", shared ? shared : "../shared", files[i][1]);
        if (image_nets_load(nets, files[i][0], path, &err) != RSD_OK)
            image_nets_destroy(&nets);
        if (!nets)
            break;
    }
    return nets;
}

void bench_image(Bench *bench)
{
    static const char *const names[] = {"ms_ssim", "gmsd", "ssimulacra2", "lpips_squeeze"};
    const int64_t shape[] = {1, 3, SIDE, SIDE};
    ImageNets *nets = open_nets();
    json_t *peer;
    ImageRun run = {0};
    RsdThreads *threads;
    RsdError err;

    bench_heading(bench, "Image losses, 4 Mpx, beside PyTorch");
    peer = bench_peer(bench, "image_losses.py --height %d --width %d --threads %d --repeat %d --only %s", SIDE, SIDE, N_THREADS, N_RUNS,
                      nets ? "ms_ssim,gmsd,ssimulacra2,lpips_squeeze" : "ms_ssim,gmsd,ssimulacra2");
    bench_must(tensor_create(&run.ref, 4, shape, &err), &err);
    bench_must(tensor_create(&run.dist, 4, shape, &err), &err);
    bench_fill(run.ref->data, tensor_count(run.ref), 1);
    bench_fill(run.dist->data, tensor_count(run.dist), 2);
    for (int64_t i = 0; i < tensor_count(run.ref); i++) {
        run.ref->data[i] = 0.5f + 0.5f * run.ref->data[i];
        run.dist->data[i] = run.ref->data[i] + 0.05f * run.dist->data[i];
    }
    bench_must(rsd_threads_create(&threads, N_THREADS, &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (image_nets_check(nets, image_loss_find(names[i])->needs, &err) != RSD_OK) {
            fprintf(stderr, "bench: %s: %s\n", names[i], err.text);
            continue;
        }
        bench_must(tape_create(&run.tape, threads, 0, &err), &err);
        bench_must(image_loss_create(&run.loss, names[i], nets, &err), &err);
        time_loss(bench, &run, names[i], peer);
        image_loss_destroy(&run.loss);
        tape_destroy(&run.tape);
    }
    rsd_threads_destroy(&threads);
    tensor_destroy(&run.ref);
    tensor_destroy(&run.dist);
    image_nets_destroy(&nets);
    json_decref(peer);
}
