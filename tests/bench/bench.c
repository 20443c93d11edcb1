/* bench.c - timing, comparison, printing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/bench/bench.h"

#include <cblas.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/gemm.h"

#define RUNS_MIN 3
#define PATIENCE 10 /* by the clock, for runs that get little processor time */
#define PEAK_SIDE 384 /* fast in either library, and short enough not to be interrupted */

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double time_once(BenchRun run, void *ctx)
{
    double start = bench_now();

    run(ctx);
    return bench_now() - start;
}

void bench_fastest_two(const Bench *bench, BenchRun a, void *a_ctx, BenchRun b, void *b_ctx, double *a_s, double *b_s)
{
    double end = bench_now() + bench->seconds;

    *a_s = *b_s = 1e30;
    for (int i = 0; i < RUNS_MIN || bench_now() < end; i++) {
        double a_time = time_once(a, a_ctx), b_time = b ? time_once(b, b_ctx) : 0.0;

        if (a_time < *a_s)
            *a_s = a_time;
        if (b_time < *b_s)
            *b_s = b_time;
    }
}

double bench_fastest(const Bench *bench, BenchRun run, void *ctx)
{
    double best, none;

    bench_fastest_two(bench, run, ctx, NULL, NULL, &best, &none);
    return best;
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

BenchTime bench_time(const Bench *bench, BenchRun run, void *ctx)
{
    double end = bench_now() + PATIENCE * bench->seconds, spent = 0.0;
    BenchTime best = {1e30, 1e30};
    const int least = bench->n_runs ? bench->n_runs : RUNS_MIN;

    for (int i = 0; i < least || (spent < bench->seconds && bench_now() < end); i++) {
        double clock_s = bench_now(), cpu_s = cpu_now();

        run(ctx);
        cpu_s = cpu_now() - cpu_s;
        clock_s = bench_now() - clock_s;
        spent += cpu_s;
        if (clock_s < best.clock_s)
            best.clock_s = clock_s;
        if (cpu_s < best.cpu_s)
            best.cpu_s = cpu_s;
    }
    return best;
}

void bench_product_init(BenchProduct *p, int64_t m, int64_t n, int64_t k, bool transpose_b)
{
    RsdError err;

    *p = (BenchProduct){.m = m, .n = n, .k = k, .transpose_b = transpose_b};
    bench_must(mem_alloc(&p->a, (size_t)(m * k), sizeof(float), &err), &err);
    bench_must(mem_alloc(&p->b, (size_t)(k * n), sizeof(float), &err), &err);
    bench_must(mem_calloc(&p->c, (size_t)(m * n), sizeof(float), &err), &err);
    bench_fill(p->a, m * k, 1);
    bench_fill(p->b, k * n, 2);
    openblas_set_num_threads(1);
}

void bench_product_clear(BenchProduct *p)
{
    mem_free(&p->a);
    mem_free(&p->b);
    mem_free(&p->c);
}

void bench_product_run(void *ctx)
{
    const BenchProduct *p = ctx;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, p->transpose_b ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n,
                (blasint)p->k, 1.0f, p->a, (blasint)p->k, p->b, (blasint)(p->transpose_b ? p->k : p->n), 0.0f, p->c,
                (blasint)p->n);
}

static void run_own_product(void *ctx)
{
    const BenchProduct *p = ctx;

    kernels_pick()->gemm->product(&(GemmJob){.m = p->m, .n = p->n, .k = p->k, .a = p->a, .lda = p->k, .b = p->b, .ldb = p->n,
                                             .c = p->c, .ldc = p->n});
}

double bench_product_peak(const Bench *bench)
{
    BenchProduct product;
    double blas_s, own_s;

    bench_product_init(&product, PEAK_SIDE, PEAK_SIDE, PEAK_SIDE, false);
    bench_product_run(&product); /* starts OpenBLAS and touches the memory */
    blas_s = bench_time(bench, bench_product_run, &product).cpu_s;
    own_s = bench_time(bench, run_own_product, &product).cpu_s;
    bench_product_clear(&product);
    return (double)PEAK_SIDE * PEAK_SIDE * PEAK_SIDE / (blas_s < own_s ? blas_s : own_s);
}

static void print_json(const BenchFigure *f)
{
    printf("{\"part\":\"%s\",\"what\":\"%s\",\"seconds\":%.6g", f->part, f->what, f->seconds);
    if (f->unit)
        printf(",\"rate\":%.6g,\"unit\":\"%s\"", f->rate, f->unit);
    if (f->ratio_to)
        printf(",\"ratio\":%.4g,\"ratio_to\":\"%s\"", f->ratio, f->ratio_to);
    if (f->target > 0.0)
        printf(",\"target\":%.4g,\"reached\":%s", f->target, f->ratio >= f->target ? "true" : "false");
    if (f->memory_bytes > 0)
        printf(",\"memory_bytes\":%zu", f->memory_bytes);
    printf("}\n");
}

void bench_print(const Bench *bench, const BenchFigure *f)
{
    if (bench->json) {
        print_json(f);
    } else {
        printf("  %-52s %10.3f ms", f->what, f->seconds * 1e3);
        if (f->unit)
            printf(" %9.1f %-8s", f->rate, f->unit);
        if (f->ratio_to)
            printf(" %6.2f x %s", f->ratio, f->ratio_to);
        if (f->target > 0.0)
            printf("%s (target %.2f)", f->ratio >= f->target ? "" : " BELOW", f->target);
        if (f->memory_bytes > 0)
            printf("  %.0f MiB", (double)f->memory_bytes / 1048576.0);
        printf("\n");
    }
    fflush(stdout);
}

void bench_heading(const Bench *bench, const char *text)
{
    if (!bench->json)
        printf("\n%s\n", text);
}

void bench_must(RsdStatus status, const RsdError *err)
{
    if (status == RSD_OK)
        return;
    fprintf(stderr, "bench: %s: %s\n", rsd_status_name(status), err->text);
    exit(1);
}

void bench_fill(float *x, int64_t n, uint32_t seed)
{
    Rng rng = rng_at(5, RNG_TEST, 0, seed);

    for (int64_t i = 0; i < n; i++)
        x[i] = rng_between(&rng, -1.0f, 1.0f);
}

json_t *bench_peer(const Bench *bench, const char *format, ...)
{
    const char *source = getenv("RESIDUA_SOURCE"), *python = getenv("RESIDUA_PYTHON");
    char command[4096], arguments[2048];
    json_t *result = NULL;
    va_list list;
    FILE *pipe;

    if (!bench->peer)
        return NULL;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "'%s' '%s/tests/peers/'%s 2>/dev/null", python ? python : "/usr/bin/python3", source ? source : ".",
             arguments);
    pipe = popen(command, "r");
    if (pipe) {
        result = json_loadf(pipe, 0, NULL);
        pclose(pipe);
    }
    if (!result)
        fprintf(stderr, "bench: PyTorch does not run here (Debian package python3-torch); its figures are left out\n");
    return result;
}
