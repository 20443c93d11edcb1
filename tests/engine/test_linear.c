/* test_linear.c - linear layers and products of matrices.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "conv_bench.h"
#include "engine/kernels/kernels.h"
#include "engine/ops/linear.h"

Test(linear, equals_a_convolution_with_one_tap)
{
    ConvCase c = {.has_bias = true, .batch = 3, .c_in = 13, .c_out = 10, .n = 77, .k = 1};
    Rng rng = rng_at(conv_seed(), RNG_TEST, 9, 0);
    Tensor *y;
    ConvBench bench;

    conv_bench_open(&bench, kernels_pick()->name, 2);
    conv_make_tensors(&bench, &c, &rng);
    cr_assert_eq(conv_run_op(&bench, &c), RSD_OK);
    cr_assert_eq(op_linear(bench.tape, bench.x, bench.w, bench.b, &y, NULL), RSD_OK);
    conv_assert_same_bits(y->data, bench.y->data, tensor_count(y), "linear", &c);
    conv_bench_close(&bench);
}

Test(matmul, value_and_gradients_match_the_definition)
{
    for (size_t s = 0; s < CONV_N_SETS; s++) {
        enum { M = 2 * 71, K = 19, N = 33 };
        Rng rng = rng_at(conv_seed(), RNG_TEST, 10, 0);
        Tensor *r, *y;
        ConvBench bench;

        if (!kernels_named(conv_set_names[s]))
            continue;
        conv_bench_open(&bench, conv_set_names[s], 2);
        bench.x = conv_random_tensor(&rng, 3, (int64_t[]){2, M / 2, K}, 1.0f);
        bench.w = conv_random_tensor(&rng, 2, (int64_t[]){K, N}, 1.0f);
        r = conv_random_tensor(&rng, 3, (int64_t[]){2, M / 2, N}, 1.0f);
        bench.tape->recording = true;
        cr_assert_eq(op_matmul(bench.tape, bench.x, bench.w, &y, NULL), RSD_OK);
        cr_assert_eq(tape_backward_from(bench.tape, y, r->data, NULL), RSD_OK);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) {
                double sum = 0.0;

                for (int l = 0; l < K; l++)
                    sum += (double)bench.x->data[i * K + l] * (double)bench.w->data[l * N + j];
                cr_assert_float_eq((double)y->data[i * N + j], sum, 1e-4, "%s y[%d, %d]", conv_set_names[s], i, j);
            }
        for (int i = 0; i < M; i++)
            for (int l = 0; l < K; l++) {
                double sum = 0.0;

                for (int j = 0; j < N; j++)
                    sum += (double)r->data[i * N + j] * (double)bench.w->data[l * N + j];
                cr_assert_float_eq((double)bench.x->grad[i * K + l], sum, 1e-4, "%s da[%d, %d]", conv_set_names[s], i, l);
            }
        for (int l = 0; l < K; l++)
            for (int j = 0; j < N; j++) {
                double sum = 0.0;

                for (int i = 0; i < M; i++)
                    sum += (double)bench.x->data[i * K + l] * (double)r->data[i * N + j];
                cr_assert_float_eq((double)bench.w->grad[l * N + j], sum, 2e-4, "%s db[%d, %d]", conv_set_names[s], l, j);
            }
        tensor_destroy(&r);
        conv_bench_close(&bench);
    }
}
