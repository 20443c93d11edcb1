/* test_exchange.c - sums of gradients that send less: nothing is lost for good, all members have the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "tests/shared.h"
#include "tests/trainer/thread_group.h"
#include "trainer/exchange.h"

#define N_MEMBERS 2
#define ROWS 16
#define COLUMNS 24
#define N_LAYERS 6
#define N (ROWS * COLUMNS)

typedef struct Job {
    ExchangeConfig config;
    int n_steps;
    bool rank_one;   /* gradients of rank 1, the same in every step; else one that stays and noise */
    int bad_step;    /* in which member 1 has a NaN; -1: never */
    double got[N_MEMBERS][N_LAYERS * N], wanted[N_LAYERS * N]; /* sums over steps and members, of all layers */
    int stop_at;     /* before this step the state goes into a file and comes back as that of a new exchange; 0: never */
    double sent, whole, error;                   /* of all steps but the first, in the mean */
    float last[N_MEMBERS][N_LAYERS * N + ROWS], bias[N_MEMBERS][ROWS];
    bool bad_seen[N_MEMBERS];
} Job;

static const float SIZES[N_LAYERS] = {1.0f, 0.01f, 0.5f, 0.003f, 0.1f, 0.03f};

static float gradient(const Job *job, int member, int step, int layer, int i)
{
    Rng row = rng_at(1, RNG_TEST, (uint64_t)layer, (uint32_t)(i / COLUMNS)), column = rng_at(2, RNG_TEST, 0, (uint32_t)(i % COLUMNS));
    Rng noise = rng_at(3, RNG_TEST, (uint64_t)(step * N_MEMBERS + member), (uint32_t)(layer * N + i));
    float lasting = rng_normal(&row) * rng_normal(&column);

    return SIZES[layer] * (lasting + (job->rank_one ? 0.0f : 0.3f * rng_normal(&noise)));
}

/* What a stop and a resumption do to an exchange. */
static void come_back(Job *job, Exchange **exchange, const ParamSet *params, Group *group)
{
    static const char path[] = "exchange-state.safetensors";
    double together = 0.0;
    SafetensorsWriter *writer;
    Safetensors *st;
    bool found;
    RsdError err = {0};

    ASSERT_OK(exchange_collect(*exchange, &err), err);
    if (group->rank == 0) {
        ASSERT_OK(safetensors_writer_create(&writer, &err), err);
        ASSERT_OK(exchange_save(*exchange, writer, &err), err);
        ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
        safetensors_writer_destroy(&writer);
    }
    group_sum_f64(group, &together, 1);
    exchange_destroy(exchange);
    ASSERT_OK(exchange_create(exchange, &job->config, params, group, 1, &err), err);
    ASSERT_OK(safetensors_open(&st, path, &err), err);
    ASSERT_OK(exchange_load(*exchange, st, &found, &err), err);
    cr_assert(found);
    safetensors_close(&st);
    group_sum_f64(group, &together, 1);
    if (group->rank == 0)
        remove(path);
}

static void take_part(void *ctx, Group *group)
{
    Job *job = ctx;
    const int64_t shape[2] = {ROWS, COLUMNS}, n_bias = ROWS;
    ParamSet *params;
    Exchange *exchange;
    ExchangeReport report;
    Tensor *layers[N_LAYERS], *bias;
    RsdError err = {0};

    ASSERT_OK(params_create(&params, &err), err);
    ASSERT_OK(params_add(params, "bias", 1, &n_bias, true, &bias, &err), err);
    for (int l = 0; l < N_LAYERS; l++)
        ASSERT_OK(params_add(params, (const char[2]){(char)('a' + l), '\0'}, 2, shape, true, &layers[l], &err), err);
    ASSERT_OK(exchange_create(&exchange, &job->config, params, group, 1, &err), err);
    for (int step = 0; step < job->n_steps; step++) {
        for (int l = 0; l < N_LAYERS; l++)
            for (int i = 0; i < N; i++)
                layers[l]->grad[i] = gradient(job, group->rank, step, l, i);
        for (int i = 0; i < ROWS; i++)
            bias->grad[i] = (float)(i + 100 * group->rank);
        if (step == job->bad_step && group->rank == 1)
            layers[0]->grad[7] = NAN;
        if (step > 0 && step == job->stop_at)
            come_back(job, &exchange, params, group);
        exchange_sum(exchange, &report);
        if (step == job->bad_step) {
            job->bad_seen[group->rank] = isnan(layers[0]->grad[7]);
            continue;
        }
        for (int l = 0; l < N_LAYERS; l++)
            for (int i = 0; i < N; i++)
                job->got[group->rank][l * N + i] += layers[l]->grad[i];
        if (group->rank == 0 && step > 0) {
            job->sent += report.sent / (job->n_steps - 1);
            job->whole += report.whole / (job->n_steps - 1);
            job->error += report.error / (job->n_steps - 1);
        }
        for (int l = 0; group->rank == 0 && l < N_LAYERS; l++)
            for (int i = 0; i < N; i++)
                for (int r = 0; r < N_MEMBERS; r++)
                    job->wanted[l * N + i] += gradient(job, r, step, l, i);
    }
    for (int l = 0; l < N_LAYERS; l++)
        memcpy(job->last[group->rank] + l * N, layers[l]->grad, N * sizeof(float));
    memcpy(job->bias[group->rank], bias->grad, ROWS * sizeof(float));
    exchange_destroy(&exchange);
    params_destroy(&params);
}

static Job *run_and_stop(ExchangeConfig config, int n_steps, bool rank_one, int bad_step, int stop_at)
{
    Job *job = calloc(1, sizeof *job);

    cr_assert_not_null(job);
    job->config = config;
    job->n_steps = n_steps;
    job->rank_one = rank_one;
    job->bad_step = bad_step;
    job->stop_at = stop_at;
    thread_group_run(N_MEMBERS, take_part, job);
    return job;
}

static Job *run(ExchangeConfig config, int n_steps, bool rank_one, int bad_step)
{
    return run_and_stop(config, n_steps, rank_one, bad_step, 0);
}

static double distance(const Job *job)
{
    double difference = 0.0, size = 0.0;

    for (int i = 0; i < N_LAYERS * N; i++) {
        difference += (job->got[0][i] - job->wanted[i]) * (job->got[0][i] - job->wanted[i]);
        size += job->wanted[i] * job->wanted[i];
    }
    return sqrt(difference / size);
}

static const ExchangeConfig kinds[] = {{.kind = EXCHANGE_TOP, .keep = 0.05f, .rank = 2},
                                       {.kind = EXCHANGE_LOW_RANK, .keep = 0.05f, .rank = 2},
                                       {.kind = EXCHANGE_BYTES, .keep = 0.05f, .rank = 2},
                                       {.kind = EXCHANGE_TOP, .keep = 0.05f, .rank = 2, .adaptive = true},
                                       {.kind = EXCHANGE_LOW_RANK, .keep = 0.05f, .rank = 2, .adaptive = true}};

Test(exchange, sends_less_and_loses_nothing_for_good)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Job *job = run(kinds[i], 81, false, -1);

        cr_expect_lt(distance(job), 0.25, "kind %zu: after 81 steps off by %g", i, distance(job));
        cr_expect_lt(job->sent, 0.35 * job->whole, "kind %zu: %g of %g bytes", i, job->sent, job->whole);
        ASSERT_SAME_BITS("gradients of both members", job->last[0], job->last[1], N_LAYERS * N);
        for (int k = 0; k < ROWS; k++)
            cr_expect_eq(job->bias[0][k], 100.0f + 2.0f * (float)k, "vectors are whole: %g", (double)job->bias[0][k]);
        printf("%s%s: %.0f of %.0f bytes, %.3f of the energy held back\n",
               (const char *const[]){"", "top", "low_rank", "bytes"}[kinds[i].kind], kinds[i].adaptive ? ", adaptive" : "", job->sent,
               job->whole, job->error);
        free(job);
    }
}

Test(exchange, a_stopped_one_goes_on_to_the_bit)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Job *whole = run(kinds[i], 60, false, -1), *parts = run_and_stop(kinds[i], 60, false, -1, 53);

        for (int r = 0; r < N_MEMBERS; r++)
            ASSERT_SAME_BITS("the last gradient", parts->last[r], whole->last[r], N_LAYERS * N);
        cr_expect_eq(parts->sent, whole->sent, "kind %zu: %g bytes, %g", i, parts->sent, whole->sent);
        free(whole);
        free(parts);
    }
}

Test(exchange, a_product_of_low_rank_is_exact_for_gradients_that_are_one)
{
    Job *job = run((ExchangeConfig){.kind = EXCHANGE_LOW_RANK, .rank = 1, .keep = 0.01f}, 3, true, -1);

    cr_expect_lt(distance(job), 1e-5, "off by %g", distance(job));
    free(job);
}

Test(exchange, layers_that_share_out_their_bytes_send_fewer_for_no_more_error)
{
    for (int kind = 0; kind < 2; kind++) {
        Job *same = run(kinds[kind], 61, false, -1), *shared = run(kinds[kind + 3], 61, false, -1);

        cr_expect_lt(shared->sent, same->sent, "kind %d: %g bytes, the same of each layer %g", kind, shared->sent, same->sent);
        cr_expect_lt(shared->error, 1.1 * same->error, "kind %d: held back %g, the same of each layer %g", kind, shared->error,
                     same->error);
        free(same);
        free(shared);
    }
}

Test(exchange, a_gradient_that_is_not_finite_is_seen_by_all_and_spoils_nothing)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Job *job = run(kinds[i], 25, false, 20);

        cr_expect(job->bad_seen[0] && job->bad_seen[1]);
        for (int k = 0; k < N_LAYERS * N; k++)
            cr_assert(isfinite(job->got[0][k]));
        cr_expect_lt(distance(job), 0.5, "kind %zu: after 25 steps off by %g", i, distance(job));
        free(job);
    }
}
