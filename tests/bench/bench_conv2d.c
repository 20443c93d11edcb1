/* bench_conv2d.c - convolutions of pictures beside the products of OpenBLAS that have the same multiply-adds.
 *
 * As bench_conv.c: OpenBLAS gets its matrices ready made, nothing padded or unfolded. Depthwise layers have no such product;
 * they stand beside sgemm's rate all the same, because a network's time is the sum of both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "engine/ops/conv2d.h"
#include "tests/bench/bench.h"

typedef struct Case {
    const char *name;
    int64_t batch, c_in, c_out, lines, n, k_y, k_x;
    Conv2dParams p;
} Case;

typedef struct Run {
    Tape *tape;
    Tensor *x, *w, *b, *y;
    const Conv2dParams *p;
    BenchProduct forward, weights, input;
} Run;

static void run_forward(void *ctx)
{
    Run *run = ctx;
    RsdError err;

    tape_reset(run->tape);
    bench_must(op_conv2d(run->tape, run->x, run->w, run->b, run->p, &run->y, &err), &err);
}

static void run_backward(void *ctx)
{
    Run *run = ctx;
    Node *node = run->tape->last;
    RsdError err;

    run->y->grad = run->y->data;
    bench_must(node->backward(run->tape, node, &err), &err);
    run->y->grad = NULL;
}

static void run_two_products(void *ctx)
{
    Run *run = ctx;

    bench_product_run(&run->weights);
    bench_product_run(&run->input);
}

static Tensor *make_tensor(int n_dims, const int64_t *shape, uint32_t seed)
{
    Tensor *t;
    RsdError err;

    bench_must(tensor_create_param(&t, n_dims, shape, &err), &err);
    bench_fill(t->data, tensor_count(t), seed);
    return t;
}

/* blas_flops: of the product beside, which a depthwise layer has fewer of. */
static void print(const Bench *bench, const Case *c, const char *direction, double seconds, double flops, double blas_s,
                  double blas_flops)
{
    char what[96];

    snprintf(what, sizeof what, "%s %lld->%lld, %lld x %lld x %lld, %s", c->name, (long long)c->c_in, (long long)c->c_out,
             (long long)c->batch, (long long)c->lines, (long long)c->n, direction);
    bench_print(bench, &(BenchFigure){.part = "conv2d",
                                      .what = what,
                                      .seconds = seconds,
                                      .rate = flops / seconds * 1e-9,
                                      .unit = "GFLOP/s",
                                      .ratio = flops / seconds / (blas_flops / blas_s),
                                      .ratio_to = "sgemm",
                                      .target = c->p.groups > 1 ? 0.0 : 0.7});
}

static void bench_one(Bench *bench, const Case *c)
{
    const int64_t groups = c->p.groups ? c->p.groups : 1, rows = c->c_out;
    Run run = {.tape = bench->tape, .p = &c->p};
    int64_t terms = c->c_in * c->k_y * c->k_x, columns;
    double blas_flops, flops, ours, blas;

    run.x = make_tensor(4, (int64_t[]){c->batch, c->c_in, c->lines, c->n}, 1);
    run.w = make_tensor(4, (int64_t[]){c->c_out, c->c_in / groups, c->k_y, c->k_x}, 2);
    run.b = make_tensor(1, (int64_t[]){c->c_out}, 3);
    run_forward(&run);
    columns = c->batch * run.y->shape[2] * run.y->shape[3];
    if (groups > 1)
        terms = c->c_in;
    blas_flops = 2.0 * (double)rows * (double)terms * (double)columns;
    flops = 2.0 * (double)rows * (double)(c->c_in / groups * c->k_y * c->k_x) * (double)columns;
    bench_product_init(&run.forward, rows, columns, terms, false);
    bench_product_init(&run.weights, rows, terms, columns, true);
    bench_product_init(&run.input, terms, columns, rows, false);

    bench_fastest_two(bench, run_forward, &run, bench_product_run, &run.forward, &ours, &blas);
    print(bench, c, "forward", ours, flops, blas, blas_flops);
    bench->tape->recording = true;
    run_forward(&run);
    bench_fastest_two(bench, run_backward, &run, run_two_products, &run, &ours, &blas);
    bench->tape->recording = false;
    print(bench, c, "backward", ours, 2.0 * flops, blas, 2.0 * blas_flops);

    tape_reset(bench->tape);
    bench_product_clear(&run.forward);
    bench_product_clear(&run.weights);
    bench_product_clear(&run.input);
    tensor_destroy(&run.x);
    tensor_destroy(&run.w);
    tensor_destroy(&run.b);
}

void bench_conv2d(Bench *bench)
{
    const Case cases[] = {
        {"3x3", 1, 64, 64, 64, 64, 3, 3, {.pad = SIDES(1)}},
        {"3x3", 1, 128, 128, 32, 32, 3, 3, {.pad = SIDES(1)}},
        {"3x3", 4, 256, 256, 16, 16, 3, 3, {.pad = SIDES(1)}},
        {"3x3", 1, 64, 64, 32, 768, 3, 3, {.pad = SIDES(1)}},
        {"5x5", 1, 64, 64, 64, 64, 5, 5, {.pad = SIDES(2)}},
        {"1x1", 1, 128, 256, 48, 48, 1, 1, {.groups = 1}},
        {"4x4 s2", 1, 64, 128, 64, 64, 4, 4, {.pad = SIDES(1), .stride = {2, 2}}},
        {"3x9 s1,2 d2,1", 1, 32, 32, 200, 129, 3, 9, {.pad = {2, 2, 4, 4}, .stride = {1, 2}, .dilation = {2, 1}}},
        {"5x1 s3,1", 2, 128, 512, 240, 5, 5, 1, {.pad = {2, 2, 0, 0}, .stride = {3, 1}}},
        {"depthwise 5x5", 1, 64, 64, 64, 96, 5, 5, {.pad = SIDES(2), .groups = 64}},
        {"depthwise 7x7", 1, 96, 96, 64, 96, 7, 7, {.pad = SIDES(3), .groups = 96}},
    };

    bench_heading(bench, "Convolutions of pictures, one thread, beside OpenBLAS sgemm on the same multiply-adds");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        bench_one(bench, &cases[i]);
}
