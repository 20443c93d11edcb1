/* test_tape.c - the record and its replay: what the op table cannot see because it has one op per tape.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"
#include "engine/ops/shape.h"
#include "engine/tape.h"

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
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(tape, .init = open_tape, .fini = close_tape);

static Tensor *leaf(int64_t n, const float *values)
{
    Tensor *x;

    ASSERT_OK(tape_input(tape, &x, 1, &n, values, &err), err);
    x->needs_grad = true;
    return x;
}

static Tensor *param(int64_t n, const float *values)
{
    Tensor *x;

    ASSERT_OK(tensor_create_param(&x, 1, &n, &err), err);
    memcpy(x->data, values, (size_t)n * sizeof *values);
    return x;
}

#define EXPECT_VALUES(got, ...)                                                                                        \
    do {                                                                                                               \
        const float expected_[] = {__VA_ARGS__};                                                                       \
        cr_assert((got) != NULL, "%s is missing", #got);                                                               \
        ASSERT_CLOSE_F32(#got, got, expected_, sizeof expected_ / sizeof *expected_, ((Tolerance){.rel = 1e-6}));      \
    } while (0)

Test(tape, an_input_used_twice_by_one_op_gets_both_gradients)
{
    Tensor *x = leaf(3, (float[]){1, 2, 3}), *product, *sum, *loss;

    ASSERT_OK(op_mul(tape, x, x, &product, &err), err);
    ASSERT_OK(op_add(tape, product, product, &sum, &err), err);
    ASSERT_OK(op_sum(tape, sum, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    EXPECT_VALUES(x->grad, 4, 8, 12); /* d 2x^2 = 4x */
}

Test(tape, an_input_used_by_several_ops_gets_the_sum)
{
    Tensor *x = leaf(2, (float[]){1, -2}), *a, *b, *c, *loss;

    ASSERT_OK(op_square(tape, x, &a, &err), err);
    ASSERT_OK(op_scale(tape, x, 5.0f, &b, &err), err);
    ASSERT_OK(op_sub(tape, a, b, &c, &err), err);
    ASSERT_OK(op_add(tape, c, x, &c, &err), err);
    ASSERT_OK(op_sum(tape, c, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    EXPECT_VALUES(x->grad, -2, -8); /* 2x - 5 + 1 */
}

Test(tape, a_gradient_handed_on_is_not_shared_by_two_tensors)
{
    /* y = a + b hands its gradient to a without a copy; b's must then be its own, and adding to a must not change b's. */
    Tensor *a = leaf(2, (float[]){1, 2}), *b = leaf(2, (float[]){3, 4}), *extra, *y, *total, *loss;

    ASSERT_OK(op_scale(tape, a, 10.0f, &extra, &err), err);
    ASSERT_OK(op_add(tape, a, b, &y, &err), err);
    ASSERT_OK(op_add(tape, y, extra, &total, &err), err);
    ASSERT_OK(op_sum(tape, total, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    EXPECT_VALUES(a->grad, 11, 11);
    EXPECT_VALUES(b->grad, 1, 1);
    cr_assert(a->grad != b->grad);
}

Test(tape, two_backward_passes_over_one_record_add_up_and_count_each_loss_once)
{
    Tensor *x = leaf(2, (float[]){1, 2}), *h, *loss_a, *loss_b, *square;

    ASSERT_OK(op_scale(tape, x, 3.0f, &h, &err), err);
    ASSERT_OK(op_sum(tape, h, &loss_a, &err), err);
    ASSERT_OK(op_square(tape, h, &square, &err), err);
    ASSERT_OK(op_sum(tape, square, &loss_b, &err), err);
    ASSERT_OK(tape_backward(tape, loss_a, &err), err);
    EXPECT_VALUES(x->grad, 3, 3);
    ASSERT_OK(tape_backward(tape, loss_b, &err), err);
    EXPECT_VALUES(x->grad, 3 + 18, 3 + 36);
    cr_assert(h->grad == NULL, "gradients in between are not kept");
}

Test(tape, backward_from_a_given_gradient_skips_what_comes_after)
{
    Tensor *x = leaf(2, (float[]){1, 2}), *h, *after;

    ASSERT_OK(op_scale(tape, x, 2.0f, &h, &err), err);
    ASSERT_OK(op_square(tape, h, &after, &err), err);
    ASSERT_OK(tape_backward_from(tape, h, (float[]){1, -1}, &err), err);
    EXPECT_VALUES(x->grad, 2, -2);
    ASSERT_OK(tape_backward_from(tape, h, (float[]){1, 1}, &err), err);
    EXPECT_VALUES(x->grad, 4, 0);
    cr_assert(after->grad == NULL);
}

Test(tape, backward_from_a_leaf_adds_to_its_gradient)
{
    Tensor *x = leaf(2, (float[]){1, 2});

    ASSERT_OK(tape_backward_from(tape, x, (float[]){1, 2}, &err), err);
    ASSERT_OK(tape_backward_from(tape, x, (float[]){10, 20}, &err), err);
    EXPECT_VALUES(x->grad, 11, 22);
}

Test(tape, outputs_that_no_loss_uses_get_no_gradient_and_do_no_harm)
{
    Tensor *x = leaf(2, (float[]){1, 2}), *unused, *used, *loss;

    ASSERT_OK(op_square(tape, x, &unused, &err), err);
    ASSERT_OK(op_scale(tape, x, 2.0f, &used, &err), err);
    ASSERT_OK(op_exp(tape, unused, &unused, &err), err);
    ASSERT_OK(op_sum(tape, used, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    EXPECT_VALUES(x->grad, 2, 2);
    cr_assert(unused->grad == NULL);
}

Test(tape, parameters_collect_gradients_over_several_steps)
{
    Tensor *w = param(2, (float[]){3, 4});

    for (int step = 1; step <= 3; step++) {
        Tensor *x = leaf(2, (float[]){1, 2}), *y, *loss;

        ASSERT_OK(op_mul(tape, x, w, &y, &err), err);
        ASSERT_OK(op_sum(tape, y, &loss, &err), err);
        ASSERT_OK(tape_backward(tape, loss, &err), err);
        EXPECT_VALUES(w->grad, (float)step, (float)(2 * step));
        EXPECT_VALUES(x->grad, 3, 4);
        tape_reset(tape);
    }
    tensor_destroy(&w);
}

Test(tape, a_parameter_keeps_its_own_gradient_memory_where_gradients_are_handed_on)
{
    Tensor *w = param(2, (float[]){3, 4}), *view, *y, *loss;
    float *const memory = w->grad;

    ASSERT_OK(op_reshape(tape, w, 2, (int64_t[]){1, -1}, &view, &err), err);
    ASSERT_OK(op_add_scalar(tape, view, 1.0f, &y, &err), err);
    ASSERT_OK(op_add(tape, y, view, &y, &err), err);
    ASSERT_OK(op_sum(tape, y, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    cr_assert(w->grad == memory);
    EXPECT_VALUES(w->grad, 2, 2);
    tensor_destroy(&w);
}

Test(tape, a_leaf_cuts_the_graph)
{
    Tensor *x = leaf(2, (float[]){1, 2}), *h, *stopped, *cut, *y, *loss;

    ASSERT_OK(op_square(tape, x, &h, &err), err);
    ASSERT_OK(tape_leaf(tape, h, false, &stopped, &err), err);
    ASSERT_OK(tape_leaf(tape, h, true, &cut, &err), err);
    cr_assert(stopped->data == h->data && cut->data == h->data);
    ASSERT_OK(op_mul(tape, cut, stopped, &y, &err), err);
    ASSERT_OK(op_sum(tape, y, &loss, &err), err);
    ASSERT_OK(tape_backward(tape, loss, &err), err);
    EXPECT_VALUES(cut->grad, 1, 4);
    cr_assert(x->grad == NULL && stopped->grad == NULL);
    ASSERT_OK(tape_backward_from(tape, h, cut->grad, &err), err); /* as the balancer feeds the codec */
    EXPECT_VALUES(x->grad, 2, 16);
}

Test(tape, nothing_is_recorded_when_nothing_needs_a_gradient_or_recording_is_off)
{
    Tensor *x = leaf(2, (float[]){1, 2}), *y;

    x->needs_grad = false;
    ASSERT_OK(op_square(tape, x, &y, &err), err);
    cr_assert(tape->last == NULL && !y->needs_grad);
    x->needs_grad = true;
    tape->recording = false;
    ASSERT_OK(op_square(tape, x, &y, &err), err);
    cr_assert(tape->last == NULL && !y->needs_grad);
    ASSERT_FAILS(tape_backward_from(tape, y, (float[]){1, 1}, &err), RSD_ERR_ARG, err, "nothing that needs a gradient");
}

Test(tape, backward_refuses_a_loss_of_many_elements)
{
    Tensor *x = leaf(2, (float[]){1, 2});

    ASSERT_FAILS(tape_backward(tape, x, &err), RSD_ERR_ARG, err, "one element");
}

Test(tape, a_tensor_of_its_own_without_gradient_memory_is_refused)
{
    Tensor *x, *y;
    const int64_t n = 2;

    ASSERT_OK(tensor_create(&x, 1, &n, &err), err);
    x->needs_grad = true;
    ASSERT_OK(op_square(tape, x, &y, &err), err);
    ASSERT_FAILS(tape_backward_from(tape, y, (float[]){1, 1}, &err), RSD_ERR_ARG, err, "tensor_create_param");
    cr_assert(x->grad == NULL, "nothing may dangle after the arena is reset");
    tape_reset(tape);
    ASSERT_OK(op_reshape(tape, x, 1, &n, &y, &err), err);
    ASSERT_FAILS(tape_backward_from(tape, y, (float[]){1, 1}, &err), RSD_ERR_ARG, err, "tensor_create_param");
    cr_assert(x->grad == NULL, "nor when a gradient would be handed on");
    tensor_destroy(&x);
}

Test(tape, a_step_beyond_the_memory_limit_is_refused)
{
    Tape *small;
    Tensor *x;
    const int64_t n = 1 << 20;

    ASSERT_OK(tape_create(&small, threads, 1 << 20, &err), err);
    ASSERT_FAILS(tape_tensor(small, &x, 1, &n, &err), RSD_ERR_MEMORY, err, "memory limit");
    cr_assert(x == NULL);
    tape_destroy(&small);
}

Test(tape, the_second_step_of_a_shape_allocates_nothing)
{
    int64_t before = 0;
    const int64_t n = 300000;

    for (int step = 0; step < 3; step++) {
        Tensor *x, *y, *loss;

        ASSERT_OK(tape_tensor(tape, &x, 1, &n, &err), err);
        memset(x->data, 0, (size_t)n * sizeof(float));
        x->needs_grad = true;
        ASSERT_OK(op_elu(tape, x, &y, &err), err);
        ASSERT_OK(op_mean(tape, y, &loss, &err), err);
        ASSERT_OK(tape_backward(tape, loss, &err), err);
        tape_reset(tape);
        if (step == 0)
            before = mem_allocation_count();
    }
    cr_assert(mem_allocation_count() == before);
}
