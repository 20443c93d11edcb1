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

static RsdStatus apply(Balancer *balancer, const float *const *grads, int64_t batch, int64_t item_count, float *out,
                       BalancerReport *report, RsdError *err)
{
    const BalancerInput input = {.grads = grads, .batch = batch, .item_count = item_count};

    return balancer_apply(balancer, &input, out, report, err);
}

static BalancerConfig config_of(const json_t *entry)
{
    BalancerConfig c = {.n_losses = N_LOSSES, .ema_decay = 0.999f, .total_norm = 1.0f, .per_batch_item = true,
                        .kind = BALANCE_ENCODEC};
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
        c.kind = json_is_true(value) ? BALANCE_ENCODEC : BALANCE_FIXED;
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
        float out[256];
        BalancerReport report;
        const json_t *effective = json_array_get(json_object_get(run, "effective_loss"), (size_t)s);
        const json_t *metrics = json_array_get(json_object_get(run, "metrics"), (size_t)s);
        double sum = 0.0;

        cr_assert_leq(count, 256);
        for (int i = 0; i < N_LOSSES; i++)
            parts[i] = grads->f32 + (s * N_LOSSES + i) * count;
        ASSERT_OK(apply(&balancer, parts, batch, count / batch, out, &report, &err), err);
        snprintf(what, sizeof what, "%s, step %lld", name, (long long)s);
        ASSERT_CLOSE_F32(what, out, expected.f32 + s * count, count, of_grads);
        for (int i = 0; i < N_LOSSES; i++) {
            snprintf(file, sizeof file, "ratio_%s", names[i]);
            snprintf(what, sizeof what, "%s, step %lld, ratio of %s", name, (long long)s, names[i]);
            ASSERT_CLOSE(what, (double)report.ratios[i], json_number_at(metrics, file), of_steps);
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

Test(balancer, gives_the_published_gradients_and_ratios)
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
                                   .per_batch_item = true, .kind = BALANCE_ENCODEC};
    const float small[4] = {1e-6f, 0, 0, 1e-6f}, large[4] = {0, 100.0f, -100.0f, 0}, *parts[2] = {small, large};
    float out[4];
    Balancer balancer;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    for (int step = 0; step < 3; step++) {
        ASSERT_OK(apply(&balancer, parts, 2, 2, out, NULL, &err), err);
        ASSERT_CLOSE_F32("half each", out, ((const float[]){0.5f, 0.5f, -0.5f, 0.5f}), 4, ((Tolerance){.rel = 1e-5}));
    }
}

Test(balancer, an_absent_loss_leaves_its_part_to_the_others_and_keeps_its_average)
{
    const BalancerConfig config = {.n_losses = 2, .weights = {1.0f, 3.0f}, .ema_decay = 0.5f, .total_norm = 1.0f,
                                   .per_batch_item = true, .kind = BALANCE_ENCODEC};
    const float a[2] = {3.0f, 4.0f}, b[2] = {0.0f, 2.0f}, *both[2] = {a, b}, *one[2] = {a, NULL};
    float out[2];
    BalancerReport report;
    Balancer balancer;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    ASSERT_OK(apply(&balancer, both, 1, 2, out, &report, &err), err);
    ASSERT_CLOSE_F32("both", out, ((const float[]){0.15f, 0.95f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE_F32("ratios", report.ratios, ((const float[]){5.0f / 7.0f, 2.0f / 7.0f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_OK(apply(&balancer, one, 1, 2, out, &report, &err), err);
    ASSERT_CLOSE_F32("one", out, ((const float[]){0.6f, 0.8f}), 2, ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE_F32("ratios", report.ratios, ((const float[]){1.0f, 0.0f}), 2, ((Tolerance){.rel = 1e-6}));
    cr_assert_eq(balancer.total[1], 2.0);
    cr_assert_eq(balancer.count[1], 1.0);
}

Test(balancer, silence_gives_zeros_and_nan_gives_an_error_without_touching_the_averages)
{
    const BalancerConfig config = {.n_losses = 1, .weights = {1.0f}, .ema_decay = 0.5f, .total_norm = 1.0f,
                                   .per_batch_item = true, .kind = BALANCE_ENCODEC};
    const float zeros[2] = {0}, bad[2] = {1.0f, NAN}, *parts[1] = {zeros};
    float out[2] = {9.0f, 9.0f};
    BalancerReport report;
    Balancer balancer, before;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    ASSERT_OK(apply(&balancer, parts, 1, 2, out, &report, &err), err);
    cr_assert(out[0] == 0.0f && out[1] == 0.0f && report.ratios[0] == 0.0f);
    before = balancer;
    parts[0] = bad;
    ASSERT_FAILS(apply(&balancer, parts, 1, 2, out, NULL, &err), RSD_ERR_NUMERIC, err, "loss 0");
    cr_assert(balancer.total[0] == before.total[0] && balancer.count[0] == before.count[0]);
    parts[0] = NULL;
    ASSERT_FAILS(apply(&balancer, parts, 1, 2, out, NULL, &err), RSD_ERR_ARG, err, "no gradient");
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

/* ---- the other kinds ---- */

/* Two reconstruction losses and one of an adversary, of very different scales, on three samples. */
static const float near_x[3] = {2.0f, 0.0f, 0.0f}, near_y[3] = {-0.03f, 0.04f, 0.0f}, critic[3] = {0.0f, 0.0f, 500.0f};
static const float *const three[3] = {near_x, near_y, critic};

static RsdStatus first_two_samples(void *ctx, const float *grad, double *norm, RsdError *err)
{
    (void)ctx;
    (void)err;
    *norm = sqrt((double)grad[0] * (double)grad[0] + (double)grad[1] * (double)grad[1] +
                 0.01 * (double)grad[2] * (double)grad[2]);
    return RSD_OK;
}

static Balancer balancer_of(BalanceKind kind)
{
    const BalancerConfig config = {.kind = (int)kind, .n_losses = 3, .n_adversarial = 1, .weights = {1.0f, 2.0f, 0.5f},
                                   .ema_decay = 0.5f, .total_norm = 1.0f};
    Balancer balancer;
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    return balancer;
}

static void apply_three(Balancer *balancer, const double values[3], float out[3], BalancerReport *report)
{
    const BalancerInput input = {.grads = three, .values = values, .batch = 1, .item_count = 3,
                                 .last_layer_norm = first_two_samples};
    RsdError err;

    ASSERT_OK(balancer_apply(balancer, &input, out, report, &err), err);
    ASSERT_CLOSE("shares add up", (double)report->shares[0] + (double)report->shares[1] + (double)report->shares[2], 1.0,
                 ((Tolerance){.abs = 1e-5}));
}

Test(balancer, fixed_weights_add_up_and_the_shares_tell_what_each_loss_really_has)
{
    Balancer balancer = balancer_of(BALANCE_FIXED);
    BalancerReport report;
    float out[3];

    apply_three(&balancer, NULL, out, &report);
    ASSERT_CLOSE_F32("sum", out, ((const float[]){1.94f, 0.08f, 250.0f}), 3, ((Tolerance){.rel = 1e-6}));
    ASSERT_CLOSE("share", (double)report.shares[0], 2.0 * 1.94 / (1.94 * 1.94 + 0.08 * 0.08 + 250.0 * 250.0),
                 ((Tolerance){.rel = 1e-5}));
    cr_assert_lt(report.shares[1], 0.0f, "the second loss is worked against");
    cr_assert_gt(report.shares[2], 0.99f);
}

Test(balancer, adaptive_gives_the_adversary_the_norm_of_the_reconstruction_in_the_last_layer)
{
    Balancer balancer = balancer_of(BALANCE_ADAPTIVE);
    BalancerReport report;
    float out[3];
    /* 0.5 |(1.94, 0.08)| / (0.1 * 500 + 1e-4) * 500 */
    const float expected = (float)(0.5 * sqrt(1.94 * 1.94 + 0.08 * 0.08) / (50.0 + 1e-4) * 500.0);

    apply_three(&balancer, NULL, out, &report);
    ASSERT_CLOSE_F32("sum", out, ((const float[]){1.94f, 0.08f, expected}), 3, ((Tolerance){.rel = 1e-5}));
}

Test(balancer, uncertainty_learns_weights_of_one_over_the_value)
{
    Balancer balancer = balancer_of(BALANCE_UNCERTAINTY);
    BalancerReport report;
    float out[3];

    for (int step = 0; step < 4000; step++)
        apply_three(&balancer, (const double[]){4.0, 0.05, -300.0}, out, &report);
    ASSERT_CLOSE("s of 4", balancer.log_variance[0], log(4.0), ((Tolerance){.abs = 0.01}));
    ASSERT_CLOSE("s of 0.05", balancer.log_variance[1], log(0.05), ((Tolerance){.abs = 0.01}));
    cr_assert_eq(balancer.log_variance[2], 0.0, "the adversary is left alone");
    ASSERT_CLOSE_F32("sum", out, ((const float[]){0.5f - 1.2f, 1.6f, 250.0f}), 3, ((Tolerance){.rel = 0.02}));
}

Test(balancer, gap_gives_more_to_the_loss_that_has_come_down_less)
{
    Balancer balancer = balancer_of(BALANCE_GAP);
    BalancerReport report;
    float out[3];
    double equal, behind;

    for (int step = 0; step < 30; step++)
        apply_three(&balancer, (const double[]){4.0, 0.05, 1.0}, out, &report);
    ASSERT_CLOSE_F32("log losses", out, ((const float[]){0.5f - 1.2f, 1.6f, 250.0f}), 3, ((Tolerance){.rel = 1e-4}));
    equal = (double)out[1] * 0.05;
    for (int step = 0; step < 30; step++) /* the first loss falls to a quarter, the second stays */
        apply_three(&balancer, (const double[]){1.0, 0.05, 1.0}, out, &report);
    behind = (double)out[1] * 0.05;
    ASSERT_CLOSE("more", behind / equal, 2.0 * exp(1.0) / (exp(1.0) + exp(0.25)), ((Tolerance){.rel = 1e-4}));
}

Test(balancer, config_works_against_no_loss)
{
    Balancer balancer = balancer_of(BALANCE_CONFIG);
    BalancerReport report;
    float out[3];
    double cosines[3];

    apply_three(&balancer, NULL, out, &report);
    for (int i = 0; i < 3; i++) {
        double dot = 0.0, size = 0.0;

        for (int k = 0; k < 3; k++) {
            dot += (double)out[k] * (double)three[i][k];
            size += (double)three[i][k] * (double)three[i][k];
        }
        cosines[i] = dot / sqrt(size);
    }
    cr_assert_gt(cosines[0], 0.0);
    ASSERT_CLOSE("as weights 1 and 2", cosines[1] / cosines[0], 2.0, ((Tolerance){.rel = 1e-3}));
    ASSERT_CLOSE("as weights 1 and 0.5", cosines[2] / cosines[0], 0.5, ((Tolerance){.rel = 1e-3}));
}

Test(balancer, config_stands_still_in_exact_conflict_and_takes_twins_for_one)
{
    const BalancerConfig config = {.kind = BALANCE_CONFIG, .n_losses = 2, .weights = {1.0f, 1.0f}, .total_norm = 1.0f};
    const float a[2] = {1.0f, 0.0f}, against[2] = {-3.0f, 0.0f}, *conflict[2] = {a, against}, *twins[2] = {a, a};
    Balancer balancer;
    BalancerReport report;
    float out[2];
    RsdError err;

    ASSERT_OK(balancer_init(&balancer, &config, &err), err);
    ASSERT_OK(apply(&balancer, conflict, 1, 2, out, &report, &err), err);
    cr_assert(out[0] == 0.0f && out[1] == 0.0f);
    ASSERT_OK(apply(&balancer, twins, 1, 2, out, &report, &err), err);
    ASSERT_CLOSE_F32("twins", out, ((const float[]){2.0f, 0.0f}), 2, ((Tolerance){.rel = 1e-5, .abs = 1e-6}));
}
