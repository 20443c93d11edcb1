/* test_diff_jpeg.c - the differentiable JPEG against the published code, odd sizes, bad arguments.
 *
 * golden/losses_image, "diff_jpeg": output, loss = mean((out - 255 ref)^2) / 255^2 and its gradients on pair B, with the
 * tolerances suggested there: output 0.02 of 255 on all but 0.5 % of the samples, loss 1e-3 relative, gradient 1e-3 of its
 * largest value on all but 1 %, gradient of the quality 1e-2 relative.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/ops/distance.h"
#include "losses/diff_jpeg.h"
#include "tests/losses/pictures.h"

#define FOLDER "golden/losses_image/"

static void load(Npy *npy, const char *file)
{
    char relative[128];
    SharedPath path;

    snprintf(relative, sizeof relative, FOLDER "%s", file);
    npy_load(npy, shared_path(&path, relative));
}

static int64_t count_beyond(const float *got, double scale, const Npy *expected, double allowed)
{
    int64_t n = 0;

    for (int64_t i = 0; i < expected->count; i++)
        n += !(fabs(scale * (double)got[i] - expected->f64[i]) <= allowed);
    return n;
}

static void check_entry(const json_t *entry, const Npy *ref, const Npy *dist)
{
    const char *name = json_string_value(json_object_get(entry, "metric"));
    const DiffJpegParams params = {.straight_through = json_is_true(json_object_get(entry, "ste"))};
    const double expected_loss = json_number_value(json_object_get(entry, "loss"));
    const double expected_dq = json_number_value(json_object_get(entry, "grad_quality"));
    const float q = (float)json_number_value(json_object_get(entry, "quality"));
    Npy out, grad;
    PictureRun run;
    Tensor *quality, *y, *loss;
    double largest = 0.0;
    RsdError err = {0};

    load(&out, json_string_value(json_object_get(entry, "output")));
    load(&grad, json_string_value(json_object_get(entry, "grad_image")));
    picture_run_open(&run, 2, 1, ref->shape[1], ref->shape[2]);
    memcpy(run.target->data, ref->f32, (size_t)ref->count * sizeof(float));
    memcpy(run.estimate->data, dist->f32, (size_t)dist->count * sizeof(float));
    ASSERT_OK(tape_input(run.tape, &quality, 1, (int64_t[]){1}, &q, &err), err);
    quality->needs_grad = true;
    ASSERT_OK(diff_jpeg(run.tape, &params, run.estimate, quality, &y, &err), err);
    ASSERT_OK(op_mse(run.tape, y, run.target, NULL, &loss, &err), err);
    ASSERT_OK(tape_backward(run.tape, loss, &err), err);
    cr_expect_leq(count_beyond(y->data, 255.0, &out, 0.02), out.count / 200, "%s: output", name);
    ASSERT_CLOSE(name, loss->data[0], expected_loss, ((Tolerance){.rel = 1e-3}));
    for (int64_t i = 0; i < grad.count; i++)
        largest = fmax(largest, fabs(grad.f64[i]));
    /* the golden gradient is with respect to 0..255 */
    cr_expect_leq(count_beyond(run.estimate->grad, 1.0 / 255.0, &grad, 1e-3 * largest), grad.count / 100, "%s: gradient", name);
    cr_expect(fabs((double)quality->grad[0] - expected_dq) <= 1e-2 * fabs(expected_dq) + 1e-12, "%s: dq %g, expected %g", name,
              (double)quality->grad[0], expected_dq);
    npy_free(&out);
    npy_free(&grad);
    picture_run_close(&run);
}

Test(diff_jpeg, outputs_and_gradients_equal_the_published_code)
{
    SharedPath path;
    Npy ref, dist;
    json_t *index, *entry;
    size_t i;

    NEED_SHARED(FOLDER "index.json");
    index = json_file_load(shared_path(&path, FOLDER "index.json"));
    load(&ref, "img_B_ref.npy");
    load(&dist, "img_B_dist.npy");
    cr_assert_eq(json_array_size(json_object_get(index, "diff_jpeg")), 6);
    json_array_foreach (json_object_get(index, "diff_jpeg"), i, entry)
        check_entry(entry, &ref, &dist);
    npy_free(&ref);
    npy_free(&dist);
    json_decref(index);
}

Test(diff_jpeg, any_size_gives_finite_numbers_and_tables_get_gradients)
{
    static const int64_t sizes[][2] = {{1, 1}, {3, 50}, {16, 16}, {33, 17}};

    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        PictureRun run;
        Tensor *quality, *tables[2], *y, *loss;
        float table[64];
        RsdError err = {0};

        for (int i = 0; i < 64; i++)
            table[i] = 10.0f + (float)i;
        picture_run_open(&run, 1, 2, sizes[k][0], sizes[k][1]);
        ASSERT_OK(tape_input(run.tape, &quality, 1, (int64_t[]){1}, &(float){37.0f}, &err), err);
        for (int i = 0; i < 2; i++) {
            ASSERT_OK(tape_input(run.tape, &tables[i], 1, (int64_t[]){64}, table, &err), err);
            tables[i]->needs_grad = true;
        }
        ASSERT_OK(diff_jpeg(run.tape, &(DiffJpegParams){.luma = tables[0], .chroma = tables[1]}, run.estimate, quality, &y,
                            &err), err);
        cr_assert(tensor_same_shape(y, run.estimate));
        ASSERT_OK(op_mse(run.tape, y, run.target, NULL, &loss, &err), err);
        ASSERT_OK(tape_backward(run.tape, loss, &err), err);
        for (int64_t i = 0; i < tensor_count(y); i++)
            cr_assert(isfinite(y->data[i]) && isfinite(run.estimate->grad[i]));
        for (int i = 0; i < 64; i++)
            cr_assert(isfinite(tables[0]->grad[i]) && isfinite(tables[1]->grad[i]));
        picture_run_close(&run);
    }
}

Test(diff_jpeg, impossible_qualities_are_refused)
{
    static const float bad[] = {0.0f, 100.0f, -3.0f, NAN};
    PictureRun run;
    Tensor *quality, *y;
    RsdError err = {0};

    picture_run_open(&run, 1, 1, 16, 16);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ASSERT_OK(tape_input(run.tape, &quality, 1, (int64_t[]){1}, &bad[i], &err), err);
        ASSERT_FAILS(diff_jpeg(run.tape, &(DiffJpegParams){0}, run.estimate, quality, &y, &err), RSD_ERR_ARG, err,
                     "from 1 to 99");
    }
    picture_run_close(&run);
}
