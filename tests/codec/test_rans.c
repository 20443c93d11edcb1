/* test_rans.c - entropy-coded symbols: the same bytes from every kernel set, the rate, and streams that were damaged.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/threads.h"
#include "tests/codec/rans_cases.h"
#include "tests/codec/rans_vectors.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

static const RansKernels *set_at(size_t i)
{
    const Kernels *set = kernels_named(set_names[i]);

    return set ? set->rans : NULL;
}

static RansTables *make_tables(void)
{
    CdfTable cdf[RANS_CASE_TABLES];
    RansTables *tables;

    rans_case_tables(cdf);
    cr_assert_eq(rans_tables_create(&tables, cdf, RANS_CASE_TABLES, NULL), RSD_OK);
    return tables;
}

/* A copy of exactly its size, so that the sanitizer sees every read outside. */
static uint8_t *encode_case(const RansTables *tables, const RansKernels *kernels, const RansCase *c,
                            const RansInput *input, size_t *size)
{
    RansEncoder *encoder;
    const uint8_t *data;
    uint8_t *copy;
    RsdError err;

    cr_assert_eq(rans_encoder_create(&encoder, tables, c->n_lanes, kernels, NULL), RSD_OK);
    cr_assert_eq(rans_case_encode(encoder, c, input, &data, size, &err), RSD_OK, "%s: %s", c->what, err.text);
    copy = malloc(*size + 1);
    memcpy(copy, data, *size);
    rans_encoder_destroy(&encoder);
    return copy;
}

Test(rans, every_kernel_set_writes_and_reads_the_vectors)
{
    RansTables *tables = make_tables();

    cr_assert_eq(sizeof rans_vectors / sizeof rans_vectors[0], (size_t)n_rans_cases);
    for (int i = 0; i < n_rans_cases; i++) {
        const RansCase *c = &rans_cases[i];
        RansInput input;

        rans_case_input(&input, c, (uint32_t)i);
        for (size_t s = 0; s < N_SETS; s++) {
            size_t size;
            uint8_t *data;
            RsdError err;

            if (!set_at(s))
                continue;
            data = encode_case(tables, set_at(s), c, &input, &size);
            cr_assert_eq(size, rans_vectors[i].size, "%s, %s: %zu bytes, expected %zu", set_names[s], c->what, size,
                         rans_vectors[i].size);
            cr_assert_arr_eq(data, rans_vectors[i].bytes, size < RANS_VECTOR_BYTES ? size : RANS_VECTOR_BYTES);
            cr_assert_eq(rans_hash(data, size), rans_vectors[i].hash, "%s, %s: other bytes", set_names[s], c->what);
            cr_assert_eq(rans_case_decode(tables, set_at(s), c, &input, data, size, &err), RSD_OK, "%s, %s: %s",
                         set_names[s], c->what, err.text);
            free(data);
        }
        rans_case_clear(&input);
    }
    rans_tables_destroy(&tables);
}

Test(rans, random_runs_come_back_from_every_pair_of_kernel_sets)
{
    RansTables *tables = make_tables();
    Rng rng = rng_at(23, RNG_TEST, 0, 0);

    for (uint32_t i = 0; i < 300; i++) {
        RansCase c = {.what = "random",
                      .n_lanes = rng_below(&rng, 8) ? RANS_LANES : 1,
                      .n_tables = 1 + (int)rng_below(&rng, 65)};
        RansInput input;
        uint8_t *first = NULL;
        size_t first_size = 0;

        c.first_table = (int)rng_below(&rng, (uint32_t)(RANS_CASE_TABLES - c.n_tables + 1));
        c.one_far_in = (int)rng_below(&rng, 40);
        c.has_rider = rng_below(&rng, 2);
        for (int run = 0; run < RANS_CASE_RUNS; run++)
            c.n[run] = rng_below(&rng, 1u << rng_below(&rng, 11));
        rans_case_input(&input, &c, i);
        for (size_t s = 0; s < N_SETS; s++) {
            size_t size;
            uint8_t *data;

            if (!set_at(s))
                continue;
            data = encode_case(tables, set_at(s), &c, &input, &size);
            cr_assert(!first || (size == first_size && memcmp(data, first, size) == 0),
                      "case %u: %s writes other bytes", i, set_names[s]);
            for (size_t d = 0; d < N_SETS; d++)
                cr_assert(!set_at(d) || rans_case_decode(tables, set_at(d), &c, &input, data, size, NULL) == RSD_OK,
                          "case %u: written by %s, read by %s", i, set_names[s], set_names[d]);
            free(first);
            first = data;
            first_size = size;
        }
        free(first);
        rans_case_clear(&input);
    }
    rans_tables_destroy(&tables);
}

/* -log2 of the probability that rounding a normal variable gives k. */
static double estimated_bits(int k, double sigma)
{
    double a = fabs((double)k);

    return -log2(0.5 * (erfc((a - 0.5) / sigma / sqrt(2.0)) - erfc((a + 0.5) / sigma / sqrt(2.0))));
}

static void check_rate(const RansTables *tables, int lowest_table, int n_tables)
{
    enum { N = 60000 };
    uint8_t *table = malloc(N);
    int16_t *value = malloc(N * sizeof *value);
    Rng rng = rng_at(29, RNG_TEST, (uint64_t)lowest_table, 0);
    double bits = 0.0;
    RansEncoder *encoder;
    const uint8_t *data;
    size_t size;

    for (int i = 0; i < N; i++) {
        double sigma;

        table[i] = (uint8_t)(lowest_table + (int)rng_below(&rng, (uint32_t)n_tables));
        sigma = cdf_grid_scale(table[i]) / 65536.0;
        value[i] = (int16_t)lrint((double)rng_normal(&rng) * sigma);
        bits += estimated_bits(value[i], sigma);
    }
    cr_assert_eq(rans_encoder_create(&encoder, tables, RANS_LANES, kernels_pick()->rans, NULL), RSD_OK);
    cr_assert_eq(rans_encoder_put(encoder, table, value, N, NULL), RSD_OK);
    cr_assert_eq(rans_encoder_finish(encoder, NULL, &data, &size, NULL), RSD_OK);
    cr_assert(8.0 * (double)size <= 1.01 * bits, "scales from %d: %.0f bits, estimated %.0f", lowest_table,
              8.0 * (double)size, bits);
    rans_encoder_destroy(&encoder);
    free(table);
    free(value);
}

Test(rans, streams_are_within_one_percent_of_the_estimated_rate)
{
    RansTables *tables = make_tables();

    check_rate(tables, 1, 63);
    for (int i = 12; i < 64; i += 17) /* where a symbol costs something: below, the 32 bytes of states are a percent */
        check_rate(tables, i, 1);
    rans_tables_destroy(&tables);
}

Test(rans, a_stream_cut_or_altered_anywhere_is_found_out_and_never_read_outside)
{
    RansTables *tables = make_tables();
    RansCase c = {"damage", 8, {30, 200, 9}, 0, 129, 20, true};

    for (c.n_lanes = 1; c.n_lanes <= 8; c.n_lanes += 7) {
        RansInput input;
        size_t size;
        uint8_t *data;

        rans_case_input(&input, &c, 5);
        data = encode_case(tables, &rans_ref, &c, &input, &size);
        for (size_t s = 0; s < N_SETS; s++) {
            if (!set_at(s))
                continue;
            for (size_t cut = 0; cut < size; cut++) {
                uint8_t *part = malloc(cut + 1), *exact = part + 1; /* ends where the block ends */

                memcpy(exact, data, cut);
                cr_assert_eq(rans_case_decode(tables, set_at(s), &c, &input, exact, cut, NULL), RSD_ERR_CORRUPT,
                             "%s: %zu of %zu bytes decode", set_names[s], cut, size);
                free(part);
            }
            for (size_t bit = 0; bit < 8 * size; bit++) {
                data[bit / 8] ^= (uint8_t)(1u << bit % 8);
                cr_assert_eq(rans_case_decode(tables, set_at(s), &c, &input, data, size, NULL), RSD_ERR_CORRUPT,
                             "%s: bit %zu altered and not noticed", set_names[s], bit);
                data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
            cr_assert_eq(rans_case_decode(tables, set_at(s), &c, &input, data, size, NULL), RSD_OK);
        }
        free(data);
        rans_case_clear(&input);
    }
    rans_tables_destroy(&tables);
}

typedef struct Jobs {
    const RansTables *tables;
    uint64_t hash[16];
} Jobs;

static void run_job(void *ctx, int64_t i, int worker)
{
    Jobs *jobs = ctx;
    RansCase c = {"job", 8, {100, 3000, (size_t)i * 71}, 0, 64, 100, true};
    RansInput input;
    size_t size;
    uint8_t *data;

    (void)worker;
    rans_case_input(&input, &c, (uint32_t)i);
    data = encode_case(jobs->tables, kernels_pick()->rans, &c, &input, &size);
    jobs->hash[i] = rans_hash(data, size);
    cr_assert_eq(rans_case_decode(jobs->tables, kernels_pick()->rans, &c, &input, data, size, NULL), RSD_OK);
    free(data);
    rans_case_clear(&input);
}

Test(rans, streams_are_the_same_from_one_thread_and_from_two)
{
    RansTables *tables = make_tables();
    Jobs one = {.tables = tables}, two = {.tables = tables};
    RsdThreads *threads;

    cr_assert_eq(rsd_threads_create(&threads, 2, NULL), RSD_OK);
    threads_for(NULL, 16, run_job, &one);
    threads_for(threads, 16, run_job, &two);
    cr_assert_arr_eq(one.hash, two.hash, sizeof one.hash);
    rsd_threads_destroy(&threads);
    rans_tables_destroy(&tables);
}

Test(rans, wrong_values_and_tables_are_refused_in_words)
{
    RansTables *tables = make_tables();
    RansEncoder *encoder;
    RansDecoder decoder;
    RsdError err;
    uint8_t head[32] = {0};
    int16_t value = 0;

    cr_assert_eq(rans_encoder_create(&encoder, tables, 8, &rans_ref, NULL), RSD_OK);
    cr_assert_eq(rans_encoder_put(encoder, &(uint8_t){129}, &value, 1, &err), RSD_ERR_ARG);
    cr_assert_str_eq(err.text, "frequency table 129: there are 129");
    cr_assert_eq(rans_encoder_put(encoder, &(uint8_t){0}, &(int16_t){1}, 1, &err), RSD_ERR_ARG);
    cr_assert_str_eq(err.text, "value 1 by table 0, which stands for 0 alone");
    cr_assert_eq(rans_encoder_put(encoder, &(uint8_t){1}, &(int16_t){INT16_MIN}, 1, &err), RSD_ERR_ARG);
    cr_assert(rans_table_skips(tables, 0) && !rans_table_skips(tables, 1));
    cr_assert_eq(rans_decoder_open(&decoder, tables, 8, &rans_ref, head, 31, &err), RSD_ERR_CORRUPT);
    cr_assert_str_eq(err.text, "31 bytes of coded symbols, expected 32 or more");
    cr_assert_eq(rans_decoder_open(&decoder, tables, 8, &rans_ref, head, 32, &err), RSD_ERR_CORRUPT);
    cr_assert_str_eq(err.text, "state 0 of coded symbols is 0, expected 65536 or more");
    for (int lane = 0; lane < 8; lane++)
        head[lane * 4 + 2] = 1;
    cr_assert_eq(rans_decoder_open(&decoder, tables, 8, &rans_ref, head, 32, &err), RSD_OK);
    cr_assert_eq(rans_decoder_get(&decoder, &(uint8_t){200}, &value, 1, &err), RSD_ERR_ARG);
    rans_encoder_destroy(&encoder);
    rans_tables_destroy(&tables);
}

static RsdStatus encode_all(size_t *size, RsdError *err)
{
    CdfTable cdf[RANS_CASE_TABLES];
    const RansCase *c = &rans_cases[6];
    RansTables *tables = NULL;
    RansEncoder *encoder = NULL;
    RsdStatus status = RSD_OK;
    const uint8_t *data;
    RansInput input;

    rans_case_tables(cdf);
    rans_case_input(&input, c, 6);
    TRY(rans_tables_create(&tables, cdf, RANS_CASE_TABLES, err));
    TRY(rans_encoder_create(&encoder, tables, c->n_lanes, &rans_ref, err));
    TRY(rans_case_encode(encoder, c, &input, &data, size, err));
fail:
    rans_encoder_destroy(&encoder);
    rans_tables_destroy(&tables);
    rans_case_clear(&input);
    return status;
}

Test(rans, each_allocation_may_fail)
{
    RsdStatus status = RSD_ERR_MEMORY;
    size_t size;
    int n = 0;

    for (; status != RSD_OK && n < 1000; n++) {
        mem_fail_after(n);
        status = encode_all(&size, NULL);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY, "allocation %d: status %d", n, status);
    }
    mem_fail_after(-1);
    cr_assert(n > 5 && n < 1000);
}
