/* test_r3_critic.c - R3GAN's critic: its start, its penalty against finite differences and against noise, learning.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/ops/arithmetic.h"
#include "losses/adversarial.h"
#include "models/r3_critic.h"
#include "tests/shared.h"

static RsdThreads *threads;
static Tape *tape;
static ParamSet *params;
static R3Critic *critic;
static RsdError err;

static const R3CriticConfig SMALL = {.channels = 2, .n_stages = 2, .widths = {4, 6}, .n_blocks = 2, .group_width = 4, .slope = 0.2f};

static void set_up(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    ASSERT_OK(params_create(&params, &err), err);
    ASSERT_OK(r3_critic_create(&critic, &SMALL, params, 1, &err), err);
    tape->recording = true;
}

static void tear_down(void)
{
    r3_critic_destroy(&critic);
    params_destroy(&params);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(r3_critic, .init = set_up, .fini = tear_down);

static Tensor *picture(uint64_t seed, float scale)
{
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);
    Tensor *x;

    ASSERT_OK(tape_tensor(tape, &x, 4, (const int64_t[]){2, 2, 9, 8}, &err), err);
    for (int64_t i = 0; i < tensor_count(x); i++)
        x->data[i] = scale * rng_normal(&rng);
    return x;
}

/* Layers that start at 0 get numbers, so that all of the network takes part. */
static void disturb(void)
{
    Rng rng = rng_at(8, RNG_TEST, 0, 0);

    for (size_t i = 0; i < params->n_items; i++)
        for (int64_t k = 0; k < tensor_count(params->items[i].tensor); k++)
            params->items[i].tensor->data[k] += 0.15f * rng_normal(&rng);
}

static double mean_verdict(Tensor *x, int64_t item)
{
    CriticMaps maps;
    int64_t n;
    double sum = 0.0;

    ASSERT_OK(r3_critic_judge(critic, tape, x, &maps, &err), err);
    n = tensor_count(maps.logits) / x->shape[0];
    for (int64_t i = 0; i < n; i++)
        sum += maps.logits->data[item * n + i] / (double)n;
    return sum;
}

/* |grad D|^2 / 2 in the mean over items, by one backward pass. */
static double half_slope(void)
{
    Tensor *x, *leaf, *value;
    double sum = 0.0;

    tape_reset(tape);
    ASSERT_OK(r3_critic_begin(critic, tape, &err), err);
    x = picture(3, 1.0f);
    for (int64_t item = 0; item < 2; item++) {
        CriticMaps maps;
        float *dy;
        int64_t n;

        ASSERT_OK(tape_leaf(tape, x, true, &leaf, &err), err);
        ASSERT_OK(r3_critic_judge(critic, tape, leaf, &maps, &err), err);
        n = tensor_count(maps.logits) / 2;
        dy = calloc((size_t)(2 * n), sizeof *dy);
        for (int64_t i = 0; i < n; i++)
            dy[item * n + i] = 1.0f / (float)n;
        value = maps.logits;
        ASSERT_OK(tape_backward_from(tape, value, dy, &err), err);
        for (int64_t i = 0; i < tensor_count(leaf); i++)
            sum += 0.25 * (double)leaf->grad[i] * (double)leaf->grad[i];
        free(dy);
    }
    return sum;
}

Test(r3_critic, blocks_start_as_nothing_and_what_does_not_fit_is_refused)
{
    R3CriticConfig bad = SMALL;
    R3Critic *other;
    CriticMaps maps;
    Tensor *x;

    ASSERT_OK(r3_critic_begin(critic, tape, &err), err);
    ASSERT_OK(r3_critic_judge(critic, tape, picture(1, 1.0f), &maps, &err), err);
    cr_assert_eq(maps.n_maps, 4);
    ASSERT_SAME_BITS("the second block adds 0", maps.maps[1]->data, maps.maps[0]->data, tensor_count(maps.maps[0]));
    cr_expect(maps.logits->shape[0] == 2 && maps.logits->shape[1] == 1 && maps.logits->shape[2] == 5 && maps.logits->shape[3] == 4);
    ASSERT_OK(tape_tensor(tape, &x, 4, (const int64_t[]){1, 3, 8, 8}, &err), err);
    ASSERT_FAILS(r3_critic_judge(critic, tape, x, &maps, &err), RSD_ERR_ARG, err, "for 2 channels");
    bad.group_width = 3;
    ASSERT_FAILS(r3_critic_create(&other, &bad, params, 1, &err), RSD_ERR_ARG, err, "groups of 3 channels");
    bad = SMALL;
    bad.n_stages = 9;
    ASSERT_FAILS(r3_critic_create(&other, &bad, params, 1, &err), RSD_ERR_ARG, err, "9 stages");
}

Test(r3_critic, the_penalty_is_exact_in_value_and_gradient)
{
    float *grads[64];
    double slope;
    Tensor *value;
    int n_checked = 0;

    disturb();
    slope = half_slope();
    tape_reset(tape);
    ASSERT_OK(r3_critic_begin(critic, tape, &err), err);
    params_zero_grad(params);
    ASSERT_OK(r3_critic_penalty(critic, tape, picture(3, 1.0f), 3.0f, &value, &err), err);
    ASSERT_CLOSE("value", value->data[0], 3.0 * slope, ((Tolerance){.rel = 1e-4}));
    ASSERT_OK(tape_backward(tape, value, &err), err);
    cr_assert_leq(params->n_items, 64);
    for (size_t i = 0; i < params->n_items; i++) {
        const Tensor *tensor = params->items[i].tensor;

        grads[i] = malloc((size_t)tensor_count(tensor) * sizeof(float));
        memcpy(grads[i], tensor->grad, (size_t)tensor_count(tensor) * sizeof(float));
    }
    for (size_t i = 0; i < params->n_items; i++) {
        Tensor *tensor = params->items[i].tensor;
        bool is_bias = strstr(params->items[i].name, "bias") != NULL;

        for (int64_t k = 0; k < tensor_count(tensor); k += 7) {
            const float kept = tensor->data[k], step = 2e-4f;
            double up, down, wanted;

            if (is_bias) { /* moves kinks alone */
                cr_expect_eq(grads[i][k], 0.0f);
                continue;
            }
            tensor->data[k] = kept + step;
            up = half_slope();
            tensor->data[k] = kept - step;
            down = half_slope();
            tensor->data[k] = kept;
            /* a kink between the two points is no matter of the gradient */
            if (fabs(up + down - 2.0 * slope) > 1e-5 * slope)
                continue;
            wanted = 3.0 * (up - down) / (2.0 * (double)step);
            ASSERT_CLOSE(params->items[i].name, grads[i][k], wanted, ((Tolerance){.abs = 5e-3 * slope, .rel = 2e-2}));
            n_checked++;
        }
        free(grads[i]);
    }
    cr_expect_gt(n_checked, 30, "%d weights were compared", n_checked);
}

/* What adversary.c does for other critics: (D(x + s v) - D(x))^2 / s^2. */
Test(r3_critic, noise_estimates_the_same_slope)
{
    enum { N_DRAWS = 400 };
    const float sigma = 1e-3f;
    double slope, sum = 0.0, here[2];
    float *clean;
    Tensor *x;

    disturb();
    slope = half_slope();
    tape_reset(tape);
    tape->recording = false;
    ASSERT_OK(r3_critic_begin(critic, tape, &err), err);
    x = picture(3, 1.0f);
    clean = malloc((size_t)tensor_count(x) * sizeof *clean);
    memcpy(clean, x->data, (size_t)tensor_count(x) * sizeof *clean);
    here[0] = mean_verdict(x, 0), here[1] = mean_verdict(x, 1);
    for (uint32_t draw = 0; draw < N_DRAWS; draw++) {
        Rng rng = rng_at(9, RNG_TEST, 0, draw);

        for (int64_t i = 0; i < tensor_count(x); i++)
            x->data[i] = clean[i] + sigma * rng_normal(&rng);
        for (int item = 0; item < 2; item++) {
            double difference = (mean_verdict(x, item) - here[item]) / (double)sigma;

            sum += 0.25 * difference * difference / N_DRAWS;
        }
    }
    cr_expect(fabs(sum - slope) < 0.2 * slope, "noise says %g, the gradient %g", sum, slope);
    free(clean);
}

/* Real pictures are blurred ones; the critic tells them from noise while both penalties keep its slope down. */
Test(r3_critic, learns_with_the_relativistic_loss_and_both_penalties)
{
    double first = 0.0, last = 0.0;

    for (uint64_t step = 0; step < 40; step++) {
        Tensor *real, *fake, *value, *penalty;
        CriticMaps maps[2];

        tape_reset(tape);
        ASSERT_OK(r3_critic_begin(critic, tape, &err), err);
        params_zero_grad(params);
        real = picture(100 + step, 1.0f), fake = picture(1000 + step, 1.0f);
        for (int64_t i = 0; i + 1 < tensor_count(real); i++)
            real->data[i] = 0.5f + 0.3f * (real->data[i] + real->data[i + 1]);
        ASSERT_OK(r3_critic_judge(critic, tape, real, &maps[0], &err), err);
        ASSERT_OK(r3_critic_judge(critic, tape, fake, &maps[1], &err), err);
        ASSERT_OK(adversarial_critic_loss(tape, ADVERSARIAL_RELATIVISTIC, &maps[0], &maps[1], 1, &value, &err), err);
        if (step == 0)
            first = (double)value->data[0];
        last = (double)value->data[0];
        for (int i = 0; i < 2; i++) {
            ASSERT_OK(r3_critic_penalty(critic, tape, i ? fake : real, 0.1f, &penalty, &err), err);
            ASSERT_OK(op_add(tape, value, penalty, &value, &err), err);
        }
        ASSERT_OK(tape_backward(tape, value, &err), err);
        for (size_t i = 0; i < params->n_items; i++)
            for (int64_t k = 0; k < tensor_count(params->items[i].tensor); k++)
                params->items[i].tensor->data[k] -= 0.05f * params->items[i].tensor->grad[k];
    }
    cr_expect_lt(last, 0.8 * first, "loss %g at first, %g at last", first, last);
}
