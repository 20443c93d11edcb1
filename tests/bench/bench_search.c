/* bench_search.c - codebook search beside the product of OpenBLAS that gives the scores alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/mem.h"
#include "engine/kernels/search.h"
#include "tests/bench/bench.h"

typedef struct Run {
    SearchBook book;
    float *e, *r;
    uint16_t *index;
    int64_t n;
    const SearchKernels *kernels;
} Run;

static void run_search(void *ctx)
{
    Run *run = ctx;

    run->kernels->nearest(&run->book, run->r, run->n, run->n, run->index);
}

void bench_search(Bench *bench)
{
    const int64_t frames[] = {1, 50, 640};

    bench_heading(bench, "Nearest of 1024 codes of dimension 64, one thread, beside OpenBLAS sgemm");
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        const char *const what[] = {"1 frame", "50 frames", "640 frames"};
        Run run = {.book = {.n_codes = 1024, .dim = 64}, .n = frames[i], .kernels = bench->tape->kernels->search};
        BenchProduct product;
        double ours, blas;
        RsdError err;

        bench_must(mem_alloc(&run.book.packed, search_packed_count(1024, 64), sizeof(float), &err), &err);
        bench_must(mem_alloc(&run.e, 1024 * 64, sizeof(float), &err), &err);
        bench_must(mem_alloc(&run.r, (size_t)(64 * run.n), sizeof(float), &err), &err);
        bench_must(mem_alloc(&run.index, (size_t)run.n, sizeof *run.index, &err), &err);
        bench_fill(run.e, 1024 * 64, 1);
        bench_fill(run.r, 64 * run.n, 2);
        search_pack(&run.book, run.e);
        bench_product_init(&product, 1024, run.n, 64, false);
        bench_fastest_two(bench, run_search, &run, bench_product_run, &product, &ours, &blas);
        bench_print(bench, &(BenchFigure){.part = "search",
                                          .what = what[i],
                                          .seconds = ours,
                                          .rate = 2.0 * 1024 * 64 * (double)run.n / ours * 1e-9,
                                          .unit = "GFLOP/s",
                                          .ratio = blas / ours,
                                          .ratio_to = "sgemm"});
        bench_product_clear(&product);
        mem_free(&run.book.packed);
        mem_free(&run.e);
        mem_free(&run.r);
        mem_free(&run.index);
    }
}
