/* bench_image.c - image losses at 4 Mpx, value and value with gradient, on one thread, beside the same formulas in PyTorch
 * (tests/peers/image_losses.py). Times are the least processor time of N_RUNS, which other work on the machine does not lengthen.
 *
 * A picture of 4 Mpx takes PyTorch up to a minute, so it gets one of PEER_SIDE squared and its time is multiplied: work grows with the
 * pixels, and what is gained in the caches is PyTorch's gain. LPIPS looks through SqueezeNet 1.1, whose published weights lie in
 * ../shared; without them its figures are left out.
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
#define PEER_SIDE 1024
#define TARGET 3.0
#define N_RUNS 3

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

static void time_loss(const Bench *bench, ImageRun *run, const char *name, const json_t *peer)
{
    const Bench short_bench = {.seconds = 0.0, .n_runs = N_RUNS};

    for (int gradient = 0; gradient < 2; gradient++) {
        BenchFigure figure = {.part = "image", .unit = "Mpx/s"};
        char what[64], key[64];
        double peer_s;

        run->gradient = gradient == 1;
        run_loss(run); /* the arena takes its memory */
        figure.seconds = bench_time(&short_bench, run_loss, run).cpu_s;
        snprintf(what, sizeof what, "%s, %s", name, gradient ? "value and gradient" : "value");
        snprintf(key, sizeof key, "%s_%s_s_1", name, gradient ? "gradient" : "value");
        figure.what = what;
        figure.rate = 1e-6 * SIDE * SIDE / figure.seconds;
        figure.memory_bytes = arena_peak_size(run->tape->arena);
        peer_s = json_number_value(json_object_get(peer, key)) * SIDE * SIDE / (PEER_SIDE * PEER_SIDE);
        if (peer_s > 0.0) {
            figure.ratio = peer_s / figure.seconds;
            figure.ratio_to = "PyTorch";
            figure.target = TARGET;
        }
        bench_print(bench, &figure);
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
    RsdError err;

    bench_heading(bench, "Image losses, 4 Mpx, one thread, beside PyTorch");
    peer = bench_peer(bench, "image_losses.py --height %d --width %d --threads 1 --repeat %d --only %s", PEER_SIDE, PEER_SIDE, N_RUNS,
                      nets ? "ms_ssim,gmsd,ssimulacra2,lpips_squeeze" : "ms_ssim,gmsd,ssimulacra2");
    bench_must(tensor_create(&run.ref, 4, shape, &err), &err);
    bench_must(tensor_create(&run.dist, 4, shape, &err), &err);
    bench_fill(run.ref->data, tensor_count(run.ref), 1);
    bench_fill(run.dist->data, tensor_count(run.dist), 2);
    for (int64_t i = 0; i < tensor_count(run.ref); i++) {
        run.ref->data[i] = 0.5f + 0.5f * run.ref->data[i];
        run.dist->data[i] = run.ref->data[i] + 0.05f * run.dist->data[i];
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (image_nets_check(nets, image_loss_find(names[i])->needs, &err) != RSD_OK) {
            fprintf(stderr, "bench: %s: %s\n", names[i], err.text);
            continue;
        }
        bench_must(tape_create(&run.tape, bench->threads, 0, &err), &err);
        bench_must(image_loss_create(&run.loss, names[i], nets, &err), &err);
        time_loss(bench, &run, names[i], peer);
        image_loss_destroy(&run.loss);
        tape_destroy(&run.tape);
    }
    tensor_destroy(&run.ref);
    tensor_destroy(&run.dist);
    image_nets_destroy(&nets);
    json_decref(peer);
}
