/* test_momo.c - MoMo-Adam against the paper's formulas in double, with rates that are far too high, and in whole runs; norms
 * of layers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/kernels/kernels.h"
#include "tests/trainer/recordings.h"
#include "tests/trainer/state_files.h"
#include "trainer/layer_norms.h"
#include "trainer/train_audio.h"

#define N 9000 /* more than one block */

typedef struct Rig {
    ParamSet *params;
    Tensor *x;
    Optimizer *opt;
    RsdThreads *threads;
} Rig;

static void open_rig(Rig *rig, int kind, float decay)
{
    OptimizerConfig cfg = {.kind = kind, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-6f, .weight_decay = decay};
    Rng rng = rng_at(3, RNG_TEST, 0, 0);

    cr_assert_eq(rsd_threads_create(&rig->threads, 2, NULL), RSD_OK);
    cr_assert_eq(params_create(&rig->params, NULL), RSD_OK);
    cr_assert_eq(params_add(rig->params, "x", 1, (const int64_t[]){N}, true, &rig->x, NULL), RSD_OK);
    params_fill_uniform(rig->x, &rng, 1.0f);
    cr_assert_eq(optimizer_create(&rig->opt, &cfg, rig->params, kernels_pick(), NULL), RSD_OK);
}

static void close_rig(Rig *rig)
{
    optimizer_destroy(&rig->opt);
    params_destroy(&rig->params);
    rsd_threads_destroy(&rig->threads);
}

/* f = sum_i a_i (x_i - b_i)^2 / 2N, a from 0.1 to 10. */
static double curvature(int i)
{
    return 0.1 * pow(100.0, (double)i / N);
}

static double target(int i)
{
    return sin(i);
}

static double set_gradient(Rig *rig)
{
    double loss = 0.0;

    for (int i = 0; i < N; i++) {
        double distance = (double)rig->x->data[i] - target(i);

        rig->x->grad[i] = (float)(curvature(i) * distance / N);
        loss += curvature(i) * distance * distance / (2.0 * N);
    }
    return loss;
}

Test(momo, does_what_the_paper_says)
{
    static double x[N], d[N], v[N];
    double f = 0.0, c = 0.0, lr = 0.15, decay = 0.05, worst = 0.0;
    int n_cut = 0;
    Rig rig;

    open_rig(&rig, OPTIMIZER_MOMO, (float)decay);
    for (int i = 0; i < N; i++)
        x[i] = (double)rig.x->data[i];
    for (int t = 1; t <= 60; t++) {
        double gx = 0.0, dx = 0.0, dd = 0.0, tau, r = 1.0 - pow(0.9, t);

        rig.opt->loss = set_gradient(&rig);
        for (int i = 0; i < N; i++) {
            double g = (double)rig.x->grad[i];

            d[i] = 0.9 * d[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            gx += g * x[i];
            dx += d[i] * x[i];
            dd += d[i] * d[i] / (1e-6 + sqrt(v[i] / (1.0 - pow(0.95, t))));
        }
        f = 0.9 * f + 0.1 * rig.opt->loss;
        c = 0.9 * c + 0.1 * gx;
        tau = fmin(lr / r, fmax((1.0 + lr * decay) * (f - c) + dx, 0.0) / dd);
        n_cut += tau < lr / r;
        for (int i = 0; i < N; i++)
            x[i] = (x[i] - tau * d[i] / (1e-6 + sqrt(v[i] / (1.0 - pow(0.95, t))))) / (1.0 + lr * decay);
        optimizer_update(rig.opt, (float)lr, 0.0, rig.threads);
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fabs((double)rig.x->data[i] - x[i]));
    }
    cr_expect_lt(worst, 2e-3, "%g", worst);
    cr_expect(n_cut > 0 && n_cut < 60, "the loss bounds some of the steps, not all: %d of 60", n_cut);
    close_rig(&rig);
}

/* The highest loss on the way and the last one, over the first. */
static void descend(int kind, float lr, int n_steps, double *highest, double *last)
{
    double first;
    Rig rig;

    open_rig(&rig, kind, 0.0f);
    first = set_gradient(&rig);
    *highest = 0.0;
    for (int t = 0; t < n_steps; t++) {
        rig.opt->loss = set_gradient(&rig);
        optimizer_update(rig.opt, lr, 0.0, rig.threads);
        *last = set_gradient(&rig) / first;
        *highest = fmax(*highest, *last);
    }
    close_rig(&rig);
}

Test(momo, a_rate_that_is_far_too_high_does_no_harm)
{
    double highest, last;

    descend(OPTIMIZER_ADAM, 30.0f, 60, &highest, &last);
    cr_expect_gt(highest, 100.0, "Adam at that rate reaches %g times the loss at first", highest);
    descend(OPTIMIZER_MOMO, 30.0f, 60, &highest, &last);
    cr_expect_lt(highest, 5.0, "%g", highest);
    cr_expect_lt(last, 0.1, "%g", last);
}

Test(momo, a_clipped_gradient_takes_its_loss_along)
{
    Rig a, b;

    open_rig(&a, OPTIMIZER_MOMO, 0.0f);
    open_rig(&b, OPTIMIZER_MOMO, 0.0f);
    b.opt->config.clip_norm = 1.0f;
    a.opt->loss = set_gradient(&a) / 4.0;
    for (int i = 0; i < N; i++)
        a.x->grad[i] /= 4.0f;
    b.opt->loss = set_gradient(&b);
    optimizer_update(a.opt, 0.1f, 0.0, a.threads);
    optimizer_update(b.opt, 0.1f, 4.0, b.threads);
    for (int i = 0; i < N; i++)
        cr_assert_float_eq((double)a.x->data[i], (double)b.x->data[i], 1e-6, "%d", i);
    close_rig(&a);
    close_rig(&b);
}

/* ---- whole runs ---- */

static char data_dir[RECORDINGS_PATH_SIZE], base_dir[RECORDINGS_PATH_SIZE];

static TrainSummary train(const TrainConfig *cfg, const char *name, int64_t steps, bool resume, RsdStatus expected)
{
    const char *dirs[] = {data_dir};
    char run_dir[2 * RECORDINGS_PATH_SIZE];
    TrainOptions options = {.dirs = dirs, .n_dirs = 1, .run_dir = run_dir, .resume = resume};
    TrainConfig mine = *cfg;
    TrainSummary summary;
    RsdError err = {0};

    snprintf(run_dir, sizeof run_dir, "%s/%s", base_dir, name);
    mine.train.steps = steps;
    cr_assert_eq(rsd_threads_create(&options.threads, 1, NULL), RSD_OK);
    cr_assert_eq(train_audio(&mine, &options, &summary, &err), expected, "%s", err.text);
    rsd_threads_destroy(&options.threads);
    return summary;
}

Test(momo, a_resumed_run_is_the_run_that_never_stopped)
{
    static const char *const settings[] = {"optim.method=momo", "loss.balance=fixed", "optim.schedule=constant", "optim.warmup=0",
                                           "optim.lr=0.05", "train.checkpoint_steps=3"};
    Safetensors *a, *b;
    TrainConfig cfg;
    TrainSummary whole, resumed;

    recordings_make_folder(data_dir);
    recordings_make_folder(base_dir);
    recordings_write_tones(data_dir, 8);
    recordings_tiny_config(&cfg);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(train_config_set(&cfg, settings[i], NULL), RSD_OK);
    whole = train(&cfg, "whole", 6, false, RSD_OK);
    train(&cfg, "resumed", 3, false, RSD_OK);
    resumed = train(&cfg, "resumed", 6, true, RSD_OK);
    cr_assert_eq(resumed.first_step, 3);
    cr_assert_eq(safetensors_open(&a, whole.checkpoint, NULL), RSD_OK);
    cr_assert_eq(safetensors_open(&b, resumed.checkpoint, NULL), RSD_OK);
    state_files_expect_same(whole.checkpoint, resumed.checkpoint, 20);
    cr_expect_str_eq(safetensors_metadata(a, "optim.momo"), safetensors_metadata(b, "optim.momo"));
    safetensors_close(&a);
    safetensors_close(&b);
    cr_assert_eq(train_config_set(&cfg, "loss.balance=encodec", NULL), RSD_OK);
    train(&cfg, "balanced", 6, false, RSD_ERR_ARG);
    recordings_remove(data_dir);
    recordings_remove(base_dir);
}

Test(layer_norms, parts_have_the_norms_of_their_tensors)
{
    static const char *const names[] = {"encoder.in.weight", "encoder.stages.0.a.weight", "encoder.stages.0.b.weight",
                                        "encoder.stages.10.a.weight", "out"};
    ParamSet *params;
    Tensor *tensors[5], *state;
    LayerNorms *norms;

    cr_assert_eq(params_create(&params, NULL), RSD_OK);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(params_add(params, names[i], 1, (const int64_t[]){4}, true, &tensors[i], NULL), RSD_OK);
        for (int j = 0; j < 4; j++) {
            tensors[i]->data[j] = (float)(i + 1);
            tensors[i]->grad[j] = (float)(10 * i);
        }
        cr_assert_eq(params_add(params, i ? (char[]){'s', (char)('0' + i), '\0'} : "s", 1, (const int64_t[]){4}, false, &state, NULL),
                     RSD_OK);
    }
    cr_assert_eq(layer_norms_create(&norms, params, NULL), RSD_OK);
    cr_assert_eq(norms->n, 4);
    cr_expect_str_eq(norms->names[0], "encoder.in");
    cr_expect_str_eq(norms->names[1], "encoder.stages.0");
    cr_expect_str_eq(norms->names[2], "encoder.stages.10");
    cr_expect_str_eq(norms->names[3], "out");
    layer_norms_before(norms, params);
    tensors[1]->data[0] += 3.0f;
    tensors[2]->data[3] -= 4.0f;
    layer_norms_after(norms, params);
    cr_expect_float_eq((double)norms->grads[1], sqrt(4 * 100.0 + 4 * 400.0), 1e-3);
    cr_expect_float_eq((double)norms->grads[3], 80.0, 1e-3);
    cr_expect_float_eq((double)norms->ratios[1], 5.0 / sqrt(4 * 4.0 + 4 * 9.0), 1e-5);
    cr_expect_eq(norms->ratios[2], 0.0f);
    layer_norms_destroy(&norms);
    params_destroy(&params);
}
