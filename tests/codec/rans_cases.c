/* rans_cases.c - inputs of the vectors in rans_vectors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/rans_cases.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"

const RansCase rans_cases[] = {
    {"nothing", 8, {0}, 1, 63, 0, false},
    {"one symbol", 8, {1}, 40, 1, 0, false},
    {"one symbol in one lane", 1, {1}, 40, 1, 0, true},
    {"seven symbols and a rider", 8, {7}, 20, 40, 0, true},
    {"nine symbols in runs of 0, 8 and 1", 8, {0, 8, 1}, 20, 40, 0, true},
    {"skipped alone", 8, {50, 50}, 0, 1, 0, true},
    {"far values", 8, {40}, 0, 129, 2, true},
    {"far values in one lane", 1, {20, 3}, 0, 129, 2, true},
    {"a picture of 1 x 1", 1, {4, 12, 13}, 0, 129, 50, true},
    {"one scale", 8, {5000}, 30, 1, 0, false},
    {"normal", 8, {2001, 1030, 7000}, 0, 64, 1000, true},
    {"Laplace", 8, {2001, 1030, 7000}, 64, 64, 1000, true},
    {"all tables", 8, {16, 30000, 20001}, 0, 129, 500, true},
    {"all tables in one lane", 1, {511, 513, 1}, 0, 129, 500, true},
};
const int n_rans_cases = (int)(sizeof rans_cases / sizeof rans_cases[0]);

#define N_ODD 9

void rans_case_tables(CdfTable tables[RANS_CASE_TABLES])
{
    static const uint32_t odd[N_ODD + 1] = {1, 0, 7, 400000000, 3000, 4000000000, 4000000000, 12, 5, 90};

    for (int i = 0; i < CDF_SCALES; i++) {
        cdf_grid(&tables[i], CDF_NORMAL, i);
        cdf_grid(&tables[CDF_SCALES + i], CDF_LAPLACE, i);
    }
    cdf_from_weights(&tables[2 * CDF_SCALES], 100, N_ODD, odd);
}

/* A value as its table would have it. */
static int16_t draw(const CdfTable *t, Rng *rng)
{
    int slot = (int)rng_below(rng, CDF_TOTAL), symbol = 0;

    for (; slot >= t->freq[symbol]; symbol++)
        slot -= t->freq[symbol];
    if (symbol == t->n_values)
        return (int16_t)(t->lowest + t->n_values + (int)rng_below(rng, 5));
    return (int16_t)(t->lowest + symbol);
}

void rans_case_input(RansInput *input, const RansCase *c, uint32_t seed)
{
    CdfTable tables[RANS_CASE_TABLES];
    Rng rng = rng_at(17, RNG_TEST, 0, seed);

    *input = (RansInput){.n = 0};
    rans_case_tables(tables);
    for (int run = 0; run < RANS_CASE_RUNS; run++)
        input->n += c->n[run];
    input->table = calloc(input->n + 1, 1);
    input->value = calloc(input->n + 1, sizeof *input->value);
    for (size_t i = 0; i < input->n; i++) {
        const CdfTable *t =
            &tables[input->table[i] = (uint8_t)(c->first_table + (int)rng_below(&rng, (uint32_t)c->n_tables))];

        if (t->n_values == 0)
            continue;
        if (c->one_far_in > 0 && rng_below(&rng, (uint32_t)c->one_far_in) == 0)
            input->value[i] = (int16_t)((int)rng_below(&rng, 2 * RANS_MAX_VALUE + 1) - RANS_MAX_VALUE);
        else
            input->value[i] = draw(t, &rng);
    }
    for (int lane = 0; lane < c->n_lanes && c->has_rider; lane++)
        input->rider.lane[lane] = (uint16_t)rng_below(&rng, 65536);
}

void rans_case_clear(RansInput *input)
{
    free(input->table);
    free(input->value);
}

RsdStatus rans_case_encode(RansEncoder *encoder, const RansCase *c, const RansInput *input, const uint8_t **data,
                           size_t *size, RsdError *err)
{
    RsdStatus status = RSD_OK;
    size_t at = 0;

    for (int run = 0; run < RANS_CASE_RUNS; at += c->n[run++])
        TRY(rans_encoder_put(encoder, input->table + at, input->value + at, c->n[run], err));
    TRY(rans_encoder_finish(encoder, c->has_rider ? &input->rider : NULL, data, size, err));
fail:
    return status;
}

RsdStatus rans_case_decode(const RansTables *tables, const RansKernels *kernels, const RansCase *c,
                           const RansInput *input, const uint8_t *data, size_t size, RsdError *err)
{
    int16_t *value = calloc(input->n + 1, sizeof *value);
    RsdStatus status = RSD_OK;
    RansDecoder decoder;
    RansRider rider = {{0}};
    size_t at = 0;

    TRY(rans_decoder_open(&decoder, tables, c->n_lanes, kernels, data, size, err));
    for (int run = 0; run < RANS_CASE_RUNS; at += c->n[run++])
        TRY(rans_decoder_get(&decoder, input->table + at, value + at, c->n[run], err));
    TRY(rans_decoder_finish(&decoder, c->has_rider ? &rider : NULL, err));
    for (size_t i = 0; i < input->n; i++)
        CHECK(value[i] == input->value[i], err, RSD_ERR_CORRUPT, "symbol %zu is %d, expected %d", i, value[i],
              input->value[i]);
    CHECK(memcmp(&rider, &input->rider, sizeof rider) == 0, err, RSD_ERR_CORRUPT, "the rider is another");
fail:
    free(value);
    return status;
}

#define HASH_START 14695981039346656037u
#define HASH_FACTOR 1099511628211u

static uint64_t hash_more(uint64_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * HASH_FACTOR;
    return hash;
}

uint64_t rans_hash(const uint8_t *data, size_t size)
{
    return hash_more(HASH_START, data, size);
}

uint64_t rans_hash_rule(void)
{
    uint64_t hash = HASH_START;

    for (uint32_t scale = 1; scale <= 1u << 21; scale += 1 + scale / 7)
        for (int shape = CDF_NORMAL; shape <= CDF_LAPLACE; shape++) {
            CdfTable t;

            cdf_make(&t, (CdfShape)shape, scale);
            for (int i = 0; i <= t.n_values; i++)
                hash = hash_more(hash, (const uint8_t[]){(uint8_t)t.freq[i], (uint8_t)(t.freq[i] >> 8)}, 2);
        }
    return hash;
}

uint64_t rans_hash_normal_tail(void)
{
    uint64_t hash = HASH_START;

    for (int i = 0; i < 4000; i++) {
        double values[2] = {cdf_normal_tail((double)i / 100.0), cdf_exp(-(double)i / 5.0)};

        hash = hash_more(hash, (const uint8_t *)values, sizeof values); /* all machines are little-endian */
    }
    return hash;
}
