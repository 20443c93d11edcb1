/* test_optimizer.c - Adam and Muon against the textbook in double; clipping; averages; threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/kernels/kernels.h"
#include "engine/weights/half.h"
#include "tests/shared.h"
#include "tests/trainer/thread_group.h"
#include "trainer/loss_scale.h"
#include "trainer/optimizer.h"
#include "trainer/orthogonal.h"

#define N_STEPS 40

static const int64_t SHAPES[][2] = {{3, 5}, {1, 1}, {130, 140}}; /* the last one spans several blocks */
#define N_TENSORS 3
#define N_ALL (15 + 1 + 18200)

static ParamSet *make_params(void)
{
    ParamSet *params;
    Tensor *tensor;
    Rng rng = rng_at(5, RNG_TEST, 0, 0);
    RsdError err = {0};

    cr_assert_eq(params_create(&params, &err), RSD_OK);
    for (int i = 0; i < N_TENSORS; i++) {
        char name[8] = {'p', (char)('0' + i)};

        cr_assert_eq(params_add(params, name, 2, SHAPES[i], true, &tensor, &err), RSD_OK);
        params_fill_uniform(tensor, &rng, 1.0f);
        name[0] = 's';
        cr_assert_eq(params_add(params, name, 2, SHAPES[i], false, &tensor, &err), RSD_OK);
    }
    return params;
}

static void fill_grads(ParamSet *params, int step)
{
    for (size_t i = 0; i < params->n_items; i++) {
        Rng rng = rng_at(6, RNG_TEST, (uint64_t)step, (uint32_t)i);

        if (params->items[i].trainable)
            for (int64_t j = 0; j < tensor_count(params->items[i].tensor); j++)
                params->items[i].tensor->grad[j] = 0.1f * rng_normal(&rng);
    }
}

static void flatten(const ParamSet *params, double *weights, double *grads)
{
    int64_t at = 0;

    for (size_t i = 0; i < params->n_items; i++)
        for (int64_t j = 0; params->items[i].trainable && j < tensor_count(params->items[i].tensor); j++, at++) {
            if (weights)
                weights[at] = (double)params->items[i].tensor->data[j];
            if (grads)
                grads[at] = (double)params->items[i].tensor->grad[j];
        }
    cr_assert_eq(at, N_ALL);
}

static void compare_with_textbook(OptimizerKind kind, float clip)
{
    static double w[N_ALL], m[N_ALL], v[N_ALL], average[N_ALL], grads[N_ALL], result[N_ALL];
    OptimizerConfig cfg = {.kind = (int)kind,
                           .beta1 = 0.8f,
                           .beta2 = 0.95f,
                           .epsilon = 1e-8f,
                           .weight_decay = 0.1f,
                           .clip_norm = clip,
                           .ema_decay = 0.9f};
    double b1 = (double)cfg.beta1, b2 = (double)cfg.beta2,
           decay = kind == OPTIMIZER_ADAMW ? (double)cfg.weight_decay : 0.0;
    ParamSet *params = make_params();
    Optimizer *opt;
    RsdThreads *threads;

    cr_assert_eq(rsd_threads_create(&threads, 2, NULL), RSD_OK);
    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    flatten(params, w, NULL);
    memcpy(average, w, sizeof w);
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    for (int t = 1; t <= N_STEPS; t++) {
        double norm = 0.0, scale, lr = 0.01 / t, d = fmin(0.9, (1.0 + t) / (10.0 + t)), found;

        fill_grads(params, t);
        flatten(params, NULL, grads);
        for (int i = 0; i < N_ALL; i++)
            norm += grads[i] * grads[i];
        norm = sqrt(norm);
        found = optimizer_grad_norm(opt, threads);
        cr_expect_float_eq(found, norm, 1e-9 * norm);
        scale = clip > 0 && norm > (double)clip ? (double)clip / norm : 1.0;
        for (int i = 0; i < N_ALL; i++) {
            double g = scale * grads[i];

            m[i] = b1 * m[i] + (1 - b1) * g;
            v[i] = b2 * v[i] + (1 - b2) * g * g;
            w[i] = w[i] * (1 - lr * decay) - lr * (m[i] / (1 - pow(b1, t))) / (sqrt(v[i] / (1 - pow(b2, t))) + 1e-8);
            average[i] += (1 - d) * (w[i] - average[i]);
        }
        optimizer_update(opt, (float)lr, found, threads);
    }
    flatten(params, result, NULL);
    for (int i = 0; i < N_ALL; i++)
        cr_assert_float_eq(result[i], w[i], 2e-6, "weight %d: %.9g, expected %.9g", i, result[i], w[i]);
    optimizer_swap_average(opt);
    flatten(params, result, NULL);
    for (int i = 0; i < N_ALL; i++)
        cr_assert_float_eq(result[i], average[i], 2e-6, "average %d: %.9g, expected %.9g", i, result[i], average[i]);
    optimizer_destroy(&opt);
    params_destroy(&params);
    rsd_threads_destroy(&threads);
}

Test(optimizer, adam_follows_the_textbook)
{
    compare_with_textbook(OPTIMIZER_ADAM, 0.0f);
}

Test(optimizer, adamw_with_clipping_follows_the_textbook)
{
    compare_with_textbook(OPTIMIZER_ADAMW, 3.0f);
}

static void run(OptimizerKind kind, int n_threads, double *weights, double *norm)
{
    OptimizerConfig cfg = {.kind = (int)kind,
                           .beta1 = 0.8f,
                           .beta2 = 0.95f,
                           .epsilon = 1e-8f,
                           .muon_scale = 20.0f,
                           .muon_beta = 0.95f,
                           .clip_norm = 1.0f,
                           .ema_decay = 0.99f};
    ParamSet *params = make_params();
    Optimizer *opt;
    RsdThreads *threads;

    cr_assert_eq(rsd_threads_create(&threads, n_threads, NULL), RSD_OK);
    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    for (int t = 0; t < 3; t++) {
        fill_grads(params, t);
        *norm = optimizer_grad_norm(opt, threads);
        optimizer_update(opt, 0.01f, *norm, threads);
    }
    flatten(params, weights, NULL);
    optimizer_destroy(&opt);
    params_destroy(&params);
    rsd_threads_destroy(&threads);
}

Test(optimizer, threads_change_no_bit)
{
    static double one[N_ALL], three[N_ALL];
    double norm_one, norm_three;

    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_MUON; kind++) {
        run((OptimizerKind)kind, 1, one, &norm_one);
        run((OptimizerKind)kind, 3, three, &norm_three);
        cr_expect_eq(norm_one, norm_three);
        cr_expect_eq(memcmp(one, three, sizeof one), 0, "method %d", kind);
    }
}

/* p0 [3, 5] and p2 [130, 140] are matrices, p1 [1, 1] is not. */
Test(optimizer, muon_moves_matrices_by_their_orthogonalised_momentum_and_the_rest_by_adam)
{
    static float m[N_ALL], step[N_ALL], scratch[130 * 140 + 5 * 130 * 130];
    static double w[N_ALL], grads[N_ALL], result[N_ALL];
    OptimizerConfig cfg = {.kind = OPTIMIZER_MUON,
                           .beta1 = 0.8f,
                           .beta2 = 0.95f,
                           .epsilon = 1e-8f,
                           .weight_decay = 0.1f,
                           .muon_scale = 20.0f,
                           .muon_beta = 0.9f};
    const double lr = 0.01, beta = 0.9;
    const Kernels *kernels = kernels_named("ref"); /* products in float32: bfloat16 would magnify the last bit of a step */
    double m_one = 0.0, v_one = 0.0;
    ParamSet *params = make_params();
    Optimizer *opt;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels, NULL), RSD_OK);
    flatten(params, w, NULL);
    for (int t = 1; t <= 5; t++) {
        fill_grads(params, t);
        flatten(params, NULL, grads);
        for (int i = 0; i < N_ALL; i++) {
            m[i] = (float)(beta * (double)m[i] + (1 - beta) * grads[i]);
            step[i] = (float)(beta * (double)m[i] + (1 - beta) * grads[i]);
        }
        orthogonalise(kernels, 3, 5, step, scratch);
        orthogonalise(kernels, 130, 140, step + 16, scratch);
        for (int i = 0; i < N_ALL; i++)
            if (i != 15)
                w[i] = w[i] * (1 - lr * 0.1) - lr * 20.0 * (double)step[i];
        m_one = 0.8 * m_one + 0.2 * grads[15];
        v_one = 0.95 * v_one + 0.05 * grads[15] * grads[15];
        w[15] = w[15] * (1 - lr * 0.1) - lr * (m_one / (1 - pow(0.8, t))) / (sqrt(v_one / (1 - pow(0.95, t))) + 1e-8);
        optimizer_update(opt, (float)lr, 1.0, NULL);
    }
    flatten(params, result, NULL);
    for (int i = 0; i < N_ALL; i++)
        cr_assert_float_eq(result[i], w[i], 1e-4, "weight %d: %.9g, expected %.9g", i, result[i], w[i]);
    optimizer_destroy(&opt);
    params_destroy(&params);
}

Test(optimizer, swapping_twice_restores_every_bit)
{
    static double before[N_ALL], after[N_ALL];
    OptimizerConfig cfg = {.beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-8f, .ema_decay = 0.99f};
    ParamSet *params = make_params();
    Optimizer *opt;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    fill_grads(params, 0);
    optimizer_update(opt, 0.01f, 1.0, NULL);
    flatten(params, before, NULL);
    optimizer_swap_average(opt);
    flatten(params, after, NULL);
    cr_expect_neq(memcmp(before, after, sizeof before), 0);
    optimizer_swap_average(opt);
    flatten(params, after, NULL);
    cr_expect_eq(memcmp(before, after, sizeof before), 0);
    optimizer_destroy(&opt);
    params_destroy(&params);
}

Test(optimizer, averages_of_weights_from_elsewhere_start_from_them)
{
    static double given[N_ALL], average[N_ALL];
    OptimizerConfig cfg = {.beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-8f, .ema_decay = 0.99f};
    ParamSet *params = make_params();
    Optimizer *opt;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    for (size_t i = 0; i < params->n_items; i++)
        for (int64_t j = 0; j < tensor_count(params->items[i].tensor); j++)
            params->items[i].tensor->data[j] = 3.0f + (float)j;
    optimizer_restart_average(opt);
    flatten(params, given, NULL);
    optimizer_swap_average(opt);
    flatten(params, average, NULL);
    cr_assert_arr_eq(given, average, sizeof given);
    optimizer_destroy(&opt);
    params_destroy(&params);
}

Test(optimizer, infinite_and_nan_gradients_show_in_the_norm)
{
    OptimizerConfig cfg = {.beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-8f};
    ParamSet *params = make_params();
    Optimizer *opt;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    fill_grads(params, 0);
    params->items[4].tensor->grad[12345] = NAN;
    cr_expect_not(isfinite(optimizer_grad_norm(opt, NULL)));
    params->items[4].tensor->grad[12345] = -INFINITY;
    cr_expect_not(isfinite(optimizer_grad_norm(opt, NULL)));
    optimizer_destroy(&opt);
    params_destroy(&params);
}

Test(optimizer, climbs_along_the_gradient_and_comes_back_to_the_bit)
{
    static double before[N_ALL], grads[N_ALL], there[N_ALL], after[N_ALL];
    OptimizerConfig cfg = {.beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .sam_radius = 0.25f};
    ParamSet *params = make_params();
    Optimizer *opt;
    double distance = 0.0, along = 0.0, norm;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    fill_grads(params, 1);
    flatten(params, before, grads);
    norm = optimizer_grad_norm(opt, NULL);
    cr_assert_eq(optimizer_climb(opt, norm, NULL), RSD_OK);
    flatten(params, there, NULL);
    for (int i = 0; i < N_ALL; i++) {
        distance += (there[i] - before[i]) * (there[i] - before[i]);
        along += (there[i] - before[i]) * grads[i];
    }
    cr_expect_float_eq(sqrt(distance), 0.25, 1e-4);
    cr_expect_float_eq(along, 0.25 * norm, 1e-4 * norm);
    optimizer_climb_back(opt);
    flatten(params, after, NULL);
    cr_expect_arr_eq(before, after, sizeof before);
    cr_assert_eq(optimizer_climb(opt, NAN, NULL), RSD_OK);
    flatten(params, after, NULL);
    cr_expect_arr_eq(before, after, sizeof before, "no direction, no move");
    optimizer_destroy(&opt);
    params_destroy(&params);
}

/* ---- 16 bits ---- */

static float kept_in(int format, float x)
{
    return format == WEIGHTS_F16 ? half_to_float(half_from_float(x)) : bfloat_to_float(bfloat_from_float(x));
}

/* Updates far below the spacing of 16-bit numbers: they add up in the masters as they do in float32, and weights are the nearest of
 * them. */
Test(optimizer, masters_keep_what_16_bits_would_lose)
{
    for (int format = WEIGHTS_BF16; format <= WEIGHTS_F16; format++) {
        const OptimizerConfig plain = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f};
        OptimizerConfig half = plain;
        ParamSet *params[2] = {make_params(), make_params()};
        Optimizer *opts[2];
        int64_t n_stuck = 0;

        half.weights = format;
        for (int i = 0; i < 2; i++)
            cr_assert_eq(optimizer_create(&opts[i], i ? &half : &plain, params[i], kernels_pick(), NULL), RSD_OK);
        cr_assert_null(opts[0]->master);
        memcpy(opts[1]->master, opts[0]->average, (size_t)opts[0]->n_elements * sizeof(float)); /* begin at the same float32 numbers */
        for (int step = 0; step < 30; step++)
            for (int i = 0; i < 2; i++) {
                fill_grads(params[i], 3); /* the same in each step: Adam moves by the rate */
                optimizer_update(opts[i], 1e-6f, optimizer_grad_norm(opts[i], NULL), NULL);
            }
        for (int64_t at = 0, i = 0; i < (int64_t)params[1]->n_items; i++)
            for (int64_t k = 0; params[1]->items[i].trainable && k < tensor_count(params[1]->items[i].tensor); k++, at++) {
                const float weight = params[1]->items[i].tensor->data[k], whole = params[0]->items[i].tensor->data[k];

                cr_assert_eq(weight, kept_in(format, opts[1]->master[at]));
                cr_assert_float_eq(opts[1]->master[at], whole, 1e-6 * fabs(whole) + 1e-8, "%g, in float32 %g", (double)opts[1]->master[at],
                                   (double)whole);
                n_stuck += kept_in(format, kept_in(format, whole) + 1e-6f) == kept_in(format, whole);
            }
        cr_expect_gt(n_stuck, N_ALL / 2, "the steps of this test are small: %lld", (long long)n_stuck);
        optimizer_swap_average(opts[1]);
        optimizer_swap_average(opts[1]);
        for (int i = 0; i < 2; i++) {
            optimizer_destroy(&opts[i]);
            params_destroy(&params[i]);
        }
    }
}

Test(optimizer, gradients_of_16_bits_need_a_scaled_loss)
{
    const OptimizerConfig cfg = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-8f, .weights = WEIGHTS_F16};
    ParamSet *params = make_params();
    float *grad = params->items[0].tensor->grad;
    Optimizer *opt;

    cr_assert_eq(optimizer_create(&opt, &cfg, params, kernels_pick(), NULL), RSD_OK);
    params_zero_grad(params);
    grad[0] = 1e-9f;
    optimizer_round_grads(opt, 1.0f, NULL);
    cr_expect_eq(grad[0], 0.0f, "below what binary16 holds");
    grad[0] = 1e-9f * 65536.0f;
    optimizer_round_grads(opt, 65536.0f, NULL);
    cr_expect_float_eq(grad[0], 1e-9f, 1e-12f, "%g", (double)grad[0]);
    grad[0] = 2.0f * 65536.0f;
    optimizer_round_grads(opt, 65536.0f, NULL);
    cr_expect(isinf(grad[0]) && isinf(optimizer_grad_norm(opt, NULL)));
    optimizer_destroy(&opt);
    params_destroy(&params);
}

Test(loss_scale, goes_down_at_once_and_up_slowly)
{
    LossScale scale;

    loss_scale_init(&scale, true);
    cr_expect(loss_scale_follow(&scale, false));
    cr_expect_eq(scale.value, LOSS_SCALE_FIRST / 2.0f);
    for (int i = 0; i < LOSS_SCALE_GROWS_AFTER; i++)
        cr_expect_not(loss_scale_follow(&scale, true));
    cr_expect_eq(scale.value, LOSS_SCALE_FIRST);
    for (float value = LOSS_SCALE_FIRST; value > 1.0f; value /= 2.0f)
        cr_expect(loss_scale_follow(&scale, false));
    cr_expect_eq(scale.value, 1.0f);
    cr_expect_not(loss_scale_follow(&scale, false), "nothing is scaled any more: the gradient itself is not finite");
    loss_scale_init(&scale, false);
    cr_expect_not(loss_scale_follow(&scale, false));
    cr_expect_eq(scale.value, 1.0f);
}

/* ---- members of a group ---- */

#define N_MATRICES 7

/* Matrices of several sizes, so that each member gets some, and a vector. */
static ParamSet *make_matrices(void)
{
    ParamSet *params;
    Tensor *tensor;
    Rng rng = rng_at(8, RNG_TEST, 0, 0);
    RsdError err = {0};

    ASSERT_OK(params_create(&params, &err), err);
    for (int i = 0; i < N_MATRICES; i++) {
        const int64_t shape[2] = {6 + 5 * (i % 3), 14 + 9 * (i % 4)};
        char name[8] = {'m', (char)('0' + i)};

        ASSERT_OK(params_add(params, name, 2, shape, true, &tensor, &err), err);
        params_fill_uniform(tensor, &rng, 1.0f);
    }
    ASSERT_OK(params_add(params, "vector", 1, (const int64_t[]){50}, true, &tensor, &err), err);
    params_fill_uniform(tensor, &rng, 1.0f);
    return params;
}

/* Weights, momentum and averages after some steps on gradients that are the same in each member. */
static void run_member(void *ctx, Group *group)
{
    float *const *results = ctx;
    const OptimizerConfig cfg = {.kind = OPTIMIZER_MUON, .beta1 = 0.8f, .beta2 = 0.95f, .epsilon = 1e-8f, .muon_scale = 0.3f,
                                 .muon_beta = 0.9f, .weight_decay = 0.1f, .clip_norm = 1.0f, .ema_decay = 0.9f};
    ParamSet *params = make_matrices();
    float *to = results[group_rank(group)];
    RsdThreads *threads;
    Optimizer *opt;
    RsdError err = {0};

    ASSERT_OK(rsd_threads_create(&threads, 2, &err), err);
    ASSERT_OK(optimizer_create(&opt, &cfg, params, kernels_pick(), &err), err);
    ASSERT_OK(optimizer_join(opt, group, &err), err);
    for (int step = 0; step < 5; step++) {
        fill_grads(params, step);
        optimizer_update(opt, 0.01f, optimizer_grad_norm(opt, threads), threads);
    }
    for (size_t i = 0; i < params->n_items; to += tensor_count(params->items[i++].tensor))
        memcpy(to, params->items[i].tensor->data, (size_t)tensor_count(params->items[i].tensor) * sizeof *to);
    memcpy(to, opt->m, (size_t)opt->n_elements * sizeof *to);
    memcpy(to + opt->n_elements, opt->average, (size_t)opt->n_elements * sizeof *to);
    optimizer_destroy(&opt);
    params_destroy(&params);
    rsd_threads_destroy(&threads);
}

Test(optimizer, members_that_share_out_the_matrices_have_the_bits_of_one_alone)
{
    static float alone[20000], first[20000], second[20000], third[20000];
    float *const one[] = {alone}, *const three[] = {first, second, third};

    run_member((void *)one, NULL);
    thread_group_run(3, run_member, (void *)three);
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < 20000; i++)
            cr_assert_eq(three[r][i], alone[i], "member %d, number %d: %a, alone %a", r, i, (double)three[r][i], (double)alone[i]);
}
