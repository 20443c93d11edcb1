/* bench_conv.c - convolutions beside the products of OpenBLAS that have the same multiply-adds.
 *
 * Forward is c_out x (c_in k) x frames; backward is two such products, weight gradient and input gradient. OpenBLAS gets its
 * matrices ready made: no padding, activation, bias or unfolding, which our times include.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "engine/ops/conv1d.h"
#include "tests/bench/bench.h"

typedef struct ConvBench {
    bool transposed;
    int64_t batch, c_in, c_out, frames; /* of the coarse signal */
    int k, stride;
} ConvBench;

typedef struct Run {
    Tape *tape;
    Tensor *x, *w, *b, *y;
    Conv1dParams params;
    bool transposed;
    BenchProduct forward, weights, input;
} Run;

static void run_forward(void *ctx)
{
    Run *run = ctx;
    RsdError err;

    tape_reset(run->tape);
    bench_must((run->transposed ? op_conv_transpose1d : op_conv1d)(run->tape, run->x, run->w, run->b, &run->params, &run->y,
                                                                   &err),
               &err);
}

/* Backward alone: the node is recorded once and replayed; the gradient of y is wherever the arena put it. */
static void run_backward(void *ctx)
{
    Run *run = ctx;
    RsdError err;
    Node *node = run->tape->last;

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

static void print(const Bench *bench, const char *what, double seconds, double flops, double blas_s)
{
    bench_print(bench, &(BenchFigure){.part = "conv",
                                      .what = what,
                                      .seconds = seconds,
                                      .rate = flops / seconds * 1e-9,
                                      .unit = "GFLOP/s",
                                      .ratio = blas_s / seconds,
                                      .ratio_to = "sgemm",
                                      .target = 0.7});
}

static void bench_one(Bench *bench, const ConvBench *c)
{
    int64_t n = c->transposed ? c->frames : c->frames * c->stride, terms = c->c_in * c->k, columns = c->batch * c->frames;
    int64_t rows = c->c_out;
    double flops, ours, blas;
    char what[96];
    Run run = {.tape = bench->tape,
               .transposed = c->transposed,
               .params = {.stride = c->stride, .rule = PAD_CAUSAL, .trim_right_ratio = 1.0f, .activation = INPUT_ELU}};

    if (c->transposed) {
        terms = c->c_in;
        rows = c->c_out * c->k;
    }
    flops = 2.0 * (double)rows * (double)terms * (double)columns;
    run.x = make_tensor(3, (int64_t[]){c->batch, c->c_in, n}, 1);
    run.w = make_tensor(3, c->transposed ? (int64_t[]){c->c_in, c->c_out, c->k} : (int64_t[]){c->c_out, c->c_in, c->k}, 2);
    run.b = make_tensor(1, (int64_t[]){c->c_out}, 3);
    bench_product_init(&run.forward, rows, columns, terms, false);
    bench_product_init(&run.weights, rows, terms, columns, true);
    bench_product_init(&run.input, terms, columns, rows, false);

    bench_fastest_two(bench, run_forward, &run, bench_product_run, &run.forward, &ours, &blas);
    snprintf(what, sizeof what, "%s %lld->%lld k%d s%d, %lld x %lld frames, forward", c->transposed ? "transposed" : "conv",
             (long long)c->c_in, (long long)c->c_out, c->k, c->stride, (long long)c->batch, (long long)c->frames);
    print(bench, what, ours, flops, blas);

    bench->tape->recording = true;
    run_forward(&run);
    bench_fastest_two(bench, run_backward, &run, run_two_products, &run, &ours, &blas);
    bench->tape->recording = false;
    snprintf(what, sizeof what, "%s %lld->%lld k%d s%d, %lld x %lld frames, backward", c->transposed ? "transposed" : "conv",
             (long long)c->c_in, (long long)c->c_out, c->k, c->stride, (long long)c->batch, (long long)c->frames);
    print(bench, what, ours, 2.0 * flops, blas);

    tape_reset(bench->tape);
    bench_product_clear(&run.forward);
    bench_product_clear(&run.weights);
    bench_product_clear(&run.input);
    tensor_destroy(&run.x);
    tensor_destroy(&run.w);
    tensor_destroy(&run.b);
}

void bench_conv(Bench *bench)
{
    const ConvBench cases[] = {
        {false, 1, 64, 64, 4000, 1, 1},     {false, 1, 128, 128, 2000, 1, 1},  {false, 1, 256, 256, 1000, 1, 1},
        {false, 1, 512, 512, 500, 1, 1},    {false, 1, 64, 64, 2000, 3, 1},    {false, 16, 128, 64, 320, 3, 1},
        {false, 16, 64, 128, 320, 10, 5},   {false, 16, 128, 256, 40, 16, 8},  {false, 16, 256, 64, 40, 7, 1},
        {true, 16, 256, 128, 40, 16, 8},    {true, 16, 128, 64, 320, 10, 5},   {true, 4, 64, 64, 1600, 8, 4},
        {false, 1, 64, 64, 4000, 7, 1},
    };

    bench_heading(bench, "Convolutions, one thread, beside OpenBLAS sgemm on the same multiply-adds");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        bench_one(bench, &cases[i]);
}
