/* test_lattice.c - quantisers without a codebook: levels, codes, gradients, and what they do where a codebook collapses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/ops/reduce.h"
#include "models/lattice.h"
#include "models/rvq.h"
#include "tests/shared.h"

static RsdThreads *threads;
static Tape *tape;
static RsdError err;

static void set_up(void)
{
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    tape->recording = true;
}

static void tear_down(void)
{
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

TestSuite(lattice, .init = set_up, .fini = tear_down);

static const LatticeConfig fsq = {.kind = LATTICE_FSQ, .dim = 4, .levels = {8, 5, 5, 3}}, bsq = {.kind = LATTICE_BSQ, .dim = 6};

static Tensor *normal_input(int64_t batch, int64_t dim, int64_t frames, float scale, float centre)
{
    Rng rng = rng_at(3, RNG_TEST, 0, 0);
    Tensor *z;

    ASSERT_OK(tape_tensor(tape, &z, 3, (const int64_t[]){batch, dim, frames}, &err), err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = centre + scale * rng_normal(&rng);
    z->needs_grad = true;
    return z;
}

static int count_used(const uint16_t *codes, int64_t n, int n_codes)
{
    bool used[4096] = {false};
    int n_used = 0;

    for (int64_t i = 0; i < n; i++) {
        cr_assert_lt(codes[i], n_codes);
        n_used += !used[codes[i]];
        used[codes[i]] = true;
    }
    return n_used;
}

Test(lattice, every_code_is_reached_and_decodes_to_the_same_bits)
{
    enum { N = 60000 };
    static uint16_t codes[N];
    const LatticeConfig *configs[] = {&fsq, &bsq};

    for (int i = 0; i < 2; i++) {
        Tensor *zq, *decoded;

        ASSERT_OK(lattice_quantize(tape, configs[i], normal_input(2, configs[i]->dim, N / 2, 1.5f, 0.0f), &zq, codes, &err), err);
        cr_expect_eq(count_used(codes, N, lattice_n_codes(configs[i])), lattice_n_codes(configs[i]));
        ASSERT_OK(lattice_decode(tape, configs[i], codes, 2, N / 2, &decoded, &err), err);
        ASSERT_SAME_BITS("decoded", decoded->data, zq->data, tensor_count(zq));
    }
    cr_expect_eq(lattice_n_codes(&fsq), 600);
}

/* Independent of the code: levels by the formula in double, at chosen places. */
Test(lattice, fsq_rounds_as_the_formula_says)
{
    static const float z[] = {0.0f, 0.3f, -0.3f, 5.0f, -5.0f};
    static const float of_8[] = {0.0f, 0.25f, -0.25f, 0.75f, -1.0f}, of_5[] = {0.0f, 0.5f, -0.5f, 1.0f, -1.0f};
    const LatticeConfig two = {.kind = LATTICE_FSQ, .dim = 2, .levels = {8, 5}};
    float both[10];
    Tensor *in, *zq;

    memcpy(both, z, sizeof z);
    memcpy(both + 5, z, sizeof z);
    ASSERT_OK(tape_input(tape, &in, 3, (const int64_t[]){1, 2, 5}, both, &err), err);
    ASSERT_OK(lattice_quantize(tape, &two, in, &zq, NULL, &err), err);
    ASSERT_CLOSE_F32("8 levels", zq->data, of_8, 5, ((Tolerance){.abs = 1e-7}));
    ASSERT_CLOSE_F32("5 levels", zq->data + 5, of_5, 5, ((Tolerance){.abs = 1e-7}));
}

Test(lattice, gradients_are_those_of_the_value_before_rounding)
{
    Tensor *z = normal_input(1, 4, 9, 0.8f, 0.0f), *zq, *sum;

    ASSERT_OK(lattice_quantize(tape, &fsq, z, &zq, NULL, &err), err);
    ASSERT_OK(op_sum(tape, zq, &sum, &err), err);
    ASSERT_OK(tape_backward(tape, sum, &err), err);
    for (int i = 0; i < 4; i++) {
        double h = (fsq.levels[i] - 1) * 1.001 / 2, o = fsq.levels[i] % 2 ? 0.0 : 0.5;

        for (int t = 0; t < 9; t++) {
            double y = tanh((double)z->data[i * 9 + t] + atanh(o / h));

            ASSERT_CLOSE("dz", (double)z->grad[i * 9 + t], (1.0 - y * y) * h / (fsq.levels[i] / 2), ((Tolerance){.rel = 1e-4, .abs = 1e-6}));
        }
    }
    /* On the sphere a change along z changes nothing. */
    z = normal_input(1, 6, 9, 1.0f, 0.0f);
    ASSERT_OK(lattice_quantize(tape, &bsq, z, &zq, NULL, &err), err);
    ASSERT_OK(op_sum(tape, zq, &sum, &err), err);
    ASSERT_OK(tape_backward(tape, sum, &err), err);
    for (int t = 0; t < 9; t++) {
        double along = 0.0, size = 0.0;

        for (int i = 0; i < 6; i++) {
            along += (double)z->grad[i * 9 + t] * (double)z->data[i * 9 + t];
            size += fabs((double)z->grad[i * 9 + t]);
        }
        cr_expect(fabs(along) < 1e-5 && size > 1e-3);
    }
}

Test(lattice, the_entropy_loss_is_lowest_for_sure_and_even_bits)
{
    const int64_t n = 400;
    Tensor *even = normal_input(1, 6, n, 1.0f, 0.0f), *one_sided = normal_input(1, 6, n, 0.1f, 1.0f), *a, *b, *vague;

    ASSERT_OK(lattice_entropy_loss(tape, &bsq, even, 50.0f, NULL, &a, &err), err);
    ASSERT_OK(lattice_entropy_loss(tape, &bsq, one_sided, 50.0f, NULL, &b, &err), err);
    ASSERT_OK(lattice_entropy_loss(tape, &bsq, even, 0.01f, NULL, &vague, &err), err);
    ASSERT_CLOSE("even and sure", (double)a->data[0], -log(2.0), ((Tolerance){.abs = 0.08}));
    ASSERT_CLOSE("always the same", (double)b->data[0], 0.0, ((Tolerance){.abs = 0.01}));
    ASSERT_CLOSE("unsure", (double)vague->data[0], 0.0, ((Tolerance){.abs = 0.01}));
}

/* A codebook learned on vectors in a small ball loses them when the encoder moves away: one code serves all. Without a
 * remedy it stays so; re-seeding dead codes and a new k-means recover it; a lattice has nothing to lose. */
Test(lattice, a_collapsed_codebook_and_each_remedy)
{
    enum { K = 64, D = 4, N = 512 };
    static uint16_t codes[N];
    float perplexity[4];
    Tensor *before, *after, *zq, *commitment;
    RvqStats stats;

    for (int remedy = 0; remedy < 3; remedy++) {
        const RvqConfig config = {.n_q = 1, .codebook_size = K, .dim = D, .ema_decay = 0.9f,
                                  .dead_below = remedy == 1 ? 0.1f : 0.0f};
        ParamSet *params;
        Rvq *rvq;

        ASSERT_OK(params_create(&params, &err), err);
        ASSERT_OK(rvq_create(&rvq, &config, params, &err), err);
        before = normal_input(1, D, N, 0.05f, 0.0f);
        after = normal_input(1, D, N, 1.0f, 40.0f);
        ASSERT_OK(rvq_init_codebooks(tape, rvq, before, 1, &err), err);
        ASSERT_OK(rvq_train(tape, rvq, after, 1, 1, 0, true, &zq, &commitment, &stats, &err), err);
        cr_expect_lt(stats.perplexity[0], 3.0f, "the codebook has collapsed: %g", (double)stats.perplexity[0]);
        if (remedy == 2)
            ASSERT_OK(rvq_init_codebooks(tape, rvq, after, 1, &err), err);
        for (uint64_t step = 0; step < 60; step++)
            ASSERT_OK(rvq_train(tape, rvq, after, 1, 1, step, false, &zq, &commitment, &stats, &err), err);
        perplexity[remedy] = stats.perplexity[0];
        rvq_destroy(&rvq);
        params_destroy(&params);
    }
    cr_expect_lt(perplexity[0], 6.0f, "without a remedy: %g", (double)perplexity[0]);
    cr_expect_gt(perplexity[1], 0.6f * K, "re-seeding: %g", (double)perplexity[1]);
    cr_expect_gt(perplexity[2], 0.6f * K, "k-means anew: %g", (double)perplexity[2]);
    /* The lattice looks at where the channels are within its bounds, so what it gets is centred, as a network learns to. */
    ASSERT_OK(lattice_quantize(tape, &(LatticeConfig){.kind = LATTICE_FSQ, .dim = 3, .levels = {4, 4, 4}},
                               normal_input(1, 3, N, 1.0f, 0.0f), &zq, codes, &err),
              err);
    cr_expect_gt(count_used(codes, N, K), 0.85 * K);
}

Test(lattice, what_does_not_exist_is_refused)
{
    const LatticeConfig large = {.kind = LATTICE_FSQ, .dim = 3, .levels = {1000, 1000, 2}}, one = {.kind = LATTICE_FSQ, .dim = 1, .levels = {1}};
    const uint16_t bad[1] = {600};
    Tensor *z = normal_input(1, 3, 2, 1.0f, 0.0f), *zq;

    ASSERT_FAILS(lattice_check_config(&large, &err), RSD_ERR_ARG, err, "more than 65536 codes");
    ASSERT_FAILS(lattice_check_config(&one, &err), RSD_ERR_ARG, err, "1 levels");
    ASSERT_FAILS(lattice_quantize(tape, &fsq, z, &zq, NULL, &err), RSD_ERR_ARG, err, "4 channels");
    ASSERT_FAILS(lattice_decode(tape, &fsq, bad, 1, 1, &zq, &err), RSD_ERR_CORRUPT, err, "there are 600");
    z = normal_input(1, 4, 2, 1.0f, 0.0f);
    z->data[3] = NAN;
    ASSERT_FAILS(lattice_quantize(tape, &fsq, z, &zq, NULL, &err), RSD_ERR_NUMERIC, err, "not finite");
}
