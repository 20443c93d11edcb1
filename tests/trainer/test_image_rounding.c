/* test_image_rounding.c - the averaged weights of a picture codec, rounded for a file and put back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/base/mem.h"
#include "models/image_prior.h"
#include "tests/trainer/painted.h"
#include "trainer/image_rounding.h"

static PaintedRun run;
static ImageRounding *rounding;
static RsdError err;

static void set_up(void)
{
    painted_open_run(&run, 1);
    cr_assert_eq(image_rounding_create(&rounding, run.step, run.pictures, true, &err), RSD_OK, "%s", err.text);
}

static void tear_down(void)
{
    image_rounding_destroy(&rounding);
    painted_close_run(&run);
}

TestSuite(image_rounding, .init = set_up, .fini = tear_down);

static float *copy_all(void)
{
    float *copy;
    int64_t at = 0;

    cr_assert_eq(mem_alloc(&copy, (size_t)params_count_elements(run.state->params, false), sizeof *copy, NULL), RSD_OK);
    for (size_t i = 0; i < run.state->params->n_items; i++) {
        const Tensor *tensor = run.state->params->items[i].tensor;

        memcpy(copy + at, tensor->data, (size_t)tensor_count(tensor) * sizeof *copy);
        at += tensor_count(tensor);
    }
    return copy;
}

/* Parameters that differ from the copy. */
static int count_changed(const float *copy)
{
    int64_t at = 0;
    int n = 0;

    for (size_t i = 0; i < run.state->params->n_items; i++) {
        const Tensor *tensor = run.state->params->items[i].tensor;

        n += memcmp(copy + at, tensor->data, (size_t)tensor_count(tensor) * sizeof *copy) != 0;
        at += tensor_count(tensor);
    }
    return n;
}

Test(image_rounding, weights_come_back_to_the_bit)
{
    float *before = copy_all();
    int n_changed;

    cr_assert_eq(image_rounding_apply(rounding, run.state, DTYPE_F32, &err), RSD_OK, "%s", err.text);
    n_changed = count_changed(before);
    cr_assert(n_changed >= 2 && n_changed <= 4, "%d: weights and biases of two layers of the prior", n_changed);
    image_rounding_undo(rounding);
    cr_assert_eq(count_changed(before), 0);
    image_rounding_undo(rounding);
    cr_assert_eq(count_changed(before), 0);
    mem_free(&before);
}

Test(image_rounding, the_prior_of_a_file_is_made_of_the_very_weights)
{
    const Tensor *weight = params_find(run.state->params, "prior.out.weight");
    float *rounded, *before = copy_all();
    size_t n = (size_t)tensor_count(weight);

    cr_assert_eq(image_rounding_apply(rounding, run.state, DTYPE_F32, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(mem_alloc(&rounded, n, sizeof *rounded, NULL), RSD_OK);
    memcpy(rounded, weight->data, n * sizeof *rounded);
    cr_assert_eq(image_codec_make_prior(run.state->image, &err), RSD_OK, "%s", err.text);
    integer_prior_to_float(run.state->image->prior, run.state->image);
    cr_assert_arr_eq(rounded, weight->data, n * sizeof *rounded);
    mem_free(&rounded);
    mem_free(&before);
}

Test(image_rounding, bytes_are_those_that_a_file_of_bytes_would_hold)
{
    bool has_some = false;

    for (size_t i = 0; i < run.state->params->n_items; i++) {
        const Param *param = &run.state->params->items[i];

        cr_assert(!param->fine || !params_is_stored_as_bytes(param), "%s", param->name);
    }
    train_state_destroy(&run.state);
    run.config.picture.model.widths[2] = 128; /* matrices that are worth it */
    run.config.picture.model.encoder_blocks[2] = run.config.picture.model.decoder_blocks[2] = 1;
    cr_assert_eq(train_state_create(&run.state, &run.config, kernels_pick(), &err), RSD_OK, "%s", err.text);
    cr_assert_eq(image_rounding_apply(rounding, run.state, DTYPE_I8, &err), RSD_OK, "%s", err.text);
    for (size_t i = 0; i < run.state->params->n_items; i++) {
        const Param *param = &run.state->params->items[i];
        const int64_t n_in = tensor_count(param->tensor) / param->tensor->shape[0];

        if (strncmp(param->name, "prior.", 6) == 0 || !params_is_stored_as_bytes(param))
            continue;
        has_some = true;
        for (int64_t o = 0; o < param->tensor->shape[0]; o++) {
            const float *row = param->tensor->data + o * n_in;
            float most = 0.0f;

            for (int64_t k = 0; k < n_in; k++)
                most = fmaxf(most, fabsf(row[k]));
            for (int64_t k = 0; k < n_in; k++)
                cr_assert_float_eq(row[k] * 127.0f / most, rintf(row[k] * 127.0f / most), 1e-3f, "%s", param->name);
        }
    }
    cr_assert(has_some);
    image_rounding_undo(rounding);
}
