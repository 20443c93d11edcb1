/* bench_integer.c - layers of the integer prior: products per second of one thread, the fastest set beside plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/integer.h"
#include "tests/bench/bench.h"

typedef struct Run {
    IntegerLayer layer;
    const IntegerKernels *kernels;
    int64_t size, h, w; /* size 0: dense on h w columns */
    int8_t *weight;
    int32_t *bias;
    int16_t *mult, *x, *y;
} Run;

static void run_layer(void *ctx)
{
    Run *run = ctx;

    if (run->size > 0)
        run->kernels->depthwise(&run->layer, run->size, run->x, run->h, run->w, run->y);
    else
        run->kernels->dense(&run->layer, run->x, run->h * run->w, run->y);
}

static void bench_layer(const Bench *bench, const char *what, int64_t n_out, int64_t n_in, int64_t size)
{
    Run run = {.kernels = kernels_pick()->integer, .size = size, .h = 16, .w = 32}, plain;
    int64_t n_x = (size > 0 ? n_out : n_in) * run.h * run.w;
    double macs = (double)(n_out * n_in * run.h * run.w), ours, reference;
    Rng rng = rng_at(3, RNG_TEST, 0, 0);
    RsdError err;

    bench_must(mem_alloc(&run.weight, (size_t)(n_out * n_in), 1, &err), &err);
    bench_must(mem_calloc(&run.bias, (size_t)n_out, sizeof *run.bias, &err), &err);
    bench_must(mem_alloc(&run.mult, (size_t)n_out, sizeof *run.mult, &err), &err);
    bench_must(mem_alloc(&run.x, (size_t)n_x, sizeof *run.x, &err), &err);
    bench_must(mem_alloc(&run.y, (size_t)(n_out * run.h * run.w), sizeof *run.y, &err), &err);
    for (int64_t i = 0; i < n_out * n_in; i++)
        run.weight[i] = (int8_t)((int)rng_below(&rng, 255) - 127);
    for (int64_t i = 0; i < n_out; i++)
        run.mult[i] = INTEGER_MULT_MIN;
    for (int64_t i = 0; i < n_x; i++)
        run.x[i] = (int16_t)((int)rng_below(&rng, 401) - 200);
    run.layer = (IntegerLayer){.n_out = n_out,
                               .n_in = n_in,
                               .weight = run.weight,
                               .bias = run.bias,
                               .mult = run.mult,
                               .shift = 24,
                               .low = -INTEGER_MAX};
    plain = run;
    plain.kernels = &integer_ref;
    bench_fastest_two(bench, run_layer, &run, run_layer, &plain, &ours, &reference);
    bench_print(bench, &(BenchFigure){.part = "integer",
                                      .what = what,
                                      .seconds = ours,
                                      .rate = macs / ours * 1e-9,
                                      .unit = "GMAC/s",
                                      .ratio = reference / ours,
                                      .ratio_to = "plain C"});
    mem_free(&run.weight);
    mem_free(&run.bias);
    mem_free(&run.mult);
    mem_free(&run.x);
    mem_free(&run.y);
}

void bench_integer(Bench *bench)
{
    bench_heading(bench, "Integer layers on 512 positions, one thread");
    bench_layer(bench, "dense 384 -> 384", 384, 384, 0);
    bench_layer(bench, "dense 320 -> 384", 384, 320, 0);
    bench_layer(bench, "dense 96 -> 192", 192, 96, 0);
    bench_layer(bench, "depthwise 5 x 5, 128 channels", 128, 25, 5);
    bench_layer(bench, "depthwise 3 x 3, 192 channels", 192, 9, 3);
}
