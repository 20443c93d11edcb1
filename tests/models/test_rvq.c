/* test_rvq.c - the residual quantiser against hand-made codebooks and plain double-precision formulas.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "engine/kernels/kernels.h"
#include "models/rvq.h"
#include "tests/shared.h"

typedef struct Rig {
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Rvq *rvq;
    RvqConfig config;
    RsdError err;
} Rig;

static void rig_open(Rig *rig, RvqConfig config, int n_threads)
{
    memset(rig, 0, sizeof *rig);
    rig->config = config;
    ASSERT_OK(rsd_threads_create(&rig->threads, n_threads, &rig->err), rig->err);
    ASSERT_OK(tape_create(&rig->tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(params_create(&rig->params, &rig->err), rig->err);
    ASSERT_OK(rvq_create(&rig->rvq, &config, rig->params, &rig->err), rig->err);
}

static void rig_close(Rig *rig)
{
    rvq_destroy(&rig->rvq);
    params_destroy(&rig->params);
    tape_destroy(&rig->tape);
    rsd_threads_destroy(&rig->threads);
}

static float *state(const Rig *rig, int stage, const char *what)
{
    char name[32];
    Tensor *tensor;

    snprintf(name, sizeof name, "rvq.%d.%s", stage, what);
    tensor = params_find(rig->params, name);
    cr_assert(tensor != NULL, "%s", name);
    return tensor->data;
}

static Tensor *random_input(Rig *rig, int64_t batch, int64_t frames, uint32_t sample)
{
    int64_t shape[3] = {batch, rig->config.dim, frames};
    Rng rng = rng_at(1, RNG_TEST, 0, sample);
    Tensor *z;

    ASSERT_OK(tape_tensor(rig->tape, &z, 3, shape, &rig->err), rig->err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = rng_normal(&rng);
    return z;
}

/* Codebooks of decreasing size around zero, with averages. */
static void random_codebooks(Rig *rig)
{
    for (int q = 0; q < rig->config.n_q; q++) {
        Rng rng = rng_at(2, RNG_TEST, 0, (uint32_t)q);
        float *embed = state(rig, q, "embed"), *count = state(rig, q, "count"), *sum = state(rig, q, "sum");

        for (int j = 0; j < rig->config.codebook_size; j++) {
            count[j] = rng_between(&rng, 0.5f, 3.0f);
            for (int d = 0; d < rig->config.dim; d++) {
                embed[j * rig->config.dim + d] = rng_normal(&rng) / (float)(1 + q);
                sum[j * rig->config.dim + d] = count[j] * embed[j * rig->config.dim + d];
            }
        }
    }
    rvq_refresh(rig->rvq);
}

static RvqConfig small_config(void)
{
    return (RvqConfig){.n_q = 3, .codebook_size = 16, .dim = 5, .ema_decay = 0.9f, .dead_below = 0.0f};
}

/* ---- search and reconstruction ---- */

Test(rvq, picks_the_nearest_code_of_a_known_codebook_and_the_lowest_of_equals)
{
    /* stage 0: (0,0) (4,0) (0,4) (4,0): codes 1 and 3 are equal; stage 1: (1,1) (-1,-1) (1,1) (0,0) */
    const float books[2][8] = {{0, 0, 4, 0, 0, 4, 4, 0}, {1, 1, -1, -1, 1, 1, 0, 0}};
    const float z[2][4] = {{4.9f, 0.2f, -0.8f, 2.0f}, {1.1f, 3.9f, -0.9f, 0.0f}}; /* 4 frames, two numbers each */
    const uint16_t expected[2][4] = {{1, 2, 0, 0}, {0, 3, 1, 0}};
    int64_t shape[3] = {1, 2, 4};
    uint16_t codes[8];
    Tensor *x, *y;
    Rig rig;

    rig_open(&rig, (RvqConfig){.n_q = 2, .codebook_size = 4, .dim = 2, .ema_decay = 0.9f}, 1);
    for (int q = 0; q < 2; q++)
        memcpy(state(&rig, q, "embed"), books[q], sizeof books[q]);
    rvq_refresh(rig.rvq);
    ASSERT_OK(tape_input(rig.tape, &x, 3, shape, &z[0][0], &rig.err), rig.err);
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, x, 2, codes, &rig.err), rig.err);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(codes[i], (&expected[0][0])[i], "code %d is %d, expected %d", i, codes[i], (&expected[0][0])[i]);
    ASSERT_OK(rvq_decode(rig.tape, rig.rvq, codes, 1, 2, 4, &y, &rig.err), rig.err);
    for (int d = 0; d < 2; d++)
        for (int t = 0; t < 4; t++)
            cr_assert_eq(y->data[d * 4 + t], books[0][codes[t] * 2 + d] + books[1][codes[4 + t] * 2 + d]);
    rig_close(&rig);
}

Test(rvq, codes_of_fewer_stages_are_a_prefix_and_chunks_equal_the_whole)
{
    enum { B = 2, F = 150, CHUNK = 37 };
    uint16_t whole[B * 3 * F], two[B * 2 * F], part[3 * CHUNK];
    Tensor *z;
    Rig rig;

    rig_open(&rig, small_config(), 2);
    random_codebooks(&rig);
    z = random_input(&rig, B, F, 0);
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, 3, whole, &rig.err), rig.err);
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, 2, two, &rig.err), rig.err);
    for (int b = 0; b < B; b++)
        cr_assert_arr_eq(whole + b * 3 * F, two + b * 2 * F, 2 * F * sizeof *two);
    for (int first = 0; first < F; first += CHUNK) {
        int n = F - first < CHUNK ? F - first : CHUNK;
        int64_t shape[3] = {1, 5, n};
        Tensor *chunk;

        ASSERT_OK(tape_tensor(rig.tape, &chunk, 3, shape, &rig.err), rig.err);
        for (int d = 0; d < 5; d++)
            memcpy(chunk->data + d * n, z->data + (5 + d) * F + first, (size_t)n * sizeof(float));
        ASSERT_OK(rvq_encode(rig.tape, rig.rvq, chunk, 3, part, &rig.err), rig.err);
        for (int q = 0; q < 3; q++)
            cr_assert_arr_eq(part + q * n, whole + (3 + q) * F + first, (size_t)n * sizeof *part);
    }
    rig_close(&rig);
}

Test(rvq, refuses_wrong_shapes_stages_and_codes)
{
    uint16_t codes[3 * 4] = {0};
    int64_t shape[3] = {1, 6, 4};
    Tensor *z, *y;
    Rig rig;

    rig_open(&rig, small_config(), 1);
    ASSERT_OK(tape_tensor(rig.tape, &z, 3, shape, &rig.err), rig.err);
    ASSERT_FAILS(rvq_encode(rig.tape, rig.rvq, z, 3, codes, &rig.err), RSD_ERR_ARG, rig.err, "[1, 6, 4]");
    ASSERT_FAILS(rvq_encode(rig.tape, rig.rvq, random_input(&rig, 1, 4, 0), 4, codes, &rig.err), RSD_ERR_ARG, rig.err, "4 stages");
    codes[6] = 16;
    ASSERT_FAILS(rvq_decode(rig.tape, rig.rvq, codes, 1, 3, 4, &y, &rig.err), RSD_ERR_CORRUPT, rig.err,
                 "code 16 of stage 1 at frame 2");
    rig_close(&rig);
}

Test(rvq, configuration_out_of_range_is_named)
{
    const struct {
        RvqConfig config;
        const char *part;
    } cases[] = {{{0, 16, 4, 0.9f, 0.1f}, "n_q is 0"},
                 {{65, 16, 4, 0.9f, 0.1f}, "n_q is 65"},
                 {{2, 100, 4, 0.9f, 0.1f}, "codebook_size is 100"},
                 {{2, 131072, 4, 0.9f, 0.1f}, "codebook_size is 131072"},
                 {{2, -16, 4, 0.9f, 0.1f}, "codebook_size is -16"},
                 {{2, 16, 2000, 0.9f, 0.1f}, "dim is 2000"},
                 {{2, 16, 4, 1.0f, 0.1f}, "ema_decay is 1"},
                 {{2, 16, 4, NAN, 0.1f}, "ema_decay"},
                 {{2, 16, 4, 0.9f, -1.0f}, "dead_below is -1"}};
    RsdError err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASSERT_FAILS(rvq_check_config(&cases[i].config, &err), RSD_ERR_ARG, err, cases[i].part);
}

/* ---- gradients ---- */

Test(rvq, commitment_and_its_gradient_follow_the_formula_at_every_stage)
{
    enum { B = 2, D = 5, F = 30, N = B * D * F };
    float dz[N];
    double expected[N], loss = 0.0;
    uint16_t codes[B * 3 * F];
    Tensor *z, *zq, *commitment;
    Rig rig;

    rig_open(&rig, small_config(), 1);
    random_codebooks(&rig);
    z = random_input(&rig, B, F, 0);
    z->needs_grad = true;
    rig.tape->recording = true;
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, 3, codes, &rig.err), rig.err);
    memset(expected, 0, sizeof expected);
    for (int b = 0; b < B; b++)
        for (int d = 0; d < D; d++)
            for (int t = 0; t < F; t++) {
                int i = (b * D + d) * F + t;
                double residual = z->data[i];

                for (int q = 0; q < 3; q++) {
                    residual -= state(&rig, q, "embed")[codes[(b * 3 + q) * F + t] * D + d];
                    loss += residual * residual / (3.0 * N);
                    expected[i] += 2.0 * residual / (3.0 * N);
                }
            }
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 3, 7, 0, true, &zq, &commitment, NULL, &rig.err), rig.err);
    ASSERT_CLOSE("commitment", commitment->data[0], loss, ((Tolerance){.rel = 1e-6}));
    ASSERT_OK(tape_backward(rig.tape, commitment, &rig.err), rig.err);
    memcpy(dz, z->grad, sizeof dz);
    for (int i = 0; i < N; i++)
        ASSERT_CLOSE("gradient", dz[i], expected[i], ((Tolerance){.abs = 1e-9, .rel = 1e-4}));
    rig_close(&rig);
}

Test(rvq, output_is_what_the_decoder_sees_and_passes_gradients_straight_through)
{
    enum { B = 2, F = 70, N = B * 5 * F };
    float dy[N];
    uint16_t codes[B * 3 * F];
    Tensor *z, *zq, *commitment, *decoded;
    Rig rig;

    rig_open(&rig, small_config(), 2);
    random_codebooks(&rig);
    z = random_input(&rig, B, F, 0);
    z->needs_grad = true;
    rig.tape->recording = true;
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, 3, codes, &rig.err), rig.err);
    ASSERT_OK(rvq_decode(rig.tape, rig.rvq, codes, B, 3, F, &decoded, &rig.err), rig.err);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 3, 7, 0, false, &zq, &commitment, NULL, &rig.err), rig.err);
    ASSERT_SAME_BITS("zq", zq->data, decoded->data, N);
    for (int i = 0; i < N; i++)
        dy[i] = (float)i;
    ASSERT_OK(tape_backward_from(rig.tape, zq, dy, &rig.err), rig.err);
    ASSERT_SAME_BITS("gradient", z->grad, dy, N);
    rig_close(&rig);
}

/* ---- learning ---- */

Test(rvq, moving_averages_follow_the_formula_in_double)
{
    enum { B = 2, D = 5, F = 40, K = 16 };
    const double decay = 0.9f, eps = 1e-5;
    double residual[B * D * F];
    uint16_t codes[B * 3 * F];
    Tensor *z, *zq, *commitment;
    double count[3][K], sum[3][K * D], embed[3][K * D];
    Rig rig;

    rig_open(&rig, small_config(), 2);
    random_codebooks(&rig);
    z = random_input(&rig, B, F, 0);
    ASSERT_OK(rvq_encode(rig.tape, rig.rvq, z, 3, codes, &rig.err), rig.err);
    for (int i = 0; i < B * D * F; i++)
        residual[i] = z->data[i];
    for (int q = 0; q < 3; q++) {
        double total = 0.0;

        for (int j = 0; j < K; j++) {
            count[q][j] = decay * state(&rig, q, "count")[j];
            for (int d = 0; d < D; d++)
                sum[q][j * D + d] = decay * state(&rig, q, "sum")[j * D + d];
        }
        for (int b = 0; b < B; b++)
            for (int t = 0; t < F; t++) {
                int j = codes[(b * 3 + q) * F + t];

                count[q][j] += 1.0 - decay;
                for (int d = 0; d < D; d++) {
                    sum[q][j * D + d] += (1.0 - decay) * residual[(b * D + d) * F + t];
                    residual[(b * D + d) * F + t] -= state(&rig, q, "embed")[j * D + d];
                }
            }
        for (int j = 0; j < K; j++)
            total += count[q][j];
        for (int j = 0; j < K; j++)
            for (int d = 0; d < D; d++)
                embed[q][j * D + d] = sum[q][j * D + d] / ((count[q][j] + eps) / (total + K * eps) * total);
    }
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 3, 7, 0, false, &zq, &commitment, NULL, &rig.err), rig.err);
    for (int q = 0; q < 3; q++) {
        for (int j = 0; j < K; j++)
            ASSERT_CLOSE("count", state(&rig, q, "count")[j], count[q][j], ((Tolerance){.rel = 1e-6}));
        for (int i = 0; i < K * D; i++) {
            ASSERT_CLOSE("sum", state(&rig, q, "sum")[i], sum[q][i], ((Tolerance){.abs = 1e-6, .rel = 1e-5}));
            ASSERT_CLOSE("embed", state(&rig, q, "embed")[i], embed[q][i], ((Tolerance){.abs = 1e-6, .rel = 1e-5}));
        }
    }
    rig_close(&rig);
}

Test(rvq, unused_stages_and_frozen_codebooks_stay_as_they_are)
{
    Tensor *z, *zq, *commitment;
    float before[16 * 5];
    Rig rig;

    rig_open(&rig, small_config(), 1);
    random_codebooks(&rig);
    z = random_input(&rig, 2, 40, 0);
    memcpy(before, state(&rig, 2, "embed"), sizeof before);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 2, 7, 0, false, &zq, &commitment, NULL, &rig.err), rig.err);
    ASSERT_SAME_BITS("stage 2 of 2 used", state(&rig, 2, "embed"), before, 80);
    memcpy(before, state(&rig, 0, "embed"), sizeof before);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 3, 7, 1, true, &zq, &commitment, NULL, &rig.err), rig.err);
    ASSERT_SAME_BITS("frozen", state(&rig, 0, "embed"), before, 80);
    rig_close(&rig);
}

/* True when row j of the codebook is a column of z. */
static bool is_vector_of(const float *row, const Tensor *z)
{
    int64_t dim = z->shape[1], frames = z->shape[2];

    for (int64_t i = 0; i < z->shape[0] * frames; i++) {
        int64_t d = 0;

        while (d < dim && fabsf(row[d] - z->data[(i / frames * dim + d) * frames + i % frames]) < 1e-4f)
            d++;
        if (d == dim)
            return true;
    }
    return false;
}

Test(rvq, a_dead_code_becomes_a_vector_of_the_batch_and_survives_the_next_update)
{
    RvqConfig config = {.n_q = 1, .codebook_size = 16, .dim = 5, .ema_decay = 0.99f, .dead_below = 0.1f};
    Tensor *z, *next, *zq, *commitment;
    float threshold = 0.1f * 80.0f / 16.0f, *embed, *count, *sum, reborn[5];
    RvqStats stats;
    Rig rig;

    rig_open(&rig, config, 1);
    random_codebooks(&rig);
    embed = state(&rig, 0, "embed"), count = state(&rig, 0, "count"), sum = state(&rig, 0, "sum");
    for (int d = 0; d < 5; d++)
        embed[3 * 5 + d] = sum[3 * 5 + d] = 100.0f; /* far from everything */
    count[3] = 0.1f * threshold;
    rvq_refresh(rig.rvq);
    z = random_input(&rig, 2, 40, 0);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 1, 7, 0, false, &zq, &commitment, &stats, &rig.err), rig.err);
    cr_assert_geq(stats.n_reseeded[0], 1);
    cr_assert(is_vector_of(embed + 15, z), "code 3 is not a vector of the batch");
    cr_assert_eq(count[3], threshold);
    for (int d = 0; d < 5; d++)
        cr_assert_eq(sum[15 + d], threshold * embed[15 + d]);
    memcpy(reborn, embed + 15, sizeof reborn);

    /* a batch of this vector alone: the code is chosen 80 times, its average and so the code must stay where it is */
    next = random_input(&rig, 2, 40, 1);
    for (int64_t i = 0; i < 2 * 40; i++)
        for (int d = 0; d < 5; d++)
            next->data[(i / 40 * 5 + d) * 40 + i % 40] = reborn[d];
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, next, 1, 7, 1, false, &zq, &commitment, &stats, &rig.err), rig.err);
    cr_assert_gt(count[3], threshold);
    ASSERT_CLOSE_F32("code after the update", embed + 15, reborn, 5, ((Tolerance){.abs = 1e-3, .rel = 1e-3}));
    rig_close(&rig);
}

/* 60 steps from codebooks of which every vector takes code 0; statistics of the first and the last. */
static void train_collapsed(float dead_below, bool kmeans, RvqStats *first, RvqStats *last)
{
    RvqConfig config = {.n_q = 2, .codebook_size = 64, .dim = 5, .ema_decay = 0.95f, .dead_below = dead_below};
    Tensor *zq, *commitment;
    Rig rig;

    rig_open(&rig, config, 2);
    for (int q = 0; q < 2; q++) {
        state(&rig, q, "count")[0] = 1000.0f;
        for (int j = 1; j < 64; j++)
            for (int d = 0; d < 5; d++)
                state(&rig, q, "embed")[j * 5 + d] = state(&rig, q, "sum")[j * 5 + d] = 1e6f;
    }
    rvq_refresh(rig.rvq);
    for (uint32_t step = 0; step < 60; step++) {
        Tensor *z = random_input(&rig, 4, 64, step);

        if (kmeans && step == 1)
            ASSERT_OK(rvq_init_codebooks(rig.tape, rig.rvq, z, 7, &rig.err), rig.err);
        ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 2, 7, step, false, &zq, &commitment, last, &rig.err), rig.err);
        if (step == 0)
            *first = *last;
        tape_reset(rig.tape);
    }
    rig_close(&rig);
}

Test(rvq, a_collapsed_codebook_recovers)
{
    RvqStats first, last;

    train_collapsed(0.0f, false, &first, &last);
    cr_assert_lt(first.perplexity[0], 1.01f);
    cr_assert_lt(last.perplexity[0], 1.01f, "without a remedy it stays as it is: perplexity %g", (double)last.perplexity[0]);
    for (int kmeans = 0; kmeans < 2; kmeans++) { /* dead codes drawn anew; k-means anew */
        train_collapsed(kmeans ? 0.0f : 0.1f, kmeans, &first, &last);
        cr_expect_lt(first.perplexity[0], 1.01f);
        cr_expect_gt(last.perplexity[0], 40.0f, "perplexity %g of 64", (double)last.perplexity[0]);
        cr_expect_gt(last.usage[0], 0.9f, "usage %g", (double)last.usage[0]);
        cr_expect_lt(last.relative_error, 0.1f, "relative error %g", (double)last.relative_error);
    }
}

/* ---- k-means start ---- */

Test(rvq, kmeans_finds_separate_clusters)
{
    enum { K = 8, D = 5, F = 400 };
    RvqConfig config = {.n_q = 1, .codebook_size = K, .dim = D, .ema_decay = 0.99f, .dead_below = 0.0f};
    Rng rng = rng_at(5, RNG_TEST, 0, 0);
    Tensor *z, *zq, *commitment;
    RvqStats stats;
    int n_found = 0;
    double total = 0.0;
    Rig rig;

    rig_open(&rig, config, 1);
    z = random_input(&rig, 1, F, 0);
    for (int t = 0; t < F; t++)
        for (int d = 0; d < D; d++)
            z->data[d * F + t] = (d < 3 && t % 8 >> d & 1 ? 10.0f : -10.0f) + 0.1f * rng_normal(&rng);
    cr_assert_not(rvq_is_initialised(rig.rvq));
    ASSERT_OK(rvq_init_codebooks(rig.tape, rig.rvq, z, 3, &rig.err), rig.err);
    cr_assert(rvq_is_initialised(rig.rvq));
    for (int j = 0; j < K; j++)
        total += state(&rig, 0, "count")[j];
    cr_assert_eq(total, F);
    ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 1, 3, 0, true, &zq, &commitment, &stats, &rig.err), rig.err);
    /* Lloyd may leave two means in one cluster and one mean between two, but each mean is the mean of its vectors */
    for (int j = 0; j < K; j++)
        n_found += state(&rig, 0, "count")[j] == 50.0f;
    cr_assert_geq(n_found, 4, "%d of 8 clusters have a mean of their own", n_found);
    cr_assert_lt(stats.relative_error, 0.2f, "relative error %g", (double)stats.relative_error);
    for (int j = 0; j < K; j++)
        for (int d = 0; d < D; d++)
            ASSERT_CLOSE("sum", state(&rig, 0, "sum")[j * D + d],
                         (double)state(&rig, 0, "count")[j] * state(&rig, 0, "embed")[j * D + d],
                         ((Tolerance){.abs = 1e-4, .rel = 1e-5}));
    rig_close(&rig);
}

Test(rvq, each_stage_starts_from_what_the_stages_before_left_over)
{
    RvqConfig config = {.n_q = 6, .codebook_size = 32, .dim = 5, .ema_decay = 0.99f, .dead_below = 0.05f};
    Tensor *z, *zq, *commitment;
    RvqStats stats;
    float error_before = 1.0f;
    Rig rig;

    rig_open(&rig, config, 1);
    z = random_input(&rig, 4, 200, 0);
    ASSERT_OK(rvq_init_codebooks(rig.tape, rig.rvq, z, 3, &rig.err), rig.err);
    for (int n_q = 1; n_q <= 6; n_q++) {
        ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, n_q, 3, 0, true, &zq, &commitment, &stats, &rig.err), rig.err);
        cr_assert_lt(stats.relative_error, 0.6f * error_before, "stage %d: %g after %g", n_q, (double)stats.relative_error,
                     (double)error_before);
        error_before = stats.relative_error;
    }
    rig_close(&rig);
}

Test(rvq, starts_from_fewer_vectors_than_codes_and_uses_all_codes_soon)
{
    RvqConfig config = {.n_q = 3, .codebook_size = 64, .dim = 5, .ema_decay = 0.95f, .dead_below = 0.1f};
    RvqStats stats;
    Tensor *zq, *commitment;
    Rig rig;

    rig_open(&rig, config, 1);
    ASSERT_OK(rvq_init_codebooks(rig.tape, rig.rvq, random_input(&rig, 1, 10, 99), 3, &rig.err), rig.err);
    for (uint32_t step = 0; step < 80; step++) {
        Tensor *z = random_input(&rig, 4, 64, step);

        ASSERT_OK(rvq_train(rig.tape, rig.rvq, z, 3, 7, step, false, &zq, &commitment, &stats, &rig.err), rig.err);
        tape_reset(rig.tape);
    }
    for (int q = 0; q < 3; q++)
        cr_assert_gt(stats.usage[q], 0.85f, "stage %d: usage %g", q, (double)stats.usage[q]);
    rig_close(&rig);
}

/* ---- bits and trouble ---- */

Test(rvq, training_gives_the_same_bits_for_one_and_two_threads)
{
    RvqConfig config = {.n_q = 4, .codebook_size = 128, .dim = 24, .ema_decay = 0.95f, .dead_below = 0.1f};
    Rig rigs[2];

    for (int r = 0; r < 2; r++)
        rig_open(&rigs[r], config, r + 1);
    for (uint32_t step = 0; step < 5; step++) {
        Tensor *zq[2], *commitment[2];

        for (int r = 0; r < 2; r++) {
            Tensor *z = random_input(&rigs[r], 3, 100, step);

            ASSERT_OK(rvq_train(rigs[r].tape, rigs[r].rvq, z, 4, 7, step, false, &zq[r], &commitment[r], NULL, &rigs[r].err),
                      rigs[r].err);
        }
        ASSERT_SAME_BITS("zq", zq[0]->data, zq[1]->data, tensor_count(zq[0]));
        ASSERT_SAME_BITS("commitment", commitment[0]->data, commitment[1]->data, 1);
    }
    for (size_t i = 0; i < rigs[0].params->n_items; i++)
        ASSERT_SAME_BITS(rigs[0].params->items[i].name, rigs[0].params->items[i].tensor->data,
                         rigs[1].params->items[i].tensor->data, tensor_count(rigs[0].params->items[i].tensor));
    for (int r = 0; r < 2; r++)
        rig_close(&rigs[r]);
}

Test(rvq, input_that_is_not_a_number_leaves_the_codebooks_untouched)
{
    float before[16 * 5];
    Tensor *z, *zq, *commitment;
    Rig rig;

    rig_open(&rig, small_config(), 1);
    random_codebooks(&rig);
    memcpy(before, state(&rig, 0, "embed"), sizeof before);
    z = random_input(&rig, 1, 20, 0);
    z->data[17] = NAN;
    ASSERT_FAILS(rvq_train(rig.tape, rig.rvq, z, 3, 7, 0, false, &zq, &commitment, NULL, &rig.err), RSD_ERR_NUMERIC, rig.err,
                 "not finite");
    ASSERT_SAME_BITS("embed", state(&rig, 0, "embed"), before, 80);
    rig_close(&rig);
}

Test(rvq, a_set_for_inference_has_no_averages_and_cannot_train)
{
    RvqConfig config = small_config();
    Tensor *z, *zq, *commitment;
    ParamSet *params;
    Rvq *rvq;
    Rig rig;

    rig_open(&rig, config, 1);
    ASSERT_OK(params_create_for_inference(&params, 0, &rig.err), rig.err);
    ASSERT_OK(rvq_create(&rvq, &config, params, &rig.err), rig.err);
    cr_assert_eq(params_count_elements(params, false), 3 * 16 * 5);
    z = random_input(&rig, 1, 20, 0);
    ASSERT_FAILS(rvq_train(rig.tape, rvq, z, 3, 7, 0, false, &zq, &commitment, NULL, &rig.err), RSD_ERR_ARG, rig.err,
                 "inference");
    rvq_destroy(&rvq);
    params_destroy(&params);
    rig_close(&rig);
}
