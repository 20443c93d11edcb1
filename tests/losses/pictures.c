/* pictures.c - pictures made by integer arithmetic and a few waves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/losses/pictures.h"

#include <math.h>

#include "tests/losses/signals.h"
#include "tests/shared.h"

void picture_natural(float *x, int64_t h, int64_t w, uint32_t seed)
{
    signal_noise(x, 3 * h * w, seed);
    for (int64_t i = 0; i < 3 * h * w; i++) {
        const double row = (double)(i / w % h), column = (double)(i % w), c = (double)(i / (h * w));
        const double shade = 0.5 + 0.2 * sin(0.11 * row + 0.07 * column + c + seed) + 0.1 * cos(0.23 * column - 0.05 * row);
        const double edge = sin(0.19 * column + 0.13 * row + 0.3 * c) > 0.6 ? 0.15 : 0.0;

        x[i] = (float)(shade + edge) + 0.04f * x[i];
    }
}

void picture_disturb(float *y, const float *x, int64_t h, int64_t w, uint32_t seed, float level)
{
    signal_disturb(y, x, 3 * h * w, seed, level);
}

void picture_run_open(PictureRun *run, int n_threads, int64_t batch, int64_t h, int64_t w)
{
    const int64_t shape[4] = {batch, 3, h, w};
    RsdError err = {0};

    *run = (PictureRun){0};
    ASSERT_OK(rsd_threads_create(&run->threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&run->tape, run->threads, 0, &err), err);
    ASSERT_OK(tape_tensor(run->tape, &run->estimate, 4, shape, &err), err);
    ASSERT_OK(tape_tensor(run->tape, &run->target, 4, shape, &err), err);
    for (int64_t i = 0; i < batch; i++) {
        picture_natural(run->target->data + i * 3 * h * w, h, w, (uint32_t)(1 + i));
        picture_disturb(run->estimate->data + i * 3 * h * w, run->target->data + i * 3 * h * w, h, w, (uint32_t)(9 + i), 0.1f);
    }
    run->estimate->needs_grad = true;
    run->tape->recording = true;
}

void picture_run_close(PictureRun *run)
{
    tape_destroy(&run->tape);
    rsd_threads_destroy(&run->threads);
}

void picture_run_loss(PictureRun *run, const char *name, const ImageNets *nets)
{
    ImageLoss *loss;
    RsdError err = {0};

    ASSERT_OK(image_loss_create(&loss, name, nets, &err), err);
    ASSERT_OK(image_loss_apply(run->tape, loss, run->estimate, run->target, &run->value, &err), err);
    cr_assert_eq(tensor_count(run->value), 1);
    ASSERT_OK(tape_backward(run->tape, run->value, &err), err);
    cr_assert_not_null(run->estimate->grad, "%s: no gradient", name);
    cr_assert_null(run->target->grad, "%s: the target got a gradient", name);
    image_loss_destroy(&loss);
}
