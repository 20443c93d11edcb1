/* test_params.c - named parameters: adding, counting, saving, loading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
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

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

enum { BYTE_ROWS = 130, BYTE_COLUMNS = 128 };

static ParamSet *matrix_and_bias(Tensor **matrix, Tensor **bias, RsdError *err)
{
    ParamSet *params;

    ASSERT_OK(params_create(&params, err), *err);
    ASSERT_OK(params_add(params, "m", 2, (int64_t[2]){BYTE_ROWS, BYTE_COLUMNS}, true, matrix, err), *err);
    ASSERT_OK(params_add(params, "b", 1, (int64_t[1]){BYTE_ROWS}, true, bias, err), *err);
    return params;
}

static void save_as_bytes(const ParamSet *params, const char *path)
{
    SafetensorsWriter *writer;
    RsdError err;

    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(params_save_for_inference(params, writer, "", DTYPE_I8, &err), err);
    ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
    safetensors_writer_destroy(&writer);
}

Test(params, fine_matrices_keep_16_bits_in_a_file_of_bytes)
{
    Tensor *m, *b;
    RsdError err;
    ParamSet *params = matrix_and_bias(&m, &b, &err);
    Safetensors *st;

    params->items[0].fine = true;
    save_as_bytes(params, temporary_path());
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    cr_assert_eq(safetensors_find(st, "m")->dtype, DTYPE_F16);
    safetensors_close(&st);
    unlink(temporary_path());
    params_destroy(&params);
}

/* Rows of very different sizes come back within half a 127th of their own greatest; one of zeros as zeros. */
Test(params, matrices_as_bytes_come_back_within_half_a_step)
{
    Tensor *m, *b, *m2, *b2;
    ParamSet *params, *back;
    Safetensors *st;
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    RsdError err;

    params = matrix_and_bias(&m, &b, &err);
    back = matrix_and_bias(&m2, &b2, &err);
    for (int r = 0; r < BYTE_ROWS; r++) {
        for (int c = 0; c < BYTE_COLUMNS; c++)
            m->data[r * BYTE_COLUMNS + c] = rng_between(&rng, -1.0f, 1.0f) * (r == 7 ? 0.0f : ldexpf(1.0f, r % 20 - 10));
        b->data[r] = 0.25f * (float)r;
    }
    save_as_bytes(params, temporary_path());
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    cr_assert_eq(safetensors_find(st, "m")->dtype, DTYPE_I8);
    cr_assert_eq(safetensors_find(st, "b")->dtype, DTYPE_F16);
    ASSERT_OK(params_load(back, st, "", &err), err);
    for (int i = 0; i < BYTE_ROWS * BYTE_COLUMNS; i++)
        cr_assert_float_eq(m2->data[i], m->data[i], ldexp(1.0, i / BYTE_COLUMNS % 20 - 10) / 253.9, "value %d", i);
    for (int c = 0; c < BYTE_COLUMNS; c++)
        cr_assert_eq(m2->data[7 * BYTE_COLUMNS + c], 0.0f);
    cr_assert_arr_eq(b2->data, b->data, BYTE_ROWS * sizeof(float));
    safetensors_close(&st);
    params_destroy(&params);
    params_destroy(&back);
    unlink(temporary_path());
}

Test(params, bytes_without_a_usable_scale_for_each_row_are_refused)
{
    static const int8_t bytes[BYTE_ROWS * BYTE_COLUMNS];
    static const float scales[BYTE_ROWS] = {[BYTE_ROWS - 1] = 1e38f};
    Tensor *m, *b;
    ParamSet *params;
    RsdError err;

    params = matrix_and_bias(&m, &b, &err);
    /* None, one for all, and one for each row of which the last is beyond any float. */
    for (int64_t n_scales = 0; n_scales <= BYTE_ROWS; n_scales = n_scales ? n_scales + BYTE_ROWS - 1 : 1) {
        SafetensorsWriter *writer;
        Safetensors *st;

        ASSERT_OK(safetensors_writer_create(&writer, &err), err);
        ASSERT_OK(safetensors_writer_raw(writer, "m", DTYPE_I8, 2, m->shape, bytes, &err), err);
        ASSERT_OK(safetensors_writer_f32(writer, "b", 1, b->shape, b->data, DTYPE_F32, &err), err);
        if (n_scales > 0)
            ASSERT_OK(safetensors_writer_f32(writer, "m.scale", 1, &n_scales, scales, DTYPE_F32, &err), err);
        ASSERT_OK(safetensors_writer_finish(writer, temporary_path(), &err), err);
        safetensors_writer_destroy(&writer);
        ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
        ASSERT_FAILS(params_load(params, st, "", &err),
                     n_scales == 0 ? RSD_ERR_UNSUPPORTED : n_scales == 1 ? RSD_ERR_CORRUPT : RSD_ERR_NUMERIC, err, "m");
        safetensors_close(&st);
    }
    params_destroy(&params);
    unlink(temporary_path());
}
