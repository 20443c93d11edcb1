/* test_balancer.c - the balancer against published numbers, and what it promises about damaged and absent gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "losses/balancer.h"

#define FOLDER "golden/losses_audio/balancer/"
#define N_LOSSES 4

static const char *const names[N_LOSSES] = {"adv", "feat", "l1", "msspec"};

static BalancerConfig config_of(const json_t *entry)
{
    BalancerConfig c = {.n_losses = N_LOSSES, .ema_decay = 0.999f, .total_norm = 1.0f, .per_batch_item = true,
                        .balance_grads = true};
    const json_t *value;

    for (int i = 0; i < N_LOSSES; i++)
        c.weights[i] = (float)json_number_value(json_object_get(json_object_get(entry, "weights"), names[i]));
    if ((value = json_object_get(entry, "ema_decay")))
        c.ema_decay = (float)json_number_value(value);
    if ((value = json_object_get(entry, "total_norm")))
        c.total_norm = (float)json_number_value(value);
    if ((value = json_object_get(entry, "per_batch_item")))
        c.per_batch_item = json_is_true(value);
    if ((value = json_object_get(entry, "balance_grads")))
        c.balance_grads = json_is_true(value);
    return c;
}

static void check_variant(const char *name, const json_t *entry, const json_t *steps, const Npy *grads, const Npy *x,
                          Tolerance of_grads, Tolerance of_steps)
{
    const BalancerConfig config = config_of(entry);
    const int64_t n_steps = grads->shape[0], batch = grads->shape[2], count = x->count;
    const json_t *run = json_object_get(steps, name);
    SharedPath path;
    char file[128], what[128];
    Balancer balancer;
    Npy expected;
    RsdError err;

    snprintf(file, sizeof file, FOLDER "%s.grad_out.npy", name);
    npy_load(&expected, shared_path(&path, file));
    cr_assert_eq(expected.count, n_steps * count);
    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    for (int64_t s = 0; s < n_steps; s++) {
        const float *parts[N_LOSSES];
        float out[256], shares[N_LOSSES];
        const json_t *effective = json_array_get(json_object_get(run, "effective_loss"), (size_t)s);
        const json_t *metrics = json_array_get(json_object_get(run, "metrics"), (size_t)s);
        double sum = 0.0;

        cr_assert_leq(count, 256);
        for (int i = 0; i < N_LOSSES; i++)
            parts[i] = grads->f32 + (s * N_LOSSES + i) * count;
        ASSERT_OK(balancer_apply(&balancer, parts, batch, count / batch, out, shares, &err), err);
        snprintf(what, sizeof what, "%s, step %lld", name, (long long)s);
        ASSERT_CLOSE_F32(what, out, expected.f32 + s * count, count, of_grads);
        for (int i = 0; i < N_LOSSES; i++) {
            snprintf(file, sizeof file, "ratio_%s", names[i]);
            snprintf(what, sizeof what, "%s, step %lld, share of %s", name, (long long)s, names[i]);
            ASSERT_CLOSE(what, shares[i], json_number_at(metrics, file), of_steps);
        }
        /* each golden loss is its gradient times x, so the effective loss is the combined gradient times x */
        for (int64_t i = 0; i < count; i++)
            sum += (double)out[i] * x->f64[i];
        snprintf(what, sizeof what, "%s, step %lld, effective loss", name, (long long)s);
        if (json_is_number(effective))
            ASSERT_CLOSE(what, sum, json_number_value(effective),
                         of_steps);
    }
    npy_free(&expected);
}

Test(balancer, gives_the_published_gradients_and_shares)
{
    SharedPath path;
    json_t *index, *steps, *entry;
    const char *name;
    Npy grads, x;
    Tolerance of_grads, of_steps;
    int n_variants = 0;

    NEED_SHARED("golden/losses_audio/balancer");
    index = json_file_load(shared_path(&path, FOLDER "index.json"));
    steps = json_file_load(shared_path(&path, FOLDER "steps.json"));
    npy_load(&grads, shared_path(&path, FOLDER "grads_in.npy"));
    npy_load(&x, shared_path(&path, FOLDER "x.npy"));
    of_steps = tolerance_of(index, "steps.json");
    json_object_foreach(json_object_get(index, "config"), name, entry) {
        char file[96];

        snprintf(file, sizeof file, "%s.grad_out.npy", name);
        of_grads = tolerance_of(index, file);
        check_variant(name, entry, steps, &grads, &x, of_grads, of_steps);
        n_variants++;
    }
    cr_assert_eq(n_variants, 5);
    npy_free(&grads);
    npy_free(&x);
    json_decref(index);
    json_decref(steps);
}

Test(balancer, losses_of_very_different_scale_get_equal_norms)
{
    const BalancerConfig config = {.n_losses = 2, .weights = {1.0f, 1.0f}, .ema_decay = 0.9f, .total_norm = 1.0f,
                                   .per_batch_item = true, .balance_grads = true};
    const float small[4] = {1e-6f, 0, 0, 1e-6f}, large[4] = {0, 100.0f, -100.0f, 0}, *parts[2] = {small, large};
    float out[4];
    Balancer balancer;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    for (int step = 0; step < 3; step++) {
        ASSERT_OK(balancer_apply(&balancer, parts, 2, 2, out, NULL, &err), err);
        ASSERT_CLOSE_F32("half each", out, ((const float[]){0.5f, 0.5f, -0.5f, 0.5f}), 4, ((Tolerance){.rel = 1e-5}));
    }
}

Test(balancer, an_absent_loss_leaves_its_part_to_the_others_and_keeps_its_average)
{
    const BalancerConfig config = {.n_losses = 2, .weights = {1.0f, 3.0f}, .ema_decay = 0.5f, .total_norm = 1.0f,
                                   .per_batch_item = true, .balance_grads = true};
    const float a[2] = {3.0f, 4.0f}, b[2] = {0.0f, 2.0f}, *both[2] = {a, b}, *one[2] = {a, NULL};
    float out[2], shares[2];
    Balancer balancer;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    ASSERT_OK(balancer_apply(&balancer, both, 1, 2, out, shares, &err), err);
    ASSERT_CLOSE_F32("both", out, ((const float[]){0.15f, 0.95f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE_F32("shares", shares, ((const float[]){5.0f / 7.0f, 2.0f / 7.0f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_OK(balancer_apply(&balancer, one, 1, 2, out, shares, &err), err);
    ASSERT_CLOSE_F32("one", out, ((const float[]){0.6f, 0.8f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE_F32("shares", shares, ((const float[]){1.0f, 0.0f}), 2, ((Tolerance){.rel = 1e-6}));
    cr_assert_eq(balancer.total[1], 2.0);
    cr_assert_eq(balancer.count[1], 1.0);
}

Test(balancer, silence_gives_zeros_and_nan_gives_an_error_without_touching_the_averages)
{
    const BalancerConfig config = {.n_losses = 1, .weights = {1.0f}, .ema_decay = 0.5f, .total_norm = 1.0f,
                                   .per_batch_item = true, .balance_grads = true};
    const float zeros[2] = {0}, bad[2] = {1.0f, NAN}, *parts[1] = {zeros};
    float out[2] = {9.0f, 9.0f}, share;
    Balancer balancer, before;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    ASSERT_OK(balancer_apply(&balancer, parts, 1, 2, out, &share, &err), err);
    cr_assert(out[0] == 0.0f && out[1] == 0.0f && share == 0.0f);
    before = balancer;
    parts[0] = bad;
    ASSERT_FAILS(balancer_apply(&balancer, parts, 1, 2, out, NULL, &err), RSD_ERR_NUMERIC, err, "loss 0");
    cr_assert(balancer.total[0] == before.total[0] && balancer.count[0] == before.count[0]);
    parts[0] = NULL;
    ASSERT_FAILS(balancer_apply(&balancer, parts, 1, 2, out, NULL, &err), RSD_ERR_ARG, err, "no gradient");
}

Test(balancer, impossible_configurations_are_refused)
{
    const BalancerConfig good = {.n_losses = 1, .weights = {1.0f}, .ema_decay = 0.5f, .total_norm = 1.0f};
    BalancerConfig c = good;
    Balancer balancer;
    RsdError err;

    c.n_losses = BALANCER_MAX_LOSSES + 1;
    ASSERT_FAILS(balancer_init(&balancer, &c, &err), RSD_ERR_ARG, err, "17 losses");
    c = good;
    c.ema_decay = 1.0f;
    ASSERT_FAILS(balancer_init(&balancer, &c, &err), RSD_ERR_ARG, err, "decay");
    c = good;
    c.weights[0] = NAN;
    ASSERT_FAILS(balancer_init(&balancer, &c, &err), RSD_ERR_ARG, err, "weight 0");
    c = good;
    c.total_norm = 0.0f;
    ASSERT_FAILS(balancer_init(&balancer, &c, &err), RSD_ERR_ARG, err, "total norm");
}
