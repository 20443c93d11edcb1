/* test_patch_critic.c - the critic of pictures: shapes, receptive field, context, classes, learning.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "losses/adversarial.h"
#include "models/patch_critic.h"
#include "tests/shared.h"

static RsdThreads *threads;
static Tape *tape;
static ParamSet *params;
static PatchCritic *critic;
static RsdError err;

static void set_up(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(params_create(&params, &err), err);
    tape->recording = true;
    critic = NULL;
}

static void tear_down(void)
{
    patch_critic_destroy(&critic);
    params_destroy(&params);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(patch_critic, .init = set_up, .fini = tear_down);

static Tensor *picture(int64_t batch, int64_t c, int64_t h, int64_t w, uint64_t seed, float scale)
{
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);
    Tensor *x;

    ASSERT_OK(tape_tensor(tape, &x, 4, (const int64_t[]){batch, c, h, w}, &err), err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = scale * rng_normal(&rng);
    return x;
}

static void open_critic(PatchCriticConfig config)
{
    ASSERT_OK(patch_critic_create(&critic, &config, params, 1, &err), err);
    ASSERT_OK(patch_critic_begin(critic, tape, &err), err);
}

Test(patch_critic, published_form_has_its_widths_and_sees_70_pixels)
{
    CriticMaps maps;
    Tensor *x = picture(1, 3, 96, 96, 1, 1.0f);
    static const int64_t widths[] = {4, 8, 16, 32}, sides[] = {48, 24, 12, 11};
    float *grad;
    int first = 96, last = -1;

    open_critic((PatchCriticConfig){.channels = 3, .base_channels = 4, .n_strided = 3, .n_classes = 1, .slope = 0.2f});
    x->needs_grad = true;
    ASSERT_OK(patch_critic_judge(critic, tape, x, NULL, &maps, &err), err);
    cr_assert_eq(maps.n_maps, 4);
    for (int i = 0; i < 4; i++)
        cr_expect(maps.maps[i]->shape[1] == widths[i] && maps.maps[i]->shape[2] == sides[i], "layer %d: %lld of %lld", i,
                  (long long)maps.maps[i]->shape[1], (long long)maps.maps[i]->shape[2]);
    cr_assert(maps.logits->shape[1] == 1 && maps.logits->shape[2] == 10 && maps.logits->shape[3] == 10);
    /* The gradient of one logit in the middle reaches as far as its patch. */
    grad = calloc(100, sizeof *grad);
    grad[5 * 10 + 5] = 1.0f;
    ASSERT_OK(tape_backward_from(tape, maps.logits, grad, &err), err);
    free(grad);
    for (int line = 0; line < 96; line++)
        for (int i = 0; i < 96; i++)
            if (x->grad[line * 96 + i] != 0.0f) {
                first = i < first ? i : first;
                last = i > last ? i : last;
            }
    cr_expect_eq(last - first + 1, 70, "from %d to %d", first, last);
}

Test(patch_critic, hears_the_latent_when_conditional)
{
    CriticMaps a, b;
    Tensor *x = picture(2, 3, 32, 32, 1, 1.0f), *latent = picture(2, 5, 2, 2, 2, 1.0f), *other = picture(2, 5, 2, 2, 3, 1.0f);

    open_critic((PatchCriticConfig){.channels = 3, .base_channels = 4, .n_strided = 2, .n_classes = 7,
                                    .latent_channels = 5, .context_channels = 3, .slope = 0.2f});
    ASSERT_OK(patch_critic_judge(critic, tape, x, latent, &a, &err), err);
    ASSERT_OK(patch_critic_judge(critic, tape, x, other, &b, &err), err);
    cr_assert_eq(a.logits->shape[1], 7);
    cr_assert_neq(difference_f32("logits", a.logits->data, b.logits->data, tensor_count(a.logits), ((Tolerance){.abs = 1e-3})),
                  NULL);
    ASSERT_FAILS(patch_critic_judge(critic, tape, x, NULL, &a, &err), RSD_ERR_ARG, err, "needs a latent");
}

Test(patch_critic, class_losses_are_cross_entropies)
{
    /* Two places, three classes. */
    const float real[6] = {0.0f, 1.0f, 2.0f, -1.0f, 0.5f, 3.0f}, fake[6] = {1.0f, 0.0f, 0.0f, 0.0f, -2.0f, 1.0f};
    const uint16_t labels[2] = {1, 2}, wrong[2] = {1, 3};
    double on_real = 0.0, on_fake = 0.0, generator = 0.0;
    Tensor *x, *y, *value;

    for (int place = 0; place < 2; place++) {
        double sum_real = 0.0, sum_fake = 0.0;

        for (int k = 0; k < 3; k++) {
            sum_real += exp((double)real[2 * k + place]);
            sum_fake += exp((double)fake[2 * k + place]);
        }
        on_real += (log(sum_real) - (double)real[2 * labels[place] + place]) / 2;
        on_fake += (log(sum_fake) - (double)fake[place]) / 2;
        generator += (log(sum_fake) - (double)fake[2 * labels[place] + place]) / 2;
    }
    ASSERT_OK(tape_input(tape, &x, 4, (const int64_t[]){1, 3, 1, 2}, real, &err), err);
    ASSERT_OK(tape_input(tape, &y, 4, (const int64_t[]){1, 3, 1, 2}, fake, &err), err);
    ASSERT_OK(class_critic_loss(tape, x, y, labels, &value, &err), err);
    ASSERT_CLOSE("critic", (double)value->data[0], 0.5 * (on_real + on_fake), ((Tolerance){.rel = 1e-5}));
    ASSERT_OK(class_generator_loss(tape, y, labels, &value, &err), err);
    ASSERT_CLOSE("generator", (double)value->data[0], generator, ((Tolerance){.rel = 1e-5}));
    ASSERT_FAILS(class_generator_loss(tape, y, wrong, &value, &err), RSD_ERR_ARG, err, "label 3");
}

/* Plain descent on the critic's loss: rough pictures against smooth ones, told apart by kind as well. */
Test(patch_critic, learns_to_tell_kinds_of_content_from_what_is_generated)
{
    enum { SIDE = 16 };
    double first = 0.0, last = 0.0;
    uint16_t labels[4 * 9];

    open_critic((PatchCriticConfig){.channels = 1, .base_channels = 6, .n_strided = 2, .n_classes = 3, .slope = 0.2f});
    for (int step = 0; step < 60; step++) {
        Tensor *real, *fake, *value;
        CriticMaps on_real, on_fake;
        int64_t places;

        tape_reset(tape);
        real = picture(4, 1, SIDE, SIDE, (uint64_t)step, 0.5f);
        for (int64_t i = 0; i < 2 * SIDE * SIDE; i++) /* the first two are brighter: kind 1, the others kind 2 */
            real->data[i] += 1.5f;
        fake = picture(4, 1, SIDE, SIDE, 1000 + (uint64_t)step, 0.05f);
        ASSERT_OK(patch_critic_begin(critic, tape, &err), err);
        ASSERT_OK(patch_critic_judge(critic, tape, real, NULL, &on_real, &err), err);
        ASSERT_OK(patch_critic_judge(critic, tape, fake, NULL, &on_fake, &err), err);
        places = on_real.logits->shape[2] * on_real.logits->shape[3];
        cr_assert_leq(places, 9);
        for (int64_t i = 0; i < 4 * places; i++)
            labels[i] = i < 2 * places ? 1 : 2;
        ASSERT_OK(class_critic_loss(tape, on_real.logits, on_fake.logits, labels, &value, &err), err);
        params_zero_grad(params);
        ASSERT_OK(tape_backward(tape, value, &err), err);
        for (size_t i = 0; i < params->n_items; i++)
            for (int64_t j = 0; j < tensor_count(params->items[i].tensor); j++)
                params->items[i].tensor->data[j] -= 0.05f * params->items[i].tensor->grad[j];
        if (step == 0)
            first = (double)value->data[0];
        last = (double)value->data[0];
    }
    cr_expect_lt(last, 0.6 * first, "%g at first, %g at last", first, last);
}

Test(patch_critic, what_cannot_be_is_refused)
{
    PatchCriticConfig config = {.channels = 3, .base_channels = 4, .n_strided = 9, .n_classes = 1};
    CriticMaps maps;

    ASSERT_FAILS(patch_critic_create(&critic, &config, params, 1, &err), RSD_ERR_ARG, err, "9 strided layers");
    config.n_strided = 3;
    open_critic(config);
    ASSERT_FAILS(patch_critic_judge(critic, tape, picture(1, 3, 31, 64, 1, 1.0f), NULL, &maps, &err), RSD_ERR_ARG, err,
                 "at least 32 x 32");
}
