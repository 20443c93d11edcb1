/* bench_rans.c - the entropy coder alone: symbols per second of one thread, each kernel set beside plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "codec/rans.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/bench/bench.h"

#define N (1 << 18)
#define TARGET_MSYM 50.0 /* decoded on one thread */

typedef struct Run {
    RansTables *tables;
    RansEncoder *encoder;
    const RansKernels *kernels;
    uint8_t *table;
    int16_t *value, *decoded;
    const uint8_t *data;
    size_t size;
} Run;

static void encode(void *ctx)
{
    Run *run = ctx;
    RsdError err;

    bench_must(rans_encoder_put(run->encoder, run->table, run->value, N, &err), &err);
    bench_must(rans_encoder_finish(run->encoder, NULL, &run->data, &run->size, &err), &err);
}

static void decode(void *ctx)
{
    Run *run = ctx;
    RansDecoder decoder;
    RsdError err;

    bench_must(rans_decoder_open(&decoder, run->tables, RANS_LANES, run->kernels, run->data, run->size, &err), &err);
    bench_must(rans_decoder_get(&decoder, run->table, run->decoded, N, &err), &err);
    bench_must(rans_decoder_finish(&decoder, NULL, &err), &err);
}

/* Symbols of the scales first .. first + n - 1 in random order. */
static void bench_scales(const Bench *bench, const RansTables *tables, const char *what, int first, int n)
{
    Run run = {.tables = (RansTables *)(uintptr_t)tables, .kernels = kernels_pick()->rans}, plain;
    Rng rng = rng_at(2, RNG_TEST, 0, 0);
    double ours, reference;
    char text[80];
    RsdError err;

    bench_must(mem_alloc(&run.table, N, 1, &err), &err);
    bench_must(mem_alloc(&run.value, N, sizeof *run.value, &err), &err);
    bench_must(mem_alloc(&run.decoded, N, sizeof *run.value, &err), &err);
    for (int i = 0; i < N; i++) {
        run.table[i] = (uint8_t)(first + (int)rng_below(&rng, (uint32_t)n));
        run.value[i] = (int16_t)lrint((double)rng_normal(&rng) * cdf_grid_scale(run.table[i]) / 65536.0);
    }
    plain = run;
    plain.kernels = &rans_ref;
    bench_must(rans_encoder_create(&run.encoder, tables, RANS_LANES, run.kernels, &err), &err);
    bench_must(rans_encoder_create(&plain.encoder, tables, RANS_LANES, plain.kernels, &err), &err);
    bench_fastest_two(bench, encode, &run, encode, &plain, &ours, &reference);
    snprintf(text, sizeof text, "encode, %s, %.2f bit each", what, 8.0 * (double)run.size / N);
    bench_print(bench, &(BenchFigure){.part = "rans",
                                      .what = text,
                                      .seconds = ours,
                                      .rate = N / ours * 1e-6,
                                      .unit = "Msym/s",
                                      .ratio = reference / ours,
                                      .ratio_to = "plain C"});
    bench_fastest_two(bench, decode, &run, decode, &plain, &ours, &reference);
    snprintf(text, sizeof text, "decode, %s", what);
    bench_print(bench, &(BenchFigure){.part = "rans",
                                      .what = text,
                                      .seconds = ours,
                                      .rate = N / ours * 1e-6,
                                      .unit = "Msym/s",
                                      .ratio = reference / ours,
                                      .ratio_to = "plain C"});
    snprintf(text, sizeof text, "decode, %s, against the goal", what);
    bench_print(bench, &(BenchFigure){.part = "rans",
                                      .what = text,
                                      .seconds = ours,
                                      .ratio = N / ours * 1e-6 / TARGET_MSYM,
                                      .ratio_to = "50 Msym/s",
                                      .target = 1.0});
    rans_encoder_destroy(&run.encoder);
    rans_encoder_destroy(&plain.encoder);
    mem_free(&run.table);
    mem_free(&run.value);
    mem_free(&run.decoded);
}

void bench_rans(Bench *bench)
{
    CdfTable cdf[CDF_SCALES];
    RansTables *tables;
    RsdError err;

    for (int i = 0; i < CDF_SCALES; i++)
        cdf_grid(&cdf[i], CDF_NORMAL, i);
    bench_must(rans_tables_create(&tables, cdf, CDF_SCALES, &err), &err);
    bench_heading(bench, "Entropy coder, 262144 symbols, one thread");
    bench_scales(bench, tables, "deviations 0.12 to 2", 1, 35);
    bench_scales(bench, tables, "deviations 0.12 to 20", 1, 63);
    bench_scales(bench, tables, "deviation 20", 63, 1);
    rans_tables_destroy(&tables);
}
