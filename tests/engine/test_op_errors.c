/* test_op_errors.c - ops asked for the impossible: a status, a sentence with the shapes, nothing recorded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/distance.h"
#include "engine/ops/norm.h"
#include "engine/ops/pad.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "engine/ops/weight_norm.h"

static RsdThreads *threads;
static Tape *tape;
static RsdError err;

static void open_tape(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    tape->recording = true;
}

static void close_tape(void)
{
    cr_assert(tape->last == NULL, "a refused call must not be recorded");
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(op_errors, .init = open_tape, .fini = close_tape);

static Tensor *tensor_of(int n_dims, const int64_t *shape)
{
    Tensor *x;

    ASSERT_OK(tape_tensor(tape, &x, n_dims, shape, &err), err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = 1.0f;
    x->needs_grad = true;
    return x;
}

#define T(n, ...) tensor_of(n, (int64_t[]){__VA_ARGS__})

Test(op_errors, shapes_that_cannot_be_combined)
{
    Tensor *y;

    ASSERT_FAILS(op_add(tape, T(3, 2, 3, 4), T(3, 2, 3, 5), &y, &err), RSD_ERR_ARG, err, "[2, 3, 4] with [2, 3, 5]");
    ASSERT_FAILS(op_mul(tape, T(3, 2, 3, 4), T(1, 4), &y, &err), RSD_ERR_ARG, err, "per channel");
    ASSERT_FAILS(op_mul(tape, T(3, 2, 1, 4), T(3, 2, 3, 4), &y, &err), RSD_ERR_ARG, err, "cannot combine");
    ASSERT_FAILS(op_sub(tape, T(3, 2, 3, 4), T(2, 3, 4), &y, &err), RSD_ERR_ARG, err, "cannot combine");
    ASSERT_FAILS(op_l1(tape, T(2, 2, 3), T(2, 3, 2), NULL, &y, &err), RSD_ERR_ARG, err, "[2, 3] and [3, 2]");
    ASSERT_FAILS(op_mse(tape, T(2, 2, 3), T(2, 2, 3), T(1, 6), &y, &err), RSD_ERR_ARG, err, "weights");
    ASSERT_FAILS(op_snake(tape, T(3, 2, 3, 4), T(1, 4), &y, &err), RSD_ERR_ARG, err, "[2, 3, 4]");
    ASSERT_FAILS(op_snake(tape, T(1, 3), T(1, 3), &y, &err), RSD_ERR_ARG, err, "alpha");
    ASSERT_FAILS(op_weight_norm(tape, T(3, 4, 2, 3), T(1, 2), &y, &err), RSD_ERR_ARG, err, "[4, 2, 3]");
    ASSERT_FAILS(op_layer_norm(tape, T(3, 2, 3, 4), T(1, 3), NULL, 1e-5f, &y, &err), RSD_ERR_ARG, err, "gamma");
    ASSERT_FAILS(op_layer_norm(tape, T(1, 3), NULL, NULL, 1e-5f, &y, &err), RSD_ERR_ARG, err, "[3]");
    ASSERT_FAILS(op_group_norm(tape, T(3, 2, 6, 4), 4, NULL, NULL, 1e-5f, &y, &err), RSD_ERR_ARG, err, "4 groups");
    ASSERT_FAILS(op_group_norm(tape, T(3, 2, 6, 4), 0, NULL, NULL, 1e-5f, &y, &err), RSD_ERR_ARG, err, "0 groups");
}

Test(op_errors, axes_and_ranges_that_do_not_exist)
{
    Tensor *y;

    ASSERT_FAILS(op_sum_axis(tape, T(2, 3, 4), 2, &y, &err), RSD_ERR_ARG, err, "axis 2");
    ASSERT_FAILS(op_softmax(tape, T(2, 3, 4), -3, &y, &err), RSD_ERR_ARG, err, "axis -3");
    ASSERT_FAILS(op_slice(tape, T(2, 3, 4), 1, 2, 3, &y, &err), RSD_ERR_ARG, err, "3 elements from 2");
    ASSERT_FAILS(op_slice(tape, T(2, 3, 4), 1, -1, 2, &y, &err), RSD_ERR_ARG, err, "cannot take");
    ASSERT_FAILS(op_slice(tape, T(2, 3, 4), 1, 1, INT64_MAX, &y, &err), RSD_ERR_ARG, err, "cannot take");
    ASSERT_FAILS(op_transpose(tape, T(1, 3), &y, &err), RSD_ERR_ARG, err, "[3]");
    ASSERT_FAILS(op_reshape(tape, T(2, 3, 4), 2, (int64_t[]){5, -1}, &y, &err), RSD_ERR_ARG, err, "[3, 4] to [5, -1]");
    ASSERT_FAILS(op_reshape(tape, T(2, 3, 4), 2, (int64_t[]){-1, -1}, &y, &err), RSD_ERR_ARG, err, "cannot reshape");
    ASSERT_FAILS(op_reshape(tape, T(2, 3, 4), 3, (int64_t[]){-2, -3, 2}, &y, &err), RSD_ERR_ARG, err, "cannot reshape");
    ASSERT_FAILS(op_reshape(tape, T(2, 3, 4), 6, (int64_t[]){1, 1, 1, 1, 3, 4}, &y, &err), RSD_ERR_ARG, err, "6 axes");
    ASSERT_FAILS(op_concat(tape, 0, NULL, 0, &y, &err), RSD_ERR_ARG, err, "nothing");
    ASSERT_FAILS(op_concat(tape, 2, (Tensor *[]){T(2, 3, 4), T(2, 2, 5)}, 0, &y, &err), RSD_ERR_ARG, err, "[2, 5] behind [3, 4]");
    ASSERT_FAILS(op_pad(tape, T(2, 3, 4), 4, 0, PAD_REFLECT, &y, &err), RSD_ERR_ARG, err, "too short to reflect");
    ASSERT_FAILS(op_pad(tape, T(2, 3, 4), -1, 0, PAD_ZERO, &y, &err), RSD_ERR_ARG, err, "cannot pad");
    ASSERT_FAILS(op_pad(tape, T(2, 3, 4), INT64_MAX, 0, PAD_ZERO, &y, &err), RSD_ERR_ARG, err, "cannot pad");
}

Test(op_errors, means_of_nothing)
{
    Tensor *y;

    ASSERT_FAILS(op_mean(tape, T(2, 0, 4), &y, &err), RSD_ERR_ARG, err, "no elements");
    ASSERT_FAILS(op_mean_axis(tape, T(2, 0, 4), 0, &y, &err), RSD_ERR_ARG, err, "no elements");
    ASSERT_FAILS(op_l1(tape, T(1, 0), T(1, 0), NULL, &y, &err), RSD_ERR_ARG, err, "[0] and [0]");
    ASSERT_FAILS(op_pad(tape, T(2, 3, 0), 1, 0, PAD_REPLICATE, &y, &err), RSD_ERR_ARG, err, "too short to replicate");
}

Test(op_errors, empty_tensors_pass_through)
{
    Tensor *y;

    tape->recording = false;
    ASSERT_OK(op_elu(tape, T(3, 2, 3, 0), &y, &err), err);
    ASSERT_OK(op_add(tape, T(3, 2, 3, 0), T(1, 3), &y, &err), err);
    ASSERT_OK(op_sum(tape, T(2, 0, 3), &y, &err), err);
    cr_assert(y->data[0] == 0.0f);
    ASSERT_OK(op_transpose(tape, T(3, 2, 3, 0), &y, &err), err);
    ASSERT_OK(op_layer_norm(tape, T(3, 2, 3, 0), NULL, NULL, 1e-5f, &y, &err), err);
    ASSERT_OK(op_group_norm(tape, T(3, 2, 3, 0), 1, NULL, NULL, 1e-5f, &y, &err), err);
    ASSERT_OK(op_softmax(tape, T(3, 2, 3, 0), 1, &y, &err), err);
    ASSERT_OK(op_pad(tape, T(2, 3, 0), 1, 2, PAD_ZERO, &y, &err), err);
    cr_assert(tensor_count(y) == 9 && y->data[8] == 0.0f);
    ASSERT_OK(op_reshape(tape, T(2, 0, 4), 2, (int64_t[]){4, -1}, &y, &err), err);
    cr_assert(y->shape[1] == 0);
}
