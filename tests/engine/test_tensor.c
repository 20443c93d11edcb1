/* test_tensor.c - shapes, counted buffers and views.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include "engine/base/mem.h"
#include "engine/tensor.h"

static RsdError err;

Test(tensor, starts_zeroed_and_without_a_gradient)
{
    Tensor *x;

    ASSERT_OK(tensor_create(&x, 3, (int64_t[]){2, 3, 4}, &err), err);
    cr_assert(tensor_count(x) == 24 && x->grad == NULL && !x->needs_grad);
    for (int i = 0; i < 24; i++)
        cr_assert(x->data[i] == 0.0f);
    tensor_destroy(&x);
    cr_assert(x == NULL);
    tensor_destroy(&x);
}

Test(tensor, a_parameter_has_a_zeroed_gradient)
{
    Tensor *x;

    ASSERT_OK(tensor_create_param(&x, 1, (int64_t[]){5}, &err), err);
    cr_assert(x->needs_grad && x->grad);
    for (int i = 0; i < 5; i++)
        cr_assert(x->grad[i] == 0.0f);
    tensor_destroy(&x);
}

Test(tensor, no_axes_make_one_element_and_an_empty_axis_none)
{
    Tensor *x;

    ASSERT_OK(tensor_create(&x, 0, NULL, &err), err);
    cr_assert(tensor_count(x) == 1);
    tensor_destroy(&x);
    ASSERT_OK(tensor_create(&x, 3, (int64_t[]){2, 0, 7}, &err), err);
    cr_assert(tensor_count(x) == 0 && x->data);
    tensor_destroy(&x);
}

Test(tensor, impossible_shapes_are_refused_with_the_shape)
{
    Tensor *x;

    ASSERT_FAILS(tensor_create(&x, 2, (int64_t[]){2, -1}, &err), RSD_ERR_ARG, err, "[2, -1]");
    cr_assert(x == NULL);
    ASSERT_FAILS(tensor_create(&x, 2, (int64_t[]){INT64_MAX, INT64_MAX}, &err), RSD_ERR_ARG, err, "impossible shape");
    ASSERT_FAILS(tensor_create(&x, 3, (int64_t[]){1 << 20, 1 << 20, 2}, &err), RSD_ERR_ARG, err, "impossible shape");
    ASSERT_FAILS(tensor_create(&x, TENSOR_MAX_DIMS + 1, (int64_t[]){1, 1, 1, 1, 1, 1}, &err), RSD_ERR_ARG, err, "dimensions");
    ASSERT_FAILS(tensor_create(&x, -1, NULL, &err), RSD_ERR_ARG, err, "dimensions");
}

Test(tensor, a_view_keeps_the_buffer_alive_and_shares_data_and_gradient)
{
    Tensor *x, *view, *second;

    ASSERT_OK(tensor_create_param(&x, 2, (int64_t[]){2, 6}, &err), err);
    ASSERT_OK(tensor_view(&view, x, 3, (int64_t[]){3, 2, 2}, &err), err);
    ASSERT_OK(tensor_view(&second, view, 1, (int64_t[]){12}, &err), err);
    x->data[7] = 5.0f;
    x->grad[3] = 6.0f;
    tensor_destroy(&x);
    tensor_destroy(&view);
    cr_assert(second->data[7] == 5.0f && second->grad[3] == 6.0f && second->needs_grad);
    tensor_destroy(&second);
}

Test(tensor, a_view_needs_the_same_number_of_elements)
{
    Tensor *x, *view;

    ASSERT_OK(tensor_create(&x, 2, (int64_t[]){2, 6}, &err), err);
    ASSERT_FAILS(tensor_view(&view, x, 1, (int64_t[]){13}, &err), RSD_ERR_ARG, err, "[2, 6] as [13]");
    cr_assert(view == NULL);
    tensor_destroy(&x);
}

Test(tensor, shapes_compare_by_axes_and_lengths)
{
    Tensor a = {.n_dims = 2, .shape = {2, 3}}, b = {.n_dims = 2, .shape = {2, 3, 9}}, c = {.n_dims = 3, .shape = {2, 3, 1}};

    cr_assert(tensor_same_shape(&a, &b));
    cr_assert(!tensor_same_shape(&a, &c));
    b.shape[0] = 3;
    cr_assert(!tensor_same_shape(&a, &b));
}

Test(tensor, shape_text_stays_inside_its_buffer)
{
    char text[SHAPE_TEXT_SIZE];

    cr_assert_str_eq(shape_text(text, 3, (int64_t[]){2, 16, 320}), "[2, 16, 320]");
    cr_assert_str_eq(shape_text(text, 0, NULL), "[]");
    shape_text(text, 5, (int64_t[]){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN});
    cr_assert(strlen(text) < SHAPE_TEXT_SIZE);
}

Test(tensor, each_allocation_may_fail)
{
    for (int n = 0; n < 4; n++) {
        Tensor *x;

        mem_fail_after(n);
        ASSERT_FAILS(tensor_create_param(&x, 1, (int64_t[]){5}, &err), RSD_ERR_MEMORY, err, "allocate");
        cr_assert(x == NULL);
        mem_fail_after(-1);
    }
}
