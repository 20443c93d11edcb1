/* rows_conv.c - rows of convolutions, transposed convolutions, linear layers and matrix products.
 *
 * Random shapes and every padding rule are in test_conv1d.c; here are the kinds of layer that networks have, so that they
 * pass through everything the table checks (gradients that add up, replay, failing memory) and are timed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/conv1d.h"
#include "engine/ops/linear.h"
#include "tests/engine/conv_oracle.h"
#include "tests/engine/op_table.h"

/* --- convolutions: x, w and maybe b ------------------------------------------------------------------------------------- */

typedef struct ConvCall {
    bool transposed;
    Conv1dParams p;
} ConvCall;

static RsdStatus apply_conv(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    const ConvCall *call = row->attributes;

    return (call->transposed ? op_conv_transpose1d : op_conv1d)(tape, in[0], in[1], row->n_inputs > 2 ? in[2] : NULL,
                                                                &call->p, y, err);
}

static void conv_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const ConvCall *call = row->attributes;
    const int groups = call->p.groups ? call->p.groups : 1;
    const ConvCase c = {.transposed = call->transposed, .has_bias = row->n_inputs > 2, .batch = in[0].shape[0],
                        .c_in = in[0].shape[1], .n = in[0].shape[2], .k = in[1].shape[2], .p = call->p,
                        .c_out = call->transposed ? in[1].shape[1] * groups : in[1].shape[0]};
    double *out = op_array_shape(y, 3, (int64_t[]){c.batch, c.c_out, oracle_out_len(&c)});

    oracle_run(&c, in[0].data, in[1].data, c.has_bias ? in[2].data : NULL, out);
}

/* Layers as convolution networks use them: the rest is Conv1dParams. */
#define X(...) {3, __VA_ARGS__, -2, 2, false}
#define W(...) {3, __VA_ARGS__, -0.5f, 0.5f, false}
#define B(...) {1, __VA_ARGS__, -1, 1, false}
#define CONV(label, n, is_transposed, inputs, ...)                                                                     \
    {.name = label, .n_inputs = n, .in = {UNPACK inputs}, .apply = apply_conv, .reference = conv_in_double,            \
     .attributes = &(const ConvCall){.transposed = is_transposed, .p = {__VA_ARGS__}}, .value_tolerance = 1e-6,        \
     .gradient_tolerance = 4e-6}
#define UNPACK(...) __VA_ARGS__

/* --- linear and matrix product --------------------------------------------------------------------------------------------- */

static RsdStatus apply_linear(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    return op_linear(tape, in[0], in[1], row->n_inputs > 2 ? in[2] : NULL, y, err);
}

static void linear_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t batch = in[0].shape[0], c_in = in[0].shape[1], n = in[0].shape[2], c_out = in[1].shape[0];
    double *out = op_array_shape(y, 3, (int64_t[]){batch, c_out, n});

    for (int64_t i = 0; i < y->count; i++) {
        const int64_t item = i / (c_out * n), channel = i / n % c_out, t = i % n;

        out[i] = row->n_inputs > 2 ? in[2].data[channel] : 0;
        for (int64_t k = 0; k < c_in; k++)
            out[i] += in[1].data[channel * c_in + k] * in[0].data[(item * c_in + k) * n + t];
    }
}

static RsdStatus apply_matmul(Tape *tape, const OpRow *row, Tensor *const *in, Tensor **y, RsdError *err)
{
    (void)row;
    return op_matmul(tape, in[0], in[1], y, err);
}

static void matmul_in_double(const OpRow *row, const OpArray *in, OpArray *y)
{
    const int64_t m = in[0].shape[1], k = in[0].shape[2], n = in[1].shape[1];
    double *out = op_array_shape(y, 3, (int64_t[]){in[0].shape[0], m, n});

    (void)row;
    for (int64_t i = 0; i < y->count; i++)
        for (int64_t j = 0; j < k; j++)
            out[i] += in[0].data[i / n * k + j] * in[1].data[j * n + i % n];
}

const OpRow op_rows_conv[] = {
    CONV("conv1d, causal, kernel 7", 3, false, (X({2, 2, 19}, {8, 16, 8000}), W({3, 2, 7}, {16, 16, 7}), B({3}, {16})),
         .rule = PAD_CAUSAL),
    CONV("conv1d, causal, stride 4", 3, false, (X({2, 3, 21}, {8, 32, 8000}), W({5, 3, 8}, {64, 32, 8}), B({5}, {64})),
         .rule = PAD_CAUSAL, .stride = 4),
    CONV("conv1d, dilation 2 of ELU", 3, false, (X({2, 6, 17}, {8, 64, 2000}), W({3, 6, 3}, {32, 64, 3}), B({3}, {32})),
         .rule = PAD_CAUSAL, .dilation = 2, .activation = INPUT_ELU),
    CONV("conv1d, same, reflected, no bias", 2, false, (X({2, 3, 13}, {8, 32, 4000}), W({4, 3, 5}, {32, 32, 5})),
         .rule = PAD_SAME, .mode = PAD_REFLECT),
    CONV("conv1d, explicit, replicated, stride 2", 3, false, (X({1, 3, 14}, {0}), W({2, 3, 4}, {0}), B({2}, {0})),
         .rule = PAD_EXPLICIT, .mode = PAD_REPLICATE, .pad_left = 2, .pad_right = 3, .stride = 2),
    CONV("conv1d, two groups", 3, false, (X({2, 6, 15}, {8, 64, 4000}), W({4, 3, 3}, {64, 32, 3}), B({4}, {64})),
         .rule = PAD_SAME, .groups = 2),
    CONV("conv1d, depthwise", 3, false, (X({2, 5, 31}, {8, 5, 16000}), W({5, 1, 7}, {5, 1, 7}), B({5}, {5})),
         .rule = PAD_CAUSAL, .groups = 5),
    CONV("conv1d, pointwise of ELU", 3, false, (X({2, 5, 31}, {8, 64, 4000}), W({7, 5, 1}, {64, 64, 1}), B({7}, {64})),
         .rule = PAD_CAUSAL, .activation = INPUT_ELU),
    CONV("conv1d, valid", 3, false, (X({1, 2, 9}, {0}), W({2, 2, 9}, {0}), B({2}, {0})), .rule = PAD_NONE),
    CONV("transposed, causal, stride 4 of ELU", 3, true, (X({2, 5, 7}, {8, 64, 500}), W({5, 3, 8}, {64, 32, 8}), B({3}, {32})),
         .rule = PAD_CAUSAL, .stride = 4, .trim_right_ratio = 1, .activation = INPUT_ELU),
    CONV("transposed, same, odd stride, no bias", 2, true, (X({2, 4, 6}, {8, 64, 500}), W({4, 3, 10}, {64, 32, 10})),
         .rule = PAD_SAME, .stride = 5),
    CONV("transposed, explicit, output padding", 3, true, (X({1, 3, 6}, {0}), W({3, 2, 6}, {0}), B({2}, {0})),
         .rule = PAD_EXPLICIT, .stride = 3, .pad_left = 2, .pad_right = 1, .output_pad = 1),
    CONV("transposed, two groups, dilation 2", 3, true, (X({2, 4, 7}, {0}), W({4, 2, 3}, {0}), B({4}, {0})),
         .rule = PAD_NONE, .groups = 2, .stride = 2, .dilation = 2),

    {.name = "linear", .n_inputs = 3, .apply = apply_linear, .reference = linear_in_double,
     .in = {X({2, 5, 23}, {8, 128, 500}), {2, {7, 5}, {128, 128}, -0.5f, 0.5f, false}, B({7}, {128})},
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-6},
    {.name = "linear, no bias", .n_inputs = 2, .apply = apply_linear, .reference = linear_in_double,
     .in = {X({3, 4, 9}, {0}), W({6, 4, 1}, {0})}, .value_tolerance = 1e-6, .gradient_tolerance = 4e-6},
    {.name = "matmul", .n_inputs = 2, .apply = apply_matmul, .reference = matmul_in_double,
     .in = {X({2, 5, 7}, {8, 500, 128}), {2, {7, 11}, {128, 128}, -0.5f, 0.5f, false}},
     .value_tolerance = 1e-6, .gradient_tolerance = 4e-6},
    {.name = NULL},
};
