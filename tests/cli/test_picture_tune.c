/* test_picture_tune.c - what searches minimise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "cli/picture_tune.h"
#include "engine/base/rng.h"
#include "tests/shared.h"

#define SIDE 48

static Tensor *drawn_picture(Tape *tape, uint32_t seed)
{
    float pixels[3 * SIDE * SIDE];
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);
    Tensor *picture;
    RsdError err;

    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        pixels[i] = rng_between(&rng, 0.2f, 0.8f);
    ASSERT_OK(tape_input(tape, &picture, 4, (int64_t[]){1, 3, SIDE, SIDE}, pixels, &err), err);
    return picture;
}

static double value_of(const char *loss, Tape *tape, Tensor *estimate, Tensor *target)
{
    ImageLoss *image_loss;
    Tensor *value;
    RsdError err;

    ASSERT_OK(image_loss_create(&image_loss, loss, NULL, &err), err);
    ASSERT_OK(image_loss_apply(tape, image_loss, estimate, target, &value, &err), err);
    image_loss_destroy(&image_loss);
    return (double)value->data[0];
}

static void open_pair(RsdThreads **threads, Tape **tape, Tensor **estimate, Tensor **target)
{
    RsdError err;

    ASSERT_OK(rsd_threads_create(threads, 1, &err), err);
    ASSERT_OK(tape_create(tape, *threads, 0, &err), err);
    *estimate = drawn_picture(*tape, 1);
    *target = drawn_picture(*tape, 2);
}

Test(picture_tune, a_loss_with_a_share_has_the_squared_error_beside_it)
{
    static const struct {
        const char *tune, *loss;
        double share, mse_share;
    } cases[] = {{"gmsd", "gmsd", 0.017, 0.6}, {"ms-ssim", "ms_ssim", 0.03, 0}, {"vif", "vif", 0, 0}};
    RsdThreads *threads;
    Tape *tape;
    Tensor *estimate, *target, *value;
    RsdError err;

    open_pair(&threads, &tape, &estimate, &target);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double mse_weight = cases[i].mse_share > 0 ? cases[i].mse_share / cases[i].share : 0;
        double wanted;
        TuneLoss tune;

        ASSERT_OK(tune_loss_create(&tune, cases[i].tune, &err), err);
        ASSERT_OK(tune_loss_apply(&tune, tape, estimate, target, &value, &err), err);
        wanted = value_of(cases[i].loss, tape, estimate, target) + mse_weight * value_of("mse", tape, estimate, target);
        cr_assert_float_eq((double)value->data[0], wanted, 1e-5 * wanted, "%s: %g, expected %g", cases[i].tune, (double)value->data[0], wanted);
        cr_assert_float_eq(tune.share, cases[i].share, 1e-12);
        tune_loss_clear(&tune);
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

/* A weight is made of the value, so none is negative; of decibels it is the error behind them, and total
 * variation is none. */
Test(picture_tune, what_is_minimised_is_an_error)
{
    const ImageLossInfo *info;
    RsdThreads *threads;
    Tape *tape;
    Tensor *estimate, *target, *value;
    RsdError err;

    open_pair(&threads, &tape, &estimate, &target);
    for (size_t i = 0; (info = image_loss_at(i)) != NULL; i++) {
        TuneLoss tune;

        if (info->needs[0])
            continue;
        if (strncmp(info->name, "tv_", 3) == 0) {
            cr_expect_eq(tune_loss_create(&tune, info->name, &err), RSD_ERR_ARG, "%s", info->name);
            continue;
        }
        ASSERT_OK(tune_loss_create(&tune, info->name, &err), err);
        ASSERT_OK(tune_loss_apply(&tune, tape, estimate, target, &value, &err), err);
        cr_expect_gt((double)value->data[0], 1e-6, "%s: %g", info->name, (double)value->data[0]);
        if (strncmp(info->name, "psnr", 4) == 0) {
            const double wanted = pow(10.0, value_of(info->name, tape, estimate, target) / 10.0);

            cr_expect_float_eq((double)value->data[0], wanted, 1e-5 * wanted, "%s: %g, expected %g", info->name, (double)value->data[0],
                               wanted);
        }
        tune_loss_clear(&tune);
    }
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

Test(picture_tune, names_that_are_no_loss_are_told)
{
    TuneLoss tune;
    RsdError err;

    cr_assert_eq(tune_loss_create(&tune, "beauty", &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, "--tune beauty") && strstr(err.text, "ms_ssim"), "%s", err.text);
    tune_loss_clear(&tune);
}
