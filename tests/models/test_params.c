/* test_params.c - named parameters: adding, counting, saving, loading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "models/params.h"
#include "tests/shared.h"

static const char *temporary_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/residua-test-params-%d.safetensors", (int)getpid());
    return path;
}

static ParamSet *two_tensors(Tensor **a, Tensor **b, RsdError *err)
{
    ParamSet *params;

    ASSERT_OK(params_create(&params, err), *err);
    ASSERT_OK(params_add(params, "a.weight", 2, (int64_t[2]){3, 4}, true, a, err), *err);
    ASSERT_OK(params_add_training_state(params, "b.count", 1, (int64_t[1]){5}, b, err), *err);
    return params;
}

Test(params, counts_and_finds_what_was_added)
{
    Tensor *a, *b, *c;
    ParamSet *params;
    RsdError err;

    params = two_tensors(&a, &b, &err);
    cr_assert_eq(params_count_elements(params, false), 17);
    cr_assert_eq(params_count_elements(params, true), 12);
    cr_assert_eq(params_find(params, "b.count"), b);
    cr_assert_null(params_find(params, "b"));
    cr_assert_not_null(a->grad);
    cr_assert_null(b->grad);
    ASSERT_FAILS(params_add(params, "a.weight", 1, (int64_t[1]){1}, true, &c, &err), RSD_ERR_ARG, err, "a.weight");
    ASSERT_FAILS(params_add(params, "c", 1, (int64_t[1]){-1}, true, &c, &err), RSD_ERR_ARG, err, "parameter c");
    cr_assert_eq(params->n_items, 2);
    a->grad[3] = 1.0f;
    params_zero_grad(params);
    cr_assert_eq(a->grad[3], 0.0f);
    params_destroy(&params);
    cr_assert_null(params);
    params_destroy(&params);
}

Test(params, hundreds_of_parameters_keep_their_tensors)
{
    enum { N = 300 };
    Tensor *tensors[N];
    ParamSet *params;
    char name[32];
    RsdError err;

    ASSERT_OK(params_create(&params, &err), err);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        ASSERT_OK(params_add(params, name, 1, (int64_t[1]){1 + i % 7}, i % 2, &tensors[i], &err), err);
    }
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "layer.%d", i);
        cr_assert_eq(params_find(params, name), tensors[i]);
    }
    params_destroy(&params);
}

Test(params, a_set_for_inference_has_neither_gradients_nor_training_state)
{
    Tensor *a, *b;
    ParamSet *params;
    RsdError err;

    ASSERT_OK(params_create_for_inference(&params, 100, &err), err);
    ASSERT_OK(params_add(params, "a", 1, (int64_t[1]){3}, true, &a, &err), err);
    ASSERT_OK(params_add_training_state(params, "b", 1, (int64_t[1]){5}, &b, &err), err);
    cr_assert_null(a->grad);
    cr_assert_not(a->needs_grad);
    cr_assert_null(b);
    cr_assert_eq(params->n_items, 1);
    params_destroy(&params);
}

Test(params, a_round_trip_is_exact_and_the_prefix_keeps_sets_apart)
{
    Tensor *a, *b, *a2, *b2;
    ParamSet *params, *copy;
    SafetensorsWriter *writer;
    Safetensors *st;
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    RsdError err;

    params = two_tensors(&a, &b, &err);
    copy = two_tensors(&a2, &b2, &err);
    params_fill_uniform(a, &rng, 3.0f);
    params_fill_uniform(b, &rng, 3.0f);
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(params_save(copy, writer, "zeros.", DTYPE_F32, &err), err);
    ASSERT_OK(params_save(params, writer, "model.", DTYPE_F32, &err), err);
    ASSERT_OK(safetensors_writer_finish(writer, temporary_path(), &err), err);
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    ASSERT_OK(params_load(copy, st, "model.", &err), err);
    ASSERT_SAME_BITS("a", a2->data, a->data, 12);
    ASSERT_SAME_BITS("b", b2->data, b->data, 5);
    ASSERT_FAILS(params_load(copy, st, "other.", &err), RSD_ERR_CORRUPT, err, "other.a.weight is missing");
    safetensors_close(&st);
    safetensors_writer_destroy(&writer);
    params_destroy(&params);
    params_destroy(&copy);
    unlink(temporary_path());
}

Test(params, missing_state_is_kept_and_everything_that_is_wrong_is_listed_before_anything_changes)
{
    Tensor *a, *b, *c;
    ParamSet *params, *others;
    SafetensorsWriter *writer;
    Safetensors *st;
    RsdError err;

    params = two_tensors(&a, &b, &err);
    b->data[2] = 7.0f;
    ASSERT_OK(params_create(&others, &err), err);
    ASSERT_OK(params_add(others, "a.weight", 2, (int64_t[2]){3, 4}, true, &c, &err), err);
    c->data[0] = 5.0f;
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(params_save(others, writer, "", DTYPE_F32, &err), err);
    ASSERT_OK(safetensors_writer_finish(writer, temporary_path(), &err), err);
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    ASSERT_OK(params_load(params, st, "", &err), err);
    cr_assert_eq(a->data[0], 5.0f);
    cr_assert_eq(b->data[2], 7.0f);
    ASSERT_OK(params_add(params, "bias", 1, (int64_t[1]){2}, true, &c, &err), err);
    a->data[0] = 1.0f;
    ASSERT_FAILS(params_load(params, st, "", &err), RSD_ERR_CORRUPT, err, "bias is missing");
    cr_assert_eq(a->data[0], 1.0f, "a was loaded although bias is missing");
    safetensors_close(&st);
    safetensors_writer_destroy(&writer);
    params_destroy(&params);
    params_destroy(&others);
    unlink(temporary_path());
}

Test(params, norms_are_over_all_axes_but_the_first)
{
    const float v[2][3] = {{3, 0, 4}, {1, 2, 2}};
    Tensor *w, *g;
    RsdError err;

    ASSERT_OK(tensor_create(&w, 3, (int64_t[3]){2, 1, 3}, &err), err);
    ASSERT_OK(tensor_create(&g, 1, (int64_t[1]){2}, &err), err);
    memcpy(w->data, v, sizeof v);
    params_fill_norms(g, w);
    cr_assert_eq(g->data[0], 5.0f);
    cr_assert_eq(g->data[1], 3.0f);
    tensor_destroy(&w);
    tensor_destroy(&g);
}
