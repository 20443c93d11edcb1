/* test_code_training.c - codes learned by gradient, and what brings a codebook back that latents have left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/kernels/kernels.h"
#include "models/projected_rvq.h"
#include "tests/shared.h"

#define DIM 4
#define N_CODES 64

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Rvq *rvq;
    ProjectedRvq *projected;
    RsdError err;
} Rig;

static void rig_open(Rig *rig, int n_threads, bool projected, float dead_below)
{
    RvqConfig plain = {.n_q = 1, .codebook_size = N_CODES, .dim = DIM, .ema_decay = 0.95f, .dead_below = dead_below};
    ProjectedRvqConfig config = {.n_q = 2, .codebook_size = N_CODES, .code_dim = 3, .dim = DIM};

    memset(rig, 0, sizeof *rig);
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(params_create(&rig->params, &rig->err), rig->err);
    if (projected)
        ASSERT_OK(projected_rvq_create(&rig->projected, &config, rig->params, 3, &rig->err), rig->err);
    else
        ASSERT_OK(rvq_create(&rig->rvq, &plain, rig->params, &rig->err), rig->err);
}

static void rig_close(Rig *rig)
{
    rvq_destroy(&rig->rvq);
    projected_rvq_destroy(&rig->projected);
    params_destroy(&rig->params);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

/* Normal numbers around `centre`. */
static Tensor *latents(Rig *rig, int64_t batch, int64_t frames, uint32_t sample, float centre, bool needs_grad)
{
    int64_t shape[3] = {batch, DIM, frames};
    Rng rng = rng_at(1, RNG_TEST, 0, sample);
    Tensor *z, *leaf;

    ASSERT_OK(tape_tensor(rig->tape, &z, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = centre + rng_normal(&rng);
    ASSERT_OK(tape_leaf(rig->tape, z, needs_grad, &leaf, &rig->err), rig->err);
    return leaf;
}

/* ---- collapse ---- */

typedef struct Ride {
    RvqStats at_rest, driven, after; /* before, at the end of, and 60 steps after a ride */
} Ride;

#define N_RIDE 60

/* Latents that go away from their codes by `speed` of their spread in each step, then stay where they are; `training` and re-seeding
 * hold from the first step of the ride on, or, with `late`, from its end. */
static Ride drive(float speed, float dead_below, CodeTraining training, bool late)
{
    const CodeTraining none = {0};
    Tensor *zq, *commitment;
    Ride ride;
    Rig rig;

    rig_open(&rig, 2, false, dead_below);
    ASSERT_OK(rvq_init_codebooks(rig.tape, rig.rvq, latents(&rig, 8, 64, 999, 0.0f, false), 7, &rig.err), rig.err);
    for (uint32_t step = 0; step < 3 * N_RIDE; step++) {
        const float way = step < N_RIDE ? 0.0f : (float)(step < 2 * N_RIDE ? step - N_RIDE : N_RIDE);
        bool on = step >= (late ? 2 : 1) * N_RIDE;

        rvq_set_training(rig.rvq, on ? &training : &none);
        ASSERT_OK(rvq_train(rig.tape, rig.rvq, latents(&rig, 8, 64, step, speed * way, false), 1, 7, step, false, &zq, &commitment,
                            step < N_RIDE ? &ride.at_rest : step < 2 * N_RIDE ? &ride.driven : &ride.after, &rig.err), rig.err);
        tape_reset(rig.tape);
    }
    rig_close(&rig);
    return ride;
}

Test(code_training, a_codebook_that_latents_leave_behind_collapses)
{
    Ride ride = drive(0.5f, 0.0f, (CodeTraining){0}, false);

    cr_expect_gt(ride.at_rest.perplexity[0], 40.0f, "perplexity %g of 64", (double)ride.at_rest.perplexity[0]);
    cr_expect_lt(ride.driven.perplexity[0], 8.0f, "perplexity %g", (double)ride.driven.perplexity[0]);
    cr_expect_lt(ride.after.perplexity[0], 8.0f, "it does not come back by itself: perplexity %g", (double)ride.after.perplexity[0]);
}

Test(code_training, codes_that_follow_bring_it_back)
{
    Ride ride = drive(0.5f, 0.0f, (CodeTraining){.follow = 0.2f}, true);

    cr_expect_lt(ride.driven.perplexity[0], 8.0f);
    cr_expect_gt(ride.after.perplexity[0], 35.0f, "perplexity %g of 64", (double)ride.after.perplexity[0]);
}

Test(code_training, dead_codes_drawn_anew_bring_it_back)
{
    Ride ride = drive(0.5f, 0.1f, (CodeTraining){0}, false);

    cr_expect_gt(ride.after.perplexity[0], 40.0f, "perplexity %g of 64", (double)ride.after.perplexity[0]);
}

Test(code_training, codes_that_follow_or_learn_ahead_do_not_collapse)
{
    static const CodeTraining remedies[] = {{.follow = 0.5f}, {.ahead = 20}};

    cr_expect_lt(drive(0.1f, 0.0f, (CodeTraining){0}, false).driven.perplexity[0], 8.0f);
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
        Ride ride = drive(0.1f, 0.0f, remedies[i], false);

        cr_expect_gt(ride.driven.perplexity[0], 20.0f, "remedy %zu: perplexity %g of 64", i, (double)ride.driven.perplexity[0]);
        cr_expect_gt(ride.after.perplexity[0], 20.0f, "remedy %zu: perplexity %g of 64", i, (double)ride.after.perplexity[0]);
    }
}

Test(code_training, following_brings_mean_and_spread_of_the_codes_to_those_of_the_latents)
{
    const CodeTraining whole = {.follow = 1.0f};
    double mean = 0.0, sq = 0.0, mean_z = 0.0, sq_z = 0.0;
    Tensor *z, *zq, *commitment;
    const float *embed;
    Rig rig;

    rig_open(&rig, 1, true, 0.0f);
    embed = params_find(rig.params, "rvq.0.embed")->data;
    projected_rvq_set_training(rig.projected, &whole);
    rig.tape->recording = false;
    z = latents(&rig, 2, 50, 5, 3.0f, false);
    ASSERT_OK(projected_rvq_train(rig.tape, rig.projected, z, 1, false, &zq, &commitment, NULL, &rig.err), rig.err);
    for (int j = 0; j < N_CODES; j++)
        mean += embed[j * 3 + 1] / (double)N_CODES, sq += embed[j * 3 + 1] * embed[j * 3 + 1] / (double)N_CODES;
    for (int b = 0; b < 2; b++)
        for (int t = 0; t < 50; t++) {
            double p = 0.0;

            for (int d = 0; d < DIM; d++)
                p += (double)params_find(rig.params, "rvq.0.in.weight")->data[DIM + d] * z->data[(b * DIM + d) * 50 + t];
            mean_z += p / 100.0;
            sq_z += p * p / 100.0;
        }
    ASSERT_CLOSE("mean", mean, mean_z, ((Tolerance){.abs = 1e-4, .rel = 1e-4}));
    ASSERT_CLOSE("variance", sq - mean * mean, sq_z - mean_z * mean_z, ((Tolerance){.abs = 1e-4, .rel = 1e-3}));
    rig_close(&rig);
}

/* ---- gradients of the projected quantiser ---- */

/* A quantiser step whose value is <w, zq> + u distance, in double. */
static double objective(Rig *rig, const Tensor *z, const Tensor *w, double u, int n_q)
{
    Tensor *zq, *distance, *leaf;
    double sum;

    rig->tape->recording = false;
    ASSERT_OK(tape_leaf(rig->tape, z, false, &leaf, &rig->err), rig->err);
    ASSERT_OK(projected_rvq_train(rig->tape, rig->projected, leaf, n_q, true, &zq, &distance, NULL, &rig->err), rig->err);
    sum = u * distance->data[0];
    for (int64_t i = 0; i < tensor_count(zq); i++)
        sum += (double)w->data[i] * zq->data[i];
    return sum;
}

static void record(Rig *rig, Tensor *z, const Tensor *w, float u, int n_q)
{
    Tensor *zq, *distance;
    float *grad;
    bool add;

    params_zero_grad(rig->params);
    rig->tape->recording = true;
    ASSERT_OK(projected_rvq_train(rig->tape, rig->projected, z, n_q, true, &zq, &distance, NULL, &rig->err), rig->err);
    ASSERT_OK(tape_grad(rig->tape, distance, &grad, &add, &rig->err), rig->err);
    *grad = u;
    ASSERT_OK(tape_backward_from(rig->tape, zq, w->data, &rig->err), rig->err);
}

/* Around a point where no code changes; the look-up is straight-through, so finite differences know its gradient for W_out, b_out and
 * with sync for codes, while those of the distance come in two shares of 1 : c. */
Test(code_training, gradients_of_codes_and_projections_match_finite_differences)
{
    const CodeTraining sync = {.sync = 1.0f};
    const double step = 5e-4, whole = 1.0 + (double)PROJECTED_COMMITMENT;
    static const char *const names[] = {"rvq.0.out.weight", "rvq.0.out.bias", "rvq.0.embed"};
    Tensor *z, *w;
    Rig rig;

    rig_open(&rig, 1, true, 0.0f);
    projected_rvq_set_training(rig.projected, &sync);
    z = latents(&rig, 2, 6, 11, 0.0f, true);
    w = latents(&rig, 2, 6, 12, 0.0f, false);
    record(&rig, z, w, 0.0f, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Tensor *param = params_find(rig.params, names[i]);

        for (int64_t k = 0; k < tensor_count(param); k++) {
            float kept = param->data[k];
            double up, down;

            param->data[k] = kept + (float)step;
            up = objective(&rig, z, w, 0.0, 1);
            param->data[k] = kept - (float)step;
            down = objective(&rig, z, w, 0.0, 1);
            param->data[k] = kept;
            ASSERT_CLOSE(names[i], param->grad[k], (up - down) / (2.0 * step), ((Tolerance){.abs = 3e-3, .rel = 3e-3}));
        }
    }
    /* the distance alone: to codes with weight 1 of 1 + c, to what is projected with c of 1 + c */
    z->grad = NULL;
    memset(w->data, 0, (size_t)tensor_count(w) * sizeof *w->data);
    record(&rig, z, w, 1.0f, 1);
    for (int64_t k = 0; k < N_CODES * 3; k++) {
        Tensor *embed = params_find(rig.params, "rvq.0.embed");
        float kept = embed->data[k];
        double up, down;

        embed->data[k] = kept + (float)step;
        up = objective(&rig, z, w, 1.0, 1);
        embed->data[k] = kept - (float)step;
        down = objective(&rig, z, w, 1.0, 1);
        embed->data[k] = kept;
        ASSERT_CLOSE("distance to codes", embed->grad[k], (up - down) / (2.0 * step) / whole, ((Tolerance){.abs = 2e-3, .rel = 5e-3}));
    }
    for (int64_t k = 0; k < tensor_count(z); k++) {
        float kept = z->data[k];
        double up, down;

        z->data[k] = kept + (float)step;
        up = objective(&rig, z, w, 1.0, 1);
        z->data[k] = kept - (float)step;
        down = objective(&rig, z, w, 1.0, 1);
        z->data[k] = kept;
        ASSERT_CLOSE("distance to z", z->grad[k], (up - down) / (2.0 * step) * (double)PROJECTED_COMMITMENT / whole,
                     ((Tolerance){.abs = 2e-3, .rel = 5e-3}));
    }
    rig_close(&rig);
}

/* Plain descent on codes and projections. */
static void descend(Rig *rig, float rate)
{
    for (size_t i = 0; i < rig->params->n_items; i++) {
        Tensor *tensor = rig->params->items[i].tensor;

        for (int64_t k = 0; k < tensor_count(tensor); k++)
            tensor->data[k] -= rate * tensor->grad[k];
    }
}

/* Error of the quantiser after descending on |zq - z|^2 and the distance. */
static RvqStats learn(float sync, int ahead)
{
    const CodeTraining training = {.sync = sync, .ahead = ahead};
    Tensor *zq, *distance;
    RvqStats stats;
    Rig rig;

    rig_open(&rig, 2, true, 0.0f);
    projected_rvq_set_training(rig.projected, &training);
    for (uint32_t step = 0; step < 150; step++) {
        Tensor *z = latents(&rig, 4, 64, step, 0.0f, false), *dy;
        float *grad;
        bool add;

        params_zero_grad(rig.params);
        rig.tape->recording = true;
        ASSERT_OK(projected_rvq_train(rig.tape, rig.projected, z, 2, false, &zq, &distance, &stats, &rig.err), rig.err);
        ASSERT_OK(tape_tensor(rig.tape, &dy, 3, zq->shape, &rig.err), rig.err);
        for (int64_t i = 0; i < tensor_count(zq); i++)
            dy->data[i] = 2.0f * (zq->data[i] - z->data[i]) / 256.0f;
        ASSERT_OK(tape_grad(rig.tape, distance, &grad, &add, &rig.err), rig.err);
        *grad = 1.0f;
        ASSERT_OK(tape_backward_from(rig.tape, zq, dy->data, &rig.err), rig.err);
        descend(&rig, 0.03f);
        tape_reset(rig.tape);
    }
    rig_close(&rig);
    return stats;
}

Test(code_training, learned_codes_describe_the_latents_and_better_with_either_remedy)
{
    RvqStats plain = learn(0.0f, 0), synchronised = learn(1.0f, 0), alternating = learn(0.0f, 3);

    cr_expect_lt(plain.relative_error, 0.5f, "error %g", (double)plain.relative_error);
    cr_expect_gt(plain.usage[0], 0.7f, "usage %g", (double)plain.usage[0]);
    cr_expect_lt(synchronised.relative_error, 0.95f * plain.relative_error, "synchronised %g, plain %g",
                 (double)synchronised.relative_error, (double)plain.relative_error);
    cr_expect_lt(alternating.relative_error, 0.9f * plain.relative_error, "alternating %g, plain %g",
                 (double)alternating.relative_error, (double)plain.relative_error);
}

/* ---- bits ---- */

Test(code_training, all_remedies_give_the_same_bits_for_one_and_two_threads)
{
    const CodeTraining all = {.follow = 0.3f, .ahead = 2, .sync = 0.5f};

    for (int projected = 0; projected < 2; projected++) {
        Rig rigs[2];

        for (int r = 0; r < 2; r++) {
            rig_open(&rigs[r], r + 1, projected, 0.1f);
            for (uint32_t step = 0; step < 3; step++) {
                Tensor *z = latents(&rigs[r], 3, 100, step, 1.0f, true), *zq, *distance;

                rigs[r].tape->recording = true;
                if (projected) {
                    projected_rvq_set_training(rigs[r].projected, &all);
                    ASSERT_OK(projected_rvq_train(rigs[r].tape, rigs[r].projected, z, 2, false, &zq, &distance, NULL, &rigs[r].err),
                              rigs[r].err);
                } else {
                    rvq_set_training(rigs[r].rvq, &all);
                    ASSERT_OK(rvq_train(rigs[r].tape, rigs[r].rvq, z, 1, 7, step, false, &zq, &distance, NULL, &rigs[r].err),
                              rigs[r].err);
                }
                ASSERT_OK(tape_backward_from(rigs[r].tape, zq, z->data, &rigs[r].err), rigs[r].err);
                tape_reset(rigs[r].tape);
            }
        }
        for (size_t i = 0; i < rigs[0].params->n_items; i++) {
            const Tensor *a = rigs[0].params->items[i].tensor, *b = rigs[1].params->items[i].tensor;

            ASSERT_SAME_BITS(rigs[0].params->items[i].name, a->data, b->data, tensor_count(a));
            if (a->grad)
                ASSERT_SAME_BITS("gradient", a->grad, b->grad, tensor_count(a));
        }
        for (int r = 0; r < 2; r++)
            rig_close(&rigs[r]);
    }
}
